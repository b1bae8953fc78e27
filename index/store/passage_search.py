"""Passages by their words: which texts are searched, which passages hold a word, their rows.

Nothing of a person's text reaches MATCH as it was typed: every word is a quoted string, and
a quotation mark in it is doubled, so that no operator, column or bracket can be read into it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

from ..passages import Channel, Kind, Origin, Passage, Testimony, TextSource
from .passage_rows import COLUMNS
from .texts import TextWriter

Ids = npt.NDArray[np.int64]
"""Passages by id, int64 [N], rising. Those of one text follow one another as they were written,
save at the seams of a text that was made in pieces while others were."""

_TRIGRAM = 3
"""Characters below which the index of letters finds nothing."""


@dataclass(frozen=True)
class SearchedText:
    """A text that searches look into."""

    id: int
    video_id: int
    source: TextSource
    testimony: Testimony | None
    passages: int


@dataclass(frozen=True)
class Postings:
    """Passages that hold a word."""

    ids: Ids
    count: int
    """How many there are; told from the part that was read where they are not all there."""
    whole: bool
    """False where there are more passages with it than were asked for."""


class PassageSearch(TextWriter):
    """One library, as far as finding words goes."""

    def searched_texts(self) -> list[SearchedText]:
        """Texts that speak for what their videos are now, of videos that can be searched."""
        self._require_sound_rows()
        rows = self._all(
            "SELECT texts.id, texts.video_id, channel, kind, origin, path, stream, language, "
            "engine, testimony, passages FROM texts "
            "JOIN searchable ON searchable.video_id = texts.video_id "
            "JOIN versions ON versions.id = searchable.version_id "
            "WHERE state = 'visible' AND searched = 1 "
            "AND texts.fingerprint = versions.fingerprint ORDER BY texts.id"
        )
        return [
            SearchedText(
                text_id,
                video_id,
                TextSource(
                    cast(Channel, channel),
                    cast(Kind, kind),
                    cast(Origin, origin),
                    bytes(path),
                    stream,
                    language,
                    engine,
                ),
                Testimony(**json.loads(testimony)) if testimony else None,
                passages,
            )
            for text_id, video_id, channel, kind, origin, path, stream, language, engine, testimony,
            passages in rows
        ]  # fmt: skip

    def passages_with(self, words: Sequence[str], most: int) -> Postings:
        """Passages that hold any of the words."""
        return self._postings("word_index", " OR ".join(map(_quoted, words)), most)

    def passages_with_phrase(self, words: Sequence[str], most: int) -> Postings:
        """Passages that hold the words one after the other."""
        return self._postings("word_index", _quoted(" ".join(words)), most)

    def passages_with_all(self, words: Sequence[str], most: int) -> Postings:
        """Passages that hold every one of the words."""
        return self._postings("word_index", " AND ".join(map(_quoted, words)), most)

    def passages_with_letters(self, letters: str, most: int) -> Postings:
        """Passages of the screen, or without spaces, in which the letters stand in a row.

        Fewer than three letters are not in the index: such passages are then all looked at.
        """
        if len(letters) >= _TRIGRAM:
            return self._postings("letter_index", _quoted(letters), most)
        return self._of(
            "SELECT id FROM passages_by_letters WHERE instr(lower(body), lower(?)) LIMIT ?",
            [letters, most],
            most,
        )

    def passages_of_texts(self, text_ids: Collection[int]) -> Ids:
        """All passages of some texts."""
        found = self._of(
            "SELECT id FROM passages WHERE text_id IN (SELECT value FROM json_each(?)) ORDER BY id",
            [json.dumps(sorted(text_ids))],
        )
        return found.ids

    def passages_by_speaker(self, text_ids: Collection[int], speakers: Collection[str]) -> Ids:
        """Passages of some texts that any of these speakers says, by the names as written."""
        found = self._of(
            "SELECT id FROM passages WHERE text_id IN (SELECT value FROM json_each(?)) "
            "AND speaker IN (SELECT value FROM json_each(?)) ORDER BY id",
            [json.dumps(sorted(text_ids)), json.dumps(sorted(speakers))],
        )
        return found.ids

    def speakers(self, text_ids: Collection[int]) -> dict[int, set[str]]:
        """By text, the names of those who speak in it."""
        rows = self._all(
            "SELECT DISTINCT text_id, speaker FROM passages "
            "WHERE text_id IN (SELECT value FROM json_each(?)) AND speaker <> ''",
            [json.dumps(sorted(text_ids))],
        )
        named: dict[int, set[str]] = {}
        for text_id, speaker in rows:
            named.setdefault(text_id, set()).add(speaker)
        return named

    def texts_of_passages(self, ids: Ids) -> dict[int, int]:
        """The text of each passage; those that are gone are left out."""
        rows = self._all(
            "SELECT id, text_id FROM passages WHERE id IN (SELECT value FROM json_each(?))",
            [json.dumps(ids.tolist())],
        )
        return {int(passage_id): int(text_id) for passage_id, text_id in rows}

    def passages_by_id(self, ids: Ids) -> dict[int, tuple[int, Passage]]:
        """Text and passage by id; those that are gone are left out.

        Raises:
            LibraryError: One of them is not what was written.
        """
        rows = self._all(
            f"SELECT id, {COLUMNS}, digest FROM passages "  # noqa: S608
            "WHERE id IN (SELECT value FROM json_each(?))",
            [json.dumps(ids.tolist())],
        )
        return {int(row[0]): (int(row[1]), self.sound_passage(row[1:])) for row in rows}

    def _postings(self, index: str, wanted: str, most: int) -> Postings:
        if not wanted:
            return Postings(np.zeros(0, np.int64), 0, whole=True)
        found = f"SELECT rowid AS id FROM {index} WHERE {index} MATCH ? LIMIT ?"  # noqa: S608
        return self._of(found, [wanted, most], most)

    def _of(self, query: str, parameters: list[object], most: int | None = None) -> Postings:
        """Ids as one row, which is several times as fast as a row for each."""
        row = self._row(f"SELECT group_concat(id), max(id) FROM ({query})", parameters)  # noqa: S608
        ids = np.sort(np.fromstring(row[0] or "", np.int64, sep=","))
        if most is None or len(ids) < most:
            return Postings(ids, len(ids), whole=True)
        last = self._row("SELECT max(id) FROM passages")[0]
        return Postings(ids, max(most, round(most * last / max(1, row[1]))), whole=False)


def _quoted(words: str) -> str:
    """Words as FTS5 takes them for words and nothing else."""
    return '"' + words.replace("\0", " ").replace('"', '""') + '"'
