"""A closer look at the best moments of videos that are known by their key frames alone.

Key frames lie seconds apart, so they tell where to look but not where a moment starts
or ends, nor surely whether it is there. The stretches around the best guesses are
sampled once a second, as indexing would have done.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..types import VideoRow
from .moments import Moment
from .search import Search
from .stretches import Range, joined, look_again


def look_closer(search: Search, moments: Sequence[Moment], notes: dict[int, str]) -> bool:
    """Adds frames around the best coarse moments to what localizers see.

    Args:
        search: Its source gets the frames.
        moments: Best first; those of fully indexed videos need nothing.
        notes: By video: lines for people. Videos with one are left out; those whose file
            cannot be used get one.

    Returns:
        Whether there are new frames, so that moments are to be sought anew.
    """
    settings = search.settings.closer
    coarse = [
        moment
        for moment in moments
        if moment.video.coarse and not all(part.witnesses for part in moment.parts)
    ]
    wanted: dict[int, list[Range]] = {}
    videos: dict[int, VideoRow] = {}
    for moment in coarse[: settings.moments]:
        videos[moment.video.id] = moment.video
        for part in moment.parts:
            low = max(0.0, part.span.start_s - settings.reach_s)
            high = min(moment.video.duration_s, part.span.end_s + settings.reach_s)
            wanted.setdefault(moment.video.id, []).append((low, high))
    ranges = [(videos[key], range_s) for key in wanted for range_s in joined(wanted[key])]
    progress = search.observer.refining
    stretches = look_again(ranges, search.encoder, settings.step_s, notes, progress)
    for stretch in stretches:
        search.source.add(stretch.video, stretch.times_s, stretch.vectors)
    return bool(stretches)
