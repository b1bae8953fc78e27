"""From a query to the moments of a library that it describes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..types import (
    Encoder,
    Evidence,
    FindRequest,
    FindResult,
    Hit,
    Localizer,
    ScoredSpan,
    Sentence,
)
from .closer import look_closer
from .extend import Extender
from .frame_source import FrameSource
from .localizing import inside, look
from .moments import (
    Moment,
    distinct,
    distinct_spans,
    distinct_whole,
    join,
    single,
    surest_first,
)
from .order import Links
from .query import QueryPlan, parse
from .refine import refine
from .request import check_request
from .retrieve import Candidate, retrieve
from .scope import Scope, choose_videos
from .search import FindObserver, Query, Search, SilentObserver
from .settings import FindSettings
from .unjudgeable import judge

if TYPE_CHECKING:
    from ..store.library import Library
    from ..store.sentences import SentenceCache
    from ..vectors.cache import VectorCache


def find(
    library: Library,
    cache: VectorCache,
    encoder: Encoder,
    localizer: Localizer,
    request: FindRequest,
    sentences: SentenceCache | None = None,
    observer: FindObserver | None = None,
    settings: FindSettings | None = None,
) -> FindResult:
    """The moments that a query describes, best first, or an honest nothing.

    The answer is the same every time for the same library and request.

    Args:
        library: Open for reading at least.
        cache: Its frame vectors.
        encoder: Of the library's embedding space. Its text tower is used only for
            sentences that are not in ``sentences``, its vision tower only to refine.
        localizer: Proposes spans inside windows and tightens edges.
        request: What a person asks.
        sentences: Vectors of sentences asked before; new ones are added.
        observer: Told where the search stands.
        settings: Limits of retrieval and refinement.

    Raises:
        UsageError: The request makes no sense, or names no indexed video.
        NothingIndexedError: There is no video to search.
        ModelError: The encoder's vectors do not compare with the library's.
        LibraryError: The library is damaged.
    """
    check_request(request)
    library.check_space(encoder.space)
    scope = choose_videos(library, request)
    plan = parse(request.query)
    settings = settings or FindSettings()
    compare = not localizer.knows_model and cache.frames >= settings.least_calibrated_frames
    search = Search(
        request=request,
        scope=scope,
        plan=plan,
        queries=tuple(
            _query(part, encoder, cache, sentences, scope, compare) for part in plan.parts
        ),
        source=FrameSource(library),
        encoder=encoder,
        localizer=localizer,
        observer=observer or SilentObserver(),
        settings=settings,
        compare=compare,
    )
    search.observer.searching(len(scope.videos), scope.frames)
    windows = _windows(search, cache)
    search.observer.localizing(len(windows))
    found = _asked_for(search, windows)
    unread: dict[int, str] = {}
    if request.refine and look_closer(search, found, unread):
        found = _asked_for(search, windows)
    chosen = [m for m in found if m.presence >= request.threshold][: request.limit] or found[:1]
    if request.refine and chosen:
        refined = refine(search, chosen, unread)
        inside_asked = [
            _clipped(moment, before, scope) for moment, before in zip(refined, chosen, strict=True)
        ]
        chosen = surest_first(distinct(inside_asked))
    notes = [
        *judge(request.query).notes,
        *scope.notes,
        *_coarse_notes(scope),
        *(query.sentence.unread for query in search.queries if query.sentence.unread),
        *unread.values(),
    ]
    return _result(search, chosen, notes)


def _coarse_notes(scope: Scope) -> list[str]:
    coarse = sum(video.coarse for video in scope.videos.values())
    if not coarse:
        return []
    return [
        f"{coarse:,} of {len(scope.videos):,} videos are searched by key frames alone, seconds "
        "apart, so far; gz index goes on with them."
    ]


def _query(
    text: str,
    encoder: Encoder,
    cache: VectorCache,
    sentences: SentenceCache | None,
    scope: Scope,
    compare: bool,
) -> Query:
    space = encoder.space
    sentence: Sentence | None = sentences.get(space.id, text) if sentences is not None else None
    if sentence is None:
        sentence = encoder.encode_sentence(text)
        if sentences is not None:
            sentences.put(space.id, sentence)
    ids = None if scope.everything else set(scope.videos)
    background = cache.background(
        sentence.pooled, space.logit_scale, space.logit_bias, ids, compare
    )
    return Query(sentence, background, judge(text).most)


def _windows(search: Search, cache: VectorCache) -> list[Candidate]:
    """Windows that any part of the query points to, without repeats.

    The parts of an order query are also looked for in each other's best videos: the
    second event may be so common that its own best windows all lie elsewhere.
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
    return list(windows.values())


