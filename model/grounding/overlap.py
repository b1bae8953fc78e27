"""How much spans overlap, and the best of those that overlap too much."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Positions = npt.NDArray[np.intp]


def iou_matrix(spans: Floats, others: Floats) -> Floats:
    """Intersection over union of every span with every other, [N, 2] x [M, 2] -> [N, M]."""
    start = np.maximum(spans[:, None, 0], others[None, :, 0])
    end = np.minimum(spans[:, None, 1], others[None, :, 1])
    inter = np.maximum(0.0, end - start)
    union = (spans[:, 1] - spans[:, 0])[:, None] + (others[:, 1] - others[:, 0])[None] - inter
    out: Floats = np.zeros_like(inter)
    np.divide(inter, union, out=out, where=union > 0)
    return out


def suppress(spans: Floats, scores: Floats, overlap: float, keep: int) -> Positions:
    """Greedy non-maximum suppression.

    Args:
        spans: float64 [N, 2].
        scores: float64 [N]; of equal ones the first listed is the better.
        overlap: A span whose IoU with a better one is above this is dropped.
        keep: Spans to keep at most.

    Returns:
        Indices of the kept spans, best first.
    """
    left = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while len(left) and len(kept) < keep:
        best, left = left[0], left[1:]
        kept.append(int(best))
        left = left[iou_matrix(spans[best : best + 1], spans[left])[0] <= overlap]
    return np.array(kept, dtype=np.intp)
