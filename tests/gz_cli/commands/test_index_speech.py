"""``gz index`` writes down what is said: real speech, a tiny speech model with random weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from spoken import SENTENCES, recording, write_sound
from terminal import Archive
from tiny_speech import make_whisper

from index.passages import Passage
from index.store.library import Library


@pytest.fixture(scope="module")
def whisper_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_whisper(tmp_path_factory.mktemp("speech") / "tiny-whisper")


@pytest.fixture
def archive(tmp_path: Path, tiny_model: Path) -> Archive:
    made = Archive(tmp_path, tmp_path / "videos", tiny_model, tmp_path / "library")
    made.videos.mkdir()
    write_sound(made.videos / "talk.mkv", [(0.0, recording())], picture_s=13)
    return made


def transcripts(archive: Archive) -> dict[str, list[Passage]]:
    """Passages of each video whose speech was transcribed."""
    with Library.open_readonly(archive.library) as library:
        return {
            Path(video.path.decode()).name: library.passages(text.id)
            for video in library.videos()
            for text in library.text_rows(video.id)
            if text.state == "visible" and text.source.kind == "transcribed"
        }


def test_a_named_model_writes_what_is_said_and_is_remembered(
    archive: Archive, whisper_dir: Path
) -> None:
    ran = archive.run(
        "index", archive.videos, "--model", archive.model, "--speech-model", whisper_dir
    )
    assert ran.code == 0, ran.err
    assert "1 video transcribed by machine (13 s of sound)." in ran.err
    said = transcripts(archive)["talk.mkv"]
    assert said
    for passage in said:
        middle_s = (passage.start_s + passage.end_s) / 2
        assert any(start_s - 0.3 <= middle_s <= end_s + 0.3 for start_s, end_s, _ in SENTENCES)
    silent = np.zeros(16_000 * 5, np.float32)
    write_sound(archive.videos / "room.mkv", [(0.0, silent)], picture_s=5)
    again = archive.run("index", "--json")
    assert again.code == 0, again.err
    summary = again.lines[-1]
    assert (summary["transcribed"], summary["transcribed_silent"]) == (1, 1)
    assert transcripts(archive)["room.mkv"] == []


def test_speech_may_stand_alone_before_a_folder(archive: Archive, whisper_dir: Path) -> None:
    ran = archive.run(
        "index", "--model", archive.model, "--speech-model", whisper_dir, "--speech",
        archive.videos,
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert "talk.mkv" in transcripts(archive)


def test_speech_off_leaves_a_remembered_model_alone(archive: Archive, whisper_dir: Path) -> None:
    archive.library.mkdir()
    kept = {"model": str(whisper_dir), "language": ""}
    (archive.library / "speech.json").write_text(json.dumps(kept))
    ran = archive.run("index", archive.videos, "--model", archive.model, "--speech", "off")
    assert ran.code == 0, ran.err
    assert transcripts(archive) == {}


def test_auto_fetches_nothing_and_says_what_would(archive: Archive) -> None:
    ran = archive.run(
        "index", archive.videos, "--model", archive.model, "--speech-model", "whisper-small",
        HF_HUB_CACHE=str(archive.folder),
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert "Speech is not transcribed: openai/whisper-small is not on this machine" in ran.err
    assert "gz index --speech --speech-model whisper-small" in ran.err
    assert transcripts(archive) == {}


def test_a_model_that_was_asked_for_and_cannot_be_had_is_named_first(archive: Archive) -> None:
    ran = archive.run(
        "index", archive.videos, "--model", archive.model, "--speech",
        HF_HUB_CACHE=str(archive.folder),
    )  # fmt: skip
    assert ran.code == 7
    assert "nvidia/parakeet-tdt-0.6b-v3 is not on this machine" in ran.err
    assert not (archive.library / "library.db").exists(), "nothing was begun"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--speech=loud"], 2, "'loud' is none of auto, on, files, off"),
        (["--language", "fr", "--speech-model", "TINY"], 7, "does not write the language 'fr'"),
    ],
)
def test_what_makes_no_sense_is_refused_before_any_work(
    archive: Archive, whisper_dir: Path, words: list[str], code: int, said: str
) -> None:
    named = {"TINY": str(whisper_dir)}
    ran = archive.run(
        "index", archive.videos, "--model", archive.model, *(named.get(w, w) for w in words)
    )
    assert (ran.code, said in " ".join(ran.err.split())) == (code, True), ran.err


def test_a_damaged_note_of_the_speech_model_is_named(archive: Archive) -> None:
    archive.library.mkdir()
    (archive.library / "speech.json").write_text("[]")
    ran = archive.run("index", archive.videos, "--model", archive.model)
    assert ran.code == 7
    assert "speech.json does not name a speech model" in ran.err
