"""SigLIP's text tower in NumPy, float32.

The same arithmetic as the transformers class, tested against it. A sentence is 64 tokens:
importing torch and transformers would take ten times as long as computing it. The weights
stay mapped: of the vocabulary's table only the rows of the sentence are read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..hub.weights import Array, Shape, Weights

PREFIX = "text_model."


@dataclass(frozen=True)
class TextConfig:
    """Sizes of the text tower, named as in config.json, with its class's defaults."""

    vocab_size: int = 32000
    hidden_size: int = 768
    intermediate_size: int = 3072
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    max_position_embeddings: int = 64
    layer_norm_eps: float = 1e-6
    projection_size: int = 768

    def shapes(self) -> dict[str, Shape]:
        """Name and shape of every tensor of the tower."""
        wide, inner = self.hidden_size, self.intermediate_size
        shapes: dict[str, Shape] = {
            "embeddings.token_embedding.weight": (self.vocab_size, wide),
            "embeddings.position_embedding.weight": (self.max_position_embeddings, wide),
            "final_layer_norm.weight": (wide,),
            "final_layer_norm.bias": (wide,),
            "head.weight": (self.projection_size, wide),
            "head.bias": (self.projection_size,),
        }
        for block in range(self.num_hidden_layers):
            shapes.update(block_shapes(f"encoder.layers.{block}.", wide, inner))
        return {PREFIX + name: shape for name, shape in shapes.items()}


def block_shapes(prefix: str, wide: int, inner: int) -> dict[str, Shape]:
    """Tensors of one transformer block; both towers are built of the same ones."""
    shapes: dict[str, Shape] = {}
    for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
        shapes[f"{prefix}self_attn.{name}.weight"] = (wide, wide)
        shapes[f"{prefix}self_attn.{name}.bias"] = (wide,)
    for name in ("layer_norm1", "layer_norm2"):
        shapes[f"{prefix}{name}.weight"] = (wide,)
        shapes[f"{prefix}{name}.bias"] = (wide,)
    shapes[f"{prefix}mlp.fc1.weight"] = (inner, wide)
    shapes[f"{prefix}mlp.fc1.bias"] = (inner,)
    shapes[f"{prefix}mlp.fc2.weight"] = (wide, inner)
    shapes[f"{prefix}mlp.fc2.bias"] = (wide,)
    return shapes


class TextTower:
    """Token numbers to vectors. `adapted` may change a weight on its way in (LoRA)."""

    def __init__(
        self, weights: Weights, config: TextConfig, adapted: Callable[[str, Array], Array]
    ) -> None:
        weights.require(config.shapes(), PREFIX)
        self._weights = weights
        self._config = config
        table = PREFIX + "embeddings.token_embedding.weight"
        self._tensors = {
            name: adapted(name, weights.array(name)) for name in config.shapes() if name != table
        }
        self._table = table

    def __call__(self, ids: npt.NDArray[np.int64]) -> tuple[Array, Array]:
        """Runs one sentence, on one core.

        Args:
            ids: int64 [L], padded to the trained length; padding takes part, as in training.

        Returns:
            float32 [D] pooled at the last position, and float32 [L, D] every token through
            the same head. Neither is normalised.
        """
        from threadpoolctl import threadpool_limits

        # Products this small gain little from a second core, and where another process keeps
        # that core busy, waiting for it was measured to take 10 to 100 times as long.
        with threadpool_limits(limits=1, user_api="blas"):
            tokens = self._tokens(ids)
        return tokens[-1], tokens

    def _tokens(self, ids: npt.NDArray[np.int64]) -> Array:
        states = self._weights.rows(self._table, ids)
        states = states + self._tensor("embeddings.position_embedding.weight")[: len(ids)]
        for block in range(self._config.num_hidden_layers):
            states = self._block(f"encoder.layers.{block}.", states)
        return self._linear("head", self._norm("final_layer_norm", states))  # [L, D]

    def _block(self, prefix: str, states: Array) -> Array:
        heads = self._config.num_attention_heads
        normed = self._norm(f"{prefix}layer_norm1", states)
        q, k, v = (
            self._linear(f"{prefix}self_attn.{name}_proj", normed)
            .reshape(len(states), heads, -1)
            .transpose(1, 0, 2)  # [heads, L, D / heads]
            for name in "qkv"
        )
        scores = q @ k.transpose(0, 2, 1) * np.float32(q.shape[-1] ** -0.5)
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = (scores / scores.sum(axis=-1, keepdims=True)) @ v
        mixed = mixed.transpose(1, 0, 2).reshape(states.shape)
        states = states + self._linear(f"{prefix}self_attn.out_proj", mixed)
        inner = self._linear(f"{prefix}mlp.fc1", self._norm(f"{prefix}layer_norm2", states))
        return states + self._linear(f"{prefix}mlp.fc2", _gelu_tanh(inner))

    def _tensor(self, name: str) -> Array:
        return self._tensors[PREFIX + name]

    def _linear(self, name: str, states: Array) -> Array:
        product: Any = states @ self._tensor(f"{name}.weight").T
        return np.asarray(product + self._tensor(f"{name}.bias"), np.float32)

    def _norm(self, name: str, states: Array) -> Array:
        centred = states - states.mean(axis=-1, keepdims=True)
        variance = np.mean(centred * centred, axis=-1, keepdims=True)
        scaled = centred / np.sqrt(variance + np.float32(self._config.layer_norm_eps))
        return np.asarray(scaled * self._tensor(f"{name}.weight") + self._tensor(f"{name}.bias"))


def _gelu_tanh(x: Array) -> Array:
    inner = np.float32(np.sqrt(2 / np.pi)) * (x + np.float32(0.044715) * x * x * x)
    return np.asarray(np.float32(0.5) * x * (1 + np.tanh(inner)), np.float32)
