"""The trained grounding model as a Localizer: numpy in, numpy out."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from index.errors import ModelError
from index.types import (
    Background,
    EmbeddingSpace,
    Localization,
    Null,
    ScoredSpan,
    Sentence,
    Span,
    Times,
    Vectors,
    Window,
)

from .beside import calibration_beside
from .checkpoint import Checkpoint, load_checkpoint
from .decoding import DecodeConfig, Decoded, decode, edge_likelihood
from .frame_edges import edges_at_frames
from .grounder import Grounding
from .logistic import sigmoid
from .presence import PresenceCalibration, span_witnesses
from .standing import Standing

Floats = npt.NDArray[np.float64]

CONTEXT_S = 30.0
"""Seconds around a moment that its edges are judged with: half the receptive field."""
REACH_S = 2.5
"""Farthest an edge moves on finer frames: coarse ones are 1 s apart."""
MIN_PROBABILITY = 1e-6
AT_ONCE = 48
"""Windows in one batch: as many as a search looks at."""
QUALITY_DEVIATIONS = 0.3
"""Standard deviations that a span e times less likely than the best of its window is behind."""


@dataclass(frozen=True)
class Claim:
    """One proposed moment and what speaks for it."""

    span: Span
    deviations: float
    """Its best frame's score above the library's mean for the sentence, in standard deviations,
    less what the model holds against its edges."""
    said: float
    """The model's logit that the event is in the window."""


