"""Looks again at the edges of the best moments, four times a second.

Only the seconds around edges are decoded; all pictures of all moments are encoded
together. A source that is offline, missing or changed leaves its moment as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..types import ScoredSpan, Span, VideoRow, Window
from .moments import Moment
from .search import Query, Search
from .settings import RefineSettings
from .stretches import Range, Stretch, joined, look_again


def refine(search: Search, moments: Sequence[Moment], notes: dict[int, str]) -> list[Moment]:
    """The moments with tightened edges, in the same order.

    Args:
        search: Its encoder's vision tower is loaded now; its localizer places the edges.
        moments: What was found; the first few are refined.
        notes: By video: lines for people. Videos with one are left as they are; those whose
            file cannot be used get one.
    """
    settings = search.settings.refinement
    chosen = list(moments[: settings.moments])
    # Words have their own times; pictures do not make them better.
    ranges, progress = _ranges(chosen, settings), search.observer.refining
    stretches = look_again(ranges, search.encoder, settings.step_s, notes, progress)
    refined: list[Moment] = []
    for moment in chosen:
        if moment.video.id in notes or all(part.witnesses for part in moment.parts):
            refined.append(moment)
            continue
        fine = [s for s in stretches if s.video.id == moment.video.id]
        parts = tuple(
            part
            if part.witnesses or (query := search.query_of(number)) is None
            else _tightened(search, moment.video, part, query, fine)
            for number, part in enumerate(moment.parts)
        )
        refined.append(moment.moved(parts, search.plan))
    return refined + list(moments[settings.moments :])


def _ranges(moments: Sequence[Moment], settings: RefineSettings) -> list[tuple[VideoRow, Range]]:
    """Stretches around all edges, joined where they touch."""
    wanted: dict[int, list[Range]] = {}
    videos: dict[int, VideoRow] = {}
    for moment in moments:
        videos[moment.video.id] = moment.video
        for part in moment.parts:
            if part.witnesses:
                continue
            for edge_s in (part.span.start_s, part.span.end_s):
                low = max(0.0, edge_s - settings.reach_s)
                high = min(moment.video.duration_s, edge_s + settings.reach_s)
                if low < high:
                    wanted.setdefault(moment.video.id, []).append((low, high))
    return [(videos[key], range_s) for key in wanted for range_s in joined(wanted[key])]


def _tightened(
    search: Search, video: VideoRow, part: ScoredSpan, query: Query, fine: Sequence[Stretch]
) -> ScoredSpan:
    """The span with finer edges; a long one is handed over as its two ends."""
    span, localizer = part.span, search.localizer

    def placed(piece: Span) -> Span:
        window = _window(search, video, piece, fine)
        proposal = replace(part, span=piece)
        return localizer.tighten(proposal, window, query.sentence, query.background).span

    if span.length_s <= localizer.window_s:
        return replace(part, span=placed(span))
    half_s = localizer.window_s / 2
    first = placed(Span(span.start_s, span.start_s + half_s))
    last = placed(Span(span.end_s - half_s, span.end_s))
    return replace(part, span=Span(first.start_s, last.end_s))


def _window(search: Search, video: VideoRow, span: Span, fine: Sequence[Stretch]) -> Window:
    """Fine frames where they were decoded, coarse ones elsewhere around the span."""
    settings = search.settings.refinement
    low = max(0.0, span.start_s - settings.context_s)
    high = min(video.duration_s, span.end_s + settings.context_s)
    times_s, vectors = search.source.frames(video, low, high)
    keep = np.ones(len(times_s), bool)
    all_times, all_vectors = [], []
    for stretch in fine:
        start_s, end_s = stretch.range_s
        if end_s <= low or start_s >= high:
            continue
        seen = stretch.times_s
        keep &= (times_s < min(start_s, seen[0])) | (times_s >= max(end_s, seen[-1] + 1e-6))
        all_times.append(seen)
        all_vectors.append(stretch.vectors)
    all_times.append(times_s[keep])
    all_vectors.append(vectors[keep])
    joined_s, joined = np.concatenate(all_times), np.concatenate(all_vectors)
    order = np.argsort(joined_s, kind="stable")
    joined_s = joined_s[order]
    fresh = np.concatenate([[True], np.diff(joined_s) > 0]) if len(order) else order.astype(bool)
    return Window(joined_s[fresh], joined[order][fresh], settings.step_s, video.duration_s)
