"""What the grounding model is taught, one term for each thing it says."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ..datasets.windows import Batch
from ..grounding.grounder import Grounder, Grounding
from ..grounding.span import PEAKS, PROPOSALS, propose, span_iou


@dataclass(frozen=True)
class LossConfig:
    """Weights of the terms and how candidates are drawn."""

    inside: float = 1.0
    edges: float = 0.5
    saliency: float = 0.5
    quality: float = 2.0
    ranking: float = 0.5
    contrast: float = 0.3
    presence: float = 0.5
    rivals: float = 0.25
    """Presence in the own window above that in another video's which looks right too."""
    proposed: int = 32
    """Candidates decoded from the model's own scores, the best ones."""
    sampled: int = 32
    """Of the hundreds after those, so many at random: decoding meets them too."""
    jittered: int = 24
    """Candidates around the true moments."""
    random: int = 24
    """Candidates anywhere."""
    edge_sigma_s: float = 1.0
    """Softness of a start or end in seconds; 0 makes them a single frame."""
    rank_temperature: float = 0.1
    """How sharply the ranking prefers the span with the best IoU."""


def grounding_loss(
    grounder: Grounder, grounding: Grounding, batch: Batch, config: LossConfig
) -> dict[str, Tensor]:
    """Weighted terms of the loss and their sum under ``total``.

    Args:
        grounder: Scores the candidate spans.
        grounding: What it said about the batch.
        batch: The truth.
        config: Weights.
    """
    scores, mask, present = grounding.scores, grounding.mask, batch.present
    truth = batch.spans
    inside = _coverage(truth, batch.span_mask, mask.shape[1])
    terms = {
        "edges": config.edges * _edge_loss(grounding, batch, config.edge_sigma_s),
        "presence": config.presence
        * functional.binary_cross_entropy_with_logits(grounding.presence, present.float()),
    }
    if config.rivals and len(batch.rival_of):
        terms["rivals"] = config.rivals * _rival_loss(grounding.presence, batch.rival_of)
    if config.inside:
        terms["inside"] = config.inside * _masked_bce(scores.inside, inside, mask)
    if config.saliency:
        terms["saliency"] = config.saliency * _saliency_loss(scores.saliency, inside, batch, mask)
    if config.contrast and grounder.config.matched:
        terms["contrast"] = config.contrast * _contrast_loss(grounder, grounding, inside, batch)
    if grounder.config.scored_spans:
        spans = candidates(grounding, batch, config)
        iou = span_iou(spans, truth, batch.span_mask)
        logits = grounder.expected_iou(grounding, spans)
        terms["quality"] = config.quality * functional.binary_cross_entropy_with_logits(logits, iou)
        target = (iou / config.rank_temperature).softmax(-1)
        ranked = -(target * logits.log_softmax(-1)).sum(-1) + (target * target.log()).sum(-1)
        terms["ranking"] = config.ranking * (ranked * present).sum() / present.sum().clamp(min=1)
    terms["total"] = torch.stack(list(terms.values())).sum()
    return terms


def _rival_loss(presence: Tensor, rival_of: Tensor) -> Tensor:
    ahead = presence[rival_of] - presence[len(presence) - len(rival_of) :]
    return functional.softplus(-ahead).mean()


