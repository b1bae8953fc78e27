"""Index runs over real files with the fake encoder: what is done, kept, hidden and refused."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from decode_faults import dying_on
from fakes import FakeEncoder
from index_runs import Home, Recorder
from media_factory import colour_video

from index import failpoints
from index.errors import ModelError
from index.files import FileStat
from index.indexing.indexer import index_paths
from index.indexing.progress import IndexOptions, IndexSummary
from index.media.fingerprint import fingerprint
from index.store.library import Library
from index.types import Picture, Vectors


@pytest.fixture
def home(tmp_path: Path) -> Home:
    videos = tmp_path / "videos"
    (videos / "sub").mkdir(parents=True)
    colour_video(videos / "a.mp4", [("red", 3.0), ("blue", 2.0)])
    colour_video(videos / "sub" / "b.mkv", [("green", 4.0)])
    return Home(videos, tmp_path / "library")


def test_indexes_once_and_then_does_nothing(home: Home) -> None:
    first = home.index()
    assert (first.indexed, first.frames, first.failed) == (2, 9, 0)
    assert home.rows() == {"a.mp4": ("indexed", 5, False), "b.mkv": ("indexed", 4, False)}
    assert home.colours("a.mp4") == [0, 0, 0, 2, 2]
    again = home.index()
    assert (again.indexed, again.unchanged, home.encoder.pictures_encoded) == (0, 2, 0)


def test_batches_fill_across_videos(home: Home) -> None:
    home.index()
    assert home.encoder.seen == [8, 1]


def test_worker_processes_give_the_same_rows(home: Home) -> None:
    home.index(workers=2)
    assert home.colours("a.mp4") == [0, 0, 0, 2, 2]


def test_only_new_and_changed_files_are_encoded(home: Home) -> None:
    home.index()
    colour_video(home.videos / "c.mp4", [("white", 2.0)])
    colour_video(home.videos / "a.mp4", [("yellow", 3.0)])
    summary = home.index()
    assert (summary.indexed, summary.unchanged, home.encoder.pictures_encoded) == (2, 1, 5)
    assert home.colours("a.mp4") == [3, 3, 3]


def test_moved_and_renamed_files_are_not_encoded_again(home: Home) -> None:
    home.index()
    (home.videos / "new").mkdir()
    (home.videos / "a.mp4").rename(home.videos / "new" / "z.mp4")
    summary = home.index()
    assert (summary.moved, summary.indexed, summary.hidden) == (1, 0, 0)
    assert home.encoder.pictures_encoded == 0
    assert home.rows() == {"z.mp4": ("indexed", 5, False), "b.mkv": ("indexed", 4, False)}


def test_swapped_files_end_with_the_right_vectors(home: Home) -> None:
    colour_video(home.videos / "x.mp4", [("white", 2.0)])
    home.index()
    (home.videos / "a.mp4").rename(home.videos / "t")
    (home.videos / "x.mp4").rename(home.videos / "a.mp4")
    (home.videos / "t").rename(home.videos / "x.mp4")
    home.index()
    assert home.colours("a.mp4") == [6, 6]
    assert home.colours("x.mp4") == [0, 0, 0, 2, 2]


def test_a_copy_is_not_indexed_twice_and_takes_over_when_the_first_goes(home: Home) -> None:
    shutil.copy(home.videos / "a.mp4", home.videos / "copy.mp4")
    first = home.index()
    assert (first.indexed, first.duplicates) == (2, 1)
    kept = next(name for name in home.rows() if name != "b.mkv")
    (home.videos / kept).unlink()
    summary = home.index()
    assert (summary.moved, home.encoder.pictures_encoded) == (1, 0)
    assert {"a.mp4", "copy.mp4"} - {kept} <= set(home.rows())


def test_a_touched_file_is_left_alone(home: Home) -> None:
    home.index()
    os.utime(home.videos / "a.mp4", (1, 1))
    summary = home.index()
    assert (summary.unchanged, home.encoder.pictures_encoded) == (2, 0)


def test_absent_files_are_hidden_and_come_back_without_encoding(home: Home) -> None:
    home.index()
    (home.videos / "a.mp4").rename(home.library / "away.mp4")
    summary = home.index()
    assert (summary.hidden, summary.searchable) == (1, 1)
    assert home.rows()["a.mp4"] == ("indexed", 5, True)
    (home.library / "away.mp4").rename(home.videos / "a.mp4")
    summary = home.index()
    assert (summary.searchable, home.encoder.pictures_encoded) == (2, 0)


def test_prune_forgets_only_what_is_gone_under_the_named_folders(home: Home) -> None:
    home.index()
    (home.videos / "a.mp4").unlink()
    (home.videos / "sub" / "b.mkv").unlink()
    (home.videos / "sub" / "notes.txt").write_text("the folder is there")
    summary = home.index(home.videos / "sub", prune=True)
    assert summary.pruned == 1
    assert list(home.rows()) == ["a.mp4"]


def index_known(home: Home, **options: bool) -> IndexSummary:
    """A run that names nothing, so that what is known is looked at again."""
    plain = IndexOptions(model_spec="fake", workers=0, every_frame=True, **options)
    return index_paths(home.library, [], FakeEncoder(), plain, Recorder())


@pytest.mark.parametrize("state", ["missing", "empty"])
def test_an_offline_root_changes_nothing(
    home: Home, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.index()
    home.videos.rename(home.videos.with_name("unplugged"))
    if state == "empty":
        home.videos.mkdir()
    else:
        monkeypatch.setattr("index.indexing.absence._device_above", lambda path: 987654321)
    summary = home.index(prune=True)
    assert summary.offline_roots == (os.fsencode(home.videos),)
    assert (summary.pruned, summary.hidden, summary.searchable) == (0, 0, 2)


def test_a_folder_that_was_deleted_is_forgotten_when_it_is_named_for_that(home: Home) -> None:
    other = home.videos.with_name("other")
    other.mkdir()
    colour_video(other / "c.mp4", [("cyan", 2.0)])
    home.index(home.videos, other)
    shutil.rmtree(other)
    for kept in (index_known(home, prune=True), home.index(home.videos, prune=True)):
        assert (kept.pruned, kept.searchable) == (0, 3)
    again = home.index(other, prune=True)
    assert (again.pruned, again.searchable, again.offline_roots) == (1, 2, ())
    assert again.problems == ()
    with Library.open_readonly(home.library) as library:
        assert list(library.roots()) == [os.fsencode(home.videos)]


def test_a_single_file_that_was_named_and_deleted_is_hidden_and_no_longer_looked_for(
    home: Home,
) -> None:
    path = home.videos / "a.mp4"
    home.index(home.videos / "sub", path)
    path.unlink()
    gone = index_known(home)
    assert (gone.hidden, gone.searchable, gone.problems, gone.offline_roots) == (1, 1, (), ())
    assert index_known(home).problems == ()
    colour_video(path, [("red", 3.0), ("blue", 2.0)])
    assert home.index(path).searchable == 2


def test_an_unplugged_drive_below_a_root_is_not_pruned(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.index()
    (home.videos / "sub" / "b.mkv").unlink()
    monkeypatch.setattr("index.indexing.absence._device_above", lambda path: 987654321)
    summary = home.index(prune=True)
    assert (summary.pruned, summary.hidden) == (0, 1)


def test_broken_files_are_named_once_and_not_tried_again(home: Home) -> None:
    (home.videos / "zero.mp4").write_bytes(b"")
    (home.videos / "noise.mp4").write_bytes(os.urandom(5000))
    summary = home.index()
    assert (summary.indexed, summary.failed) == (2, 2)
    reasons = {Path(os.fsdecode(p.path)).name: p.reason for p in summary.problems}
    assert set(reasons) == {"zero.mp4", "noise.mp4"}
    assert all(reasons.values())
    again = home.index()
    assert (again.failed, again.failed_before, again.problems) == (0, 2, ())
    assert home.index(retry=True).failed == 2


def test_a_mended_file_is_indexed(home: Home) -> None:
    (home.videos / "c.mp4").write_bytes(b"")
    home.index()
    colour_video(home.videos / "c.mp4", [("cyan", 2.0)])
    assert home.index().indexed == 1


def test_a_file_that_changes_while_it_is_read_is_left_for_the_next_run(home: Home) -> None:
    class Meddling(FakeEncoder):
        def encode_pictures(self, pictures: Sequence[Picture]) -> Vectors:
            colour_video(home.videos / "a.mp4", [("black", 2.0)])
            return super().encode_pictures(pictures)

    summary = home.index(encoder=Meddling())
    assert (summary.indexed, summary.failed) == (1, 1)
    assert "changed while it was read" in summary.problems[0].reason
    assert home.index().indexed == 1
    assert home.colours("a.mp4") == [7, 7]


def test_same_size_same_mtime_replacement_is_noticed(home: Home) -> None:
    home.index()
    path = home.videos / "a.mp4"
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.unlink()
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert home.index().indexed == 1


def test_vectors_that_are_no_numbers_cost_one_video(home: Home) -> None:
    class Broken(FakeEncoder):
        def encode_pictures(self, pictures: Sequence[Picture]) -> Vectors:
            vectors = super().encode_pictures(pictures)
            vectors[vectors.argmax(axis=1) == 1] = np.nan  # green
            return vectors

    summary = home.index(encoder=Broken())
    assert (summary.indexed, summary.failed) == (1, 1)
    assert "not finite" in summary.problems[0].reason
    assert home.index().failed_before == 1


def test_another_model_is_refused_and_rebuild_starts_anew(home: Home) -> None:
    home.index()
    with pytest.raises(ModelError, match="other"):
        home.index(encoder=FakeEncoder(name="other"))
    assert home.index(encoder=FakeEncoder(name="other"), rebuild=True).indexed == 2
    assert list(home.library.glob("library.db.old-*"))


def test_without_paths_the_known_folders_are_looked_at(home: Home) -> None:
    home.index()
    colour_video(home.videos / "c.mp4", [("cyan", 2.0)])
    encoder, seen = FakeEncoder(), Recorder()
    summary = index_paths(home.library, [], encoder, IndexOptions(workers=0), seen)
    assert summary.indexed == 1


def test_a_long_video_resumes_after_its_last_piece(home: Home) -> None:
    colour_video(home.videos / "long.mp4", [("red", 10.0), ("blue", 10.0)])

    class Interrupting(FakeEncoder):
        def encode_pictures(self, pictures: Sequence[Picture]) -> Vectors:
            if self.pictures_encoded >= 16:
                raise KeyboardInterrupt
            return super().encode_pictures(pictures)

    only = home.videos / "long.mp4"
    summary = home.index(only, encoder=Interrupting(), chunk_frames=4)
    assert summary.interrupted
    assert home.rows() == {"long.mp4": ("waiting", 0, False)}
    done = home.index(only, chunk_frames=4)
    assert done.indexed == 1
    assert home.encoder.pictures_encoded < 20
    assert home.colours("long.mp4") == [0] * 10 + [2] * 10
    undisturbed = Home(home.videos, home.library.with_name("other"))
    undisturbed.index(only)
    assert _stored(home.library) == _stored(undisturbed.library)


def _stored(folder: Path) -> list[tuple[bytes, bytes]]:
    with Library.open_readonly(folder) as library:
        return [(t.tobytes(), v.tobytes()) for t, v in _all_vectors(library)]


def _all_vectors(library: Library) -> list[tuple[np.ndarray, np.ndarray]]:
    return [library.read_vectors(video.id) for video in library.videos()]


def test_ctrl_c_does_not_count_as_an_attempt(home: Home) -> None:
    class Interrupting(FakeEncoder):
        def encode_pictures(self, pictures: Sequence[Picture]) -> Vectors:
            raise KeyboardInterrupt

    for _ in range(4):
        assert home.index(encoder=Interrupting()).interrupted
    assert home.index().indexed == 2


def test_a_file_that_kills_the_decoder_is_set_aside_after_two_tries(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    from index.indexing import video_pass
    from index.sampling.workers import decode

    monkeypatch.setattr(video_pass, "decode", dying_on(b"a.mp4", home.library))
    first = home.index()
    assert (first.indexed, first.failed) == (1, 1)
    second = home.index()
    assert "set aside after 2 tries" in second.problems[0].reason
    assert home.rows()["a.mp4"][0] == "set aside"
    third = home.index()
    assert (third.failed, third.failed_before) == (0, 1)
    monkeypatch.setattr(video_pass, "decode", decode)
    assert home.index(retry=True).indexed == 1


def unended(home: Home, path: Path, attempts: int) -> None:
    with Library.create_or_open(home.library) as library:
        library.set_space(FakeEncoder().space, "fake")
        for _ in range(attempts):
            library.begin_attempt(os.fsencode(path), fingerprint(path), FileStat.read(path))


def test_the_end_of_the_program_is_never_held_against_a_file(home: Home) -> None:
    unended(home, home.videos / "a.mp4", 5)
    assert home.index().indexed == 2


def test_a_file_whose_decoder_was_ended_from_outside_waits(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    from index.indexing import video_pass
    from index.sampling.workers import decode

    ended = ("the decoder was ended from outside (SIGTERM)", "ended")
    monkeypatch.setattr(video_pass, "decode", dying_on(b"a.mp4", home.library, *ended))
    for _ in range(4):
        summary = home.index()
        assert summary.failed == 1
        assert "the next run tries once more" in summary.problems[0].reason
    monkeypatch.setattr(video_pass, "decode", decode)
    assert home.index().failed == 0
    assert {row[0] for row in home.rows().values()} == {"indexed"}


def test_files_on_which_the_program_ended_come_last_and_alone(home: Home) -> None:
    colour_video(home.videos / "c.mp4", [("cyan", 2.0)])
    for name, attempts in {"a.mp4": 3, "c.mp4": 1}.items():
        unended(home, home.videos / name, attempts)
    begun: list[dict[str, tuple[str, int, bool]]] = []
    failpoints.arm("after_attempt", lambda: begun.append(home.rows()))
    assert home.index(workers=2).indexed == 3
    failpoints.disarm()
    done = [{name for name, row in rows.items() if row[0] == "indexed"} for rows in begun]
    (other,) = set(home.rows()) - {"a.mp4", "c.mp4"}
    assert done == [set(), {other}, {other, "c.mp4"}]


def test_a_drive_that_goes_away_while_it_is_read_stops_its_folder_only(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from index.indexing import video_pass
    from index.sampling.workers import Failed, decode

    other = tmp_path / "other"
    other.mkdir()
    colour_video(other / "c.mp4", [("cyan", 2.0)])
    for number in range(3):
        colour_video(home.videos / f"n{number}.mp4", [("white", 1.0 + number)])

    def vanishing(jobs, preprocess, *, workers):
        for event in decode(jobs, preprocess, workers=0):
            with Library.open_readonly(home.library) as library:
                row = library.video(event.key)
            if row is not None and row.path.startswith(os.fsencode(home.videos)):
                if home.videos.exists():
                    home.videos.rename(home.videos.with_name("gone"))
                yield Failed(event.key, "Input/output error", "device")
            else:
                yield event

    monkeypatch.setattr(video_pass, "decode", vanishing)
    summary = home.index(home.videos, other)
    assert summary.indexed == 1
    assert os.fsencode(home.videos) in summary.offline_roots
    assert all(status != "failed" for status, _, _ in home.rows().values())
    monkeypatch.setattr(video_pass, "decode", decode)
    home.videos.with_name("gone").rename(home.videos)
    assert home.index(home.videos, other).indexed == 5


def test_progress_never_goes_back_and_ends_complete(home: Home) -> None:
    home.index()
    steps = [step for step in home.seen.steps if not step.words]
    shares = [step.share_done for step in steps]
    seconds = [step.video_s for step in steps]
    assert shares == sorted(shares)
    assert seconds == sorted(seconds)
    assert (shares[-1], steps[-1].files_done) == (1.0, 2)
    words = [step.share_done for step in home.seen.steps if step.words]
    assert words == [0.5, 1.0]


def test_memory_does_not_grow_with_the_length_of_a_video(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At no time are more pictures alive than a few batches, however slow the encoder."""
    from index.indexing import encoding

    alive: list[int] = []
    add: Callable[..., None] = encoding.EncodeQueue.add

    def watched(self, key, times_s, pictures):
        add(self, key, times_s, pictures)
        alive.append(len(self._pending) + sum(len(batch) for batch, _ in self._running))

    monkeypatch.setattr(encoding.EncodeQueue, "add", watched)
    colour_video(home.videos / "long.mp4", [("red", 300.0)], fps=2)
    home.index()
    assert max(alive) <= 4 * home.encoder.batch_size + 16
