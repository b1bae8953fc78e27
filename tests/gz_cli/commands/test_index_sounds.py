"""``gz`` and files of sound alone, as a person meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from media_factory import colour_video
from spoken import recording, write_sound
from terminal import Archive
from tiny_speech import make_whisper

CUE = "1\n00:00:00,500 --> 00:00:03,000\nShe never signed the contract.\n"


@pytest.fixture(scope="module")
def whisper_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_whisper(tmp_path_factory.mktemp("speech") / "tiny-whisper")


@pytest.fixture
def archive(tmp_path: Path, tiny_model: Path) -> Archive:
    made = Archive(tmp_path, tmp_path / "videos", tiny_model, tmp_path / "library")
    made.videos.mkdir()
    colour_video(made.videos / "red.mp4", [("red", 4.0)])
    write_sound(made.videos / "podcast.mp3", [(0.0, recording())])
    write_sound(made.videos / "memo.m4a", [(0.0, recording()[:80_000])])
    (made.videos / "podcast.en.srt").write_text(CUE)
    return made


def test_a_sound_file_with_subtitles_is_listed_and_shown(archive: Archive) -> None:
    ran = archive.run("index", archive.videos, "--model", archive.model)
    assert ran.code == 0, ran.err
    assert "1 sound file of 13 s)" in ran.err
    assert "1 video and 1 sound file to search." in ran.err
    assert "1 other file skipped: 1 sound file." in ran.err
    listed = archive.run("ls")
    row = next(line for line in listed.text.splitlines() if "podcast" in line)
    assert row.split()[:5] == ["indexed", "0:00:13", "sound", "-", "speech"]
    shown = archive.run("show", "podcast", "--transcript")
    assert "none, it is a sound file" in shown.text
    assert "0:00:00.5 - 0:00:03.0  She never signed the contract." in shown.text
    assert archive.run("find", "red", "--no-refine").code in (0, 1)


def test_a_named_sound_file_without_words_says_how_to_get_them(archive: Archive) -> None:
    archive.run("index", archive.videos, "--model", archive.model)
    ran = archive.run("index", archive.videos / "memo.m4a")
    assert ran.code == 3
    assert "only words can be found; to write down what is said in it: gz index --speech" in ran.err


def test_an_archive_of_sound_alone_can_be_indexed(archive: Archive, whisper_dir: Path) -> None:
    (archive.videos / "red.mp4").unlink()
    words = ("--model", archive.model, "--speech-model", whisper_dir)
    ran = archive.run("index", archive.videos, *words)
    assert ran.code == 0, ran.err
    assert "2 files indexed (2 sound files of 18 s)." in ran.err
    assert "1 sound file transcribed by machine" in ran.err, "the other one has subtitles"
    assert "2 sound files to search." in ran.err


def test_a_clip_of_sound_is_refused_in_plain_words(archive: Archive) -> None:
    archive.run("index", archive.videos, "--model", archive.model)
    hits = archive.run("find", "red", "--no-refine", "--threshold", "0", "--json").lines
    for line in hits:
        for hit in line["hits"]:
            hit["path"] = str(archive.videos / "podcast.mp3")
            hit.pop("fingerprint", None)
    asked = "\n".join(map(json.dumps, hits)).encode()
    ran = archive.run("export-clips", "--from", "-", stdin=asked)
    assert ran.code != 0
    assert "podcast.mp3 is a sound file, and clips are only cut from videos" in ran.err


def test_a_dry_run_counts_sound_and_what_would_be_listened_to(
    archive: Archive, whisper_dir: Path
) -> None:
    words = ("--model", archive.model, "--speech-model", whisper_dir, "--dry-run")
    ran = archive.run("index", archive.videos, *words)
    assert ran.code == 0, ran.err
    assert "2 sound files, about 18 s." in ran.text
    assert "comes afterwards: how long it takes is not known." in ran.text
    assert not (archive.library / "library.db").exists()
