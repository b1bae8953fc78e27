"""Checking and repairing: every kind of damage is found, and committed videos survive repair."""

from __future__ import annotations

import random
import signal
import subprocess
import sys

import numpy as np
import pytest
from library_factory import (
    REPO,
    STAT,
    add_video,
    brute_force,
    make_older,
    open_library,
    run_python,
    unit_vectors,
)

from index.errors import LockedError
from index.files import WriterLock, digest_file
from index.indexing.check import check
from index.store.library import Library
from index.vectors.cache import VectorCache

QUERY = unit_vectors(1, 99)[0]


@pytest.fixture
def folder(tmp_path):
    with open_library(tmp_path) as library:
        for number in range(5):
            add_video(library, b"/v%d\xff" % number, frames=100, seed=number)
        VectorCache.load(library)
    return tmp_path


def change(folder, *statements):
    with Library.create_or_open(folder) as library:
        for statement in statements:
            library._db.execute(statement)


def searchable(folder):
    with Library.open_readonly(folder) as library:
        return [segment.video_id for segment in library.segments()]


def test_sound_and_missing_libraries_have_no_findings(folder, tmp_path_factory):
    assert check(folder) == []
    assert check(folder, repair=True) == []
    nowhere = tmp_path_factory.mktemp("nowhere")
    assert check(nowhere, repair=True) == []
    assert list(nowhere.iterdir()) == []


def test_an_unfinished_attempt_is_sound(folder):
    with Library.create_or_open(folder) as library:
        video_id = library.begin_attempt(b"/new", "fp", STAT)
        library.stage_chunk(video_id, np.arange(70.0), unit_vectors(70, 8))
    assert check(folder) == []


VECTORS = "UPDATE chunks SET vectors = {} WHERE id = (SELECT min(id) FROM chunks)"


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (VECTORS.format("zeroblob(length(vectors))"), "length one"),
        (VECTORS.format("CAST(x'007e' || substr(vectors, 3) AS BLOB)"), "length one"),
        (VECTORS.format("substr(vectors, 1, 10)"), "incomplete"),
        (VECTORS.format("'text'"), "/v0"),
        (VECTORS.format("CAST(x'ff80ff' AS TEXT)"), "/v0"),
        (
            VECTORS.format(
                "CAST(substr(vectors, 3, 2) || substr(vectors, 1, 2) || substr(vectors, 5) AS BLOB)"
            ),
            "not those that were written",
        ),
        ("UPDATE chunks SET times = zeroblob(length(times)) WHERE id = 1", "do not"),
        ("UPDATE chunks SET first_s = 3 WHERE id = 1", "do not fit"),
        ("DELETE FROM chunks WHERE id = 1", "frames are missing"),
        ("DELETE FROM chunks WHERE id = 2", "frames are missing"),
        ("DELETE FROM chunks WHERE version_id = 1", "frames are missing"),
        ("UPDATE versions SET frames = 99 WHERE id = 1", "frames are missing"),
        ("UPDATE videos SET visible_version = NULL WHERE id = 1", "vectors are missing"),
        ("UPDATE videos SET visible_version = 77 WHERE id = 1", "vectors are missing"),
        ("UPDATE videos SET visible_version = 2 WHERE id = 1", "vectors are missing"),
    ],
)
def test_damaged_vectors_are_found_and_only_that_video_is_indexed_anew(folder, damage, says):
    change(folder, damage)
    found = [finding for finding in check(folder) if "/v0" in finding.what]
    assert says in found[0].what
    assert "/v0\\xff" in found[0].what
    assert not found[0].repaired
    assert "--repair" in found[0].remedy
    repaired = check(folder, repair=True)
    assert repaired
    assert all(finding.repaired for finding in repaired)
    assert check(folder) == []
    assert searchable(folder) == [2, 3, 4, 5]
    with Library.create_or_open(folder) as library:
        (row,) = library.videos(status="waiting")
        assert (row.id, row.attempts) == (1, 0)
        add_video(library, row.path, frames=100, seed=0)
        cache = VectorCache.load(library)
        found_frames = [(m.video_id, m.time_s) for m in cache.search(QUERY, 20)]
        assert found_frames == [(v, t) for v, t, _ in brute_force(library, QUERY, 20)]
    assert check(folder, repair=True) == check(folder) == []


def test_rows_without_owner_are_found_and_removed(folder):
    change(
        folder,
        "INSERT INTO versions (video_id, fingerprint, space_id, token) "
        "VALUES (99, 'x', 's', zeroblob(8))",
        "INSERT INTO chunks (version_id, first_frame, frames, first_s, last_s, times, vectors) "
        "VALUES (6, 0, 1, 0, 0, x'', x''), (88, 0, 1, 0, 0, x'', x'')",
    )
    assert len(check(folder)) == 2
    assert all(finding.repaired for finding in check(folder, repair=True))
    assert check(folder) == []
    assert searchable(folder) == [1, 2, 3, 4, 5]


