"""Training end to end: only the adapter moves, and the library's encoder reads it back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_siglip import IMAGE_SIZE, make_model

from model.datasets.records import Record
from model.grounding.checkpoint import Checkpoint
from model.grounding.grounder import Grounder, GrounderConfig
from model.hub.sources import ModelFiles
from model.siglip.backbone import Backbone
from model.siglip.encoder import load_encoder
from model.training.finetune import (
    AdaptedFeatures,
    AdaptedTower,
    FinetuneConfig,
    FrameNumbers,
    StateCache,
    finetune,
)


class Watched:
    def __init__(self):
        self.losses = []

    def step(self, epoch, step, steps, loss, left_s):
        self.losses.append(loss)


class World:
    """Eight videos: each shows one colour, then another; the sentence asks for the second."""

    def __init__(self, encoder):
        rng = np.random.default_rng(0)
        self.encoder = encoder
        self.shown, self.records = {}, []
        for number in range(8):
            cut = int(rng.integers(3, 8))
            first, second = rng.integers(0, 256, (2, 3))
            pictures = [
                np.full((IMAGE_SIZE, IMAGE_SIZE, 3), first if k < cut else second, np.uint8)
                for k in range(11)
            ]
            self.shown[f"v{number}"] = pictures
            self.records.append(
                Record(number, f"v{number}", f"a red door {number}", ((float(cut), 11.0),), 11.0)
            )

    def read(self, name):
        return self.shown[name]

    def video(self, name):
        return self.encoder.encode_pictures(self.shown[name])

    def almost_right(self, qid):
        return ()

    def sentence(self, qid):
        asked = self.encoder.encode_sentence(f"a red door {qid}")
        return asked.tokens, asked.pooled


@pytest.fixture
def world(tmp_path):
    make_model(tmp_path / "tiny")
    return World(load_encoder(str(tmp_path / "tiny"), device="cpu"))


def test_only_the_adapter_moves_and_the_encoder_reads_it_back(world, tmp_path):
    folder = tmp_path / "tiny"
    torch.manual_seed(0)
    tower = AdaptedTower(Backbone(ModelFiles("local folder", "", folder)), blocks=2, rank=2)
    dim = world.encoder.space.dim
    learned = {name for name, p in tower.named_parameters() if p.requires_grad}
    assert all("lora_" in name for name in learned)
    assert sum(p.numel() for p in tower.parameters() if p.requires_grad) == 2 * 2 * 2 * 2 * dim
    frozen = {n: p.detach().clone() for n, p in tower.named_parameters() if n not in learned}
    cache = StateCache(tmp_path / "states", tower, world.read, 10 << 20)
    small = GrounderConfig(dim, dim, width=16, heads=2, layers=2, span_width=8)
    start = Checkpoint(Grounder(small))
    watched = Watched()
    trained = finetune(
        start,
        tower,
        cache,
        world.records,
        world,
        FinetuneConfig(epochs=6, rate=3e-3),
        watched,
    )
    assert len(watched.losses) == 12
    assert np.mean(watched.losses[-4:]) < np.mean(watched.losses[:4])
    for name, parameter in tower.named_parameters():
        if name in frozen:
            assert torch.equal(parameter, frozen[name]), name
    assert any(
        float(p.detach().abs().sum()) > 0 for n, p in tower.named_parameters() if "lora_B" in n
    )
    assert trained.config == small
    tower.save(tmp_path / "adapter")
    encoder = load_encoder(str(folder), tmp_path / "adapter", device="cpu")
    assert encoder.space != world.encoder.space
    adapted = AdaptedFeatures(world, tower, cache).video("v0")
    served = encoder.encode_pictures(world.shown["v0"])
    assert (adapted * served).sum(1).min() > 0.999
    plain = world.video("v0")
    assert (served * plain).sum(1).min() < 0.9999


def test_states_are_kept_while_there_is_room(world, tmp_path):
    tower = AdaptedTower(Backbone(ModelFiles("local folder", "", tmp_path / "tiny")), blocks=1)
    asked = []

    def read(name):
        asked.append(name)
        return world.read(name)

    one = StateCache(tmp_path / "a", tower, read, 0)
    first = one.states("v0")
    size = first.nbytes
    roomy = StateCache(tmp_path / "b", tower, read, size + size // 2)
    for _ in range(2):
        np.testing.assert_array_equal(roomy.states("v0"), first)
    roomy.states("v1")
    assert asked == ["v0", "v0", "v1"]
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["v0.npy"]
    again = StateCache(tmp_path / "b", tower, read, size + size // 2)
    again.states("v0")
    assert len(asked) == 3


def test_frame_numbers_stand_in_for_frames(world):
    numbers = FrameNumbers(world).video("v0")
    assert numbers[:, 0].tolist() == list(range(11))