def candidates(grounding: Grounding, batch: Batch, config: LossConfig) -> Tensor:
    """Spans to score: the model's own, some around the truth, some anywhere; [B, N, 2]."""
    with torch.no_grad():
        lengths = batch.frame_mask.sum(1).float().view(-1, 1)
        decoded = propose(grounding.scores, batch.frame_mask, PROPOSALS, PEAKS)
        late = torch.rand(decoded.shape[:2], device=decoded.device)
        late[:, : config.proposed] = 2.0
        kept = min(config.proposed + config.sampled, decoded.shape[1])
        own = decoded.gather(1, late.topk(kept, dim=1).indices.unsqueeze(-1).expand(-1, -1, 2))
        device = own.device
        rows, moments = batch.span_mask.shape
        pick = torch.rand(rows, config.jittered, device=device) * batch.span_mask.sum(
            1, keepdim=True
        )
        chosen = pick.long().clamp(max=moments - 1).unsqueeze(-1).expand(-1, -1, 2)
        true = batch.spans.gather(1, chosen)
        length = (true[..., 1:] - true[..., :1]).clamp(min=1)
        noise = torch.randn(rows, config.jittered, 2, device=device)
        noise[:, : config.jittered // 4] *= 0.2
        near = true + noise * 0.2 * length
        far = torch.rand(rows, config.random, 2, device=device) * lengths.unsqueeze(-1)
        drawn = torch.cat([near, far], dim=1).sort(dim=-1).values.round()
        low = drawn[..., 0].clamp(min=0).minimum(lengths - 1)
        high = torch.maximum(drawn[..., 1].minimum(lengths), low + 1)
        return torch.cat([own, torch.stack([low, high], -1)], dim=1)


def _coverage(spans: Tensor, valid: Tensor, frames: int) -> Tensor:
    edge = torch.arange(frames, device=spans.device, dtype=spans.dtype)
    high = torch.minimum(spans[..., 1:], edge + 1)
    low = torch.maximum(spans[..., :1], edge)
    return ((high - low).clamp(0, 1) * valid.unsqueeze(-1)).amax(1)


def _masked_bce(logits: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    each = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (each * mask).sum() / mask.sum()


def _edge_loss(grounding: Grounding, batch: Batch, sigma_s: float) -> Tensor:
    sigma = sigma_s / grounding.step_s if sigma_s else 0.1
    frame = torch.arange(grounding.mask.shape[1], device=batch.spans.device) + 0.5
    losses = []
    for logits, place in (
        (grounding.scores.start, batch.spans[..., 0] + 0.5),
        (grounding.scores.end, batch.spans[..., 1] - 0.5),
    ):
        distance = (frame - place.unsqueeze(-1)) / sigma
        soft = torch.exp(-0.5 * distance.square()) * batch.span_mask.unsqueeze(-1)
        target = soft.amax(1) * grounding.mask
        target = target / target.sum(-1, keepdim=True).clamp(min=1e-6)
        cross = -(target * logits.log_softmax(-1)).sum(-1)
        losses.append((cross * batch.present).sum() / batch.present.sum().clamp(min=1))
    return torch.stack(losses).mean()


def _saliency_loss(logits: Tensor, inside: Tensor, batch: Batch, mask: Tensor) -> Tensor:
    target = torch.where(batch.rated.unsqueeze(1), batch.saliency, inside)
    return _masked_bce(logits, target, mask)


def _contrast_loss(
    grounder: Grounder, grounding: Grounding, inside: Tensor, batch: Batch
) -> Tensor:
    present = batch.present
    if present.sum() < 2:
        # Every weight takes part in every step, or several devices wait for one another.
        return (grounding.presence.sum() + grounder.contrast_scale) * 0
    outside = (1 - inside) * grounding.mask
    frames = grounding.frame_match.float()[present]
    moments = _mean_unit(frames, inside[present])
    others = _mean_unit(frames, outside[present])
    sentences = functional.normalize(batch.pooled[present].float(), dim=-1)
    scale = grounder.contrast_scale.exp().clamp(max=100)
    same = scale * sentences @ moments.T
    hard = scale * (sentences * others).sum(-1, keepdim=True)
    target = torch.arange(len(same), device=same.device)
    by_sentence = functional.cross_entropy(torch.cat([same, hard], 1), target)
    return (by_sentence + functional.cross_entropy(same.T, target)) / 2


def _mean_unit(frames: Tensor, weights: Tensor) -> Tensor:
    return functional.normalize((frames * weights.unsqueeze(-1)).sum(1), dim=-1, eps=1e-6)
