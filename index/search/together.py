"""Pictures and words together: either may answer a clause, and all clauses of a part must hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..types import Evidence, ScoredSpan, Span
from .asking import Asking
from .fields import Clause
from .order import OrderBelief, all_of, logit, sigmoid
from .said import Proposals

_TIE = 1e-3
"""What the localizer's own score is worth where presences are equal."""


@dataclass(frozen=True)
class TogetherBelief:
    """What is assumed where several channels are asked, with the reasons."""

    near_s: float = 5.0
    """How far apart what is said and what is seen may be and still belong together."""
    words_alone: tuple[float, float] = (-1.55, 0.87)
    """Log-odds added to those of words that answer a query which names no channel, and their
    slope. Fitted by ``tests/benchmarks/fit_words.py`` where three of four such queries mean what is
    to be seen, so that words which match them are accidents: each more channel that is tried is
    one more chance of one."""
    agreeing: float = 0.5
    """Share of the words' log-odds that counts for a moment that shows it as well: people say
    what they show, so the two are no independent facts. Not fitted."""
    worth: float = 0.25
    """Presence from which a sight that lies near words makes one moment with them; where it is
    lower, the words stand for themselves."""
    unseen: float = 0.02
    """Presence of what pictures should show where no window was worth a proposal."""
    most_pairs: int = 400
    """Moments of one video that are joined with the next clause."""


def combined(
    asking: Asking,
    seen: dict[int, list[list[ScoredSpan]]],
    said: Sequence[Sequence[Proposals]],
    searched_s: float,
    belief: TogetherBelief | None = None,
) -> dict[int, list[list[ScoredSpan]]]:
    """Proposals of each part by video, from those of pictures and of words.

    Args:
        asking: Which clause asks which channels.
        seen: By video, for each clause that pictures answer, its spans.
        said: For each part and clause, spans of words.
        searched_s: Seconds of video that are searched.
        belief: What is assumed.
    """
    joiner = _Joiner(asking, seen, said, searched_s, belief or TogetherBelief())
    videos = set(seen).union(*(found for part in said for found in part))
    return {
        video_id: [joiner.part(number, video_id) for number in range(len(asking.parts))]
        for video_id in sorted(videos)
    }


