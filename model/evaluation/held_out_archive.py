"""A small archive made of held-out windows: does a trained model find more than none does?

Inside one window a model only has to say where; a search has to say in which of many. All
windows of the held-out records together are searched for each record's sentence, by the
trained localizer and by the training-free one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from index.types import Background, Localizer, Rivals, Sentence, Span, Vectors, Window
from index.vectors.everyday import RIVALS, STRANGERS, Yardstick, null_of

from ..datasets.features import Features, step_seconds
from ..datasets.records import Record
from ..grounding.standing import Standing
from ..grounding.training_free import TrainingFreeLocalizer

LOOKED_AT = 8
"""Windows, those with the best frames, that are localized for a sentence."""
MOST_QUERIES = 60
_WINDOW_S = 150.0
RIGHT_IOU = 0.5
_SHIPPED = 10.0
"""Hits by which the shipped share counts beside the measured one."""
_SURE = 2.0
"""Standard errors by which a model must find less, sentence by sentence, to be called worse."""


@dataclass(frozen=True)
class ArchiveCheck:
    """How often the first hit is right in an archive of held-out windows."""

    queries: int
    windows: int
    trained: float
    """Share of the sentences whose first hit is right with the model."""
    untrained: float
    """The same with the training-free localizer."""
    cut: float
    """Share of the model's first hits at the right place that are cut out well, a few shipped
    ones counted along."""
    worse: bool
    """The model is right less often, by more than chance makes of so few sentences."""

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the model's folder and for people."""
        return asdict(self)


def check_on_archive(
    localizer: Localizer,
    records: Sequence[Record],
    learned: Sequence[Record],
    features: Features,
) -> ArchiveCheck | None:
    """Measures whether a model helps a search.

    Args:
        localizer: The trained model.
        records: Held out.
        learned: What it was trained on; their sentences stand for everyday ones.
        features: Vectors of both.

    Returns:
        None where it cannot be told: frames and sentences of different spaces, too few
        sentences, or a single window.
    """
    archive = archive_of(records, learned, features)
    if archive is None:
        return None
    chosen = archive.some(MOST_QUERIES)
    ious = np.array(
        [
            [archive.first_iou(one, record) for one in (localizer, TrainingFreeLocalizer())]
            for record in chosen
        ]
    )
    right = (ious >= RIGHT_IOU).astype(np.float64)
    gain = right[:, 0] - right[:, 1]
    placed = float((ious[:, 0] > 0).sum())
    cut = (float(right[:, 0].sum()) + _SHIPPED * Standing().cut) / (placed + _SHIPPED)
    chance = float(gain.std() / np.sqrt(len(gain)))
    trained, untrained = right.mean(axis=0).tolist()
    return ArchiveCheck(
        len(chosen),
        len(archive.windows),
        trained,
        untrained,
        cut,
        bool(gain.mean() < -_SURE * chance),
    )


def archive_of(
    records: Sequence[Record], learned: Sequence[Record], features: Features
) -> HeldOutArchive | None:
    """The archive of some records, with sentences that were learned as everyday ones.

    Args:
        records: Held out.
        learned: What a model was trained on.
        features: Vectors of both.

    Returns:
        None where frames and sentences lie in different spaces, and where there are too few
        sentences or a single window.
    """
    asked = _without_repeats(records, features)
    bank = _bank(learned, {record.query for record in records}, features)
    if bank is None or not asked or features.video(asked[0].video).shape[1] != bank.shape[1]:
        return None
    archive = HeldOutArchive(asked, Yardstick(bank), features)
    return archive if len(archive.windows) >= 2 else None


@dataclass(frozen=True)
class Looked:
    """What a search for one sentence looks at."""

    sentence: Sentence
    background: Background
    numbers: list[int]
    """Of the windows, the one with the best frame first."""


