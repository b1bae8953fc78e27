"""OpenDVT, the open form of a deposition that was synchronised with its video.

Its times are those of the media files that it names (``Streams``), counted from the start
of each. Made by strangers: the XML may neither declare entities nor name a document type.
"""

from __future__ import annotations

import bisect
import re
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from ..errors import TextError
from ..passages import Place, Testimony
from .testimony import (
    MOST_LINES,
    PrintedLine,
    Recording,
    Transcript,
    last_name,
    plain,
    with_speakers,
)

_HEAD_BYTES = 4096
_MOST_DEPTH = 16
_ENTRY_DEPTH = 3
"""``OpenDVT/Lines/Line`` and ``OpenDVT/Streams/Stream``."""
_MOST_TEXT = 10_000
"""Characters in one element; a printed line has eighty."""
_NUMBER = re.compile(r"\d{1,15}", re.ASCII)
_ASK = "Ask the reporter for a new export as OpenDVT."
_MOST_PAGE, _MOST_LINE = 999_999, 99


def is_dvt(head: bytes) -> bool:
    """True when a file that begins like this is an OpenDVT deposition."""
    return b"<OpenDVT" in head[:_HEAD_BYTES].replace(b"\0", b"")


def read_dvt(data: bytes) -> Transcript:
    """A deposition from the bytes of a ``.dvt`` or ``.xml`` file.

    Lines keep the clock of their own stream; which video that is, `index.text.belonging`
    tells. Lines that do not say where they are printed, or stand out of order, are left out.

    Raises:
        TextError: It is not XML, declares entities, or holds no lines of testimony.
    """
    found, encoding = _parsed(data)
    lines, unread = _lines(found)
    if not lines:
        raise TextError("it is an OpenDVT file without a line of testimony.", _ASK)
    whole = f"{unread:,} of {len(found.lines):,} lines"
    notes = [f"{whole} have no page and line number, or stand out of order"] if unread else []
    facts = found.facts
    recordings = tuple(_recording(stream) for stream in found.streams)
    return Transcript(
        kind="dvt",
        testimony=Testimony(
            witness=_witness(facts),
            volume=plain(facts.get("Volume", "")),
            taken_on=plain(facts.get("TakenOn", "")),
            lines_per_page=_number(facts.get("MaxLinesPerPage", ""), _MOST_LINE) or 25,
        ),
        lines=lines,
        recordings=recordings,
        encoding=encoding,
        notes=tuple(notes),
    )


@dataclass
class _Found:
    facts: dict[str, str] = field(default_factory=dict)
    lines: list[dict[str, str]] = field(default_factory=list)
    streams: list[dict[str, str]] = field(default_factory=list)


class _Refused(Exception):
    """The file asks for something that no transcript needs."""


class _Reader:
    """Collects lines, streams and facts while expat reads."""

    def __init__(self) -> None:
        self.found = _Found()
        self._path: list[str] = []
        self._text: list[str] = []
        self._size = 0
        self._entry: dict[str, str] | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._path.append(name)
        if len(self._path) > _MOST_DEPTH:
            raise _Refused("its elements nest too deeply")
        if self._path[1:-1] in (["Lines"], ["Streams"]) and name in ("Line", "Stream"):
            kept = self.found.lines if name == "Line" else self.found.streams
            self._entry = {"ID": attributes.get("ID", "")}
            kept.append(self._entry)
            if len(kept) > MOST_LINES:
                raise _Refused(f"it has more than {MOST_LINES:,} lines")
        self._text, self._size = [], 0

    def data(self, text: str) -> None:
        self._size += len(text)
        if self._size > _MOST_TEXT:
            raise _Refused("one element holds too much text")
        self._text.append(text)

    def end(self, name: str) -> None:
        text = "".join(self._text)
        self._text, self._size = [], 0
        if self._entry is not None and len(self._path) == _ENTRY_DEPTH:
            # A line names its stream in an element of the same name as a stream's own.
            self._entry = None
        elif self._entry is not None:
            self._entry[name] = text
        elif self._path[1:2] == ["Information"] and text.strip():
            under = self._path[-2]
            self.found.facts.setdefault(f"{under}/{name}" if len(self._path) > 3 else name, text)
        self._path.pop()

    def refuse(self, *_: Any) -> None:
        raise _Refused("it declares a document type or entities, which no transcript needs")


