"""Single pictures of a video as JPEG."""

from __future__ import annotations

from fractions import Fraction

from ..errors import MediaError
from ..files import shown
from ..media.container import open_video
from ..types import Picture
from .sampler import sample

LONGER_SIDE = 640
"""Pixels of the longer side of a still; smaller pictures keep their size."""


def picture_at(path: bytes, time_s: float) -> Picture:
    """The frame nearest to a time, upright, uint8 [H, W, 3].

    Raises:
        MediaError: The file cannot be used, or has no frame near this time.
    """
    # A step as long as the time itself makes that time the one sample point of the range.
    step_s = time_s if time_s > 0 else 1.0
    with open_video(path) as video:
        for _, picture in sample(video, step_s, time_s, time_s + step_s / 2):
            return picture
    raise MediaError(f"{shown(path)} has no picture at {time_s:.2f} s", "index it again")


def jpeg(picture: Picture) -> bytes:
    """A picture as a JPEG file of at most ``LONGER_SIDE`` pixels on its longer side."""
    from av import CodecContext, VideoFrame
    from av.codec.context import Flags

    height, width = picture.shape[:2]
    scale = min(1.0, LONGER_SIDE / max(height, width))
    codec = CodecContext.create("mjpeg", "w")
    codec.width, codec.height = max(1, round(width * scale)), max(1, round(height * scale))
    codec.pix_fmt = "yuvj420p"
    codec.time_base = Fraction(1)
    codec.flags |= Flags.qscale
    codec.global_quality = 3 * 118
    frame = VideoFrame.from_ndarray(picture, format="rgb24").reformat(
        codec.width, codec.height, "yuvj420p", dst_color_range="JPEG"
    )
    frame.pts = 0
    return b"".join(bytes(packet) for packet in [*codec.encode(frame), *codec.encode(None)])
