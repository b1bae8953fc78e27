"""How sure it is that one video shows the parts of an order query in their order.

Their presences are no independent facts. Where one part is found for sure, the next can be
matched by accident only in what follows it, not in the whole library; so less evidence says
as much. And a part whose best place is another one, in another video or on the wrong side,
was probably not seen where the order would have it: that place is a worse accident.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..types import ScoredSpan, VideoRow
from .moments import Moment, OrderPrior, distance_cost
from .query import QueryPlan
from .scope import Scope

_LEAST_PRESENCE = 1e-12


@dataclass(frozen=True)
class OrderBelief:
    """What is assumed of events in an order, with the reasons."""

    fewer_chances: float = 0.6
    """Share of the logarithm by which fewer seconds leave fewer chances of an accident that
    counts as evidence. All of it, were a video's scenes as unlike each other as those of a
    library; but what resembles an event lies mostly in the video in which it happens."""
    repeat: float = 0.1
    """Chance that what happens elsewhere happens here as well, times how near the evidence
    for it comes to that for the better place."""
    least_s: float = 10.0
    """Shortest stretch in which an event is taken to be sought."""

    def gain(self, length_s: float, searched_s: float) -> float:
        """Log-odds that an event gains where it is sought in so little of what is searched."""
        share = min(1.0, max(length_s, self.least_s) / max(searched_s, self.least_s))
        return -self.fewer_chances * math.log(share)

    def beside(self, here: float, elsewhere: float | None) -> float:
        """Log-odds of an event where it is wanted, given those of its best other place."""
        if elsewhere is None:
            return here
        as_well = math.log(self.repeat) + (elsewhere + min(elsewhere, here)) / 2
        return here + _softplus(as_well) - _softplus(elsewhere)


class Links:
    """The proposals of all searched videos, by which those of one chain are judged.

    Args:
        proposals: By video, the spans of each part of the plan.
        scope: What is searched.
        plan: Its relation is ``then``.
        most: Highest presence that each part may be given.
        prior: How far apart the parts may be.
        belief: What is assumed of events in an order.
    """

    def __init__(
        self,
        proposals: Mapping[int, Sequence[Sequence[ScoredSpan]]],
        scope: Scope,
        plan: QueryPlan,
        most: Sequence[float],
        prior: OrderPrior | None = None,
        belief: OrderBelief | None = None,
    ) -> None:
        self._scope, self._plan, self._most = scope, plan, most
        self._prior = prior or OrderPrior()
        self._belief = belief or OrderBelief()
        self._places = {
            video_id: [[(span.span, log_odds(span)) for span in part] for part in parts]
            for video_id, parts in proposals.items()
        }
        self._searched_s = max(scope.length_s, self._belief.least_s)
        self._best_videos = [
            sorted(
                (
                    (max(odds for _, odds in parts[number]), video_id)
                    for video_id, parts in self._places.items()
                    if parts[number]
                ),
                reverse=True,
            )[:2]
            for number in range(len(plan.parts))
        ]

    def judged(self, moment: Moment) -> Moment:
        """The moment with the presence of the chain, and with those of its parts in it.

        The chain is wrong where any of its parts is, or where all of them are accidents,
        of which one had the whole library to happen in.
        """
        gains = [self._gain(moment.video, moment.parts, k) for k in range(len(moment.parts))]
        links = [self._link(moment, k, gain) for k, gain in enumerate(gains)]
        wrong = [*links, sum(links) - max(gains)]
        odds = all_of(wrong)
        capped = zip(moment.parts, links, self._most, strict=True)
        return replace(
            moment,
            parts=tuple(replace(p, presence=min(sigmoid(link), most)) for p, link, most in capped),
            presence=min(sigmoid(odds), *self._most),
            score=odds - distance_cost(moment.parts, self._plan, self._prior),
        )

    def _link(self, moment: Moment, number: int, gain: float) -> float:
        """Log-odds that a part was seen where the chain has it, given the other parts."""
        here = log_odds(moment.parts[number]) + gain
        if moment.parts[number].witnesses:
            return here
        return self._belief.beside(here, self._elsewhere(moment, number))

    def _gain(self, video: VideoRow, parts: Sequence[ScoredSpan], number: int) -> float:
        """Log-odds that a part gains because the other parts say where to look for it.

        Words are found exactly, wherever they are sought: they gain nothing, and the same
        words in another place speak against none.
        """
        if parts[number].witnesses:
            return 0.0
        most_s = self._prior.most_s(self._plan)
        start_s, end_s = self._scope.bounds_s(video)
        low_s = parts[number - 1].span.end_s if number else start_s
        high_s = parts[number + 1].span.start_s if number + 1 < len(parts) else end_s
        if number == 0:
            low_s = max(low_s, high_s - most_s)
        if number + 1 == len(parts):
            high_s = min(high_s, low_s + most_s)
        return self._fewer(high_s - low_s)

    def _fewer(self, length_s: float) -> float:
        return self._belief.gain(length_s, self._searched_s)

    def _elsewhere(self, moment: Moment, number: int) -> float | None:
        """Log-odds of a part at its best other place; None where there is no other."""
        video, span = moment.video, moment.parts[number].span
        places = [odds for odds, other in self._best_videos[number] if other != video.id][:1]
        beside = [
            odds
            for other, odds in self._places[video.id][number]
            if other.start_s >= span.end_s or other.end_s <= span.start_s
        ]
        if beside:
            start_s, end_s = self._scope.bounds_s(video)
            places.append(max(beside) + self._fewer(end_s - start_s))
        return max(places, default=None)


def all_of(odds: Sequence[float]) -> float:
    """Log-odds that several things hold, of which any may be wrong."""
    least = min(odds)
    return least - math.log(sum(math.exp(least - other) for other in odds))


def log_odds(proposal: ScoredSpan) -> float:
    """Of a proposal's presence, without infinities."""
    return logit(proposal.presence)


def logit(presence: float) -> float:
    """Log-odds of a probability, without infinities."""
    held = min(max(presence, _LEAST_PRESENCE), 1 - _LEAST_PRESENCE)
    return math.log(held / (1 - held))


def _softplus(value: float) -> float:
    return max(value, 0.0) + math.log1p(math.exp(-abs(value)))


def sigmoid(odds: float) -> float:
    """Probability of log-odds."""
    return math.exp(-_softplus(-odds))
