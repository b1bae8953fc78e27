"""Moments of the library: joined by order, and rid of duplicates."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ..types import ScoredSpan, Span, VideoRow
from .query import QueryPlan

MOST_IOU = 0.3
"""Two hits of one video overlap no more than this."""
MOST_SHARE = 0.6
"""Nor by more than this share of the shorter one, so that no hit lies inside another."""


@dataclass(frozen=True)
class OrderPrior:
    """How far apart the events of an order query may be, with the reasons."""

    near_s: float = 30.0
    """Events this close count fully; farther ones rank lower by the logarithm."""
    most_gap_s: float = 300.0
    """Longest pause inside "A then B": the hit covers it, and one of ten minutes shows
    nobody anything."""
    most_wait_s: float = 3600.0
    """Longest wait in "A before B", whose hit covers A alone."""
    most_overlap: float = 0.3
    """Share of the shorter event by which two in a row may overlap: edges are not exact."""
    least_overlap: float = 0.3
    """Share of the shorter event that two at once must overlap."""

    def most_s(self, plan: QueryPlan) -> float:
        """Longest time between two parts of a plan, in seconds."""
        return self.most_gap_s if len(plan.answer) > 1 else self.most_wait_s


@dataclass(frozen=True)
class Moment:
    """A stretch of one video that answers the whole sentence."""

    video: VideoRow
    parts: tuple[ScoredSpan, ...]
    """One span per part of the sentence."""
    span: Span
    score: float
    presence: float
    """Of all parts together."""
    refined: bool = False

    def moved(self, parts: tuple[ScoredSpan, ...], plan: QueryPlan) -> Moment:
        """The same moment with other spans for its parts; itself if they no longer fit."""
        span = _answer(parts, plan)
        if span is None:
            return self
        return replace(self, parts=parts, span=span, refined=True)


def single(video: VideoRow, proposal: ScoredSpan) -> Moment:
    """The moment of a sentence that has one part."""
    return Moment(video, (proposal,), proposal.span, proposal.score, proposal.presence)


def distinct(moments: Sequence[Moment]) -> list[Moment]:
    """Best moments first, without those that overlap a better one of the same video."""
    kept: list[Moment] = []
    by_video: dict[int, list[Span]] = defaultdict(list)
    for moment in sorted(moments, key=_rank):
        spans = by_video[moment.video.id]
        if not any(_repeats(moment.span, other) for other in spans):
            spans.append(moment.span)
            kept.append(moment)
    return kept


def _rank(moment: Moment) -> tuple[float, bytes, float, float]:
    return -moment.score, moment.video.path, moment.span.start_s, moment.span.end_s


def whole_percent(presence: float) -> int:
    """A presence as people are shown it; never 100 for what is only likely."""
    return min(99, round(presence * 100))


def surest_first(moments: Sequence[Moment]) -> list[Moment]:
    """Moments in the order in which people are shown them.

    Ranks must not contradict the percentages beside them; where these are equal, the
    better span is first.
    """
    return sorted(moments, key=lambda moment: (-whole_percent(moment.presence), *_rank(moment)))


def distinct_whole(
    moments: Sequence[Moment], extended: Callable[[Moment], Moment], limit: int = 50
) -> list[Moment]:
    """Distinct moments, each followed to its ends before it is compared with lesser ones.

    Args:
        moments: Best first.
        extended: The whole of which a moment is a piece.
        limit: Moments at most.
    """
    kept: list[Moment] = []
    for moment in moments:
        rivals = [other.span for other in kept if other.video.id == moment.video.id]
        if any(_repeats(moment.span, span) for span in rivals):
            continue
        whole = extended(moment)
        if not any(_repeats(whole.span, span) for span in rivals):
            kept.append(whole)
            if len(kept) == limit:
                break
    return kept


def distinct_spans(proposals: Sequence[ScoredSpan]) -> list[ScoredSpan]:
    """Best proposals of one video first, without those that overlap a better one."""
    kept: list[ScoredSpan] = []
    ranked = sorted(proposals, key=lambda p: (-p.score, p.span.start_s, p.span.end_s))
    for proposal in ranked:
        if not any(_repeats(proposal.span, other.span) for other in kept):
            kept.append(proposal)
    return kept


def _repeats(span: Span, other: Span) -> bool:
    shorter_s = min(span.length_s, other.length_s)
    return span.iou(other) > MOST_IOU or span.overlap_s(other) > MOST_SHARE * shorter_s


def join(
    video: VideoRow,
    proposals: Sequence[Sequence[ScoredSpan]],
    plan: QueryPlan,
    prior: OrderPrior | None = None,
    limit: int = 50,
) -> list[Moment]:
    """Moments of one video in which every part happens, in the order asked.

    The presence of a moment is the product of its parts' presences: all are needed. Of
    parts in an order more can be said (`order.Links`). Its score is the soft minimum of
    theirs less a penalty for distance.

    Args:
        video: The video that all proposals belong to.
        proposals: Spans of each part of the plan.
        plan: Parts, their relation, and which of them a hit covers.
        prior: How far apart the parts may be.
        limit: Moments at most; also the chains kept while joining.
    """
    prior = prior or OrderPrior()
    chains: list[tuple[tuple[ScoredSpan, ...], float]]
    chains = [((part,), 0.0) for part in proposals[0]] if proposals else []
    for following in proposals[1:]:
        longer = [
            ((*parts, part), paid + step)
            for parts, paid in chains
            for part in following
            if (step := _cost(parts[-1].span, part.span, plan, prior)) is not None
        ]
        longer.sort(key=lambda chain: -_joint_score(*chain))
        chains = longer[:limit]
    moments = []
    for parts, paid in chains:
        span = _answer(parts, plan)
        if span is not None:
            presence = math.prod(part.presence for part in parts)
            moments.append(Moment(video, parts, span, _joint_score(parts, paid), presence))
    return sorted(moments, key=_rank)[:limit]


def _joint_score(parts: Sequence[ScoredSpan], paid: float) -> float:
    lowest = min(part.score for part in parts)
    return lowest - math.log(sum(math.exp(lowest - part.score) for part in parts)) - paid


def distance_cost(parts: Sequence[ScoredSpan], plan: QueryPlan, prior: OrderPrior) -> float:
    """What the distances between parts that fit the plan cost in score."""
    pairs = itertools.pairwise(part.span for part in parts)
    return sum(_cost(first, second, plan, prior) or 0.0 for first, second in pairs)


def _cost(first: Span, second: Span, plan: QueryPlan, prior: OrderPrior) -> float | None:
    """What this pair costs in score; None when it breaks the relation."""
    shared = first.overlap_s(second) / min(first.length_s, second.length_s)
    if plan.relation == "while":
        return -math.log(shared) if shared >= prior.least_overlap else None
    in_order = first.start_s < second.start_s and first.end_s < second.end_s
    if not in_order or shared > prior.most_overlap:
        return None
    gap_s = max(0.0, second.start_s - first.end_s)
    if gap_s > prior.most_s(plan):
        return None
    return math.log1p(max(0.0, gap_s - prior.near_s) / prior.near_s)


def _answer(parts: Sequence[ScoredSpan], plan: QueryPlan) -> Span | None:
    """The stretch that a hit covers; None when the parts do not fit the relation."""
    spans = [parts[number].span for number in plan.answer]
    starts, ends = [s.start_s for s in spans], [s.end_s for s in spans]
    if plan.relation == "while":
        start_s, end_s = max(starts), min(ends)
        return Span(start_s, end_s) if start_s < end_s else None
    ordered = all(a.span.start_s < b.span.start_s for a, b in itertools.pairwise(parts))
    return Span(min(starts), max(ends)) if ordered else None
