"""Texts and passages in the store: pieces, replacement, choice, damage and removal."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from index.errors import LibraryError
from index.passages import Passage, Place, TextSource, TextTrack, Word
from index.passages import Testimony as Deposed
from index.store.library import Library
from tests.library_factory import add_video, open_library

BY_PERSON = TextSource("speech", "sidecar", "person", path=b"/v/talk.srt", language="en")
BY_MACHINE = TextSource("speech", "transcribed", "machine", language="en", engine="parakeet@1")
WORDS = Passage(
    1.5,
    3.25,
    "never signed",
    speaker="Jane",
    confidence=0.5,
    words=(Word(0, 5, 1.5, 2.0, 1.0), Word(6, 6, 2.25, 3.0, 0.0)),
    first=Place(14, 15),
    last=Place(14, 16),
    quality="exact",
    box=(0.25, 0.5, 0.75, 1.0),
)


def track(source: TextSource, *passages: Passage) -> TextTrack:
    return TextTrack(source, passages, covered_s=60.0)


def found(library: Library, words: str, index: str = "word_index") -> list[str]:
    rows = library._all(
        f"SELECT passages.body FROM {index} JOIN passages ON passages.id = {index}.rowid "
        f"WHERE {index} MATCH ? ORDER BY passages.id",
        [words],
    )
    return [row[0] for row in rows]


def test_a_passage_comes_back_as_it_was_written(tmp_path: Path) -> None:
    with open_library(tmp_path) as library:
        video = add_video(library, b"/v/talk.mp4")
        said = replace(
            track(BY_PERSON, WORDS), testimony=Deposed("Smith", "II"), notes=("one cue left out",)
        )
        text_id = library.write_text(video, said)
        (row,) = library.text_rows(video)
        assert library.passages(text_id) == [WORDS]
        assert (row.source, row.state, row.passages, row.searched) == (
            BY_PERSON,
            "visible",
            1,
            True,
        )
        assert (row.testimony, row.notes) == (said.testimony, said.notes)
        assert library.passages(text_id, start_s=10) == []
        assert found(library, '"signed"') == ["never signed"]


def test_the_next_reading_of_a_source_takes_the_place_of_the_last(tmp_path: Path) -> None:
    with open_library(tmp_path) as library:
        video = add_video(library, b"/v/talk.mp4")
        library.write_text(video, track(BY_PERSON, WORDS))
        library.write_text(video, track(BY_PERSON, Passage(0, 1, "another")))
        assert [row.passages for row in library.text_rows(video)] == [1]
        assert found(library, '"signed"') == []
        assert found(library, '"another"') == ["another"]


def test_what_a_machine_makes_is_staged_until_it_is_whole_and_goes_on(tmp_path: Path) -> None:
    with open_library(tmp_path) as library:
        video = add_video(library, b"/v/talk.mp4")
        staged = library.stage_text(video, BY_MACHINE, "v1")
        library.append_passages(staged.id, "speech", [Passage(0, 1, "first piece")], 30.0)
    with Library.create_or_open(tmp_path) as library:
        again = library.stage_text(video, BY_MACHINE, "v1")
        assert (again.id, again.covered_s, again.searched) == (staged.id, 30.0, False)
        library.append_passages(again.id, "speech", [Passage(40, 41, "second piece")], 60.0)
        library.publish_text(again.id, track(BY_MACHINE))
        (row,) = library.text_rows(video)
        assert (row.state, row.passages, row.searched) == ("visible", 2, True)
        anew = library.stage_text(video, replace(BY_MACHINE, engine="other@2"), "v1")
        assert (anew.id != row.id, anew.covered_s) == (True, 0.0)


def test_the_same_speech_is_searched_once_and_a_persons_text_first(tmp_path: Path) -> None:
    with open_library(tmp_path) as library:
        video = add_video(library, b"/v/talk.mp4")
        library.write_text(video, track(BY_MACHINE, WORDS))
        library.write_text(video, track(BY_PERSON, WORDS))
        french = replace(BY_PERSON, path=b"/v/talk.fr.srt", language="fr-CA")
        library.write_text(video, track(french, Passage(0, 1, "jamais")))
        screen = TextSource("screen", "read", "machine")
        library.write_text(video, track(screen, Passage(0, 1, "plate AB-1234")))
        searched = {row.source for row in library.text_rows(video) if row.searched}
        assert searched == {BY_PERSON, french, screen}
        library.fail_text(video, BY_PERSON, "not a text any more")
        assert BY_MACHINE in {row.source for row in library.text_rows(video) if row.searched}


def test_parts_of_a_plate_are_found_by_letters(tmp_path: Path) -> None:
    with open_library(tmp_path) as library:
        video = add_video(library, b"/v/talk.mp4")
        screen = TextSource("screen", "read", "machine")
        library.write_text(video, track(screen, Passage(0, 1, "plate AB-1234")))
        library.write_text(video, track(BY_PERSON, Passage(0, 1, "she saw AB-1234")))
        library.rebuild_word_indexes()
        assert found(library, '"-123"', "letter_index") == ["plate AB-1234"]


def test_a_flipped_bit_in_a_passage_is_never_shown(tmp_path: Path) -> None:
    with open_library(tmp_path) as library:
        text_id = library.write_text(add_video(library, b"/v/talk.mp4"), track(BY_PERSON, WORDS))
    with sqlite3.connect(tmp_path / "library.db") as db:
        db.execute("UPDATE passages SET body = 'always signed'")
    with (
        Library.open_readonly(tmp_path) as library,
        pytest.raises(LibraryError, match="a passage of text is not what was written"),
    ):
        library.passages(text_id)


def test_what_is_forgotten_takes_its_words_along(tmp_path: Path) -> None:
    with open_library(tmp_path) as library:
        video = add_video(library, b"/v/talk.mp4")
        library.write_text(video, track(BY_PERSON, WORDS))
        library.forget(video)
        assert library.text_rows() == []
        assert found(library, '"signed"') == []


def test_a_text_of_another_language_is_searched_beside_one_that_names_none(
    tmp_path: Path,
) -> None:
    def said(path: bytes, language: str, *bodies: str) -> TextTrack:
        source = TextSource("speech", "sidecar", "person", path=path, language=language)
        return track(source, *(Passage(at, at + 1, body) for at, body in enumerate(bodies)))

    english = "the contract was never signed", "by anybody in this room"
    french = "le contrat n'a jamais été signé", "par personne dans cette salle"
    with open_library(tmp_path) as library:
        video = add_video(library, b"/v/talk.mp4")
        library.write_text(video, said(b"/v/talk.srt", "", *english, "at all"))
        library.write_text(video, said(b"/v/talk.fr.srt", "fr", *french))
        library.write_text(video, said(b"/v/talk.en.srt", "en", *english))
        searched = {row.source.path for row in library.text_rows(video) if row.searched}
        assert searched == {b"/v/talk.srt", b"/v/talk.fr.srt"}


def test_a_text_of_what_the_video_was_keeps_none_out(tmp_path: Path) -> None:
    with open_library(tmp_path) as library:
        video = add_video(library, b"/v/talk.mp4")
        library.write_text(video, track(BY_PERSON, WORDS))
        assert add_video(library, b"/v/talk.mp4", seed=1) == video
        library.write_text(video, track(BY_MACHINE, WORDS))
        searched = {row.source for row in library.text_rows(video) if row.searched}
        assert searched == {BY_MACHINE}