class TrainedLocalizer:
    """Implements index.types.Localizer with a trained checkpoint.

    Args:
        checkpoint: What `load_checkpoint` or a training returned.
        device: Where the model computes.
        decoding: How spans are proposed and kept.
        presence: What the backbone's own cosines say about presence, where that was
            fitted on whole libraries. The checkpoint's presence head was fitted on single
            windows, and the best of a library's many absent windows looks better than one.
        standing: Takes the place of the checkpoint's own.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        device: str = "cpu",
        decoding: DecodeConfig | None = None,
        presence: PresenceCalibration | None = None,
        standing: Standing | None = None,
    ) -> None:
        self._checkpoint = checkpoint
        self.standing = standing or checkpoint.standing
        self._grounder = checkpoint.grounder.to(device).eval()
        self._device = device
        self._decoding = decoding or DecodeConfig(overlap=0.5)
        self._presence = presence

    @classmethod
    def open(
        cls,
        folder: Path,
        space: EmbeddingSpace,
        device: str = "cpu",
        presence: PresenceCalibration | None = None,
    ) -> TrainedLocalizer:
        """The model in a folder, checked against the vectors that it is to read.

        A calibration that lies beside it is used where none is given.

        Args:
            folder: What ``gz train`` wrote.
            space: Embedding space of the library.
            device: Where the model computes.
            presence: Judges presence in place of the checkpoint's head.

        Raises:
            ModelError: The folder is no grounding model, was trained on another space, or its
                calibration is damaged.
        """
        checkpoint = load_checkpoint(folder)
        check_space(checkpoint, space)
        beside = calibration_beside(folder)
        if isinstance(beside, PresenceCalibration):
            return cls(checkpoint, device, presence=presence or beside)
        return cls(checkpoint, device, presence=presence, standing=beside)

    @property
    def name(self) -> str:
        """The checkpoint's name."""
        return self._checkpoint.name or "grounder"

    @property
    def window_s(self) -> float:
        """Length of the windows it wants, in seconds."""
        return self._grounder.config.window_s

    @property
    def knows_model(self) -> bool:
        """True with a calibration of the backbone's own cosines."""
        return self._presence is not None

    def localize(self, window: Window, sentence: Sentence, background: Background) -> Localization:
        """Moments of one window, best first.

        Returns:
            Spans inside ``[0, duration_s]`` with calibrated presence, and a saliency
            logit per frame. Nothing for an empty window or one past the end of the video.
        """
        (answer,) = self.localize_all([window], sentence, background)
        return answer

    def localize_all(
        self, windows: Sequence[Window], sentence: Sentence, background: Background
    ) -> list[Localization]:
        """Moments of each window, as `localize` tells them; the model sees many at once."""
        return [
            Localization((), np.zeros(len(window.times_s), np.float32))
            if answer is None
            else self._told(answer, window, sentence, background)
            for answer, window in zip(self._decoded(windows, sentence), windows, strict=True)
        ]

    def _decoded(self, windows: Sequence[Window], sentence: Sentence) -> list[Decoded | None]:
        """The model's answer to each window; None for an empty one."""
        found: list[Decoded | None] = [None] * len(windows)
        by_step: dict[float, list[int]] = defaultdict(list)
        for number, window in enumerate(windows):
            edges_s = edges_at_frames(window)
            if len(window.times_s) and edges_s[-1] > edges_s[0]:
                by_step[window.step_s].append(number)
        for step_s, numbers in by_step.items():
            for first in range(0, len(numbers), AT_ONCE):
                some = numbers[first : first + AT_ONCE]
                grounding = self._ground([windows[n].vectors for n in some], sentence, step_s)
                answers = decode(self._grounder, grounding, self._decoding)
                for number, answer in zip(some, answers, strict=True):
                    found[number] = answer
        return found

    def _told(
        self, answer: Decoded, window: Window, sentence: Sentence, background: Background
    ) -> Localization:
        if background.null is not None:
            return self._standing(answer, window, sentence, background, background.null)
        here = self._probability(answer.presence)
        found = list(self._in_seconds(answer, window))
        if self._presence is not None and found:
            witnesses = span_witnesses(found[0][0], window, sentence, background)
            here = sigmoid(self._presence.evidence(witnesses))
        best = max(float(answer.scores[0]), MIN_PROBABILITY) if found else 1.0
        spans = tuple(
            ScoredSpan(
                span,
                _log_odds(here) + math.log(max(quality, MIN_PROBABILITY)),
                here * min(1.0, quality / best),
            )
            for span, quality, _ in found
        )
        return Localization(spans, answer.saliency.astype(np.float32))

    def claims(
        self, windows: Sequence[Window], sentence: Sentence, background: Background
    ) -> list[list[Claim]]:
        """What speaks for the moments of each window, before it is weighed."""
        return [
            [] if answer is None else self._claims_of(answer, window, sentence, background)
            for answer, window in zip(self._decoded(windows, sentence), windows, strict=True)
        ]

    def _claims_of(
        self, answer: Decoded, window: Window, sentence: Sentence, background: Background
    ) -> list[Claim]:
        scores = background.scores(window.vectors, sentence.pooled).astype(np.float64)
        deviations = (scores - background.mean) / background.std
        best = max(float(answer.scores[0]), MIN_PROBABILITY) if len(answer.scores) else 1.0
        told = []
        for span, quality, (first, last) in self._in_seconds(answer, window):
            inside = deviations[int(first) : max(int(first) + 1, math.ceil(last))]
            behind = math.log(max(quality, MIN_PROBABILITY) / best)
            stands = float(inside.max()) + QUALITY_DEVIATIONS * behind
            told.append(Claim(span, stands, answer.presence))
        return told

    def _standing(
        self,
        answer: Decoded,
        window: Window,
        sentence: Sentence,
        background: Background,
        null: Null,
    ) -> Localization:
        """Spans judged by how their best frame stands among the whole library's.

        What the model says of presence it learned within single windows, and the best of a
        library's many windows looks better than one; it is heard as far as it helped to search
        held-out windows (`model.evaluation.evidence`).
        """
        spans = [
            ScoredSpan(
                one.span,
                self.standing.ranking(one.deviations, null, one.said),
                self.standing.presence(one.deviations, null, one.said),
            )
            for one in self._claims_of(answer, window, sentence, background)
        ]
        spans.sort(key=lambda proposal: -proposal.score)
        return Localization(tuple(spans), answer.saliency.astype(np.float32))

    @staticmethod
    def _in_seconds(
        answer: Decoded, window: Window
    ) -> Iterator[tuple[Span, float, tuple[float, float]]]:
        """Spans with their quality and their frame edges, best first."""
        edges_s = edges_at_frames(window)
        places = np.arange(len(edges_s))
        for (first, last), quality in zip(answer.spans, answer.scores, strict=True):
            start_s, end_s = np.interp([first, last], places, edges_s)
            if start_s < end_s:
                span = Span(float(start_s), float(end_s))
                yield span, float(quality), (float(first), float(last))

    def tighten(
        self, proposal: ScoredSpan, window: Window, sentence: Sentence, background: Background
    ) -> ScoredSpan:
        """The same moment with its edges re-scored on finer frames.

        Frames that are still coarse stand for all the finer ones they cover, so the
        model sees the same seconds as before and more of those around the edges.
        """
        span = proposal.span
        times_s, vectors = finer_grid(window, span.start_s - CONTEXT_S, span.end_s + CONTEXT_S)
        if len(times_s) < 2:
            return proposal
        grounding = self._ground([vectors], sentence, window.step_s)
        starts = self._near(times_s, span.start_s, window.step_s)
        ends = self._near(times_s, span.end_s, window.step_s)
        pairs = np.array([(s, e) for s in starts for e in ends if e > s], np.float32)
        if not len(pairs):
            return proposal
        best = pairs[int(np.argmax(self._edge_scores(grounding, pairs)))]
        grid_s = np.append(times_s, times_s[-1] + window.step_s)
        start_s = float(grid_s[int(best[0])])
        end_s = min(float(grid_s[int(best[1])]), window.duration_s)
        if not 0 <= start_s < end_s:
            return proposal
        return replace(proposal, span=Span(start_s, end_s))

    def _ground(self, stretches: Sequence[Vectors], sentence: Sentence, step_s: float) -> Grounding:
        """What the model says about stretches of frames, padded to the longest."""
        lengths = torch.tensor([len(vectors) for vectors in stretches])
        frames = torch.zeros(len(stretches), int(lengths.max()), stretches[0].shape[1])
        for row, vectors in enumerate(stretches):
            frames[row, : len(vectors)] = torch.from_numpy(np.ascontiguousarray(vectors))
        mask = torch.arange(frames.shape[1]) < lengths[:, None]
        tokens = torch.from_numpy(np.ascontiguousarray(sentence.tokens, np.float32))
        pooled = torch.from_numpy(np.ascontiguousarray(sentence.pooled, np.float32))
        asked = torch.ones(len(stretches), len(tokens), dtype=torch.bool)
        with torch.no_grad():
            grounding: Grounding = self._grounder(
                frames.to(self._device),
                mask.to(self._device),
                tokens.expand(len(stretches), -1, -1).to(self._device),
                asked.to(self._device),
                pooled.expand(len(stretches), -1).to(self._device),
                step_s,
            )
        return grounding

    def _probability(self, logit: float) -> float:
        return float(self._checkpoint.calibrator.probability(np.array([logit]))[0])

    def _near(self, times_s: Times, edge_s: float, step_s: float) -> list[int]:
        low = round((edge_s - REACH_S - times_s[0]) / step_s)
        high = round((edge_s + REACH_S - times_s[0]) / step_s)
        return list(range(max(0, low), min(len(times_s), high) + 1))

    def _edge_scores(self, grounding: Grounding, pairs: npt.NDArray[np.float32]) -> Floats:
        """Log-likelihood of both edges and of the expected IoU, float64 [N]."""
        spans = torch.from_numpy(pairs)[None].to(self._device)
        with torch.no_grad():
            total = edge_likelihood(grounding, spans)[0]
            if self._grounder.config.scored_spans:
                iou = self._grounder.expected_iou(grounding, spans)[0]
                total = total + torch.nn.functional.logsigmoid(iou)
        scores: Floats = total.double().cpu().numpy()
        return scores


