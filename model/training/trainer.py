"""Trains the grounding model on cached features."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from accelerate import Accelerator  # type: ignore[import-untyped]
from torch import Tensor, nn
from torch.utils.data import Sampler

from index.errors import ModelError, UsageError
from index.types import EmbeddingSpace

from ..datasets.augment import AugmentConfig
from ..datasets.features import FeatureFolders
from ..datasets.hard_windows import hard_windows
from ..datasets.records import Record
from ..datasets.windows import Batch, JoinedDataset, MomentDataset
from ..grounding.checkpoint import Checkpoint
from ..grounding.grounder import Grounder, GrounderConfig
from ..hardware.devices import check_device
from ..hardware.precision import autocast
from .finishing import finish, official_metrics
from .loading import batches_of, loading_processes
from .losses import LossConfig, grounding_loss
from .state import STATE, TRAINING, MovingAverage, Progress, load_state, save_state

FINE_WINDOW_S = 60.0
"""Longest 4 fps stretch in one sample: a moment's edges with the receptive field around."""


@dataclass(frozen=True)
class TrainConfig:
    """How the weights are found."""

    epochs: int = 14
    batch_size: int = 32
    rate: float = 5e-4
    final_rate: float = 0.01
    """Share of the rate that is left at the end of the cosine."""
    weight_decay: float = 0.05
    warmup_steps: int = 300
    clip: float = 1.0
    """Largest norm of a gradient."""
    average: float = 0.998
    """Decay of the moving average of the weights; the average is what is kept."""
    patience: int = 6
    """Epochs without a better metric before training ends; 0 never ends early."""
    metric: str = "MR-full-mAP"
    """Official key that chooses the best epoch."""
    seed: int = 0
    workers: int = 0
    hull: bool = False
    """The one target is the stretch from the first start to the last end."""
    loss: LossConfig = field(default_factory=LossConfig)
    augment: AugmentConfig | None = field(default_factory=AugmentConfig)

    def to_json(self) -> dict[str, Any]:
        """Plain values, for people and for checking a resumed training."""
        return asdict(self)


class TrainObserver(Protocol):
    """Told how a training goes."""

    def step(self, epoch: int, step: int, steps: int, loss: float, left_s: float) -> None:
        """A step of an epoch is done; ``left_s`` seconds remain if none is left out."""
        ...

    def epoch(self, row: dict[str, Any]) -> None:
        """An epoch is done: losses, rate, official metrics, seconds."""
        ...


class Objective(nn.Module):
    """Model and loss in one module, so that several devices share every gradient."""

    def __init__(self, grounder: Grounder, config: LossConfig) -> None:
        super().__init__()
        self.grounder = grounder
        self._config = config

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Weighted loss terms and their ``total``."""
        grounding = self.grounder(
            batch.frames,
            batch.frame_mask,
            batch.tokens,
            batch.token_mask,
            batch.pooled,
            batch.step_s,
        )
        return grounding_loss(self.grounder, grounding, batch, self._config)


_ASK_EVERY = 10
"""Steps between two looks at the loss on a card, each of which waits until it has caught up."""
_POOL_BATCHES = 32
"""Batches among which samples are sorted by length: enough to save padding, few enough
that every epoch mixes anew."""


class StepSampler(Sampler[list[int]]):
    """Batches of one sampling rate, in an order that only the seed and the epoch decide.

    Samples of like length share a batch, as far as chance leaves it open: a short one
    beside a long one is mostly padding. Where all are as long, nothing changes.

    Args:
        groups: Numbers of the samples of each sampling rate.
        lengths_s: Length of every sample.
        batch_size: Samples in a batch.
        seed: Of the order.
    """

    def __init__(
        self,
        groups: Sequence[Sequence[int]],
        lengths_s: npt.NDArray[np.float64],
        batch_size: int,
        seed: int,
    ) -> None:
        self._groups = groups
        self._lengths_s = lengths_s
        self._batch_size = batch_size
        self._seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return sum(max(1, len(group) // self._batch_size) for group in self._groups)

    def __iter__(self) -> Iterator[list[int]]:
        rng = np.random.default_rng([self._seed, self.epoch, 1])
        batches = []
        for group in self._groups:
            count = max(1, len(group) // self._batch_size)
            chosen = rng.permutation(np.array(group))[: count * self._batch_size]
            order = self._alike(chosen)
            batches += [order[k * self._batch_size :][: self._batch_size] for k in range(count)]
        for number in rng.permutation(len(batches)):
            yield batches[number].tolist()

    def _alike(self, order: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The order with every few batches' worth of samples sorted by length."""
        pool = _POOL_BATCHES * self._batch_size
        starts = range(0, len(order), pool)
        pools = [order[first : first + pool] for first in starts]
        sorted_ = [part[np.argsort(self._lengths_s[part], kind="stable")] for part in pools]
        return np.concatenate(sorted_)


