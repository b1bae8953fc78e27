"""Larger pictures beside those that are encoded: when they come, how large, and only if asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fakes import shrink
from media_factory import colour_video, moving_video, write_video
from rendered import written

from index.media.container import open_video
from index.sampling.jobs import DecodeJob, DecodeLimits
from index.sampling.sampler import Sampler
from index.sampling.stillness import StillnessDetector
from index.sampling.workers import Finished, Frames, decode


def sampled(path: Path, **job: object) -> list[Frames]:
    made = DecodeJob(1, str(path).encode(), 1.0, **job)  # type: ignore[arg-type]
    events = list(decode([made], shrink, workers=0))
    assert isinstance(events[-1], Finished), events[-1]
    return [event for event in events if isinstance(event, Frames)]


def ticking(seconds: int) -> Iterator[np.ndarray]:
    """Full HD from a fixed camera with a clock of 20 pixels in a corner."""
    still = np.full((1080, 1920, 3), 120, np.uint8)
    for second in range(seconds):
        words = [(f"14:15:{second:02d}", 1780, 1040, 20)]
        yield written(words, ink=(185, 185, 185), paper=still)


def test_a_small_clock_that_is_still_for_the_encoder_ticks_for_the_reader(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clock.mp4", ticking(8), fps=1, options={"crf": "20"})
    with open_video(path) as video:
        detector = StillnessDetector()
        still = [detector.repeats(float(at), f) for at, f in Sampler(video, 1.0).frames()]
    assert still.count(True) >= 5, "the case that this is for"
    large = [p for e in sampled(path, read_px=1280, only_read=True) for p in e.readable]
    assert [p is not None for p in large] == [True] * 8
    assert large[0] is not None
    assert large[0].shape == (720, 1280, 3)


def test_what_stands_still_is_given_once(tmp_path: Path) -> None:
    path = colour_video(tmp_path / "a.mp4", [("red", 5.0), ("blue", 5.0)], fps=4)
    (event,) = sampled(path, read_px=1280, skip_still=True)
    assert [p is not None for p in event.readable] == [s in (0, 5) for s in range(10)]
    assert len(event.pictures) == len(event.times_s) == 10
    assert event.readable[0] is not None
    assert event.readable[0].shape == (48, 64, 3)


@pytest.mark.parametrize("workers", [0, 1])
def test_the_encoder_gets_the_same_pictures_with_and_without(tmp_path: Path, workers: int) -> None:
    path = moving_video(tmp_path / "a.mp4", 6.0, size=(640, 360))
    found = {}
    for read_px in (0, 320):
        job = DecodeJob(1, str(path).encode(), 1.0, read_px=read_px)
        limits = DecodeLimits(chunk_bytes=400_000)
        events = list(decode([job], shrink, workers=workers, limits=limits))
        frames = [event for event in events if isinstance(event, Frames)]
        found[read_px] = [p for event in frames for p in event.pictures]
        large = [p for event in frames for p in event.readable]
        assert len(large) == (6 if read_px else 0)
        assert all(p is None or p.shape == (180, 320, 3) for p in large)
        for event in frames:
            assert sum(p.nbytes for p in event.readable if p is not None) <= 400_000 + 180 * 960
    for one, other in zip(found[0], found[320], strict=True):
        np.testing.assert_array_equal(one, other)


def test_pictures_turned_in_the_file_are_read_upright(tmp_path: Path) -> None:
    path = moving_video(tmp_path / "a.mp4", 1.0, size=(640, 360), alter=lambda frame: None)
    (event,) = sampled(path, read_px=200, only_read=True)
    assert event.pictures == [None]
    assert event.readable[0] is not None
    assert event.readable[0].shape == (112, 200, 3)
