"""A calibration beside any weights is read, of whichever kind it is."""

from __future__ import annotations

import json

import pytest
import torch

from index.errors import ModelError
from index.types import EmbeddingSpace
from model.grounding.beside import calibration_beside
from model.grounding.checkpoint import Checkpoint, save_checkpoint
from model.grounding.grounder import Grounder, GrounderConfig
from model.grounding.localizer import TrainedLocalizer
from model.grounding.presence import CALIBRATION_NAME, PresenceCalibration
from model.grounding.standing import Standing
from model.grounding.training_free import TrainingFreeLocalizer

SPACE = EmbeddingSpace("some", "r1", "resize 64", "", 16)


@pytest.fixture(scope="module")
def grounder():
    torch.manual_seed(0)
    return Grounder(GrounderConfig(16, 16, width=16, heads=2, span_width=8)).eval()


def test_either_kind_is_read_beside_a_trained_model(tmp_path, grounder):
    own = Standing(slope=0.9)
    save_checkpoint(tmp_path, Checkpoint(grounder, space=SPACE, standing=own))
    assert TrainedLocalizer.open(tmp_path, SPACE).standing == own
    beside = tmp_path / CALIBRATION_NAME
    beside.write_text(json.dumps(Standing(slope=0.4, shift=-1.0).to_json()))
    localizer = TrainedLocalizer.open(tmp_path, SPACE)
    assert localizer.standing == Standing(slope=0.4, shift=-1.0)
    assert not localizer.knows_model
    beside.write_text(PresenceCalibration(offset=-2.0).to_json())
    localizer = TrainedLocalizer.open(tmp_path, SPACE)
    assert localizer.knows_model
    assert localizer.standing == own


def test_either_kind_is_read_beside_a_backbone(tmp_path):
    assert calibration_beside(tmp_path) is None
    beside = tmp_path / CALIBRATION_NAME
    beside.write_text(json.dumps(Standing(shift=-1.0).to_json()))
    localizer = TrainingFreeLocalizer.beside(tmp_path)
    assert localizer.standing == Standing(shift=-1.0)
    assert not localizer.knows_model
    beside.write_text(PresenceCalibration(offset=-2.0).to_json())
    assert TrainingFreeLocalizer.beside(tmp_path).knows_model


@pytest.mark.parametrize(
    "text",
    ["", "[1]", '{"kind": "standing", "slope": -1}', '{"kind": "other"}', '{"unknown": 1}',
     '{"kind": "standing", "slope": "x"}', '{"slope": NaN}'],
)  # fmt: skip
def test_a_damaged_one_is_named(tmp_path, text):
    (tmp_path / CALIBRATION_NAME).write_text(text)
    with pytest.raises(ModelError, match=r"calibration\.json") as caught:
        calibration_beside(tmp_path)
    assert "Remove the file" in caught.value.remedy
