"""From what the model says about a window to ranked spans in seconds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from .grounder import Grounder, Grounding
from .span import propose, suppress

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class DecodeConfig:
    """How many spans are proposed, compared and kept."""

    proposals: int = 256
    peaks: int = 40
    overlap: float = 0.7
    """A span whose IoU with a better one is above this is dropped."""
    keep: int = 10


@dataclass(frozen=True)
class Decoded:
    """One window's answer."""

    spans: Floats
    """float64 [N, 2], frame edges, best first."""
    scores: Floats
    """float64 [N], expected IoU, 0 to 1, falling."""
    presence: float
    """Logit that the event is in the window; not yet calibrated."""
    saliency: Floats
    """float64 [T], logits."""


@torch.no_grad()
def decode(grounder: Grounder, grounding: Grounding, config: DecodeConfig) -> list[Decoded]:
    """Ranked spans, presence and saliency of every row of the batch."""
    by_inside = grounder.config.scored_spans
    spans = propose(grounding.scores, grounding.mask, config.proposals, config.peaks, by_inside)
    scores = _ranking(grounder, grounding, spans)
    out = []
    for row, length in enumerate(grounding.mask.sum(1).tolist()):
        kept = suppress(spans[row], scores[row], config.overlap, config.keep)
        out.append(
            Decoded(
                spans[row, kept].double().cpu().numpy(),
                scores[row, kept].double().cpu().numpy(),
                float(grounding.presence[row]),
                grounding.scores.saliency[row, :length].double().cpu().numpy(),
            )
        )
    return out


def _ranking(grounder: Grounder, grounding: Grounding, spans: Tensor) -> Tensor:
    if grounder.config.scored_spans:
        return grounder.expected_iou(grounding, spans).sigmoid()
    first = spans[..., 0].long()
    last = (spans[..., 1].long() - 1).clamp(min=0)
    start = grounding.scores.start.softmax(-1).gather(1, first)
    end = grounding.scores.end.softmax(-1).gather(1, last)
    return (start * end).sqrt()
