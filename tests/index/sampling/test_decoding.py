"""Decode workers: what they hand over, and that a bad file costs only itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import decode_faults as faults
import media_factory as make
import numpy as np
import pytest
from fakes import shrink

from index.sampling.workers import (
    DecodeEvent,
    DecodeJob,
    DecodeLimits,
    Failed,
    Finished,
    Frames,
    Opened,
    decode,
)

ROOT = Path(__file__).parents[3]
CHILD = """
import os, sys
sys.path[:0] = {path!r}
import decode_faults as faults
from index.sampling.jobs import DecodeJob
from index.sampling.workers import Frames, decode

def main():
    jobs = [DecodeJob(key, os.fsencode({video!r}), 0.04) for key in range(2)]
    try:
        for event in decode(jobs, faults.{preprocess}, workers=2):
            if isinstance(event, Frames):
                print(faults.process_in(event.pictures[0]), flush=True)
    except KeyboardInterrupt:
        print("stopped", flush=True)

if __name__ == "__main__":
    main()
"""


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("videos")
    return {
        "red": make.colour_video(folder / "red.mp4", [("red", 3.0)]),
        "blue": make.colour_video(folder / "blue.mp4", [("red", 1.0), ("blue", 1.0)]),
        "green": make.colour_video(folder / "green.mkv", [("green", 2.0)]),
        "long": make.colour_video(folder / "long.mp4", [("red", 40.0)], size=(320, 240)),
        "noise": make.random_bytes(folder / "noise.mp4"),
    }


def job(key: int, path: Path, step_s: float = 1.0, **more: float) -> DecodeJob:
    return DecodeJob(key, os.fsencode(path), step_s, **more)


def by_key(events: Iterator[DecodeEvent]) -> dict[int, list[DecodeEvent]]:
    found: dict[int, list[DecodeEvent]] = {}
    for event in events:
        found.setdefault(event.key, []).append(event)
    return found


def times(events: list[DecodeEvent]) -> list[float]:
    return [time_s for event in events if isinstance(event, Frames) for time_s in event.times_s]


def is_running(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0]
    except OSError:
        return False


def wait_gone(pids: list[int]) -> bool:
    for _ in range(200):
        if not any(is_running(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_events_of_every_job(videos: dict[str, Path], workers: int) -> None:
    names = ["red", "noise", "green", "blue"]
    jobs = [job(key, videos[name], 0.5) for key, name in enumerate(names)]
    found = by_key(decode(jobs, shrink, workers=workers))
    for key, name in enumerate(names):
        events = found[key]
        if name == "noise":
            reason = "not a video container, or its header is damaged or cut off"
            assert events == [Failed(key, reason, "unreadable")]
            continue
        assert isinstance(events[0], Opened)
        assert isinstance(events[-1], Finished)
        assert events[-1].report.duration_s == {"red": 3.0, "green": 2.0, "blue": 2.0}[name]
        wanted = [0.0, 0.5, 1.0, 1.5, 2.0, 2.5][: 6 if name == "red" else 4]
        assert times(events) == pytest.approx(wanted, abs=0.021)
        pictures = [p for e in events if isinstance(e, Frames) for p in e.pictures]
        assert all(p.shape == (1, 1, 3) and p.dtype == np.uint8 for p in pictures)
        colours = {make.nearest_colour(p) for p in pictures}
        assert colours == ({"red", "blue"} if name == "blue" else {name})


def test_jobs_are_pulled_just_before_they_start(videos: dict[str, Path]) -> None:
    pulled: list[int] = []

    def jobs() -> Iterator[DecodeJob]:
        for key in range(4):
            pulled.append(key)
            yield job(key, videos["green"])

    ended = 0
    for event in decode(jobs(), shrink, workers=1):
        assert len(pulled) == ended + 1
        ended += isinstance(event, Finished)
    assert pulled == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("preprocess", "kind", "reason"),
    [
        (faults.die_on_blue, "crash", "the decoder died on it (SIGSEGV)"),
        (faults.spin_on_blue, "hang", "the decoder hangs on it"),
        (faults.eat_memory_on_blue, "memory", "it needs more memory than one file may take"),
        (faults.raise_on_blue, "unreadable", "blue is too much"),
    ],
)
def test_a_bad_file_costs_itself(
    videos: dict[str, Path], preprocess: object, kind: str, reason: str
) -> None:
    names = ["red", "blue", "green", "blue", "red"]
    jobs = [job(key, videos[name], 0.25) for key, name in enumerate(names)]
    limits = DecodeLimits(no_progress_s=1.0, memory_bytes=1 << 30)
    found = by_key(decode(jobs, preprocess, workers=1, limits=limits))
    for key, name in enumerate(names):
        if name == "blue":
            assert found[key][-1] == Failed(key, reason, kind)
        else:
            assert isinstance(found[key][-1], Finished)
            assert len(times(found[key])) == (12 if name == "red" else 8)


def test_slow_work_is_not_a_hang(videos: dict[str, Path]) -> None:
    limits = DecodeLimits(no_progress_s=2.0, chunk_pictures=100)
    found = by_key(decode([job(0, videos["red"], 0.25)], faults.slow, workers=1, limits=limits))
    assert len(times(found[0])) == 12


def test_chunks_are_bounded(videos: dict[str, Path]) -> None:
    limits = DecodeLimits(chunk_pictures=5)
    jobs = [job(0, videos["red"], 0.25)]
    sizes = [
        len(event.pictures)
        for event in decode(jobs, shrink, workers=0, limits=limits)
        if isinstance(event, Frames)
    ]
    assert sizes == [5, 5, 2]
    limits = DecodeLimits(chunk_bytes=7)
    sizes = [
        len(event.pictures)
        for event in decode(jobs, shrink, workers=0, limits=limits)
        if isinstance(event, Frames)
    ]
    assert sizes == [3, 3, 3, 3]


def test_workers_wait_when_nobody_takes_pictures(videos: dict[str, Path], tmp_path: Path) -> None:
    log = tmp_path / "log"
    limits = DecodeLimits(chunk_pictures=1, waiting_chunks=2)
    events = decode([job(0, videos["long"], 0.2)], faults.Counting(log), workers=1, limits=limits)
    while not isinstance(next(events), Frames):
        pass
    before = -1
    while (now := log.stat().st_size) != before:
        before = now
        time.sleep(0.7)
    assert before <= 10  # of 200; the queue, the pipe and one in hand
    assert sum(isinstance(event, Frames) for event in events) == 199


def test_resuming_leaves_out_what_was_taken(videos: dict[str, Path]) -> None:
    whole = times(by_key(decode([job(0, videos["red"], 0.25)], shrink, workers=0))[0])
    for at in (0, 3, len(whole) - 1):
        resumed = by_key(
            decode([job(0, videos["red"], 0.25, after_s=whole[at])], shrink, workers=0)
        )
        assert times(resumed[0]) == whole[at + 1 :]
        assert isinstance(resumed[0][-1], Finished)
        assert resumed[0][-1].report.duration_s == 3.0


def test_workers_stay_light_and_do_one_file_after_another(videos: dict[str, Path]) -> None:
    jobs = [job(key, videos["green"]) for key in range(3)]
    found = by_key(decode(jobs, faults.tell_process, workers=1))
    pictures = [p for e in found.values() for f in e if isinstance(f, Frames) for p in f.pictures]
    assert {faults.process_in(picture) for picture in pictures} != {os.getpid()}
    assert len({faults.process_in(picture) for picture in pictures}) == 1
    assert not any(picture[0, 1, 2] for picture in pictures)


def test_closing_ends_the_workers(videos: dict[str, Path]) -> None:
    events = decode([job(0, videos["long"], 0.04)], faults.tell_process, workers=2)
    first = next(event for event in events if isinstance(event, Frames))
    pid = faults.process_in(first.pictures[0])
    assert is_running(pid)
    events.close()
    assert wait_gone([pid])


def test_an_error_of_the_caller_ends_the_workers(videos: dict[str, Path]) -> None:
    pids = []

    def jobs() -> Iterator[DecodeJob]:
        yield job(0, videos["green"])
        raise LookupError("no more")

    def collect() -> None:
        for event in decode(jobs(), faults.tell_process, workers=1):
            if isinstance(event, Frames):
                pids.append(faults.process_in(event.pictures[0]))

    with pytest.raises(LookupError):
        collect()
    assert pids
    assert wait_gone(pids)


def test_preprocessing_that_cannot_be_loaded_is_an_error(videos: dict[str, Path]) -> None:
    with pytest.raises(RuntimeError, match="no such model here"):
        list(decode([job(0, videos["green"])], faults.Unloadable(), workers=1))


def test_modules_in_the_current_folder_are_not_loaded(
    videos: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("index", "random", "pickle", "multiprocessing", "numpy", "site", "av"):
        (tmp_path / f"{name}.py").write_text(f"open('canary-{name}', 'w').close()\n")
    monkeypatch.chdir(tmp_path)
    found = by_key(decode([job(0, videos["green"])], shrink, workers=1))
    assert isinstance(found[0][-1], Finished)
    assert not list(tmp_path.glob("canary*"))
    assert "PYTHONSAFEPATH" not in os.environ


def start_child(video: Path, preprocess: str, tmp_path: Path) -> subprocess.Popen[str]:
    script = tmp_path / "child.py"
    path = [str(ROOT), str(ROOT / "tests")]
    script.write_text(CHILD.format(path=path, video=str(video), preprocess=preprocess))
    return subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_workers_do_not_outlive_a_killed_parent(videos: dict[str, Path], tmp_path: Path) -> None:
    with start_child(videos["long"], "tell_process", tmp_path) as child:
        assert child.stdout is not None
        pids = {int(child.stdout.readline()) for _ in range(6)}
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        assert wait_gone(list(pids))


def test_ctrl_c_is_quick_and_silent(videos: dict[str, Path], tmp_path: Path) -> None:
    with start_child(videos["long"], "tell_process", tmp_path) as child:
        assert child.stdout is not None
        pids = {int(child.stdout.readline()) for _ in range(2)}
        os.killpg(child.pid, signal.SIGINT)
        out, err = child.communicate(timeout=30)
    assert out.splitlines()[-1] == "stopped"
    assert err == ""
    assert wait_gone(list(pids))


def test_a_huge_picture_fails_within_its_memory(tmp_path: Path) -> None:
    path = make.huge_picture(tmp_path / "huge.mp4", side=12000)
    found = by_key(decode([job(0, path)], shrink, workers=1))
    assert found[0] == [Failed(0, "its pictures are too large (12000x12000, 144 MP)", "unreadable")]
