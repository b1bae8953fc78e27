"""Index runs with the fake encoder, here or in a process that can be killed, and what they left."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from fakes import FakeEncoder

from index.errors import NothingIndexedError
from index.indexing.check import check
from index.indexing.indexer import index_paths
from index.indexing.progress import IndexOptions, IndexProgress, IndexSummary, Problem
from index.search.find import find
from index.store.library import Library
from index.types import FindRequest
from index.vectors.cache import VectorCache
from model.grounding.training_free import TrainingFreeLocalizer

CHILD = Path(__file__).with_name("index_child.py")


@dataclass
class Recorder:
    """Implements IndexObserver and keeps everything."""

    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    steps: list[IndexProgress] = field(default_factory=list)

    def scanned(self, files: int, size_bytes: int) -> None:
        pass

    def progress(self, progress: IndexProgress) -> None:
        self.steps.append(progress)

    def preparing(self, share: float, text: str) -> None:
        pass

    def problem(self, problem: Problem) -> None:
        self.problems.append(problem)

    def note(self, text: str) -> None:
        self.notes.append(text)


@dataclass
class Home:
    """A folder of videos and a library, with a fresh encoder for every run."""

    videos: Path
    library: Path
    encoder: FakeEncoder = field(default_factory=FakeEncoder)
    seen: Recorder = field(default_factory=Recorder)

    def index(self, *paths: Path, encoder: FakeEncoder | None = None, **options) -> IndexSummary:
        self.encoder, self.seen = encoder or FakeEncoder(), Recorder()
        options = {"model_spec": "fake", "workers": 0, "every_frame": True, **options}
        return index_paths(
            self.library,
            list(paths) or [self.videos],
            self.encoder,
            IndexOptions(**options),
            self.seen,
        )

    def rows(self) -> dict[str, tuple[str, int, bool]]:
        with Library.open_readonly(self.library) as library:
            return {
                Path(os.fsdecode(v.path)).name: (v.status, v.frames, v.absent)
                for v in library.videos()
            }

    def colours(self, name: str) -> list[int]:
        """Which palette colour each stored frame of a video shows."""
        with Library.open_readonly(self.library) as library:
            row = library.video_by_path(os.fsencode(self.videos / name))
            assert row is not None
            _, vectors = library.read_vectors(row.id)
        return vectors.argmax(axis=1).tolist()


def run(library: Path, videos: Path, *points: str, **how) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(CHILD), str(library), str(videos), *points],
        capture_output=True,
        text=True,
        timeout=120,
        **how,
    )


def stored(folder: Path) -> dict[str, bytes]:
    """What can be searched: times and vectors of every video, by name."""
    try:
        library = Library.open_readonly(folder)
    except NothingIndexedError:
        return {}
    with library:
        return {
            Path(os.fsdecode(video.path)).name: b"".join(
                part.tobytes() for part in library.read_vectors(video.id)
            )
            for video in library.videos(searchable=True)
        }


def find_red(folder: Path) -> int:
    with Library.open_readonly(folder) as library:
        result = find(
            library,
            VectorCache.load(library),
            FakeEncoder(),
            TrainingFreeLocalizer(),
            FindRequest("red", refine=False),
        )
    return result.searched_videos


def assert_sound(folder: Path, expected: dict[str, bytes]) -> None:
    """The invariant that holds after every fault."""
    assert [finding for finding in check(folder) if not finding.harmless] == []
    now = stored(folder)
    assert all(expected[name] == data for name, data in now.items())
    if now:
        assert find_red(folder) == len(now)


def assert_recovers(folder: Path, videos: Path, expected: dict[str, bytes]) -> None:
    if (folder / "library.db").exists():
        assert_sound(folder, expected)
    again = run(folder, videos)
    assert again.returncode == 0, again.stderr
    assert stored(folder) == expected
    assert check(folder) == []
