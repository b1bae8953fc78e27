"""Speech models from a folder: what they write, when, and how sure; tiny random weights."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_speech import make_parakeet, make_whisper

from index.errors import ModelError, UsageError
from index.passages import Sound
from model.speech import transcriber as speech
from model.speech.parakeet import Parakeet
from model.speech.transcriber import default_model, lasting_spec, load_transcriber, status
from model.speech.whisper import Whisper


@pytest.fixture(scope="module")
def whisper_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_whisper(tmp_path_factory.mktemp("whisper"))


@pytest.fixture(scope="module")
def parakeet_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_parakeet(tmp_path_factory.mktemp("parakeet"))


def noise(seconds: float, seed: int = 0) -> Sound:
    chance = np.random.default_rng(seed)
    return (0.1 * chance.standard_normal(int(16_000 * seconds))).astype(np.float32)


@pytest.mark.parametrize("kind", ["whisper_dir", "parakeet_dir"])
def test_words_come_with_times_inside_their_piece(
    kind: str, request: pytest.FixtureRequest
) -> None:
    folder = request.getfixturevalue(kind)
    pieces = [noise(5), noise(12, 1), noise(0.3, 2)]
    found = load_transcriber(str(folder), device="cpu").transcribe(pieces, "")
    assert len(found) == 3
    assert any(found)
    for passages, piece in zip(found, pieces, strict=True):
        # A transducer's last piece may claim a few frames more than there are.
        length_s = len(piece) / 16_000 + 0.4
        starts = [word.start_s for passage in passages for word in passage.words]
        assert starts == sorted(starts)
        for passage in passages:
            assert passage.language in (["en", "de", "ja"] if kind == "whisper_dir" else [""])
            assert 0 <= passage.start_s <= passage.end_s <= length_s
            assert 0 < passage.confidence <= 1
            for word in passage.words:
                assert passage.body[word.first : word.first + word.length].strip()


@pytest.mark.parametrize("kind", ["whisper_dir", "parakeet_dir"])
def test_a_batch_says_what_its_pieces_say_alone(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (speech.Whisper, speech.Parakeet):
        monkeypatch.setattr(f"{module.__module__}.pays", lambda _: False)
    transcriber = load_transcriber(str(request.getfixturevalue(kind)), device="cpu")
    pieces = [noise(4), noise(9, 1)]
    together = transcriber.transcribe(pieces, "en")
    alone = [transcriber.transcribe([piece], "en")[0] for piece in pieces]
    assert [[p.body for p in some] for some in together] == [[p.body for p in s] for s in alone]


def test_whisper_writes_what_transformers_own_loop_writes(whisper_dir: Path) -> None:
    import torch
    from transformers import WhisperForConditionalGeneration

    from model.hub.sources import ModelFiles

    ours = Whisper(ModelFiles("tiny", "", whisper_dir), "cpu")
    ours._model.float()
    ears = ours._ears(
        [noise(5), noise(12, 1)], sampling_rate=16_000, return_attention_mask=True,
        return_tensors="pt",
    )  # fmt: skip
    theirs = WhisperForConditionalGeneration.from_pretrained(whisper_dir)
    said = theirs.generate(
        ears.input_features,
        attention_mask=ears.attention_mask,
        language="de",
        task="transcribe",
    )
    with torch.inference_mode():
        heard = ours._model.model.encoder(ears.input_features)[0]
        prompts = ours._prompts(heard, "de")
        texts = ours._texts(heard, prompts)
    for row, text in enumerate(texts):
        numbers = [number for number, _ in text]
        assert numbers
        assert said[row][: len(numbers)].tolist() == numbers


def test_parakeet_writes_what_transformers_own_loop_writes(parakeet_dir: Path) -> None:
    import torch
    from transformers import GenerationConfig

    from model.hub.sources import ModelFiles

    ours = Parakeet(ModelFiles("tiny", "", parakeet_dir), "cpu")
    model = ours._model.float()
    config = model.config
    model.generation_config = GenerationConfig(
        decoder_start_token_id=config.blank_token_id,
        pad_token_id=config.pad_token_id,
        suppress_tokens=[config.vocab_size + number for number in range(len(config.durations))],
    )
    ears = ours._ears([noise(3)], sampling_rate=16_000, return_tensors="pt")
    with torch.inference_mode():
        said = model.generate(
            ears.input_features, attention_mask=ears.attention_mask, max_new_tokens=400
        )
        (steps,) = ours._steps(*ours._encoded([noise(3)]))
    at = (said.durations.cumsum(-1) - said.durations)[0].tolist()
    pairs = zip(said.sequences[0].tolist(), at, strict=True)
    assert steps
    assert [(n, f) for n, f, _, _ in steps] == [p for p in pairs if p[0] not in ours._silent]


def test_an_unsure_text_in_silence_is_not_believed(
    whisper_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from model.speech import whisper

    transcriber = load_transcriber(str(whisper_dir), device="cpu")
    assert any(transcriber.transcribe([noise(5)], "en"))
    monkeypatch.setattr(whisper, "_NO_SPEECH", -1.0)
    monkeypatch.setattr(whisper, "_UNSURE", 0.0)
    assert transcriber.transcribe([noise(5)], "en") == [()]


def test_without_heads_that_listen_to_time_the_times_are_only_between(tmp_path: Path) -> None:
    folder = make_whisper(tmp_path)
    path = folder / "generation_config.json"
    settings = json.loads(path.read_text())
    del settings["alignment_heads"]
    path.write_text(json.dumps(settings))
    (passages,) = load_transcriber(str(folder), device="cpu").transcribe([noise(6)], "en")
    assert passages
    assert {p.quality for p in passages} == {"interpolated"}
    assert passages[-1].end_s == pytest.approx(6, abs=0.3)


def test_the_engine_names_the_model_and_its_weights(whisper_dir: Path, tmp_path: Path) -> None:
    engine = load_transcriber(str(whisper_dir)).engine
    assert engine.startswith(whisper_dir.name + "@")
    other = make_whisper(tmp_path / whisper_dir.name, seed=1)
    assert load_transcriber(str(other)).engine != engine


def test_languages_are_those_of_the_model(whisper_dir: Path, parakeet_dir: Path) -> None:
    assert load_transcriber(str(whisper_dir)).languages() == {"en", "de", "ja"}
    assert load_transcriber(str(parakeet_dir)).languages() == {"en"}
    with pytest.raises(ModelError, match="does not write the language 'ja'"):
        load_transcriber(str(parakeet_dir), "ja")
    with pytest.raises(UsageError, match="no code of a language"):
        load_transcriber(str(whisper_dir), "English")


def test_a_language_outside_parakeets_gets_whisper() -> None:
    assert default_model("", "cpu") == default_model("pt", "cpu") == "parakeet"
    assert default_model("ja", "cpu") == "whisper-small"
    assert default_model("ja", "cuda") == "whisper-turbo"


def test_pickled_weights_are_refused(whisper_dir: Path, tmp_path: Path) -> None:
    for path in whisper_dir.iterdir():
        if path.suffix != ".safetensors":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04")
    with pytest.raises(ModelError, match="can run code"):
        load_transcriber(str(tmp_path))


def test_weights_that_lack_something_are_refused(tmp_path: Path) -> None:
    folder = make_whisper(tmp_path)
    from safetensors.numpy import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    weights.pop("model.encoder.layer_norm.weight")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"1 tensors are missing, first .*layer_norm"):
        load_transcriber(str(folder), device="cpu").transcribe([noise(1)], "")


def test_another_kind_of_model_is_named(tiny_model: Path) -> None:
    with pytest.raises(ModelError, match="'siglip', which transcribes nothing here"):
        load_transcriber(str(tiny_model))


def test_a_model_that_is_not_here_is_never_fetched_offline(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError) as raised:
        load_transcriber("whisper-small", offline=True)
    assert "openai/whisper-small is not on this machine" in raised.value.message
    assert "--speech-model FOLDER" in raised.value.remedy
    assert not status("whisper-small").present


def test_nonsense_names_the_models_there_are() -> None:
    with pytest.raises(UsageError, match="'whispr'") as raised:
        load_transcriber("whispr")
    assert "parakeet, whisper-base, whisper-small, whisper-turbo" in raised.value.remedy


def test_a_folder_is_the_same_from_everywhere(
    whisper_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(whisper_dir.parent)
    assert lasting_spec(f"./{whisper_dir.name}") == str(whisper_dir)
    assert lasting_spec("parakeet") == "parakeet"


def test_without_the_extra_people_learn_what_to_install(
    whisper_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "silero_vad", None)
    with pytest.raises(ModelError) as raised:
        load_transcriber(str(whisper_dir))
    assert "pip install 'groundzero-video[speech]'" in raised.value.remedy


def test_what_does_not_fit_into_memory_is_halved(
    whisper_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transcriber = load_transcriber(str(whisper_dir), device="cpu")
    whole = transcriber.transcribe([noise(1, n) for n in range(4)], "en")
    write, sizes = Whisper.write, []

    def small(self: Whisper, pieces: list[Sound], language: str) -> object:
        sizes.append(len(pieces))
        if len(pieces) > 1:
            raise RuntimeError("CUDA out of memory")
        return write(self, pieces, language)

    monkeypatch.setattr(Whisper, "write", small)
    assert len(transcriber.transcribe([noise(1, n) for n in range(4)], "en")) == len(whole)
    assert sizes == [4, 2, 1, 1, 2, 1, 1]
