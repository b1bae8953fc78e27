"""A flipped bit is found when it is read, wherever it is, and repair costs as little as can be."""

from __future__ import annotations

import os
import sqlite3
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from library_factory import SPACE, add_video, make_older, open_library, unit_vectors

from index.errors import LibraryError
from index.indexing.check import check
from index.store.library import Library
from index.store.sentences import CACHE_NAME, SentenceCache
from index.types import Sentence
from index.vectors.cache import VectorCache

VIDEOS = 4


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with open_library(tmp_path) as library:
        for number in range(VIDEOS):
            add_video(library, b"/videos/%d.mp4" % number, frames=100 + number, seed=number)
        library.remember_root(b"/videos", 7)
    return tmp_path


def flip(folder: Path, needle: bytes, offset: int = 0, which: int = 0, bit: int = 1) -> None:
    """Flips bits of one of the places where something is written, as a bad disk would."""
    path = folder / "library.db"
    data = bytearray(path.read_bytes())
    place = -1
    for _ in range(which + 1):
        place = data.index(needle, place + 1)
    data[place + offset] ^= bit
    path.write_bytes(data)


def blob(folder: Path, sql: str) -> bytes:
    with sqlite3.connect(folder / "library.db") as connection:
        (value,) = connection.execute(sql).fetchone()
    connection.close()
    return bytes(value)


def read_all(folder: Path) -> list[tuple[int, bytes]]:
    with Library.open_readonly(folder) as library:
        found = []
        for video in library.videos(searchable=True):
            times_s, vectors = library.read_vectors(video.id)
            found.append((video.id, times_s.tobytes() + vectors.tobytes()))
        return found


def rebuild_search_index(folder: Path) -> object:
    for path in folder.glob("vectors*"):
        path.unlink()
    with Library.open_readonly(folder) as library:
        return VectorCache.load(library).frames


CHUNK = (
    "FROM chunks JOIN versions ON versions.id = version_id WHERE video_id = 2 AND first_frame = 64"
)


@pytest.mark.parametrize("read", [read_all, rebuild_search_index])
@pytest.mark.parametrize("column", ["times", "vectors"])
@pytest.mark.parametrize("offset", [0, 100])
def test_a_flipped_bit_in_a_chunk_is_an_error_that_names_the_video(
    folder: Path, read: Callable[[Path], object], column: str, offset: int
) -> None:
    flip(folder, blob(folder, f"SELECT {column} {CHUNK}"), offset)
    with pytest.raises(LibraryError, match=r"/videos/1\.mp4") as caught:
        read(folder)
    assert "gz doctor --repair" in caught.value.remedy
    assert all(finding.repaired for finding in check(folder, repair=True))
    assert [video_id for video_id, _ in read_all(folder)] == [1, 3, 4]
    assert check(folder) == []


@pytest.mark.parametrize(
    ("needle", "offset"),
    [
        (b"/videos/1.mp4indexed", 9),
        (b"indexedfp-b'/videos/1.mp4'", 9),
        (struct.pack(">d", 101.5), 1),
        (b"h264", 0),
        (b"/videos/1.mp4indexed", 19),
    ],
)
def test_a_flipped_bit_in_what_is_known_of_a_video_is_an_error(
    folder: Path, needle: bytes, offset: int
) -> None:
    with Library.create_or_open(folder) as library:
        library._all("UPDATE versions SET duration_s = 101.5 WHERE video_id = 2")
    flip(folder, needle, offset)
    for opener in (Library.open_readonly, Library.create_or_open):
        with pytest.raises(LibraryError, match=r"/videos/") as caught:
            opener(folder)
        assert caught.value.exit_code == 6
        assert "gz doctor --repair" in caught.value.remedy
    assert all(finding.repaired for finding in check(folder, repair=True))
    assert check(folder) == []
    assert len(read_all(folder)) == VIDEOS - 1


@pytest.mark.parametrize("needle", [b'"backbone"', b'"dim": 24', b"library_id", b"generation"])
def test_what_a_library_says_about_itself_is_kept_twice(folder: Path, needle: bytes) -> None:
    with Library.open_readonly(folder) as library:
        identity = library.id, library.space
    data = (folder / "library.db").read_bytes()
    whole = read_all(folder)
    for which in range(data.count(needle)):
        (folder / "library.db").write_bytes(data)
        flip(folder, needle, len(needle) - 1, which)
        check(folder, repair=True)
        assert check(folder) == []
        assert read_all(folder) == whole
        with Library.open_readonly(folder) as library:
            assert (library.id, library.space) == identity == (identity[0], SPACE)


