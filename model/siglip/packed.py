"""Transformer blocks with weights laid out once for the CPU's matrix kernels.

Fewer and larger products (queries, keys and values in one), the activation inside the product
before it, the residual inside the one after it. Both towers are built of these blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..hub.weights import Array

if TYPE_CHECKING:
    import torch

Pair = tuple["torch.Tensor", "torch.Tensor"]
"""Weight and bias."""


class PackedWeights:
    """One tower's weights, in a number type and layout.

    Args:
        read: Full tensor name to float32 values, adapter applied.
        prefix: What the names of the tower's tensors begin with.
        dtype: What products are computed in.
    """

    def __init__(self, read: Callable[[str], Array], prefix: str, dtype: torch.dtype) -> None:
        self._read, self._prefix, self.dtype = read, prefix, dtype

    def full(self, name: str) -> torch.Tensor:
        """One tensor in float32."""
        import torch

        return torch.from_numpy(np.array(self._read(self._prefix + name)))

    def tensor(self, name: str) -> torch.Tensor:
        """One tensor in the number type of products."""
        import torch

        return torch.from_numpy(np.ascontiguousarray(self._read(self._prefix + name))).to(
            self.dtype
        )

    def norm(self, name: str) -> Pair:
        """Scale and shift of a layer norm."""
        return self.tensor(f"{name}.weight"), self.tensor(f"{name}.bias")

    def linear(self, name: str) -> Pair:
        """A linear layer, ready for `product`."""
        return packed(self.tensor(f"{name}.weight"), self.tensor(f"{name}.bias"))


class PackedBlock:
    """One transformer block of a tower.

    Args:
        weights: The tower's.
        number: Which of its blocks this is.
        heads: Heads of its attention.
        eps: Of its layer norms.
    """

    def __init__(self, weights: PackedWeights, number: int, heads: int, eps: float) -> None:
        import torch

        prefix = f"encoder.layers.{number}."
        names = [f"{prefix}self_attn.{name}_proj" for name in "qkv"]
        self._heads, self._eps = heads, eps
        self._norm1 = weights.norm(f"{prefix}layer_norm1")
        self._qkv = packed(
            torch.cat([weights.tensor(f"{name}.weight") for name in names]),
            torch.cat([weights.tensor(f"{name}.bias") for name in names]),
        )
        self._out = weights.linear(f"{prefix}self_attn.out_proj")
        self._norm2 = weights.norm(f"{prefix}layer_norm2")
        self._fc1 = weights.linear(f"{prefix}mlp.fc1")
        self._fc2 = weights.linear(f"{prefix}mlp.fc2")

    def __call__(self, states: torch.Tensor) -> torch.Tensor:
        """[B, P or L, D] to the same."""
        qkv = product(normed(self._norm1, states, self._eps), self._qkv)
        q, k, v = (split_heads(part, self._heads) for part in qkv.chunk(3, dim=-1))
        states = product_added(attended(q, k, v), self._out, states)
        inner = product(normed(self._norm2, states, self._eps), self._fc1, gelu=True)
        return product_added(inner, self._fc2, states)


def packed(weight: torch.Tensor, bias: torch.Tensor) -> Pair:
    """A linear layer, its weight laid out for the kernels."""
    import torch

    return torch.ops.mkldnn._reorder_linear_weight(weight.contiguous()), bias


def product(states: torch.Tensor, layer: Pair, *, gelu: bool = False) -> torch.Tensor:
    """States through a linear layer, and through the activation where it is asked for."""
    import torch

    activation, kind = ("gelu", "tanh") if gelu else ("none", "")
    result: torch.Tensor = torch.ops.mkldnn._linear_pointwise(states, *layer, activation, [], kind)
    return result


def product_added(states: torch.Tensor, layer: Pair, residual: torch.Tensor) -> torch.Tensor:
    """States through a linear layer, added to the residual."""
    import torch

    result: torch.Tensor = torch.ops.mkldnn._linear_pointwise.binary(
        states, residual, *layer, "add"
    )
    return result


def normed(layer: Pair, states: torch.Tensor, eps: float) -> torch.Tensor:
    """Layer norm over the channels."""
    from torch.nn.functional import layer_norm

    return layer_norm(states, states.shape[-1:], *layer, eps)


def attended(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Attention without a mask, [B, heads, P, D / heads] each, to [B, P, D]."""
    from torch.nn.functional import scaled_dot_product_attention

    return scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def split_heads(states: torch.Tensor, heads: int) -> torch.Tensor:
    """[B, P, D] to [B, heads, P, D / heads]."""
    return states.reshape(*states.shape[:2], heads, -1).transpose(1, 2)