def _parsed(data: bytes) -> tuple[_Found, str]:
    if not is_dvt(data):
        raise TextError("it is not an OpenDVT file.", _ASK)
    # The name is HTML's; XML knows only the number.
    data = data.replace(b"&nbsp;", b"&#160;")
    try:
        return _parse(data, None)
    except (expat.ExpatError, ValueError, LookupError) as first:
        # Many say UTF-8, or nothing, and are Windows text.
        try:
            return _parse(data, "windows-1252")
        except (expat.ExpatError, ValueError, LookupError):
            raise TextError(f"it is damaged: {first}.", _ASK) from None


def _parse(data: bytes, encoding: str | None) -> tuple[_Found, str]:
    reader = _Reader()
    parser = expat.ParserCreate(encoding)
    declared = ["utf-8"]
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.data
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.EntityDeclHandler = reader.refuse
    parser.XmlDeclHandler = lambda version, named, alone: declared.append(named or "utf-8")
    try:
        parser.Parse(data, True)
    except _Refused as error:
        raise TextError(f"it is refused: {error}.", _ASK) from None
    return reader.found, f"{encoding} (guessed)" if encoding else declared[-1].lower()


def _lines(found: _Found) -> tuple[tuple[PrintedLine, ...], int]:
    """The lines that say where they stand, and how many do not."""
    rows, unread = [], 0
    streams = {plain(stream["ID"]) for stream in found.streams}
    only = next(iter(streams)) if len(streams) == 1 else ""
    for entry in found.lines:
        page = _number(entry.get("PageNo", ""), _MOST_PAGE)
        line = _number(entry.get("LineNo", ""), _MOST_LINE)
        if not page or not line:
            unread += 1
            continue
        time_ms = _number(entry.get("TimeMs", ""), 10**12)
        printed = PrintedLine(
            place=Place(page, line),
            body=entry.get("Text", ""),
            start_s=None if time_ms is None else time_ms / 1000,
            recording=plain(entry.get("Stream", "")) or only,
        )
        beside = plain(entry.get("QA", "")).upper()[:1]
        rows.append((printed, beside if beside in ("Q", "A") else ""))
    kept = _rising([row.place for row, _ in rows])
    return with_speakers(rows[at] for at in kept), unread + len(rows) - len(kept)


def _rising(places: list[Place]) -> list[int]:
    """The most lines whose places rise: a line that says 91 between 19 and 19 is not cited."""
    ends: list[Place] = []
    ending: list[int] = []
    before: list[int] = []
    for at, place in enumerate(places):
        length = bisect.bisect_left(ends, place)
        before.append(ending[length - 1] if length else -1)
        if length == len(ends):
            ends.append(place)
            ending.append(at)
        else:
            ends[length], ending[length] = place, at
    kept = []
    at = ending[-1] if ending else -1
    while at >= 0:
        kept.append(at)
        at = before[at]
    return kept[::-1]


def _recording(stream: dict[str, str]) -> Recording:
    duration_ms = _number(stream.get("DurationMs", ""), 10**12)
    return Recording(
        id=plain(stream["ID"]),
        name=re.split(r"[\\/]", plain(stream.get("URI", "")))[-1],
        size_bytes=_number(stream.get("FileSize", ""), 10**15) or None,
        duration_s=duration_ms / 1000 if duration_ms else None,
    )


def _witness(facts: dict[str, str]) -> str:
    """Last name of the deponent, however the export spells it; empty where it does not."""
    for key in ("Deponent/LastName", "Witness/LastName"):
        if given := plain(facts.get(key, "")):
            return given
    keys = ("Deponent", "Deponent/Name", "Deponent/FirstName", "Witness/FirstName")
    return last_name(next((facts[key] for key in keys if key in facts), ""))


def _number(text: str, most: int) -> int | None:
    """A whole number from 0 on; None for anything else."""
    text = text.strip()
    number = int(text) if _NUMBER.fullmatch(text) else None
    return number if number is not None and number <= most else None
