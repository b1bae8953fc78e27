"""Windows of a library through the localizer."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import LibraryError
from ..types import Background, Localizer, ScoredSpan, Sentence, Span, VideoRow, Window
from .frame_source import FrameSource


@dataclass(frozen=True)
class Query:
    """One part of the sentence with what is known about it."""

    sentence: Sentence
    background: Background


@dataclass(frozen=True)
class Looker:
    """Localizes windows of the library for every part of the sentence."""

    source: FrameSource
    localizer: Localizer
    queries: Sequence[Query]

    def look(self, video: VideoRow, start_s: float, end_s: float) -> list[list[ScoredSpan]]:
        """Proposals of each part inside ``[start_s, end_s)``, the vectors read once."""
        window = self._read(video, start_s, end_s)
        if window is None:
            return [[] for _ in self.queries]
        parts: list[list[ScoredSpan]] = []
        for query in self.queries:
            answer = self.localizer.localize(window, query.sentence, query.background)
            clipped = ((p, inside(p.span, start_s, end_s)) for p in answer.spans)
            parts.append([replace(p, span=span) for p, span in clipped if span is not None])
        return parts

    def first(self, video: VideoRow, start_s: float, end_s: float) -> list[ScoredSpan]:
        """Proposals of the only part of a plain sentence."""
        return self.look(video, start_s, end_s)[0]

    def _read(self, video: VideoRow, start_s: float, end_s: float) -> Window | None:
        times_s, vectors = self.source.frames(video, start_s, end_s)
        if len(times_s) == 0:
            return None
        if not np.isfinite(vectors).all():
            raise LibraryError(
                f"The library {self.source.library.folder} holds damaged vectors of "
                f"{os.fsdecode(video.path)}.",
                "Repair it with: gz doctor --repair",
            )
        step_s = float(np.median(np.diff(times_s))) if len(times_s) > 1 else 1.0
        return Window(times_s, vectors, step_s, video.duration_s)


def inside(span: Span, low_s: float, high_s: float) -> Span | None:
    """The part of a span in ``[low_s, high_s)``; None when there is none."""
    start_s, end_s = max(span.start_s, low_s), min(span.end_s, high_s)
    return Span(start_s, end_s) if start_s < end_s else None
