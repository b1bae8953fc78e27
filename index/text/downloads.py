"""What a downloader (yt-dlp) notes about a video in the ``.info.json`` beside it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ..errors import TextError
from .chapters import Chapter
from .strict_json import NotStrictJson, read_json

_MOST_CHAPTERS = 10_000
_FIRST_CHOICE = "vtt"


@dataclass(frozen=True)
class Notes:
    """The parts of the notes that speak of words."""

    chapters: tuple[Chapter, ...] = ()
    automatic: frozenset[tuple[str, str]] = frozenset()
    """Language and ending of the captions that came with it and were made by a machine."""


def read_notes(data: bytes) -> Notes:
    """Reads the notes.

    Raises:
        TextError: They cannot be read.
    """
    try:
        notes = read_json(data)
    except NotStrictJson as error:
        raise TextError(f"its notes cannot be read: {error}", "download them again") from error
    if not isinstance(notes, dict):
        return Notes()
    listed = notes.get("chapters")
    chapters = [
        chapter
        for entry in (listed[:_MOST_CHAPTERS] if isinstance(listed, list) else [])
        if isinstance(entry, dict) and (chapter := _chapter(entry)) is not None
    ]
    return Notes(tuple(chapters), _automatic(notes))


def _automatic(notes: dict[str, Any]) -> frozenset[tuple[str, str]]:
    """A person's captions are taken where there are any; a machine's are all the others."""
    by_machine, by_person, taken = (
        part if isinstance(part := notes.get(key), dict) else {}
        for key in ("automatic_captions", "subtitles", "requested_subtitles")
    )
    endings = {
        language: entry.get("ext", _FIRST_CHOICE) if isinstance(entry, dict) else _FIRST_CHOICE
        for language, entry in taken.items()
    }
    return frozenset(
        (language.casefold(), str(endings.get(language, _FIRST_CHOICE)).casefold())
        for language in by_machine
        if language not in by_person
    )


def _chapter(entry: dict[str, Any]) -> Chapter | None:
    start_s, end_s, title = (entry.get(key) for key in ("start_time", "end_time", "title"))
    if not isinstance(title, str):
        return None
    if not all(isinstance(n, int | float) and not isinstance(n, bool) for n in (start_s, end_s)):
        return None
    return Chapter(_exact(start_s), _exact(end_s), title)


def _exact(seconds: Any) -> Fraction:
    return Fraction(seconds).limit_denominator(1_000_000)
