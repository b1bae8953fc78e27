"""``gz index`` and ``gz ls`` as a person meets them: copies, failures, what is passed over."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from media_factory import audio_only, colour_video
from terminal import Archive


@pytest.fixture
def archive(tmp_path: Path, tiny_model: Path) -> Archive:
    videos = tmp_path / "videos"
    videos.mkdir()
    colour_video(videos / "film.mp4", [("red", 3.0), ("blue", 3.0)], fps=5)
    return Archive(tmp_path, videos, tiny_model, tmp_path / "library")


def index(archive: Archive, *more: str | Path):
    return archive.run("index", archive.videos, "--model", archive.model, *more)


def test_every_path_of_a_content_is_listed_and_searched(archive: Archive) -> None:
    film, copy = archive.videos / "film.mp4", archive.videos / "more" / "same.mp4"
    copy.parent.mkdir()
    assert index(archive).code == 0
    shutil.copy(film, copy)
    ran = index(archive)
    assert "1 unchanged, 1 duplicate" in ran.err
    listed = archive.run("ls")
    first, second = listed.text.splitlines()
    assert first.startswith("indexed")
    assert second.startswith("duplicate")
    assert f"{copy}  the same content as {film}" in second
    assert "1 indexed (6 s), 1 duplicate" in listed.err
    rows = archive.run("ls", "--json").lines
    assert [(row["path"], row["copy_of"]) for row in rows] == [
        (str(film), None),
        (str(copy), str(film)),
    ]
    assert "2 unchanged;" in index(archive).err
    words = ("find", "red", "--threshold", "0", "--no-refine", "-k", "1")
    found = archive.run(*words, "--in", copy)
    assert str(copy) in found.text.splitlines()[0]
    assert found.text.splitlines()[1].split("content: ")[1] == str(film)
    hit = json.loads(archive.run(*words, "--json").out)["hits"][0]
    assert (hit["path"], hit["also_at"]) == (str(film), [{"path": str(copy)}])


def test_what_failed_before_is_a_note_and_no_failure(archive: Archive) -> None:
    audio_only(archive.videos / "sound.mp4")
    (archive.videos / "empty.mp4").write_bytes(b"")
    assert index(archive).code == 3
    again = index(archive)
    assert (again.code, "2 failed before (gz ls says why" in again.err) == (0, True)
    assert index(archive, "--retry").code == 3


def test_what_is_skipped_is_said_by_kind_and_named_when_asked(archive: Archive) -> None:
    for name in ("a.jpg", "b.JPG", "c.srt", "d.zip", "e.xyz", "noending", ".hidden"):
        (archive.videos / name).write_text("not a video")
    said = (
        "7 other files skipped: 2 pictures, 1 hidden or temporary file, 1 subtitle, 1 archive, "
        "1 .xyz file, 1 file without an ending."
    )
    ran = index(archive)
    assert sorted(said.split(": ")[1].rstrip(".").split(", ")) == sorted(
        ran.err.split("skipped: ")[1].split(".\n")[0].split(", ")
    )
    assert "b.JPG" not in ran.err
    assert f"skipped {archive.videos / 'b.JPG'}: picture" in index(archive, "-v").err
    summary = index(archive, "--json").lines[-1]
    assert (summary["skipped"], summary["skipped_kinds"]["picture"]) == (7, 2)
