"""A closer look at the best moments of videos that are known by their key frames alone.

Key frames lie seconds apart, so they tell where to look but not where a moment starts
or ends, nor surely whether it is there. The stretches around the best guesses are
sampled once a second, as indexing would have done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..types import Encoder, VideoRow
from .frame_source import FrameSource
from .moments import Moment
from .stretches import Range, joined, look_again


@dataclass(frozen=True)
class CloserSettings:
    """How much is looked at, with the reasons."""

    moments: int = 8
    """Best coarse moments: those that are shown first, and some that may deserve to be."""
    reach_s: float = 12.0
    """Seconds on either side: key frames are mostly not farther apart."""
    step_s: float = 1.0
    """The rate of a full index."""


def look_closer(
    source: FrameSource,
    encoder: Encoder,
    moments: Sequence[Moment],
    notes: dict[int, str],
    progress: Callable[[int, int], None],
    settings: CloserSettings | None = None,
) -> bool:
    """Adds frames around the best coarse moments to what localizers see.

    Args:
        source: Gets the frames.
        encoder: Encodes them; its vision tower is loaded now.
        moments: Best first; those of fully indexed videos need nothing.
        notes: By video: lines for people. Videos with one are left out; those whose file
            cannot be used get one.
        progress: Told how much is done and in all.
        settings: How much to look at.

    Returns:
        Whether there are new frames, so that moments are to be sought anew.
    """
    settings = settings or CloserSettings()
    coarse = [moment for moment in moments if moment.video.coarse]
    wanted: dict[int, list[Range]] = {}
    videos: dict[int, VideoRow] = {}
    for moment in coarse[: settings.moments]:
        videos[moment.video.id] = moment.video
        for part in moment.parts:
            low = max(0.0, part.span.start_s - settings.reach_s)
            high = min(moment.video.duration_s, part.span.end_s + settings.reach_s)
            wanted.setdefault(moment.video.id, []).append((low, high))
    ranges = [(videos[key], range_s) for key in wanted for range_s in joined(wanted[key])]
    stretches = look_again(ranges, encoder, settings.step_s, notes, progress)
    for stretch in stretches:
        source.add(stretch.video, stretch.times_s, stretch.vectors)
    return bool(stretches)
