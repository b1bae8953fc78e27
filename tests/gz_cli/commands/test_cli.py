"""The program as a person or a script meets it: a subprocess, real videos, a tiny model."""

from __future__ import annotations

import base64
import json
import os
import pty
import re
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from media_factory import colour_video
from terminal import GZ, Archive, environment, run
from tiny_siglip import make_model

from gz_cli.grounding import keep_grounder
from gz_cli.views.found_clips import parse_result
from index.files import WriterLock
from index.store.checksums import offer_digest

HOSTILE = b"two\nlines \x1b[31m \xff [/].mp4"


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Archive:
    """Indexed once: two good videos, one of them with a hostile name, and a broken one."""
    folder = tmp_path_factory.mktemp("archive")
    videos = folder / "videos"
    videos.mkdir()
    colour_video(videos / "plain.mp4", [("red", 4.0), ("blue", 4.0)], fps=10)
    colour_video(videos / "second.mp4", [("green", 6.0)], fps=10)
    hostile = videos / os.fsdecode(HOSTILE)
    hostile.parent.mkdir()
    (videos / "second.mp4").rename(hostile)
    whole = (videos / "plain.mp4").read_bytes()
    (videos / "broken.mp4").write_bytes(whole[:64] + bytes(4000))
    found = Archive(folder, videos, tiny_model, folder / "library")
    ran = found.run("index", videos, "--model", tiny_model)
    assert ran.code == 3, ran.err
    assert ran.out == b""
    assert "broken.mp4" in ran.err
    assert "2 files indexed" in ran.err
    assert "2 videos to search" in ran.err
    return found


@pytest.fixture
def copy(archive: Archive, tmp_path: Path) -> Archive:
    """The same archive with a library of its own, to be damaged."""
    shutil.copytree(archive.library, tmp_path / "library")
    return Archive(tmp_path, archive.videos, archive.model, tmp_path / "library")


def is_plain(text: str) -> bool:
    return all(char == "\n" or char.isprintable() for char in text)


# Indexing


def test_a_second_run_does_nothing(copy: Archive) -> None:
    ran = copy.run("index", copy.videos)
    assert ran.code == 0, "the broken file was told of before"
    assert "0 files indexed, 2 unchanged, 1 failed before" in ran.err


def test_without_a_path_the_known_folders_are_looked_at(copy: Archive) -> None:
    ran = copy.run("index", "--json")
    summary = ran.lines[-1]
    assert (summary["type"], summary["unchanged"], summary["searchable"]) == ("summary", 2, 2)


def test_json_of_index_is_a_stream_for_programs(archive: Archive, tmp_path: Path) -> None:
    ran = run("index", archive.videos, "--model", archive.model, "--json", library=tmp_path / "new")
    assert ran.code == 3
    assert all(line["version"] == 1 for line in ran.lines)
    kinds = [line["type"] for line in ran.lines]
    assert kinds[0] == "scanned"
    assert kinds[-1] == "summary"
    assert "status" in kinds
    (problem,) = (line for line in ran.lines if line["type"] == "problem")
    assert problem["path"].endswith("broken.mp4")
    assert problem["reason"]
    assert ran.lines[-1]["indexed"] == 2


