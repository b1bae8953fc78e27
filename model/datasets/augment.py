"""Training-time changes of a sample: other backgrounds, other order, no moment at all.

Windows and frames change together; a piece that is pasted takes on the style of the
video it enters: its own mean is taken away and the host's is added.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Edges = list[tuple[float, float]]


@dataclass(frozen=True)
class AugmentConfig:
    """Shares of samples, 0 to 1, that each change touches."""

    background: float = 0.5
    """Pieces outside the moments come from other videos."""
    piece: float = 0.5
    """Of the pieces of such a sample, how many are replaced."""
    roll: float = 0.3
    """The timeline starts elsewhere and wraps around."""
    absent: float = 0.2
    """The event is not there: another sentence, or the moments are pasted over."""
    by_sentence: float = 0.5
    """Of the absent ones, how many are asked another sentence."""
    almost: float = 0.5
    """Of the other sentences, how many are almost right, where there are such."""
    hard: float = 0.1
    """Samples beside which another video's window stands that a search would bring as well."""


def blend(donor: Array, host_mean: Array) -> Array:
    """A donor's frames in the host's style, float32 [T, D], L2-normalised."""
    moved = donor - donor.mean(0) + host_mean
    unit: Array = moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-6)
    return unit


def gaps(edges: Edges, frames: int) -> list[tuple[int, int]]:
    """Stretches of whole frames that no moment touches."""
    free = np.ones(frames, bool)
    for start, end in edges:
        free[int(start) : int(np.ceil(end))] = False
    steps = np.flatnonzero(np.diff(np.concatenate([[0], free.view(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in steps.reshape(-1, 2)]


def pieces(
    stretch: tuple[int, int], rng: np.random.Generator, mean_frames: float
) -> list[tuple[int, int]]:
    """A stretch cut at random into pieces of about this length."""
    start, end = stretch
    cuts = [start]
    while cuts[-1] < end:
        cuts.append(min(end, cuts[-1] + 2 + int(rng.exponential(mean_frames))))
    return list(pairwise(cuts))


def paste(
    frames: Array,
    stretches: list[tuple[int, int]],
    donor: Array,
    rng: np.random.Generator,
) -> Array:
    """Frames with these stretches replaced by pieces of the donor, wherever they lie in it."""
    moved = blend(donor, frames.mean(0))
    out = frames.copy()
    for start, end in stretches:
        length = min(end - start, len(moved))
        offset = int(rng.integers(0, len(moved) - length + 1))
        out[start : start + length] = moved[offset : offset + length]
    return out


def roll(
    frames: Array, edges: Edges, saliency: Array, rng: np.random.Generator
) -> tuple[Array, Edges, Array]:
    """The same scenes from another starting point; no moment is cut in two."""
    free = [cut for a, b in gaps(edges, len(frames)) for cut in range(a, b + 1)]
    if not free:
        return frames, edges, saliency
    cut = int(rng.choice(free)) % len(frames)
    moved = [
        (s - cut, e - cut) if s >= cut else (s - cut + len(frames), e - cut + len(frames))
        for s, e in edges
    ]
    return np.roll(frames, -cut, axis=0), moved, np.roll(saliency, -cut)
