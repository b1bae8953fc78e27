"""A deposition's printed transcript: its lines, who speaks in them, and its passages in time.

A passage is one printed line. So its citation is exact whatever words of it are found, a
designation cuts whole lines, and a phrase that runs over two lines is found as one that
runs over two cues is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ..passages import Passage, Place, Testimony, TimeQuality, Word

MOST_LINES = 500_000
"""Printed lines of a transcript; the longest trial days have ten thousand."""
_QUESTION = re.compile(r"([QA])(?:[.:](?=\s|[A-Z][a-z]|$)\s*|\s{2,}|$)")
_COLLOQUY = re.compile(
    r"((?:MR|MS|MRS|DR|JUDGE|THE|Mr|Ms|Mrs|Dr|Judge|The)\.?(?: [A-Z][\w'’.-]*){1,4}):(?:\s+|$)"
)
_HEADING = re.compile(
    r"\(|BY (?:MR|MS|MRS|DR)\.? .{1,40}:$|(?:(?:RE-?)?(?:CROSS|DIRECT)[- ])?EXAMINATION\b"
)
_C1 = {code: bytes([code]).decode("cp1252", "ignore") for code in range(0x80, 0xA0)}
"""Files that say ISO-8859-1 hold Windows' quotes and dashes where that has controls."""


@dataclass(frozen=True)
class PrintedLine:
    """One numbered line of a transcript."""

    place: Place
    body: str
    """Its words, without the mark of who speaks."""
    speaker: str = ""
    """``Q``, ``A``, or a name as printed; also on the lines that go on."""
    start_s: float | None = None
    """On the clock of its recording, which starts at 0 with the file; None where not said."""
    clock_s: float | None = None
    """Time of day in the margin, in seconds after midnight."""
    recording: str = ""
    """Which of the transcript's recordings it was said in."""


@dataclass(frozen=True)
class Recording:
    """A video file that a synchronised transcript was made for."""

    id: str
    name: str
    """File name without folders, as it was called then."""
    size_bytes: int | None = None
    duration_s: float | None = None


@dataclass(frozen=True)
class Transcript:
    """A deposition in printed lines."""

    kind: Literal["dvt", "pageline"]
    testimony: Testimony
    lines: tuple[PrintedLine, ...]
    recordings: tuple[Recording, ...] = ()
    encoding: str = "utf-8"
    notes: tuple[str, ...] = ()
    """For people: what could not be read."""


@dataclass(frozen=True)
class Timed:
    """A printed line with its time, seconds from the video's first presented frame."""

    line: PrintedLine
    start_s: float
    end_s: float
    quality: TimeQuality
    words: tuple[Word, ...] = ()


def plain(text: str) -> str:
    """Text on one line: blanks of every kind are one space, control characters are gone."""
    kept = (
        " " if char.isspace() else "" if unicodedata.category(char)[0] == "C" else char
        for char in unicodedata.normalize("NFC", text.translate(_C1))
    )
    return " ".join("".join(kept).split())


def with_speakers(
    rows: Iterable[tuple[PrintedLine, str]],
) -> tuple[PrintedLine, ...]:
    """Says of each line who speaks, and takes the marks out of the words.

    Args:
        rows: Lines whose ``body`` is as printed, with what the source says beside it:
            ``Q``, ``A``, or nothing.

    Returns:
        The same lines; one without a mark goes on with the speaker of the line before.
    """
    speaker, said = "", []
    for line, beside in rows:
        printed = line.body.replace("\xa0", " ").strip()
        if mark := _QUESTION.match(printed) or _COLLOQUY.match(printed):
            speaker, printed = mark[1], printed[mark.end() :]
        elif _HEADING.match(printed):
            speaker = ""
        elif beside:
            speaker = beside
        said.append(replace(line, body=plain(printed), speaker=plain(speaker)))
    return tuple(said)


def between(
    lines: Sequence[PrintedLine], starts_s: Sequence[float | None], end_s: float
) -> tuple[Timed, ...]:
    """Times for all lines from those that have one.

    A line runs to the next one that has a time of its own. A line without one starts, by
    the share of its letters, between the two around it; before the first and after the last
    line with a time nothing is known, so covers and certificates are left out.

    Args:
        lines: In printed order.
        starts_s: For each, when it begins; None where that is not known. What runs
            backwards counts as not known.
        end_s: End of the last line: the recording's.
    """
    known = _rising(starts_s, end_s)
    timed: list[Timed] = []
    for number, (at, start_s) in enumerate(known):
        last = number + 1 == len(known)
        until, stop_s = (at + 1, end_s) if last else known[number + 1]
        timed.append(Timed(lines[at], start_s, stop_s, "exact"))
        weights = [len(line.body) for line in lines[at:until]]
        whole = sum(weights) or 1
        passed = weights[0]
        for line, weight in zip(lines[at + 1 : until], weights[1:], strict=True):
            begins_s = start_s + (stop_s - start_s) * passed / whole
            passed += weight
            ends_s = start_s + (stop_s - start_s) * passed / whole
            timed.append(Timed(line, begins_s, ends_s, "interpolated"))
    return tuple(timed)


def _rising(starts_s: Sequence[float | None], end_s: float) -> list[tuple[int, float]]:
    """Places of the lines with a time, and the times, each later than the one before."""
    known: list[tuple[int, float]] = []
    for at, start_s in enumerate(starts_s):
        if start_s is not None and (known[-1][1] if known else -1e9) < start_s < end_s:
            known.append((at, start_s))
    return known


def passages_of(timed: Iterable[Timed], duration_s: float) -> tuple[Passage, ...]:
    """Passages of the lines that have words, as far as they lie inside the video."""
    made = []
    for row in timed:
        start_s, end_s = max(row.start_s, 0.0), min(row.end_s, duration_s)
        if row.line.body and start_s < end_s:
            made.append(
                Passage(
                    start_s=start_s,
                    end_s=end_s,
                    body=row.line.body,
                    speaker=row.line.speaker,
                    words=row.words,
                    first=row.line.place,
                    last=row.line.place,
                    quality=row.quality,
                )
            )
    return tuple(sorted(made, key=lambda passage: passage.start_s))


def last_name(name: str) -> str:
    """``Smith`` of ``JOHN Q. SMITH, JR., M.D.`` or of ``Smith, John``; empty for nothing."""
    parts = [part.strip() for part in plain(name).split(",")]
    # "Smith, John": one word before the comma and a first name behind it.
    words = [word for word in parts[0].split() if word.strip(".").upper() not in _TITLES]
    if not words:
        return ""
    word = words[-1].strip(".")
    return _as_name(word) if word.isupper() and len(word) > 1 else word


_TITLES = {"MR", "MS", "MRS", "DR", "HON", "JR", "SR", "II", "III", "IV", "MD", "M.D", "PHD", "ESQ"}


def _as_name(word: str) -> str:
    """``MCDONALD-O'BRIEN`` as ``McDonald-O'Brien``."""
    return re.sub(r"\bMc([a-z])", lambda match: "Mc" + match[1].upper(), word.title())
