"""``gz doctor`` on words: the speech model, the screen reader, and what they lack."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from media_factory import colour_video
from spoken import recording, write_sound
from terminal import Archive
from tiny_speech import make_whisper

from gz_cli.commands.health_words import screen_check, speech_check
from index.errors import ModelError


@pytest.fixture(scope="module")
def whisper_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_whisper(tmp_path_factory.mktemp("speech") / "tiny-whisper")


def remember(library: Path, spec: str, language: str = "") -> None:
    (library / "speech.json").write_text(json.dumps({"model": spec, "language": language}))


def test_doctor_names_who_writes_and_who_reads(
    tmp_path: Path, tiny_model: Path, whisper_dir: Path
) -> None:
    archive = Archive(tmp_path, tmp_path / "videos", tiny_model, tmp_path / "library")
    archive.videos.mkdir()
    colour_video(archive.videos / "a.mp4", [("red", 3.0)])
    (archive.videos / "a.srt").write_text("1\n00:00:00,500 --> 00:00:02,000\nnever signed\n")
    write_sound(archive.videos / "b.mp3", [(0.0, recording()[:80_000])])
    (archive.videos / "b.srt").write_text("1\n00:00:00,500 --> 00:00:02,000\nshe never\n")
    assert archive.run("index", archive.videos, "--model", archive.model, "--screen").code == 0
    remember(archive.library, str(whisper_dir), "de")
    ran = archive.run("doctor", "--json")
    told: dict[str, Any] = {check["name"]: check for check in ran.lines[0]["checks"]}
    assert ran.code == 0
    assert whisper_dir.name in told["speech"]["detail"]
    assert told["speech"]["detail"].endswith("language de")
    assert told["screen"]["detail"].startswith("rapidocr ")
    assert "1 video, 1 sound file, 3 frames, 2 texts of speech" in told["library"]["detail"]
    remember(archive.library, "whisper-small")
    ran = archive.run("doctor", HF_HUB_CACHE=str(tmp_path / "hub"))
    assert ran.code == 7
    assert "whisper-small is not on this machine" in ran.text
    assert "gz index --speech --speech-model whisper-small" in ran.text
    (archive.library / "speech.json").write_text("[]")
    assert "does not name a speech model" in archive.run("doctor").text


def test_an_extra_that_is_missing_is_trouble_only_where_it_is_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*given: object, **named: object) -> None:
        raise ModelError("a package is missing", "pip install it")

    monkeypatch.setattr("model.speech.voices.weights_file", missing)
    monkeypatch.setattr("model.screen.reader.RapidReader.__init__", missing)
    for check, extra in (
        (speech_check(tmp_path), "speech"),
        (screen_check(wanted=False), "screen"),
    ):
        assert check.ok
        assert f"the extra {extra} is not installed: pip install it" in check.detail
    remember(tmp_path, "parakeet")
    for check in (speech_check(tmp_path), screen_check(wanted=True)):
        assert (check.ok, check.remedy, check.exit_code) == (False, "pip install it", 7)
