"""Log-odds to probabilities, and weights that make log-odds fit what happened."""

from __future__ import annotations

from typing import overload

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_STEPS = 50
_LONGEST_STEP = 2.0
"""Farthest a weight moves in one Newton step; separable data would throw it away."""
_SETTLED = 1e-9


@overload
def sigmoid(log_odds: float) -> float: ...
@overload
def sigmoid(log_odds: Floats) -> Floats: ...
def sigmoid(log_odds: float | Floats) -> float | Floats:
    """Log-odds to probability, without overflow."""
    shrunk = np.exp(-np.abs(log_odds))
    chance: Floats = np.where(np.greater_equal(log_odds, 0), 1.0, shrunk) / (1.0 + shrunk)
    return chance if isinstance(log_odds, np.ndarray) else float(chance)


def fit_logistic(
    design: Floats, outcome: Bools | Floats, ridge: Floats, toward: Floats | float = 0.0
) -> Floats:
    """Weights that maximise the penalised likelihood of what happened, by Newton's method.

    Args:
        design: float64 [N, K], what is known of each case.
        outcome: bool [N], what happened; or float64 [N], how likely it is that it did.
        ridge: float64 [K], pull of each weight.
        toward: float64 [K], where they are pulled; by default to 0.

    Returns:
        float64 [K].
    """
    weights = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        chance = sigmoid(design @ weights)
        slope = design.T @ (outcome - chance) - ridge * (weights - toward)
        curvature = (design * (chance * (1 - chance))[:, None]).T @ design + np.diag(ridge)
        step = np.linalg.solve(curvature + _SETTLED * np.eye(len(ridge)), slope)
        weights = weights + np.clip(step, -_LONGEST_STEP, _LONGEST_STEP)
        if np.abs(step).max() < _SETTLED:
            break
    return weights
