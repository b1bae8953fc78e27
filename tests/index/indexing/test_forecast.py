"""What a run is expected to take, where only some of the files were opened."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fakes import FakeEncoder
from media_factory import colour_video

from index.indexing import forecast as forecasting
from index.indexing.forecast import forecast, workload
from index.indexing.progress import IndexOptions


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
