"""Training: an interruption changes nothing, it learns, and it refuses what cannot work."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from moment_world import DIM, write_world
from torch.utils.data._utils.pin_memory import pin_memory

from index.errors import ModelError, UsageError
from model.datasets.annotations import read_annotations
from model.datasets.augment import AugmentConfig
from model.datasets.features import FeatureFolders
from model.datasets.windows import Sample, collate
from model.evaluation.inference import absent_answers, ask_others, predict
from model.grounding.checkpoint import WEIGHTS, load_checkpoint
from model.grounding.grounder import GrounderConfig
from model.training.loading import loading_processes
from model.training.losses import LossConfig
from model.training.state import STATE, TRAINING
from model.training.trainer import StepSampler, TrainConfig, Trainer, annotation_grid_s

SHAPE = GrounderConfig(
    dim=DIM, text_dim=DIM, width=16, heads=2, layers=2, span_width=8, background_tokens=2
)
BRIEF = TrainConfig(
    epochs=3, batch_size=8, rate=2e-3, warmup_steps=2, average=0.9, patience=0,
    loss=LossConfig(proposed=8, jittered=8, random=8),
)  # fmt: skip


def same_tensors(one, other):
    """Both hold the same names and exactly the same numbers."""
    return one.keys() == other.keys() and all(torch.equal(t, other[n]) for n, t in one.items())


class Silent:
    def __init__(self, stop_after=None):
        self.rows = []
        self.stop_after = stop_after

    def step(self, epoch, step, steps, loss, left_s):
        assert step <= steps
        assert left_s >= 0
        if self.stop_after is not None and epoch == self.stop_after and step == 2:
            raise KeyboardInterrupt

    def epoch(self, row):
        self.rows.append(row)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    write_world(folder, "train", 48, 0)
    write_world(folder, "val", 16, 1000)
    return folder


def trainer(world, out, config=BRIEF, observer=None, shape=SHAPE, device="cpu"):
    return Trainer(
        shape,
        config,
        read_annotations(world / "train.jsonl").checked(),
        read_annotations(world / "val.jsonl").checked(),
        FeatureFolders([world / "video"], world / "text"),
        out,
        observer or Silent(),
        device=device,
    )


def test_an_interrupted_training_ends_like_an_uninterrupted_one(world, tmp_path):
    whole = Silent()
    once = trainer(world, tmp_path / "once" / "run", observer=whole).run()
    with pytest.raises(KeyboardInterrupt):
        trainer(world, tmp_path / "again" / "run", observer=Silent(stop_after=1)).run()
    rest = Silent()
    again = trainer(world, tmp_path / "again" / "run", observer=rest).run()
    assert [row["epoch"] for row in rest.rows] == [2, 3]
    assert same_tensors(once.grounder.state_dict(), again.grounder.state_dict())
    assert (tmp_path / "once" / "run" / WEIGHTS).read_bytes() == (
        tmp_path / "again" / "run" / WEIGHTS
    ).read_bytes()
    for straight, resumed in zip(whole.rows[1:], rest.rows, strict=True):
        assert straight["losses"] == resumed["losses"]
        assert straight["metrics"] == resumed["metrics"]


def test_the_same_seed_trains_the_same_and_another_does_not(world, tmp_path):
    short = replace(BRIEF, epochs=1)
    first = trainer(world, tmp_path / "a", short).run()
    second = trainer(world, tmp_path / "b", short).run()
    third = trainer(world, tmp_path / "c", replace(short, seed=1)).run()
    assert same_tensors(first.grounder.state_dict(), second.grounder.state_dict())
    assert not same_tensors(first.grounder.state_dict(), third.grounder.state_dict())


def test_it_meets_windows_that_a_search_would_bring_unless_told_not_to(world, tmp_path):
    met, without = Silent(), Silent()
    config = replace(BRIEF, epochs=1, augment=AugmentConfig(hard=1.0))
    trainer(world, tmp_path / "a", config, met).run()
    trainer(world, tmp_path / "b", replace(config, augment=AugmentConfig(hard=0.0)), without).run()
    assert met.rows[0]["losses"]["rivals"] > 0
    assert "rivals" not in without.rows[0]["losses"]


def test_a_training_with_other_settings_is_not_mixed_up(world, tmp_path):
    trainer(world, tmp_path, replace(BRIEF, epochs=1)).run()
    with pytest.raises(ModelError, match="other settings"):
        trainer(world, tmp_path, replace(BRIEF, epochs=1, rate=1e-3)).run()
    with pytest.raises(ModelError, match="another training"):
        trainer(world, tmp_path, replace(BRIEF, epochs=1), shape=replace(SHAPE, width=32)).run()
    with pytest.raises(UsageError, match="holds a training already"):
        trainer(world, tmp_path, replace(BRIEF, epochs=1)).run(resume=False)


def test_a_damaged_state_is_named(world, tmp_path):
    trainer(world, tmp_path, replace(BRIEF, epochs=1)).run()
    (tmp_path / TRAINING / STATE).write_bytes(b"junk")
    with pytest.raises(ModelError, match="damaged"):
        trainer(world, tmp_path).run()


def test_it_learns_and_knows_what_is_absent(world, tmp_path):
    observer = Silent()
    config = replace(BRIEF, epochs=14, rate=5e-3, augment=AugmentConfig(0.3, 0.5, 0.3, 0.3, 1.0))
    trained = trainer(world, tmp_path, config, observer).run()
    assert observer.rows[-1]["losses"]["total"] < 0.85 * observer.rows[0]["losses"]["total"]
    best = max(row["metrics"]["MR-full-R1@0.5"] for row in observer.rows)
    assert best > observer.rows[0]["metrics"]["MR-full-R1@0.5"]
    assert best >= 40
    loaded = load_checkpoint(tmp_path)
    assert same_tensors(loaded.grounder.state_dict(), trained.grounder.state_dict())
    assert loaded.grid_s == trained.grid_s
    records = read_annotations(world / "val.jsonl").checked()
    features = FeatureFolders([world / "video"], world / "text")
    there = np.array([p.presence for p in predict(loaded.grounder, records, features)])
    absent = np.array([p.presence for p in absent_answers(loaded.grounder, records, features)])
    assert there.mean() > absent.mean()


def test_training_ends_early_without_progress(world, tmp_path):
    observer = Silent()
    config = replace(BRIEF, epochs=50, rate=1e-9, patience=2)
    trainer(world, tmp_path, config, observer).run()
    assert len(observer.rows) == 3


def test_samples_of_like_length_share_a_batch_and_every_epoch_mixes_anew():
    lengths_s = np.random.default_rng(0).uniform(10, 150, 4000)
    sampler = StepSampler([range(3000), range(3000, 4000)], lengths_s, 16, seed=1)
    first = list(sampler)
    assert first == list(sampler)
    assert len(first) == len(sampler) == 187 + 62
    assert all(len({number >= 3000 for number in batch}) == 1 for batch in first)
    assert len({number for batch in first for number in batch}) == 16 * len(first)
    padding = [1 - lengths_s[b].mean() / lengths_s[b].max() for b in first]
    assert np.mean(padding) < 0.05  # left to chance: 0.44
    sampler.epoch = 1
    assert {frozenset(batch) for batch in sampler} != {frozenset(batch) for batch in first}


def test_samples_of_one_length_stay_in_the_order_of_chance():
    order = [n for batch in StepSampler([range(64)], np.full(64, 150.0), 8, seed=3) for n in batch]
    assert order != sorted(order)
    assert sorted(order) == list(range(64))


def test_nothing_to_learn_from_is_refused(world, tmp_path):
    with pytest.raises(UsageError, match="records"):
        Trainer(
            SHAPE, BRIEF, (), (), FeatureFolders([world / "video"], world / "text"), tmp_path,
            Silent(), device="cpu",
        )  # fmt: skip


def test_predictions_of_long_videos_come_from_overlapping_windows(world, tmp_path):
    trained = trainer(
        world, tmp_path, replace(BRIEF, epochs=1), shape=replace(SHAPE, window_s=16.0)
    )
    records = read_annotations(world / "val.jsonl").checked()
    features = FeatureFolders([world / "video"], world / "text")
    found = predict(trained.run().grounder, records, features, batch_size=5)
    assert [p.record.qid for p in found] == [r.qid for r in records]
    for prediction in found:
        assert len(prediction.saliency) == 20
        assert np.isfinite(prediction.saliency).all()
        assert len(prediction.windows) <= 10
        assert (prediction.windows[:, 0] < prediction.windows[:, 1]).all()
        assert prediction.windows[:, 1].max() <= 40
        assert (np.diff(prediction.windows[:, 2]) <= 0).all()
    assert max(p.windows[0, 1] for p in found) > 16


def test_other_sentences_come_from_other_videos(world):
    records = read_annotations(world / "val.jsonl").checked()
    swapped = ask_others(records, seed=0)
    assert len(swapped) == len(records)
    for record, other in zip(records, swapped, strict=True):
        assert other.video == record.video
        assert other.query != record.query


def test_the_grid_of_the_annotations(world):
    records = read_annotations(world / "train.jsonl").checked()
    assert annotation_grid_s(records) == 0.0
    assert annotation_grid_s(records * 2) == 2.0
    odd = replace(records[0], windows=((1.0, 3.0),))
    assert annotation_grid_s((*records, *records, odd)) == 0.0


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_loading_processes_change_nothing(world, tmp_path):
    alone = trainer(world, tmp_path / "alone" / "run").run()
    helped = trainer(world, tmp_path / "helped" / "run", replace(BRIEF, workers=2)).run()
    assert same_tensors(alone.grounder.state_dict(), helped.grounder.state_dict())


def test_everything_that_learns_lies_on_the_device(world, tmp_path, monkeypatch):
    """The average was made before the weights moved, so the first step on a card failed."""
    meta = torch.device("meta")
    monkeypatch.setattr(
        "model.training.trainer.Accelerator", lambda cpu: SimpleNamespace(device=meta)
    )
    made = trainer(world, tmp_path / "run")
    tensors = [*made._objective.parameters(), *made._average.tensors.values()]
    tensors += [p for group in made._optimizer.param_groups for p in group["params"]]
    assert {tensor.device for tensor in tensors} == {meta}


def test_a_batch_is_pinned_whole(monkeypatch):
    pinned = []
    monkeypatch.setattr(
        torch.Tensor, "pin_memory", lambda self: pinned.append(self) or self.clone()
    )
    sample = Sample(
        1, np.ones((3, 4), np.float32), 1.0, np.ones((2, 4), np.float32), np.ones(4, np.float32),
        [(0.0, 1.0)], np.ones(3, np.float32), True,
    )  # fmt: skip
    batch = collate([sample, sample])
    tensors = [v for v in vars(batch).values() if isinstance(v, torch.Tensor)]
    assert pin_memory(batch).qids == batch.qids
    assert {id(tensor) for tensor in pinned} == {id(tensor) for tensor in tensors}


def test_processes_load_for_a_card_where_there_is_room_for_their_batches(monkeypatch):
    room = SimpleNamespace(free=64 << 20)
    monkeypatch.setattr("model.training.loading.shutil.disk_usage", lambda path: room)
    monkeypatch.setattr("model.training.loading.cores", lambda: 16)
    assert loading_processes(torch.device("cuda")) == 0
    room.free = 16 << 30
    assert loading_processes(torch.device("cuda", 1)) == 8
    assert loading_processes(torch.device("cpu")) == 0


def test_a_card_that_is_not_there_is_no_processor(world, tmp_path):
    with pytest.raises(UsageError, match="no cuda:99"):
        trainer(world, tmp_path / "run", device="cuda:99")


@pytest.mark.gpu
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_the_best_device_learns_and_goes_on_after_an_interruption(world, tmp_path):
    """In a process of its own: accelerate keeps the first device of a process for good."""
    code = (
        "import sys; sys.path[:0] = sys.argv[3:]\n"
        "from pathlib import Path; import test_train as t\n"
        "world, out = Path(sys.argv[1]), Path(sys.argv[2])\n"
        "def made(**more): return t.trainer(world, out, device=None, **more)\n"
        "try: made(observer=t.Silent(stop_after=1)).run()\n"
        "except KeyboardInterrupt: pass\n"
        "seen = t.Silent(); learned = made(observer=seen); learned.run()\n"
        "print(learned._accelerator.device, [row['epoch'] for row in seen.rows])\n"
    )
    places = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
    ran = subprocess.run(
        [sys.executable, "-c", code, str(world), str(tmp_path / "run"), *places],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=Path(__file__).parents[3],
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    device, epochs = ran.stdout.strip().split(" ", 1)
    assert epochs == "[2, 3]"
    if os.environ.get("GZ_REQUIRE_GPU"):
        assert device == "cuda"
