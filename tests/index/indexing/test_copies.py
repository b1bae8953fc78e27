"""Files with the content of another: every path is known, none is encoded twice or lost."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from decode_faults import dying_on
from fakes import FakeEncoder
from index_runs import Home
from media_factory import colour_video

from index.errors import UsageError
from index.indexing import turns
from index.indexing.check import check
from index.search.find import find
from index.store import audit
from index.store.checksums import DamagedRow
from index.store.library import Library
from index.types import FindRequest, FindResult
from index.vectors.cache import VectorCache
from model.grounding.training_free import TrainingFreeLocalizer


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Two files of one content; both are met in every run."""
    videos = tmp_path / "videos"
    (videos / "backup").mkdir(parents=True)
    colour_video(videos / "a.mp4", [("red", 3.0), ("blue", 2.0)])
    shutil.copy2(videos / "a.mp4", videos / "backup" / "copy.mp4")
    colour_video(videos / "b.mkv", [("green", 4.0)])
    return Home(videos, tmp_path / "library")


def copies(home: Home) -> dict[str, str]:
    """Name of each copy, and of the file that was indexed in its stead."""
    with Library.open_readonly(home.library) as library:
        return {
            Path(os.fsdecode(copy.path)).name: Path(os.fsdecode(video.path)).name
            for copy in library.copies()
            if (video := library.video(copy.video_id)) is not None
        }


def first_and_copy(home: Home) -> tuple[Path, Path]:
    ((copy, first),) = copies(home).items()
    paths = {path.name: path for path in home.videos.rglob("*.mp4")}
    return paths[first], paths[copy]


def ask(home: Home, *within: Path | str) -> FindResult:
    request = FindRequest("red", within=tuple(map(str, within)), threshold=0.0)
    with Library.open_readonly(home.library) as library:
        return find(
            library, VectorCache.load(library), FakeEncoder(), TrainingFreeLocalizer(), request
        )


