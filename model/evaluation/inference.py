"""A trained model over whole data sets: predictions in the form that the evaluator reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ..datasets.features import Features
from ..datasets.records import Record
from ..datasets.windows import CLIP_S, MomentDataset, Sample, collate
from ..grounding.calibration import Judged
from ..grounding.decoding import DecodeConfig, Decoded, decode
from ..grounding.grounder import Grounder
from ..grounding.logistic import sigmoid
from ..grounding.overlap import suppress
from ..hardware.precision import autocast

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Prediction:
    """The model's answer to one record."""

    record: Record
    """What was asked, with the length of its video."""
    windows: Floats
    """float64 [N, 3], start_s, end_s, score; best first."""
    presence: float
    """Logit that the event is in the video."""
    saliency: Floats
    """float64 [clips], one score per 2 s clip."""

    def official(self) -> dict[str, Any]:
        """The row under QVHighlights' own keys."""
        return {
            "qid": self.record.qid,
            "query": self.record.query,
            "vid": self.record.video,
            "pred_relevant_windows": [[float(f"{v:.4f}") for v in row] for row in self.windows],
            "pred_saliency_scores": [float(f"{v:.4f}") for v in self.saliency],
        }


def predict(
    grounder: Grounder,
    records: Sequence[Record],
    features: Features,
    *,
    device: torch.device | str = "cpu",
    batch_size: int = 64,
    grid_s: float = 0.0,
    config: DecodeConfig | None = None,
    watch: Callable[[int], None] | None = None,
) -> list[Prediction]:
    """Answers every record.

    Args:
        grounder: In evaluation mode.
        records: What is asked.
        features: Where the vectors come from.
        device: Where the model lies.
        batch_size: Windows at once.
        grid_s: Ends are rounded to multiples of this, as annotators' tools did; 0 leaves
            them alone.
        config: How spans are decoded.
        watch: Told how many windows were answered.
    """
    dataset = MomentDataset(records, features, window_s=np.inf)
    decoding = config or DecodeConfig()
    gathered: dict[int, list[tuple[float, Decoded]]] = {}
    shapes: dict[int, tuple[int, float]] = {}
    for chunk in _chunks(dataset, grounder.config.window_s, batch_size):
        batch = collate([window for _, _, window in chunk]).to(device)
        with torch.no_grad(), autocast(device):
            grounding = grounder(
                batch.frames,
                batch.frame_mask,
                batch.tokens,
                batch.token_mask,
                batch.pooled,
                batch.step_s,
            )
            answers = decode(grounder, grounding, decoding)
        for (number, offset, window), answer in zip(chunk, answers, strict=True):
            gathered.setdefault(number, []).append((float(offset), answer))
            shapes[number] = (offset + len(window.frames), window.step_s)
        if watch is not None:
            watch(len(chunk))
    return [
        _joined(records[number], gathered[number], *shapes[number], grid_s, decoding)
        for number in range(len(records))
    ]


def absent_answers(
    grounder: Grounder,
    records: Sequence[Record],
    features: Features,
    *,
    device: torch.device | str = "cpu",
    batch_size: int = 64,
    seed: int = 0,
    watch: Callable[[int], None] | None = None,
) -> list[Prediction]:
    """The answers where each video is asked another video's sentence."""
    swapped = ask_others(records, seed)
    return predict(grounder, swapped, features, device=device, batch_size=batch_size, watch=watch)


def almost_right_answers(
    grounder: Grounder,
    records: Sequence[Record],
    features: Features,
    *,
    device: torch.device | str = "cpu",
    batch_size: int = 64,
) -> list[Prediction]:
    """The answers where each video is asked sentences that are almost right."""
    asked = [replace(r, qid=qid) for r in records for qid in features.almost_right(r.qid)]
    return predict(grounder, asked, features, device=device, batch_size=batch_size)


