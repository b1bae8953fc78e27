"""How likely it is that a described event is there at all, without training.

Two independent witnesses: SigLIP's own sigmoid, which was trained to say whether a
picture and a sentence belong together, and how far the moment stands out of this
library for this sentence. A logistic combination weighs them; a model folder may
carry its own fitted weights in ``calibration.json``.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt

from index.errors import ModelError
from index.types import Background

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PresenceCalibration:
    """Weights of the logistic combination; ``presence = sigmoid(evidence)``."""

    logit_weight: float = 0.5
    """Of SigLIP's logit. Below 1: the sigmoid was trained on captions that describe a
    whole picture, and frames of video match shorter, looser sentences less sharply."""
    logit_middle: float = -6.0
    """SigLIP logit at which its witness is undecided. Right frames of short sentences
    lie near -3, unrelated ones below -10, so the middle is well under zero."""
    surplus_weight: float = 0.8
    """Of the surplus: standard deviations above the library's mean cosine beyond what
    the best of that many unrelated frames would reach by chance."""
    offset: float = 0.0
    """Evidence when both witnesses are undecided; negative is more sceptical."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not math.isfinite(value):
                raise ValueError(f"{field.name} must be finite, not {value}")

    def evidence(self, cosine: float, frames: float, background: Background) -> float:
        """Log-odds that a moment answers the sentence.

        Args:
            cosine: Cosine of the sentence with the moment, averaged over its best frames.
            frames: Frames that were averaged.
            background: The sentence against the library.
        """
        logit, surplus = witnesses(cosine, frames, background)
        return (
            self.logit_weight * (logit - self.logit_middle)
            + self.surplus_weight * surplus
            + self.offset
        )

    def to_json(self) -> str:
        """The content of a ``calibration.json``."""
        return json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"

    @classmethod
    def read(cls, path: Path) -> PresenceCalibration:
        """The weights in a ``calibration.json``.

        Raises:
            ModelError: The file is not one.
        """
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            return cls(**{name: float(value) for name, value in values.items()})
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise ModelError(
                f"{path} is not a presence calibration: {error}",
                "Remove the file to use the defaults, or restore it from the model's source.",
            ) from error


def witnesses(cosine: float, frames: float, background: Background) -> tuple[float, float]:
    """SigLIP's logit of a moment and its surplus over chance in this library.

    The best of N unrelated Gaussian values lies about sqrt(2 ln N) deviations above
    their mean, so in a thousand hours a high frame says less than in one; in a library
    of one short video the surplus hovers near zero and the logit decides.
    """
    logit = background.logit_scale * cosine + background.logit_bias
    trials = max(1.0, background.frames / max(1.0, frames))
    rise = (cosine - background.mean) / max(background.std, 1e-4)
    return logit, rise - math.sqrt(2.0 * math.log(trials))


def sigmoid(evidence: float) -> float:
    """Log-odds to probability, without overflow."""
    if evidence >= 0:
        return 1.0 / (1.0 + math.exp(-evidence))
    power = math.exp(evidence)
    return power / (1.0 + power)


def fit(
    logits: Floats, surpluses: Floats, present: npt.NDArray[np.bool_], ridge: float = 0.01
) -> PresenceCalibration:
    """Weights fitted to labelled moments by ridge logistic regression.

    Args:
        logits: float64 [N], SigLIP logits of the best moment of each sentence.
        surpluses: float64 [N], surpluses of the same moments.
        present: bool [N], whether the sentence's event is in the library.
        ridge: Pull towards zero weights; keeps separable data finite.
    """
    design = np.stack([logits, surpluses, np.ones_like(logits)], axis=1)
    scale = np.array([max(logits.std(), 1e-6), max(surpluses.std(), 1e-6), 1.0])
    shift = np.array([logits.mean(), surpluses.mean(), 0.0])
    design = (design - shift) / scale
    weights = np.zeros(3)
    target = present.astype(np.float64)
    penalty = ridge * len(target) * np.diag([1.0, 1.0, 0.0])
    for _ in range(50):
        chance = 1.0 / (1.0 + np.exp(-np.clip(design @ weights, -30, 30)))
        gradient = design.T @ (chance - target) + penalty @ weights
        curvature = (design * (chance * (1 - chance))[:, None]).T @ design + penalty
        step = np.linalg.solve(curvature + 1e-9 * np.eye(3), gradient)
        weights -= np.clip(step, -5, 5)
        if np.abs(step).max() < 1e-8:
            break
    slopes = weights[:2] / scale[:2]
    constant = float(weights[2] - slopes @ shift[:2])
    return PresenceCalibration(float(slopes[0]), 0.0, float(slopes[1]), constant)
