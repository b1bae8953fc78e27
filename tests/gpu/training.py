"""Training on a card: seconds an epoch, what it ends with, and an adapter of the backbone."""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from ground import Findings, Ground, watched_card

WINDOWS, CHECKED = 7217, 1550
"""Of QVHighlights: what is learned, and what every epoch is checked on."""
EPOCHS = 200


class MadeUp:
    """Implements Features in memory: in some stretch a video looks like its sentence."""

    def __init__(self, dim: int, videos: int, frames: int = 75) -> None:
        import torch

        self.frames = frames
        generator = torch.Generator().manual_seed(0)

        def drawn(*shape: int) -> Any:
            values = torch.randn(*shape, generator=generator)
            return torch.nn.functional.normalize(values, dim=-1).to(torch.float16).numpy()

        self._videos, self._texts = drawn(videos, frames, dim), drawn(videos, 12, dim)
        for number in range(videos):
            first, last = self.span(number)
            self._videos[number, first:last] += 0.3 * self._texts[number, 0]

    def __len__(self) -> int:
        return len(self._videos)

    def span(self, number: int) -> tuple[int, int]:
        """First and last frame of a video's moment, two seconds each."""
        first = (number * 7) % (self.frames // 2)
        return first, first + 2 + number % (self.frames // 4)

    def video(self, name: str) -> Any:
        return self._videos[int(name) % len(self)].astype(np.float32)

    def sentence(self, qid: int | str) -> tuple[Any, Any]:
        words = self._texts[int(qid) % len(self)].astype(np.float32)
        return words, words[0]

    def almost_right(self, qid: int | str) -> tuple[str, ...]:
        return ()

    def records(self, count: int, first: int = 0) -> list[Any]:
        from model.datasets.records import Record

        made = []
        for qid in range(first, first + count):
            start, end = self.span(qid % len(self))
            made.append(
                Record(
                    qid,
                    str(qid),
                    f"thing {qid} happens",
                    ((2.0 * start, 2.0 * end),),
                    2.0 * self.frames,
                )
            )
        return made


class Clock:
    """Implements TrainObserver: when each epoch and each step ended."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.steps_s: list[float] = []

    def step(self, epoch: int, step: int, steps: int, loss: float, left_s: float) -> None:
        self.steps_s.append(time.perf_counter())

    def epoch(self, row: dict[str, Any]) -> None:
        self.rows.append(row)


def check(ground: Ground, findings: Findings) -> None:
    epochs(ground, findings)
    same_as_processor(ground, findings)
    adapter(ground, findings)


def epochs(ground: Ground, findings: Findings) -> None:
    """The default recipe at the size of QVHighlights, with the features of So400m."""
    from model.grounding.grounder import GrounderConfig
    from model.training.presets import preset
    from model.training.trainer import Trainer

    dim, videos, frames = (16, 24, 12) if ground.tiny else (1152, 1500, 75)
    learned, checked = (32, 8) if ground.tiny else (WINDOWS, CHECKED)
    world: Any = MadeUp(dim, videos, frames)
    recipe = preset("default", dim, dim)
    count = 1 if ground.tiny else 3
    config = replace(recipe.config, epochs=count, patience=0)
    small = GrounderConfig(dim, dim, width=16, heads=2, layers=2, span_width=8)
    clock = Clock()
    trainer = Trainer(
        small if ground.tiny else recipe.shape, config,
        world.records(learned), world.records(checked, learned), world,
        ground.scratch / "trained" / "run", clock, ground.device,
    )  # fmt: skip
    findings.add("loading processes", float(trainer._loader.num_workers))
    with watched_card(ground) as busy:
        trainer.run(resume=False)
    each_s = min(row["seconds"] for row in clock.rows)
    findings.add(f"an epoch of {learned:,} windows, checked on {checked:,}", each_s, "s")
    last = clock.steps_s[-(len(clock.steps_s) // count) :]
    steps = [after - before for before, after in pairwise(last)]
    if steps:
        findings.add("a step of 32 windows", 1000 * float(np.mean(steps)), "ms")
    findings.add(f"{EPOCHS} epochs", EPOCHS * each_s / 60, "min", most=10.0, speed=True)
    if busy.share is not None:
        findings.add("the card is busy", busy.share, "of the time", least=0.8, speed=True)


def small_training(device: str, seeds: list[int], out: str) -> list[float]:
    """The last epoch's loss of a brief training with each seed, on one device."""
    from model.grounding.grounder import GrounderConfig
    from model.training.trainer import TrainConfig, Trainer

    world: Any = MadeUp(16, 40, 12)
    shape = GrounderConfig(16, 16, width=32, heads=2, layers=2, span_width=16)
    losses = []
    for seed in seeds:
        config = TrainConfig(epochs=4, batch_size=16, rate=2e-3, patience=0, seed=seed)
        clock = Clock()
        Trainer(
            shape, config, world.records(80), world.records(16, 80), world,
            Path(out) / f"run_{seed}", clock, device,
        ).run(resume=False)  # fmt: skip
        losses.append(float(clock.rows[-1]["losses"]["total"]))
    return losses


def same_as_processor(ground: Ground, findings: Findings) -> None:
    """The card's result lies within what the seed alone changes, three times over."""
    asked = [("cpu", list(range(2 if ground.tiny else 4))), (ground.device, [0])]
    losses: list[list[float]] = []
    for number, (device, seeds) in enumerate(asked):
        folder = str(ground.scratch / f"small_{number}")
        if not ground.on_card:
            losses.append(small_training(device, seeds, folder))
            continue
        # Accelerate keeps one device for as long as a process lives.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            losses.append(pool.submit(small_training, device, seeds, folder).result())
    there, (here,) = losses
    noise = max(there) - min(there)
    findings.add("loss on the processor", there[0], f"{noise:.4f} between seeds")
    findings.add("loss on the card lies apart by", abs(here - there[0]), most=3 * noise)


def adapter(ground: Ground, findings: Findings) -> None:
    """LoRA on the backbone: its pace, its memory, and that what was trained is what is applied."""
    import torch

    from model.grounding.checkpoint import Checkpoint
    from model.grounding.grounder import Grounder, GrounderConfig
    from model.hub.files import find_files
    from model.siglip.backbone import Backbone, source_of
    from model.siglip.encoder import load_encoder
    from model.training.finetune import (
        AdaptedFeatures,
        AdaptedTower,
        FinetuneConfig,
        StateCache,
        finetune,
    )

    folder = ground.model("so400m")
    backbone = Backbone(find_files(source_of(str(folder))))
    dim, side = backbone.vision.hidden_size, backbone.pictures.height
    count, frames = (4, 12) if ground.tiny else (8, 75)
    random = np.random.default_rng(0)
    shown = {
        str(number): list(random.integers(0, 256, (frames, side, side, 3), np.uint8))
        for number in range(count)
    }
    world: Any = MadeUp(dim, count, frames)
    torch.manual_seed(0)
    tower = AdaptedTower(backbone, ground.device, blocks=2 if ground.tiny else 4)
    if ground.on_card:
        torch.cuda.reset_peak_memory_stats()
    cache = StateCache(ground.scratch / "states", tower, shown.__getitem__, 8 << 30)
    shape = GrounderConfig(dim, dim, width=16, heads=2, layers=2, span_width=8)
    clock = Clock()
    config = FinetuneConfig(epochs=1 if ground.tiny else 3, batch_size=2, rate=3e-3)
    finetune(
        Checkpoint(Grounder(shape)), tower, cache, world.records(count), world,
        config, clock, ground.device,
    )  # fmt: skip
    steps = np.diff(clock.steps_s)
    if len(steps):
        findings.add(f"LoRA, a step of 2 windows of {frames} frames", float(np.median(steps)), "s")
    if ground.on_card:
        used = torch.cuda.max_memory_allocated() / 1e9
        findings.add("LoRA, most memory", used, "GB")
    tower.save(ground.scratch / "adapter")
    trained = AdaptedFeatures(world, tower.eval(), cache).video("0")
    applied = load_encoder(str(folder), ground.scratch / "adapter", device=ground.device)
    served = applied.encode_pictures(shown["0"])
    plain = load_encoder(str(folder), device=ground.device).encode_pictures(shown["0"])
    least = float((trained * served).sum(1).min())
    findings.add("LoRA, cosine of the adapter trained and applied", least, least=0.999)
    moved = float((plain * served).sum(1).min())
    findings.add("LoRA, cosine with the model without it", moved)
