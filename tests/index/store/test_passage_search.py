"""Which passages hold a word: nothing that a person types is read as a command."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from library_factory import add_video, open_library

from index.errors import LibraryError
from index.passages import Passage, TextSource, TextTrack
from index.store.library import Library

SPOKEN = TextSource("speech", "sidecar", "person", path=b"/v/a.srt", language="en")
SHOWN = TextSource("screen", "read", "machine")


def written(library: Library, video: int, source: TextSource, *bodies: str) -> int:
    passages = tuple(Passage(k, k + 1.0, body) for k, body in enumerate(bodies))
    return library.write_text(video, TextTrack(source, passages, 60.0))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory):
    with open_library(tmp_path_factory.mktemp("words")) as opened:
        video = add_video(opened, b"/v/a.mp4")
        written(opened, video, SPOKEN, "never signed", "O'Brien said 14-B", "naïve cats", "signed")
        written(opened, video, SHOWN, "KXJ-482", "北京大学 2024")
        yield opened


def bodies(library: Library, ids) -> list[str]:
    return [passage.body for _, (_, passage) in sorted(library.passages_by_id(ids).items())]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["never"], ["never signed"]),
        (["NAIVE"], ["naïve cats"]),
        (["O'Brien"], ["O'Brien said 14-B"]),
        (["14-B"], ["O'Brien said 14-B"]),
        (["NOT"], []),
        (["never", "cats"], ["never signed", "naïve cats"]),
        (['sig"ned'], []),
        (["body:never"], []),
        (["*"], []),
        ([""], []),
        ([], []),
    ],
)
def test_words_are_words_whatever_they_look_like(library, words, found) -> None:
    assert bodies(library, library.passages_with(words, 100).ids) == found


def test_a_phrase_is_in_order_and_all_are_all(library) -> None:
    assert bodies(library, library.passages_with_phrase(["never", "signed"], 9).ids) == [
        "never signed"
    ]
    assert not len(library.passages_with_phrase(["signed", "never"], 9).ids)
    assert len(library.passages_with_all(["signed", "never"], 9).ids) == 1


@pytest.mark.parametrize("letters", ["J-4", "kxj", "482", "京大学", "京大", "KX", "0"])
def test_letters_are_found_inside_words(library, letters) -> None:
    assert len(library.passages_with_letters(letters, 9).ids) == 1


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(words=st.lists(st.text(max_size=12), max_size=5))
@pytest.mark.parametrize("door", ["with", "with_phrase", "with_all"])
def test_nothing_that_is_typed_breaks_a_search(library, door, words) -> None:
    words = [word.encode("utf-8", "ignore").decode() for word in words]
    found = getattr(library, f"passages_{door}")(words, 100)
    assert len(found.ids) <= 6
    library.passages_with_letters("".join(words) or "x", 100)


def test_only_texts_that_speak_for_a_video_as_it_is_are_searched(tmp_path: Path) -> None:
    with open_library(tmp_path) as library:
        video = add_video(library, b"/v/a.mp4", fingerprint="one")
        best = written(library, video, SPOKEN, "words of a person")
        heard = replace(SPOKEN, kind="transcribed", origin="machine", path=b"")
        written(library, video, heard, "words of a machine")
        library.stage_text(video, replace(SPOKEN, path=b"/v/other.srt", language="fr"))
        assert [text.id for text in library.searched_texts()] == [best]
        add_video(library, b"/v/a.mp4", seed=1, fingerprint="two")
        assert library.searched_texts() == []
        library.mark_absent([video])
        assert library.searched_texts() == []


def test_a_frequent_word_is_counted_by_what_was_read(tmp_path: Path) -> None:
    with open_library(tmp_path) as library:
        video = add_video(library, b"/v/a.mp4")
        written(library, video, SPOKEN, *(["the end"] * 400))
        some = library.passages_with(["the"], 100)
        assert (some.whole, len(some.ids)) == (False, 100)
        assert 350 <= some.count <= 450
        assert library.passages_with(["the"], 1000).whole


def test_a_damaged_passage_is_not_believed(tmp_path: Path) -> None:
    with open_library(tmp_path) as library:
        written(library, add_video(library, b"/v/a.mp4"), SPOKEN, "never signed")
    with sqlite3.connect(os.fspath(tmp_path / "library.db")) as connection:
        connection.execute("UPDATE passages SET body = 'always signed'")
    connection.close()
    with Library.open_readonly(tmp_path) as library:
        ids = library.passages_with(["signed"], 9).ids
        with pytest.raises(LibraryError, match="damaged"):
            library.passages_by_id(ids)
