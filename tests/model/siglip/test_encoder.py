"""Vectors equal what transformers computes with the model's own processor and tokenizer."""

import os
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_siglip import IMAGE_SIZE, make_model, picture

from index.errors import ModelError, UsageError
from index.types import Encoder
from model.hardware import precision
from model.hardware.devices import best_device
from model.hub.files import find_files
from model.siglip import cores, many_sentences
from model.siglip import route as vision_route
from model.siglip import vision as siglip_vision
from model.siglip.backbone import Backbone, source_of
from model.siglip.encoder import SiglipEncoder, load_encoder
from model.siglip.vision import PackedTower, ReferenceTower, VisionConfig

SENTENCE = "the man eats before the interview"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("model")
    return folder, make_model(folder)


@pytest.fixture
def encoder(made: tuple[Path, Any]) -> SiglipEncoder:
    return load_encoder(str(made[0]), device="cpu", offline=True)


def unit(vectors: torch.Tensor) -> np.ndarray:
    return torch.nn.functional.normalize(vectors.float(), dim=-1).detach().numpy()


def frames_by_transformers(folder: Path, model: Any, pictures: list[np.ndarray]) -> np.ndarray:
    from transformers import AutoImageProcessor

    processor = AutoImageProcessor.from_pretrained(folder)
    pixels = processor(images=pictures, return_tensors="pt")["pixel_values"]
    return unit(model.get_image_features(pixel_values=pixels).pooler_output)


def test_it_is_an_encoder(encoder: SiglipEncoder) -> None:
    typed: Encoder = encoder
    assert typed.space.dim == 32
    assert typed.batch_size >= 1
    assert typed.preprocess(picture(90, 70)).shape == (IMAGE_SIZE, IMAGE_SIZE, 3)


@pytest.mark.parametrize("resample", [2, 3])
def test_frames_match_the_models_own_processor(tmp_path: Path, resample: int) -> None:
    model = make_model(tmp_path / "m", resample=resample)
    encoder = load_encoder(str(tmp_path / "m"), device="cpu")
    sizes = [(720, 1280), (1281, 719), (33, 47), (48, 48), (17, 300)]
    pictures = [picture(*size, seed=number) for number, size in enumerate(sizes)]

    vectors = encoder.encode_pictures([encoder.preprocess(each) for each in pictures])

    expected = frames_by_transformers(tmp_path / "m", model, pictures)
    assert vectors.dtype == np.float32
    assert (vectors * expected).sum(axis=1).min() >= 0.999
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_sentences_match_transformers(made: tuple[Path, Any], encoder: SiglipEncoder) -> None:
    from transformers import AutoTokenizer

    folder, model = made
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for text in (SENTENCE, "a dog", "das türkise Haus 家 🚪", "x" * 20):
        inputs = tokenizer(
            text.lower(), padding="max_length", truncation=True, max_length=64, return_tensors="pt"
        )["input_ids"]
        output = model.get_text_features(input_ids=inputs)
        valid = int((inputs != tokenizer.pad_token_id).sum())

        sentence = encoder.encode_sentence(text)

        np.testing.assert_allclose(sentence.pooled, unit(output.pooler_output)[0], atol=2e-6)
        tokens = model.text_model.head(output.last_hidden_state[0, :valid])
        np.testing.assert_allclose(sentence.tokens, unit(tokens), atol=2e-6)
        assert sentence.text == text


def test_capitals_and_spaces_make_no_difference(encoder: SiglipEncoder) -> None:
    plain = encoder.encode_sentence(SENTENCE)
    shouted = encoder.encode_sentence(f"  {SENTENCE.upper()}\n")
    np.testing.assert_array_equal(plain.pooled, shouted.pooled)


def test_a_long_sentence_is_cut_and_says_so(encoder: SiglipEncoder) -> None:
    long = "the red door opens " * 40
    sentence = encoder.encode_sentence(long)
    assert sentence.tokens.shape == (64, 32)
    assert "Only the first 32 words" in sentence.unread
    assert not encoder.encode_sentence(SENTENCE).unread
    np.testing.assert_array_equal(
        sentence.pooled, encoder.encode_sentence(long + "and a dog").pooled
    )