def test_a_folder_without_videos_ends_with_4(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("no video")
    ran = run("index", tmp_path / "empty", "--model", tiny_model, library=tmp_path / "library")
    assert ran.code == 4
    assert "no video" in ran.err


def test_another_model_is_refused_with_both_names_and_the_way_out(
    copy: Archive, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    make_model(mine, seed=1)
    ran = copy.run("index", copy.videos, "--model", mine)
    assert ran.code == 7
    assert ran.err.count("local folder@") == 2
    assert "--rebuild" in ran.err
    ran = copy.run("index", copy.videos, "--model", mine, "--rebuild")
    assert "2 files indexed" in ran.err
    shutil.rmtree(mine)
    ran = copy.run("find", "a dog")
    assert ran.code == 7
    assert str(mine) in ran.err
    make_model(mine, seed=2)
    for words in (["find", "a dog"], ["doctor"]):
        ran = copy.run(*words)
        assert ran.code == 7
        assert "gz index --rebuild" in ran.err + ran.text


def test_a_preset_is_not_mistaken_for_a_folder_of_its_name(
    archive: Archive, tmp_path: Path
) -> None:
    (tmp_path / "demo").mkdir()
    video = archive.videos / "plain.mp4"
    ran = run("index", video, "--model", "demo", library=tmp_path / "library")
    assert ran.code == 0, ran.err


def test_a_library_that_somebody_writes_ends_with_5(copy: Archive) -> None:
    with WriterLock(copy.library):
        ran = copy.run("index", copy.videos)
    assert ran.code == 5
    assert str(os.getpid()) in ran.err


def test_an_interrupted_run_says_so_and_can_go_on(archive: Archive, tmp_path: Path) -> None:
    library = tmp_path / "library"
    command = [GZ, "index", str(archive.videos), "--model", str(archive.model), "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(library)
    ) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["type"] == "scanned"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert b"Traceback" not in err, err
    assert process.returncode == 130
    assert b"run it again to go on" in err
    assert json.loads(err.splitlines()[-1])["exit_code"] == 130
    ran = run("index", archive.videos, "--model", archive.model, library=library)
    assert ran.code == 3, ran.err
    assert "2 videos to search" in ran.err


# What is there


def test_ls_names_what_is_indexed_and_what_failed_and_why(archive: Archive) -> None:
    ran = archive.run("ls")
    assert ran.code == 0
    assert is_plain(ran.text)
    broken, plain, hostile = ran.text.splitlines()
    assert broken.startswith("failed")
    assert plain.startswith("indexed")
    assert "0:00:08" in plain
    assert "two\\nlines \\x1b[31m \\xff [/].mp4" in hostile
    assert "2 indexed (14 s), 1 failed" in ran.err


def test_json_of_ls_carries_exact_paths(archive: Archive) -> None:
    rows = archive.run("ls", "--json").lines
    assert [row["type"] for row in rows] == ["video"] * 3
    (hostile,) = (row for row in rows if "path_bytes" in row)
    expected = os.fsencode(archive.videos) + b"/" + HOSTILE
    assert base64.b64decode(hostile["path_bytes"]) == expected
    assert hostile["frames"] == 6


def test_doctor_finds_all_well(archive: Archive) -> None:
    ran = archive.run("doctor")
    assert ran.code == 0, ran.text
    for word in ("python", "faiss", "decoder", "device", "library", "model", "space"):
        assert f"ok   {word}" in ran.text
    report = archive.run("doctor", "--json").lines[0]
    assert report["ready"] is True
    assert re.search(r"runs as (packed|reference) \w+, agreement (0\.999|1\.0)\d+", ran.text)


def test_doctor_says_what_to_do_about_a_missing_model(tmp_path: Path) -> None:
    ran = run("doctor", library=tmp_path / "none", HF_HOME=str(tmp_path / "hub"))
    assert ran.code == 7
    assert "hf download" in ran.text
    assert "--model demo" in ran.text


def test_doctor_notices_a_trained_grounding_that_is_gone(copy: Archive) -> None:
    (copy.library / "grounder.json").write_text(json.dumps({"grounder": "/no/such/model"}))
    ran = copy.run("doctor")
    assert ran.code == 7
    assert "BAD  grounding" in ran.text
    assert "/no/such/model" in ran.text


def test_without_a_library_there_is_a_hint_and_4(tmp_path: Path) -> None:
    for arguments in (["ls"], ["find", "a dog"]):
        ran = run(*arguments, library=tmp_path / "none")
        assert ran.code == 4
        assert "gz index" in ran.err
    assert not (tmp_path / "none").exists()


# Finding


def test_a_hit_says_rank_sureness_time_and_path(archive: Archive) -> None:
    ran = archive.run("find", "a red door", "--threshold", "0", "-k", "3")
    assert ran.code == 0, ran.err
    assert is_plain(ran.text)
    first = ran.text.splitlines()[0]
    assert first.split()[0] == "1"
    assert first.split()[1] in {"almost", "very", "likely", "perhaps", "unlikely"}
    assert "%" not in first
    assert "holds 14 pictures" in ran.err
    assert " - 0:00:" in first
    assert str(archive.videos) in first
    assert "Searched 2 videos, 14 s." in ran.err


def test_json_of_find_is_one_versioned_document(archive: Archive) -> None:
    ran = archive.run("find", "a red door", "--threshold", "0", "--json")
    document = json.loads(ran.out)
    assert (document["version"], document["type"], document["found"]) == (1, "find", True)
    searched = document["searched"]
    assert (searched["videos"], searched["frames"]) == (2, 14)
    assert searched["seconds"] == pytest.approx(14, abs=1)
    assert (searched["sight"], searched["speech"], searched["screen"]) == (2, 0, 0)
    for rank, hit in enumerate(document["hits"], start=1):
        assert hit["rank"] == rank
        assert 0 <= hit["start_s"] < hit["end_s"] <= hit["duration_s"]
        assert 0 <= hit["presence"] <= 1
        assert hit["evidence"]


def test_not_found_is_an_answer(archive: Archive) -> None:
    ran = archive.run("find", "a red door", "--threshold", "1")
    assert ran.code == 1
    assert ran.out == b""
    assert "Not found" in ran.err
    assert "Searched 2 videos, 14 s." in ran.err
    assert "Best guess, below the bar" in ran.err
    document = json.loads(archive.run("find", "a red door", "--threshold", "1", "--json").out)
    assert (document["found"], document["hits"]) == (False, [])
    assert document["best_guess"]["end_s"] > 0


def test_what_pictures_cannot_answer_is_said(archive: Archive) -> None:
    ran = archive.run("find", "three red doors", "--threshold", "0", "--no-refine")
    assert ran.code == 0
    assert 'Nothing is counted ("three red"): moments with any number may be found.' in ran.err
    ran = archive.run("find", "a room without a door", "--no-refine")
    assert ran.code == 1, "an absence is never more than a guess"
    assert 'is said to be absent ("without")' in ran.err
    document = json.loads(
        archive.run("find", "a room without a door", "--threshold", "0", "--json").out
    )
    assert any("absent" in note for note in document["notes"])
    assert all(hit["presence"] < 0.5 for hit in document["hits"])


def test_what_the_model_cannot_read_is_said(archive: Archive) -> None:
    for _ in range(2):  # the second time from the cache of sentences
        ran = archive.run("find", "a red thing " * 40, "--threshold", "0", "--no-refine")
        assert "words were read" in ran.err


def test_an_order_query_shows_the_evidence_of_each_part(archive: Archive) -> None:
    sentence = "a red door opens before a blue door opens"
    found = json.loads(archive.run("find", sentence, "--threshold", "0", "--json").out)
    parts = [part["text"] for part in found["hits"][0]["evidence"]]
    ran = archive.run("find", sentence, "--threshold", "0", "--no-refine")
    assert len(parts) == 2
    assert all(part in ran.text for part in parts)


def test_paths_for_pipes(archive: Archive) -> None:
    plain = archive.run("find", "a dog", "--threshold", "0", "--paths", "--no-refine")
    assert is_plain(plain.text)
    exact = archive.run("find", "a dog", "--threshold", "0", "--print0", "--no-refine")
    paths = exact.out.split(b"\0")
    assert paths.pop() == b""
    assert set(paths) <= {os.fsencode(archive.videos) + b"/" + n for n in (HOSTILE, b"plain.mp4")}
    assert len(plain.text.splitlines()) == len(paths)


def test_in_after_and_before_keep_to_a_part(archive: Archive) -> None:
    arguments = ["find", "a dog", "--threshold", "0", "--json", "--no-refine"]
    within = archive.videos / "plain.mp4"
    limits = ["--in", str(within), "--after", "0:02", "--before", "0:00:06.0"]
    document = json.loads(archive.run(*arguments, *limits).out)
    assert document["searched"]["videos"] == 1
    assert document["hits"]
    for hit in document["hits"]:
        assert hit["path"] == str(within)
        assert hit["start_s"] >= 2
        assert hit["end_s"] <= 6


def test_a_line_to_play_a_hit_names_the_exact_file(archive: Archive, tmp_path: Path) -> None:
    player = tmp_path / "mpv"
    player.write_text('#!/bin/sh\nfor word in "$@"; do printf "%s\\0" "$word"; done\n')
    player.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    ran = archive.run(
        "find", "a dog", "--threshold", "0", "--player", "--no-refine", "-k", "9", PATH=path
    )
    assert is_plain(ran.text)
    lines = [line.strip() for line in ran.text.splitlines() if line.strip().startswith("mpv ")]
    assert lines
    played = set()
    for line in lines:
        pasted = subprocess.run(
            ["bash", "-c", line], capture_output=True, check=True, env={"PATH": path}, timeout=20
        )
        start, end, dashes, file = pasted.stdout.split(b"\0")[:4]
        assert start.startswith(b"--start=")
        assert end.startswith(b"--end=")
        assert dashes == b"--"
        played.add(file)
    assert played <= {os.fsencode(path) for path in archive.videos.rglob("*.mp4")}


def test_pictures_of_hits_replace_nothing(archive: Archive, tmp_path: Path) -> None:
    arguments = ["find", "a dog", "--threshold", "0", "--no-refine", "--in", "*plain.mp4"]
    arguments += ["-k", "1", "--thumbs", str(tmp_path)]
    assert archive.run(*arguments).code == 0
    (picture,) = tmp_path.glob("*.jpg")
    assert picture.name.startswith("01_plain_0-00-0")
    with av.open(str(picture)) as image:
        colour = next(image.decode(video=0)).to_ndarray(format="rgb24").mean(axis=(0, 1))
    assert max(colour) - min(colour) > 60, "a red or a blue picture, not a grey one"
    archive.run(*arguments)
    assert len(list(tmp_path.glob("*.jpg"))) == 1, "the same picture is not written twice"
    picture.write_bytes(b"somebody's own")
    archive.run(*arguments)
    assert picture.read_bytes() == b"somebody's own"
    assert len(list(tmp_path.glob("*.jpg"))) == 2


# Cutting


def test_the_last_hits_are_cut_without_repeating_them(copy: Archive) -> None:
    found = copy.run("find", "a dog", "--threshold", "0", "--json", "-k", "2")
    out = copy.folder / "clips"
    ran = copy.run("export-clips", "--out", out)
    assert ran.code == 0, ran.err
    clips = sorted(out.glob("*.mp4"))
    assert len(clips) == len(json.loads(found.out)["hits"])
    assert all(str(clip) in ran.text for clip in clips)
    assert (out / "manifest.json").is_file()
    before = {clip: clip.read_bytes() for clip in clips}
    again = copy.run("export-clips", "--out", out)
    assert {clip: clip.read_bytes() for clip in clips} == before, again.err
    assert "numbered anew (_2" in again.err
    assert "numbered" not in ran.err
    assert (out / "manifest_2.json").is_file()


@pytest.mark.parametrize(
    "arguments",
    [
        ["find", "a dog", "--thumbs", "/proc/x"],
        ["find", "a dog", "--thumbs", "file/x"],
        ["export-clips", "a dog", "--out", "/proc/x/y"],
        ["export-clips", "a dog", "--out", "file"],
        ["export-clips", "a dog", "--out", "~nobody-at-all/x"],
    ],
)
def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_opened(
    tmp_path: Path, arguments: list[str]
) -> None:
    (tmp_path / "file").write_text("mine")
    ran = run(*arguments, library=tmp_path / "none")
    assert ran.code == 2, ran.err
    assert f"cannot be written to {arguments[-1][:1]}" in ran.err.replace(f"{tmp_path}/", "")
    assert arguments[-2] in ran.err, "the option that names another"


def test_a_search_that_never_began_leaves_no_folder(tmp_path: Path) -> None:
    for option in (["find", "a dog", "--thumbs"], ["export-clips", "a dog", "--out"]):
        ran = run(*option, tmp_path / "new" / "folder", library=tmp_path / "none")
        assert ran.code == 4, ran.err
    assert not (tmp_path / "new").exists()


def test_places_without_videos_are_told_before_the_model_is_opened(copy: Archive) -> None:
    with sqlite3.connect(copy.library / "library.db") as db:
        offer_digest(db)
        db.execute("UPDATE meta SET value = '/no/model' WHERE key = 'model_spec'")
    db.close()
    ran = copy.run("find", "a dog", "--in", "/nowhere/at/all")
    assert ran.code == 2, ran.err
    assert "No indexed video lies in /nowhere/at/all." in ran.err


def test_hits_from_a_pipe_become_clips(copy: Archive) -> None:
    found = copy.run("find", "a dog", "--threshold", "0", "--json", "--no-refine")
    (copy.library / "last_find.json").unlink()
    ran = copy.run(
        "export-clips", "--from", "-", "--out", "clips", "--mode", "copy", "--json", stdin=found.out
    )
    assert ran.code == 0, ran.err
    *clips, summary = ran.lines
    assert summary["type"] == "summary"
    assert summary["clips"] == len(clips) == len(json.loads(found.out)["hits"])
    for clip, hit in zip(clips, json.loads(found.out)["hits"], strict=True):
        assert clip.get("source_bytes") == hit.get("path_bytes")
        assert clip["asked_start_s"] == hit["start_s"]
        assert clip["mode"] == "copy"


def test_a_source_that_is_gone_fails_alone(archive: Archive, tmp_path: Path) -> None:
    clips = [
        {"path": str(archive.videos / name), "start_s": 1.0, "end_s": 2.0}
        for name in ("plain.mp4", "gone.mp4")
    ]
    hits = tmp_path / "hits.json"
    hits.write_text(json.dumps({"version": 1, "hits": clips}))
    ran = archive.run("export-clips", "--from", hits, "--out", tmp_path / "clips")
    assert ran.code == 3
    assert "gone.mp4" in ran.err
    assert len(list((tmp_path / "clips").glob("*.mp4"))) == 1


def test_nothing_found_is_nothing_to_cut(copy: Archive) -> None:
    assert copy.run("find", "a dog", "--threshold", "1").code == 1
    ran = copy.run("export-clips")
    assert ran.code == 1
    assert "nothing to cut" in ran.err
    (summary,) = copy.run("export-clips", "--json").lines
    assert (summary["type"], summary["clips"], summary["manifest"]) == ("summary", 0, None)
    (copy.library / "last_find.json").unlink()
    assert copy.run("export-clips").code == 2


def test_a_library_that_cannot_be_written_is_remembered_elsewhere(copy: Archive) -> None:
    (copy.library / "last_find.json").unlink(missing_ok=True)
    (copy.library / "last_find.json").mkdir()
    assert copy.run("find", "a dog", "--threshold", "0", "--no-refine").code == 0
    (kept,) = (copy.folder / "state").rglob("last_find-*.json")
    assert parse_result(kept.read_bytes(), "kept")
    ran = copy.run("export-clips", "--out", copy.folder / "clips", "-k", "1")
    assert ran.code == 0, ran.err


def test_a_video_is_no_result(archive: Archive) -> None:
    ran = archive.run("export-clips", "--from", archive.videos / "plain.mp4")
    assert ran.code == 2
    assert "is not a result of gz find: it is" in ran.err
    assert "codec" not in ran.err


# Manners


@pytest.mark.parametrize(
    "arguments",
    [
        ["find"],
        ["find", "   "],
        ["find", b"a \xff\xfe heart"],
        ["find", "a " * 6000],
        ["export-clips", b"a \xff heart"],
        ["find", "a dog", "--after", "1:99"],
        ["find", "a dog", "--after", "9" * 400 + ":00:00"],
        ["find", "a dog", "--after", "5", "--before", "4"],
        ["find", "a dog", "-k", "0"],
        ["find", "a dog", "--threshold", "2"],
        ["find", "a dog", "--threshold", "nan"],
        ["find", "a dog", "--json", "--paths"],
        ["find", "a dog", "--in", "/nowhere/at/all"],
        ["find", "a dog", "--device", "abacus"],
        ["export-clips", "a dog", "--from", "x"],
        ["export-clips", "--from", "/no/such/file"],
        ["export-clips", "--mode", "magic"],
        ["export-clips", "--format", "exe"],
        ["frobnicate"],
        ["--frobnicate"],
    ],
)
def test_what_makes_no_sense_ends_with_2(archive: Archive, arguments: list[str | bytes]) -> None:
    ran = archive.run(*arguments)
    assert ran.code == 2, ran.err
    assert ran.out == b""
    assert ran.err.strip()


@pytest.mark.parametrize("damage", ["header", "page", "newer"])
def test_a_damaged_or_newer_library_ends_with_6_and_stays(copy: Archive, damage: str) -> None:
    file = copy.library / "library.db"
    data = bytearray(file.read_bytes())
    if damage == "header":
        data[:32] = b"not a library at all, I am afraid"[:32]
    elif damage == "page":
        data[16384 : 16384 + 4096] = os.urandom(4096)
    else:
        with sqlite3.connect(file) as db:
            db.execute("PRAGMA user_version = 99")
        db.close()
        data = bytearray(file.read_bytes())
    file.write_bytes(data)
    ran = copy.run("doctor")
    assert ran.code == 6, ran.text + ran.err
    assert file.read_bytes() == bytes(data)


def test_a_flipped_bit_ends_with_6_until_doctor_and_index_have_mended_it(copy: Archive) -> None:
    query = ["find", "red", "--threshold", "0", "--json", "--no-refine"]
    before = copy.run(*query).lines
    file = copy.library / "library.db"
    db = sqlite3.connect(file)
    (vectors,) = db.execute("SELECT vectors FROM chunks ORDER BY id").fetchone()
    db.close()
    data = bytearray(file.read_bytes())
    data[data.index(vectors) + 7] ^= 64
    file.write_bytes(data)
    for path in copy.library.glob("vectors*"):
        path.unlink()
    ran = copy.run(*query)
    assert (ran.code, ran.out) == (6, b"")
    assert ".mp4" in ran.err
    assert "gz doctor --repair" in ran.err
    assert copy.run("doctor").code == 6
    assert copy.run("doctor", "--repair").code == 0
    assert "1 file indexed" in copy.run("index").err
    assert copy.run(*query).lines == before


def test_a_damaged_note_of_the_grounding_ends_with_7(copy: Archive) -> None:
    keep_grounder(copy.library, copy.library / "trained")
    note = copy.library / "grounder.json"
    note.write_bytes(note.read_bytes().replace(b"trained", b"traimed"))
    ran = copy.run("find", "red")
    assert ran.code == 7, ran.err
    assert "gz train --use" in ran.err


def test_errors_are_json_where_results_are(tmp_path: Path) -> None:
    ran = run("ls", "--json", library=tmp_path / "none")
    error = json.loads(ran.err)
    assert (error["type"], error["exit_code"]) == ("error", 4)
    assert "gz index" in error["remedy"]


@pytest.mark.parametrize("share", ["nan", "2", "-0.1", "inf", "half"])
def test_a_threshold_that_is_no_share_is_named(tmp_path: Path, share: str) -> None:
    ran = run("find", "a dog", f"--threshold={share}", library=tmp_path / "none")
    assert ran.code == 2
    assert f"'--threshold': '{share}' is not a number from 0 to 1" in ran.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["find", "--json"], "The query is empty."),
        (["find", "a dog", "--json", "--threshold", "nan"], "'nan' is not a number from 0 to 1"),
        (["find", "a dog", "-k", "many", "--json"], "valid integer"),
        (["find", "a dog", "--frobnicate", "--json"], "No such option: --frobnicate"),
        (["find", "a dog", "--json", "--paths"], "--paths"),
        (["frobnicate", "--json"], "No such command 'frobnicate'."),
        (["--json", "find", "a dog"], "No such option: --json"),
        (["ls", "--json", "more"], "extra argument"),
    ],
)
def test_a_command_line_without_sense_is_told_as_json_where_results_are(
    tmp_path: Path, words: list[str], said: str
) -> None:
    ran = run(*words, library=tmp_path / "none")
    error = json.loads(ran.err)
    assert (ran.code, ran.out) == (2, b"")
    assert (error["version"], error["type"], error["exit_code"]) == (1, "error", 2)
    assert said in error["message"]
    assert error["remedy"]


