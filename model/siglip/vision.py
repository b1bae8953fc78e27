"""SigLIP's vision tower in torch: the transformers class, and a faster form of it for CPUs.

Both take uint8 pictures and share one function that turns them into normalised floats.
Which of them runs is decided in `route`; whatever is not the reference has to agree
with it on the model's own weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..hub.weights import Array, Shape
from .packed import (
    PackedBlock,
    PackedWeights,
    attended,
    normed,
    packed,
    product,
    product_added,
    split_heads,
)
from .text import block_shapes

if TYPE_CHECKING:
    import torch

PREFIX = "vision_model."
ReadTensor = Callable[[str], Array]
"""Full tensor name to float32 values, adapter applied."""


@dataclass(frozen=True)
class VisionConfig:
    """Sizes of the vision tower, named as in config.json, with its class's defaults."""

    hidden_size: int = 768
    intermediate_size: int = 3072
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    image_size: int = 224
    patch_size: int = 16
    layer_norm_eps: float = 1e-6

    @property
    def grid(self) -> int:
        """Patches along one side."""
        return self.image_size // self.patch_size

    @property
    def gflops(self) -> float:
        """Work for one picture, in 10^9 floating-point operations (a multiply-add is two)."""
        patches, wide, inner = self.grid**2, self.hidden_size, self.intermediate_size
        block = 8 * patches * wide**2 + 4 * patches**2 * wide + 4 * patches * wide * inner
        return (self.num_hidden_layers * block + 6 * patches * self.patch_size**2 * wide) / 1e9

    def shapes(self) -> dict[str, Shape]:
        """Name and shape of every tensor of the tower."""
        wide, inner, patch = self.hidden_size, self.intermediate_size, self.patch_size
        shapes: dict[str, Shape] = {
            "embeddings.patch_embedding.weight": (wide, 3, patch, patch),
            "embeddings.patch_embedding.bias": (wide,),
            "embeddings.position_embedding.weight": (self.grid**2, wide),
            "post_layernorm.weight": (wide,),
            "post_layernorm.bias": (wide,),
            "head.probe": (1, 1, wide),
            "head.attention.in_proj_weight": (3 * wide, wide),
            "head.attention.in_proj_bias": (3 * wide,),
            "head.attention.out_proj.weight": (wide, wide),
            "head.attention.out_proj.bias": (wide,),
            "head.layernorm.weight": (wide,),
            "head.layernorm.bias": (wide,),
            "head.mlp.fc1.weight": (inner, wide),
            "head.mlp.fc1.bias": (inner,),
            "head.mlp.fc2.weight": (wide, inner),
            "head.mlp.fc2.bias": (wide,),
        }
        for block in range(self.num_hidden_layers):
            shapes.update(block_shapes(f"encoder.layers.{block}.", wide, inner))
        return {PREFIX + name: shape for name, shape in shapes.items()}


class VisionTower(Protocol):
    """Normalised pixels to vectors."""

    dtype: torch.dtype

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """float [B, 3, H, W] to [B, D], not normalised."""
        ...


def normalised(
    pictures: torch.Tensor, mean: tuple[float, ...], std: tuple[float, ...], rescale: float
) -> torch.Tensor:
    """uint8 [B, H, W, 3] to float32 [B, 3, H, W], scaled and normalised as the model expects."""
    import torch

    pixels = pictures.permute(0, 3, 1, 2).to(torch.float32)
    shift = torch.tensor(mean, device=pictures.device)[:, None, None]
    spread = torch.tensor(std, device=pictures.device)[:, None, None]
    return (pixels * rescale - shift) / spread


class ReferenceTower:
    """The tower as transformers runs it, with PyTorch's fused attention."""

    def __init__(
        self, read: ReadTensor, config: VisionConfig, dtype: torch.dtype, device: str
    ) -> None:
        self.dtype = dtype
        self._module = transformers_tower(read, config).to(device=device, dtype=dtype)

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """float [B, 3, H, W] to [B, D], not normalised."""
        pooled: torch.Tensor = self._module(pixel_values=pixels.to(self.dtype)).pooler_output
        return pooled


