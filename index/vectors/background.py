"""What a library looks like as a whole, told from a fixed sample of its frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..store.library import HalfVectors
from ..types import Background, Vectors
from .frame_table import SAMPLE_FRAMES, FrameTable


def lowest_sample(
    tables: Sequence[FrameTable], alive: Sequence[npt.NDArray[np.bool_]]
) -> HalfVectors:
    """A uniform sample of the frames of several tables, float16 [K, D].

    Each table keeps its rows of lowest priority; of all together the lowest are
    taken, which is the sample that one table of all frames would have.

    Args:
        tables: Tables of one library.
        alive: For each, the segments that count, bool [S].
    """
    parts = [np.zeros((0, 1), np.float16)]
    priorities = [np.zeros(0, np.uint64)]
    bound = min((table.sample_bound for table in tables), default=0)
    for table, living in zip(tables, alive, strict=True):
        kept = (table.sample_priority <= bound) & living[table.segment_of(table.sample_rows)]
        parts.append(table.sample[kept])
        priorities.append(table.sample_priority[kept])
    order = np.argsort(np.concatenate(priorities), kind="stable")[:SAMPLE_FRAMES]
    return np.concatenate(parts[1:] or parts)[order]


def background_of(
    sample: Vectors, query: Vectors, frames: int, logit_scale: float, logit_bias: float
) -> Background:
    """How a sentence scores against a sample, float32 [K, D], of a library."""
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
