"""Sentences that are almost right: one object, verb or attribute changed, or the order turned.

A presence head that has only met other videos' sentences says "there" to all of these.
What may stand in for a word is learned from the sentences themselves: words that
occur between the same neighbours are of one kind.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Sequence

from index.search.query import parse

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_EDGE = "."
_STOP = frozenset(
    """a an the and or of in on at to is are was were be been being his her its their he she it
    they we you i my our your this that these those with for from by as into onto over under up
    down out off while then before after who which what there here not no one two some while
    during through around about near next has have had do does did can could will would""".split()  # noqa: SIM905
)
MIN_SENTENCES = 20
"""Fewer sentences show too little of which words are of one kind."""


class HardNegatives:
    """Makes sentences that a video almost shows.

    Args:
        sentences: All sentences of a data set, for what may stand in for what.
        seed: Same seed, same changes.
    """

    def __init__(self, sentences: Sequence[str], seed: int = 0) -> None:
        self._seed = seed
        self._between: dict[tuple[str, str], set[str]] = defaultdict(set)
        if len(set(sentences)) >= MIN_SENTENCES:
            for sentence in sentences:
                words = [word.lower() for word in _WORD.findall(sentence)]
                padded = [_EDGE, *words, _EDGE]
                for before, word, after in zip(padded, words, padded[2:], strict=False):
                    if word not in _STOP:
                        self._between[before, after].add(word)

    def of(self, sentence: str, count: int = 2) -> list[str]:
        """Up to this many changed sentences, each different from the original.

        Order is turned where there is one; else single words are changed.
        """
        rng = random.Random(f"{self._seed} {sentence}")  # noqa: S311 - reproducible, no secret
        made = self._turned(sentence)
        spots = list(_WORD.finditer(sentence))
        rng.shuffle(spots)
        for spot in spots:
            if len(made) >= count:
                break
            other = self._other(sentence, spot, rng)
            if other is not None:
                changed = sentence[: spot.start()] + other + sentence[spot.end() :]
                if changed not in made:
                    made.append(changed)
        return made[:count]

    def _turned(self, sentence: str) -> list[str]:
        plan = parse(sentence)
        if plan.relation != "then" or len(plan.parts) != 2:
            return []
        first, second = plan.parts
        return [f"{second} then {first}"]

    def _other(self, sentence: str, spot: re.Match[str], rng: random.Random) -> str | None:
        words = [word.lower() for word in _WORD.findall(sentence)]
        place = len(_WORD.findall(sentence[: spot.start()]))
        if words[place] in _STOP:
            return None
        before = words[place - 1] if place else _EDGE
        after = words[place + 1] if place + 1 < len(words) else _EDGE
        kin = sorted(
            word
            for word in self._between.get((before, after), ())
            if word not in words and not _same_stem(word, words[place])
        )
        if not kin:
            return None
        chosen = rng.choice(kin)
        return chosen.capitalize() if spot.group()[0].isupper() else chosen


def _same_stem(one: str, other: str) -> bool:
    """``runs`` and ``running`` are no different event."""
    shared = min(len(one), len(other), 4)
    return one[:shared] == other[:shared]
