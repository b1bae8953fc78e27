"""Annotated windows as training samples, and samples as padded batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from multiprocessing.sharedctypes import RawValue
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Dataset

from .augment import AugmentConfig, Edges, gaps, paste, pieces, roll
from .features import Features, step_seconds
from .hard_windows import HardWindow
from .records import Record

Array = npt.NDArray[np.float32]
CLIP_S = 2.0
"""Length of a rated clip of QVHighlights."""
_TOP_RATING = 4.0


@dataclass(frozen=True)
class Sample:
    """One sentence and one window of one video."""

    qid: int | str
    frames: Array
    """float32 [T, D]."""
    step_s: float
    tokens: Array
    """float32 [L, D]."""
    pooled: Array
    """float32 [D]."""
    edges: Edges
    """Moments in frame edges; empty when the event is not in the window."""
    saliency: Array
    """float32 [T], 0 to 1; zero outside moments."""
    rated: bool
    """Saliency was rated by people rather than filled from the moments."""
    rival: Array | None = None
    """float32 [T, D]: another video's window that looks right for the sentence and is not."""


@dataclass(frozen=True)
class Batch:
    """Padded tensors; masks are True where valid."""

    qids: tuple[int | str, ...]
    frames: Tensor
    """float [B, T, D]."""
    frame_mask: Tensor
    tokens: Tensor
    """float [B, L, D]."""
    token_mask: Tensor
    pooled: Tensor
    """float [B, D]."""
    spans: Tensor
    """float [B, M, 2] in frame edges."""
    span_mask: Tensor
    saliency: Tensor
    """float [B, T]."""
    rated: Tensor
    """bool [B]."""
    present: Tensor
    """bool [B]."""
    rival_of: Tensor
    """int64 [R]: the last R rows are rivals of these, with the same sentences."""
    step_s: float

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on a device."""
        moved: dict[str, Any] = {
            field.name: value.to(device, non_blocking=True)
            for field in fields(self)
            if isinstance(value := getattr(self, field.name), Tensor)
        }
        return replace(self, **moved)

    def pin_memory(self) -> Batch:
        """The same batch where a card can fetch it by itself; a DataLoader asks for it."""
        pinned: dict[str, Any] = {
            field.name: value.pin_memory()
            for field in fields(self)
            if isinstance(value := getattr(self, field.name), Tensor)
        }
        return replace(self, **pinned)


class MomentDataset(Dataset[Sample]):
    """Records with their features as samples.

    Each sample of each epoch is drawn from its own seed, so the order of workers, and
    an interruption, change nothing.

    Args:
        records: What to serve; every one needs features and a known or derivable length.
        features: Where the vectors come from.
        window_s: Longest stretch of video in one sample; longer videos are cropped
            around a moment.
        augment: Changes for training; None serves the records as they are.
        seed: Seed of all random choices.
        hull: The one target is the stretch from the first start to the last end.
        hard: For each record, other videos' windows that a search would bring.
    """

    def __init__(
        self,
        records: Sequence[Record],
        features: Features,
        window_s: float,
        augment: AugmentConfig | None = None,
        seed: int = 0,
        hull: bool = False,
        hard: Sequence[Sequence[HardWindow]] = (),
    ) -> None:
        self._hard = hard
        self.records = tuple(map(_hull, records)) if hull else tuple(records)
        self._features = features
        self._window_s = window_s
        self._augment = augment
        self._seed = seed
        self._epoch = RawValue("q", 0)  # seen by loading processes that live for many epochs

    def redraw(self, epoch: int) -> None:
        """Chooses the random changes of the samples that follow.

        Not called ``set_epoch``: accelerate would call that with its own count, which
        starts anew when a training is resumed.
        """
        self._epoch.value = epoch

    def by_step(self) -> list[list[int]]:
        """Numbers of the records, grouped by the sampling rate of their features."""
        groups: dict[float, list[int]] = {}
        for number, record in enumerate(self.records):
            groups.setdefault(self._step_s(record), []).append(number)
        return [groups[step_s] for step_s in sorted(groups)]

    def lengths_s(self) -> npt.NDArray[np.float64]:
        """Seconds of video in each sample, float64 [N]; the window's where nothing is known."""
        return np.array([min(r.duration_s or np.inf, self._window_s) for r in self.records])

    def read_ahead(self) -> None:
        """Reads the features of all samples, so that processes forked later share them."""
        for record in self.records:
            self._features.video(record.video)
            self._features.sentence(record.qid)

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, number: int) -> Sample:
        rng = np.random.default_rng([self._seed, self._epoch.value, number])
        sample = self._crop(self._whole(self.records[number]), rng)
        return sample if self._augment is None else self._changed(sample, number, rng)

    def _whole(self, record: Record) -> Sample:
        frames = self._features.video(record.video)
        tokens, pooled = self._features.sentence(record.qid)
        step_s = self._step_s(record)
        edges = [
            (min(s / step_s, len(frames) - 1e-3), min(e / step_s, float(len(frames))))
            for s, e in record.windows
        ]
        saliency = frame_saliency(record, len(frames), step_s)
        return Sample(
            record.qid, frames, step_s, tokens, pooled, edges, saliency, bool(record.saliency)
        )

    def _step_s(self, record: Record) -> float:
        if record.duration_s is None:
            return 1.0
        return step_seconds(len(self._features.video(record.video)), record.duration_s)

    def _crop(self, sample: Sample, rng: np.random.Generator) -> Sample:
        frames = len(sample.frames)
        length = frames if np.isinf(self._window_s) else round(self._window_s / sample.step_s)
        if frames <= length:
            return sample
        start, end = sample.edges[int(rng.integers(len(sample.edges)))]
        low = max(0, int(min(start, end - length)))
        high = min(frames - length, int(max(start, end - length)))
        first = int(rng.integers(low, max(low, high) + 1))
        kept = [
            (max(s - first, 0.0), min(e - first, float(length)))
            for s, e in sample.edges
            if min(e, first + length) - max(s, first) >= 0.5 * min(e - s, length)
        ]
        return replace(
            sample,
            frames=sample.frames[first : first + length],
            saliency=sample.saliency[first : first + length],
            edges=kept,
        )

    def _changed(self, sample: Sample, number: int, rng: np.random.Generator) -> Sample:
        config = self._augment
        assert config is not None  # noqa: S101 - narrowed by the caller
        touched = rng.random(4)
        if touched[0] < config.background:
            cuts = [
                piece
                for gap in gaps(sample.edges, len(sample.frames))
                for piece in pieces(gap, rng, 12 / sample.step_s)
                if rng.random() < config.piece
            ]
            sample = replace(sample, frames=self._over(sample.frames, cuts, number, rng))
        if touched[1] < config.roll:
            frames, edges, saliency = roll(sample.frames, sample.edges, sample.saliency, rng)
            sample = replace(sample, frames=frames, edges=edges, saliency=saliency)
        if touched[2] < config.absent:
            return self._absent(sample, number, rng, by_sentence=touched[3] < config.by_sentence)
        return self._beside(sample, number, rng)

    def _beside(self, sample: Sample, number: int, rng: np.random.Generator) -> Sample:
        """The sample with a window beside it that looks right for its sentence and is not."""
        hard = self._hard[number] if self._hard else ()
        if not hard or rng.random() >= self._augment_hard:
            return sample
        rival = hard[int(rng.integers(len(hard)))]
        frames = self._features.video(rival.video)
        length = min(len(sample.frames), len(frames))
        at = min(int(rival.at_s / sample.step_s), len(frames) - 1)
        low, high = max(0, at - length + 1), min(at, len(frames) - length)
        first = int(rng.integers(low, high + 1))
        return replace(sample, rival=frames[first : first + length])

    def _absent(
        self, sample: Sample, number: int, rng: np.random.Generator, by_sentence: bool
    ) -> Sample:
        gone = replace(sample, edges=[], saliency=np.zeros_like(sample.saliency))
        if by_sentence:
            tokens, pooled = self._features.sentence(self._asked_instead(number, rng))
            return replace(gone, tokens=tokens, pooled=pooled)
        held = [(int(s), int(np.ceil(e))) for s, e in sample.edges]
        covered = [piece for hold in held for piece in pieces(hold, rng, 12 / sample.step_s)]
        return replace(gone, frames=self._over(sample.frames, covered, number, rng))

    def _asked_instead(self, number: int, rng: np.random.Generator) -> int | str:
        almost = self._features.almost_right(self.records[number].qid)
        if almost and rng.random() < self._augment_almost:
            return almost[int(rng.integers(len(almost)))]
        return self.records[self._other(number, rng)].qid

    @property
    def _augment_almost(self) -> float:
        return 0.0 if self._augment is None else self._augment.almost

    @property
    def _augment_hard(self) -> float:
        return 0.0 if self._augment is None else self._augment.hard

    def _over(
        self,
        frames: Array,
        stretches: list[tuple[int, int]],
        number: int,
        rng: np.random.Generator,
    ) -> Array:
        for stretch in stretches:
            donor = self._features.video(self.records[self._other(number, rng)].video)
            frames = paste(frames, [stretch], donor, rng)
        return frames

    def _other(self, number: int, rng: np.random.Generator) -> int:
        mine = self.records[number]
        for _ in range(8):
            other = int(rng.integers(len(self.records)))
            them = self.records[other]
            if them.video != mine.video and them.query != mine.query:
                return other
        return other


