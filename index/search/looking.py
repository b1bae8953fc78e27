"""Where a search looks closely, and the moments that come of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..types import ScoredSpan
from .extend import Extender
from .localizing import look
from .moments import Moment, distinct, distinct_spans, distinct_whole, join, single, surest_first
from .order import Links
from .retrieve import Candidate, around, retrieve
from .search import Search
from .together import combined

if TYPE_CHECKING:
    from ..vectors.cache import VectorCache


def windows_of(search: Search, cache: VectorCache) -> list[Candidate]:
    """Windows that any part of the query points to, without repeats.

    The parts of an order query are also looked for in each other's best videos: the
    second event may be so common that its own best windows all lie elsewhere. For the
    same reason what is to be seen is looked for where the words stand that belong to it.
    """
    scope, window_s = search.scope, search.localizer.window_s
    settings = search.settings.retrieval
    asked = [query.sentence.pooled for query in search.queries]
    compare = search.compare
    if compare and len(asked) == 1:
        settings = replace(settings, windows=settings.compared_windows)
    windows: dict[tuple[int, float], Candidate] = {}
    found = [retrieve(cache, vector, scope, window_s, settings, compare) for vector in asked]
    for candidates in found:
        for window in candidates:
            windows.setdefault((window.video.id, window.start_s), window)
    if len(asked) > 1:
        half = replace(settings, windows=settings.windows // 2)
        best = (window for group in found for window in group[: half.windows])
        partners = scope.only({window.video.id: window.video for window in best})
        for vector in asked:
            for window in retrieve(cache, vector, partners, window_s, half, compare):
                windows.setdefault((window.video.id, window.start_s), window)
    for window in _beside_words(search):
        windows.setdefault((window.video.id, window.start_s), window)
    return list(windows.values())


def _beside_words(search: Search) -> list[Candidate]:
    """Windows around the surest words of a query that asks for something else as well."""
    if not search.asking.named:
        return []
    window_s, scope = search.localizer.window_s, search.scope
    spans = [
        (span, video_id)
        for part in search.said
        for found in part
        for video_id, proposals in found.items()
        for span in proposals
    ]
    spans.sort(key=lambda pair: (-pair[0].score, pair[1], pair[0].span.start_s))
    windows = []
    for span, video_id in spans[: search.settings.retrieval.windows // 2]:
        video = scope.videos[video_id]
        middle_s = (span.span.start_s + span.span.end_s) / 2
        start_s, end_s = around(middle_s, scope.bounds_s(video), window_s)
        windows.append(Candidate(video, start_s, end_s, middle_s, 0.0))
    return windows


def moments_of(search: Search, windows: Sequence[Candidate]) -> list[Moment]:
    """Distinct moments of the whole library, surest first."""
    scope, plan = search.scope, search.plan
    seen: dict[int, list[list[ScoredSpan]]] = {}
    cut_s: dict[int, set[float]] = {}
    looked = look(search, [(w.video, w.start_s, w.end_s) for w in windows])
    for window, clauses in zip(windows, looked, strict=True):
        known = seen.setdefault(window.video.id, [[] for _ in search.queries])
        for clause, more in zip(known, clauses, strict=True):
            clause += more
        inner = {window.start_s, window.end_s} - set(scope.bounds_s(window.video))
        cut_s.setdefault(window.video.id, set()).update(inner)
    proposals = combined(search.asking, seen, search.said, scope.length_s)
    if plan.relation == "single":
        pieces = distinct(
            [
                single(scope.videos[video_id], proposal)
                for video_id, (part,) in proposals.items()
                for proposal in part
            ]
        )
        return surest_first(distinct_whole(pieces, Extender(search, cut_s).extended))
    chains = [
        moment
        for video_id, parts in proposals.items()
        for moment in join(scope.videos[video_id], [distinct_spans(part) for part in parts], plan)
    ]
    if plan.relation == "then":
        links = Links(proposals, scope, plan, search.most)
        chains = [links.judged(chain) for chain in chains]
    return surest_first(distinct(chains))