def test_a_damaged_look_up_table_is_made_anew(folder):
    with Library.open_readonly(folder) as library:
        (root_page,) = library._row(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'videos_by_fingerprint'"
        )
    with (folder / "library.db").open("r+b") as file:
        file.seek((root_page - 1) * 16384 + 16384 - 20)
        file.write(b"zzzz")
    assert "damaged" in check(folder)[0].what
    repaired = check(folder, repair=True)
    assert [finding.repaired for finding in repaired] == [True]
    assert check(folder) == []
    assert searchable(folder) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("seed", range(12))
def test_of_a_damaged_file_all_that_is_sound_is_saved(folder, seed):
    generator = random.Random(seed)
    path = folder / "library.db"
    with Library.open_readonly(folder) as library:
        tokens = {segment.video_id: segment.token for segment in library.segments()}
        (page,) = library._row("SELECT rootpage FROM sqlite_schema WHERE name = 'chunks'")
        pages = path.stat().st_size // 16384
    torn = [page, *generator.sample(range(2, pages + 1), 2)][seed % 3 :]
    with path.open("r+b") as file:
        for number in torn:
            file.seek((number - 1) * 16384 + generator.choice((0, 3, 8)))
            file.write(generator.randbytes(generator.choice((4, 300, 16000))))
    digest = digest_file(path)
    found = check(folder)
    repaired = check(folder, repair=True)
    assert bool(found) == bool(repaired)
    assert found or seed % 3
    assert not list(folder.glob(".gz-salvage*"))
    if not all(finding.repaired for finding in repaired):  # not even the tables' names are left
        assert "--rebuild" in repaired[0].remedy
        assert digest_file(path) == digest
        return
    assert check(folder) == []
    with Library.create_or_open(folder) as library:
        kept = {segment.video_id: segment.token for segment in library.segments()}
        assert kept.items() <= tokens.items()
        for number in range(5):
            add_video(library, b"/v%d\xff" % number, frames=100, seed=number)
        assert sorted(s.token for s in library.segments()) == sorted(tokens.values())
    assert check(folder) == []


@pytest.mark.parametrize("older", [False, True])
def test_a_page_of_vectors_that_is_lost_costs_the_videos_on_it(tmp_path, older):
    with open_library(tmp_path) as library:
        for number in range(40):
            add_video(library, b"/v%d" % number, frames=128, seed=number)
    path = tmp_path / "library.db"
    if older:
        make_older(path)
    data = bytearray(path.read_bytes())
    leaves = [page for page in range(len(data) // 16384) if data[page * 16384] == 13]
    page = max(leaves)
    data[page * 16384 : page * 16384 + 200] = bytes(200)
    path.write_bytes(data)
    assert not check(tmp_path)[0].repaired
    (finding,) = check(tmp_path, repair=True)
    assert finding.repaired
    assert (tmp_path / "library.db.old-1").exists()
    with Library.open_readonly(tmp_path) as library:
        assert 30 <= len(library.segments()) < 40
        assert len(library.videos()) == 40
        assert library.generation > 40


def test_a_kill_before_the_saved_copy_takes_its_place_changes_nothing(folder):
    with (folder / "library.db").open("r+b") as file:
        file.seek(16384 * 9)
        file.write(bytes(range(256)) * 8)
    digest = digest_file(folder / "library.db")
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from index import failpoints; from index.indexing.check import check\n"
        "failpoints.arm('before_salvage_swap', lambda: os.kill(os.getpid(), signal.SIGKILL))\n"
        "check(Path(sys.argv[1]), repair=True)"
    )
    done = run_python(code, folder, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert digest_file(folder / "library.db") == digest
    check(folder, repair=True)
    assert check(folder) == []
    assert not list(folder.glob(".gz-salvage*"))


def test_a_damaged_cache_is_thrown_away(folder):
    (path,) = folder.glob("*.faiss")
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)
    (finding,) = check(folder)
    assert finding.harmless
    assert "damaged" in finding.what
    assert check(folder, repair=True)[0].repaired
    assert not list(folder.glob("vectors-*"))
    assert check(folder) == []


def test_leftovers_of_an_older_cache_are_removed(folder):
    (folder / "vectors-0123456789abcdef.faiss").write_bytes(b"old")
    (finding,) = check(folder)
    assert finding.harmless
    assert check(folder, repair=True)[0].repaired
    assert check(folder) == []
    assert len(list(folder.glob("vectors-*"))) == 9


def test_repair_waits_for_no_other_writer(folder):
    code = (
        "import sys, time; from pathlib import Path; from index.files import WriterLock\n"
        "with WriterLock(Path(sys.argv[1])):\n    print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], cwd=REPO, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert check(folder) == []
        with pytest.raises(LockedError, match=str(holder.pid)):
            check(folder, repair=True)
    finally:
        holder.kill()
        holder.communicate()
    with WriterLock(folder):
        pass
