"""When a file whose fingerprint is unchanged is read again, and when it is left alone."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from index_runs import Home
from media_factory import colour_video, write_video

from index.indexing import turns
from index.media.fingerprint import WHOLE_BYTES, fingerprint
from index.store.library import Library

FRAMES = 24


@pytest.fixture
def home(tmp_path: Path) -> Home:
    videos = tmp_path / "videos"
    videos.mkdir()
    return Home(videos, tmp_path / "library")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A video larger than what a fingerprint reads whole, one frame a second."""
    noise = np.random.default_rng(0)
    pictures = (noise.integers(0, 256, (480, 640, 3), np.uint8) for _ in range(FRAMES))
    path = tmp_path_factory.mktemp("large") / "large.mkv"
    write_video(path, pictures, fps=1, codec="mjpeg", options={"qmin": "2", "qmax": "2"})
    data = path.read_bytes()
    assert len(data) > WHOLE_BYTES * 1.2
    return data


def unsampled(data: bytes) -> slice:
    """A stretch that no block of the fingerprint touches."""
    last = len(data) - (1 << 18)
    return slice(last * 3 // 7 + (1 << 18) + 1, last * 4 // 7 - 1)


def with_hole(data: bytes) -> bytes:
    """A download that has its final size and is not finished."""
    hole = unsampled(data)
    return data[: hole.start] + bytes(hole.stop - hole.start) + data[hole.stop :]


def frames(home: Home, name: str) -> int:
    return home.rows()[name][1]


def test_a_download_that_went_on_between_the_sampled_blocks_is_read_again(
    home: Home, large: bytes
) -> None:
    film = home.videos / "film.mkv"
    film.write_bytes(with_hole(large))
    before = fingerprint(film)
    home.index()
    partly = frames(home, "film.mkv")
    with film.open("r+b") as file:
        file.write(large)
    assert fingerprint(film) == before, "the fingerprint alone cannot tell"
    assert home.index().indexed == 1
    assert partly < frames(home, "film.mkv") == FRAMES
    again = home.index()
    assert (again.unchanged, home.encoder.pictures_encoded) == (1, 0)


def test_a_download_that_goes_on_while_it_is_read_is_read_again(home: Home, large: bytes) -> None:
    film = home.videos / "film.mkv"
    film.write_bytes(with_hole(large))

    class Downloading(type(home.encoder)):
        def encode_pictures(self, pictures):
            with film.open("r+b") as file:
                file.write(large)
            return super().encode_pictures(pictures)

    home.index(encoder=Downloading())
    assert home.index().indexed == 1
    assert frames(home, "film.mkv") == FRAMES


def test_the_old_content_answers_until_the_new_is_whole(home: Home, large: bytes) -> None:
    film = home.videos / "film.mkv"
    film.write_bytes(with_hole(large))
    home.index()
    partly = frames(home, "film.mkv")
    film.write_bytes(large)

    class Interrupting(type(home.encoder)):
        def encode_pictures(self, pictures):
            raise KeyboardInterrupt

    assert home.index(encoder=Interrupting()).searchable == 1
    assert frames(home, "film.mkv") == partly
    home.index()
    assert frames(home, "film.mkv") == FRAMES


def test_touched_copied_and_restored_files_are_not_indexed_anew(
    home: Home, large: bytes, tmp_path: Path
) -> None:
    film = home.videos / "film.mkv"
    film.write_bytes(large)
    home.index()
    os.utime(film, (1, 1))
    assert home.index().unchanged == 1
    assert home.encoder.pictures_encoded == 0
    film.unlink()
    (home.videos / "restored.mkv").write_bytes(large)
    assert home.index().moved == 1
    assert home.encoder.pictures_encoded == 0


def test_a_new_mode_costs_no_reading(
    home: Home, large: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = home.videos / "film.mkv"
    film.write_bytes(large)
    home.index()
    film.chmod(0o600)
    read: list[bytes] = []
    monkeypatch.setattr(turns, "content_digest", read.append)
    assert home.index().unchanged == 1
    assert (read, home.encoder.pictures_encoded) == ([], 0)


def test_a_library_without_digests_reads_a_touched_large_file_anew_once(
    home: Home, large: bytes
) -> None:
    (home.videos / "film.mkv").write_bytes(large)
    colour_video(home.videos / "small.mp4", [("red", 2.0)])
    home.index()
    with Library.create_or_open(home.library) as library:
        library._all("UPDATE versions SET content_digest = ''")
    for name in ("film.mkv", "small.mp4"):
        os.utime(home.videos / name, (1, 1))
    summary = home.index()
    assert (summary.indexed, summary.unchanged) == (1, 1)
    os.utime(home.videos / "film.mkv", (2, 2))
    assert home.index().indexed == 0


def test_a_large_file_that_failed_is_tried_again_once_it_was_written_to(
    home: Home, large: bytes
) -> None:
    film = home.videos / "film.mkv"
    film.write_bytes(bytes(len(large)))
    assert home.index().failed == 1
    assert home.index().failed_before == 1
    os.utime(film, (1, 1))
    assert home.index().failed == 1


def test_pieces_of_the_old_content_do_not_go_into_the_new(home: Home, large: bytes) -> None:
    film = home.videos / "film.mkv"
    film.write_bytes(with_hole(large))

    class Interrupting(type(home.encoder)):
        def encode_pictures(self, pictures):
            if self.pictures_encoded:
                raise KeyboardInterrupt
            return super().encode_pictures(pictures)

    assert home.index(encoder=Interrupting(), chunk_frames=4).interrupted
    film.write_bytes(large)
    home.index(chunk_frames=4)
    assert home.encoder.pictures_encoded == FRAMES
