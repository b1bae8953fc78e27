"""A card that fails while videos are indexed: said in a sentence, and nothing of it is lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import media_factory as make

from index.store.library import Library

TROUBLE = Path(__file__).parents[3] / "tests/gpu/gz_with_trouble.py"


def index(videos: Path, library: Path, *trouble: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(TROUBLE), *trouble, "--", "index", str(videos)]
    command += ["--library", str(library), "--model", "demo", "--device", "cpu", "--every-frame"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_a_card_that_fails_between_two_batches_ends_the_run_in_a_sentence(tmp_path: Path) -> None:
    videos, library = tmp_path / "videos", tmp_path / "library"
    videos.mkdir()
    make.colour_video(videos / "a.mp4", [("red", 9.0), ("blue", 9.0)])
    ran = index(videos, library, "--kind", "broken", "--after", "1")
    assert ran.returncode == 7
    assert "The graphics card stopped working: CUDA error" in ran.stderr
    assert "Run the same command again" in ran.stderr
    assert "Traceback" not in ran.stderr
    with Library.open_readonly(library) as opened:
        assert [video.attempts for video in opened.videos()] == [0]
    again = index(videos, library, "--kind", "broken", "--after", "99")
    assert again.returncode == 0, again.stderr


def test_a_batch_that_never_fits_ends_the_run_in_a_sentence(tmp_path: Path) -> None:
    videos, library = tmp_path / "videos", tmp_path / "library"
    videos.mkdir()
    make.colour_video(videos / "a.mp4", [("red", 3.0)])
    ran = index(videos, library, "--kind", "full", "--after", "0")
    assert ran.returncode == 7
    assert "not enough memory on cpu to encode a single picture" in ran.stderr


def test_a_card_that_fails_in_training_is_explained_too() -> None:
    from gz_cli.failures import explained

    message, remedy, code = explained(RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"))
    assert (message, code) == ("There is not enough memory on the graphics card.", 7)
    assert remedy
    message, _, code = explained(RuntimeError("CUDA error: device-side assert triggered\nmore"))
    assert message == "The graphics card stopped working: CUDA error: device-side assert triggered"
    plain = RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
    assert explained(plain)[0] == "There is not enough memory."
    assert explained(RuntimeError("shapes differ"))[2] == 70