def check_space(checkpoint: Checkpoint, space: EmbeddingSpace) -> None:
    """Raises ModelError where a model was trained on vectors of another space."""
    trained = checkpoint.space
    if trained is None:
        raise ModelError(
            f"{checkpoint.name or 'this grounding model'} was trained on features whose "
            "backbone is not recorded",
            "train on features of this library's model: gz train --videos DIR",
        )
    if trained.id != space.id:
        raise ModelError(
            f"{checkpoint.name} was trained on {trained.backbone} (space {trained.id}), "
            f"the library holds {space.backbone} (space {space.id})",
            "train on this library's model, or index with the other one: gz index --model",
        )


def finer_grid(window: Window, low_s: float, high_s: float) -> tuple[Times, Vectors]:
    """Frames of a window at its nominal spacing: each time takes the latest frame before it.

    Returns:
        Times float64 [N], ``step_s`` apart and inside ``[low_s, high_s]``, and the
        vectors float32 [N, D] that stand there.
    """
    if not len(window.times_s):
        return np.zeros(0), window.vectors[:0]
    step_s = window.step_s
    first = max(low_s, float(window.times_s[0]))
    last = min(high_s, float(window.times_s[-1]))
    count = int(np.floor((last - first) / step_s + 1e-6)) + 1
    times_s = np.round(first / step_s) * step_s + step_s * np.arange(max(count, 0))
    behind = np.searchsorted(window.times_s, times_s + step_s / 2, side="right") - 1
    return times_s, window.vectors[behind.clip(0)]


def _log_odds(probability: float) -> float:
    bounded = min(max(probability, MIN_PROBABILITY), 1 - MIN_PROBABILITY)
    return math.log(bounded / (1 - bounded))
