"""How likely it is that a library's best moment is what was asked, by the library's own null.

The best frame of a large library fits any sentence well, so a score is compared with what
the same videos give to questions that none of them answers (`index.vectors.everyday`).
Whether the best frame is the right one is then a matter of two densities: that of the best
score where nothing is to be found, which the library shows, and that of a scene that was
asked for, which lies about as many deviations above a sentence's usual score whatever the
size of the library.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from index.types import Null

_SQRT_TAU = float(np.sqrt(2 * np.pi))


@dataclass(frozen=True)
class StandingSettings:
    """What is assumed of scenes that were asked for, with the reasons."""

    middle: float = 5.2
    """Standard deviations by which the best frame of a scene exceeds the sentence's mean."""
    spread: float = 1.0
    """How far scenes differ in that."""
    share: float = 0.5
    """Share of queries whose event is there, before anything is known."""
    cut: float = 0.9
    """Chance that a moment at the right place is also cut out well."""
    most: float = 3.0
    """Spreads above the middle beyond which a higher score makes nothing surer."""


def presence(standing: float, null: Null, settings: StandingSettings) -> float:
    """Chance that a moment is the one that was asked for.

    Args:
        standing: Its best frame's score in standard deviations above the sentence's mean.
        null: What the searched videos give to questions that they do not answer.
        settings: What is assumed of scenes that were asked for.
    """
    high = settings.middle + settings.most * settings.spread
    low = null.middle - settings.most * null.spread
    standing = min(max(standing, low), high)
    true = _density(standing, settings.middle, settings.spread)
    true_below = _below(standing, settings.middle, settings.spread)
    chance = _density(standing, null.middle, null.spread)
    chance_below = _below(standing, null.middle, null.spread)
    right = settings.share * true * chance_below
    wrong = settings.share * true_below * chance + (1 - settings.share) * chance
    return float(settings.cut * right / max(right + wrong, 1e-300))


def _density(value: float, middle: float, spread: float) -> float:
    return float(np.exp(-0.5 * ((value - middle) / spread) ** 2) / (spread * _SQRT_TAU))


def _below(value: float, middle: float, spread: float) -> float:
    from math import erf, sqrt

    return 0.5 * (1 + erf((value - middle) / (spread * sqrt(2))))
