"""Temporal context: dilated convolutions and a position encoding that both count in seconds.

The dilation follows the sampling rate, so the same weights see the same stretch of
time at 1 fps and at 4 fps.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from .fusion import ChannelDropout

KERNEL = 3


class SecondsEncoding(nn.Module):
    """Sinusoids of the time in seconds, which need not be a whole number.

    Args:
        width: Channels; even.
        shortest_s: Period of the fastest sinusoid.
        longest_s: Period of the slowest one.
    """

    periods_s: Tensor

    def __init__(self, width: int, shortest_s: float = 2.0, longest_s: float = 600.0) -> None:
        super().__init__()
        steps = torch.linspace(math.log(shortest_s), math.log(longest_s), width // 2)
        self.register_buffer("periods_s", steps.exp(), persistent=False)

    def forward(self, times_s: Tensor) -> Tensor:
        """float [...] seconds to float [..., width]."""
        angles = times_s.float().unsqueeze(-1) * (2 * math.pi / self.periods_s)
        return torch.cat([angles.sin(), angles.cos()], dim=-1)


class DilatedBlock(nn.Module):
    """Two dilated convolutions with a residual path; frames beyond the mask count as nothing.

    Args:
        width: Channels in and out.
        dilation_s: Distance between the taps in seconds.
        dropout: Share of dropped channels.
    """

    def __init__(self, width: int, dilation_s: float, dropout: float) -> None:
        super().__init__()
        self.dilation_s = dilation_s
        self.norm = nn.LayerNorm(width)
        self.first = nn.Conv1d(width, width, KERNEL)
        self.second = nn.Conv1d(width, width, KERNEL)
        self.drop = ChannelDropout(dropout)

    def forward(self, frames: Tensor, mask: Tensor, step_s: float) -> Tensor:
        """float [B, T, D], bool [B, T] to float [B, T, D]."""
        dilation = frames_in(self.dilation_s, step_s)
        valid = mask.unsqueeze(1)
        inner = self.norm(frames).transpose(1, 2) * valid
        inner = functional.gelu(_same(inner, self.first, dilation)) * valid
        inner = _same(inner, self.second, dilation)
        placed: Tensor = frames + self.drop(inner.transpose(1, 2)) * mask.unsqueeze(-1)
        return placed


class TemporalContext(nn.Module):
    """A stack of dilated blocks.

    Args:
        width: Channels in and out.
        dilations_s: One block for each, in seconds.
        dropout: Share of dropped channels.
    """

    def __init__(self, width: int, dilations_s: tuple[float, ...], dropout: float) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(DilatedBlock(width, d, dropout) for d in dilations_s)

    def forward(self, frames: Tensor, mask: Tensor, step_s: float) -> Tensor:
        """float [B, T, D], bool [B, T] to float [B, T, D]; ``step_s`` between frames."""
        for block in self.blocks:
            frames = block(frames, mask, step_s)
        return frames


def frames_in(seconds: float, step_s: float) -> int:
    """The whole number of frames nearest to so many seconds; at least one."""
    return max(1, round(seconds / step_s))


def _same(frames: Tensor, convolution: nn.Conv1d, dilation: int) -> Tensor:
    return functional.conv1d(
        frames, convolution.weight, convolution.bias, padding=dilation, dilation=dilation
    )
