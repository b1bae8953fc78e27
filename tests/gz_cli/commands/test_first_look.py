"""A model meets this program for the first time on somebody's machine."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from media_factory import colour_video
from safetensors.torch import load_file, save_file
from terminal import Ran, run

from index.types import Sentence
from index.vectors.everyday import everyday_of
from model.evaluation.drawings import drawings
from model.siglip.encoder import load_encoder


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("videos") / "red.mp4"
    colour_video(path, [("red", 2.0)], fps=10)
    return path


def gz(tmp_path: Path, *arguments: str | Path) -> Ran:
    library = tmp_path / "library"
    return run(*arguments, library=library, XDG_CACHE_HOME=str(tmp_path / "cache"))


def test_the_demo_model_proves_itself(tmp_path: Path) -> None:
    ran = gz(tmp_path, "doctor", "--try-model", "demo")
    assert ran.code == 0, ran.text
    assert "20 of 20 find their picture" in ran.text
    assert "agreement with plain float32" in ran.text
    assert "because it does not tell everyday sentences apart" in ran.text
    assert "The model works as it should." in ran.text


def test_a_model_is_looked_at_once_and_a_good_one_in_one_line(
    tmp_path: Path, trained_model: Path, video: Path
) -> None:
    ran = gz(tmp_path, "index", video, "--model", trained_model)
    assert ran.code == 0, ran.err
    (line,) = (line for line in ran.err.splitlines() if "First look" in line)
    assert "6 of 6 queries find their drawing" in line
    ran = gz(tmp_path, "index", video)
    assert "First look" not in ran.err
    ran = gz(tmp_path, "doctor", "--try-model", "--json")
    report = ran.lines[0]
    assert (ran.code, report["works"], report["model"]) == (0, True, str(trained_model))
    assert report["queries_found"] >= 23
    assert report["tokens"][:3] == ["a", "red", "circle"]
    assert report["usual"] is None, "it knows no other words than those of drawings"
    assert json.loads((tmp_path / "cache/groundzero/looks.json").read_text())


class Everyday:
    """The part of an Encoder that makes a bank: sentences of its own, near those of a model."""

    def __init__(self, model: Path) -> None:
        encoder = load_encoder(str(model), device="cpu")
        self.space = encoder.space
        asked = encoder.encode_sentences([drawing.query for drawing in drawings()])
        self._middle = np.mean([sentence.pooled for sentence in asked], axis=0)

    def encode_sentences(self, texts: Sequence[str], watch: object) -> list[Sentence]:
        drawn = np.random.default_rng(0).standard_normal((len(texts), len(self._middle)))
        vectors = self._middle + 0.1 * drawn
        vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        return [Sentence(text, v, v[None]) for text, v in zip(texts, vectors, strict=True)]


def test_what_is_usual_for_a_model_is_told_beside_single_and_right_queries(
    tmp_path: Path, trained_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    everyday_of(Everyday(trained_model), [].append, lambda *_: None)
    usual = gz(tmp_path, "doctor", "--try-model", trained_model, "--json").lines[0]["usual"]
    assert set(usual) == {"together", "alone", "right"}
    assert all(0 < told["spread"] < 2 for told in usual.values())
    assert usual["right"]["median"] > usual["together"]["median"]
    said = gz(tmp_path, "doctor", "--try-model", trained_model).text
    together = f"{usual['together']['median']:.1f} ({usual['together']['spread']:.1f})"
    assert f"best picture of three everyday sentences at once {together}, of one " in said


def test_a_bad_one_is_warned_of_and_used_all_the_same(
    tmp_path: Path, tiny_model: Path, video: Path
) -> None:
    ran = gz(tmp_path, "index", video, "--model", tiny_model)
    assert ran.code == 0, ran.err
    assert "warning" in ran.err
    assert f"gz doctor --try-model {tiny_model}" in ran.err
    ran = gz(tmp_path, "doctor", "--try-model")
    assert ran.code == 7
    assert "BAD" in ran.text


def test_vectors_that_are_no_numbers_are_refused_before_a_library_is_made(
    tmp_path: Path, trained_model: Path, video: Path
) -> None:
    model = Path(shutil.copytree(trained_model, tmp_path / "model"))
    state = load_file(model / "model.safetensors")
    state["vision_model.post_layernorm.bias"] = torch.full((32,), float("nan"))
    save_file(state, model / "model.safetensors")
    ran = gz(tmp_path, "index", video, "--model", model)
    assert ran.code == 7
    assert "no numbers" in ran.err
    assert "gz doctor --try-model" in ran.err
    assert not (tmp_path / "library").exists()
    ran = gz(tmp_path, "doctor", "--try-model", model, "--json")
    assert ran.code == 7
    assert ran.lines[0]["troubles"][0]["kind"] == "numbers"


def test_a_name_alone_is_answered_with_the_option(tmp_path: Path) -> None:
    ran = gz(tmp_path, "doctor", "demo")
    assert ran.code == 2
    assert "gz doctor --try-model demo" in ran.err
