"""Cross-modal transformer: layers that alternate cross-attention and self-attention."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_HIDDEN = -1e4


class ChannelDropout(nn.Module):
    """Drops a channel of a row everywhere at once, so one draw serves all frames.

    Args:
        share: Share of dropped channels.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, states: Tensor) -> Tensor:
        """float [B, ..., D] to the same."""
        if not self.training or self.share == 0:
            return states
        shape = (len(states), *(1,) * (states.dim() - 2), states.shape[-1])
        kept = torch.rand(shape, device=states.device) >= self.share
        return states * (kept / (1 - self.share)).to(states.dtype)


class Attention(nn.Module):
    """Multi-head attention; keys outside the mask are never seen.

    Args:
        width: Channels of queries, keys and values.
        heads: Attention heads.
        dropout: Share of dropped output channels.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        self.drop = ChannelDropout(dropout)

    def forward(self, frames: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        """float [B, T, D], float [B, L, D], bool [B, L] to float [B, T, D]."""
        batch, length, width = frames.shape
        query = self._split(self.query(frames))
        key, value = (self._split(part) for part in self.key_value(memory).chunk(2, dim=-1))
        if frames.is_cuda:
            mixed = functional.scaled_dot_product_attention(
                query, key, value, attn_mask=mask[:, None, None, :]
            )
        else:
            logits = query @ (key * (width // self.heads) ** -0.5).transpose(-1, -2)
            hidden = torch.where(mask, 0.0, _HIDDEN).to(logits.dtype)[:, None, None, :]
            mixed = (logits + hidden).softmax(-1).to(value.dtype) @ value
        joined: Tensor = self.out(mixed.transpose(1, 2).reshape(batch, length, width))
        dropped: Tensor = self.drop(joined)
        return dropped

    def _split(self, states: Tensor) -> Tensor:
        batch, length, width = states.shape
        return states.view(batch, length, self.heads, width // self.heads).transpose(1, 2)


class FusionLayer(nn.Module):
    """Attention and a feed-forward part, both residual, normalised before.

    Args:
        width: Channels.
        heads: Attention heads.
        expansion: Width of the feed-forward part over ``width``.
        dropout: Share of dropped channels.
        crossing: Frames attend to words; otherwise to one another.
    """

    def __init__(
        self, width: int, heads: int, expansion: int, dropout: float, crossing: bool
    ) -> None:
        super().__init__()
        self.crossing = crossing
        self.attention_norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads, dropout)
        self.inner_norm = nn.LayerNorm(width)
        self.inner = nn.Sequential(
            nn.Linear(width, expansion * width),
            nn.GELU(),
            ChannelDropout(dropout),
            nn.Linear(expansion * width, width),
            ChannelDropout(dropout),
        )

    def forward(
        self,
        frames: Tensor,
        frame_mask: Tensor,
        words: Tensor,
        word_mask: Tensor,
        positions: Tensor,
    ) -> Tensor:
        """float [B, T, D] with its mask and the words' to float [B, T, D]."""
        placed = self.attention_norm(frames) + positions
        if self.crossing:
            frames = frames + self.attention(placed, words, word_mask)
        else:
            frames = frames + self.attention(placed, placed, frame_mask)
        mixed: Tensor = frames + self.inner(self.inner_norm(frames))
        return mixed


class Fusion(nn.Module):
    """Alternating layers, cross-attention first, over words and learned background tokens.

    Background tokens give frames that fit no word something to attend to.

    Args:
        width: Channels.
        layers: Layers in all.
        heads: Attention heads.
        expansion: Width of the feed-forward part over ``width``.
        background: Learned background tokens; at least one keeps empty queries defined.
        dropout: Share of dropped channels.
    """

    def __init__(
        self, width: int, layers: int, heads: int, expansion: int, background: int, dropout: float
    ) -> None:
        super().__init__()
        self.background = nn.Parameter(torch.randn(background, width) * 0.02)
        self.layers = nn.ModuleList(
            FusionLayer(width, heads, expansion, dropout, crossing=number % 2 == 0)
            for number in range(layers)
        )
        self.norm = nn.LayerNorm(width)

    def forward(
        self,
        frames: Tensor,
        frame_mask: Tensor,
        words: Tensor,
        word_mask: Tensor,
        positions: Tensor,
    ) -> Tensor:
        """Frames that know the sentence.

        Args:
            frames: float [B, T, D].
            frame_mask: bool [B, T], True = valid.
            words: float [B, L, D].
            word_mask: bool [B, L], True = valid.
            positions: float [T, D] or [B, T, D], position encoding.

        Returns:
            float [B, T, D], normalised.
        """
        batch = len(frames)
        words = torch.cat([self.background.to(words.dtype).expand(batch, -1, -1), words], dim=1)
        always = word_mask.new_ones(batch, len(self.background))
        word_mask = torch.cat([always, word_mask], dim=1)
        for layer in self.layers:
            frames = layer(frames, frame_mask, words, word_mask, positions)
        normalised: Tensor = self.norm(frames)
        return normalised
