"""Recipes, single settings, and a model folder's card and travels."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from moment_world import DIM, write_world

from index.errors import ModelError, UsageError
from index.types import EmbeddingSpace
from model.datasets.annotations import read_annotations
from model.datasets.features import FeatureFolders
from model.evaluation.inference import predict
from model.grounding.checkpoint import Checkpoint, load_checkpoint, save_checkpoint, write_tensors
from model.grounding.grounder import Grounder, GrounderConfig
from model.training.card import CURVES, card, fetch, write_card
from model.training.overrides import changed, checked
from model.training.presets import PRESETS, for_size, preset
from model.training.state import STATE, TRAINING
from model.training.trainer import Trainer


class Silent:
    def step(self, *numbers):
        pass

    def epoch(self, row):
        pass


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_trains_and_answers(name, tmp_path):
    write_world(tmp_path, "train", 8, 0)
    records = read_annotations(tmp_path / "train.jsonl").checked()
    features = FeatureFolders([tmp_path / "video"], tmp_path / "text")
    recipe = preset(name, DIM, DIM)
    shape = replace(recipe.shape, width=16, span_width=8)
    config = replace(recipe.config, epochs=1, batch_size=4)
    trainer = Trainer(
        shape, config, records, records, features, tmp_path / "run", Silent(), device="cpu"
    )
    trained = trainer.run()
    found = predict(trained.grounder, records, features)
    assert all(len(p.windows) for p in found)
    assert all(np.isfinite(p.windows).all() for p in found)


def test_the_starting_design_is_kept_exactly():
    seed = preset("seed", 1152, 1152)
    assert not any((seed.shape.words, seed.shape.scored_spans, seed.shape.matched))
    assert seed.shape.dilations_s == (1.0, 2.0, 4.0, 8.0)
    assert seed.shape.layers == 4
    assert seed.config.hull
    assert seed.config.loss.contrast == 0
    assert seed.config.augment.background == 0
    with pytest.raises(UsageError, match="unknown preset"):
        preset("none", 8, 8)


def test_few_records_get_more_epochs():
    recipe = preset("default", DIM, DIM)
    assert for_size(recipe, 7000) == recipe
    few = for_size(recipe, 50).config
    assert few.epochs == 200
    assert few.patience > recipe.config.patience
    assert for_size(recipe, 640).config.epochs == 50


def test_one_setting_at_a_time():
    start = preset("default", DIM, DIM)
    new = changed(
        start,
        [
            "loss.contrast=0",
            "shape.words=false",
            "train.epochs=3",
            "augment.absent=0.5",
            "shape.dilations_s=[1,2]",
            "train.metric=MR-full-R1@0.5",
        ],
    )
    assert new.config.loss.contrast == 0.0
    assert new.shape.words is False
    assert new.config.epochs == 3
    assert new.config.augment.absent == 0.5
    assert new.shape.dilations_s == (1, 2)
    assert new.config.metric == "MR-full-R1@0.5"
    assert new.config.loss.inside == start.config.loss.inside


@pytest.mark.parametrize(
    "setting", ["contrast=0", "loss.none=1", "loss.contrast", "train.epochs=many", "x.y=1"]
)
def test_settings_that_do_not_exist_are_refused(setting):
    with pytest.raises(UsageError, match="--set"):
        changed(preset("default", DIM, DIM), [setting])


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("shape.width=31", "multiple of twice shape.heads"),
        ("shape.width=0", "shape.width is 0"),
        ("shape.dropout=2", "shape.dropout is 2"),
        ("shape.dilations_s=[1, -2]", "shape.dilations_s is -2"),
        ("shape.dilations_s=[true]", "a list of numbers"),
        ("shape.dim=3", "has no 'dim'"),
        ("train.epochs=0", "train.epochs is 0"),
        ("train.batch_size=0", "train.batch_size is 0"),
        ("train.metric=best", "there is no metric 'best'"),
        ("loss.edges=NaN", "expected a number"),
        ("loss.edges=-1", "loss.edges is -1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(setting, said):
    with pytest.raises(UsageError) as refused:
        checked(changed(preset("default", DIM, DIM), [setting]))
    assert said in refused.value.message


@pytest.mark.parametrize("name", ["default", "small", "seed"])
def test_every_preset_makes_sense(name):
    assert checked(preset(name, DIM, DIM)) == preset(name, DIM, DIM)


def test_the_card_tells_what_the_model_reads_and_scores(tmp_path):
    grounder = Grounder(GrounderConfig(DIM, DIM, width=16, heads=2, layers=2, span_width=8))
    space = EmbeddingSpace("google/siglip2-base-patch32-256", "abc123", "resize", "", DIM)
    checkpoint = Checkpoint(
        grounder,
        space=space,
        training={"metrics": {"MR-full-R1@0.5": 61.25}, "parameters": 1234567, "epochs": 4},
        name="kitchen",
    )
    text = card(checkpoint)
    assert "siglip2-base-patch32-256" in text
    assert "61.25" in text
    assert "1,234,567" in text
    assert text.startswith("---\n")
    save_checkpoint(tmp_path, checkpoint)
    assert write_card(tmp_path, checkpoint).read_text() == text
    assert load_checkpoint(fetch(str(tmp_path))).space == space


def test_the_card_shows_the_curves_where_they_can_be_drawn(tmp_path, monkeypatch):
    grounder = Grounder(GrounderConfig(DIM, DIM, width=16, heads=2, layers=2, span_width=8))
    history = [
        {"epoch": e, "losses": {"total": 3.0 / e}, "metrics": {"MR-full-mAP": 10.0 * e}}
        for e in (1, 2, 3)
    ]
    (tmp_path / TRAINING).mkdir()
    notes = {"progress": json.dumps({"history": history})}
    write_tensors(tmp_path / TRAINING / STATE, {"weights.none": torch.zeros(1)}, notes)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "model.evaluation.charts", raising=False)
    checkpoint = Checkpoint(grounder, training={"metrics": {"MR-full-mAP": 30.0}})
    plain = write_card(tmp_path, checkpoint).read_text()
    assert not (tmp_path / CURVES).exists()
    assert f"({CURVES})" not in plain
    monkeypatch.undo()
    whole = write_card(tmp_path, checkpoint).read_text()
    assert whole.replace("![Loss and validation while training](training.svg)\n\n", "") == plain
    picture = ElementTree.parse(tmp_path / CURVES).getroot()
    assert picture.tag == "{http://www.w3.org/2000/svg}svg"
    first = (tmp_path / CURVES).read_bytes()
    write_card(tmp_path, checkpoint)
    assert (tmp_path / CURVES).read_bytes() == first


def test_a_hub_id_that_is_out_of_reach_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="no grounding model"):
        fetch("nobody/nothing-here")
    assert fetch(str(tmp_path / "none")) == tmp_path / "none"