@pytest.mark.parametrize("options", [{}, {"workers": 2}, {"coarse_first": True}])
def test_a_copy_is_known_and_neither_encoded_nor_read_again(
    home: Home, options: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = home.index(**options)
    assert (summary.indexed, summary.duplicates, summary.searchable) == (2, 1, 2)
    assert len(copies(home)) == 1
    read: list[bytes] = []
    monkeypatch.setattr(turns, "fingerprint", read.append)
    again = home.index()
    assert (again.unchanged, again.duplicates, read) == (3, 0, [])
    assert check(home.library) == []


def test_a_touched_copy_is_still_one(home: Home) -> None:
    home.index()
    _, copy = first_and_copy(home)
    os.utime(copy, (1, 1))
    summary = home.index()
    assert (summary.unchanged, summary.duplicates, len(copies(home))) == (3, 0, 1)


@pytest.mark.parametrize("place", ["file", "folder", "glob"])
def test_a_copy_is_searched_by_its_own_path(home: Home, place: str) -> None:
    home.index()
    first, copy = first_and_copy(home)
    within = {"file": copy, "folder": copy.parent, "glob": f"{copy.parent}/*.mp4"}[place]
    exclusive = [copy] if place == "folder" and copy.parent == home.videos else [within]
    result = ask(home, *exclusive)
    assert [hit.path for hit in result.hits[:1]] == [os.fsencode(copy)]
    assert result.hits[0].also_at == (os.fsencode(first),)
    assert result.searched_videos == 1 or within == home.videos


def test_a_hit_names_one_path_of_each_content(home: Home) -> None:
    home.index()
    first, copy = first_and_copy(home)
    result = ask(home)
    assert result.searched_videos == 2
    assert result.hits[0].path == os.fsencode(first)
    assert result.hits[0].also_at == (os.fsencode(copy),)
    assert os.fsencode(copy) not in {hit.path for hit in result.hits}


def test_a_copy_takes_over_at_once_when_the_first_goes(home: Home) -> None:
    home.index()
    first, copy = first_and_copy(home)
    first.unlink()
    summary = home.index()
    assert (summary.moved, summary.unchanged, summary.hidden, summary.searchable) == (1, 1, 0, 2)
    assert home.encoder.pictures_encoded == 0
    assert home.rows()[copy.name] == ("indexed", 5, False)
    assert copies(home) == {}
    shutil.copy2(copy, first)
    assert home.index().duplicates == 1
    assert copies(home) == {first.name: copy.name}


def test_a_copy_keeps_the_vectors_when_the_first_is_overwritten(home: Home) -> None:
    home.index()
    first, copy = first_and_copy(home)
    colour_video(first, [("white", 2.0)])
    assert home.index().indexed == 1
    assert home.encoder.pictures_encoded == 2
    assert home.rows()[copy.name] == ("indexed", 5, False)
    assert home.rows()[first.name] == ("indexed", 2, False)


def test_a_copy_that_is_overwritten_becomes_a_video(home: Home) -> None:
    home.index()
    _, copy = first_and_copy(home)
    colour_video(copy, [("white", 2.0)])
    assert home.index().indexed == 1
    assert copies(home) == {}
    assert set(home.rows()) == {"a.mp4", "copy.mp4", "b.mkv"}


def test_a_copy_that_is_gone_is_no_longer_searched_for(home: Home) -> None:
    home.index()
    _, copy = first_and_copy(home)
    copy.unlink()
    home.index()
    assert copies(home) == {}
    with pytest.raises(UsageError, match="No indexed video"):
        ask(home, copy)


def test_a_copy_on_a_drive_that_is_away_is_kept_and_its_video_is_not_pruned(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = tmp_path / "drive"
    away.mkdir()
    (home.videos / "backup" / "copy.mp4").rename(away / "copy.mp4")
    home.index(home.videos)
    home.index(away)
    away.rename(tmp_path / "unplugged")
    monkeypatch.setattr("index.indexing.absence._device_above", lambda path: 987654321)
    (home.videos / "a.mp4").unlink()
    assert home.index(home.videos, away, prune=True).pruned == 0
    (tmp_path / "unplugged").rename(away)
    summary = home.index(home.videos, away)
    assert (summary.searchable, home.encoder.pictures_encoded) == (2, 0)
    assert home.rows()["copy.mp4"] == ("indexed", 5, False)


def test_a_copy_of_a_file_that_failed_failed(home: Home) -> None:
    for name in ("x.mp4", "y.mp4"):
        (home.videos / name).write_bytes(b"no video at all" * 99)
    summary = home.index()
    assert (summary.failed, summary.duplicates) == (2, 1)
    assert home.rows()["x.mp4"][0] == home.rows()["y.mp4"][0] == "failed"
    again = home.index()
    assert (again.failed, again.failed_before, again.unchanged) == (0, 2, 3)
    assert home.index(retry=True).failed == 2


def test_the_copy_of_a_file_that_was_set_aside_costs_no_decoder(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    from index.indexing import video_pass

    first = home.videos / "a.mp4"
    copy = home.videos / "backup" / "copy.mp4"
    copy.unlink()
    monkeypatch.setattr(video_pass, "decode", dying_on(b"a.mp4", home.library))
    home.index()
    home.index()
    shutil.copy2(first, copy)
    summary = home.index()
    assert (summary.failed, summary.failed_before) == (1, 1)
    assert home.rows()["copy.mp4"][0] == home.rows()["a.mp4"][0]
    assert home.encoder.pictures_encoded == 0


def test_a_copy_takes_over_where_the_first_lies_in_a_folder_that_nobody_names(
    tmp_path: Path,
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    colour_video(old / "a.mp4", [("red", 3.0)])
    home = Home(new, tmp_path / "library")
    home.index(old)
    shutil.copytree(old, new)
    assert home.index(new).duplicates == 1
    shutil.rmtree(old)
    again = home.index(new)
    assert (again.moved, again.unchanged, again.indexed) == (1, 0, 0)
    (hit, *_) = ask(home).hits
    assert hit.path == os.fsencode(new / "a.mp4")


def test_a_copy_elsewhere_that_takes_over_is_not_counted_among_this_runs_files(
    tmp_path: Path,
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    colour_video(first / "a.mp4", [("red", 3.0)])
    colour_video(first / "b.mp4", [("blue", 3.0)])
    shutil.copy2(first / "a.mp4", second / "a.mp4")
    home = Home(first, tmp_path / "library")
    home.index(first)
    home.index(second)
    (first / "a.mp4").unlink()
    again = home.index(first)
    assert (again.moved, again.unchanged, again.searchable) == (1, 1, 2)


def test_a_copy_that_takes_over_a_video_that_waits_is_indexed_at_once(home: Home) -> None:
    home.index()
    first, copy = first_and_copy(home)
    with Library.create_or_open(home.library) as library:
        row = library.video_by_path(os.fsencode(first))
        assert row is not None
        audit.reset_video(library, row.id)
    first.unlink()
    again = home.index()
    assert (again.moved, again.indexed, again.searchable) == (1, 1, 2)
    assert home.rows()[copy.name][0] == "indexed"


def test_copies_go_with_a_damaged_row_that_is_dropped(home: Home) -> None:
    home.index()
    first, _ = first_and_copy(home)
    with Library.create_or_open(home.library) as library:
        row = library.video_by_path(os.fsencode(first))
        assert row is not None
        audit.drop_unsound_rows(library, [DamagedRow("videos", row.id)])
        assert library.copies() == []
    assert home.index().searchable == 2


def test_a_copy_is_shown_while_the_first_is_gone_and_no_run_has_noticed(home: Home) -> None:
    home.index()
    first, copy = first_and_copy(home)
    first.unlink()
    assert ask(home).hits[0].path == os.fsencode(copy)
