"""The library: one commit point, old until new is whole, readers without locks, honest errors."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from library_factory import (
    DIM,
    INFO,
    REPO,
    SPACE,
    STAT,
    add_video,
    open_library,
    run_python,
    unit_vectors,
)
from sqlite_utils import Migrations

from index import failpoints
from index.errors import (
    LibraryError,
    LockedError,
    ModelError,
    NoSpaceError,
    NothingIndexedError,
    UsageError,
)
from index.files import digest_file
from index.indexing.check import check
from index.store import schema
from index.store.frame_reading import FrameReader
from index.store.library import Library
from index.store.sentences import SentenceCache
from index.types import SamplingReport, Sentence

REPORT = SamplingReport(50.0, 0, False)


@pytest.fixture(autouse=True)
def _disarmed():
    yield
    failpoints.disarm()


@pytest.fixture
def library(tmp_path):
    with open_library(tmp_path / "lib") as opened:
        yield opened


def seconds(first: int, stop: int) -> np.ndarray:
    return np.arange(first, stop, dtype=np.float64)


# Rows and slices


def test_a_committed_video_comes_back_as_it_was(library):
    path = b"/videos/not\xfftext\n.mp4"
    video_id = library.begin_attempt(path, "fp", STAT, INFO)
    times = np.sort(np.random.default_rng(3).uniform(0, 300, 200))
    vectors = unit_vectors(200, 7)
    library.stage_chunk(video_id, times[:70], vectors[:70])
    library.stage_chunk(video_id, times[70:], vectors[70:])
    library.commit_video(video_id, SamplingReport(300.5, 2, True, "two packets lost"), INFO)
    row = library.video_by_path(path)
    assert row is not None
    assert (row.id, row.path, row.fingerprint, row.status) == (video_id, path, "fp", "indexed")
    assert (row.frames, row.duration_s, row.attempts, row.absent) == (200, 300.5, 0, False)
    assert (row.reason, row.approximate_times, row.codec) == ("two packets lost", True, "h264")
    read_times, read = library.read_vectors(video_id)
    assert read.dtype == np.float32
    assert np.array_equal(read_times, times)
    assert np.abs(read - vectors).max() < 1e-3
    assert np.allclose(np.linalg.norm(read, axis=1), 1, atol=1e-3)


@pytest.mark.parametrize("low", [None, 0.0, 63.0, 63.5, 64.0, 199.0, 500.0])
@pytest.mark.parametrize("high", [None, 0.0, 1.0, 64.0, 130.2, 199.0, 1e9])
def test_a_slice_is_the_frames_of_a_half_open_span(library, low, high):
    video_id = add_video(library, b"/a", frames=200)
    times, vectors = library.read_vectors(video_id, low, high)
    every, all_vectors = library.read_vectors(video_id)
    inside = (every >= (low or 0)) & (every < (np.inf if high is None else high))
    assert np.array_equal(times, every[inside])
    assert np.array_equal(vectors, all_vectors[inside])


def test_a_slice_reads_only_its_chunks(library):
    video_id = add_video(library, b"/a", frames=6400)
    statements = []
    library._db.conn.set_trace_callback(statements.append)
    joined = []
    real = library._joined
    library._joined = lambda rows: joined.append(len(rows)) or real(rows)
    library.read_vectors(video_id, 3000.0, 3150.0)
    assert joined == [4]
    (read,) = [statement for statement in statements if "FROM chunks" in statement]
    plan = library._all(f"EXPLAIN QUERY PLAN {read}")
    assert any("USING INDEX chunks_by_place" in str(step) for step in plan)


def test_single_frames_by_number(library):
    video_id = add_video(library, b"/a", frames=150, seed=5)
    (segment,) = library.segments()
    numbers = np.array([149, 0, 64, 63, 0])
    read = library.read_frames(segment, numbers)
    assert read is not None
    every, vectors = library.read_vectors(video_id)
    assert np.array_equal(read[0], every[numbers])
    assert np.array_equal(read[1], vectors[numbers])
    assert library.read_frames(replace(segment, token=segment.token ^ 1), numbers) is None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t, v: (t[::-1], v), "rise"),
        (lambda t, v: (np.zeros_like(t), v), "rise"),
        (lambda t, v: (t - 1, v), "negative"),
        (lambda t, v: (np.where(t == 3, np.nan, t), v), "finite"),
        (lambda t, v: (t, np.where(np.arange(10)[:, None] == 4, np.nan, v)), "4.00 s is not fin"),
        (lambda t, v: (t, np.where(np.arange(10)[:, None] == 4, np.inf, v)), "not finite"),
        (lambda t, v: (t, v * 2), "normalised"),
        (lambda t, v: (t, v * 0), "normalised"),
        (lambda t, v: (t, v[:, :-1]), "channels"),
        (lambda t, v: (t[:-1], v), "for 9 times"),
    ],
)
def test_vectors_that_are_none_are_refused(library, change, says):
    video_id = library.begin_attempt(b"/a", "fp", STAT)
    with pytest.raises(ValueError, match=says):
        library.stage_chunk(video_id, *change(seconds(0, 10), unit_vectors(10, 0)))
    assert library.staged_until_s(video_id) is None


def test_pieces_must_follow_each_other(library):
    video_id = library.begin_attempt(b"/a", "fp", STAT)
    library.stage_chunk(video_id, seconds(0, 10), unit_vectors(10, 0))
    library.stage_chunk(video_id, seconds(0, 0), unit_vectors(0, 0))
    with pytest.raises(ValueError, match="follow"):
        library.stage_chunk(video_id, seconds(9, 12), unit_vectors(3, 0))


def test_nothing_is_committed_without_frames(library):
    video_id = library.begin_attempt(b"/a", "fp", STAT)
    with pytest.raises(ValueError, match="no frames"):
        library.commit_video(video_id, REPORT, INFO)
    with pytest.raises(ValueError, match="begin_attempt"):
        library.stage_chunk(99, seconds(0, 1), unit_vectors(1, 0))


# The commit point


def test_staged_pieces_are_invisible_until_the_commit(library):
    with Library.open_readonly(library.folder) as reader:
        before = reader.generation
        video_id = library.begin_attempt(b"/a", "fp", STAT)
        library.stage_chunk(video_id, seconds(0, 100), unit_vectors(100, 0))
        assert reader.segments() == []
        assert reader.videos(searchable=True) == []
        assert len(reader.read_vectors(video_id)[0]) == 0
        assert reader.generation == before
        library.commit_video(video_id, REPORT, INFO)
        assert [s.frames for s in reader.segments()] == [100]
        assert reader.generation == before + 1


def test_a_snapshot_does_not_move_while_the_writer_does(library):
    add_video(library, b"/a")
    with Library.open_readonly(library.folder) as reader:
        with reader.snapshot():
            before = reader.segments()
            add_video(library, b"/b")
            frames = [(s.video_id, len(t)) for s, t, _ in reader.iter_frames()]
            assert reader.segments() == before
            assert frames == [(1, 50)]
        assert len(reader.segments()) == 2


def test_a_changed_file_keeps_its_old_vectors_until_the_new_are_whole(library):
    video_id = add_video(library, b"/a", seed=1, fingerprint="old")
    old = library.read_vectors(video_id)[1]
    assert library.begin_attempt(b"/a", "new", STAT, INFO) == video_id
    library.stage_chunk(video_id, seconds(0, 20), unit_vectors(20, 2))
    row = library.video(video_id)
    assert row is not None
    assert (row.fingerprint, row.status, row.frames) == ("old", "waiting", 50)
    assert np.array_equal(library.read_vectors(video_id)[1], old)
    library.commit_video(video_id, SamplingReport(20.0, 0, False), INFO)
    row = library.video(video_id)
    assert row is not None
    assert (row.fingerprint, row.status, row.frames) == ("new", "indexed", 20)
    assert library._one("SELECT count(*), sum(frames) FROM chunks") == (1, 20)
    assert library._one("SELECT count(*) FROM versions") == (1,)


def test_tokens_depend_on_content_alone(library):
    whole = library.begin_attempt(b"/whole", "1", STAT)
    library.stage_chunk(whole, seconds(0, 200), unit_vectors(200, 3))
    library.commit_video(whole, REPORT, INFO)
    pieces = library.begin_attempt(b"/pieces", "2", STAT)
    for first, stop in ((0, 1), (1, 130), (130, 200)):
        library.stage_chunk(pieces, seconds(first, stop), unit_vectors(200, 3)[first:stop])
    library.commit_video(pieces, REPORT, INFO)
    other = add_video(library, b"/other", frames=200, seed=4)
    tokens = {segment.video_id: segment.token for segment in library.segments()}
    assert tokens[whole] == tokens[pieces] != tokens[other]


# Attempts


def test_every_attempt_is_on_disk_before_decoding(library):
    def look() -> None:
        with Library.open_readonly(library.folder) as reader:
            (row,) = reader.videos()
            seen.append((row.status, row.attempts))

    seen: list[tuple[str, int]] = []
    failpoints.arm("after_attempt", look)
    for _ in range(2):
        library.begin_attempt(b"/a", "fp", STAT)
    assert seen == [("waiting", 1), ("waiting", 2)]
    library.begin_attempt(b"/a", "other content", STAT)
    assert seen[-1] == ("waiting", 1)


def test_progress_and_ctrl_c_are_not_held_against_a_file(library):
    video_id = library.begin_attempt(b"/a", "fp", STAT)
    library.begin_attempt(b"/a", "fp", STAT)
    library.stage_chunk(video_id, seconds(0, 10), unit_vectors(10, 0))
    assert attempts(library, video_id) == 1
    library.release_attempt(video_id)
    assert attempts(library, video_id) == 0
    assert library.staged_until_s(video_id) == 9.0


def attempts(library: Library, video_id: int) -> int:
    row = library.video(video_id)
    assert row is not None
    return row.attempts


def test_failures_are_rows_with_a_reason_and_are_not_tried_again(library):
    video_id = library.begin_attempt(b"/a", "fp", STAT)
    library.stage_chunk(video_id, seconds(0, 10), unit_vectors(10, 0))
    library.fail_video(video_id, "no video stream")
    row = library.video(video_id)
    assert row is not None
    assert (row.status, row.reason) == ("failed", "no video stream")
    assert library.settled_files()[b"/a"].same_content_as(STAT)
    assert library._one("SELECT count(*) FROM chunks") == (0,)
    library.fail_video(library.begin_attempt(b"/b", "fp2", STAT), "hangs", status="set aside")
    assert [v.path for v in library.videos(status="set aside")] == [b"/b"]
    assert library.clear_failures() == 2
    assert library.settled_files() == {}


def test_a_held_attempt_stays_waiting_with_its_reason(library):
    video_id = library.begin_attempt(b"/a", "fp", STAT)
    assert library.hold_video(video_id, "the drive did not answer", died=False) == 0
    assert library.hold_video(video_id, "the decoder died", died=True) == 1
    (row,) = library.videos(status="waiting")
    assert (row.reason, row.attempts) == ("the decoder died", 1)
    assert library.unended_attempts() == {b"/a": 1}


def test_progress_forgives_a_file_the_decoders_that_it_cost(library):
    video_id = library.begin_attempt(b"/a", "fp", STAT)
    assert library.hold_video(video_id, "the decoder died", died=True) == 1
    library.begin_attempt(b"/a", "fp", STAT)
    library.stage_chunk(video_id, seconds(0, 10), unit_vectors(10, 0))
    assert library.hold_video(video_id, "the decoder died", died=True) == 1
    library.begin_attempt(b"/a", "other content", STAT)
    assert library.hold_video(video_id, "the decoder died", died=True) == 1


def test_failed_new_content_hides_the_old(library):
    video_id = add_video(library, b"/a", fingerprint="old")
    library.begin_attempt(b"/a", "broken", STAT)
    library.fail_video(video_id, "unreadable")
    row = library.video(video_id)
    assert row is not None
    assert (row.status, row.fingerprint) == ("failed", "broken")
    assert library.segments() == []


def test_failing_to_index_the_same_content_again_keeps_its_vectors(library):
    video_id = add_video(library, b"/a", fingerprint="same")
    library.begin_attempt(b"/a", "same", STAT)
    library.fail_video(video_id, "out of memory")
    assert [s.video_id for s in library.segments()] == [video_id]
    (row,) = library.videos()
    assert row.status == "indexed"


def test_resume_continues_only_with_the_same_content_and_model(library):
    video_id = library.begin_attempt(b"/a", "fp", STAT)
    library.stage_chunk(video_id, seconds(0, 100), unit_vectors(100, 0))
    library.begin_attempt(b"/a", "fp", STAT)
    assert library.staged_until_s(video_id) == 99.0
    library.set_space(replace(SPACE, revision="r2"), "fake")
    library.begin_attempt(b"/a", "fp", STAT)
    assert library.staged_until_s(video_id) is None
    library.stage_chunk(video_id, seconds(0, 10), unit_vectors(10, 0))
    library.begin_attempt(b"/a", "changed", STAT)
    assert library.staged_until_s(video_id) is None
    assert library._one("SELECT count(*) FROM chunks") == (0,)


# Files that move, go and come back


def test_absent_is_hidden_not_forgotten(library):
    video_id = add_video(library, b"/a")
    generation = library.generation
    library.mark_absent([video_id])
    assert library.segments() == []
    assert library.generation == generation + 1
    assert len(library.read_vectors(video_id)[0]) == 50
    library.mark_absent([video_id])
    assert library.generation == generation + 1
    library.mark_present(video_id, STAT)
    assert [s.video_id for s in library.segments()] == [video_id]
    assert library.generation == generation + 2


def test_rename_moves_vectors_along_and_takes_the_place_of_what_it_overwrote(library):
    video_id = add_video(library, b"/old", fingerprint="x")
    add_video(library, b"/new", fingerprint="y")
    library.mark_absent([video_id])
    (moved,) = library.videos_by_fingerprint("x")
    library.rename(moved.id, b"/new", replace(STAT, inode=9))
    (row,) = library.videos()
    assert (row.id, row.path, row.absent) == (video_id, b"/new", False)
    assert library.file_stat(video_id) == replace(STAT, inode=9)
    assert library._one("SELECT count(*) FROM versions") == (1,)


def test_twins_by_fingerprint_absent_ones_first(library):
    ids = [add_video(library, path, fingerprint="x") for path in (b"/a", b"/b")]
    library.mark_absent(ids[1:])
    assert [v.path for v in library.videos_by_fingerprint("x")] == [b"/b", b"/a"]
    assert library.videos_by_fingerprint("unknown") == []


def test_forget_leaves_nothing(library):
    library.forget(add_video(library, b"/a"))
    assert library.videos() == []
    for table in ("versions", "chunks"):
        assert library._one(f"SELECT count(*) FROM {table}") == (0,)
    assert check(library.folder) == []


def test_roots_and_large_device_and_inode_numbers(library):
    huge = replace(STAT, inode=(1 << 64) - 3, device=(1 << 63) + 1)
    video_id = library.begin_attempt(b"/r\xff/a", "fp", huge)
    assert library.file_stat(video_id) == huge
    library.remember_root(b"/r\xff", huge.device)
    assert library.roots() == {b"/r\xff": huge.device}


# Embedding spaces


def test_vectors_of_two_models_never_meet(library):
    other = replace(SPACE, backbone="siglip", dim=8)
    library.set_space(other, "base")
    library.set_space(SPACE, "fake")
    add_video(library, b"/a")
    library.set_space(SPACE, "fake", "adapter.safetensors")
    with pytest.raises(ModelError) as caught:
        library.set_space(other, "base")
    assert caught.value.exit_code == 7
    assert SPACE.id in caught.value.message
    assert other.id in caught.value.message
    assert "--rebuild" in caught.value.remedy
    assert (library.space, library.model_spec) == (SPACE, "fake")
    with Library.open_readonly(library.folder) as reader:
        assert (reader.space, reader.adapter) == (SPACE, "adapter.safetensors")
        with pytest.raises(ModelError):
            reader.check_space(other)


# Opening


def test_reading_where_nothing_was_indexed(tmp_path):
    with pytest.raises(NothingIndexedError, match="nothing is indexed"):
        Library.open_readonly(tmp_path)
    (tmp_path / "library.db").write_bytes(b"")
    with pytest.raises(NothingIndexedError):
        Library.open_readonly(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["library.db"]


def closed_library(folder: Path, videos: int = 20) -> Path:
    with open_library(folder) as library:
        for number in range(videos):
            add_video(library, b"/v%d" % number, frames=100, seed=number)
    return folder / "library.db"


def damage_header(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"this is no database at all")


def damage_pages(path: Path) -> None:
    generator = random.Random(4)
    with path.open("r+b") as file:
        for page in range(1, path.stat().st_size // 16384):
            file.seek(page * 16384)
            file.write(generator.randbytes(64))


def read_everything(opener: Callable[[Path], Library], folder: Path) -> None:
    with opener(folder) as library:
        for video in library.videos():
            library.read_vectors(video.id)


def cut_short(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(50)


@pytest.mark.parametrize("damage", [damage_header, damage_pages, cut_short])
def test_damage_is_named_and_the_file_left_alone(tmp_path, damage):
    path = closed_library(tmp_path)
    damage(path)
    digest = digest_file(path)
    for opener in (Library.open_readonly, Library.create_or_open):
        with pytest.raises(LibraryError) as caught:
            read_everything(opener, tmp_path)
        assert caught.value.exit_code == 6
        assert str(path) in caught.value.message
        assert "gz index --rebuild" in caught.value.remedy
    assert digest_file(path) == digest
    assert any(not finding.repaired for finding in check(tmp_path))
    aside = Library.set_aside(tmp_path)
    assert aside is not None
    assert digest_file(aside) == digest
    closed_library(tmp_path)
    assert check(tmp_path) == []
    assert Library.set_aside(tmp_path) != aside


def test_a_newer_library_is_left_untouched(tmp_path):
    path = closed_library(tmp_path)
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {schema.schema_version() + 1}")
    connection.close()
    digest = digest_file(path)
    for opener in (Library.open_readonly, Library.create_or_open):
        with pytest.raises(LibraryError, match="newer gz") as caught:
            opener(tmp_path)
        assert caught.value.exit_code == 6
    assert "newer gz" in check(tmp_path, repair=True)[0].what
    assert digest_file(path) == digest


def all_migrations() -> Migrations:
    migrations = Migrations("groundzero")
    for migration in schema.SCHEMA._migrations:
        migrations()(migration.fn)
    return migrations


def test_an_older_library_is_migrated_by_reader_and_writer(tmp_path, monkeypatch):
    for name in ("a", "b"):
        closed_library(tmp_path / name, videos=2)
    later = all_migrations()

    def add_colour(db):
        db.execute("ALTER TABLE videos ADD COLUMN colour TEXT")
        db.execute("UPDATE videos SET colour = 'red'")

    later()(add_colour)
    monkeypatch.setattr(schema, "SCHEMA", later)
    with Library.create_or_open(tmp_path / "a") as library:
        assert library._one("SELECT colour FROM videos LIMIT 1") == ("red",)
        assert len(library.segments()) == 2
    with Library.open_readonly(tmp_path / "b") as library:
        assert library._one("SELECT colour FROM videos LIMIT 1") == ("red",)
    assert check(tmp_path / "b") == []


def test_a_library_of_the_first_schema_goes_on(tmp_path, monkeypatch):
    first = Migrations("groundzero")
    first()(schema.videos_versions_and_chunks)
    with monkeypatch.context() as patch:
        patch.setattr(schema, "SCHEMA", first)
        schema.open_writable(tmp_path / "library.db").close()
    with contextlib.closing(sqlite3.connect(tmp_path / "library.db")) as db, db:
        states = ("indexed", "pending", "failed", "quarantined", "failed", "quarantined", "failed")
        for number, status in enumerate(states):
            db.execute(
                "INSERT INTO videos (path, status, fingerprint, size_bytes, mtime_ns, ctime_ns, "
                "inode, device) VALUES (?, ?, ?, 1, 2, 3, 4, 5)",
                [b"/%d" % number, status, f"fp{number}"],
            )
        killed = "set aside after 2 tries: gz itself ended while reading it"
        db.execute("UPDATE videos SET reason = ? WHERE id = 6", [killed])
        db.execute(
            "INSERT INTO versions (video_id, fingerprint, space_id, token, frames) "
            "VALUES (1, 'fp0', 's', x'0000000000000000', 1)"
        )
        db.execute("UPDATE videos SET visible_version = 1 WHERE id = 1")
        db.execute("DELETE FROM videos WHERE id = 5")
        db.execute("DELETE FROM videos WHERE id = 7")
    with Library.open_readonly(tmp_path) as library:
        videos = library.videos()
        assert [v.status for v in videos] == [
            "indexed",
            "waiting",
            "failed",
            "set aside",
            "waiting",
        ]
        assert [v.coarse for v in library.videos(searchable=True)] == [False]
        assert library.content_digest(1) == ""
        assert library.copies() == []
        assert library.integrity_problems() == []
    with Library.create_or_open(tmp_path) as library:
        library.set_space(SPACE, "fake")
        assert library.begin_attempt(b"/new", "fp", STAT) == 8, "7 was given before"
        library.fail_video(8, "hangs", status="set aside")
        plan = library._all("EXPLAIN QUERY PLAN SELECT id FROM videos WHERE fingerprint = 'x'")
        assert "videos_by_fingerprint" in str(plan)


def test_copies_go_with_their_video(tmp_path):
    with open_library(tmp_path) as library:
        first, other = add_video(library, b"/a"), add_video(library, b"/b", seed=1)
        library.add_copy(first, b"/copy", STAT)
        library.add_copy(first, b"/b", STAT)
        assert library.video(other) is None, "its path has the content of another now"
        assert [copy.path for copy in library.copies(first)] == [b"/b", b"/copy"]
        assert library.settled_files()[b"/copy"] == STAT
        library.rename(first, b"/copy", STAT)
        assert [copy.path for copy in library.copies()] == [b"/b"]
        library.forget(first)
        assert (library.copies(), library.settled_files()) == ([], {})


def test_a_coarse_version_answers_until_the_full_one_is_there(tmp_path):
    with open_library(tmp_path) as library:
        video_id = library.begin_attempt(b"/a.mp4", "fp", STAT)
        library.stage_chunk(video_id, np.arange(3.0), unit_vectors(3, 1))
        coarse = unit_vectors(2, 2)
        library.commit_coarse(
            video_id, np.array([0.0, 9.0]), coarse, SamplingReport(12.0, 0, False), INFO
        )
        row = library.video(video_id)
        assert (row.status, row.coarse, row.frames, row.duration_s, row.attempts) == (
            "waiting", True, 2, 12.0, 0,
        )  # fmt: skip
        assert [segment.frames for segment in library.segments()] == [2]
        assert b"/a.mp4" not in library.settled_files()
        assert library.staged_until_s(video_id) == 2.0
        times_s, vectors = library.read_vectors(video_id)
        assert times_s.tolist() == [0.0, 9.0]
        assert np.allclose(vectors, coarse, atol=1e-3)

        assert library.begin_attempt(b"/a.mp4", "fp", STAT) == video_id
        assert [segment.frames for segment in library.segments()] == [2]
        library.stage_chunk(video_id, np.arange(3.0, 12.0), unit_vectors(9, 3))
        library.commit_video(video_id, SamplingReport(12.0, 0, False), INFO)
        row = library.video(video_id)
        assert (row.status, row.coarse, row.frames) == ("indexed", False, 12)
        assert library._row("SELECT count(*) FROM versions")[0] == 1


def test_a_video_that_fails_after_a_first_look_stays_coarse_until_it_is_retried(tmp_path):
    with open_library(tmp_path) as library:
        video_id = library.begin_attempt(b"/a.mp4", "fp", STAT)
        library.commit_coarse(
            video_id, np.array([0.0]), unit_vectors(1, 2), SamplingReport(12.0, 0, False), INFO
        )
        library.begin_attempt(b"/a.mp4", "fp", STAT)
        library.fail_video(video_id, "damaged")
        row = library.video(video_id)
        assert (row.status, row.coarse, row.reason) == ("indexed", True, "damaged")
        assert b"/a.mp4" in library.settled_files()
        assert library.clear_failures() == 1
        assert b"/a.mp4" not in library.settled_files()


def test_a_failed_migration_changes_nothing(tmp_path, monkeypatch):
    closed_library(tmp_path, videos=2)
    later = all_migrations()

    def half(db):
        db.execute("DELETE FROM videos")
        raise sqlite3.OperationalError("no such column")

    later()(half)
    with monkeypatch.context() as patch:
        patch.setattr(schema, "SCHEMA", later)
        with pytest.raises(LibraryError):
            Library.create_or_open(tmp_path)
    with Library.open_readonly(tmp_path) as library:
        assert len(library.videos()) == 2


def test_a_database_of_another_program_is_not_touched(tmp_path):
    with sqlite3.connect(tmp_path / "library.db") as connection:
        connection.execute("PRAGMA application_id = 77")
        connection.execute("CREATE TABLE t (x)")
    connection.close()
    digest = digest_file(tmp_path / "library.db")
    with pytest.raises(LibraryError, match="another program"):
        Library.create_or_open(tmp_path)
    assert digest_file(tmp_path / "library.db") == digest


def test_a_folder_that_refuses_wal_is_explained(tmp_path, monkeypatch):
    monkeypatch.setattr("sqlite_utils.Database.enable_wal", lambda self: None)
    with pytest.raises(UsageError, match="network share") as caught:
        Library.create_or_open(tmp_path)
    assert "local disk" in caught.value.remedy


def test_a_busy_database_is_said_to_be_busy(library, monkeypatch):
    library._db.execute("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(library.folder / "library.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(LockedError, match="busy"):
            library.begin_attempt(b"/a", "fp", STAT)
    finally:
        other.close()


_READ_ONLY = """
import os, sys
import numpy as np
from pathlib import Path
from library_factory import unit_vectors
from index.vectors import published
from index.vectors import cache as vectors
from index.store import sentences
from index.indexing import check
from index.errors import GzError
from index.files import WriterLock
from index.store.library import Library
from index.types import Sentence
import faiss
folder, query = sys.argv[1], unit_vectors(1, 0)[0]
sentence = Sentence("a", query, query[None])
os.chmod(folder, 0o555)
for name in os.listdir(folder):
    os.chmod(os.path.join(folder, name), 0o444)
