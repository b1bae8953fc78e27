"""What can be wrong with the texts of a library and with the indexes of their words.

Part of the store, like `audit`: it speaks SQL. What is said in a video can mostly be read
again from where it came, so a damaged text is dropped and never mended.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import GzError
from ..files import shown
from .faults import explained
from .library import Library

_INDEXES = {
    "word_index": ("passages", "tokenize=\"unicode61 remove_diacritics 2\", prefix='2 3'"),
    "letter_index": ("passages_by_letters", "tokenize='trigram'"),
}
"""What each index is made of, and how."""


@dataclass(frozen=True)
class DamagedText:
    """A text whose passages are not what was written."""

    text_id: int
    video_path: bytes
    what: str
    """What is wrong with which text, in one line for people."""


def damaged_texts(library: Library) -> Iterator[DamagedText]:
    """Reads every passage of the library and names the texts that are not whole."""
    paths = {video.id: video.path for video in library.videos()}
    for text in library.text_rows():
        wrong = ""
        try:
            with explained(library._path):
                if len(library.passages(text.id)) != text.passages:
                    wrong = "passages are missing"
        except (GzError, ValueError, TypeError):
            wrong = "a passage is not what was written"
        if wrong:
            source = text.source
            name = shown(source.path) if source.path else f"{source.channel} ({source.kind})"
            yield DamagedText(text.id, paths.get(text.video_id, b""), f"text {name}: {wrong}")


def drop_damaged_text(library: Library, text_id: int) -> None:
    """Removes a text, so that the next run reads it again."""
    with library._transaction():
        library._all(
            "UPDATE videos SET texts_of = '' WHERE id = (SELECT video_id FROM texts WHERE id = ?)",
            [text_id],
        )
        library.drop_text(text_id)


def has_damaged_word_indexes(library: Library) -> bool:
    """Whether a search for words would find others than stand in the passages.

    Makes the indexes once more in a temporary place and compares.
    """
    try:
        with explained(library._path):
            return any(_differs(library, index) for index in _INDEXES)
    except GzError:
        return True


def _differs(library: Library, index: str) -> bool:
    content, how = _INDEXES[index]
    for statement in (
        f"CREATE VIRTUAL TABLE temp.fresh USING fts5 (body, content='', {how})",
        f"INSERT INTO temp.fresh (rowid, body) SELECT id, body FROM main.{content}",  # noqa: S608
        f"CREATE VIRTUAL TABLE temp.said USING fts5vocab ('main', '{index}', 'row')",
        "CREATE VIRTUAL TABLE temp.meant USING fts5vocab ('temp', 'fresh', 'row')",
    ):
        library._all(statement)
    try:
        said, meant = (
            library._all(f"SELECT term, doc, cnt FROM temp.{table} ORDER BY term")  # noqa: S608
            for table in ("said", "meant")
        )
        return said != meant
    finally:
        for table in ("said", "meant", "fresh"):
            library._all(f"DROP TABLE temp.{table}")
