"""Decoded frames as people see them: upright, square pixels, RGB."""

from __future__ import annotations

from fractions import Fraction
from typing import cast

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from ..types import Picture


def shown_size(width: int, height: int, aspect: Fraction | None) -> tuple[int, int]:
    """Width and height once pixels are made square; the shorter side is never cut."""
    if not aspect or aspect == 1 or not Fraction(1, 10) <= aspect <= 10:
        return width, height
    if aspect > 1:
        return max(1, round(width * aspect)), height
    return width, max(1, round(height / aspect))


def orientation(frame: VideoFrame) -> tuple[int, bool]:
    """Quarter turns clockwise that make the frame upright, and whether it is mirrored first."""
    turn = round(-frame.rotation / 90) % 4
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return turn, False
    a, b, _, c, d = np.frombuffer(memoryview(cast("bytes", matrix)), dtype=np.int32)[:5].astype(
        np.float64
    )
    if a * d - b * c >= 0:
        return turn, False
    # A mirrored matrix is a horizontal flip followed by a turn.
    return round(np.degrees(np.arctan2(-b, -a)) / 90) % 4, True


def upright(
    frame: VideoFrame,
    sample_aspect: Fraction | None = None,
    converter: VideoReformatter | None = None,
    orientations: dict[float, tuple[int, bool]] | None = None,
    longest_px: int | None = None,
) -> Picture:
    """A decoded frame as people see it.

    Args:
        frame: Any pixel format, bit depth and size.
        sample_aspect: Width of a pixel over its height; None means square.
        converter: Kept from frame to frame by who has many. A frame's own starts
            threads that live as long as the frame, each with its share of memory.
        orientations: Those met so far in one video, by the frame's rotation. Asking a frame
            for its side data makes a cycle that keeps its picture until the collector runs.
        longest_px: Most pixels of its longer side; None leaves it as large as it is.

    Returns:
        RGB uint8 [H, W, 3]: turned upright, pixels square, one field of an
        interlaced frame.
    """
    width, height = shown_size(frame.width, frame.height, sample_aspect)
    if longest_px is not None:
        scale = min(1.0, longest_px / max(width, height))
        width, height = max(1, round(width * scale)), max(1, round(height * scale))
    converter = converter or VideoReformatter()

    def rgb(width: int, height: int) -> Picture:
        shown = converter.reformat(frame, width, height, "rgb24", threads=1)
        return cast(Picture, shown.to_ndarray())

    if frame.interlaced_frame and frame.height >= 4:
        woven = rgb(width, frame.height)
        picture = np.repeat(woven[0::2], 2, axis=0)[: frame.height]
        if height != frame.height:
            rows = np.arange(height) * frame.height // height
            picture = picture[rows]
    else:
        picture = rgb(width, height)
    known = {} if orientations is None else orientations
    if frame.rotation not in known:
        known[frame.rotation] = orientation(frame)
    turn, mirrored = known[frame.rotation]
    if mirrored:
        picture = picture[:, ::-1]
    if turn:
        picture = np.rot90(picture, -turn)
    return np.ascontiguousarray(picture)
