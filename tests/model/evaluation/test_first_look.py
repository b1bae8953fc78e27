"""Each fault that makes a model worse without an error is told apart in words."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_siglip import make_model, make_tokenizer
from trained_siglip import SHOWN, make_word_tokenizer, words_of_drawings

from index.errors import ModelError
from model.evaluation.drawings import SIDE, drawings
from model.evaluation.first_look import FEW, Look, look
from model.siglip.encoder import load_encoder
from model.siglip.vision import PackedTower, ReferenceTower


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def folder(trained_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained_model, tmp_path / "model"))


def looked_at(folder: Path, thorough: bool = True) -> Look:
    shown = SHOWN if thorough else SHOWN[:FEW]
    return look(load_encoder(str(folder), device="cpu"), shown, thorough=thorough)


def kinds(folder: Path, thorough: bool = True) -> list[str]:
    return [trouble.kind for trouble in looked_at(folder, thorough).troubles]


def rewrite(folder: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    state = load_file(folder / "model.safetensors")
    change(state)
    save_file({k: v.contiguous() for k, v in state.items()}, folder / "model.safetensors")


def test_drawings_differ_and_are_the_same_every_time() -> None:
    once, again = drawings(), drawings()
    assert all(drawing.picture.shape == (SIDE, SIDE, 3) for drawing in once)
    assert len({drawing.picture.tobytes() for drawing in once}) == len(once) == 25
    assert len({drawing.query for drawing in once}) == len(once)
    assert [d.picture.tobytes() for d in once] == [d.picture.tobytes() for d in again]


@pytest.mark.parametrize("thorough", [True, False])
def test_a_sound_model_is_found_sound(folder: Path, thorough: bool) -> None:
    seen = looked_at(folder, thorough)
    assert seen.troubles == ()
    assert seen.matches.share > 0.9
    assert seen.matches.right.mean() > seen.matches.wrong.mean() + 0.3
    assert seen.pieces[:3] == ("a", "red", "circle")
    assert seen.pieces[-1] == "<eos>"
    assert seen.length == 64
    assert seen.form
    assert 0.999 < seen.agreement <= 1.0001


@pytest.mark.parametrize(
    "changes",
    [
        {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]},
        {"rescale_factor": 1.0},
    ],
)
def test_another_normalisation_is_named(folder: Path, changes: dict[str, object]) -> None:
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    (trouble,) = looked_at(folder).troubles
    assert trouble.kind == "normalisation"
    assert "preprocessor_config.json" in trouble.words


def test_swapped_channels_are_named(folder: Path) -> None:
    name = "vision_model.embeddings.patch_embedding.weight"

    def swap(state: dict[str, torch.Tensor]) -> None:
        state[name] = state[name].flip(1)

    rewrite(folder, swap)
    (trouble,) = looked_at(folder).troubles
    assert trouble.kind == "channels"
    assert "Red and blue are swapped" in trouble.words


def test_a_tokenizer_with_fewer_words_is_named(folder: Path) -> None:
    make_word_tokenizer(folder, words_of_drawings()[::-1], 200)
    (trouble,) = looked_at(folder).troubles
    assert trouble.kind == "tokenizer"
    assert "200 words, the text tower 512" in trouble.words


def test_a_tokenizer_of_letters_is_named(folder: Path) -> None:
    make_tokenizer(folder)
    (trouble,) = looked_at(folder).troubles
    assert trouble.kind == "tokenizer"
    assert "pieces each" in trouble.words


def test_a_tokenizer_with_other_numbers_is_the_first_suspect(folder: Path) -> None:
    make_word_tokenizer(folder, words_of_drawings()[::-1])
    for thorough in (True, False):
        (trouble,) = looked_at(folder, thorough).troubles
        assert trouble.kind in ("strangers", "poor")
        if thorough:
            assert "tokenizer.json" in trouble.words


@pytest.mark.parametrize("tower", ["vision", "text"])
def test_a_missing_head_is_named(folder: Path, tower: str) -> None:
    def behead(state: dict[str, torch.Tensor]) -> None:
        for name in [name for name in state if name.startswith(f"{tower}_model.head.")]:
            del state[name]

    rewrite(folder, behead)
    with pytest.raises(ModelError, match=f"the {tower} tower has no head"):
        looked_at(folder)


def test_a_tower_that_sees_nothing_is_named(folder: Path) -> None:
    def blind(state: dict[str, torch.Tensor]) -> None:
        state["vision_model.embeddings.patch_embedding.weight"].zero_()

    rewrite(folder, blind)
    assert kinds(folder) == ["pictures"]


def test_a_model_that_was_never_trained_is_no_use(tmp_path: Path) -> None:
    make_model(tmp_path / "raw")
    assert kinds(tmp_path / "raw")[0] in ("tokenizer", "strangers", "pictures")
    assert kinds(tmp_path / "raw", thorough=False)


def test_vectors_that_are_no_numbers_are_named(folder: Path) -> None:
    def poison(state: dict[str, torch.Tensor]) -> None:
        state["vision_model.post_layernorm.bias"][0] = float("nan")

    rewrite(folder, poison)
    assert kinds(folder) == kinds(folder, thorough=False) == ["numbers"]


def test_a_form_that_strays_from_float32_on_drawings_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at(folder)  # agrees on the trial, which is remembered
    for form in (PackedTower, ReferenceTower):
        call = form.__call__

        def strayed(self: object, pixels: torch.Tensor, call: object = call) -> torch.Tensor:
            vectors: torch.Tensor = call(self, pixels)  # type: ignore[operator]
            return vectors if vectors.dtype == torch.float32 else vectors.roll(1, -1)

        monkeypatch.setattr(form, "__call__", strayed)
    encoder = load_encoder(str(folder), device="cpu")
    encoder.encode_pictures([encoder.preprocess(SHOWN[0].picture)])
    if encoder._tower().dtype == torch.float32:
        pytest.skip("this processor has no other form")
    assert "form" in kinds(folder)
