"""Damage to texts and to the indexes of their words: found, told by name, and mended."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from library_factory import add_video, make_older, open_library

from index.errors import LibraryError, UsageError
from index.indexing.check import check
from index.passages import Passage, TextSource, TextTrack
from index.store.faults import explained
from index.store.library import Library
from index.store.text_audit import has_damaged_word_indexes

SOURCE = TextSource("speech", "sidecar", "person", path=b"/v/talk.srt", language="en")
SCREEN = TextSource("screen", "read", "machine", engine="reader@1")


def track(source: TextSource, *bodies: str) -> TextTrack:
    passages = [Passage(float(at), at + 1.0, body) for at, body in enumerate(bodies)]
    return TextTrack(source, tuple(passages), covered_s=60.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with open_library(tmp_path) as library:
        for name in (b"/v/talk.mp4", b"/v/other.mp4"):
            video = add_video(library, name)
            library.write_text(video, track(SOURCE, "never signed", "a second line"))
            library.write_text(video, track(SCREEN, "plate AB-1234"))
            library.note_container_read(video, "state 1")
    assert check(tmp_path) == []
    return tmp_path


def damage(folder: Path, *statements: str) -> None:
    with sqlite3.connect(folder / "library.db") as db:
        for statement in statements:
            db.execute(statement)
    db.close()


def matching(library: Library, words: str, index: str = "word_index") -> int:
    rows = library._all(f"SELECT count(*) FROM {index} WHERE {index} MATCH ?", [words])
    return int(rows[0][0])


LOST = "DELETE FROM passages WHERE id = 1"
FLIPPED = "UPDATE passages SET body = 'always signed' WHERE id = 1"


@pytest.mark.parametrize("broken", [LOST, FLIPPED])
def test_a_damaged_text_is_named_and_dropped_so_that_it_is_read_again(
    folder: Path, broken: str
) -> None:
    damage(folder, broken)
    found = check(folder)
    assert any("/v/talk.mp4: text /v/talk.srt: " in finding.what for finding in found)
    assert not any(finding.repaired for finding in found)
    assert all(finding.repaired for finding in check(folder, repair=True))
    assert check(folder) == []
    with Library.open_readonly(folder) as library:
        assert matching(library, '"signed"') == 1
        assert matching(library, '"always"') == 0
        assert len(library.text_rows()) == 3
        first, second = library.videos()[::-1]
        assert library.container_read(first.id) == ""
        assert library.container_read(second.id) == "state 1"


@pytest.mark.parametrize(
    "broken",
    [
        "INSERT INTO word_index (word_index, rowid, body) VALUES ('delete', 1, 'never signed')",
        "INSERT INTO letter_index (rowid, body) VALUES (1, 'XYZ')",
        "DELETE FROM word_index_data WHERE id > 10",
        "UPDATE word_index_data SET block = zeroblob(length(block)) WHERE id > 10",
    ],
)
def test_an_index_of_words_that_does_not_fit_is_made_again(folder: Path, broken: str) -> None:
    damage(folder, broken)
    (finding,) = check(folder)
    assert ("index of words" in finding.what, "--repair" in finding.remedy) == (True, True)
    assert [finding.repaired for finding in check(folder, repair=True)] == [True]
    assert check(folder) == []
    with Library.open_readonly(folder) as library:
        assert matching(library, '"signed"') == 2
        assert matching(library, '"-123"', "letter_index") == 2
        assert not has_damaged_word_indexes(library)


def test_words_that_belong_to_nothing_are_found_and_removed(folder: Path) -> None:
    with Library.create_or_open(folder) as library:
        row = "SELECT 99, start_ms, end_ms, body, speaker, digest FROM passages WHERE id = 1"
        columns = "text_id, start_ms, end_ms, body, speaker, digest"
        library._all(f"INSERT INTO passages ({columns}) {row}")
        library._all(
            "INSERT INTO texts (video_id, fingerprint, source, channel, kind, origin, state) "
            "VALUES (77, 'f', 's', 'speech', 'sidecar', 'person', 'visible')"
        )
    told = {finding.what for finding in check(folder)}
    assert told >= {"1 passages of no text", "1 texts of no video"}
    assert all(finding.repaired for finding in check(folder, repair=True))
    assert check(folder) == []


def test_a_damaged_row_of_a_text_takes_its_passages_along(folder: Path) -> None:
    path = folder / "library.db"
    path.write_bytes(path.read_bytes().replace(b"reader@1", b"reader@3", 1))
    with pytest.raises(LibraryError, match=r"what it says about /v/\w+\.mp4"):
        Library.open_readonly(folder)
    assert all(finding.repaired for finding in check(folder, repair=True))
    assert check(folder) == []
    with Library.open_readonly(folder) as library:
        assert len(library.text_rows()) == 3
        assert matching(library, '"-123"', "letter_index") == 1
        assert {library.container_read(video.id) for video in library.videos()} == {""}


def test_salvage_keeps_texts_and_their_words(folder: Path) -> None:
    path = folder / "library.db"
    with sqlite3.connect(path) as db:
        (page,) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'chunks'").fetchone()
    db.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * 16384)
        file.write(bytes(range(256)) * 8)
    assert [finding.repaired for finding in check(folder, repair=True)] == [True]
    assert check(folder) == []
    with Library.open_readonly(folder) as library:
        assert [row.passages for row in library.text_rows()] == [2, 1, 2, 1]
        assert matching(library, '"signed"') == 2
        assert matching(library, '"-123"', "letter_index") == 2


def test_a_library_from_before_there_were_texts_gets_room_for_them(tmp_path: Path) -> None:
    with open_library(tmp_path) as library:
        add_video(library, b"/v/talk.mp4")
    make_older(tmp_path / "library.db")
    with Library.create_or_open(tmp_path) as library:
        (video,) = library.videos()
        assert library.text_rows() == []
        library.write_text(video.id, track(SOURCE, "never signed"))
        library.note_container_read(video.id, "state 1")
        assert matching(library, '"signed"') == 1
    assert check(tmp_path) == []


@pytest.mark.parametrize("said", ["no such module: fts5", "no such tokenizer: trigram"])
def test_an_sqlite_that_cannot_index_words_is_named_as_that(tmp_path: Path, said: str) -> None:
    with pytest.raises(UsageError, match="cannot index words") as caught, explained(tmp_path):
        raise sqlite3.OperationalError(said)
    assert "FTS5" in caught.value.remedy