class _Joiner:
    def __init__(
        self,
        asking: Asking,
        seen: dict[int, list[list[ScoredSpan]]],
        said: Sequence[Sequence[Proposals]],
        searched_s: float,
        belief: TogetherBelief,
    ) -> None:
        self._asking, self._seen, self._said = asking, seen, said
        self._searched_s, self._belief = searched_s, belief
        self._order = OrderBelief()
        self._best = [
            sorted(
                (
                    (max(logit(span.presence) for span in spans[number]), video_id)
                    for video_id, spans in seen.items()
                    if spans[number]
                ),
                reverse=True,
            )[:2]
            for number in range(len(asking.seen))
        ]

    def part(self, number: int, video_id: int) -> list[ScoredSpan]:
        clauses = self._asking.parts[number]
        if len(clauses) == 1:
            return self._any(number, 0, video_id)
        counts = [sum(len(s) for s in found.values()) for found in self._said[number]]
        # What is said is found exactly, so it says where to look; the rarest of it first.
        order = sorted(range(len(clauses)), key=lambda own: (clauses[own].sees, counts[own], own))
        moments = self._any(number, order[0], video_id)
        for own in order[1:]:
            found = self._any(number, own, video_id)
            moments = [
                joined
                for moment in moments[: self._belief.most_pairs]
                if (joined := self._beside(moment, clauses, own, found, video_id))
            ]
        return moments

    def _any(self, number: int, own: int, video_id: int) -> list[ScoredSpan]:
        """Spans of one clause, whatever answers it."""
        clause, words = self._asking.parts[number][own], self._said[number][own]
        if not clause.sees:
            return words.get(video_id, [])
        spans = self._seen.get(video_id)
        shown = [] if spans is None else spans[self._asking.seen.index(clause)]
        return self._either(clause, shown, words.get(video_id, [])) if words else shown

    def _either(
        self, clause: Clause, shown: Sequence[ScoredSpan], spoken: Sequence[ScoredSpan]
    ) -> list[ScoredSpan]:
        """Moments that pictures or words answer, those that both do as one."""
        belief = self._belief
        shift, slope = belief.words_alone
        alone = [(span, shift + slope * logit(span.presence)) for span in spoken]
        moments = []
        sure = [span for span in shown if span.presence >= belief.worth]
        for span in shown:
            near = [(odds, word) for word, odds in alone if _apart_s(span, word) <= belief.near_s]
            odds, word = max(near, key=lambda pair: pair[0], default=(0.0, None))
            if word is None or span.presence < belief.worth:
                moments.append(replace(span, score=logit(span.presence) + _TIE * span.score))
                continue
            raised = logit(span.presence) + belief.agreeing * max(0.0, logit(word.presence))
            told = (Evidence(clause.text, span.span, span.presence), *word.witnesses)
            moments.append(_moment(max(raised, odds), _union(span, word), told))
        for word, odds in alone:
            if not any(_apart_s(span, word) <= belief.near_s for span in sure):
                moments.append(replace(word, presence=sigmoid(odds), score=odds))
        return moments

    def _beside(
        self,
        moment: ScoredSpan,
        clauses: Sequence[Clause],
        own: int,
        found: Sequence[ScoredSpan],
        video_id: int,
    ) -> ScoredSpan | None:
        """A moment with the best span of one more clause near it; None where words are missing."""
        clause, belief = clauses[own], self._belief
        near = [span for span in found if _apart_s(span, moment) <= belief.near_s]
        best = max(near, key=lambda span: (span.presence, span.score), default=None)
        if best is None and not clause.sees:
            return None
        here = logit(belief.unseen if best is None else best.presence)
        if clause.sees:
            # The words say where to look, so that less is an accident; but a sight that is
            # surer elsewhere was probably not seen here.
            gain = self._order.gain(moment.span.length_s + 2 * belief.near_s, self._searched_s)
            here = self._order.beside(here + gain, self._elsewhere(clause, video_id, moment))
        odds = all_of([logit(moment.presence), here])
        span = moment.span
        if best is not None and (best.presence >= belief.worth or sigmoid(here) >= belief.worth):
            span = _union(moment, best)
        where = moment.span if best is None else best.span
        told = () if best is None else best.witnesses
        told = told or (Evidence(clause.text, where, sigmoid(here)),)
        return _moment(odds, span, (*_witnesses(moment, clauses), *told))

    def _elsewhere(self, clause: Clause, video_id: int, moment: ScoredSpan) -> float | None:
        """Log-odds of what is to be seen at its best place that is not this one."""
        where = self._asking.seen.index(clause)
        places = [odds for odds, other in self._best[where] if other != video_id][:1]
        places += [
            logit(span.presence)
            for span in self._seen.get(video_id, [[]] * (where + 1))[where]
            if _apart_s(span, moment) > self._belief.near_s
        ]
        return max(places, default=None)


def _witnesses(moment: ScoredSpan, clauses: Sequence[Clause]) -> tuple[Evidence, ...]:
    """What a moment rests on; pictures alone have no witnesses of their own yet."""
    text = next((clause.text for clause in clauses if clause.sees), "")
    return moment.witnesses or (Evidence(text, moment.span, moment.presence),)


def _moment(odds: float, span: Span, witnesses: tuple[Evidence, ...]) -> ScoredSpan:
    return ScoredSpan(span, odds, sigmoid(odds), witnesses)


def _apart_s(one: ScoredSpan, other: ScoredSpan) -> float:
    """Seconds between two spans of one video; 0 where they touch."""
    first, second = one.span, other.span
    return max(0.0, first.start_s - second.end_s, second.start_s - first.end_s)


def _union(one: ScoredSpan, other: ScoredSpan) -> Span:
    """Both spans, and what lies between them."""
    first, second = one.span, other.span
    return Span(min(first.start_s, second.start_s), max(first.end_s, second.end_s))
