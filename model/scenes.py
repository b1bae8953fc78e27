"""Where a video changes, from its own self-similarity alone: novelty, cuts, scenes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Cuts = npt.NDArray[np.intp]


def novelty(vectors: Floats, half_widths: Sequence[int]) -> Floats:
    """How sharply a video changes before each frame, in robust deviations.

    For each width the mean of the frames after a position is compared with the mean
    of those before it; every scale is brought to median 0 and spread 1 within the
    window, so that a calm lecture and shaky sports both show their own cuts.

    Args:
        vectors: float64 [T, D].
        half_widths: Frames on either side, one entry per scale.

    Returns:
        float64 [T + 1]: entry t is the change between frames t - 1 and t; the two
        ends are 0.
    """
    frames = len(vectors)
    total = np.zeros(frames + 1)
    if frames < 2:
        return total
    sums = np.concatenate([np.zeros_like(vectors[:1]), np.cumsum(vectors, axis=0)])
    at = np.arange(1, frames)
    for width in half_widths:
        first, last = np.maximum(0, at - width), np.minimum(frames, at + width)
        before = (sums[at] - sums[first]) / (at - first)[:, None]
        after = (sums[last] - sums[at]) / (last - at)[:, None]
        change = ((after - before) ** 2).sum(axis=1)
        total[1:frames] += _standardised(change)
    return total / max(1, len(half_widths))


def _standardised(change: Floats) -> Floats:
    deviation = change - np.median(change)
    spread = max(1.48 * float(np.median(np.abs(deviation))), 0.25 * float(np.abs(deviation).mean()))
    # float16 storage leaves differences of about 1e-7 between equal frames.
    return deviation / max(spread, 1e-6)


def cut_positions(strength: Floats, threshold: float, reach: int) -> Cuts:
    """Positions of local maxima of novelty above a threshold, with both ends.

    Args:
        strength: float64 [T + 1] from ``novelty``.
        threshold: Least strength of a cut.
        reach: Frames on either side among which a cut must be the strongest.

    Returns:
        Rising positions, first 0 and last T.
    """
    frames = len(strength) - 1
    inner = np.full(frames + 1 + 2 * reach, -np.inf)
    inner[reach : reach + frames + 1] = strength
    highest = np.lib.stride_tricks.sliding_window_view(inner, 2 * reach + 1).max(axis=1)
    is_cut = (strength >= highest) & (strength > threshold)
    is_cut[[0, frames]] = True
    return np.flatnonzero(is_cut)


def scene_means(values: Floats, cuts: Cuts) -> Floats:
    """Mean of each stretch between neighbouring cuts: [T, ...] to [S, ...]."""
    lengths = np.diff(cuts).reshape(-1, *([1] * (values.ndim - 1)))
    means: Floats = np.add.reduceat(values, cuts[:-1], axis=0) / lengths
    return means
