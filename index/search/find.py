"""From a query to the moments of a library that it describes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..types import Encoder, Evidence, FindRequest, FindResult, Hit, Localizer, Sentence
from .asking import TEXTS, Asking, asking_of
from .closer import look_closer
from .frame_source import FrameSource
from .localizing import inside
from .looking import moments_of, windows_of
from .moments import Moment, distinct, surest_first
from .query import parse
from .refine import refine
from .request import check_request
from .retrieve import Candidate
from .said import Words
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
    cache: VectorCache | None,
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
        cache: Its frame vectors; may be None where words alone are asked (`asks_pictures`).
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
    words = Words(library, scope)
    asking = _asking(request, scope, words)
    settings = settings or FindSettings()
    compare = (
        cache is not None
        and not localizer.knows_model
        and cache.frames >= settings.least_calibrated_frames
    )
    search = Search(
        request=request,
        scope=scope,
        asking=asking,
        queries=tuple(
            _query(clause.sight, encoder, _required(cache), sentences, scope, compare)
            for clause in asking.seen
        ),
        said=tuple(
            tuple(words.found(clause, clause.channels) for clause in part) for part in asking.parts
        ),
        source=FrameSource(library),
        encoder=encoder,
        localizer=localizer,
        observer=observer or SilentObserver(),
        settings=settings,
        compare=compare,
    )
    search.observer.searching(len(scope.videos), scope.frames)
    windows = windows_of(search, cache) if search.queries and cache is not None else []
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
        *asking.notes(by_words=bool(chosen) and all(_rests_on_words(m) for m in chosen)),
        *scope.notes,
        *_coarse_notes(scope),
        *(query.sentence.unread for query in search.queries if query.sentence.unread),
        *unread.values(),
    ]
    return _result(search, chosen, notes)


def asks_pictures(library: Library, request: FindRequest) -> bool:
    """Whether pictures may answer a query, so that their vectors and the model are needed.

    Raises:
        UsageError: The request makes no sense, or names no indexed video.
        NothingIndexedError: There is no video to search.
    """
    check_request(request)
    scope = choose_videos(library, request)
    return bool(_asking(request, scope, Words(library, scope)).seen)


def _asking(request: FindRequest, scope: Scope, words: Words) -> Asking:
    sighted = frozenset(row.id for row in scope.videos.values() if row.frames)
    videos = {"sight": sighted, **{c: frozenset(words.videos(c)) for c in TEXTS}}
    return asking_of(request.query, parse(request.query), videos)


def _required(cache: VectorCache | None) -> VectorCache:
    if cache is None:
        raise ValueError("a query that pictures answer needs their vectors")
    return cache


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


def _asked_for(search: Search, windows: Sequence[Candidate]) -> list[Moment]:
    """Moments at which a clock in the picture shows what it was asked to show, if it was."""
    return [
        moment
        for moment in moments_of(search, windows)
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
    request, scope, asking = search.request, search.scope, search.asking
    ordered = [_hit(rank, moment, asking) for rank, moment in enumerate(moments, 1)]
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
        searched_channels=asking.counts(),
        undecided=tuple(scope.videos[number].path for number in sorted(asking.undecided())),
    )


def _uncalibrated(search: Search) -> str:
    """Why nobody can say how often answers like these are right; empty where one can."""
    if search.localizer.knows_model or not search.queries:
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


def _rests_on_words(moment: Moment) -> bool:
    witnesses = [witness for part in moment.parts for witness in part.witnesses]
    return bool(witnesses) and all(w.quote is not None for w in witnesses)


def _hit(rank: int, moment: Moment, asking: Asking) -> Hit:
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
            witness
            for clauses, part in zip(asking.parts, moment.parts, strict=True)
            for witness in part.witnesses or (Evidence(clauses[0].text, part.span, part.presence),)
        ),
    )
