"""Fits what a library's search says of presence to queries that a person has labelled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..grounding.calibration import halves
from ..grounding.logistic import fit_logistic, sigmoid
from ..grounding.standing import Standing
from .archive import RIGHT_IOU, Asked, archive_report

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

LEAST_QUERIES = 10
"""Of either kind, present and absent: with fewer, half of them say nothing about the rest."""
_LEAST_GAIN = 1e-3
"""Mean squared error that a refit must save to be called better; less is noise."""
_RIDGE = np.array([10.0, 1.0])
"""Pull of slope and shift towards those that were shipped. Where these are right, twenty
queries move probabilities by 6 points on average; two hundred follow any other truth."""
_LEAST_SLOPE = 0.05
_PINNED = 1e6
_ROUNDS = 30
_TINY = 1e-9


@dataclass(frozen=True)
class Recalibration:
    """A refit, and what it is worth."""

    standing: Standing
    """Fitted to all queries."""
    shipped: dict[str, Any]
    """Figures of what was shipped, as `archive_report` gives them."""
    refitted: dict[str, Any]
    """The same of the refit, every query judged by a fit to the half that it is not in."""

    @property
    def better(self) -> bool:
        """True where the refit errs less on queries that it has not seen (Brier)."""
        return bool(self.shipped["brier"] - self.refitted["brier"] >= _LEAST_GAIN)


def recalibrate(shipped: Standing, now: Standing, asked: Sequence[Asked]) -> Recalibration:
    """A refit of slope and shift, measured beside what was shipped.

    Both are measured on queries that they were not fitted to, so what an earlier refit may
    have seen, among them perhaps these queries, decides nothing.

    Args:
        shipped: What the localizer came with; the refit is pulled towards it.
        now: What judged the answers: the same, or an earlier refit of it.
        asked: Queries of one part each, about events that can be seen, with an answer each.
    """
    evidence = [_evidence(now, [answer.presence for answer in one.answers]) for one in asked]
    first = np.array([of_one[0] for of_one in evidence])
    right = np.array([one.best_iou(1) >= RIGHT_IOU for one in asked], bool)
    half = _even_halves(asked)
    by_other = {
        seen: refit(shipped, first[half == seen], right[half == seen]) for seen in (True, False)
    }
    return Recalibration(
        refit(shipped, first, right),
        archive_report(
            [_told(shipped, one, of_one) for one, of_one in zip(asked, evidence, strict=True)]
        ),
        archive_report(
            [
                _told(by_other[not inside], one, of_one)
                for one, of_one, inside in zip(asked, evidence, half.tolist(), strict=True)
            ]
        ),
    )


def _even_halves(asked: Sequence[Asked]) -> Bools:
    """True for half of the present queries and half of the absent ones.

    Of few queries, uneven halves would each teach the other a wrong share of what happens.
    """
    half = np.zeros(len(asked), bool)
    present = np.array([bool(one.truth) for one in asked], bool)
    for kind in (present, ~present):
        half[kind] = halves(
            [one.query for one, of_kind in zip(asked, kind, strict=True) if of_kind]
        )
    return half


def refit(shipped: Standing, evidence: Floats, right: Bools) -> Standing:
    """Slope and shift that fit what happened, by expectation and maximisation.

    What was shipped says how many moments at the right place are cut badly. Of an answer
    that is wrong it is weighed how likely it is to be one of those; then a logistic is
    fitted to how likely each is at the right place.

    Args:
        shipped: Where slope and shift are pulled, so that few queries cannot ruin them.
        evidence: float64 [N], log-odds of each first answer before slope and shift.
        right: bool [N].
    """
    design = np.stack([evidence, np.ones_like(evidence)], axis=1)
    weights = toward = np.array([shipped.slope, shipped.shift])
    ridge = _RIDGE
    for _ in range(_ROUNDS):
        chance = sigmoid(design @ weights)
        placed = np.where(right, 1.0, chance * (1 - shipped.cut) / (1 - shipped.cut * chance))
        weights = fit_logistic(design, placed, ridge, toward)
        if weights[0] < _LEAST_SLOPE:
            # Ranks must not turn round; where evidence says nothing, the shift alone decides.
            ridge = np.array([_PINNED, _RIDGE[1]])
            toward = np.array([_LEAST_SLOPE, shipped.shift])
    slope = max(float(weights[0]), _LEAST_SLOPE)
    return replace(shipped, slope=slope, shift=float(weights[1]))


def _evidence(now: Standing, presence: Sequence[float]) -> Floats:
    """Log-odds before slope and shift, of what was told."""
    share = np.clip(np.array(presence, np.float64) / now.cut, _TINY, 1 - _TINY)
    return (np.log(share / (1 - share)) - now.shift) / now.slope


def _told(standing: Standing, one: Asked, evidence: Floats) -> Asked:
    """The same answers with what they would be told with."""
    told = standing.cut * sigmoid(standing.slope * evidence + standing.shift)
    answers = zip(one.answers, told.tolist(), strict=True)
    return replace(
        one, answers=tuple(replace(answer, presence=presence) for answer, presence in answers)
    )
