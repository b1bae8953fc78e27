"""What a decode worker may use: processor time rather than time by the clock, and memory."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

import decode_faults as faults
import media_factory as make
import pytest
from fakes import shrink

from index.media.container import open_video
from index.sampling import patience
from index.sampling.jobs import DecodeJob, DecodeLimits
from index.sampling.memory import Allowance
from index.sampling.workers import Failed, Finished, Frames, decode

TESTS = Path(__file__).parents[2]
DECODES = """
import os, resource, sys
sys.path[:0] = {path!r}
from fakes import shrink
from index.sampling.jobs import DecodeJob
from index.sampling.workers import decode

if __name__ == "__main__":
    (failed,) = decode([DecodeJob(0, os.fsencode({video!r}), 1.0)], shrink, workers=1)
    print(failed.reason)
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
"""


@pytest.fixture(scope="module")
def blue(tmp_path_factory: pytest.TempPathFactory) -> DecodeJob:
    path = tmp_path_factory.mktemp("videos") / "blue.mp4"
    make.colour_video(path, [("red", 20.0), ("blue", 20.0)], size=(320, 240))
    return DecodeJob(0, os.fsencode(path), 0.1)


@pytest.mark.parametrize("says_processor_time", [True, False])
def test_a_starved_worker_is_not_hanging(
    blue: DecodeJob, says_processor_time: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that is stopped for four times the limit gets no processor, as under load."""
    if not says_processor_time:
        monkeypatch.setattr(patience, "_processor_s", lambda pid: None)
        monkeypatch.setattr(os, "getloadavg", lambda: (25.0 * (os.cpu_count() or 1), 0.0, 0.0))
    limits = DecodeLimits(no_progress_s=0.5, chunk_pictures=4, waiting_chunks=1)
    events = decode([blue], faults.tell_process, workers=1, limits=limits)
    first = next(event for event in events if isinstance(event, Frames))
    pid = faults.process_in(first.pictures[0])
    os.kill(pid, signal.SIGSTOP)
    threading.Timer(2.0, os.kill, [pid, signal.SIGCONT]).start()
    assert isinstance(list(events)[-1], Finished)


def test_a_worker_that_waits_for_ever_is_given_up_but_not_blamed(blue: DecodeJob) -> None:
    limits = DecodeLimits(no_progress_s=60.0, silence_s=3.0)
    last = list(decode([blue], faults.hang_on_blue, workers=1, limits=limits))[-1]
    assert isinstance(last, Failed)
    assert (last.kind, last.lethal, last.innocent) == ("stuck", False, True)
    assert "its drive may not answer" in last.reason


@pytest.mark.parametrize("by_hand", [signal.SIGTERM, signal.SIGHUP])
def test_a_worker_that_somebody_ends_is_not_the_files_fault(
    blue: DecodeJob, by_hand: signal.Signals
) -> None:
    events = decode([blue], faults.tell_process, workers=1)
    first = next(event for event in events if isinstance(event, Frames))
    os.kill(faults.process_in(first.pictures[0]), by_hand)
    reason = f"the decoder was ended from outside ({by_hand.name})"
    assert list(events)[-1] == Failed(0, reason, "ended")


def test_a_small_file_that_claims_millions_of_samples_takes_little_memory(tmp_path: Path) -> None:
    path = make.claiming_video(tmp_path / "claims.mp4")
    assert path.stat().st_size < 3000
    script = tmp_path / "decodes.py"
    script.write_text(DECODES.format(path=[str(TESTS.parent), str(TESTS)], video=str(path)))
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    reason, largest_mb = ran.stdout.splitlines()
    assert reason == "no picture in it could be decoded"
    assert int(largest_mb) < 512  # of 4 GB without a limit


def test_a_small_clip_of_large_pictures_is_decoded(tmp_path: Path) -> None:
    pictures = (make.moving_picture(number * 3, (3840, 2160)) for number in range(3))
    path = make.write_video(tmp_path / "4k.mp4", pictures, fps=3, options={"preset": "ultrafast"})
    events = list(decode([DecodeJob(0, os.fsencode(path), 0.3)], shrink, workers=1))
    assert isinstance(events[-1], Finished)
    assert sum(len(event.times_s) for event in events if isinstance(event, Frames)) == 3


def test_tables_and_pictures_are_allowed_for_by_the_size_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(b"x")
    with large.open("wb") as file:
        file.truncate(100 << 20)
    asked: list[int] = []
    monkeypatch.setattr(resource, "setrlimit", lambda what, both: asked.append(both[0] >> 20))
    monkeypatch.setattr("index.sampling.memory._address_space", lambda: 0)
    for path in (small, large):
        allowance = Allowance(os.fsencode(path), DecodeLimits())
        allowance.for_opening()
        allowance.for_decoding()
    assert asked == [384, 2048, 384 + 1600, 2048 + 1600]
    Allowance(os.fsencode(large), DecodeLimits(memory_bytes=1 << 30)).for_decoding()
    assert asked[-1] == 1024


def test_more_is_allowed_once_the_tables_are_read(blue: DecodeJob) -> None:
    stages: list[str] = []
    with open_video(blue.path, opened=lambda: stages.append("tables")):
        stages.append("picture")
    assert stages == ["tables", "picture"]
