"""From trained weights to a model folder: measured, calibrated, described."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from index.types import EmbeddingSpace

from ..datasets.features import Features
from ..datasets.records import Record
from ..evaluation.evaluate import presence_report
from ..evaluation.evidence import weigh_evidence
from ..evaluation.held_out_archive import check_on_archive
from ..evaluation.inference import absent_answers, judged, predict
from ..evaluation.metrics import evaluate_submission
from ..grounding.calibration import Judged, fit_temperature
from ..grounding.checkpoint import Checkpoint, save_checkpoint
from ..grounding.grounder import Grounder
from ..grounding.localizer import TrainedLocalizer
from .card import write_card


def official_metrics(
    grounder: Grounder,
    records: Sequence[Record],
    features: Features,
    grid_s: float,
    device: torch.device | str,
) -> dict[str, float]:
    """The official ``brief`` keys of a model on these records."""
    found = predict(grounder, records, features, device=device, grid_s=grid_s)
    truth = [p.record.official() for p in found]
    brief: dict[str, float] = evaluate_submission([p.official() for p in found], truth)["brief"]
    return brief


def presence_of_held_out(
    grounder: Grounder, records: Sequence[Record], features: Features, device: torch.device | str
) -> Judged:
    """What a model says of presence on records that were not trained on, and on the same
    videos, each asked another's sentence."""
    there = predict(grounder, records, features, device=device)
    return judged(there, absent_answers(grounder, records, features, device=device))


def finish(
    out: Path,
    grounder: Grounder,
    val: Sequence[Record],
    features: Features,
    *,
    space: EmbeddingSpace | None,
    grid_s: float,
    training: dict[str, Any],
    device: torch.device | str,
    learned: Sequence[Record] = (),
    write: bool = True,
) -> Checkpoint:
    """Calibrates a model and writes its folder.

    Args:
        out: The model folder.
        grounder: Trained weights.
        val: Records that were not trained on.
        features: Their vectors.
        space: Embedding space of the vectors, where it is known.
        grid_s: Grid of the annotations, 0 without one.
        training: How it was trained and what it scored.
        device: Where it computes.
        learned: Records that it was trained on.
        write: This process writes the folder.
    """
    grounder = grounder.to(device).eval()
    said = presence_of_held_out(grounder, val, features, device)
    measured = {key: value for key, value in presence_report(said).items() if value == value}
    weights = sum(parameter.numel() for parameter in grounder.parameters())
    training = {**training, "parameters": weights, "val_records": len(val), "presence": measured}
    checkpoint = Checkpoint(
        grounder.cpu(),
        fit_temperature(said.logits, said.outcome),
        space,
        grid_s,
        training,
        out.resolve().name,
    )
    if write:
        weighed = weigh_evidence(TrainedLocalizer(checkpoint, str(device)), val, learned, features)
        if weighed is not None:
            standing, evidence = weighed
            training["evidence"] = evidence.to_json()
            checkpoint = replace(checkpoint, standing=standing)
        archive = check_on_archive(
            TrainedLocalizer(checkpoint, str(device)), val, learned, features
        )
        if archive is not None:
            training["archive"] = archive.to_json()
            standing = replace(checkpoint.standing, cut=archive.cut)
            checkpoint = replace(checkpoint, standing=standing)
        save_checkpoint(out, checkpoint)
        write_card(out, checkpoint)
    return checkpoint
