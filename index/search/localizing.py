"""Windows of a library through the localizer."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..errors import LibraryError
from ..types import ScoredSpan, Span, VideoRow, Window
from .frame_source import FrameSource
from .search import Search

Stretch = tuple[VideoRow, float, float]
"""A video, and where in it something starts and ends, in seconds."""


def look(search: Search, stretches: Sequence[Stretch]) -> list[list[list[ScoredSpan]]]:
    """Proposals of every stretch for each part of the query, the vectors read once.

    None lies outside its stretch, or is surer than its part of the query allows.
    """
    windows = [_read(search.source, *stretch) for stretch in stretches]
    there = [window for window in windows if window is not None]
    found: list[list[list[ScoredSpan]]] = [[] for _ in stretches]
    for query in search.queries:
        answers = iter(search.localizer.localize_all(there, query.sentence, query.background))
        for parts, window, (_, start_s, end_s) in zip(found, windows, stretches, strict=True):
            proposals = () if window is None else next(answers).spans
            clipped = ((p, inside(p.span, start_s, end_s)) for p in proposals)
            parts.append(
                [
                    replace(p, span=span, presence=min(p.presence, query.most))
                    for p, span in clipped
                    if span is not None
                ]
            )
    return found


def _read(source: FrameSource, video: VideoRow, start_s: float, end_s: float) -> Window | None:
    times_s, vectors = source.frames(video, start_s, end_s)
    if len(times_s) == 0:
        return None
    if not np.isfinite(vectors).all():
        raise LibraryError(
            f"The library {source.library.folder} holds damaged vectors of "
            f"{os.fsdecode(video.path)}.",
            "Repair it with: gz doctor --repair",
        )
    step_s = float(np.median(np.diff(times_s))) if len(times_s) > 1 else 1.0
    return Window(times_s, vectors, step_s, video.duration_s)


def inside(span: Span, low_s: float, high_s: float) -> Span | None:
    """The part of a span in ``[low_s, high_s)``; None when there is none."""
    start_s, end_s = max(span.start_s, low_s), min(span.end_s, high_s)
    return Span(start_s, end_s) if start_s < end_s else None
