"""What a model says about an annotated data set, gathered for ``gz eval``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index.errors import ModelError, UsageError

from ..opening import UNTRAINED
from ..views.render import Screen

if TYPE_CHECKING:
    from model.datasets.features import FeatureFolders
    from model.datasets.records import Record

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Answers:
    """Predictions with all that belongs to them."""

    rows: list[Row]
    """As the evaluator reads them."""
    records: tuple[Record, ...]
    """What was asked, with durations."""
    extra: dict[str, Any] = field(default_factory=dict)
    """Presence and confidence, where the model has them."""
    untrained: dict[str, list[Row]] = field(default_factory=dict)
    """Predictions of the training-free localizer, to show beside."""


def answer(
    screen: Screen,
    spec: str,
    video_dirs: Sequence[Path],
    text_dir: Path,
    records: Sequence[Record],
    device: str | None,
    untrained_beside: bool = False,
) -> Answers:
    """Asks a model every sentence of a data set.

    Args:
        screen: Shows progress and what is skipped.
        spec: A model folder, a hub id, or ``training-free``.
        video_dirs: Features of the videos.
        text_dir: Features of the sentences.
        records: What is asked.
        device: Where a trained model computes.
        untrained_beside: Ask the training-free localizer too.

    Raises:
        UsageError: No video has features.
        ModelError: There is no such model.
    """
    from model.datasets.features import FeatureFolders, with_durations
    from model.evaluation.untrained import training_free_rows
    from model.training.trainer import annotation_grid_s

    source = FeatureFolders(video_dirs, text_dir)
    kept = with_features(screen, records, source)
    widths = _widths(source, kept)
    if spec == UNTRAINED:
        if widths[0] != widths[1]:
            raise UsageError(
                f"frames have {widths[0]} channels and sentences {widths[1]}, but without "
                "training both must be of one model",
                "check --features and --text-features",
            )
        kept = with_durations(kept, source)
        return Answers(list(training_free_rows(kept, source, annotation_grid_s(kept))), kept)
    trained = _trained(screen, spec, source, kept, device)
    if not untrained_beside or widths[0] != widths[1]:
        return trained
    beside = training_free_rows(trained.records, source, annotation_grid_s(kept))
    return Answers(trained.rows, trained.records, trained.extra, {UNTRAINED: list(beside)})


def with_features(
    screen: Screen, records: Sequence[Record], features: FeatureFolders
) -> tuple[Record, ...]:
    """The records whose video and sentence have features; the others are named.

    Raises:
        UsageError: None has.
    """
    missing = features.missing(record.video for record in records)
    if missing:
        some = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        screen.warning(f"{len(missing)} videos have no features and are skipped: {some}")
    gone = set(missing)
    kept = tuple(r for r in records if r.video not in gone and features.has_sentence(r.qid))
    unsaid = len(records) - len(kept) - sum(r.video in gone for r in records)
    if unsaid:
        screen.warning(f"{unsaid} sentences have no features and are skipped")
    if not kept:
        raise UsageError("no annotated video has features", "check --features, --text-features")
    return kept


def _widths(source: FeatureFolders, records: Sequence[Record]) -> tuple[int, int]:
    """Channels of a frame and of a sentence."""
    _, pooled = source.sentence(records[0].qid)
    return source.video(records[0].video).shape[1], pooled.shape[0]


def _trained(
    screen: Screen,
    spec: str,
    source: FeatureFolders,
    records: tuple[Record, ...],
    device: str | None,
) -> Answers:
    import numpy as np

    from model.evaluation.evaluate import confidence_report, presence_report
    from model.evaluation.inference import (
        absent_answers,
        almost_right_answers,
        judged,
        predict,
    )
    from model.evaluation.retrieval_recall import video_recall
    from model.grounding.checkpoint import load_checkpoint
    from model.hardware.devices import best_device
    from model.training.card import fetch

    checkpoint = load_checkpoint(fetch(spec))
    config, widths = checkpoint.grounder.config, _widths(source, records)
    if (config.dim, config.text_dim) != widths:
        raise ModelError(
            f"{spec} was trained on frames of {config.dim} and sentences of {config.text_dim} "
            f"channels, but these features have {widths[0]} and {widths[1]}",
            "give features of the model that it was trained on",
        )
    where = device or best_device()
    grounder = checkpoint.grounder.to(where)
    with screen.progress() as progress:
        done = 0

        def watch(count: int) -> None:
            nonlocal done
            done += count
            progress.update(min(1.0, done / (2 * len(records))), f"{done} windows answered")

        def presences(questions: Sequence[Record]) -> list[float]:
            return [
                answer.presence for answer in predict(grounder, questions, source, device=where)
            ]

        found = predict(
            grounder, records, source, device=where, grid_s=checkpoint.grid_s, watch=watch
        )
        there = [answer for answer in found if answer.record.windows]
        shown = [answer.record for answer in there]
        absent = absent_answers(grounder, shown, source, device=where, watch=watch)
        almost = almost_right_answers(grounder, shown, source, device=where)
        retrieval = video_recall(shown, source, presences) if shown else {}
    asked = tuple(answer.record for answer in found)
    stated = checkpoint.calibrator.probability(np.array([answer.presence for answer in found]))
    rows: list[Row] = [
        {**answer.official(), "pred_presence": float(presence)}
        for answer, presence in zip(found, stated, strict=True)
    ]
    pairs = [(row, record.official()) for row, record in zip(rows, asked, strict=True)]
    extra: dict[str, Any] = {}
    if there:
        extra["presence"] = presence_report(judged(there, absent))
        extra["confidence"] = confidence_report(pairs)
        extra["retrieval"] = retrieval
    if almost:
        extra["presence_almost_right"] = presence_report(judged(there, almost))
    return Answers(rows, asked, extra)
