"""Span head: per-frame scores, spans decoded from them, and how good each span is expected to be.

Spans are pairs of frame edges: edge ``k`` lies before frame ``k``, so the span
``[a, b]`` covers frames ``a .. b-1`` and edges need not be whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from .fusion import ChannelDropout
from .temporal import frames_in

FRAME_SCORES = ("start", "end", "inside", "saliency")
PROPOSALS, PEAKS = 256, 40
"""Spans that are decoded from a window, from so many likely starts and ends."""
_STEADY = 5
"""Frames, a second apart, of which a match is the mean, so that a flash is no evidence."""
_EXCLUDED = -1e4


@dataclass(frozen=True)
class FrameScores:
    """Logits of every frame, each float [B, T]."""

    start: Tensor
    """The frame is the first of a moment."""
    end: Tensor
    """The frame is the last of a moment."""
    inside: Tensor
    """The frame is in a moment."""
    saliency: Tensor
    """How well the frame fits the sentence; only its order means something."""


class SpanHead(nn.Module):
    """Per-frame start, end, in-moment and saliency scores.

    Args:
        width: Channels of the frames.
        dropout: Share of dropped channels.
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        # The frames right beside a frame at any rate, unlike all that lies below: with taps
        # a second apart, the four frames of one second at 4 fps tell an edge equally well.
        # Trained that way, edges were a fifth farther off on average (0.17 s for 0.14 s).
        self.inner = nn.Conv1d(width, width, 3, padding=1)
        self.drop = ChannelDropout(dropout)
        self.out = nn.Linear(width, len(FRAME_SCORES))

    def forward(self, frames: Tensor, mask: Tensor) -> FrameScores:
        """float [B, T, D], bool [B, T] to logits; masked frames get a very low one."""
        inner = self.inner((frames * mask.unsqueeze(-1)).transpose(1, 2)).transpose(1, 2)
        logits = self.out(self.drop(functional.gelu(inner))).float()
        logits = logits.masked_fill(~mask.unsqueeze(-1), _EXCLUDED)
        return FrameScores(*logits.unbind(-1))


class SpanPooling(nn.Module):
    """Means of frame features over a span, its ends and what lies around it.

    Args:
        context_s: Seconds before and after the span, and of each of its ends.
    """

    regions = 5

    def __init__(self, context_s: float = 4.0) -> None:
        super().__init__()
        self.context_s = context_s

    def forward(self, frames: Tensor, spans: Tensor, mask: Tensor, step_s: float) -> Tensor:
        """Pools five regions: before, head, whole, tail, after.

        Args:
            frames: float [B, T, D].
            spans: float [B, N, 2] in frame edges.
            mask: bool [B, T].
            step_s: Seconds between frames.

        Returns:
            float [B, N, 5, D].
        """
        start, end = spans.float().unbind(-1)
        reach = self.context_s / step_s
        near = ((end - start) / 2).clamp(max=reach)
        low = torch.stack([start - reach, start, start, end - near, end], dim=-1)
        high = torch.stack([start, start + near, end, end, end + reach], dim=-1)
        edge = torch.arange(frames.shape[1], device=frames.device, dtype=low.dtype)
        covered = torch.minimum(high.unsqueeze(-1), edge + 1) - torch.maximum(
            low.unsqueeze(-1), edge
        )
        covered = covered.clamp(min=0) * mask[:, None, None, :]
        weights = covered / covered.sum(-1, keepdim=True).clamp(min=1e-3)
        pooled = torch.bmm(weights.flatten(1, 2).to(frames.dtype), frames)
        return pooled.view(*low.shape, -1)