def test_a_query_that_reads_like_an_option_asks_for_no_json(tmp_path: Path) -> None:
    ran = run("find", "--frobnicate", "--", "--json", library=tmp_path / "none")
    assert ran.code == 2
    assert ran.err.startswith("Usage: gz find")


def test_debug_shows_where_an_error_came_from(tmp_path: Path) -> None:
    ran = subprocess.run(
        [GZ, "ls", "--debug"],
        capture_output=True,
        text=True,
        env=environment(tmp_path / "none"),
        timeout=60,
        check=False,
    )
    assert ran.returncode == 4
    assert "Traceback" in ran.stderr


def test_a_closed_pipe_ends_quietly(archive: Archive) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ran = subprocess.run(
        [GZ, "ls", "--json"],
        stdout=writer,
        stderr=subprocess.PIPE,
        env=environment(archive.library),
        timeout=60,
        check=False,
    )
    os.close(writer)
    assert ran.stderr == b""
    assert ran.returncode == 141


def test_the_library_option_wins_before_and_after_the_command(archive: Archive) -> None:
    nowhere = archive.folder / "nowhere"
    for arguments in (
        ["--library", str(archive.library), "ls"],
        ["ls", "--library", str(archive.library)],
    ):
        assert run(*arguments, library=nowhere).code == 0
    assert archive.run("ls", "--library", nowhere).code == 4