def _moments(search: Search, windows: Sequence[Candidate]) -> list[Moment]:
    """Distinct moments of the whole library, surest first."""
    scope, plan = search.scope, search.plan
    proposals: dict[int, list[list[ScoredSpan]]] = {}
    cut_s: dict[int, set[float]] = {}
    looked = look(search, [(w.video, w.start_s, w.end_s) for w in windows])
    for window, parts in zip(windows, looked, strict=True):
        known = proposals.setdefault(window.video.id, [[] for _ in plan.parts])
        for part, more in zip(known, parts, strict=True):
            part += more
        inner = {window.start_s, window.end_s} - set(scope.bounds_s(window.video))
        cut_s.setdefault(window.video.id, set()).update(inner)
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
        links = Links(proposals, scope, plan, [query.most for query in search.queries])
        chains = [links.judged(chain) for chain in chains]
    return surest_first(distinct(chains))


def _asked_for(search: Search, windows: Sequence[Candidate]) -> list[Moment]:
    """Moments at which a clock in the picture shows what it was asked to show, if it was."""
    return [
        moment
        for moment in _moments(search, windows)
        if search.scope.touches(moment.video, moment.span.start_s, moment.span.end_s)
    ]


def _clipped(moment: Moment, before: Moment, scope: Scope) -> Moment:
    """The moment with its spans inside what was asked, whatever a tightened edge did.

    One that tightening has moved out of there altogether stays as it was `before`.
    """
    bounds_s = scope.bounds_s(moment.video)
    span = inside(moment.span, *bounds_s)
    parts = [inside(part.span, *bounds_s) for part in moment.parts]
    if span is None or None in parts:
        return before
    clipped = zip(moment.parts, parts, strict=True)
    return replace(
        moment,
        span=span,
        parts=tuple(replace(part, span=within) for part, within in clipped if within is not None),
    )


def _result(search: Search, moments: Sequence[Moment], notes: Sequence[str]) -> FindResult:
    request, scope = search.request, search.scope
    ordered = [_hit(rank, moment, search.plan) for rank, moment in enumerate(moments, 1)]
    hits = tuple(hit for hit in ordered if hit.presence >= request.threshold)
    return FindResult(
        request=request,
        hits=hits,
        best_guess=None if hits or not ordered else ordered[0],
        searched_videos=len(scope.videos),
        searched_frames=scope.frames,
        searched_s=scope.length_s,
        localizer=search.localizer.name,
        uncalibrated=_uncalibrated(search),
        space_id=search.encoder.space.id,
        notes=tuple(notes),
    )


def _uncalibrated(search: Search) -> str:
    """Why nobody can say how often answers like these are right; empty where one can."""
    if search.localizer.knows_model:
        return ""
    least = search.settings.least_calibrated_frames
    for query in search.queries:
        frames = query.background.frames
        if frames < least:
            return (
                f"The library holds {frames:,} pictures; with fewer than {least:,} "
                "nobody can say what is usual in it, nor how often such answers are right"
            )
        if query.background.null is None:
            return (
                "The model does not tell everyday sentences apart, "
                "so nobody can say how often such answers are right"
            )
    return ""


def _hit(rank: int, moment: Moment, plan: QueryPlan) -> Hit:
    return Hit(
        rank=rank,
        path=moment.video.path,
        fingerprint=moment.video.fingerprint,
        span=moment.span,
        presence=moment.presence,
        score=moment.score,
        duration_s=moment.video.duration_s,
        refined=moment.refined,
        coarse=moment.video.coarse,
        also_at=moment.video.also_at,
        evidence=tuple(
            Evidence(text, part.span, part.presence)
            for text, part in zip(plan.parts, moment.parts, strict=True)
        ),
    )