class Trainer:
    """One training run into one model folder.

    Args:
        shape: The model's configuration.
        config: How it is trained.
        train: Records to learn from.
        val: Records that choose the best epoch and calibrate presence.
        features: Vectors of both.
        out: The model folder.
        observer: Told how it goes.
        device: ``cpu``, ``cuda``, ``cuda:1`` or ``mps``; None takes the best one.
        fine: The same videos at 4 fps, so that edges are learned there too.
        space: Embedding space of the features, where it is known.
    """

    def __init__(
        self,
        shape: GrounderConfig,
        config: TrainConfig,
        train: Sequence[Record],
        val: Sequence[Record],
        features: FeatureFolders,
        out: Path,
        observer: TrainObserver,
        device: str | None = None,
        fine: FeatureFolders | None = None,
        space: EmbeddingSpace | None = None,
    ) -> None:
        if not train or not val:
            raise UsageError("training needs records to learn from and others to check on")
        if config.metric.startswith("HL") and not all(record.saliency for record in val):
            raise UsageError(
                f"{config.metric} needs ratings, and not every record to check on is rated",
                "choose the best epoch by a metric of moments, like MR-full-mAP",
            )
        self.config, self._features, self._out = config, features, out
        self._train, self._val = tuple(train), tuple(val)
        self._observer = observer
        check_device(device)
        if device is not None and device.startswith("cuda:"):
            torch.cuda.set_device(device)  # which accelerate then takes
        self._accelerator = Accelerator(cpu=device == "cpu")
        torch.manual_seed(config.seed)
        # Moved before anything is derived from it: the average lies where the weights lie.
        self._objective = Objective(Grounder(shape), config.loss).to(self._accelerator.device)
        self._space = space
        wanted = config.augment is not None and config.augment.hard > 0
        hard = hard_windows(train, features, shape.window_s, config.seed) if wanted else ()
        parts = [
            MomentDataset(
                train, source, window_s, config.augment, config.seed + k, config.hull, hard
            )
            for k, (source, window_s) in enumerate(
                [(features, shape.window_s)] + ([(fine, FINE_WINDOW_S)] if fine else [])
            )
        ]
        self._data = JoinedDataset(parts)
        self._sampler = StepSampler(
            self._data.by_step(), self._data.lengths_s(), config.batch_size, config.seed
        )
        where = self._accelerator.device
        self._loader = batches_of(
            self._data, self._sampler, where, config.workers or loading_processes(where)
        )
        self._optimizer = torch.optim.AdamW(
            _decayed(self._objective, config.weight_decay), lr=config.rate, betas=(0.9, 0.98)
        )
        self._average = MovingAverage(self._grounder, config.average)
        self._progress = Progress()
        self._best: dict[str, Tensor] = {}
        self.grid_s = annotation_grid_s(train)

    @property
    def _grounder(self) -> Grounder:
        return self._objective.grounder

    def run(self, resume: bool = True) -> Checkpoint:
        """Trains to the end and leaves the best average, calibrated, in the folder.

        Args:
            resume: Go on from the last whole epoch in the folder, if there is one.

        Raises:
            ModelError: The folder holds the state of another training.
            NoSpaceError: The disk is full; the last whole epoch is kept.
        """
        state = self._out / TRAINING
        if (state / STATE).is_file():
            if not resume:
                raise UsageError(f"{self._out} holds a training already", "use --resume")
            self._progress, self._best = load_state(
                state, self._grounder, self._average, self._optimizer
            )
            if self._progress.history and self._progress.history[0].get("config") != _plain(
                self.config
            ):
                raise ModelError(
                    f"{self._out} holds a training with other settings",
                    "give the same settings, or a fresh folder with --out",
                )
        # The optimizer has its state where it wants it; its step counts belong on the processor.
        module, optimizer, loader = self._accelerator.prepare(
            self._objective, self._optimizer, self._loader, device_placement=[True, False, True]
        )
        while not self._finished():
            self._epoch(module, optimizer, loader)
            if self._accelerator.is_main_process:
                save_state(
                    state,
                    self._grounder,
                    self._average,
                    self._optimizer,
                    self._best,
                    self._progress,
                )
            self._accelerator.wait_for_everyone()
        return self._done()

    def _finished(self) -> bool:
        p, patience = self._progress, self.config.patience
        return p.epoch >= self.config.epochs or (
            patience > 0 and p.epoch - p.best_epoch >= patience and p.epoch > 0
        )

    def _epoch(self, module: nn.Module, optimizer: Any, loader: Any) -> None:
        p, began = self._progress, time.monotonic()
        rank = self._accelerator.process_index
        torch.manual_seed(self.config.seed * 1_000_003 + p.epoch * 1009 + rank)
        self._data.redraw(p.epoch)
        self._sampler.epoch = p.epoch
        module.train()
        on_processor = self._accelerator.device.type == "cpu"
        sums: dict[str, Tensor] = {}
        steps, total = len(loader), 0.0
        for number, batch in enumerate(loader, 1):
            rate = self._rate(p.step, steps)
            for group in optimizer.param_groups:
                group["lr"] = rate
            with autocast(self._accelerator.device):
                terms = module(batch.to(self._accelerator.device))
            optimizer.zero_grad()
            self._accelerator.backward(terms["total"])
            self._accelerator.clip_grad_norm_(module.parameters(), self.config.clip)
            optimizer.step()
            p.step += 1
            self._average.update(self._grounder, p.step)
            for name, value in terms.items():
                sums[name] = sums.get(name, 0.0) + value.detach()
            if on_processor or number % _ASK_EVERY == 0 or number == steps:
                total = float(sums["total"]) / number
            each_s = (time.monotonic() - began) / number
            left_s = each_s * (steps * (self.config.epochs - p.epoch) - number)
            self._observer.step(p.epoch, number, steps, total, left_s)
        p.epoch += 1
        self._scored({name: float(value) / steps for name, value in sums.items()}, rate, began)

    def _scored(self, losses: dict[str, float], rate: float, began: float) -> None:
        p = self._progress
        averaged = self._averaged()
        brief = official_metrics(
            averaged, self._val, self._features, self.grid_s, self._accelerator.device
        )
        row = {"epoch": p.epoch, "losses": losses, "rate": rate, "metrics": brief}
        if not p.history:
            row["config"] = _plain(self.config)
        if brief[self.config.metric] > p.best:
            p.best, p.best_epoch = brief[self.config.metric], p.epoch
            self._best = {name: t.clone().cpu() for name, t in averaged.state_dict().items()}
        p.history.append(row)
        self._observer.epoch({**row, "seconds": time.monotonic() - began})

    def _averaged(self) -> Grounder:
        averaged = Grounder(self._grounder.config)
        averaged.load_state_dict(self._average.tensors)
        return averaged.to(self._accelerator.device).eval()

    def _rate(self, step: int, steps: int) -> float:
        total = max(1, steps * self.config.epochs)
        warm = min(1.0, (step + 1) / max(1, min(self.config.warmup_steps, total // 10)))
        wave = 0.5 * (1 + math.cos(math.pi * min(1.0, step / total)))
        low = self.config.final_rate
        return self.config.rate * warm * (low + (1 - low) * wave)

    def _done(self) -> Checkpoint:
        grounder = Grounder(self._grounder.config)
        grounder.load_state_dict(self._best or self._average.tensors)
        best = self._progress.history[self._progress.best_epoch - 1]
        return finish(
            self._out,
            grounder,
            self._val,
            self._features,
            space=self._space,
            grid_s=self.grid_s,
            training={
                "config": _plain(self.config),
                "epochs": self._progress.epoch,
                "best_epoch": self._progress.best_epoch,
                "metrics": best["metrics"],
                "train_records": len(self._data),
            },
            device=self._accelerator.device,
            learned=self._train,
            write=self._accelerator.is_main_process,
        )


def annotation_grid_s(records: Sequence[Record]) -> float:
    """2 s where every annotated end lies on multiples of it (QVHighlights), else 0."""
    ends = np.array([end for record in records for window in record.windows for end in window])
    return 2.0 if len(ends) >= 100 and np.all(ends % 2.0 == 0) else 0.0


def _plain(config: TrainConfig) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(config.to_json()))
    return plain


def _decayed(module: nn.Module, decay: float) -> list[dict[str, Any]]:
    matrices = [p for p in module.parameters() if p.ndim > 1]
    others = [p for p in module.parameters() if p.ndim <= 1]
    return [{"params": matrices, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
