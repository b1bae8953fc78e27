"""From a sentence to the moments of a library that it describes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from ..errors import UsageError
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
from .closer import CloserSettings, look_closer
from .extend import Extender
from .frame_source import FrameSource
from .localizing import Looker, Query, inside
from .moments import Moment, distinct, distinct_spans, distinct_whole, join, single
from .query import QueryPlan, parse
from .refine import RefineSettings, refine
from .retrieve import Candidate, RetrievalSettings, retrieve
from .scope import Scope, choose_videos

if TYPE_CHECKING:
    from ..store.library import Library
    from ..store.sentences import SentenceCache
    from ..vectors.cache import VectorCache


class FindObserver(Protocol):
    """Told where a search stands."""

    def searching(self, videos: int, frames: int) -> None:
        """The library is open; so much of it is searched."""
        ...

    def localizing(self, windows: int) -> None:
        """So many windows are looked at closely."""
        ...

    def refining(self, done: int, total: int) -> None:
        """So much of the frames around edges has been decoded and encoded again."""
        ...


class SilentObserver:
    """Implements FindObserver by saying nothing."""

    def searching(self, videos: int, frames: int) -> None:
        """Says nothing."""

    def localizing(self, windows: int) -> None:
        """Says nothing."""

    def refining(self, done: int, total: int) -> None:
        """Says nothing."""


@dataclass(frozen=True)
class FindSettings:
    """How a search goes about it."""

    retrieval: RetrievalSettings = field(default_factory=RetrievalSettings)
    closer: CloserSettings = field(default_factory=CloserSettings)
    refinement: RefineSettings = field(default_factory=RefineSettings)


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
    """The moments that a sentence describes, best first, or an honest nothing.

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
    settings, observer = settings or FindSettings(), observer or SilentObserver()
    _check(request)
    library.check_space(encoder.space)
    scope = choose_videos(library, request)
    frames = sum(video.frames for video in scope.videos.values())
    observer.searching(len(scope.videos), frames)
    plan = parse(request.sentence)
    queries = [_query(part, encoder, cache, sentences) for part in plan.parts]
    windows = _windows(cache, queries, scope, localizer.window_s, settings.retrieval)
    observer.localizing(len(windows))
    source = FrameSource(library)
    looker = Looker(source, localizer, queries)
    found = _moments(looker, windows, scope, plan)
    unread: dict[int, str] = {}
    if request.refine and look_closer(
        source, encoder, found, unread, observer.refining, settings.closer
    ):
        found = _moments(looker, windows, scope, plan)
    chosen = [m for m in found if m.presence >= request.threshold][: request.limit] or found[:1]
    notes = [
        *scope.notes,
        *_coarse_notes(scope),
        *(query.sentence.unread for query in queries if query.sentence.unread),
    ]
    if request.refine and chosen:
        chosen = refine(
            source,
            encoder,
            localizer,
            chosen,
            plan,
            queries,
            unread,
            observer.refining,
            settings.refinement,
        )
        notes += unread.values()
        chosen = distinct([_clipped(moment, scope) for moment in chosen])
    return _result(request, chosen, scope, plan, localizer, encoder, frames, notes)


def _coarse_notes(scope: Scope) -> list[str]:
    coarse = sum(video.coarse for video in scope.videos.values())
    if not coarse:
        return []
    return [
        f"{coarse:,} of {len(scope.videos):,} videos are searched by key frames alone, seconds "
        "apart, so far; gz index goes on with them."
    ]


def _check(request: FindRequest) -> None:
    if not request.sentence.strip():
        raise UsageError("The sentence is empty.", 'Describe a moment: gz find "a dog jumps"')
    if request.limit < 1:
        raise UsageError(f"The number of hits must be at least 1, not {request.limit}.")
    if not 0 <= request.threshold <= 1:
        raise UsageError(f"The threshold must lie between 0 and 1, not {request.threshold}.")
    after_s = request.after_s or 0.0
    before_s = float("inf") if request.before_s is None else request.before_s
    if not 0 <= after_s < before_s:
        raise UsageError(f"There is no time after {after_s} s and before {before_s} s.")