class SpanScorer(nn.Module):
    """Expects the IoU of a proposed span with the moment that it fits best.

    It sees frames that know the sentence (after fusion), pooled over the span and
    around it, and the sentence's match with the mean of the span's own frames: a
    mean over many frames is a cleaner witness than any frame.

    Args:
        width: Channels of the fused and of the early frames.
        inner: Channels after pooling.
        dropout: Share of dropped channels.
    """

    def __init__(self, width: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.reduce = nn.Linear(width, inner)
        self.witness = nn.Linear(width, inner)
        self.sentence = nn.Linear(width, inner)
        self.pooling = SpanPooling()
        features = (SpanPooling.regions + 2) * inner + 2
        self.score = nn.Sequential(
            nn.LayerNorm(features),
            nn.Linear(features, width),
            nn.GELU(),
            ChannelDropout(dropout),
            nn.Linear(width, width),
            nn.GELU(),
            nn.Linear(width, 1),
        )

    def forward(
        self,
        fused: Tensor,
        early: Tensor,
        sentence: Tensor,
        mask: Tensor,
        spans: Tensor,
        step_s: float,
    ) -> Tensor:
        """Logit of the expected IoU of every span, float [B, N].

        Args:
            fused: float [B, T, D] after fusion.
            early: float [B, T, D] before temporal context.
            sentence: float [B, D].
            mask: bool [B, T].
            spans: float [B, N, 2] in frame edges.
            step_s: Seconds between frames.
        """
        lengths = mask.sum(1)
        inner = self.reduce.out_features
        both = torch.cat([self.reduce(fused), self.witness(early)], -1)
        pooled = self.pooling(both, spans, mask, step_s).float()
        whole = pooled[..., 2, inner:]
        around = (pooled[..., 0, inner:] + pooled[..., 4, inner:]) / 2
        asked = self.sentence(sentence).unsqueeze(1).float()
        length_s = ((spans[..., 1] - spans[..., 0]) * step_s).clamp(min=1e-3)
        share = (spans[..., 1] - spans[..., 0]) / lengths.unsqueeze(1)
        extent = torch.stack([length_s.log(), share], dim=-1)
        features = [pooled[..., :inner].flatten(2), whole * asked, around * asked, extent]
        logits: Tensor = self.score(torch.cat(features, dim=-1)).squeeze(-1).float()
        return logits


class PresenceHead(nn.Module):
    """Is the described event in this window at all?

    Args:
        width: Channels of the frames.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weigh = nn.Linear(width, 1)
        self.out = nn.Sequential(nn.Linear(2 * width + 4, width), nn.GELU(), nn.Linear(width, 1))

    def forward(
        self,
        fused: Tensor,
        sentence: Tensor,
        scores: FrameScores,
        match: Tensor,
        mask: Tensor,
        step_s: float,
    ) -> Tensor:
        """A logit of every window, float [B].

        Args:
            fused: float [B, T, D].
            sentence: float [B, D].
            scores: Logits of the frames.
            match: float [B, T, 2], direct measures of fit; a steady peak is evidence.
            mask: bool [B, T].
            step_s: Seconds between frames.
        """
        weights = self.weigh(fused).squeeze(-1).float().masked_fill(~mask, _EXCLUDED).softmax(-1)
        pooled = (weights.unsqueeze(-1) * fused).sum(1)
        inside = scores.inside.sigmoid()
        peaks = torch.stack([scores.inside.amax(1), (weights * inside).sum(1)], -1)
        seen = torch.cat([pooled, sentence, peaks, _steady_peak(match, step_s)], -1)
        logit: Tensor = self.out(seen).squeeze(-1).float()
        return logit


def _steady_peak(match: Tensor, step_s: float) -> Tensor:
    """Highest mean of neighbours a second apart, float [B, T, C] to [B, C]."""
    apart = frames_in(1.0, step_s)
    series = [match[:, phase::apart].transpose(1, 2) for phase in range(min(apart, match.shape[1]))]
    means = [functional.avg_pool1d(s, _STEADY, stride=1, padding=_STEADY // 2) for s in series]
    return torch.cat(means, -1).amax(-1)


def propose(
    scores: FrameScores, mask: Tensor, count: int, peaks: int = 32, by_inside: bool = True
) -> Tensor:
    """Valid spans decoded from the frame scores, best first.

    Every pair of a likely start and a later likely end is a candidate; it scores
    by both and by the mean in-moment score between them.

    Args:
        scores: Logits of the frames.
        mask: bool [B, T].
        count: Spans to return; fewer candidates are filled up with the whole window.
        peaks: Likely starts and ends to pair.
        by_inside: The in-moment scores count too.

    Returns:
        float [B, count, 2] in frame edges, start < end.
    """
    frames = mask.shape[1]
    starts = _likely(scores.start, min(peaks, frames))
    ends = _likely(scores.end, min(peaks, frames))
    first, last = starts.unsqueeze(2), ends.unsqueeze(1)
    inside = functional.logsigmoid(scores.inside) - functional.logsigmoid(-scores.inside)
    sums = functional.pad((inside * mask).cumsum(1), (1, 0))
    mean = (sums.gather(1, ends + 1).unsqueeze(1) - sums.gather(1, starts).unsqueeze(2)) / (
        last - first + 1
    ).clamp(min=1)
    both = scores.start.gather(1, starts).unsqueeze(2) + scores.end.gather(1, ends).unsqueeze(1)
    known = mask.gather(1, starts).unsqueeze(2) & mask.gather(1, ends).unsqueeze(1)
    total = (
        (both + mean if by_inside else both)
        .masked_fill((last < first) | ~known, -torch.inf)
        .flatten(1)
    )
    kept = min(count, total.shape[1])
    best, chosen = total.topk(kept, dim=1)
    columns = ends.shape[1]
    spans = torch.stack(
        [starts.gather(1, chosen // columns), ends.gather(1, chosen % columns) + 1], dim=-1
    ).float()
    whole = torch.stack([torch.zeros_like(mask.sum(1)), mask.sum(1)], -1).float()
    spans = torch.where(best.isfinite().unsqueeze(-1), spans, whole.unsqueeze(1))
    return torch.cat([spans, whole.unsqueeze(1).expand(-1, count - kept, -1)], dim=1)


def _likely(logits: Tensor, count: int) -> Tensor:
    around = functional.max_pool1d(logits.unsqueeze(1), 3, stride=1, padding=1).squeeze(1)
    return (logits + 2.0 * (logits >= around)).topk(count, dim=1).indices


def span_iou(spans: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Best IoU of every span with any true one, float [B, N]; on the device, for the loss.

    Args:
        spans: float [B, N, 2].
        truth: float [B, M, 2].
        valid: bool [B, M].
    """
    start = torch.maximum(spans[:, :, None, 0], truth[:, None, :, 0])
    end = torch.minimum(spans[:, :, None, 1], truth[:, None, :, 1])
    inter = (end - start).clamp(min=0)
    length = (spans[..., 1] - spans[..., 0])[:, :, None]
    union = length + (truth[..., 1] - truth[..., 0])[:, None, :] - inter
    iou = (inter / union.clamp(min=1e-6)) * valid[:, None, :]
    return iou.amax(-1)
