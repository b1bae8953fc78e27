"""Scores that mean something: calibrated probabilities and how good they are.

Calibration is fitted on data that the model was not trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from index.errors import ModelError

from .logistic import fit_logistic, sigmoid

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
BINS = 15


@dataclass(frozen=True)
class Temperature:
    """``sigmoid(logit / temperature + shift)``."""

    temperature: float = 1.0
    shift: float = 0.0

    def probability(self, logits: Floats) -> Floats:
        """float64 [N] logits to probabilities."""
        return sigmoid(logits / self.temperature + self.shift)

    def to_json(self) -> dict[str, Any]:
        """Plain values that `calibrator_from_json` reads."""
        return {"kind": "temperature", "temperature": self.temperature, "shift": self.shift}


def calibrator_from_json(values: dict[str, Any]) -> Temperature:
    """The calibrator that ``to_json`` wrote.

    Raises:
        ModelError: The values are of no known kind.
    """
    try:
        if values["kind"] == "temperature":
            return Temperature(float(values["temperature"]), float(values["shift"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"damaged calibration: {error}", "train again") from error
    raise ModelError(f"unknown calibration {values['kind']!r}", "update GroundZero")


def fit_temperature(logits: Floats, outcome: Bools) -> Temperature:
    """Scale and shift that maximise the likelihood of what happened.

    Args:
        logits: float64 [N].
        outcome: bool [N], both values should occur.
    """
    center, spread = float(logits.mean()), float(logits.std()) or 1.0
    design = np.stack([(logits - center) / spread, np.ones_like(logits)], axis=1)
    weights = fit_logistic(design, outcome, np.full(2, 1e-3))
    slope_per_logit = max(float(weights[0]) / spread, 1e-6)
    return Temperature(1.0 / slope_per_logit, float(weights[1]) - slope_per_logit * center)


@dataclass(frozen=True)
class Judged:
    """What a model said of presence where the truth is known."""

    logits: Floats
    """float64 [N]."""
    outcome: Bools
    """bool [N], the event is there."""
    queries: tuple[str, ...]
    """What was asked each time."""

    def cross_fitted(self) -> Floats:
        """Each probability by a calibration that knows nothing of its query.

        The queries are dealt into two halves, whole queries with all their rows; what is
        fitted on one half judges the other.

        Returns:
            float64 [N]; NaN where a half lacks an outcome, so that nothing can be fitted.
        """
        first = halves(self.queries)
        stated = np.full(len(self.logits), np.nan)
        for half in (first, ~first):
            seen = self.outcome[half]
            if seen.any() and not seen.all():
                fitted = fit_temperature(self.logits[half], seen)
                stated[~half] = fitted.probability(self.logits[~half])
        return stated


def halves(queries: Sequence[str]) -> Bools:
    """True for half of the queries, whatever their order; rows of one query stay together."""
    distinct, which = np.unique(np.array(queries, dtype=str), return_inverse=True)
    dealt = np.random.default_rng(0).permutation(len(distinct)) < len(distinct) // 2
    return dealt[which]


def auroc(scores: Floats, positive: Bools) -> float:
    """Chance that a positive outscores a negative, ties counting half; NaN without both."""
    if positive.all() or not positive.any():
        return float("nan")
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]
    positives = int(positive.sum())
    below = float(rank[positive].sum()) - positives * (positives + 1) / 2
    return below / (positives * (len(scores) - positives))


def expected_calibration_error(probability: Floats, outcome: Bools, bins: int = BINS) -> float:
    """Mean distance of stated from observed frequency over equal-width bins, by their weight.

    NaN without a row, or with one of which nothing is stated.
    """
    if not len(probability) or np.isnan(probability).any():
        return float("nan")
    which = np.minimum((probability * bins).astype(int), bins - 1)
    weight = np.bincount(which, minlength=bins)
    stated = np.bincount(which, weights=probability, minlength=bins)
    observed = np.bincount(which, weights=outcome, minlength=bins)
    return float(np.abs(stated - observed).sum() / weight.sum())


def rejection_at_recall(scores: Floats, positive: Bools, recall: float = 0.95) -> float:
    """Share of absent events that are rejected where this share of present ones is kept."""
    if positive.all() or not positive.any():
        return float("nan")
    kept = np.sort(scores[positive])
    threshold = kept[int(np.floor((1 - recall) * (len(kept) - 1)))]
    return float(np.mean(scores[~positive] < threshold))


def risk_coverage(confidence: Floats, correct: Bools) -> tuple[Floats, Floats]:
    """Error among the most confident answers, for every share of answers given.

    Returns:
        Coverage float64 [N] from 1/N to 1, and the risk at each.
    """
    order = np.argsort(-confidence, kind="stable")
    given = np.arange(1, len(order) + 1)
    return given / len(order), 1.0 - np.cumsum(correct[order]) / given
