"""What a library looks like as a whole, told from a fixed sample of its frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..store.library import HalfVectors
from ..types import Background, Null, Vectors
from .everyday import null_of
from .frame_table import SAMPLE_FRAMES, FrameTable

_ROUNDS = 6
_FAR = 2.5
_MUCH = 1.25
"""Without an answer in sight, leaving out what lies 2.5 deviations up makes a normal
deviation some hundredths smaller."""


def lowest_sample(
    tables: Sequence[FrameTable], alive: Sequence[npt.NDArray[np.bool_]]
) -> tuple[HalfVectors, npt.NDArray[np.float32]]:
    """A uniform sample of the frames of several tables.

    Each table keeps its rows of lowest priority; of all together the lowest are
    taken, which is the sample that one table of all frames would have.

    Args:
        tables: Tables of one library.
        alive: For each, the segments that count, bool [S].

    Returns:
        Vectors float16 [K, D] and what rivals take off their scores, float32 [K].
    """
    parts = [np.zeros((0, 1), np.float16)]
    rivals = [np.zeros(0, np.float32)]
    priorities = [np.zeros(0, np.uint64)]
    bound = min((table.sample_bound for table in tables), default=0)
    for table, living in zip(tables, alive, strict=True):
        kept = (table.sample_priority <= bound) & living[table.segment_of(table.sample_rows)]
        parts.append(table.sample[kept])
        rivals.append(table.rivals[table.sample_rows[kept]])
        priorities.append(table.sample_priority[kept])
    order = np.argsort(np.concatenate(priorities), kind="stable")[:SAMPLE_FRAMES]
    return np.concatenate(parts[1:] or parts)[order], np.concatenate(rivals)[order]


def background_of(
    sample: Vectors, query: Vectors, frames: int, logit_scale: float, logit_bias: float
) -> Background:
    """How a sentence scores against a sample, float32 [K, D], of a library, by cosine."""
    if not len(sample):
        center = np.zeros(len(query), np.float32)
        return Background(0.0, 1.0, 0, center, logit_scale, logit_bias)
    cosines = sample @ np.asarray(query, np.float32)
    return Background(
        mean=float(cosines.mean()),
        std=float(cosines.std()),
        frames=frames,
        center=sample.mean(axis=0),
        logit_scale=logit_scale,
        logit_bias=logit_bias,
    )


def usual(scores: npt.NDArray[np.float32]) -> tuple[float, float]:
    """Mean and deviation of a sentence's scores, float32 [K], where it is not answered.

    An event that fills several percent of a library would raise its own bar, so the highest
    scores are left out, round by round, where they make up much of the deviation.
    """
    mean, std = float(scores.mean()), float(scores.std())
    kept = scores
    for _ in range(_ROUNDS):
        bar = float(kept.mean()) + _FAR * float(kept.std())
        fewer = kept[kept <= bar]
        if len(fewer) == len(kept):
            break
        kept = fewer
    clipped = float(kept.std())
    return (float(kept.mean()), clipped) if std > _MUCH * clipped else (mean, std)


def null_in(
    tables: Sequence[FrameTable],
    alive: Sequence[npt.NDArray[np.bool_]],
    searched: Sequence[npt.NDArray[np.bool_]],
) -> Null | None:
    """What a best score is worth among some videos of a library.

    Args:
        tables: Tables of one library.
        alive: For each, the segments of the library, bool [S].
        searched: For each, those that are searched, bool [S].
    """
    frames, best, mean, square = 0, [], [], []
    for table, living, asked in zip(tables, alive, searched, strict=True):
        weights = (table.segments["frames"] * living).astype(np.float64)
        frames += int(weights.sum())
        best.append(table.nulls[asked & living, 0])
        mean.append(weights @ table.nulls[:, 1])
        square.append(weights @ table.nulls[:, 2])
    together = np.concatenate(best) if best else np.zeros((0, 0), np.float32)
    if not together.size or not frames:
        return None
    mean_all = np.sum(mean, axis=0) / frames
    spread = np.sqrt(np.maximum(np.sum(square, axis=0) / frames - mean_all**2, 0.0))
    return null_of(together.max(axis=0), mean_all, spread)