class JoinedDataset(Dataset[Sample]):
    """Several datasets as one, such as the same moments at 1 fps and at 4 fps."""

    def __init__(self, parts: Sequence[MomentDataset]) -> None:
        self._parts = tuple(parts)

    def redraw(self, epoch: int) -> None:
        """Chooses the random changes of all parts."""
        for part in self._parts:
            part.redraw(epoch)

    def read_ahead(self) -> None:
        """Reads the features of all parts."""
        for part in self._parts:
            part.read_ahead()

    def by_step(self) -> list[list[int]]:
        """Numbers grouped by part and by sampling rate."""
        groups, first = [], 0
        for part in self._parts:
            groups += [[first + number for number in group] for group in part.by_step()]
            first += len(part)
        return groups

    def lengths_s(self) -> npt.NDArray[np.float64]:
        """Seconds of video in each sample, float64 [N]."""
        return np.concatenate([part.lengths_s() for part in self._parts])

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def __getitem__(self, number: int) -> Sample:
        for part in self._parts:
            if number < len(part):
                return part[number]
            number -= len(part)
        raise IndexError(number)


def _hull(record: Record) -> Record:
    starts, ends = zip(*record.windows, strict=True)
    return replace(record, windows=((min(starts), max(ends)),))


def frame_saliency(record: Record, frames: int, step_s: float) -> Array:
    """Mean rating of each frame's clip, 0 to 1; 1 inside moments of unrated records."""
    saliency = np.zeros(frames, np.float32)
    times_s = (np.arange(frames) + 0.5) * step_s
    if not record.saliency:
        for start_s, end_s in record.windows:
            saliency[(times_s >= start_s) & (times_s < end_s)] = 1.0
        return saliency
    ratings = dict(zip(record.clip_ids, record.saliency, strict=True))
    for number, clip in enumerate((times_s / CLIP_S).astype(int)):
        if clip in ratings:
            saliency[number] = float(np.mean(ratings[clip])) / _TOP_RATING
    return saliency