class HeldOutArchive:
    """All windows of some records, with what is usual among them."""

    def __init__(self, records: Sequence[Record], yardstick: Yardstick, features: Features) -> None:
        self.records = tuple(records)
        self._features = features
        self.windows: list[Window] = []
        self._places: list[tuple[str, float]] = []
        for record in records:
            frames = features.video(record.video)
            duration_s = float(record.duration_s or len(frames))
            step_s = step_seconds(len(frames), duration_s)
            length = max(1, round(_WINDOW_S / step_s))
            for first in range(0, len(frames), length):
                part = np.asarray(frames[first : first + length], np.float32)
                times_s = np.arange(len(part), dtype=np.float64) * step_s
                end_s = min(duration_s - first * step_s, len(part) * step_s)
                self.windows.append(Window(times_s, part, step_s, end_s))
                self._places.append((record.video, first * step_s))
        self._frames: Vectors = np.concatenate([window.vectors for window in self.windows])
        self._rivals: Rivals = yardstick.rivals
        self._taken_off, scores = yardstick.measure(self._frames)
        self._null = null_of(
            scores.max(axis=0),
            scores.mean(axis=0, dtype=np.float64),
            scores.std(axis=0, dtype=np.float64),
        )
        lengths = [len(window.vectors) for window in self.windows]
        self._starts: npt.NDArray[np.intp] = np.cumsum([0, *lengths[:-1]])

    def some(self, most: int) -> list[Record]:
        """Up to so many of the records, evenly spread."""
        chosen = np.linspace(0, len(self.records) - 1, min(len(self.records), most)).astype(int)
        return [self.records[n] for n in chosen]

    def video(self, number: int) -> str:
        """The video that a window was cut from."""
        return self._places[number][0]

    def look(self, record: Record, count: int) -> Looked:
        """The windows that a search for a record's sentence would look at first."""
        tokens, pooled = self._features.sentence(record.qid)
        sentence = Sentence(record.query, np.asarray(pooled, np.float32), tokens)
        scores = self._frames @ self._rivals.direction(sentence.pooled) - self._taken_off
        nearest = np.argsort(-np.maximum.reduceat(scores, self._starts))[:count]
        background = Background(
            float(scores.mean()), float(scores.std()), len(scores), self._frames.mean(axis=0),
            rivals=self._rivals, null=self._null,
        )  # fmt: skip
        return Looked(sentence, background, nearest.tolist())

    def first_iou(self, localizer: Localizer, record: Record) -> float:
        """Best IoU of the first hit of a search for a record's sentence with its moments."""
        looked = self.look(record, LOOKED_AT)
        windows = [self.windows[n] for n in looked.numbers]
        answers = localizer.localize_all(windows, looked.sentence, looked.background)
        found = [
            (proposal.score, n, proposal.span)
            for n, answer in zip(looked.numbers, answers, strict=True)
            for proposal in answer.spans
        ]
        if not found:
            return 0.0
        _, number, span = max(found, key=lambda hit: hit[0])
        return self.iou(number, span, record)

    def iou(self, number: int, span: Span, record: Record) -> float:
        """Best IoU of a span of a window with a record's moments."""
        video, first_s = self._places[number]
        if video != record.video:
            return 0.0
        here = Span(span.start_s + first_s, span.end_s + first_s)
        return max(here.iou(Span(*window)) for window in record.windows)


def _without_repeats(records: Sequence[Record], features: Features) -> list[Record]:
    """One record of each video, none whose footage another one shows too.

    Data sets cut windows from the same video, and the same second is no second place.
    """
    seen: set[bytes] = set()
    kept = []
    for record in records:
        frames = {frame.tobytes() for frame in np.asarray(features.video(record.video))}
        if not frames & seen:
            seen |= frames
            kept.append(record)
    return kept


def _bank(learned: Sequence[Record], held_out: set[str], features: Features) -> Vectors | None:
    """Sentences that were learned from, as a bank of everyday ones; None of too few."""
    qids = list({r.query: r.qid for r in learned if r.query not in held_out}.values())
    if len(qids) < RIVALS + STRANGERS:
        return None
    draw = np.random.default_rng(0).permutation(len(qids))[: RIVALS + STRANGERS]
    return np.stack([np.asarray(features.sentence(qids[n])[1], np.float32) for n in draw])
