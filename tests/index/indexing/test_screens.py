"""Reading screens while videos are indexed and afterwards; pictures come first whatever happens."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from fakes import FakeEncoder
from media_factory import write_video
from reading import PatchReader, patches

from index.indexing import screen_pass
from index.indexing.indexer import index_paths
from index.indexing.progress import IndexOptions, IndexSummary
from index.indexing.scan import Problem
from index.store.library import Library
from index.store.texts import TextRow

LINES = {20: "Title", 60: "First", 100: "Second"}


class Told:
    """Implements IndexObserver."""

    def __init__(self) -> None:
        self.reading: set[bytes] = set()
        self.problems: list[Problem] = []

    def scanned(self, files: int, size_bytes: int) -> None:
        """Says nothing."""

    def progress(self, progress: object) -> None:
        if getattr(progress, "reading", False):
            self.reading.add(progress.current)  # type: ignore[attr-defined]

    def problem(self, problem: Problem) -> None:
        self.problems.append(problem)

    def note(self, text: str) -> None:
        """Says nothing."""

    def preparing(self, share: float, text: str) -> None:
        """Says nothing."""


def slides(path: Path, seconds: int = 20) -> Path:
    one, two = patches([(20, 0), (60, 2)]), patches([(20, 0), (100, 3)])
    shots = [one] * (seconds // 2) + [two] * (seconds - seconds // 2)
    return write_video(path, shots, fps=1, options={"crf": "5"})


def index(
    library: Path,
    videos: Path,
    reader: PatchReader | None,
    observer: Told | None = None,
    **options: object,
) -> IndexSummary:
    settings = replace(IndexOptions(model_spec="fake", workers=0), **options)
    return index_paths(library, [videos], FakeEncoder(), settings, observer or Told(), reader)


def texts(library: Path) -> list[TextRow]:
    with Library.open_readonly(library) as opened:
        return opened.text_rows()


def told(library: Path) -> list[tuple[float, float, str]]:
    with Library.open_readonly(library) as opened:
        (text,) = opened.text_rows()
        assert text.state == "visible"
        return [(p.start_s, p.end_s, p.body) for p in opened.passages(text.id)]


WHOLE = [(0, 20, "Title"), (0, 10, "First"), (10, 20, "Second")]


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return tmp_path / "library"


@pytest.mark.parametrize("workers", [0, 1])
def test_the_screen_is_read_while_pictures_are_encoded(
    tmp_path: Path, library: Path, workers: int
) -> None:
    reader, observer = PatchReader(LINES), Told()
    summary = index(library, slides(tmp_path / "a.mp4"), reader, observer, workers=workers)
    assert (summary.indexed, summary.screens_read, summary.problems) == (1, 1, ())
    assert told(library) == WHOLE
    assert not observer.reading, "no pass of its own"
    assert reader.whole == 2
    (text,) = texts(library)
    assert (text.source.channel, text.source.engine) == ("screen", "patches 1")
    assert (text.covered_s, text.searched) == (20, True)


def test_videos_that_are_indexed_get_a_pass_of_their_own_once(
    tmp_path: Path, library: Path
) -> None:
    video = slides(tmp_path / "a.mp4")
    index(library, video, None)
    reader, observer = PatchReader(LINES), Told()
    summary = index(library, video, reader, observer)
    assert (summary.indexed, summary.unchanged, summary.screens_read) == (0, 1, 1)
    assert told(library) == WHOLE
    assert observer.reading == {bytes(video)}
    again = PatchReader(LINES)
    assert index(library, video, again).screens_read == 0
    assert not again.sizes


@pytest.mark.parametrize("indexed_before", [False, True])
def test_a_reader_that_breaks_costs_the_text_and_no_picture(
    tmp_path: Path, library: Path, indexed_before: bool
) -> None:
    def breaks(number: int) -> None:
        raise RuntimeError("node Conv_7\nout of memory")

    video = slides(tmp_path / "a.mp4")
    if indexed_before:
        index(library, video, None)
    summary = index(library, video, PatchReader(LINES, breaks))
    assert (summary.searchable, summary.failed, summary.screens_read) == (1, 0, 0)
    reasons = [problem.reason for problem in summary.problems]
    assert reasons == ["the screen could not be read: out of memory"]
    assert [(text.state, text.reason) for text in texts(library)] == [("failed", reasons[0])]
    assert index(library, video, PatchReader(LINES)).screens_read == 0, "not at every run"
    assert index(library, video, PatchReader(LINES), retry=True).screens_read == 1
    assert told(library) == WHOLE


def test_an_interrupted_reading_goes_on_where_it_stood(
    tmp_path: Path, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screen_pass, "_PIECE_S", 8.0)

    def interrupts(number: int) -> None:
        if number == 1:
            raise KeyboardInterrupt

    video = slides(tmp_path / "a.mp4", 400)
    index(library, video, None)
    summary = index(library, video, PatchReader(LINES, interrupts))
    assert summary.interrupted
    assert summary.searchable == 1
    (text,) = texts(library)
    assert text.state == "staged"
    assert text.covered_s >= 100
    reader = PatchReader(LINES)
    assert index(library, video, reader).screens_read == 1
    with Library.open_readonly(library) as opened:
        (text,) = opened.text_rows()
        passages = opened.passages(text.id)
    for body, start_s, end_s in [("Title", 0, 400), ("First", 0, 200), ("Second", 200, 400)]:
        stays = [(p.start_s, p.end_s) for p in passages if p.body == body]
        assert (stays[0][0], stays[-1][1]) == (start_s, end_s), body
        assert all(b[0] == a[1] for a, b in pairwise(stays)), body
    assert text.covered_s == 400


def test_another_content_is_read_anew(tmp_path: Path, library: Path) -> None:
    video = slides(tmp_path / "a.mp4")
    index(library, video, PatchReader(LINES))
    slides(video, 30)
    assert index(library, video, PatchReader(LINES)).screens_read == 1
    assert told(library)[0] == (0, 30, "Title")


def test_a_damaged_video_is_read_as_far_as_it_goes(tmp_path: Path, library: Path) -> None:
    video = slides(tmp_path / "a.mp4", 60).rename(tmp_path / "whole.mp4")
    cut = write_video(
        tmp_path / "b.mkv", [patches([(20, 0)])] * 40, fps=1, gop=5, options={"crf": "5"}
    )
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size * 2 // 3])
    video.unlink()
    summary = index(library, cut, PatchReader(LINES))
    assert summary.screens_read == summary.indexed == 1
    ((start_s, end_s, body),) = told(library)
    assert (start_s, body) == (0, "Title")
    assert 10 < end_s < 40
