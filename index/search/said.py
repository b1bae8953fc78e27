"""The moments at which a clause of a query is said, or stands on the screen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

import numpy as np

from ..types import Evidence, ScoredSpan, Span
from .candidates import MOST_TERMS, Place, places_of
from .fields import Asked, Clause
from .matching import Match, holds, match
from .order import logit
from .quoting import quote_of, quote_of_all
from .scope import Scope
from .word_belief import WordBelief
from .wording import terms_of

if TYPE_CHECKING:
    from ..store.library import Library
    from ..store.passage_search import Ids, SearchedText

Proposals = dict[int, list[ScoredSpan]]
"""Spans by video."""

_ANSWERS = frozenset({"A", "THE WITNESS", "WITNESS"})
"""How testimony names the witness."""
_MOST_TURNS = 64
"""Stretches of one speaker that are proposed where no words are asked for."""
_MOST_LETTERS = 48
"""Characters of a query for the screen that are also sought inside words."""
_SAME_TURN_S = 2.0
_LEAST_S = 0.05
"""Length of the shortest span."""
_WORTH = 0.01
"""Probability below which a match is not proposed."""


class Words:
    """The texts of a library that one search looks into.

    Args:
        library: Open for reading at least.
        scope: What is searched.
        belief: How matches are judged.
    """

    def __init__(self, library: Library, scope: Scope, belief: WordBelief | None = None) -> None:
        self._library, self._scope = library, scope
        self._belief = belief or WordBelief()
        texts = library.searched_texts()
        self._total = sum(text.passages for text in texts)
        self._texts = [text for text in texts if text.video_id in scope.videos]

    def videos(self, channel: Asked) -> set[int]:
        """Searched videos that have a text of a channel."""
        return {text.video_id for text in self._texts if text.source.channel == channel}

    def found(self, clause: Clause, channels: Collection[Asked]) -> Proposals:
        """Spans of every video in which the words of a clause stand.

        Raises:
            LibraryError: A passage is damaged.
        """
        proposals: Proposals = defaultdict(list)
        for channel in channels:
            texts = {text.id: text for text in self._texts if text.source.channel == channel}
            if texts:
                for video_id, span in self._in_texts(clause, texts):
                    proposals[video_id].append(span)
        return {
            video_id: sorted(spans, key=lambda s: (-s.score, s.span.start_s, s.span.end_s))
            for video_id, spans in proposals.items()
        }

    def _in_texts(
        self, clause: Clause, texts: dict[int, SearchedText]
    ) -> Iterable[tuple[int, ScoredSpan]]:
        speaking = self._speaking(clause.speaker, texts) if clause.speaker else None
        terms = terms_of(clause.words, MOST_TERMS)
        if not terms:
            return self._turns(clause, texts, speaking) if speaking is not None else []
        on_screen = next(iter(texts.values())).source.channel == "screen"
        letters = clause.words if on_screen and len(clause.words) <= _MOST_LETTERS else ""
        sought, places = places_of(self._library, terms, texts, self._total, letters, speaking)
        best: dict[tuple[int, float, float], tuple[int, ScoredSpan]] = {}
        for place in places:
            matched = match(sought, place, letters)
            proposal = None if matched is None else self._proposed(clause, matched)
            if proposal is not None:
                key = (place.text.id, proposal.span.start_s, proposal.span.end_s)
                if key not in best or best[key][1].score < proposal.score:
                    best[key] = place.text.video_id, proposal
        return best.values()

    def _proposed(self, clause: Clause, matched: Match) -> ScoredSpan | None:
        source = matched.place.text.source
        presence = self._belief.probability(matched, clause.quoted, source.origin)
        span = self._inside(matched.place, matched.start_s, matched.end_s)
        if span is None or presence < _WORTH:
            return None
        quote = quote_of(matched)
        seen = Evidence(clause.text, span, presence, source.channel, quote)
        return _spoken(span, presence, seen)

    def _inside(self, place: Place, start_s: float, end_s: float) -> Span | None:
        """The span of a match in its video, as far as it is searched."""
        video = self._scope.videos[place.text.video_id]
        low_s, high_s = self._scope.bounds_s(video)
        start_s = max(start_s, 0.0)
        end_s = min(max(end_s, start_s + _LEAST_S), video.duration_s)
        if start_s >= end_s or start_s < low_s or end_s > high_s:
            return None
        return Span(start_s, end_s)

    def _speaking(self, speaker: str, texts: dict[int, SearchedText]) -> Ids:
        """What somebody says, by their name or as the witness of a deposition."""
        by_name: dict[str, set[int]] = defaultdict(set)
        for text_id, names in self._library.speakers(texts.keys()).items():
            witness = texts[text_id].testimony
            testifies = witness is not None and holds(witness.witness, speaker)
            for name in names:
                if holds(name, speaker) or (testifies and name.upper().strip(".:") in _ANSWERS):
                    by_name[name].add(text_id)
        found = [
            self._library.passages_by_speaker(ids, [name]) for name, ids in sorted(by_name.items())
        ]
        return np.unique(np.concatenate(found)) if found else np.zeros(0, np.int64)

    def _turns(
        self, clause: Clause, texts: dict[int, SearchedText], speaking: Ids
    ) -> Iterable[tuple[int, ScoredSpan]]:
        """Stretches in which somebody speaks, longest first."""
        runs: list[Place] = []
        read = self._library.passages_by_id(speaking[: _MOST_TURNS * 64])
        for number in sorted(read):
            text_id, passage = read[number]
            last = runs[-1] if runs else None
            if (
                last is not None
                and last.text.id == text_id
                and passage.start_s - last.passages[-1].end_s <= _SAME_TURN_S
            ):
                ids = (*last.ids, number)
                runs[-1] = Place(last.text, ids, (*last.passages, passage))
            else:
                runs.append(Place(texts[text_id], (number,), (passage,)))
        runs.sort(key=lambda run: run.passages[0].start_s - run.passages[-1].end_s)
        presence = self._belief.speaker_alone
        for run in runs[:_MOST_TURNS]:
            span = self._inside(run, run.passages[0].start_s, run.passages[-1].end_s)
            if span is not None:
                seen = Evidence(
                    clause.text, span, presence, run.text.source.channel, quote_of_all(run)
                )
                yield run.text.video_id, _spoken(span, presence, seen)


def _spoken(span: Span, presence: float, witness: Evidence) -> ScoredSpan:
    """A moment that rests on words; it ranks by how sure it is."""
    return ScoredSpan(span, logit(presence), presence, (witness,))
