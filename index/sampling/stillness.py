"""Whether a frame shows anything that the last kept one did not.

A lecture or a fixed camera shows the same picture for minutes; one vector stands
for all of it. What a person would call an event may fill a thousandth of the
picture, so the measure looks at small places, not at the whole: global means and
perceptual hashes miss people who walk through.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

WIDTH, HEIGHT = 128, 72
_HALF = 4
"""Blocks are 8 pixels wide and high and overlap by half, so none splits a small thing in four."""
NEW = 3.0
"""Levels by which some place must differ beyond what noise makes all places differ."""
_MOST_NOISE = 4.0
_MOST_DRIFT = 4.0
"""More than slow light changes between kept frames; darkness is news."""
LONGEST_S = 60.0
"""A frame this much later than the last kept one is kept, whatever it shows."""


class StillnessDetector:
    """Compares the frames of one video with the last one that was kept, in order of time."""

    def __init__(self) -> None:
        self._converter = VideoReformatter()
        self._kept: npt.NDArray[np.int16] | None = None
        self._kept_s = 0.0

    def repeats(self, time_s: float, frame: VideoFrame) -> bool:
        """True when the frame may share the vector of the last kept one; else it is kept."""
        small = self._converter.reformat(
            frame, WIDTH, HEIGHT, "gray", interpolation=Interpolation.AREA, threads=1
        )
        luma = small.to_ndarray().astype(np.int16)
        if (
            self._kept is not None
            and time_s - self._kept_s < LONGEST_S
            and not shows_news(luma, self._kept)
        ):
            return True
        self._kept, self._kept_s = luma, time_s
        return False


def shows_news(luma: npt.NDArray[np.int16], kept: npt.NDArray[np.int16]) -> bool:
    """Whether some place of a small grey picture differs from another's.

    Args:
        luma: int16 [72, 128], 0 to 255.
        kept: The picture to compare with, likewise.
    """
    change = (luma - kept).astype(np.float32)
    change -= np.clip(np.median(change), -_MOST_DRIFT, _MOST_DRIFT)
    cells = np.abs(change).reshape(HEIGHT // _HALF, _HALF, WIDTH // _HALF, _HALF).mean(axis=(1, 3))
    blocks = (cells[1:, 1:] + cells[1:, :-1] + cells[:-1, 1:] + cells[:-1, :-1]) / 4
    noise = min(float(np.median(blocks)), _MOST_NOISE)
    return float(blocks.max()) > NEW + noise
