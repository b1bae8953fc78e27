"""Frames that show nothing new: what is skipped, and that nothing that happens is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fakes import FakeEncoder
from media_factory import colour_video, write_video

from index.indexing.indexer import index_paths
from index.indexing.progress import IndexOptions, IndexSummary
from index.media.container import open_video
from index.sampling.sampler import Sampler
from index.sampling.stillness import LONGEST_S, StillnessDetector
from index.store.library import Library
from index.types import Picture, Vectors

GZ = Path(sys.executable).parent / "gz"
SIZE = (320, 180)


class Silent:
    """Implements IndexObserver."""

    def scanned(self, files: int, size_bytes: int) -> None:
        """Says nothing."""

    def progress(self, progress: object) -> None:
        """Says nothing."""

    def preparing(self, share: float, text: str) -> None:
        """Says nothing."""

    def problem(self, problem: object) -> None:
        raise AssertionError(problem)

    def note(self, text: str) -> None:
        """Says nothing."""


def kept_times(path: Path, step_s: float = 1.0) -> tuple[list[float], int]:
    """When frames are kept, and how many there are."""
    with open_video(path) as video:
        detector = StillnessDetector()
        frames = [(float(at), frame) for at, frame in Sampler(video, step_s).frames()]
        kept = [time_s for time_s, frame in frames if not detector.repeats(time_s, frame)]
    return kept, len(frames)


def room(rng: np.random.Generator) -> np.ndarray:
    """A plain interior, float32 [H, W, 3]."""
    across = np.linspace(60, 150, SIZE[0], dtype=np.float32)
    picture = np.repeat(np.tile(across, (SIZE[1], 1))[:, :, None], 3, axis=2)
    picture[110:] *= 0.7
    for _ in range(12):
        x, y = rng.integers(0, SIZE[0] - 40), rng.integers(0, SIZE[1] - 40)
        picture[y : y + 30, x : x + 36] = rng.integers(40, 200, 3)
    return picture


def camera(seconds: int, events: dict[int, int], side: int) -> Iterator[np.ndarray]:
    """A fixed camera at 4 fps: sensor noise, light that drifts, something small that walks by.

    Args:
        seconds: Length.
        events: First and last second of each time that the small thing is there.
        side: Its width and height.
    """
    rng = np.random.default_rng(5)
    still = room(rng)
    for number in range(seconds * 4):
        time_s = number / 4
        picture = still * (1 + 0.06 * np.sin(time_s / 90)) + rng.normal(0, 4, still.shape)
        for start_s, end_s in events.items():
            if start_s <= time_s < end_s:
                x = 30 + round((time_s - start_s) * 12)
                picture[120 : 120 + side, x : x + side] = (225, 210, 60)
        yield np.clip(picture, 0, 255).astype(np.uint8)


def lecture(slides: int, each_s: int) -> Iterator[np.ndarray]:
    """Slides at 2 fps of which each differs from the one before in one line of small print."""
    rng = np.random.default_rng(7)
    page = np.full((SIZE[1], SIZE[0], 3), 240, np.uint8)
    page[12:30, 20:220] = 40
    for slide in range(slides):
        top = 40 + slide % 10 * 13
        page = page.copy()
        page[top : top + 6, 24:120] = np.where(rng.random((6, 96, 1)) < 0.5, 30, 240)
        for _ in range(each_s * 2):
            yield page


def test_a_fixed_camera_is_encoded_where_something_happens(tmp_path: Path) -> None:
    events = {20: 26, 61: 67, 110: 116, 155: 161}
    side = 9  # 0.14 % of the picture
    path = write_video(tmp_path / "camera.mp4", camera(200, events, side), fps=4, gop=40)
    kept, frames = kept_times(path)
    assert frames == 200
    assert len(kept) <= 200 / 5
    for start_s, end_s in events.items():
        inside = [time_s for time_s in kept if start_s <= time_s < end_s]
        assert len(inside) >= 5, (start_s, kept)
        assert any(end_s <= time_s <= end_s + 1 for time_s in kept), end_s


def test_each_slide_of_a_lecture_is_encoded_once(tmp_path: Path) -> None:
    path = write_video(tmp_path / "lecture.mp4", lecture(12, 20), fps=2, gop=50)
    kept, frames = kept_times(path)
    assert frames == 240
    assert len(kept) <= 240 / 5
    for slide in range(12):
        assert any(20 * slide <= time_s <= 20 * slide + 1 for time_s in kept), (slide, kept)


def test_a_still_picture_is_looked_at_now_and_then(tmp_path: Path) -> None:
    path = colour_video(tmp_path / "a.mp4", [("grey", 3 * LONGEST_S)], fps=1)
    kept, _ = kept_times(path)
    assert kept == [0.0, LONGEST_S, 2 * LONGEST_S]


def test_slow_changes_add_up(tmp_path: Path) -> None:
    """Each frame is like the last, but not like the last that was kept."""

    def dusk() -> Iterator[np.ndarray]:
        still = room(np.random.default_rng(3))
        for number in range(100):
            yield np.clip(still * (1 - number / 110), 0, 255).astype(np.uint8)

    path = write_video(tmp_path / "dusk.mp4", dusk(), fps=2)
    kept, frames = kept_times(path)
    assert frames == 50
    assert len(kept) > 10


def index(library: Path, video: Path, encoder: FakeEncoder, **options: object) -> IndexSummary:
    settings = IndexOptions(model_spec="fake", **{"workers": 0, **options})  # type: ignore[arg-type]
    return index_paths(library, [video], encoder, settings, Silent())


def stored(library: Path) -> tuple[np.ndarray, np.ndarray]:
    with Library.open_readonly(library) as opened:
        (video,) = opened.videos()
        return opened.read_vectors(video.id)


@pytest.mark.parametrize("workers", [0, 1])
def test_every_sample_has_the_vector_of_what_it_shows(tmp_path: Path, workers: int) -> None:
    shots = [("red", 30.0), ("blue", 2.0), ("green", 70.0), ("red", 1.0)]
    video = colour_video(tmp_path / "a.mp4", shots, fps=4)
    plain, quick = FakeEncoder(batch_size=2), FakeEncoder(batch_size=2)
    full = index(tmp_path / "full", video, plain, every_frame=True, workers=workers)
    fast = index(tmp_path / "fast", video, quick, chunk_frames=10, workers=workers)
    assert full.frames == full.frames_encoded == plain.pictures_encoded == fast.frames == 103
    assert fast.frames_encoded == quick.pictures_encoded == 5
    for ours, theirs in zip(stored(tmp_path / "fast"), stored(tmp_path / "full"), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-3)


def test_an_interrupted_run_goes_on_in_the_middle_of_stillness(tmp_path: Path) -> None:
    video = colour_video(tmp_path / "a.mp4", [("red", 200.0), ("blue", 100.0)], fps=1)

    class Interrupting(FakeEncoder):
        def encode_pictures(self, pictures: list[Picture]) -> Vectors:
            if self.pictures_encoded >= 3:
                raise KeyboardInterrupt
            return super().encode_pictures(pictures)

    library = tmp_path / "library"
    assert index(library, video, Interrupting(batch_size=1), chunk_frames=50).interrupted
    with Library.open_readonly(library) as opened:
        (row,) = opened.videos()
        assert opened.staged_until_s(row.id)
    assert index(library, video, FakeEncoder(), chunk_frames=50).indexed == 1
    index(tmp_path / "other", video, FakeEncoder(), every_frame=True)
    for ours, theirs in zip(stored(library), stored(tmp_path / "other"), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-3)


def gz(*arguments: str | Path, typed: str = "") -> str:
    ran = subprocess.run(
        [GZ, *arguments],
        input=typed,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        timeout=300,
    )
    assert ran.returncode in (0, 1), ran.stderr
    return ran.stdout or ran.stderr


def test_hits_are_those_of_encoding_everything(tmp_path: Path) -> None:
    """On the demo world: the same first hit, its ends within a second."""
    from model.demo.archive import make_archive

    archive = make_archive(tmp_path / "videos", seed=11, videos=2)
    libraries = {"fast": [], "full": ["--every-frame"]}
    said = {
        name: gz("index", archive.folder, "--model", "demo", "--library", tmp_path / name, *more)
        for name, more in libraries.items()
    }
    assert "% still" in said["fast"]
    assert "still" not in said["full"]
    asked = [query.text for query in archive.queries if query.kind == "plain"][:8]
    typed = "".join(json.dumps({"query": query, "k": 1}) + "\n" for query in asked)
    answers = {
        name: gz("shell", "--library", tmp_path / name, "--json", typed=typed).splitlines()
        for name in libraries
    }
    same = 0
    for query, *lines in zip(asked, answers["fast"], answers["full"], strict=True):
        fast_hits, full_hits = (json.loads(line)["hits"] for line in lines)
        assert bool(fast_hits) == bool(full_hits), query
        for fast, full in zip(fast_hits, full_hits, strict=True):
            assert fast["path"] == full["path"], query
            assert fast["start_s"] == pytest.approx(full["start_s"], abs=1.0), query
            assert fast["end_s"] == pytest.approx(full["end_s"], abs=1.0), query
            same += 1
    assert same >= 5
