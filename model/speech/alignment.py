"""Which sound each piece of text was heard in, from where the decoder looked while it wrote."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Attention = npt.NDArray[np.float32]
"""Share of each frame of sound in writing each piece of text, [heads, tokens, frames]."""

_SMOOTHING = 7
"""Frames over which a head's look is smoothed."""


def first_frames(attention: Attention, marks: int = 0) -> npt.NDArray[np.int64]:
    """The frame in which each piece of text begins, [tokens - marks], never falling.

    Dynamic time warping: of all ways to walk from the first piece and frame to the last,
    the one along which the heads looked most.

    Args:
        attention: Of each head.
        marks: Tokens at the beginning that are no text; they only tell how much a head looks
            at a frame whatever is written.
    """
    spread = attention.std(axis=1, keepdims=True)
    looks = (attention - attention.mean(axis=1, keepdims=True)) / np.maximum(spread, 1e-6)
    cost = -_smoothed(looks).mean(axis=0)[marks:].astype(np.float64)
    tokens, frames = cost.shape
    begins = np.zeros((tokens, frames), np.int64)
    total = np.cumsum(cost[0])
    totals = [total]
    for row in range(1, tokens):
        # A piece may begin in the frame in which the one before it ends, or in the next.
        before = np.minimum(total, np.concatenate([[np.inf], total[:-1]]))
        run = np.cumsum(cost[row])
        entry = before - (run - cost[row])
        best = np.minimum.accumulate(entry)
        begins[row] = np.maximum.accumulate(np.where(entry <= best, np.arange(frames), 0))
        total = run + best
        totals.append(total)
    found = np.zeros(tokens, np.int64)
    at = frames - 1
    for row in range(tokens - 1, 0, -1):
        at = found[row] = begins[row, at]
        if at and totals[row - 1][at - 1] <= totals[row - 1][at]:
            at -= 1
    return found


def _smoothed(looks: Attention) -> Attention:
    """Median over neighbouring frames."""
    half = _SMOOTHING // 2
    if looks.shape[-1] <= half:
        return looks
    padded = np.pad(looks, ((0, 0), (0, 0), (half, half)), "reflect")
    around = np.lib.stride_tricks.sliding_window_view(padded, _SMOOTHING, axis=-1)
    return np.asarray(np.median(around, axis=-1), np.float32)
