"""From nearest frames to the windows that are worth a closer look."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..types import Vectors, VideoRow
from .scope import Scope
from .settings import RetrievalSettings

if TYPE_CHECKING:
    from ..vectors.cache import FrameMatch, VectorCache


@dataclass(frozen=True)
class Candidate:
    """A window of one video that may hold the moment."""

    video: VideoRow
    start_s: float
    end_s: float
    peak_s: float
    score: float
    """Of the frame at the peak."""


def retrieve(
    cache: VectorCache,
    query: Vectors,
    scope: Scope,
    window_s: float,
    settings: RetrievalSettings | None = None,
    compare: bool = False,
) -> list[Candidate]:
    """The most promising windows of the searched videos, best first.

    The nearest frames are grouped around their peaks. When frames of a few videos fill
    the whole answer (a fixed camera repeats itself for hours), the rest of the library
    is asked again without them, and they are asked alone for their other moments.

    Args:
        cache: Vectors of the library.
        query: float32 [D], the sentence.
        scope: Videos and times that are searched.
        window_s: Length of a window.
        settings: Limits.
        compare: Rank frames by how much better the query fits them than everyday sentences.
    """
    settings = settings or RetrievalSettings()
    ids = None if scope.everything else set(scope.videos)
    frames = scope.frames
    limit = frames if frames <= settings.whole_frames else settings.frames
    ask = functools.partial(_look, cache, query, scope=scope, compare=compare)
    matches = ask(limit, ids)
    peaks = _group(matches.kept, scope, window_s, settings.margin)
    crowded: set[int] = set()
    for _ in range(settings.rounds):
        if not matches.full or len(peaks) >= settings.enough:
            break
        fillers = _crowding(matches.kept or matches.all)
        crowded |= fillers
        for video_id in sorted(fillers):
            video = scope.videos.get(video_id)
            if video is None:
                continue
            # Where only some times are searched, the nearest frames may all lie elsewhere.
            alone = video.frames if scope.limited else 8 * settings.frames
            more = ask(alone, {video_id})
            peaks = _merged(peaks, _group(more.kept, scope, window_s, settings.margin))
        rest = set(scope.videos) - crowded
        if not rest:
            break
        matches = ask(settings.frames, rest)
        peaks = _merged(peaks, _group(matches.kept, scope, window_s, settings.margin))
    return _selected(peaks, settings)


@dataclass(frozen=True)
class _Look:
    kept: list[FrameMatch]
    """Matches inside the searched times."""
    all: list[FrameMatch]
    full: bool
    """True when there may be more."""


def _look(
    cache: VectorCache,
    query: Vectors,
    limit: int,
    ids: Collection[int] | None,
    scope: Scope,
    compare: bool,
) -> _Look:
    found = cache.search(query, limit, ids, compare)
    kept = []
    for match in found:
        video = scope.videos.get(match.video_id)
        if video is None:
            continue
        start_s, end_s = scope.bounds_s(video)
        inside = start_s <= match.time_s < end_s
        if inside and scope.touches(video, match.time_s, match.time_s):
            kept.append(match)
    return _Look(kept, found, len(found) >= limit)


def _crowding(matches: Sequence[FrameMatch]) -> set[int]:
    """The fullest videos, those with more than a sixteenth of the frames, at most four."""
    counts: dict[int, int] = defaultdict(int)
    for match in matches:
        counts[match.video_id] += 1
    fullest = sorted(counts, key=lambda video_id: (-counts[video_id], video_id))
    return {v for v in fullest[:4] if counts[v] * 16 > len(matches)} or set(fullest[:1])


def _group(
    matches: Sequence[FrameMatch], scope: Scope, window_s: float, margin: float
) -> list[Candidate]:
    """Windows around the peaks: each frame lies well inside one of them."""
    windows: dict[int, list[Candidate]] = defaultdict(list)
    for match in sorted(matches, key=lambda m: (-m.score, m.video_id, m.time_s)):
        video = scope.videos[match.video_id]
        if not any(_covers(w, match.time_s, scope, margin) for w in windows[video.id]):
            start_s, end_s = around(match.time_s, scope.bounds_s(video), window_s)
            windows[video.id].append(
                Candidate(video, start_s, end_s, match.time_s, float(match.score))
            )
    return [window for group in windows.values() for window in group]


def around(peak_s: float, bounds_s: tuple[float, float], window_s: float) -> tuple[float, float]:
    """A window around a time, inside what is searched of its video."""
    low, high = bounds_s
    if high - low <= window_s:
        return low, high
    start_s = min(max(low, peak_s - window_s / 2), high - window_s)
    return start_s, start_s + window_s


def _covers(window: Candidate, time_s: float, scope: Scope, margin: float) -> bool:
    low, high = scope.bounds_s(window.video)
    slack_s = margin * (window.end_s - window.start_s)
    start_s = window.start_s if window.start_s <= low else window.start_s + slack_s
    end_s = window.end_s if window.end_s >= high else window.end_s - slack_s
    return start_s <= time_s < end_s


def _merged(first: Sequence[Candidate], second: Sequence[Candidate]) -> list[Candidate]:
    seen = {(window.video.id, window.start_s) for window in first}
    return [*first, *(w for w in second if (w.video.id, w.start_s) not in seen)]


def _selected(peaks: Sequence[Candidate], settings: RetrievalSettings) -> list[Candidate]:
    """The best windows, no video taking more than its turn before the others had theirs."""
    ranked = sorted(peaks, key=lambda w: (-w.score, w.video.path, w.start_s))
    turn: dict[int, int] = defaultdict(int)
    first: list[Candidate] = []
    later: list[Candidate] = []
    for window in ranked:
        turn[window.video.id] += 1
        (first if turn[window.video.id] <= settings.windows_per_video else later).append(window)
    chosen = (first + later)[: settings.windows]
    return sorted(chosen, key=lambda w: (-w.score, w.video.path, w.start_s))