def test_rows_that_are_lost_are_missed(folder: Path) -> None:
    with Library.create_or_open(folder) as library:
        (lost,) = library._row("SELECT digest FROM roots")
        library._all("DELETE FROM roots")
        library._all("UPDATE checksums SET total = total + ? WHERE name = 'roots'", [lost])
    with pytest.raises(LibraryError, match="roots"):
        Library.open_readonly(folder)
    assert check(folder, repair=True)[0].repaired
    assert len(read_all(folder)) == VIDEOS


def test_a_condition_in_the_schema_that_was_changed_is_noticed_and_mended(folder: Path) -> None:
    whole = read_all(folder)
    flip(folder, b"WHERE absent = 0", 15)  # no longer searchable, as far as SQLite is concerned
    with pytest.raises(LibraryError, match="schema"):
        Library.open_readonly(folder)
    assert check(folder, repair=True)[0].repaired
    assert read_all(folder) == whole


@pytest.mark.parametrize(
    ("needle", "offset"),
    [(b"roots_delete_checksum", 5), (b"CREATE TABLE chunks", 1), (b"SQLite format 3", 2)],
)
def test_a_schema_that_sqlite_cannot_read_costs_no_video(
    folder: Path, needle: bytes, offset: int
) -> None:
    whole = read_all(folder)
    flip(folder, needle, offset, bit=0x21)
    with pytest.raises(LibraryError):
        read_all(folder)
    (finding,) = check(folder, repair=True)
    assert finding.repaired
    assert f"{VIDEOS} videos were saved" in finding.what
    assert read_all(folder) == whole
    assert check(folder) == []


def test_where_nothing_can_be_saved_the_price_is_named(folder: Path) -> None:
    with Library.open_readonly(folder) as library:
        VectorCache.load(library)
    path = folder / "library.db"
    path.write_bytes(path.read_bytes()[:100] + os.urandom(20_000))
    (finding,) = check(folder, repair=True)
    assert not finding.repaired
    assert "reads about 4 videos again" in finding.what
    assert "gz index --rebuild" in finding.remedy


def test_an_older_library_gets_checksums_for_what_is_sound(folder: Path) -> None:
    whole = read_all(folder)
    make_older(folder / "library.db")
    flip(folder, blob(folder, f"SELECT vectors {CHUNK}"), 50)
    with pytest.raises(LibraryError, match=r"/videos/1\.mp4"):
        read_all(folder)
    assert [finding.repaired for finding in check(folder, repair=True)] == [True]
    assert read_all(folder) == [kept for kept in whole if kept[0] != 2]


def test_a_reader_looks_again_after_another_process_wrote(folder: Path) -> None:
    with Library.open_readonly(folder) as reader:
        assert len(reader.segments()) == VIDEOS
        with Library.create_or_open(folder) as library:
            library._all("UPDATE versions SET digest = digest + 1 WHERE video_id = 3")
        with pytest.raises(LibraryError, match=r"/videos/2\.mp4"):
            reader.segments()


def test_a_damaged_row_of_kept_queries_is_a_miss(tmp_path: Path) -> None:
    cache = SentenceCache(tmp_path)
    pooled = unit_vectors(1, 1)[0]
    sentence = Sentence("a red car", pooled, unit_vectors(3, 2), "one word is not known")
    for needle in (pooled.tobytes()[:8], b"one word is not known"):
        cache.put("s1", sentence)
        data = bytearray((tmp_path / CACHE_NAME).read_bytes())
        data[data.index(needle) + 1] ^= 1
        (tmp_path / CACHE_NAME).write_bytes(data)
        assert cache.get("s1", "a red car") is None
    cache.put("s1", sentence)
    kept = cache.get("s1", "a red car")
    assert kept is not None
    assert np.array_equal(kept.pooled, pooled)


def test_a_cache_of_queries_that_cannot_be_used_is_made_anew(tmp_path: Path) -> None:
    cache = SentenceCache(tmp_path)
    sentence = Sentence("a red car", unit_vectors(1, 1)[0], unit_vectors(3, 2))
    with sqlite3.connect(tmp_path / CACHE_NAME) as connection:
        connection.execute("CREATE TABLE queries (something, else_)")
    connection.close()
    assert cache.get("s1", "a red car") is None
    cache.put("s1", sentence)
    assert cache.get("s1", "a red car") is not None


def test_ctrl_c_inside_a_checksum_is_no_damage(folder: Path) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    with Library.create_or_open(folder) as library:
        library._db.conn.create_function("gz_digest", -1, interrupted)
        with pytest.raises(KeyboardInterrupt):
            library.remember_root(b"/anywhere", 1)
    assert check(folder) == []
