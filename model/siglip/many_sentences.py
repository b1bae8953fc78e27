"""SigLIP's text tower over many sentences at once, in torch's products for processors.

A sentence that somebody asks goes through `TextTower` alone, because starting torch takes
longer than it does. Hundreds at once go through one block after another: only one block's
weights are laid out at a time, and products of many rows run several times as fast.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..hub.weights import Array
from .backbone import Backbone
from .cores import idle_cores
from .packed import PackedBlock, PackedWeights, normed, product
from .route import AGREEMENT, cpu_has_bfloat16
from .text import PREFIX, TextTower

if TYPE_CHECKING:
    import torch

_TRIED = 2
"""Sentences that also go through the tower alone, to see that a form agrees with it."""
_AT_ONCE = 16
"""Sentences in one product; what they make then still fits into a processor's caches."""


def states_of_many(
    backbone: Backbone,
    tower: TextTower,
    ids: npt.NDArray[np.int64],
    threads: int | None,
    watch: Callable[[float], None],
) -> Array:
    """The vectors of tokens by the fastest form that agrees with the tower's own arithmetic.

    Args:
        backbone: The model.
        tower: Its tower for one sentence at a time.
        ids: int64 [N, L], each padded to the trained length.
        threads: Of torch; None takes the cores that are idle.
        watch: Told the share that is done, 0 to 1.

    Returns:
        float32 [N, L, D], not normalised.
    """
    expected = np.stack([tower(row)[0] for row in ids[:_TRIED]])
    for dtype in _dtypes():
        states = _tried(backbone, ids, dtype, threads, watch)
        # Not a number compares as false, so such a form is turned down as well.
        if states is not None and _least_cosine(states[:_TRIED, -1], expected) >= AGREEMENT:
            return states
    alone = []
    for number, row in enumerate(ids, 1):
        alone.append(tower(row)[1])
        watch(number / len(ids))
    return np.stack(alone)


def _dtypes() -> list[torch.dtype]:
    """Number types of products that this machine is fast in, the fastest first."""
    import torch

    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return []
    return [torch.bfloat16, torch.float32] if cpu_has_bfloat16() else [torch.float32]


def _tried(
    backbone: Backbone,
    ids: npt.NDArray[np.int64],
    dtype: torch.dtype,
    threads: int | None,
    watch: Callable[[float], None],
) -> Array | None:
    """The vectors in one form; None where this machine lacks it."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads or idle_cores())
    try:
        return _through_blocks(backbone, ids, dtype, watch)
    except (RuntimeError, NotImplementedError, AttributeError, TypeError):
        # Also where memory is too small: one by one takes the least.
        return None
    finally:
        torch.set_num_threads(before)


def _through_blocks(
    backbone: Backbone,
    ids: npt.NDArray[np.int64],
    dtype: torch.dtype,
    watch: Callable[[float], None],
) -> Array:
    """Token numbers to the vectors of tokens, one block after another."""
    import torch

    config = backbone.text
    weights = PackedWeights(backbone.read, PREFIX, dtype)
    eps, count = config.layer_norm_eps, config.num_hidden_layers
    with torch.inference_mode():
        rows = backbone.weights.rows(f"{PREFIX}embeddings.token_embedding.weight", ids.ravel())
        states = torch.from_numpy(np.array(rows)).reshape(*ids.shape, -1)
        places = weights.full("embeddings.position_embedding.weight")[: ids.shape[1]]
        parts = list(torch.split((states + places).to(dtype), _AT_ONCE))
        for number in range(count):
            block = PackedBlock(weights, number, config.num_attention_heads, eps)
            for place, part in enumerate(parts):
                parts[place] = block(part)
                watch((number + (place + 1) / len(parts)) / count)
        norm, head = weights.norm("final_layer_norm"), weights.linear("head")
        done: Array = product(normed(norm, torch.cat(parts), eps), head).float().numpy()
    return done


def _least_cosine(vectors: Array, expected: Array) -> float:
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(expected, axis=1)
    return float(((vectors * expected).sum(axis=1) / lengths).min())
