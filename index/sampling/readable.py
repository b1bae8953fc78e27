"""Larger pictures of the samples at which text may have changed.

Whether it has is looked at more closely than for encoding: one digit of a small clock counts.
"""

from __future__ import annotations

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from ..media.container import OpenVideo
from ..text.screen_change import HEIGHT, WIDTH, Grey, changed_cells
from ..types import Picture


def as_it_is(picture: Picture) -> Picture:
    """The preprocessing of a job that wants no small pictures."""
    return picture


class ReadablePictures:
    """Picks and shrinks the samples of one video, in order of time."""

    def __init__(self, video: OpenVideo, longest_px: int) -> None:
        self._video, self._longest_px = video, longest_px
        self._comparing, self._shrinking = VideoReformatter(), VideoReformatter()
        self._last: Grey | None = None

    def of(self, frame: VideoFrame) -> Picture | None:
        """The sample as it is read; None where it looks like the last one that was given."""
        small = self._comparing.reformat(
            frame, WIDTH, HEIGHT, "gray", interpolation=Interpolation.AREA, threads=1
        )
        now = small.to_ndarray().astype(np.int16)
        if self._last is not None and not changed_cells(now, self._last).any():
            return None
        self._last = now
        return self._video.upright_within(frame, self._longest_px, self._shrinking)
