"""Looks again at the edges of the best moments, four times a second.

Only the seconds around edges are decoded; all pictures of all moments are encoded
together. A source that is offline, missing or changed leaves its moment as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..types import (
    Encoder,
    Localizer,
    ScoredSpan,
    Span,
    VideoRow,
    Window,
)
from .frame_source import FrameSource
from .localizing import Query
from .moments import Moment
from .query import QueryPlan
from .stretches import Range, Stretch, joined, look_again


@dataclass(frozen=True)
class RefineSettings:
    """How closely edges are looked at, with the reasons."""

    moments: int = 5
    """Best moments that are refined; a person reads these first."""
    step_s: float = 0.25
    """4 fps: edges to an eighth of a second for 4 times the work on few seconds."""
    reach_s: float = 4.0
    """Seconds decoded on either side of an edge: coarse samples are 1 s apart, and a
    second or two more shows what inside and outside look like."""
    context_s: float = 60.0
    """Seconds of coarse frames kept around the moment."""


def refine(
    source: FrameSource,
    encoder: Encoder,
    localizer: Localizer,
    moments: Sequence[Moment],
    plan: QueryPlan,
    queries: Sequence[Query],
    notes: dict[int, str],
    progress: Callable[[int, int], None],
    settings: RefineSettings | None = None,
) -> list[Moment]:
    """The moments with tightened edges, in the same order.

    Args:
        source: Where the frames of the first look are.
        encoder: Encodes the fine frames; its vision tower is loaded now.
        localizer: Places the edges.
        moments: What was found; the first few are refined.
        plan: How the parts of the sentence belong together.
        queries: One per part.
        notes: By video: lines for people. Videos with one are left as they are; those whose
            file cannot be used get one.
        progress: Told how much is done and in all.
        settings: How closely to look.
    """
    settings = settings or RefineSettings()
    chosen = list(moments[: settings.moments])
    stretches = look_again(_ranges(chosen, settings), encoder, settings.step_s, notes, progress)
    refined: list[Moment] = []
    for moment in chosen:
        if moment.video.id in notes:
            refined.append(moment)
            continue
        fine = [s for s in stretches if s.video.id == moment.video.id]
        parts = tuple(
            _tightened(source, localizer, moment.video, part, query, fine, settings)
            for part, query in zip(moment.parts, queries, strict=True)
        )
        refined.append(moment.moved(parts, plan))
    return refined + list(moments[settings.moments :])


def _ranges(moments: Sequence[Moment], settings: RefineSettings) -> list[tuple[VideoRow, Range]]:
    """Stretches around all edges, joined where they touch."""
    wanted: dict[int, list[Range]] = {}
    videos: dict[int, VideoRow] = {}
    for moment in moments:
        videos[moment.video.id] = moment.video
        for part in moment.parts:
            for edge_s in (part.span.start_s, part.span.end_s):
                low = max(0.0, edge_s - settings.reach_s)
                high = min(moment.video.duration_s, edge_s + settings.reach_s)
                if low < high:
                    wanted.setdefault(moment.video.id, []).append((low, high))
    return [(videos[key], range_s) for key in wanted for range_s in joined(wanted[key])]


def _tightened(
    source: FrameSource,
    localizer: Localizer,
    video: VideoRow,
    part: ScoredSpan,
    query: Query,
    fine: Sequence[Stretch],
    settings: RefineSettings,
) -> ScoredSpan:
    """The span with finer edges; a long one is handed over as its two ends."""
    span = part.span

    def placed(piece: Span) -> Span:
        window = _window(source, video, piece, fine, settings)
        proposal = replace(part, span=piece)
        return localizer.tighten(proposal, window, query.sentence, query.background).span

    if span.length_s <= localizer.window_s:
        return replace(part, span=placed(span))
    half_s = localizer.window_s / 2
    first = placed(Span(span.start_s, span.start_s + half_s))
    last = placed(Span(span.end_s - half_s, span.end_s))
    return replace(part, span=Span(first.start_s, last.end_s))


def _window(
    source: FrameSource,
    video: VideoRow,
    span: Span,
    fine: Sequence[Stretch],
    settings: RefineSettings,
) -> Window:
    """Fine frames where they were decoded, coarse ones elsewhere around the span."""
    low = max(0.0, span.start_s - settings.context_s)
    high = min(video.duration_s, span.end_s + settings.context_s)
    times_s, vectors = source.frames(video, low, high)
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