MANY = [SENTENCE, "a dog", "das türkise Haus 家 🚪", "the red door opens " * 40] * 6


@pytest.mark.parametrize("form", ["bfloat16", "float32", "alone"])
def test_many_sentences_are_those_that_single_ones_are(
    encoder: SiglipEncoder, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    dtypes = {"bfloat16": [torch.bfloat16], "float32": [torch.float32], "alone": []}
    monkeypatch.setattr(many_sentences, "_dtypes", lambda: dtypes[form])
    threads, shares = torch.get_num_threads(), list[float]()
    many = encoder.encode_sentences(MANY, shares.append)
    least = {"bfloat16": 0.9995, "float32": 0.999999, "alone": 1 - 1e-6}[form]
    for made, single in zip(many, map(encoder.encode_sentence, MANY), strict=True):
        assert (made.text, made.unread) == (single.text, single.unread)
        assert made.tokens.shape == single.tokens.shape
        assert made.pooled @ single.pooled > least
        assert (made.tokens * single.tokens).sum(axis=1).min() > least
    assert shares == sorted(shares)
    assert (len(shares) > 3, shares[-1]) == (True, 1.0)
    assert torch.get_num_threads() == threads


def lacking(*_: Any) -> None:
    raise RuntimeError("no such kernel")


def disagreeing(self: Any, states: torch.Tensor) -> torch.Tensor:
    return states * float("nan")


@pytest.mark.parametrize("call", [lacking, disagreeing])
def test_where_no_fast_form_agrees_each_sentence_goes_alone(
    encoder: SiglipEncoder, monkeypatch: pytest.MonkeyPatch, call: Callable[..., Any]
) -> None:
    monkeypatch.setattr(many_sentences.PackedBlock, "__call__", call)
    (made,) = encoder.encode_sentences([SENTENCE])
    np.testing.assert_array_equal(made.pooled, encoder.encode_sentence(SENTENCE).pooled)


@pytest.mark.parametrize("empty", ["", "   ", "\n\t"])
def test_an_empty_sentence_is_refused(encoder: SiglipEncoder, empty: str) -> None:
    with pytest.raises(UsageError, match="empty"):
        encoder.encode_sentence(empty)


def test_space_and_sentence_need_neither_torch_nor_transformers(made: tuple[Path, Any]) -> None:
    script = (
        "import sys; from model.siglip.encoder import load_encoder\n"
        f"encoder = load_encoder({str(made[0])!r}, device='cpu')\n"
        "encoder.space; encoder.preprocess; encoder.encode_sentence('a dog')\n"
        "print([name for name in ('torch', 'transformers', 'peft') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=".")
    assert done.stdout.strip() == "[]", done.stderr


def test_each_tower_reads_its_own_weights_alone(
    made: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from model.hub.weights import Weights

    read: list[str] = []
    array = Weights.array

    def spied(self: Weights, name: str) -> Any:
        read.append(name)
        return array(self, name)

    monkeypatch.setattr(Weights, "array", spied)
    monkeypatch.setattr(
        Weights, "rows", lambda self, name, rows: spied(self, name)[rows], raising=True
    )
    encoder = load_encoder(str(made[0]), device="cpu")
    encoder.encode_sentence("a dog")
    assert read
    assert all(name.startswith("text_model.") for name in read)
    read.clear()
    encoder.encode_pictures([encoder.preprocess(picture(50, 50))])
    assert {name.partition(".")[0] for name in read} == {
        "vision_model",
        "logit_scale",
        "logit_bias",
    }


def test_no_pictures_give_no_vectors(encoder: SiglipEncoder) -> None:
    assert encoder.encode_pictures([]).shape == (0, 32)


def test_batches_give_what_single_pictures_give(encoder: SiglipEncoder) -> None:
    pictures = [encoder.preprocess(picture(60, 80, seed)) for seed in range(19)]
    together = encoder.encode_pictures(pictures)
    alone = np.concatenate([encoder.encode_pictures([each]) for each in pictures])
    assert (together * alone).sum(axis=1).min() > 0.9999


def test_a_picture_of_another_size_is_a_mistake_of_the_caller(encoder: SiglipEncoder) -> None:
    with pytest.raises(ValueError, match="preprocessed"):
        encoder.encode_pictures([picture(50, 50)])


def failing_above(limit: int, error: Exception) -> Callable[[Any, torch.Tensor], torch.Tensor]:
    def call(self: Any, pixels: torch.Tensor) -> torch.Tensor:
        if len(pixels) > limit:
            raise error
        return pixels.mean(dim=(2, 3)).repeat(1, 11)[:, :32] + 1

    return call


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"),
        RuntimeError("GET was unable to find an engine to execute this computation"),
        MemoryError(),
    ],
)
def test_out_of_memory_halves_the_batch_and_goes_on(
    encoder: SiglipEncoder, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    pictures = [encoder.preprocess(picture(60, 80, seed)) for seed in range(11)]
    encoder.encode_pictures(pictures[:1])
    monkeypatch.setattr(type(encoder._vision), "__call__", failing_above(2, error))

    assert encoder.encode_pictures(pictures).shape == (11, 32)
    assert encoder.batch_size == 2

    monkeypatch.setattr(type(encoder._vision), "__call__", failing_above(0, error))
    with pytest.raises(ModelError, match="not enough memory"):
        encoder.encode_pictures(pictures)
    assert encoder.batch_size == 1


def test_other_failures_are_not_taken_for_lack_of_memory(
    encoder: SiglipEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = [encoder.preprocess(picture(60, 80))]
    encoder.encode_pictures(pictures)
    monkeypatch.setattr(
        type(encoder._vision), "__call__", failing_above(0, RuntimeError("shapes differ"))
    )
    with pytest.raises(RuntimeError, match="shapes differ"):
        encoder.encode_pictures(pictures)


def test_a_tower_that_does_not_fit_is_not_read_again_for_every_half(
    made: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[str] = []

    def load(*arguments: Any) -> Any:
        loads.append("once")
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(vision_route, "load_vision_tower", load)
    encoder = load_encoder(str(made[0]), device="cpu")
    pictures = [encoder.preprocess(picture(60, 80, seed)) for seed in range(8)]
    with pytest.raises(ModelError, match="not enough memory on cpu for the model"):
        encoder.encode_pictures(pictures)
    assert loads == ["once"]


def test_a_form_that_found_no_memory_is_tried_again_another_time(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build() -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(vision_route, "_candidates", lambda *_: {"reference float16": build})
    with pytest.raises(torch.OutOfMemoryError):
        vision_route.load_vision_tower(backbone, "cpu", 1)
    assert vision_route.known_form(backbone, "cpu") is None


def test_what_failed_for_memory_is_let_go_before_the_next_try(
    encoder: SiglipEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A traceback holds on to every tensor of its calls."""
    pictures = [encoder.preprocess(picture(60, 80, seed)) for seed in range(4)]
    encoder.encode_pictures(pictures[:1])
    held: list[weakref.ref[torch.Tensor]] = []
    alive: list[bool] = []

    def call(self: Any, pixels: torch.Tensor) -> torch.Tensor:
        alive.extend(each() is not None for each in held)
        if len(pixels) > 1:
            held.append(weakref.ref(pixels))
            raise torch.OutOfMemoryError("CUDA out of memory")
        return pixels.mean(dim=(2, 3)).repeat(1, 11)[:, :32] + 1

    monkeypatch.setattr(type(encoder._vision), "__call__", call)
    freed: list[bool] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(
        torch.cuda, "empty_cache", lambda: freed.append(all(each() is None for each in held))
    )
    assert encoder.encode_pictures(pictures).shape == (4, 32)
    assert freed == [True, True]
    assert not any(alive)


@pytest.mark.parametrize(
    "said",
    [
        "CUDA error: an illegal memory access was encountered\nCompile with TORCH_USE_CUDA_DSA",
        "CUDA error: no kernel image is available for execution on the device",
        "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
    ],
)
def test_a_card_that_fails_is_said_in_a_sentence_with_what_to_do(
    encoder: SiglipEncoder, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    pictures = [encoder.preprocess(picture(60, 80))]
    encoder.encode_pictures(pictures)
    monkeypatch.setattr(type(encoder._vision), "__call__", failing_above(0, RuntimeError(said)))
    with pytest.raises(ModelError) as caught:
        encoder.encode_pictures(pictures)
    assert caught.value.message == f"The graphics card stopped working: {said.splitlines()[0]}"
    assert "--device cpu" in caught.value.remedy


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_vectors_that_are_no_numbers_never_pass_for_vectors(tmp_path: Path, value: float) -> None:
    from safetensors.torch import save_file

    model = make_model(tmp_path / "m")
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    state["vision_model.post_layernorm.bias"][0] = value
    state["text_model.final_layer_norm.bias"][0] = value
    save_file(state, tmp_path / "m" / "model.safetensors")
    encoder = load_encoder(str(tmp_path / "m"), device="cpu")
    assert np.isnan(encoder.encode_pictures([encoder.preprocess(picture(60, 80))])).any()
    with pytest.raises(ModelError, match="no number"):
        encoder.encode_sentence("a dog")


@pytest.fixture
def backbone(made: tuple[Path, Any]) -> Backbone:
    return Backbone(find_files(source_of(str(made[0]))))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_form_of_the_tower_agrees_with_transformers(
    made: tuple[Path, Any], backbone: Backbone, dtype: torch.dtype
) -> None:
    pixels = torch.rand(3, 3, IMAGE_SIZE, IMAGE_SIZE, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = unit(made[1].vision_model(pixel_values=pixels).pooler_output)
        for tower in (
            PackedTower(backbone.read, backbone.vision, dtype),
            ReferenceTower(backbone.read, backbone.vision, dtype, "cpu"),
        ):
            cosines = (unit(tower(pixels)) * expected).sum(axis=1)
            assert cosines.min() > (0.999999 if dtype == torch.float32 else 0.9995)


def test_a_form_that_disagrees_is_never_used_and_that_is_remembered(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vision_route, "AGREEMENT", 1.1)
    tower = vision_route.load_vision_tower(backbone, "cpu", None)
    assert isinstance(tower, ReferenceTower)
    assert tower.dtype == torch.float32
    monkeypatch.setattr(vision_route, "_trial", None)  # a second trial would fail
    again = vision_route.load_vision_tower(backbone, "cpu", None)
    assert isinstance(again, ReferenceTower)


def test_a_form_that_agreed_once_is_loaded_without_the_reference(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = vision_route.load_vision_tower(backbone, "cpu", None)
    monkeypatch.setattr(vision_route, "_trial", None)
    monkeypatch.setattr(siglip_vision, "transformers_tower", None)
    again = vision_route.load_vision_tower(backbone, "cpu", 1)
    assert type(again) is type(first)
    assert again.dtype == first.dtype
    assert torch.get_num_threads() == 1


def test_the_form_that_was_chosen_is_told_with_its_agreement(
    encoder: SiglipEncoder, backbone: Backbone
) -> None:
    assert encoder.form is None
    encoder.encode_pictures([encoder.preprocess(picture(60, 80))])
    assert encoder.form is not None
    assert encoder.form.name in vision_route._candidates(backbone, "cpu")
    assert 0.999 < encoder.form.agreement <= 1.0001


@pytest.mark.parametrize(
    ("native", "forms"),
    [(True, ["reference bfloat16", "reference float16"]), (False, ["reference float16"])],
)
def test_a_card_that_only_emulates_bfloat16_is_not_asked_for_it(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch, native: bool, forms: list[str]
) -> None:
    def supported(including_emulation: bool = True) -> bool:
        return native or including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert list(vision_route._candidates(backbone, "cuda")) == forms
    precision.pays.cache_clear()
    assert precision.pays("cuda") is native
    precision.pays.cache_clear()


def test_half_precision_that_overflows_is_turned_down(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overflowing(self: Any, pixels: torch.Tensor) -> torch.Tensor:
        return torch.full((len(pixels), 32), float("inf"), dtype=torch.float16)

    monkeypatch.setattr(vision_route.PackedTower, "__call__", overflowing)
    monkeypatch.setattr(vision_route, "cpu_has_bfloat16", lambda: False)
    tower = vision_route.load_vision_tower(backbone, "cpu", None)
    assert isinstance(tower, ReferenceTower)
    assert vision_route.known_form(backbone, "cpu") == vision_route.Form("reference float32", 1.0)


def test_a_form_that_this_machine_lacks_is_passed_over(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(*_: Any) -> None:
        raise NotImplementedError("no such kernel")

    monkeypatch.setattr(vision_route, "PackedTower", lacking)
    monkeypatch.setattr(vision_route, "cpu_has_bfloat16", lambda: False)
    tower = vision_route.load_vision_tower(backbone, "cpu", None)
    assert isinstance(tower, ReferenceTower)
    assert tower.dtype == torch.float32


def test_devices_are_checked(made: tuple[Path, Any]) -> None:
    with pytest.raises(UsageError, match="no device"):
        load_encoder(str(made[0]), device="gpu")
    with pytest.raises(UsageError, match="no device"):
        load_encoder(str(made[0]), device="cpu:1")
    with pytest.raises(UsageError, match="has no cuda:99"):
        load_encoder(str(made[0]), device="cuda:99")


@pytest.mark.gpu
def test_the_best_device_of_this_machine_agrees_with_the_reference(
    made: tuple[Path, Any],
) -> None:
    device = best_device()
    if os.environ.get("GZ_REQUIRE_GPU"):
        assert device == "cuda"
    pictures = [picture(300, 400, seed) for seed in range(5)]
    encoder = load_encoder(str(made[0]), device=device)
    vectors = encoder.encode_pictures([encoder.preprocess(each) for each in pictures])
    assert (vectors * frames_by_transformers(*made, pictures)).sum(axis=1).min() >= 0.999


BASE, SO400M = 11.4, 670.0
"""10^9 operations for a picture."""


@pytest.mark.parametrize(
    ("device", "count", "gflops", "workers", "threads"),
    [
        ("cpu", 1, BASE, 1, 1),
        ("cpu", 2, BASE, 2, 1),
        ("cpu", 4, BASE, 3, 2),
        ("cpu", 16, BASE, 11, 8),
        ("cpu", 2, 0.02, 2, 1),
        ("cpu", 2, SO400M, 1, 2),
        ("cpu", 4, SO400M, 1, 4),
        ("cpu", 16, SO400M, 1, 15),
        ("cuda", 1, SO400M, 1, 1),
        ("cuda", 16, SO400M, 15, 1),
        ("cuda", 64, SO400M, 16, 48),
        ("mps", 8, BASE, 7, 1),
    ],
)
def test_cores_are_shared_by_the_work_of_decoding_and_encoding(
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    count: int,
    gflops: float,
    workers: int,
    threads: int,
) -> None:
    monkeypatch.setattr(cores, "cores", lambda: count)
    assert cores.decode_workers(device, gflops) == workers
    assert cores.tower_threads(device, gflops) == threads


@pytest.mark.parametrize(("load", "threads"), [(0.0, 4), (0.4, 4), (1.2, 3), (3.9, 1), (9.0, 1)])
def test_a_search_takes_the_cores_that_are_idle(
    monkeypatch: pytest.MonkeyPatch, load: float, threads: int
) -> None:
    monkeypatch.setattr(cores, "cores", lambda: 4)
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    assert cores.idle_cores() == threads


def test_the_work_of_a_picture_is_counted_as_published_tables_do() -> None:
    base = VisionConfig(image_size=256, patch_size=32)
    wide = {"hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27}
    so400m = VisionConfig(**wide, num_attention_heads=16, image_size=384, patch_size=14)
    assert base.gflops == pytest.approx(BASE, rel=0.02)
    assert so400m.gflops == pytest.approx(SO400M, rel=0.02)
    base16 = VisionConfig(image_size=256)
    middle = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24}
    large = VisionConfig(**middle, num_attention_heads=16, image_size=256)
    assert base16.gflops == pytest.approx(47, rel=0.02)
    assert large.gflops == pytest.approx(163, rel=0.02)