if os.getuid() == 0:
    os.chroot(folder)
    os.setuid(65534)
    folder = "/"
folder = Path(folder)
before = sorted(os.listdir(folder))
with Library.open_readonly(folder) as library:
    notes = []
    cache = vectors.VectorCache.load(library, notes.append)
    print(len(library.segments()), len(cache.search(query, 5)), len(notes))
sentences.SentenceCache(folder).put("s", sentence)
for action in (lambda: WriterLock(folder).__enter__(), lambda: Library.create_or_open(folder)):
    try:
        action()
    except GzError as error:
        print(type(error).__name__, "cannot be written" in error.message)
assert sorted(os.listdir(folder)) == before
"""


def test_a_read_only_folder_can_be_searched(tmp_path):
    closed_library(tmp_path / "lib", videos=3)
    said = run_python(_READ_ONLY, tmp_path / "lib").stdout.split("\n")
    (tmp_path / "lib").chmod(0o755)
    assert said[:3] == ["3 5 2", "UsageError True", "UsageError True"]


def test_a_read_only_folder_left_in_the_middle_of_a_write_is_explained(tmp_path, monkeypatch):
    path = closed_library(tmp_path, videos=1)
    real = schema._connect

    def no_shared_memory(path, how):
        if how == "mode=ro":
            error = sqlite3.OperationalError("unable to open database file")
            error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
            raise error
        return real(path, how)

    monkeypatch.setattr(schema, "_connect", no_shared_memory)
    with Library.open_readonly(tmp_path) as library:
        assert len(library.segments()) == 1
    path.with_name("library.db-wal").write_bytes(b"unfinished")
    with pytest.raises(LibraryError, match="middle of a write"):
        Library.open_readonly(tmp_path)


# Faults while writing

_WRITER = """
import os, signal, sys
from pathlib import Path
import numpy as np
from index import failpoints
from index.files import WriterLock
from index.store.library import Library
from index.types import SamplingReport
from library_factory import INFO, STAT, open_library, unit_vectors
folder, point, nth = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
passed = 0
def die():
    global passed
    passed += 1
    if passed == nth:
        os.kill(os.getpid(), signal.SIGKILL)
