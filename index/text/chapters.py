"""Chapters: what a stretch of video is called, from a downloader's notes or the container."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ..errors import TextError
from ..passages import TextSource, TextTrack
from ..strict_json import NotStrictJson, read_json
from .fitting import Said, fit
from .markup import Line, plain

_MOST = 10_000
_NUMBERED = re.compile(r"(?:chapter|kapitel|chapitre|cap[ií]tulo|part)?\s*\d+", re.IGNORECASE)


@dataclass(frozen=True)
class Chapter:
    """A stretch with a name, in seconds on the clock of its source."""

    start_s: Fraction
    end_s: Fraction
    title: str


def chapter_track(
    chapters: Iterable[Chapter], source: TextSource, *, shift_s: float, duration_s: float
) -> TextTrack | None:
    """Chapters as a track; None where not one has a name of its own.

    Args:
        chapters: In any order; one that does not end lasts until the next.
        source: Where they come from.
        shift_s: Added to every time.
        duration_s: Length of the video.
    """
    named = [c for c in chapters if (t := plain(c.title).strip()) and not _NUMBERED.fullmatch(t)]
    said = [Said(c.start_s, c.end_s, (Line(" ".join(plain(c.title).split())),)) for c in named]
    fitted = fit(said, shift_s=shift_s, duration_s=duration_s)
    if not fitted.passages:
        return None
    covered_s = sum(passage.end_s - passage.start_s for passage in fitted.passages)
    return TextTrack(source, fitted.passages, min(covered_s, duration_s), notes=fitted.notes)


def chapters_of_notes(data: bytes) -> tuple[Chapter, ...]:
    """Chapters in the notes that a downloader leaves beside a video (``.info.json``).

    Raises:
        TextError: The notes cannot be read.
    """
    try:
        notes = read_json(data)
    except NotStrictJson as error:
        raise TextError(f"its notes cannot be read: {error}", "download them again") from error
    listed = notes.get("chapters") if isinstance(notes, dict) else None
    if not isinstance(listed, list):
        return ()
    found = [_chapter(entry) for entry in listed[:_MOST] if isinstance(entry, dict)]
    return tuple(chapter for chapter in found if chapter is not None)


def _chapter(entry: dict[str, Any]) -> Chapter | None:
    start_s, end_s, title = (entry.get(key) for key in ("start_time", "end_time", "title"))
    numbers = (start_s, end_s)
    if not isinstance(title, str) or any(
        isinstance(n, bool) or not isinstance(n, int | float) for n in numbers
    ):
        return None
    return Chapter(_exact(start_s), _exact(end_s), title)


def _exact(seconds: Any) -> Fraction:
    return Fraction(seconds).limit_denominator(1_000_000)
