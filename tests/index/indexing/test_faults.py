"""What happens to a library when the program, the disk or a file fails.

After every fault the check finds the library sound, each video is wholly old or
wholly new, `find` works, and a plain re-run ends with the rows and vectors of an
undisturbed run.
"""

from __future__ import annotations

import errno
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from index_runs import CHILD, assert_recovers, find_red, run, stored
from media_factory import colour_video

from index.indexing.check import check

ALL_FRAMES = 9 + 7 + 11


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    colour_video(folder / "a.mp4", [("red", 6.0), ("blue", 3.0)])
    colour_video(folder / "b.mp4", [("green", 7.0)])
    colour_video(folder / "c.mkv", [("white", 3.0), ("yellow", 8.0)])
    return folder


@pytest.fixture(scope="module")
def undisturbed(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    library = tmp_path_factory.mktemp("undisturbed")
    assert run(library, videos).returncode == 0
    return stored(library)


KILLS = [
    *(f"after_attempt:kill:{n}" for n in (1, 3)),
    *(f"after_decode:kill:{n}" for n in (1, 2)),
    *(f"before_stage_commit:kill:{n}" for n in (1, 3)),
    *(f"after_stage:kill:{n}" for n in (1, 4)),
    *(f"before_commit:kill:{n}" for n in (1, 2)),
    *(f"after_commit:kill:{n}" for n in (1, 3)),
    "mid_faiss_build:kill",
    "mid_faiss_write:kill",
    "before_publish:kill",
    "after_publish:kill",
]


@pytest.mark.parametrize("point", KILLS)
def test_kill_at_every_named_point(
    point: str, tmp_path: Path, videos: Path, undisturbed: dict[str, bytes]
) -> None:
    assert run(tmp_path, videos, point).returncode == -signal.SIGKILL
    assert_recovers(tmp_path, videos, undisturbed)


def test_a_search_index_that_was_replaced_does_not_stay_on_the_disk(
    tmp_path: Path, videos: Path
) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    library = tmp_path / "library"
    (folder / "a.mp4").write_bytes((videos / "a.mp4").read_bytes())
    assert run(library, folder).returncode == 0
    (folder / "b.mp4").write_bytes((videos / "b.mp4").read_bytes())
    assert run(library, folder, "after_publish:kill").returncode == -signal.SIGKILL
    assert run(library, folder).returncode == 0
    assert check(library) == []


@pytest.mark.parametrize("seed", range(int(os.environ.get("GZ_CRASH_ROUNDS", "5"))))
def test_kill_at_random_times(
    seed: int, tmp_path: Path, videos: Path, undisturbed: dict[str, bytes]
) -> None:
    child = subprocess.Popen(
        [sys.executable, str(CHILD), str(tmp_path), str(videos), "after_stage:sleep"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(random.Random(seed).uniform(0.3, 2.5))
    child.kill()
    child.wait()
    assert_recovers(tmp_path, videos, undisturbed)


def test_only_the_interrupted_video_is_done_again(tmp_path: Path, videos: Path) -> None:
    run(tmp_path, videos, "after_stage:kill:4")
    kept = len(stored(tmp_path))
    again = run(tmp_path, videos)
    assert kept >= 1
    assert int(again.stdout) <= ALL_FRAMES - 7


def test_ctrl_c_keeps_what_is_done(
    tmp_path: Path, videos: Path, undisturbed: dict[str, bytes]
) -> None:
    assert run(tmp_path, videos, "after_commit:int:1").returncode == 130
    assert len(stored(tmp_path)) >= 1
    assert_recovers(tmp_path, videos, undisturbed)


@pytest.mark.parametrize("size_kb", [1, 40, 100, 140, 180, 260, 400])
def test_a_full_disk_keeps_finished_videos(
    size_kb: int, tmp_path: Path, videos: Path, undisturbed: dict[str, bytes]
) -> None:
    limit = size_kb * 1024

    def starve() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    starved = run(tmp_path, videos, preexec_fn=starve)
    assert starved.returncode in (0, 8), starved.stderr
    if starved.returncode == 8:
        assert "space" in starved.stderr
        assert "Traceback" not in starved.stderr
    assert_recovers(tmp_path, videos, undisturbed)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_failing_disk_while_the_cache_is_written_loses_nothing(
    number: int, tmp_path: Path, videos: Path, undisturbed: dict[str, bytes]
) -> None:
    done = run(tmp_path, videos, f"mid_faiss_write:errno={number}")
    assert done.returncode == 0, done.stderr
    assert "memory only" in done.stderr
    assert_recovers(tmp_path, videos, undisturbed)


def test_a_second_indexer_ends_at_once_and_names_the_first(
    tmp_path: Path, videos: Path, undisturbed: dict[str, bytes]
) -> None:
    first = subprocess.Popen(
        [sys.executable, str(CHILD), str(tmp_path), str(videos), "after_attempt:sleep"]
        + [f"{name}:sleep" for name in ("after_stage", "before_commit", "after_commit")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(lambda: (tmp_path / "library.db").exists())
        second = run(tmp_path, videos)
        assert second.returncode == 5
        assert str(first.pid) in second.stderr
    finally:
        first.kill()
        first.wait()
    assert_recovers(tmp_path, videos, undisturbed)


def test_find_works_while_another_process_indexes(tmp_path: Path, videos: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, str(CHILD), str(tmp_path), str(videos)]
        + [f"{name}:sleep" for name in ("after_stage", "before_commit", "after_commit")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(lambda: (tmp_path / "library.db").exists() and _count(tmp_path) > 0)
        seen = []
        while writer.poll() is None:
            seen.append(find_red(tmp_path))
        seen.append(find_red(tmp_path))
    finally:
        writer.kill()
        writer.wait()
    assert seen == sorted(seen)
    assert seen[-1] == 3


def _count(folder: Path) -> int:
    return len(stored(folder))


def _wait_for(condition, timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "the other process never got there"
        time.sleep(0.02)


def test_a_damaged_cache_never_gives_wrong_hits(
    tmp_path: Path, videos: Path, undisturbed: dict[str, bytes]
) -> None:
    run(tmp_path, videos)
    rng = np.random.default_rng(0)
    for round_number in range(60):
        files = sorted(p for p in tmp_path.glob("vectors*") if p.stat().st_size)
        path = files[int(rng.integers(len(files)))]
        data = bytearray(path.read_bytes())
        if round_number % 3:
            data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
        else:
            del data[int(rng.integers(len(data))) :]
        path.write_bytes(data)
        assert find_red(tmp_path) == 3
    assert_recovers(tmp_path, videos, undisturbed)
