"""How likely it is that a library's best moment is what was asked, by the library's own null.

The best frame of a large library fits any sentence well, so a score is compared with what
the same videos give to questions that none of them answers (`index.vectors.everyday`).
Whether the best frame is the right one is then a matter of two densities: that of the best
score where nothing is to be found, which the library shows, and that of a scene that was
asked for, which lies about as many deviations above a sentence's usual score whatever the
size of the library.

A trained model that was measured on held-out windows, searched together, may be heard beside
that, with the weight that it earned there.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from index.errors import ModelError
from index.types import Null

from .logistic import sigmoid

KIND = "standing"
_TINY = 1e-12
_RISE = 1e-3


@dataclass(frozen=True)
class Standing:
    """What is assumed of scenes that were asked for, and how what follows from it is scaled."""

    middle: float = 5.3
    """Deviations by which the best frame of a scene exceeds the sentence's usual score. On
    simulated archives 5.1 to 5.5, from two hours to a hundred; right frames of real models lie
    at 0.08 to 0.29 where unrelated ones spread by 0.02 to 0.035, which is as far."""
    spread: float = 0.8
    """How far scenes differ in that."""
    share: float = 0.5
    """Share of queries whose event is there, before anything is known."""
    reach: float = 3.0
    """Spreads beyond which a higher score makes nothing surer, nor a lower one less sure."""
    slope: float = 1.0
    """Of the log-odds that follow; fitted where somebody labelled queries."""
    shift: float = 0.0
    """Added to them; likewise."""
    cut: float = 0.92
    """Share of the moments at the right place that are cut out well: nothing is surer."""
    trust: float = 0.0
    """Log-odds of a deviation of what the model itself says of the window; 0 where that does
    not help a search."""
    usual: float = 0.0
    """What it says in doubtful cases, a logit."""
    varies: float = 1.0
    """How far what it says differs among first hits."""
    bound: float = 2.0
    """Deviations beyond which the model is not heard."""

    def log_odds(self, deviations: float, null: Null) -> float:
        """Log-odds that the best moment is the right one, before slope and shift.

        Args:
            deviations: Its best frame's score above the sentence's mean, in standard
                deviations.
            null: What the searched videos give to questions that they do not answer.
        """
        low = null.middle - self.reach * null.spread
        high = max(low, self.middle + self.reach * self.spread)
        own, chance = 1 / self.spread**2, 1 / null.spread**2
        if own != chance:
            # On the far side of here the wider of two normal densities wins again.
            turn = (null.middle * chance - self.middle * own) / (chance - own)
            low, high = (max(low, turn), high) if own < chance else (low, min(high, turn))
        value = max(min(deviations, high), low)
        right = _log_density(value, self.middle, self.spread)
        right += math.log(self.share) + math.log(_below(value, null.middle, null.spread))
        beaten = self.share * _below(value, self.middle, self.spread)
        wrong = _log_density(value, null.middle, null.spread) + math.log(beaten + 1 - self.share)
        return right - wrong

    def heard(self, said: float) -> float:
        """What a model says of a window, in deviations from what it says in doubt, bounded."""
        return max(-self.bound, min(self.bound, (said - self.usual) / self.varies))

    def presence(self, deviations: float, null: Null, said: float | None = None) -> float:
        """What people are told, 0 to 1.

        Args:
            deviations: As for `log_odds`.
            null: Likewise.
            said: A trained model's own logit that the event is in the window.
        """
        return self.cut * sigmoid(self.slope * self._odds(deviations, null, said) + self.shift)

    def ranking(self, deviations: float, null: Null, said: float | None = None) -> float:
        """What moments are ranked by: as `presence` does, and on where that ends."""
        return self.slope * self._odds(deviations, null, said) + _RISE * deviations

    def _odds(self, deviations: float, null: Null, said: float | None) -> float:
        odds = self.log_odds(deviations, null)
        return odds if said is None else odds + self.trust * self.heard(said)

    def to_json(self) -> dict[str, Any]:
        """Plain values that `standing_from_json` reads."""
        return {"kind": KIND, **asdict(self)}


def standing_from_json(values: dict[str, Any]) -> Standing:
    """What ``to_json`` wrote.

    Raises:
        ModelError: The values are not such.
    """
    try:
        numbers = {name: float(value) for name, value in values.items() if name != "kind"}
        standing = Standing(**numbers)
        if values["kind"] != KIND or not all(map(math.isfinite, numbers.values())):
            raise ValueError("it is of another kind or holds no numbers")
        if (
            min(standing.spread, standing.slope, standing.varies) <= 0
            or min(standing.trust, standing.bound) < 0
            or not 0 < standing.share < 1
            or not (0 < standing.cut <= 1)
        ):
            raise ValueError("it holds numbers that make no sense")
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise ModelError(
            f"damaged calibration: {error}", "calibrate again: gz calibrate --queries FILE"
        ) from error
    return standing


def _log_density(value: float, middle: float, spread: float) -> float:
    return -0.5 * ((value - middle) / spread) ** 2 - math.log(spread)


def _below(value: float, middle: float, spread: float) -> float:
    return max(0.5 * math.erfc((middle - value) / (spread * math.sqrt(2))), _TINY)
