"""How likely it is that a described event is there at all, without training.

Three witnesses: SigLIP's own sigmoid, which was trained to say whether a picture and
a sentence belong together; how far the moment stands out of this library for this
sentence; and how far it stands out of its own surroundings. A logistic combination
weighs them; a model folder may carry its own fitted weights in ``calibration.json``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt

from index.errors import ModelError
from index.types import Background, Sentence, Span, Window

from .logistic import fit_logistic, sigmoid

Floats = npt.NDArray[np.float64]

BEST_SHARE = 0.5
"""Share of a moment's frames, the best ones, that frame_witnesses: edges are not exact, and an
event is not in view in all of its frames."""
_BEST_FRAMES = 3
_DOUBT = 1.5
"""How far below a doubtful window's best frames, in logits, its yes begins."""
CALIBRATION_NAME = "calibration.json"
"""File beside a model's weights with its own ``PresenceCalibration``."""


@dataclass(frozen=True)
class Witnesses:
    """What speaks for an event in one stretch of video."""

    logit: float
    """SigLIP's logit of the stretch's best frames."""
    surplus: float
    """Standard deviations of the library's cosines by which those frames exceed what the
    best of that many unrelated frames would reach by chance."""
    contrast: float
    """Standard deviations of the library's cosines by which the stretch exceeds the rest
    of its window; 0 where there is no rest."""


@dataclass(frozen=True)
class PresenceCalibration:
    """Weights of the logistic combination; ``presence = sigmoid(evidence)``."""

    logit_weight: float = 0.5
    """Of SigLIP's logit. Below 1: the sigmoid was trained on captions that describe a
    whole picture, and frames of video match shorter, looser sentences less sharply."""
    logit_middle: float = -6.0
    """SigLIP logit at which its witness is undecided. Right frames of short sentences
    lie near -3, unrelated ones below -10, so the middle is well under zero."""
    surplus_weight: float = 0.6
    """Of the surplus over chance, whose middle is 0."""
    contrast_weight: float = 0.4
    """Of the contrast. The lightest: an event may fill its window."""
    contrast_middle: float = 1.0
    """Contrast that the best of many stretches shows where nothing is to be found."""
    offset: float = 0.0
    """Evidence when all witnesses are undecided; negative is more sceptical."""

    frame_trust: float = 0.0
    """Of the logit of a single frame. 0 where frames can only be compared with each other,
    as with every model that learned from captions of the web; above 0 for a model that
    learned what a picture does not show, whose every frame says yes or no."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not math.isfinite(value):
                raise ValueError(f"{field.name} must be finite, not {value}")

    def evidence(self, witnesses: Witnesses) -> float:
        """Log-odds that a moment answers the sentence."""
        return (
            self.logit_weight * (witnesses.logit - self.logit_middle)
            + self.surplus_weight * witnesses.surplus
            + self.contrast_weight * (witnesses.contrast - self.contrast_middle)
            + self.offset
        )

    def frame_answers(self, cosines: Floats, background: Background) -> Floats:
        """Yes (1) or no (0) for each frame of a window, float64 [T], by ``frame_trust``.

        The middle lies at logit 0, or just below the best frames where none gets there, so
        that the best of a doubtful window still stand out of it.
        """
        logits = background.logit_scale * cosines + background.logit_bias
        count = min(_BEST_FRAMES, len(logits))
        best = float(np.partition(logits, -count)[-count:].mean())
        middle = min(0.0, best - _DOUBT)
        return sigmoid(self.frame_trust * (logits - middle))

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


def frame_witnesses(cosines: Floats, start: int, end: int, background: Background) -> Witnesses:
    """What the frames ``[start, end)`` of a window say about a sentence.

    The best of N unrelated Gaussian values lies about sqrt(2 ln N) deviations above
    their mean, so in a thousand hours a high frame says less than in one; in a library
    of one short video the surplus hovers near zero and the logit decides.

    Args:
        cosines: float64 [T], the sentence with each frame of the window.
        start: First frame of the moment.
        end: Frame after its last.
        background: The sentence against the library.
    """
    inside = cosines[start:end]
    count = max(1, round(BEST_SHARE * len(inside)))
    best = float(np.partition(inside, -count)[-count:].mean())
    spread = max(background.std, 1e-4)
    trials = max(1.0, background.frames / count)
    rest = len(cosines) - len(inside)
    contrast = 0.0
    if rest:
        outside = (float(cosines.sum()) - float(inside.sum())) / rest
        contrast = (float(inside.mean()) - outside) / spread
    return Witnesses(
        logit=background.logit_scale * best + background.logit_bias,
        surplus=(best - background.mean) / spread - math.sqrt(2.0 * math.log(trials)),
        contrast=contrast,
    )


def span_witnesses(
    span: Span, window: Window, sentence: Sentence, background: Background
) -> Witnesses:
    """What speaks for a given span of a window; the material for ``fit``."""
    cosines = window.vectors.astype(np.float64) @ sentence.pooled.astype(np.float64)
    inside = np.flatnonzero((window.times_s >= span.start_s) & (window.times_s < span.end_s))
    if not len(inside):
        inside = np.array([np.argmin(np.abs(window.times_s - span.start_s))])
    return frame_witnesses(cosines, int(inside[0]), int(inside[-1]) + 1, background)


def fit(
    witnesses: Sequence[Witnesses], present: npt.NDArray[np.bool_], ridge: float = 0.01
) -> PresenceCalibration:
    """Weights fitted to labelled moments by ridge logistic regression.

    Args:
        witnesses: Of the best moment of each sentence, N of them.
        present: bool [N], whether the sentence's event is in the library.
        ridge: Pull towards zero weights; keeps separable data finite.
    """
    raw = np.array([(w.logit, w.surplus, w.contrast) for w in witnesses], np.float64)
    shift, scale = raw.mean(axis=0), np.maximum(raw.std(axis=0), 1e-6)
    design = np.concatenate([(raw - shift) / scale, np.ones((len(raw), 1))], axis=1)
    # The offset is not pulled: how often events are absent is for the data to say.
    penalty = ridge * len(raw) * np.array([1.0, 1.0, 1.0, 0.0])
    weights = fit_logistic(design, present, penalty)
    slopes = weights[:3] / scale
    return PresenceCalibration(
        logit_weight=float(slopes[0]),
        logit_middle=0.0,
        surplus_weight=float(slopes[1]),
        contrast_weight=float(slopes[2]),
        contrast_middle=0.0,
        offset=float(weights[3] - slopes @ shift),
    )
