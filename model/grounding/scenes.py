"""Where a video changes, from its own self-similarity alone: novelty, cuts, scenes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Cuts = npt.NDArray[np.intp]


def novelty(similarity: Floats, half_widths: Sequence[int]) -> Floats:
    """How sharply a video changes before each frame, in robust deviations.

    For each width the mean of the frames after a position is compared with the mean
    of those before it; every scale is brought to median 0 and spread 1 within the
    window, so that a calm lecture and shaky sports both show their own cuts.

    Args:
        similarity: float64 [T, T], inner products of the frames.
        half_widths: Frames on either side, one entry per scale.

    Returns:
        float64 [T + 1]: entry t is the change between frames t - 1 and t; the two
        ends are 0.
    """
    frames = len(similarity)
    total = np.zeros(frames + 1)
    if frames < 2:
        return total
    corner = np.zeros((frames + 1, frames + 1))
    np.cumsum(np.cumsum(similarity, axis=0), axis=1, out=corner[1:, 1:])
    at = np.arange(1, frames)
    for width in half_widths:
        low, high = np.maximum(0, at - width), np.minimum(frames, at + width)
        change = (
            _block_means(corner, low, at, low, at)
            + _block_means(corner, at, high, at, high)
            - 2 * _block_means(corner, low, at, at, high)
        )
        total[1:frames] += _standardised(change)
    return total / max(1, len(half_widths))


def jump_sizes(values: Floats, half_width: int) -> Floats:
    """How far the mean of the next values lies from that of the last, float64 [T + 1].

    Entry t compares values t to t + half_width with those before t; both ends are 0.
    """
    count = len(values)
    sizes = np.zeros(count + 1)
    at = np.arange(1, count)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    low, high = np.maximum(0, at - half_width), np.minimum(count, at + half_width)
    after = (sums[high] - sums[at]) / (high - at)
    before = (sums[at] - sums[low]) / (at - low)
    sizes[1:count] = np.abs(after - before)
    return sizes


def _block_means(corner: Floats, top: Cuts, bottom: Cuts, left: Cuts, right: Cuts) -> Floats:
    """Means of rectangles of a matrix from its summed-area table."""
    sums = corner[bottom, right] - corner[top, right] - corner[bottom, left] + corner[top, left]
    means: Floats = sums / ((bottom - top) * (right - left))
    return means


def _standardised(change: Floats) -> Floats:
    deviation = change - np.median(change)
    spread = max(1.48 * float(np.median(np.abs(deviation))), 0.25 * float(np.abs(deviation).mean()))
    # Rounding alone leaves changes of about 1e-6 between equal frames.
    return deviation / max(spread, 1e-5)


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
