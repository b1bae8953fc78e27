"""Finds moments without any training: what every new user meets first.

The video's own self-similarity says where things change; the sentence says which of
those stretches stand out of their surroundings. Numpy only: no torch, no weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from index.types import Background, Localization, ScoredSpan, Sentence, Span, Vectors, Window

from .beside import calibration_beside
from .edges import EdgeSettings, tighten
from .frame_edges import edges_between_frames
from .logistic import sigmoid
from .overlap import suppress
from .presence import PresenceCalibration, frame_witnesses
from .scenes import cut_positions, jump_sizes, novelty, scene_means
from .standing import Standing

Floats = npt.NDArray[np.float64]
Positions = npt.NDArray[np.intp]


@dataclass(frozen=True)
class TrainingFreeSettings:
    """Every number of the training-free localizer, with its reason."""

    window_s: float = 150.0
    """Window length; what the trained grounding uses too."""
    novelty_s: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0)
    """Half widths of the change detectors: hard cuts to slow changes of scene."""
    cut_threshold: float = 1.0
    """Novelty of a cut, in robust deviations. Low on purpose: a spurious cut only adds
    candidates, a missed one makes the right span impossible."""
    cut_reach_s: float = 2.0
    """A cut is the strongest change within this distance."""
    text_cut_threshold: float = 2.0
    """Novelty of a cut in the sentence's cosines alone. Something small that comes into
    an unchanged room moves them, though hardly the picture as a whole."""
    text_cut_jump: float = 1.0
    """Least change at such a cut, in standard deviations of the library's cosines, so
    that the noise of a sentence which fits nothing is not cut to pieces."""
    answer_rise: float = 4.0
    """Standard deviations of the library's cosines that a yes stands above a no, where the
    calibration trusts single frames."""
    center_frames: float = 5.0
    """Weight of the library's mean frame in the centre that is subtracted; it only
    matters in windows of a few frames, whose own mean would erase them."""
    feedback_sharpness: float = 0.5
    """How strongly scenes near the sentence shape the visual prototype. Gentle, because
    the best-matching scene of a zero-shot model is often the wrong one."""
    feedback_share: float = 0.75
    """Share of the visual prototype in a scene's relevance where the sentence alone says
    little; the rest is the sentence itself. Frames resemble frames more reliably than
    text, but likeness also follows what the sentence never asked about."""
    feedback_lead: float = 0.7
    """Lead of the best scene over its window, in standard deviations of the library's
    cosines, that halves that share: a sentence that speaks clearly needs no help."""
    spread_floor: float = 0.25
    """Least spread of relevance that counts, in standard deviations of the library's
    cosines: a window in which nothing stands out must not have its noise amplified."""
    level: float = 0.1
    """Relevance (deviations within the window) that a moment must exceed to grow."""
    level_share: float = 0.5
    """The same as a share of the window's best scene, where scores are compared with everyday
    sentences: these take off what the scenes of a video have in common, so that a neighbour
    that is only like the moment can be told from it."""
    length_power: float = 0.5
    """Growth of a span's score with its length: a mean of n noisy seconds is sqrt(n)
    times as certain."""
    surround_weight: float = 1.0
    """Weight of the relevance just outside, which is subtracted."""
    surround_s: float = 8.0
    """Least stretch on either side that counts as just outside; else the span's length."""
    whole_score: float = 1.0
    """Score of the whole window, the answer when no part of it stands out."""
    nms_iou: float = 0.5
    """Proposals that overlap a better one more than this are dropped."""
    max_spans: int = 10
    """Proposals per window."""
    rank_weight: float = 0.7
    """Evidence that a proposal loses per unit of score behind the best of its window: the
    witnesses look at a span alone, the score at how well it is cut out."""
    rank_deviations: float = 0.2
    """The same in standard deviations, where a null says what a score is worth."""