def on_terminal(*arguments: str, library: Path, **env: str) -> tuple[int, str]:
    """Runs gz with a terminal as stdout and stderr; its exit status and all it wrote."""
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [GZ, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=follower,
        stderr=follower,
        env=environment(library, **env),
    ) as process:
        os.close(follower)
        written = b"".join(_read_all(leader))
    os.close(leader)
    return process.returncode, written.decode("utf-8")


def _read_all(descriptor: int) -> Iterator[bytes]:
    while True:
        try:
            data = os.read(descriptor, 65536)
        except OSError:  # the last writer has closed a Linux terminal
            return
        if not data:
            return
        yield data


def test_a_terminal_gets_colours_and_links_but_never_a_names_own(archive: Archive) -> None:
    code, shown = on_terminal("ls", library=archive.library, TERM="xterm-kitty")
    assert code == 0
    assert "\x1b[32mindexed" in shown
    assert "\x1b]8;;file://" in shown
    assert "two\\nlines \\x1b[31m \\xff [/].mp4" in shown
    assert "%0A" in shown, "the link names the exact file"


@pytest.mark.parametrize("env", [{"NO_COLOR": "1", "TERM": "xterm-kitty"}, {"TERM": "dumb"}])
def test_no_color_and_a_dumb_terminal_get_plain_text(archive: Archive, env: dict[str, str]) -> None:
    code, shown = on_terminal("ls", library=archive.library, **env)
    assert code == 0
    assert "\x1b" not in shown


def test_progress_moves_on_a_terminal_only(archive: Archive, tmp_path: Path) -> None:
    arguments = ["index", str(archive.videos), "--model", str(archive.model)]
    code, shown = on_terminal(*arguments, library=tmp_path / "library", TERM="xterm-256color")
    assert code == 3
    assert "\x1b[2K" in shown
    assert "real time" in shown
    assert "\x1b[31m \\" not in shown, "a name's own colours stay out"
