"""The grounding model: frames and words of one window to frame scores, spans and presence."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from index.errors import ModelError

from .fusion import ChannelDropout, Fusion
from .span import FrameScores, PresenceHead, SpanHead, SpanScorer
from .temporal import SecondsEncoding, TemporalContext

MAX_TOKENS = 64
"""Words beyond SigLIP 2's own limit are not seen."""

MATCHES = 2
"""Direct measures of how well a frame fits the sentence."""


@dataclass(frozen=True)
class GrounderConfig:
    """Everything that shapes the weights or the way they are used."""

    dim: int
    """Channels of a frame."""
    text_dim: int
    """Channels of a word and of the sentence; the same in one embedding space."""
    width: int = 256
    heads: int = 4
    layers: int = 4
    expansion: int = 2
    dilations_s: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0)
    background_tokens: int = 8
    span_width: int = 96
    dropout: float = 0.1
    input_dropout: float = 0.3
    words: bool = True
    """Frames attend to words; otherwise only to the pooled sentence."""
    matched: bool = True
    """Frames are carried into the text's space and multiplied with the sentence there."""
    centred: bool = True
    """The mean frame of the window is taken away: what all frames share tells nothing."""
    scored_spans: bool = True
    """Spans are ranked by their expected IoU; otherwise by start and end scores alone."""
    window_s: float = 150.0

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "dilations_s": list(self.dilations_s)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> GrounderConfig:
        """The configuration that `to_json` wrote.

        Raises:
            ModelError: A key is unknown: the checkpoint comes from a newer version.
        """
        unknown = values.keys() - {field.name for field in fields(cls)}
        if unknown:
            raise ModelError(
                f"the grounder's configuration has unknown keys: {', '.join(sorted(unknown))}",
                "it was made by a newer version; update GroundZero",
            )
        return cls(**{**values, "dilations_s": tuple(values["dilations_s"])})


@dataclass(frozen=True)
class Grounding:
    """What the model says about a batch of windows."""

    scores: FrameScores
    presence: Tensor
    """float [B], logit that the event is in the window."""
    fused: Tensor
    """float [B, T, D], frames that know the sentence."""
    early: Tensor
    """float [B, T, D], frames before temporal context."""
    sentence: Tensor
    """float [B, D]."""
    frame_match: Tensor
    """float [B, T, dim], frames carried into the text's space, for the contrast loss."""
    mask: Tensor
    """bool [B, T]."""
    step_s: float