failpoints.arm(point, die)
with WriterLock(folder), open_library(folder) as library:
    for number in range(4):
        path = b"/v%d" % number
        row = library.video_by_path(path)
        if row is not None and row.status == "indexed" and row.fingerprint == sys.argv[4]:
            continue
        vectors = unit_vectors(300, hash((sys.argv[4], number)) % 1000)
        video_id = library.begin_attempt(path, sys.argv[4], STAT)
        after = library.staged_until_s(video_id)
        for first in range(0 if after is None else int(after) + 1, 300, 100):
            stop = min(first + 100, 300)
            library.stage_chunk(video_id, np.arange(float(first), stop), vectors[first:stop])
            print("staged", number, first, flush=True)
        library.commit_video(video_id, SamplingReport(300.0, 0, False), INFO)
        print("committed", number, flush=True)
"""


@pytest.fixture(autouse=True)
def _same_hashes(monkeypatch):
    monkeypatch.setenv("PYTHONHASHSEED", "0")


POINTS = [
    ("after_attempt", 1),
    ("after_attempt", 3),
    ("before_stage_commit", 5),
    ("after_stage", 5),
    ("before_commit", 1),
    ("before_commit", 3),
    ("after_commit", 2),
]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A library of old content, and what it holds after an undisturbed run over new content."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONHASHSEED", "0")
        run_python(_WRITER, folder / "old", "never", 1, "old")
        run_python(_WRITER, folder / "new", "never", 1, "new")
    return folder / "old", contents(folder / "new")


@pytest.mark.parametrize(("point", "nth"), POINTS)
def test_kill_at_each_failpoint_loses_nothing(tmp_path, undisturbed, point, nth):
    folder = tmp_path / "lib"
    shutil.copytree(undisturbed[0], folder)
    old = contents(folder)
    killed = run_python(_WRITER, folder, point, nth, "new", check=False)
    assert killed.returncode == -signal.SIGKILL
    committed = killed.stdout.count("committed")
    between = contents(folder)
    assert check(folder) == []
    changed = [path for path in old if old[path] != between[path]]
    assert len(changed) in (committed, committed + 1)
    again = run_python(_WRITER, folder, "never", 1, "new")
    staged = again.stdout.count("staged") + killed.stdout.count("staged")
    assert staged in (12, 11)
    assert contents(folder) == undisturbed[1]
    assert check(folder) == []


def contents(folder: Path) -> dict[bytes, tuple[str, int]]:
    """Path to fingerprint and token of what can be searched; whole versions only."""
    with Library.open_readonly(folder) as library:
        tokens = {s.video_id: s.token for s in library.segments() if s.frames == 300}
        return {v.path: (v.fingerprint, tokens[v.id]) for v in library.videos(searchable=True)}


def test_kill_at_random_times(tmp_path):
    generator = random.Random(11)
    folder = tmp_path / "lib"
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(REPO), str(REPO / "tests")]),
    }
    seen: dict[bytes, tuple[str, int]] = {}
    for number in range(6):
        content = f"content-{number // 3}"
        writer = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(folder), "never", "1", content],
            env=environment,
            stdout=subprocess.PIPE,
        )
        assert writer.stdout is not None
        for _ in range(generator.randrange(1, 6)):
            writer.stdout.readline()
        writer.kill()
        writer.communicate()
        assert check(folder) == []
        now = contents(folder)
        assert set(seen) <= set(now)
        seen = now


_FULL = """
import resource, sys
from pathlib import Path
from index.errors import NoSpaceError
from index.files import WriterLock
from library_factory import add_video, open_library
folder = Path(sys.argv[1])
with WriterLock(folder), open_library(folder) as library:
    done = len(library.videos(status="indexed"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    try:
        for number in range(done, 8):
            add_video(library, b"/v%d" % number, frames=200, seed=number)
            done += 1
    except NoSpaceError as error:
        assert error.exit_code == 8
        print("full", done)
    else:
        print("done", done)
"""


def test_full_disk_keeps_what_was_committed(tmp_path):
    outcomes = set()
    for limit in (0, 40_000, 90_000, 135_000, 180_000, 240_000, 400_000, 8_000_000):
        folder = tmp_path / str(limit)
        closed_library(folder, videos=0)
        word, done = run_python(_FULL, folder, limit).stdout.split()
        outcomes.add(word)
        assert check(folder) == []
        with Library.open_readonly(folder) as library:
            assert len(library.segments()) == int(done)
        if limit in (0, 135_000, 240_000):
            assert run_python(_FULL, folder, 1 << 40).stdout.split() == ["done", "8"]
            assert check(folder) == []
    assert outcomes == {"full", "done"}


def test_disk_full_in_a_commit_keeps_the_old_version(library):
    video_id = add_video(library, b"/a", seed=1)
    before = library.read_vectors(video_id)[1]
    library.begin_attempt(b"/a", "new", STAT)
    library.stage_chunk(video_id, seconds(0, 10), unit_vectors(10, 2))

    def fail() -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    failpoints.arm("before_commit", fail)
    with pytest.raises(NoSpaceError):
        library.commit_video(video_id, REPORT, INFO)
    assert np.array_equal(library.read_vectors(video_id)[1], before)
    failpoints.disarm()
    library.commit_video(video_id, REPORT, INFO)
    assert len(library.read_vectors(video_id)[0]) == 10


_READER = """
import sys
from pathlib import Path
from index.store.library import Library
last = 0
while last < 20:
    with Library.open_readonly(Path(sys.argv[1])) as library, library.snapshot():
        segments = library.segments()
        frames = sum(len(times) for _, times, _ in library.iter_frames())
        assert frames == sum(segment.frames for segment in segments)
        assert len(segments) >= last
        last = len(segments)
print("well")
"""


def test_readers_never_wait_and_see_whole_states_while_a_writer_writes(library):
    add_video(library, b"/first")
    reader = subprocess.Popen(
        [sys.executable, "-c", _READER, str(library.folder)],
        env={**os.environ, "PYTHONPATH": str(REPO)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    number = 0
    while reader.poll() is None and number < 3000:
        add_video(library, b"/v%d" % number, frames=30, seed=number)
        number += 1
    out, err = reader.communicate(timeout=60)
    assert out == b"well\n", err
    assert number >= 19


# Sentences


def test_sentences_are_kept_per_space_and_damage_costs_only_time(tmp_path):
    cache = SentenceCache(tmp_path)
    sentence = Sentence("a red car", unit_vectors(1, 1)[0], unit_vectors(3, 2))
    assert cache.get("s1", "a red car") is None
    cache.put("s1", sentence)
    kept = cache.get("s1", "a red car")
    assert kept is not None
    assert np.array_equal(kept.pooled, sentence.pooled)
    assert np.array_equal(kept.tokens, sentence.tokens)
    assert cache.get("s2", "a red car") is None
    (tmp_path / "cache.db").write_bytes(b"not a database" * 1000)
    assert cache.get("s1", "a red car") is None
    cache.put("s1", sentence)
    assert cache.get("s1", "a red car") is not None
    cache.put("s1", Sentence("bad \udcff", sentence.pooled, sentence.tokens))
    SentenceCache(tmp_path / "nowhere").put("s1", sentence)
    assert len(sentence.pooled) == DIM


def test_a_video_that_is_replaced_while_it_is_read_is_no_damage(tmp_path, monkeypatch):
    with open_library(tmp_path) as writer:
        video_id = add_video(writer, b"/a", fingerprint="old")
        with Library.open_readonly(tmp_path) as reader:
            (segment,) = reader.segments()
            found = FrameReader._version
            seeds = iter((5, 6))

            def replaced(self, *arguments):
                version = found(self, *arguments)
                if self is reader and (seed := next(seeds, None)):
                    add_video(writer, b"/a", fingerprint=f"new {seed}", seed=seed)
                return version

            monkeypatch.setattr(FrameReader, "_version", replaced)
            # The second look is at one state, whatever the writer does meanwhile.
            assert np.array_equal(reader.read_vectors(video_id)[1], written(unit_vectors(50, 5)))
            assert np.array_equal(reader.read_vectors(video_id)[1], written(unit_vectors(50, 6)))
            assert reader.read_frames(segment, np.array([0, 1])) is None


def written(vectors):
    return vectors.astype(np.float16).astype(np.float32)
