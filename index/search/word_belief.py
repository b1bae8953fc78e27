"""How likely it is that words which match a query are the ones that were meant.

A logistic combination of what `matching` tells of a match. Its weights were fitted by
``tests/benchmarks/fit_words.py`` to made-up talks (Zipf's frequencies, topics, one word in
seven heard wrongly by the machine): quotes and loose queries, present ones, and absent ones
that share their topic and most of their words, or differ by a negation alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..passages import Origin
from .matching import Match

MOST_OF_IT = 0.8
"""Share of the weight of a query's telling words below which something else is meant, unless it
was misheard."""
FEATURES = (
    "one",
    "covered",
    "all_covered",
    "phrase",
    "ordered",
    "dense",
    "surprise",
    "unsure",
    "machine",
    "misheard",
    "lacking",
    "lacking_misheard",
    "turned",
    "misquoted",
    "single",
)
"""What the weights belong to, in their order."""


@dataclass(frozen=True)
class WordBelief:
    """Weights of the logistic combination, one for each of `FEATURES`."""

    weights: tuple[float, ...] = (
        *(-5.19, 3.75, 1.33, 1.33, 0.63, 1.94, 1.29),
        *(-0.34, 1.38, -2.93, -2.80, 3.29, -5.61, -1.71, -1.16),
    )
    most: float = 0.99
    """Nothing is surer: what was meant may be another place where the same is said."""
    speaker_alone: float = 0.9
    """That somebody speaks where a text says so."""

    def log_odds(self, match: Match, quoted: bool, origin: Origin) -> float:
        """Log-odds that a match is what was asked for."""
        values = features(match, quoted, origin)
        return sum(weight * value for weight, value in zip(self.weights, values, strict=True))

    def probability(self, match: Match, quoted: bool, origin: Origin) -> float:
        """The same as a probability."""
        return self.most / (1 + math.exp(-self.log_odds(match, quoted, origin)))


def features(match: Match, quoted: bool, origin: Origin) -> tuple[float, ...]:
    """What is known of a match, in the order of `FEATURES`."""
    return (
        1.0,
        match.covered,
        float(match.complete),
        float(match.phrase),
        match.ordered,
        match.dense,
        match.surprise / 10,
        1 - match.confidence,
        float(origin == "machine"),
        1 - match.covered if origin == "machine" else 0.0,
        float(match.told < MOST_OF_IT),
        float(match.told < MOST_OF_IT and origin == "machine"),
        float(match.turned),
        float(quoted and not match.phrase),
        float(len(match.matched) == 1),
    )
