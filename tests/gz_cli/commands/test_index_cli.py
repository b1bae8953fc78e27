"""``gz index`` and ``gz ls`` as a person meets them: copies, failures, what is passed over."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from media_factory import audio_only, colour_video
from terminal import Archive, run


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
    assert "2 unchanged." in index(archive).err
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


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(
    archive: Archive, tmp_path: Path
) -> None:
    colour_video(archive.videos / "second.mp4", [("green", 4.0)], fps=5)
    (archive.videos / "picture.jpg").write_text("no video")
    ran = index(archive, "--dry-run")
    assert ran.code == 0, ran.err
    files, length, takes, disk = ran.text.splitlines()
    assert files.startswith("2 files to read, ")
    assert files.endswith(": 2 new, 1 skipped.")
    assert length == "10 s of video."
    assert "decoding" in takes
    assert str(archive.model) in takes
    assert disk.startswith("About ")
    assert not archive.library.exists()
    told = index(archive, "--dry-run", "--json").lines[0]
    assert (told["type"], told["new"], told["frames"]) == ("dry_run", 2, 10)
    assert told["takes_s"] == max(told["decode_s"], told["encode_s"]) > 0


def test_a_dry_run_tells_new_changed_unchanged_and_failed_files_apart(archive: Archive) -> None:
    audio_only(archive.videos / "sound.mp4")
    colour_video(archive.videos / "second.mp4", [("green", 4.0)], fps=5)
    index(archive)
    before = {path: path.stat().st_mtime_ns for path in archive.library.glob("library.db")}
    colour_video(archive.videos / "second.mp4", [("white", 3.0)], fps=5)
    colour_video(archive.videos / "third.mp4", [("blue", 3.0)], fps=5)
    shutil.copy(archive.videos / "film.mp4", archive.videos / "copy.mp4")
    told = archive.run("index", "--dry-run", "--json").lines[0]
    kinds = ("files", "new", "changed", "unchanged", "failed_before", "known_content")
    assert [told[kind] for kind in kinds] == [2, 1, 1, 1, 1, 1]
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert archive.run("index", "--dry-run", "--json", "--retry").lines[0]["files"] == 3


def test_a_dry_run_of_pruning_names_what_would_be_forgotten(archive: Archive) -> None:
    for name, colour in (("second", "green"), ("moved", "white"), ("twin", "blue")):
        colour_video(archive.videos / f"{name}.mp4", [(colour, 4.0)], fps=5)
    shutil.copy(archive.videos / "twin.mp4", archive.videos / "twin too.mp4")
    assert index(archive).code == 0
    for name in ("second", "twin"):
        (archive.videos / f"{name}.mp4").unlink()
    (archive.videos / "moved.mp4").rename(archive.videos / "elsewhere.mp4")
    assert "forgotten" not in index(archive, "--dry-run").text
    ran = index(archive, "--dry-run", "--prune")
    second = archive.videos / "second.mp4"
    told = [line for line in ran.text.splitlines() if "forgotten" in line]
    assert told == [f"To be forgotten, because its file is gone: {second}"]
    json_told = index(archive, "--dry-run", "--prune", "--json").lines[0]
    assert json_told["forgotten"] == [{"path": str(second)}]
    assert "1 forgotten" in index(archive, "--prune").err, "and that is what is done"
    (archive.videos / "twin too.mp4").unlink()
    assert "twin" in index(archive, "--dry-run", "--prune").text.split("gone: ")[1]
    assert "1 forgotten" in index(archive, "--prune").err


def test_a_dry_run_without_the_model_gives_the_decoder_s_part(archive: Archive) -> None:
    words = ("index", archive.videos, "--model", "so400m", "--dry-run")
    ran = archive.run(*words, HF_HOME=str(archive.folder / "hub"))
    assert ran.code == 0, ran.err
    assert "Decoding" in ran.text
    assert "so400m is not on this machine" in ran.text
    told = archive.run(*words, "--json", HF_HOME=str(archive.folder / "hub")).lines[0]
    assert (told["model_is_here"], told["encode_s"], told["takes_s"]) == (False, None, None)
    assert told["decode_s"] > 0


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_another_model_is_refused_before_anybody_looks_for_it(
    archive: Archive, more: tuple[str, ...]
) -> None:
    assert index(archive).code == 0
    ran = archive.run("index", archive.videos, "--model", "base", *more)
    assert ran.code == 7
    assert f"indexed with {archive.model}, not with base" in ran.err
    assert "--rebuild" in ran.err
    assert "download" not in ran.err


def test_places_that_are_not_there_are_told_before_a_model_is_looked_for(tmp_path: Path) -> None:
    ran = run("index", "/nope", tmp_path / "nada", library=tmp_path / "library")
    assert (ran.code, ran.out) == (2, b"")
    assert f"There is no file or folder /nope, {tmp_path / 'nada'}." in ran.err
    assert "hub" not in ran.err


def test_a_file_that_is_no_video_is_not_looked_for_again(archive: Archive) -> None:
    assert index(archive).code == 0
    notes = archive.folder / "notes.txt"
    notes.write_text("no video")
    assert archive.run("index", notes).code == 3
    ran = archive.run("index")
    assert (ran.code, "notes.txt" in ran.err) == (0, False), ran.err
