"""The training-free localizer over an annotated data set: the line that training has to beat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from index.types import Sentence, Window
from index.vectors.background import background_of

from ..datasets.features import Features, step_seconds
from ..datasets.records import Record
from ..datasets.windows import CLIP_S
from ..grounding.training_free import TrainingFreeLocalizer

Array = npt.NDArray[np.float32]
SAMPLED_VIDEOS = 200
LOGIT_SCALE, LOGIT_BIAS = 112.0, -16.0
"""Of SigLIP 2; archives of features do not carry them. They change no ranking within a video."""


def training_free_rows(
    records: Sequence[Record],
    features: Features,
    grid_s: float = 0.0,
    localizer: TrainingFreeLocalizer | None = None,
) -> list[dict[str, Any]]:
    """Predictions of the training-free localizer, as the evaluator reads them.

    Args:
        records: What is asked; their durations must be known.
        features: Frames and sentences in one space.
        grid_s: Ends are rounded to multiples of this; 0 leaves them alone.
        localizer: Its settings; the default ones without.
    """
    localizer = localizer or TrainingFreeLocalizer()
    sample = _sampled(records, features)
    rows = []
    for record in records:
        frames = features.video(record.video)
        tokens, pooled = features.sentence(record.qid)
        duration_s = float(record.duration_s or len(frames))
        step_s = step_seconds(len(frames), duration_s)
        times_s = np.arange(len(frames), dtype=np.float64) * step_s
        window = Window(times_s, frames, step_s, duration_s)
        background = background_of(sample, pooled, len(sample), LOGIT_SCALE, LOGIT_BIAS)
        found = localizer.localize(window, Sentence(record.query, pooled, tokens), background)
        windows = [[s.span.start_s, s.span.end_s, s.score] for s in found.spans]
        if grid_s:
            windows = [_on_grid(start, end, score, grid_s) for start, end, score in windows]
        rows.append(
            {
                "qid": record.qid,
                "query": record.query,
                "vid": record.video,
                "pred_relevant_windows": windows,
                "pred_saliency_scores": _clips(found.saliency, step_s, duration_s),
            }
        )
    return rows


def _on_grid(start: float, end: float, score: float, grid_s: float) -> list[float]:
    low = round(start / grid_s) * grid_s
    return [low, max(round(end / grid_s) * grid_s, low + grid_s), score]


def _sampled(records: Sequence[Record], features: Features) -> Array:
    """Frames of a spread of videos, as a library's fixed sample."""
    names = list(dict.fromkeys(record.video for record in records))
    chosen = names[:: max(1, len(names) // SAMPLED_VIDEOS)]
    return np.concatenate([features.video(name)[::8] for name in chosen])


def _clips(saliency: npt.NDArray[np.float32], step_s: float, duration_s: float) -> list[float]:
    count = max(1, int(duration_s / CLIP_S))
    which = ((np.arange(len(saliency)) + 0.5) * step_s / CLIP_S).astype(int).clip(0, count - 1)
    total = np.bincount(which, weights=saliency, minlength=count)
    return [float(v) for v in total / np.maximum(np.bincount(which, minlength=count), 1)]
