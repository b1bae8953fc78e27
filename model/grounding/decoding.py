"""From what the model says about a window to ranked spans in seconds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .grounder import Grounder, Grounding
from .overlap import suppress
from .span import PEAKS, PROPOSALS, propose

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class DecodeConfig:
    """How many spans are proposed, compared and kept."""

    proposals: int = PROPOSALS
    peaks: int = PEAKS
    overlap: float = 0.7
    """A span whose IoU with a better one is above this is dropped."""
    edge_weight: float = 0.3
    """How much the likelihood of a span's two edges counts beside its expected IoU. The
    IoU alone is a poor judge among hundreds of proposals, most of them unlike any that
    it was taught on."""
    keep: int = 10


@dataclass(frozen=True)
class Decoded:
    """One window's answer."""

    spans: Floats
    """float64 [N, 2], frame edges, best first."""
    scores: Floats
    """float64 [N], expected IoU lowered by unlikely edges, 0 to 1, falling."""
    presence: float
    """Logit that the event is in the window; not yet calibrated."""
    saliency: Floats
    """float64 [T], logits."""


@torch.no_grad()
def decode(grounder: Grounder, grounding: Grounding, config: DecodeConfig) -> list[Decoded]:
    """Ranked spans, presence and saliency of every row of the batch."""
    by_inside = grounder.config.scored_spans
    spans = propose(grounding.scores, grounding.mask, config.proposals, config.peaks, by_inside)
    scores = _ranking(grounder, grounding, spans, config.edge_weight)
    everything, quality = spans.double().cpu().numpy(), scores.double().cpu().numpy()
    out = []
    for row, length in enumerate(grounding.mask.sum(1).tolist()):
        kept = suppress(everything[row], quality[row], config.overlap, config.keep)
        out.append(
            Decoded(
                everything[row, kept],
                quality[row, kept],
                float(grounding.presence[row]),
                grounding.scores.saliency[row, :length].double().cpu().numpy(),
            )
        )
    return out


def edge_likelihood(grounding: Grounding, spans: Tensor) -> Tensor:
    """Log-likelihood of the frames at both edges of every span, float [B, N]."""
    last_frame = grounding.mask.shape[1] - 1
    first = spans[..., 0].long().clamp(0, last_frame)
    last = (spans[..., 1].long() - 1).clamp(0, last_frame)
    start = grounding.scores.start.log_softmax(-1).gather(1, first)
    end = grounding.scores.end.log_softmax(-1).gather(1, last)
    return start + end


def _ranking(grounder: Grounder, grounding: Grounding, spans: Tensor, weight: float) -> Tensor:
    edges = edge_likelihood(grounding, spans)
    if not grounder.config.scored_spans:
        return (edges / 2).exp()
    # Relative to the likeliest pair, so that the best score stays an expected IoU.
    unlikely = edges - edges.amax(1, keepdim=True)
    return grounder.expected_iou(grounding, spans).sigmoid() * (weight * unlikely).exp()