def transformers_tower(read: ReadTensor, config: VisionConfig) -> torch.nn.Module:
    """The transformers module with its weights, float32 on the CPU, in evaluation mode."""
    import torch
    from transformers import SiglipConfig, SiglipModel

    vision = {name: getattr(config, name) for name in VisionConfig.__dataclass_fields__}
    text = {"vocab_size": 2, "num_hidden_layers": 0, "pad_token_id": 0}
    text |= {"bos_token_id": 0, "eos_token_id": 1}
    with torch.device("meta"):
        whole = SiglipModel(SiglipConfig(text_config=text, vision_config=vision))
    tower: torch.nn.Module = whole.vision_model
    state = {
        name: torch.from_numpy(np.ascontiguousarray(read(PREFIX + name)))
        for name in tower.state_dict()
    }
    tower.load_state_dict(state, strict=True, assign=True)
    for module in tower.modules():
        # A constant that is not stored with the weights.
        if "position_ids" in dict(module.named_buffers(recurse=False)):
            module.position_ids = torch.arange(config.grid**2).expand(1, -1)
    return tower.eval().requires_grad_(False)


class PackedTower:
    """The same tower of packed blocks, its patches taken as a product too."""

    def __init__(self, read: ReadTensor, config: VisionConfig, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self._config = config
        weights = PackedWeights(read, PREFIX, dtype)
        patches = weights.tensor("embeddings.patch_embedding.weight")
        self._patches = packed(
            patches.reshape(config.hidden_size, -1),
            weights.tensor("embeddings.patch_embedding.bias"),
        )
        self._positions = weights.tensor("embeddings.position_embedding.weight")
        self._blocks = [
            PackedBlock(weights, number, config.num_attention_heads, config.layer_norm_eps)
            for number in range(config.num_hidden_layers)
        ]
        self._last_norm = weights.norm("post_layernorm")
        self._pack_head(weights)

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """float [B, 3, H, W] to [B, D], not normalised."""
        states = self._embed(pixels.to(self.dtype))
        for block in self._blocks:
            states = block(states)
        return self._pool(normed(self._last_norm, states, self._config.layer_norm_eps))

    def _embed(self, pixels: torch.Tensor) -> torch.Tensor:
        grid, patch = self._config.grid, self._config.patch_size
        used = grid * patch  # a picture's last pixels are dropped when they fill no patch
        cells = pixels[:, :, :used, :used].reshape(-1, 3, grid, patch, grid, patch)
        cells = cells.permute(0, 2, 4, 1, 3, 5).reshape(-1, grid * grid, 3 * patch * patch)
        return product(cells, self._patches) + self._positions  # [B, P, D]

    def _pool(self, states: torch.Tensor) -> torch.Tensor:
        k, v = (self._split(part) for part in product(states, self._head_kv).chunk(2, dim=-1))
        q = self._split(self._head_query.expand(len(states), 1, -1))
        pooled = product(attended(q, k, v), self._head_out)  # [B, 1, D]
        again = normed(self._head_norm, pooled, self._config.layer_norm_eps)
        inner = product(again, self._head_fc1, gelu=True)
        return product_added(inner, self._head_fc2, pooled)[:, 0]

    def _split(self, states: torch.Tensor) -> torch.Tensor:
        return split_heads(states, self._config.num_attention_heads)

    def _pack_head(self, weights: PackedWeights) -> None:
        wide, dtype = self._config.hidden_size, self.dtype
        weight = weights.full("head.attention.in_proj_weight")
        bias = weights.full("head.attention.in_proj_bias")
        # The question that the head asks is the same for every picture.
        query = weights.full("head.probe") @ weight[:wide].T + bias[:wide]
        self._head_query = query.to(dtype)  # [1, 1, D]
        self._head_kv = packed(weight[wide:].to(dtype), bias[wide:].to(dtype))
        self._head_out = weights.linear("head.attention.out_proj")
        self._head_norm = weights.norm("head.layernorm")
        self._head_fc1 = weights.linear("head.mlp.fc1")
        self._head_fc2 = weights.linear("head.mlp.fc2")
