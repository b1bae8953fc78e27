"""Vectors on a graphics card: a copy of an exact index, and training of lists.

The functions are given FAISS itself, so that one file alone knows how it is found. What a
card cannot do, the processor does, and says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..types import Vectors
from .exact import BATCH_ROWS

MOST_HITS = 2048
"""A card gives no more neighbours in one search."""
_SCRATCH_BYTES = 256 << 20
"""Of its own accord FAISS takes 1.5 GB of a large card, which the model may need."""


def cards(backend: Any) -> int:
    """How many cards this build of FAISS can use."""
    return int(backend.get_num_gpus()) if hasattr(backend, "StandardGpuResources") else 0


def on_card(backend: Any, index: Any, note: Callable[[str], None]) -> Any:
    """A copy of a flat index on the first card; None where that is not possible."""
    if not cards(backend):
        return None
    try:
        resources = backend.StandardGpuResources()
        resources.setTempMemory(_SCRATCH_BYTES)
        settings = backend.GpuIndexFlatConfig()
        settings.useFloat16 = isinstance(index, backend.IndexScalarQuantizer)
        copy = backend.GpuIndexFlatIP(resources, index.d, settings)
        for first in range(0, index.ntotal, BATCH_ROWS):
            copy.add(index.reconstruct_n(first, min(BATCH_ROWS, index.ntotal - first)))
    except RuntimeError as error:
        note(f"the graphics card cannot hold the search index, so the CPU searches: {error}")
        return None
    return copy


def train_lists(backend: Any, index: Any, frames: Vectors, note: Callable[[str], None]) -> None:
    """Trains an index of lists, with a card where there is one.

    Args:
        backend: FAISS.
        index: An empty index of lists.
        frames: float32 [N, D].
        note: Told when the card does not serve.
    """
    card = on_card(backend, backend.IndexFlatIP(index.d), note)
    if card is not None:
        index.clustering_index = card
        try:
            index.train(frames)
            return
        except RuntimeError as error:
            note(f"the graphics card cannot train the search index, so the CPU does: {error}")
        finally:
            index.clustering_index = None
            card.thisown = True  # the assignment took it away, and its memory would stay taken
    index.train(frames)