def _query(
    text: str, encoder: Encoder, cache: VectorCache, sentences: SentenceCache | None
) -> Query:
    space = encoder.space
    sentence: Sentence | None = sentences.get(space.id, text) if sentences is not None else None
    if sentence is None:
        sentence = encoder.encode_sentence(text)
        if sentences is not None:
            sentences.put(space.id, sentence)
    background = cache.background(sentence.pooled, space.logit_scale, space.logit_bias)
    return Query(sentence, background)


def _windows(
    cache: VectorCache,
    queries: Sequence[Query],
    scope: Scope,
    window_s: float,
    settings: RetrievalSettings,
) -> list[Candidate]:
    """Windows that any part of the sentence points to, without repeats.

    The parts of an order query are also looked for in each other's best videos: the
    second event may be so common that its own best windows all lie elsewhere.
    """
    windows: dict[tuple[int, float], Candidate] = {}
    found = [retrieve(cache, query.sentence.pooled, scope, window_s, settings) for query in queries]
    for candidates in found:
        for window in candidates:
            windows.setdefault((window.video.id, window.start_s), window)
    if len(queries) > 1:
        half = replace(settings, windows=settings.windows // 2)
        best = (window for group in found for window in group[: half.windows])
        partners = scope.only({window.video.id: window.video for window in best})
        for query in queries:
            for window in retrieve(cache, query.sentence.pooled, partners, window_s, half):
                windows.setdefault((window.video.id, window.start_s), window)
    return list(windows.values())


def _moments(
    looker: Looker, windows: Sequence[Candidate], scope: Scope, plan: QueryPlan
) -> list[Moment]:
    """Distinct moments of the whole library, best first."""
    proposals: dict[int, list[list[ScoredSpan]]] = {}
    cut_s: dict[int, set[float]] = {}
    for window in windows:
        parts = looker.look(window.video, window.start_s, window.end_s)
        known = proposals.setdefault(window.video.id, [[] for _ in plan.parts])
        for part, more in zip(known, parts, strict=True):
            part += more
        inner = {window.start_s, window.end_s} - set(scope.bounds_s(window.video))
        cut_s.setdefault(window.video.id, set()).update(inner)
    if plan.relation != "single":
        return distinct(
            [
                moment
                for video_id, parts in proposals.items()
                for moment in join(
                    scope.videos[video_id], [distinct_spans(part) for part in parts], plan
                )
            ]
        )
    pieces = distinct(
        [
            single(scope.videos[video_id], proposal)
            for video_id, (part,) in proposals.items()
            for proposal in part
        ]
    )
    extender = Extender(looker.first, scope, looker.localizer.window_s, cut_s)
    return distinct_whole(pieces, extender.extended)


def _clipped(moment: Moment, scope: Scope) -> Moment:
    """The moment with its spans inside what was asked, whatever a tightened edge did."""
    bounds_s = scope.bounds_s(moment.video)
    span = inside(moment.span, *bounds_s)
    parts = [inside(part.span, *bounds_s) for part in moment.parts]
    if span is None or None in parts:
        return moment
    clipped = zip(moment.parts, parts, strict=True)
    return replace(
        moment,
        span=span,
        parts=tuple(replace(part, span=within) for part, within in clipped if within is not None),
    )


def _result(
    request: FindRequest,
    moments: Sequence[Moment],
    scope: Scope,
    plan: QueryPlan,
    localizer: Localizer,
    encoder: Encoder,
    frames: int,
    notes: Sequence[str],
) -> FindResult:
    ordered = [_hit(rank, moment, plan) for rank, moment in enumerate(moments, 1)]
    hits = tuple(hit for hit in ordered if hit.presence >= request.threshold)
    return FindResult(
        request=request,
        hits=hits,
        best_guess=None if hits or not ordered else ordered[0],
        searched_videos=len(scope.videos),
        searched_frames=frames,
        searched_s=sum(
            max(0.0, end_s - start_s)
            for start_s, end_s in map(scope.bounds_s, scope.videos.values())
        ),
        localizer=localizer.name,
        space_id=encoder.space.id,
        notes=tuple(notes),
    )


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
