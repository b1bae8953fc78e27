"""The first look at key frames: searchable early, filled in later, never in the way."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from decode_faults import dying_on
from fakes import FakeEncoder
from index_runs import Home, run, stored
from media_factory import colour_video
from terminal import Archive

from index import failpoints
from index.indexing import video_pass
from index.indexing.check import check
from index.indexing.indexer import index_paths
from index.indexing.progress import COARSE_FROM_BYTES, IndexOptions
from index.search.find import find
from index.store.library import Library
from index.types import FindRequest, FindResult
from index.vectors.cache import VectorCache
from model.grounding.training_free import TrainingFreeLocalizer
from model.siglip.backbone import lasting_spec
from model.siglip.encoder import load_encoder

SHOTS = [("red", 14.0), ("blue", 9.0), ("green", 17.0)]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    videos = tmp_path / "videos"
    videos.mkdir()
    colour_video(videos / "a.mp4", SHOTS, gop=250)
    colour_video(videos / "b.mkv", [("yellow", 21.0)], gop=25)
    return Home(videos, tmp_path / "library")


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    yield
    failpoints.disarm()


def stop_at(point: str, times: int = 1) -> None:
    calls = 0

    def act() -> None:
        nonlocal calls
        calls += 1
        if calls == times:
            raise KeyboardInterrupt

    failpoints.arm(point, act)


def looked_at(home: Home) -> None:
    """Interrupted after the first look at everything."""
    stop_at("after_attempt", 3)
    summary = home.index(coarse_first=True)
    failpoints.disarm()
    assert summary.interrupted
    assert (summary.indexed, summary.coarse, summary.searchable) == (0, 2, 2)


def frame_times(home: Home) -> dict[str, list[float]]:
    with Library.open_readonly(home.library) as library:
        return {
            Path(os.fsdecode(video.path)).name: library.read_vectors(video.id)[0].tolist()
            for video in library.videos(searchable=True)
        }


def ask(home: Home, sentence: str, **how) -> FindResult:
    with Library.open_readonly(home.library) as library:
        return find(
            library,
            VectorCache.load(library),
            FakeEncoder(),
            TrainingFreeLocalizer(),
            FindRequest(sentence, threshold=0.0, **how),
        )


def test_a_first_look_takes_key_frames_some_seconds_apart(home: Home) -> None:
    looked_at(home)
    assert frame_times(home) == {"a.mp4": [0.0, 10.0, 20.0, 30.0], "b.mkv": [0.0, 8.0, 16.0]}
    with Library.open_readonly(home.library) as library:
        rows = library.videos()
    assert [(row.status, row.coarse) for row in rows] == [("waiting", True)] * 2
    assert [row.duration_s for row in rows] == pytest.approx([40.0, 21.0], abs=0.1)


def test_the_next_run_fills_in_without_a_second_first_look(home: Home, tmp_path: Path) -> None:
    plain = Home(home.videos, tmp_path / "plain")
    plain.index()
    looked_at(home)
    summary = home.index(coarse_first=True)
    assert (summary.indexed, summary.coarse) == (2, 0)
    assert home.encoder.pictures_encoded == plain.encoder.pictures_encoded
    assert stored(home.library) == stored(plain.library)
    assert check(home.library) == []
    assert home.index(coarse_first=True).unchanged == 2


def test_one_run_does_both_and_says_when_there_is_something_to_search(home: Home) -> None:
    summary = home.index(coarse_first=True)
    assert (summary.indexed, summary.coarse, summary.frames) == (2, 0, 61)
    assert any("2 videos can be searched now, by key frames" in note for note in home.seen.notes)
    steps = [step for step in home.seen.steps if not step.words]
    looks = [step.coarse for step in steps]
    assert looks == sorted(looks, reverse=True)
    assert set(looks) == {True, False}
    for coarse in (True, False):
        shares = [step.share_done for step in steps if step.coarse is coarse]
        assert shares == sorted(shares)
        assert shares[-1] == 1.0


def test_only_much_video_gets_a_first_look_unasked(home: Home) -> None:
    home.index()
    assert not any(step.coarse for step in home.seen.steps)
    assert not IndexOptions().looks_first(COARSE_FROM_BYTES - 1)
    assert IndexOptions().looks_first(COARSE_FROM_BYTES)
    assert not IndexOptions(coarse_first=False).looks_first(10 * COARSE_FROM_BYTES)


def test_hits_say_that_they_rest_on_key_frames(home: Home) -> None:
    looked_at(home)
    result = ask(home, "blue", refine=False)
    assert result.hits[0].path.endswith(b"a.mp4")
    assert result.hits[0].coarse
    assert any("2 of 2 videos are searched by key frames alone" in note for note in result.notes)
    home.index()
    result = ask(home, "blue")
    assert not any(hit.coarse for hit in result.hits)
    assert not any("key frames" in note for note in result.notes)


def test_a_closer_look_finds_edges_between_key_frames(home: Home) -> None:
    looked_at(home)
    coarse, close = (ask(home, "blue", refine=refine).hits[0].span for refine in (False, True))
    # Key frames at 10 and 20 s are red and blue, that at 30 s is green.
    assert (coarse.start_s, coarse.end_s) == pytest.approx((15.0, 25.0), abs=0.6)
    assert (close.start_s, close.end_s) == pytest.approx((14.0, 23.0), abs=0.3)


def test_a_coarse_video_whose_file_is_gone_is_still_found_coarsely(home: Home) -> None:
    looked_at(home)
    (home.videos / "a.mp4").rename(home.videos / "a.away")
    result = ask(home, "blue")
    assert result.hits[0].span.start_s == pytest.approx(15.0, abs=0.6)
    assert sum("cannot be read" in note for note in result.notes) == 1


def test_a_file_that_moves_between_the_looks_keeps_its_first_one(home: Home) -> None:
    looked_at(home)
    (home.videos / "a.mp4").rename(home.videos / "c.mp4")
    stop_at("after_decode")
    assert home.index(coarse_first=True).interrupted
    failpoints.disarm()
    assert set(frame_times(home)) == {"c.mp4", "b.mkv"}
    home.index()
    assert home.rows() == {"c.mp4": ("indexed", 40, False), "b.mkv": ("indexed", 21, False)}


def test_new_content_is_looked_at_anew(home: Home) -> None:
    home.index()
    colour_video(home.videos / "b.mkv", [("white", 30.0)], gop=25)
    stop_at("after_decode")
    assert home.index(coarse_first=True).interrupted
    failpoints.disarm()
    assert ask(home, "white", refine=False).hits[0].path.endswith(b"b.mkv")
    assert ask(home, "yellow", refine=False).hits[0].presence < 0.5
    with Library.open_readonly(home.library) as library:
        assert [row.coarse for row in library.videos()] == [False, True]


def test_what_a_full_pass_had_staged_is_kept(home: Home) -> None:
    stop_at("after_stage", 3)
    assert home.index(chunk_frames=8).interrupted
    failpoints.disarm()
    stop_at("after_decode")
    assert home.index(coarse_first=True, chunk_frames=8).interrupted
    failpoints.disarm()
    home.index()
    assert home.encoder.pictures_encoded < 61
    assert home.rows() == {"a.mp4": ("indexed", 40, False), "b.mkv": ("indexed", 21, False)}


def test_a_broken_file_is_named_once(home: Home) -> None:
    whole = (home.videos / "a.mp4").read_bytes()
    (home.videos / "broken.mp4").write_bytes(whole[:64] + bytes(4000))
    summary = home.index(coarse_first=True)
    assert (summary.indexed, summary.failed, len(summary.problems)) == (2, 1, 1)
    assert home.rows()["broken.mp4"][0] == "failed"


def test_a_file_without_trusted_key_frames_waits_for_the_full_pass(home: Home) -> None:
    colour_video(home.videos / "c.avi", [("cyan", 12.0)])
    stop_at("after_attempt", 4)
    summary = home.index(coarse_first=True)
    assert (summary.coarse, summary.searchable) == (2, 2)
    failpoints.disarm()
    assert home.index().indexed == 3


def test_a_file_that_kills_the_decoder_has_one_try_in_a_run_however_often_it_is_looked_at(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_pass, "decode", dying_on(b"a.mp4", home.library))
    for said in ("the next run tries once more", "set aside after 2 tries"):
        summary = home.index(coarse_first=True)
        assert (summary.failed, len(summary.problems)) == (1, 1)
        assert said in summary.problems[0].reason
    assert home.index(coarse_first=True).failed == 0


def test_a_video_that_could_only_be_looked_at_counts_as_failed_ever_after(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at(home)
    monkeypatch.setattr(video_pass, "decode", dying_on(b"a.mp4", home.library))
    assert [home.index().failed for _ in range(2)] == [1, 1]
    summary = home.index()
    assert (summary.failed, summary.failed_before, summary.coarse) == (0, 1, 1)


def test_duplicates_and_settled_files_are_counted_once(home: Home) -> None:
    (home.videos / "copy.mp4").write_bytes((home.videos / "a.mp4").read_bytes())
    summary = home.index(coarse_first=True)
    assert (summary.indexed, summary.duplicates) == (2, 1)
    os.utime(home.videos / "b.mkv", (1, 1))
    summary = home.index(coarse_first=True)
    assert (summary.indexed, summary.unchanged, summary.duplicates) == (0, 3, 0)


@pytest.mark.parametrize(
    "point", ["before_coarse_commit", "after_coarse_commit", "after_coarse_commit:2"]
)
def test_killed_between_the_looks_it_goes_on(home: Home, tmp_path: Path, point: str) -> None:
    plain = tmp_path / "plain"
    assert run(plain, home.videos).returncode == 0
    name, _, count = point.partition(":")
    killed = run(home.library, home.videos, "coarse-first", f"{name}:kill:{count or 1}")
    assert killed.returncode == -signal.SIGKILL
    assert check(home.library) == []
    looked = stored(home.library)
    assert len(looked) == {"before_coarse_commit": 0, "after_coarse_commit": 1}.get(point, 2)
    assert run(home.library, home.videos, "coarse-first").returncode == 0
    assert stored(home.library) == stored(plain)
    assert check(home.library) == []


@pytest.mark.parametrize(
    "point", ["after_attempt:kill:1", "after_attempt:kill:3", "after_decode:kill:1"]
)
def test_a_video_on_which_gz_was_killed_again_and_again_does_not_stay_coarse(
    home: Home, tmp_path: Path, point: str
) -> None:
    plain = tmp_path / "plain"
    assert run(plain, home.videos).returncode == 0
    for _ in range(3):
        assert run(home.library, home.videos, "coarse-first", point).returncode == -signal.SIGKILL
        point = "after_attempt:kill:1"
    again = run(home.library, home.videos, "coarse-first")
    assert again.returncode == 0, again.stderr
    assert "come last" in again.stderr or "comes last" in again.stderr
    assert stored(home.library) == stored(plain)
    assert check(home.library) == []


def test_ls_and_find_say_which_videos_are_coarse(
    home: Home,
    tmp_path: Path,
    tiny_model: Path,
) -> None:
    spec = lasting_spec(str(tiny_model))
    stop_at("after_attempt", 3)
    index_paths(
        home.library,
        [home.videos],
        load_encoder(spec),
        IndexOptions(coarse_first=True, model_spec=spec, workers=0),
        home.seen,
    )
    failpoints.disarm()
    archive = Archive(tmp_path, home.videos, tiny_model, home.library)
    listed = archive.run("ls")
    assert [line.split()[0] for line in listed.text.splitlines()] == ["coarse", "coarse"]
    assert "0 indexed (0 s), 2 coarse, by key frames so far (61 s)" in listed.err
    assert [row["coarse"] for row in archive.run("ls", "--json").lines] == [True, True]
    found = archive.run("find", "a red picture", "--threshold", "0")
    assert all("(by key frames)" in line for line in found.text.splitlines())
    assert "2 of 2 videos are searched by key frames alone" in found.err
    (result,) = archive.run("find", "a red picture", "--threshold", "0", "--json").lines
    assert {hit["coarse"] for hit in result["hits"]} == {True}
    finished = archive.run("index", "--json").lines[-1]
    assert (finished["indexed"], finished["coarse"]) == (2, 0)
    assert "2 indexed" in archive.run("ls").err