class TrainingFreeLocalizer:
    """Implements index.types.Localizer by self-similarity and contrast."""

    def __init__(
        self,
        settings: TrainingFreeSettings | None = None,
        calibration: PresenceCalibration | None = None,
        edges: EdgeSettings | None = None,
        standing: Standing | None = None,
    ) -> None:
        self.settings = settings or TrainingFreeSettings()
        self.standing = standing or Standing()
        self._fitted = calibration is not None
        self.calibration = calibration or PresenceCalibration()
        self.edges = edges or EdgeSettings()

    @classmethod
    def beside(cls, folder: Path) -> TrainingFreeLocalizer:
        """The localizer with the calibration that a model's folder carries, if it does.

        Raises:
            ModelError: The folder's calibration is damaged.
        """
        beside = calibration_beside(folder)
        if isinstance(beside, PresenceCalibration):
            return cls(calibration=beside)
        return cls(standing=beside)

    @property
    def name(self) -> str:
        """``training-free``."""
        return "training-free"

    @property
    def window_s(self) -> float:
        """Length of the windows it wants, in seconds."""
        return self.settings.window_s

    @property
    def knows_model(self) -> bool:
        """True with the calibration that a model's folder carries."""
        return self._fitted

    def localize(self, window: Window, sentence: Sentence, background: Background) -> Localization:
        """Moments of one window that stand out of it for a sentence, best first.

        Returns:
            Up to ``max_spans`` spans inside ``[0, duration_s]`` and a saliency per
            frame, in deviations within the window. Nothing for an empty window or one
            that lies past the end of the video.
        """
        frames = len(window.times_s)
        if frames == 0 or window.times_s[0] >= window.duration_s:
            return Localization((), np.zeros(frames, np.float32))
        centred = self._centred(window.vectors, background)
        similarity = (centred @ centred.T).astype(np.float64)
        cosines = (window.vectors @ sentence.pooled).astype(np.float64)
        scored = background.scores(window.vectors, sentence.pooled).astype(np.float64)
        by_text = self._above_window(scored, background)
        if self.calibration.frame_trust:
            answers = self.calibration.frame_answers(cosines, background)
            by_text = (answers - answers.mean()) * self.settings.answer_rise * background.std
        cuts = self._cuts(similarity, by_text, window.step_s, background)
        relevance = self._relevance(by_text, similarity, cuts, background)
        edges_s = edges_between_frames(window)
        starts, ends, scores = self._candidates(
            relevance, cuts, edges_s, 0.0 if background.null is None else self.settings.level_share
        )
        proposed = np.column_stack([edges_s[starts], edges_s[ends]])
        order = suppress(proposed, scores, self.settings.nms_iou, self.settings.max_spans)
        judged = cosines if background.null is None else scored
        spans = self._scored(edges_s, starts[order], ends[order], scores[order], judged, background)
        saliency = np.repeat(relevance, np.diff(cuts)).astype(np.float32)
        return Localization(spans, saliency)

    def localize_all(
        self, windows: Sequence[Window], sentence: Sentence, background: Background
    ) -> list[Localization]:
        """Moments of each window, one after the other."""
        return [self.localize(window, sentence, background) for window in windows]

    def tighten(
        self, proposal: ScoredSpan, window: Window, sentence: Sentence, background: Background
    ) -> ScoredSpan:
        """The same moment with edges moved to the nearby change that divides it best.

        An edge stays where it was when the finer frames show no clear change.
        """
        return replace(proposal, span=tighten(proposal.span, window, self.edges))

    def _above_window(self, scores: Floats, background: Background) -> Floats:
        """Scores without what all frames of the window share, as `_centred` does it."""
        prior = self.settings.center_frames
        above: Floats = scores - (scores.sum() + prior * background.mean) / (len(scores) + prior)
        return above

    def _centred(self, vectors: Vectors, background: Background) -> Vectors:
        """Without what all frames share: the video's style and the gap to text."""
        prior = self.settings.center_frames
        center = (vectors.sum(axis=0) + prior * background.center) / (len(vectors) + prior)
        centred: Vectors = vectors - center.astype(np.float32)
        return centred

    def _cuts(
        self, similarity: Floats, by_text: Floats, step_s: float, background: Background
    ) -> Positions:
        """Where the picture changes, and where its fit to the sentence does."""
        s = self.settings
        widths = sorted({max(1, round(width_s / step_s)) for width_s in s.novelty_s})
        reach = max(1, round(s.cut_reach_s / step_s))
        cuts = cut_positions(novelty(similarity, widths), s.cut_threshold, reach)
        least = s.text_cut_jump * max(background.std, 1e-4)
        jumps = cut_positions(
            np.where(
                jump_sizes(by_text, reach) >= least,
                novelty(np.outer(by_text, by_text), widths),
                -np.inf,
            ),
            s.text_cut_threshold,
            reach,
        )
        gaps = np.abs(jumps[:, None] - cuts[None, :]).min(axis=1)
        return np.union1d(cuts, jumps[gaps > reach])

    def _relevance(
        self, by_text: Floats, similarity: Floats, cuts: Positions, background: Background
    ) -> Floats:
        """How well each scene fits, float64 [S], about mean 0 and spread at most 1.

        Scenes near the sentence, weighted by how near, form a visual prototype; scenes
        are then judged by their likeness to it as well as by the sentence itself.
        """
        s = self.settings
        weights = np.diff(cuts) / cuts[-1]
        text, spread = _standardised(scene_means(by_text, cuts), weights)
        lead = float(text.max()) * spread / max(background.std, 1e-4)
        share = s.feedback_share / (1 + (lead / s.feedback_lead) ** 2)
        floor = s.spread_floor * background.std
        certainty = spread / np.hypot(spread, floor) if spread > 0 else 0.0
        pull = weights * np.exp(s.feedback_sharpness * text)
        between = scene_means(scene_means(similarity, cuts).T, cuts)
        sight, _ = _standardised(between @ pull, weights)
        mixed, _ = _standardised((1 - share) * text + share * sight, weights)
        return mixed * certainty

    def _candidates(
        self, relevance: Floats, cuts: Positions, edges_s: Floats, share: float
    ) -> tuple[Positions, Positions, Floats]:
        """Every run of neighbouring scenes and its score; positions are frames.

        A scene that has less than this share of the best one's relevance shortens a run.
        """
        s = self.settings
        lengths_s = np.diff(edges_s[cuts])
        sums = np.concatenate([[0.0], np.cumsum(relevance * lengths_s)])
        frame_sums = np.interp(edges_s, edges_s[cuts], sums)
        first, last = np.triu_indices(len(cuts), 1)
        starts, ends = cuts[first], cuts[last]
        length_s = edges_s[ends] - edges_s[starts]
        inside = sums[last] - sums[first]
        reach_s = np.maximum(s.surround_s, length_s)
        low = np.maximum(edges_s[0], edges_s[starts] - reach_s)
        high = np.minimum(edges_s[-1], edges_s[ends] + reach_s)
        around = np.interp(high, edges_s, frame_sums) - np.interp(low, edges_s, frame_sums)
        outside_s = np.maximum(high - low - length_s, 1e-9)
        level = max(s.level, share * float(relevance.max()))
        contrast = (inside / length_s - level) * length_s**s.length_power
        scores = contrast - s.surround_weight * (around - inside) / outside_s
        whole = (starts == 0) & (ends == cuts[-1])
        return starts, ends, np.where(whole, s.whole_score, scores)

    def _scored(
        self,
        edges_s: Floats,
        starts: Positions,
        ends: Positions,
        scores: Floats,
        judged: Floats,
        background: Background,
    ) -> tuple[ScoredSpan, ...]:
        spans: list[ScoredSpan] = []
        for start, end, score in zip(starts, ends, scores, strict=True):
            behind = float(scores[0] - score)
            span = Span(float(edges_s[start]), float(edges_s[end]))
            null = background.null
            if null is None:
                own = self.calibration.evidence(frame_witnesses(judged, start, end, background))
                evidence = own - self.settings.rank_weight * behind
                spans.append(ScoredSpan(span, evidence, sigmoid(evidence)))
                continue
            best = (float(judged[start:end].max()) - background.mean) / background.std
            best -= self.settings.rank_deviations * behind
            told = self.standing.presence(best, null)
            spans.append(ScoredSpan(span, self.standing.ranking(best, null), told))
        spans.sort(key=lambda proposal: -proposal.score)
        return tuple(spans)


def _standardised(values: Floats, weights: Floats) -> tuple[Floats, float]:
    """Values with weighted mean 0 and spread 1, and the spread they had."""
    deviation = values - weights @ values
    spread = float(np.sqrt(weights @ deviation**2))
    if spread < 1e-9:
        return np.zeros_like(values), 0.0
    return deviation / spread, spread