def collate(samples: Sequence[Sample]) -> Batch:
    """Pads samples of one sampling rate to a batch.

    Raises:
        ValueError: The samples differ in their sampling rate.
    """
    steps = {sample.step_s for sample in samples}
    if len(steps) != 1:
        raise ValueError(f"one batch, several sampling rates: {sorted(steps)}")
    rival_of = [row for row, sample in enumerate(samples) if sample.rival is not None]
    samples = [*samples, *(_as_sample(samples[row]) for row in rival_of)]
    frames, frame_mask = _padded([sample.frames for sample in samples])
    tokens, token_mask = _padded([sample.tokens for sample in samples])
    spans, span_mask = _padded(
        [np.array(sample.edges, np.float32).reshape(-1, 2) for sample in samples]
    )
    saliency, _ = _padded([sample.saliency[:, None] for sample in samples])
    return Batch(
        qids=tuple(sample.qid for sample in samples),
        frames=frames,
        frame_mask=frame_mask,
        tokens=tokens,
        token_mask=token_mask,
        pooled=torch.from_numpy(np.stack([sample.pooled for sample in samples])),
        spans=spans,
        span_mask=span_mask,
        saliency=saliency[..., 0],
        rated=torch.tensor([sample.rated for sample in samples]),
        present=torch.tensor([bool(sample.edges) for sample in samples]),
        rival_of=torch.tensor(rival_of, dtype=torch.long),
        step_s=samples[0].step_s,
    )


def _as_sample(sample: Sample) -> Sample:
    """A sample's rival as one of its own, in which the event is not there."""
    assert sample.rival is not None  # noqa: S101 - chosen by the caller
    nowhere = np.zeros(len(sample.rival), np.float32)
    return replace(sample, frames=sample.rival, edges=[], saliency=nowhere, rival=None)


def _padded(arrays: list[Array]) -> tuple[Tensor, Tensor]:
    longest = max(1, max(len(array) for array in arrays))
    out = np.zeros((len(arrays), longest, arrays[0].shape[1]), np.float32)
    mask = np.zeros((len(arrays), longest), bool)
    for row, array in enumerate(arrays):
        out[row, : len(array)] = array
        mask[row, : len(array)] = True
    return torch.from_numpy(out), torch.from_numpy(mask)
