"""What a score is compared with: everyday sentences, and questions that nothing answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Rivals:
    """Everyday sentences that compete with a query for every frame."""

    center: Floats
    """float32 [D], their mean, not normalised; taken off every sentence."""
    directions: Floats
    """float32 [R, D], the sentences without it, L2-normalised."""
    nearest: int
    """How many of a frame's best rivals count."""
    weight: float
    """Share of those rivals' mean that is taken off a frame's score."""

    def direction(self, pooled: Floats) -> Floats:
        """A sentence without what all sentences share, float32 [D], L2-normalised."""
        apart = pooled - self.center
        direction: Floats = (apart / max(float(np.linalg.norm(apart)), 1e-12)).astype(np.float32)
        return direction

    def share(self, scores: Floats) -> Floats:
        """What rivals take off each frame, float32 [T], by their own scores, [T, R]."""
        best = np.partition(scores, -self.nearest, axis=1)[:, -self.nearest :]
        taken_off: Floats = self.weight * best.mean(axis=1)
        return taken_off

    def scores(self, vectors: Floats, pooled: Floats) -> Floats:
        """How much better a sentence fits frames than everyday sentences do, float32 [T]."""
        own: Floats = vectors @ self.direction(pooled)
        own -= self.share(vectors @ self.directions.T)
        return own


@dataclass(frozen=True)
class Null:
    """The best score, in standard deviations, that the searched videos give to a question
    which is about none of them."""

    middle: float
    spread: float