def judged(there: Sequence[Prediction], absent: Sequence[Prediction]) -> Judged:
    """What was said of presence where the event is there, and where it is not.

    A sentence that is almost right counts as the query that it was made of.
    """
    answers = [*there, *absent]
    return Judged(
        np.array([answer.presence for answer in answers]),
        np.arange(len(answers)) < len(there),
        tuple(answer.record.query for answer in answers),
    )


def ask_others(records: Sequence[Record], seed: int) -> list[Record]:
    """Every record with the sentence of a record about another video."""
    order = np.random.default_rng([seed, len(records)]).permutation(len(records))
    place = {int(number): position for position, number in enumerate(order)}
    swapped = []
    for number, record in enumerate(records):
        for step in range(1, len(records)):
            other = records[int(order[(place[number] + step) % len(order)])]
            if other.video != record.video and other.query != record.query:
                break
        else:
            continue
        swapped.append(replace(record, qid=other.qid, query=other.query))
    return swapped


def _chunks(
    dataset: MomentDataset, window_s: float, batch_size: int
) -> Iterator[list[tuple[int, int, Sample]]]:
    """Windows of one sampling rate at a time: record number, first frame, sample."""
    waiting: dict[float, list[tuple[int, int, Sample]]] = {}
    for number in range(len(dataset)):
        whole = dataset[number]
        for offset in _offsets(len(whole.frames), round(window_s / whole.step_s)):
            last = offset + round(window_s / whole.step_s)
            cut = replace(whole, frames=whole.frames[offset:last], edges=[])
            cut = replace(cut, saliency=whole.saliency[offset:last])
            group = waiting.setdefault(whole.step_s, [])
            group.append((number, offset, cut))
            if len(group) == batch_size:
                yield waiting.pop(whole.step_s)
    yield from waiting.values()


def _offsets(frames: int, length: int) -> list[int]:
    """First frames of windows that overlap by half and end with the video."""
    if frames <= length:
        return [0]
    return sorted({*range(0, frames - length, max(1, length // 2)), frames - length})


def _joined(
    record: Record,
    answers: list[tuple[float, Decoded]],
    frames: int,
    step_s: float,
    grid_s: float,
    config: DecodeConfig,
) -> Prediction:
    duration_s = record.duration_s or frames * step_s
    rows = []
    saliency = np.full(frames, -np.inf)
    for offset, answer in answers:
        trust = 1.0 if len(answers) == 1 else sigmoid(answer.presence)
        spans = (answer.spans + offset) * step_s
        rows.append(np.column_stack([spans, answer.scores * trust]))
        part = slice(int(offset), int(offset) + len(answer.saliency))
        saliency[part] = np.maximum(saliency[part], answer.saliency)
    windows = np.concatenate(rows)
    if grid_s:
        windows[:, :2] = np.round(windows[:, :2] / grid_s) * grid_s
        windows[:, 1] = np.maximum(windows[:, 1], windows[:, 0] + grid_s)
    windows[:, :2] = windows[:, :2].clip(0, duration_s)
    windows = windows[windows[:, 1] > windows[:, 0]]
    kept = suppress(windows[:, :2], windows[:, 2], config.overlap, config.keep)
    presence = max(answer.presence for _, answer in answers)
    clips = _clip_scores(saliency, step_s, max(1, int(duration_s / CLIP_S)))
    timed = replace(record, duration_s=duration_s)
    return Prediction(timed, windows[kept], presence, clips)


def _clip_scores(saliency: Floats, step_s: float, clips: int) -> Floats:
    times_s = (np.arange(len(saliency)) + 0.5) * step_s
    which = np.minimum((times_s / CLIP_S).astype(int), clips - 1)
    total = np.bincount(which, weights=saliency, minlength=clips)
    count = np.bincount(which, minlength=clips)
    known = count > 0
    means = total / np.maximum(count, 1)
    return np.interp(np.arange(clips), np.flatnonzero(known), means[known])
