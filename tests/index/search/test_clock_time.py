"""Searching where a clock burnt into the picture shows a time."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes import FakeEncoder
from media_factory import colour_video
from reading import PatchReader
from terminal import run

from index.errors import UsageError
from index.indexing.indexer import index_paths
from index.indexing.progress import IndexOptions
from index.passages import TextTrack
from index.search.clock_time import ClockTime
from index.search.find import find
from index.store.library import Library
from index.text.screen_reading import source_of
from index.types import FindRequest, FindResult
from index.vectors.cache import VectorCache
from model.grounding.training_free import TrainingFreeLocalizer

NIGHT = ((0.0, "2024-03-05T23:00:00"), (3600.0, "2024-03-06T00:00:00"))
"""An hour until midnight."""


def stretches(
    asked: str, clock: tuple[tuple[float, str], ...] = NIGHT
) -> list[tuple[float, float]]:
    return list(ClockTime.parse(asked).stretches(clock, 3600.0))


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("23:10", [(540, 719)]),
        ("23:10:30", [(570, 690)]),
        ("23:10-23:20", [(600, 1200)]),
        ("2024-03-05 23:10-23:20", [(600, 1200)]),
        ("2024-03-05T23:30-01:00", [(1800, 3600)]),
        ("2024-03-05", [(0, 3600)]),
        ("2024-03-06 23:10", []),
        ("22:00-23:00", []),
        ("00:00", [(3540, 3600)]),
        ("12:00", []),
    ],
)
def test_a_time_is_found_where_the_clock_shows_it(
    asked: str, found: list[tuple[float, float]]
) -> None:
    assert stretches(asked) == found


def test_a_clock_without_a_date_shows_its_time_every_day() -> None:
    clock = tuple((hour * 3600.0, f"{(hour + 20) % 24:02d}:00:00") for hour in range(40))
    wanted = ClockTime.parse("21:00-22:00")
    assert wanted.stretches(clock, 40 * 3600.0) == ((3600, 7200), (90000, 93600))
    assert ClockTime.parse("2024-03-05 21:00").stretches(clock, 40 * 3600.0) == ()


def test_what_lies_between_two_settings_of_a_clock_is_not_guessed() -> None:
    clock = ((0.0, "10:00:00"), (600.0, "10:10:00"), (1200.0, "15:00:00"), (1260.0, "15:01:00"))
    assert stretches("10:00-10:30", clock) == [(0, 690)]
    assert stretches("14:30-15:30", clock) == [(1200, 1350)]


@pytest.mark.parametrize(
    "text", ["", "25:00", "23:60", "noon", "2024-13-05 10:00", "10", "1:2:3:4"]
)
def test_what_is_no_time_of_a_clock_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"no time of a clock|there is no day"):
        ClockTime.parse(text)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos that are red twice; the pictures of one show a clock."""
    folder = tmp_path_factory.mktemp("clocks")
    story = [("blue", 200.0), ("red", 10.0), ("blue", 390.0), ("red", 10.0), ("blue", 190.0)]
    for name in ("clock.mp4", "other.mp4"):
        colour_video(folder / name, story, fps=1, start_s=0.0 if name[0] == "c" else 1.0)
    options = IndexOptions(model_spec="fake", workers=0)
    index_paths(folder / "library", [folder], FakeEncoder(), options, Silent())
    with Library.create_or_open(folder / "library") as library:
        video = next(v for v in library.videos() if v.path.endswith(b"clock.mp4"))
        clock = ((0.0, "2024-03-05T14:00:00"), (790.0, "2024-03-05T14:13:10"))
        track = TextTrack(source_of(PatchReader({})), (), 800.0, clock=clock)
        library.write_text(video.id, track)
    return folder


class Silent:
    """Implements IndexObserver."""

    def scanned(self, files: int, size_bytes: int) -> None:
        """Says nothing."""

    def progress(self, progress: object) -> None:
        """Says nothing."""

    def problem(self, problem: object) -> None:
        raise AssertionError(problem)

    def note(self, text: str) -> None:
        """Says nothing."""

    def preparing(self, share: float, text: str) -> None:
        """Says nothing."""


def found(folder: Path, **asked: str) -> FindResult:
    with Library.open_readonly(folder / "library") as library:
        cache = VectorCache.load(library)
        request = FindRequest("a red picture", refine=False, threshold=0.0, **asked)  # type: ignore[arg-type]
        return find(library, cache, FakeEncoder(), TrainingFreeLocalizer(), request)


def test_only_moments_at_that_time_of_the_clock_are_found(folder: Path) -> None:
    assert {round(hit.span.start_s, -2) for hit in found(folder).hits[:4]} == {200, 600}
    result = found(folder, at="14:10")
    assert result.searched_videos == 1
    assert result.hits[0].path.endswith(b"clock.mp4")
    assert all(hit.span.start_s >= 540 and hit.span.end_s <= 719 for hit in result.hits)
    assert abs(result.hits[0].span.start_s - 600) <= 2
    assert result.notes[-1] == (
        "1 of 2 videos is left out, where no clock in the picture was seen to show 14:10."
    )


def test_a_time_that_no_clock_shows_is_said_with_what_they_show(folder: Path) -> None:
    with pytest.raises(UsageError) as caught:
        found(folder, at="09:00")
    assert caught.value.message == "No clock in the pictures shows 09:00."
    assert "shows 2024-03-05T14:00:00 to 2024-03-05T14:13:10" in (caught.value.remedy or "")


def test_the_option_is_checked_before_anything_is_opened(tmp_path: Path) -> None:
    ran = run("find", "a dog", "--at", "half past two", library=tmp_path / "library")
    assert ran.code == 2
    assert "'half past two' is no time of a clock; write HH:MM" in ran.err