class Grounder(nn.Module):
    """Temporal context, words, fusion, span and presence heads on cached features."""

    def __init__(self, config: GrounderConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        carried = config.text_dim if config.matched else 0
        if config.matched:
            self.carry = nn.Linear(config.dim, config.text_dim, bias=False)
            nn.init.eye_(self.carry.weight)
            self.contrast_scale = nn.Parameter(torch.tensor(2.5))
            self.agree = nn.Linear(width, width)
            self.match_in = nn.Linear(MATCHES, width)
        self.frame_in = nn.Linear(config.dim + carried, width)
        self.frame_norm = nn.LayerNorm(width)
        self.word_in = nn.Linear(config.text_dim, width)
        self.word_norm = nn.LayerNorm(width)
        self.sentence_in = nn.Linear(config.text_dim, width)
        self.input_drop = ChannelDropout(config.input_dropout)
        self.positions = SecondsEncoding(width)
        self.place = nn.Linear(width, width)
        self.context = TemporalContext(width, config.dilations_s, config.dropout)
        self.fusion = Fusion(
            width,
            config.layers,
            config.heads,
            config.expansion,
            config.background_tokens,
            config.dropout,
        )
        self.span = SpanHead(width, config.dropout)
        if config.scored_spans:
            self.scorer = SpanScorer(width, config.span_width, config.dropout)
        self.presence = PresenceHead(width)

    def forward(
        self,
        frames: Tensor,
        frame_mask: Tensor,
        tokens: Tensor,
        token_mask: Tensor,
        pooled: Tensor,
        step_s: float,
    ) -> Grounding:
        """Grounds one sentence in one window, for every row of the batch.

        Args:
            frames: float [B, T, dim], L2-normalised features, ``step_s`` apart.
            frame_mask: bool [B, T], True = valid, at least one frame.
            tokens: float [B, L, dim], word-level tokens.
            token_mask: bool [B, L]; may be empty of valid ones.
            pooled: float [B, dim], the sentence in the space of the frames.
            step_s: Seconds between frames.
        """
        valid = frame_mask.unsqueeze(-1)
        frames = self._centred(frames.float(), valid)
        carried = self.carry(frames) if self.config.matched else frames[..., :0]
        early = self.frame_norm(self.frame_in(torch.cat([frames, carried], -1))) * valid
        sentence = self.sentence_in(pooled.float() * math.sqrt(self.config.text_dim))
        mixed = self.input_drop(early)
        match = self._match(carried, pooled.float(), frame_mask)
        if self.config.matched:
            mixed = mixed + self.agree(mixed * sentence.unsqueeze(1)) + self.match_in(match)
        times_s = torch.arange(frames.shape[1], device=frames.device) * step_s
        positions = self.place(self.positions(times_s))
        mixed = self.context((mixed + positions) * valid, frame_mask, step_s)
        words, word_mask = self._words(tokens, token_mask, sentence)
        fused = self.fusion(mixed, frame_mask, words, word_mask, positions) * valid
        scores = self.span(fused, frame_mask)
        presence = self.presence(fused, sentence, scores, match, frame_mask, step_s)
        return Grounding(scores, presence, fused, early, sentence, carried, frame_mask, step_s)

    def expected_iou(self, grounding: Grounding, spans: Tensor) -> Tensor:
        """Logit of the expected IoU of spans in frame edges, float [B, N, 2] to [B, N]."""
        logits: Tensor = self.scorer(
            grounding.fused,
            grounding.early,
            grounding.sentence,
            grounding.mask,
            spans,
            grounding.step_s,
        )
        return logits

    def _centred(self, frames: Tensor, valid: Tensor) -> Tensor:
        if self.config.centred:
            total = (frames * valid).sum(1, keepdim=True)
            frames = frames - total / valid.sum(1, keepdim=True).clamp(min=1)
        return frames * valid * math.sqrt(self.config.dim)

    def _match(self, carried: Tensor, pooled: Tensor, mask: Tensor) -> Tensor:
        """How well each frame fits the sentence: cosine and its rank scale, float [B, T, 2]."""
        if not self.config.matched:
            return carried.new_zeros(*mask.shape, MATCHES)
        asked = functional.normalize(pooled, dim=-1).unsqueeze(1)
        along = (carried * asked).sum(-1)
        cosine = along / carried.norm(dim=-1).clamp(min=1e-3)
        count = mask.sum(1, keepdim=True)
        mean = (along * mask).sum(1, keepdim=True) / count
        spread = (((along - mean) * mask).square().sum(1, keepdim=True) / count).sqrt()
        match = torch.stack([4 * cosine, (along - mean) / spread.clamp(min=1e-2)], -1)
        return match * mask.unsqueeze(-1)

    def _words(self, tokens: Tensor, mask: Tensor, sentence: Tensor) -> tuple[Tensor, Tensor]:
        whole = sentence.unsqueeze(1)
        if self.config.words:
            tokens, mask = tokens[:, :MAX_TOKENS].float(), mask[:, :MAX_TOKENS]
            words = torch.cat([self.word_in(tokens), whole], dim=1)
            mask = functional.pad(mask, (0, 1), value=True)
        else:
            words, mask = whole, mask.new_ones(len(mask), 1)
        shown: Tensor = self.input_drop(self.word_norm(words))
        return shown, mask
