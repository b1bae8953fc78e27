"""How long a file of sound alone is, whatever it declares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from media_factory import colour_video, cover_art_file
from spoken import recording, write_sound

from index.errors import MediaError
from index.media.sound_facts import sound_facts


@pytest.mark.parametrize(
    ("ending", "codec"),
    [
        *(("mp3", "mp3"), ("m4a", "aac"), ("wav", "pcm_s16le")),
        *(("flac", "flac"), ("ogg", "opus"), ("opus", "opus")),
    ],
)
def test_every_kind_says_how_long_it_is(tmp_path: Path, ending: str, codec: str) -> None:
    path = write_sound(tmp_path / f"a.{ending}", [(0.0, recording())])
    info, report = sound_facts(os.fsencode(path))
    assert report.duration_s == pytest.approx(len(recording()) / 16_000, abs=0.03)
    assert (info.codec, info.width, info.height, info.has_audio) == (codec, 0, 0, True)
    assert report.note == ""


def test_a_cover_is_no_picture(tmp_path: Path) -> None:
    info, report = sound_facts(os.fsencode(cover_art_file(tmp_path / "a.m4a", with_video=False)))
    assert (info.width, info.codec) == (0, "aac")
    assert report.duration_s == pytest.approx(1.0, abs=0.1)


def test_what_is_cut_off_ends_where_it_can_be_heard(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.mp3", [(0.0, recording())])
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    _, report = sound_facts(os.fsencode(path))
    assert report.duration_s == pytest.approx(6.5, abs=0.2)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.write_bytes(os.urandom(5000)), "not a video container"),
        (lambda path: colour_video(path.with_suffix(".mp4"), [("red", 1.0)]).rename(path), "video"),
        (lambda path: path.write_bytes(b"RIFF\0\0\0\0WAVEfmt "), "damaged"),
    ],
)
def test_what_is_no_sound_file_says_so(tmp_path: Path, make, said: str) -> None:
    path = tmp_path / "a.m4a"
    make(path)
    with pytest.raises(MediaError, match=said):
        sound_facts(os.fsencode(path))
