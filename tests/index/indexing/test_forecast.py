"""What a run is expected to take, where only some of the files were opened."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fakes import FakeEncoder
from index_runs import Recorder
from media_factory import colour_video
from reading import PatchReader
from spoken import recording, write_sound

from index.indexing import forecast as forecasting
from index.indexing.forecast import forecast, workload
from index.indexing.forecast_words import Speed, words_ahead
from index.indexing.indexer import index_paths
from index.indexing.progress import IndexOptions
from index.store.library import Library


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    for number in range(7):
        colour_video(tmp_path / f"{number}.mp4", [("red", 6.0)], fps=5)
    (tmp_path / "broken.mp4").write_bytes(os.urandom(900))
    return tmp_path


def test_the_length_of_files_that_were_not_opened_follows_from_their_size(
    videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forecasting, "_OPENED", 3)
    options = IndexOptions()
    work = workload(None, [videos], options)
    assert (len(work.to_read), work.new) == (8, 8)
    ahead = forecast(work, options, FakeEncoder(), 16)
    assert ahead.opened == 3
    assert ahead.video_s == pytest.approx(42, rel=0.2)
    assert ahead.decode_s is not None
    assert ahead.encode_s is not None
    assert ahead.takes_s == max(ahead.decode_s, ahead.encode_s)


def test_files_of_which_none_is_a_video_promise_nothing(tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(os.urandom(900))
    work = workload(None, [tmp_path], IndexOptions())
    ahead = forecast(work, IndexOptions(), FakeEncoder(), 16)
    assert (ahead.video_s, ahead.takes_s, ahead.disk_bytes) == (None, None, None)


def test_words_are_foreseen_from_what_nobody_has_written_yet(tmp_path: Path) -> None:
    folder, home = tmp_path / "videos", tmp_path / "library"
    folder.mkdir()
    colour_video(folder / "old.mp4", [("red", 4.0)], fps=5)
    options = IndexOptions(model_spec="fake", workers=0)
    index_paths(home, [folder], FakeEncoder(), options, Recorder())
    colour_video(folder / "new.mp4", [("red", 6.0)], fps=5)
    write_sound(folder / "memo.mp3", [(0.0, recording())])
    write_sound(folder / "told.flac", [(0.0, recording())])
    (folder / "told.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nnever signed\n")
    with Library.open_readonly(home) as library:
        work = workload(library, [folder], options, transcribes=True)
        assert (len(work.to_read), len(work.sounds)) == (1, 2)
        ahead = words_ahead(library, work, 6.0, options, speech=Speed(2.0), reader=PatchReader({}))
        silent = words_ahead(library, work, 6.0, options, speech=None, reader=None)
        unknown = words_ahead(library, work, None, options, speech=Speed(2.0), reader=None)
    assert ahead.sound_s == pytest.approx(26.1, rel=0.1)
    assert ahead.speech_s is not None
    assert 4 < ahead.speech_s < 4 + 6 + 26.1, "one of the new files has its words"
    assert ahead.listen_s == ahead.speech_s / 2
    assert ahead.screen_s == 10
    assert ahead.read_s is not None
    assert (silent.speech_s, silent.screen_s) == (0, 0)
    assert (unknown.speech_s, unknown.listen_s) == (None, None)
