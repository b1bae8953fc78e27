"""Cues of SRT and WebVTT, read by one scanner that forgives what players forgive."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from ..errors import TextError

MOST_CUES = 300_000
"""A day of rolling captions has a third of it."""
_CLOCK = r"(-?)(?:(\d{1,4}):)?(\d{1,3}):(\d{1,2})(?:[.,]\s?(\d{1,9})|:(\d{3}))?"
_ARROW = r"\s*(?:-{1,2}\s?>|–>|—>|→|--&gt;)\s*"
_TIMES = re.compile(rf"\s*{_CLOCK}{_ARROW}{_CLOCK}(?![\d:])(.*)", re.ASCII)
_COMMA_TIMES = re.compile(rf"\s*{_CLOCK},{_CLOCK}()\s*", re.ASCII)
"""SubViewer and what YouTube exports for editing."""
_BROKEN_TIMES = re.compile(rf"\s*{_CLOCK}\s*--\s?>", re.ASCII)
_LINES = re.compile(r"\r\n|\r|\n|\u2028|\u2029")


@dataclass(frozen=True)
class Cue:
    """A piece of text with its time as the file says it, markup and all."""

    start: Fraction
    end: Fraction
    lines: tuple[str, ...]
    """Without empty ones at either end."""
    speaker: str = ""


@dataclass(frozen=True)
class Scan:
    """What a file of cues holds."""

    cues: tuple[Cue, ...]
    """In the order of the file."""
    webvtt: bool
    """Whether it says that it is WebVTT; then everything in angle brackets is markup."""
    language: str = ""
    """As the header says it."""
    broken: int = 0
    """Time lines that could not be read; what follows them is left out."""
    cut_off: bool = False
    """Whether the file ends in the middle of a cue."""


def scan_cues(text: str, webvtt: bool = False) -> Scan | None:
    """Reads SRT, WebVTT and what lies between.

    Args:
        text: The whole file.
        webvtt: Whether its name says that it is WebVTT; its first line says so, too.

    Returns:
        Its cues; None when it has not one time line.

    Raises:
        TextError: It has more cues than any video.
    """
    lines = _LINES.split(text.removeprefix("\ufeff"))
    webvtt = webvtt or lines[0].startswith("WEBVTT")
    times = [n for n, line in enumerate(lines) if _BROKEN_TIMES.match(line) or _times(line)]
    if not times:
        return None
    if len(times) > MOST_CUES:
        raise TextError(
            f"it has more than {MOST_CUES:,} cues",
            "it is no subtitle file, or many were joined into one; leave it out",
        )
    cues: list[Cue] = []
    broken = 0
    cut_off = False
    number = None
    for at, line in enumerate(times):
        last = at + 1 == len(times)
        number = _number_before(lines, line, number, webvtt)[0]
        until = len(lines) if last else times[at + 1]
        if not last:
            until -= _number_before(lines, until, number, webvtt)[1]
        body = _body(lines[line + 1 : until], webvtt)
        if last and _ends_with_a_number(body, number):
            body, cut_off = body[:-1], True
        match = _times(lines[line])
        if match is None:
            broken += 1
            cut_off = cut_off or last
            continue
        start, end = _seconds(match.groups()[:6]), _seconds(match.groups()[6:12])
        cut_off = cut_off or (last and not body)
        cues.append(Cue(start, end, tuple(body)))
    return Scan(tuple(cues), webvtt, _header(lines[: times[0]], "language"), broken, cut_off)


def _times(line: str) -> re.Match[str] | None:
    return _TIMES.match(line) or _COMMA_TIMES.fullmatch(line)


def _seconds(fields: tuple[str | None, ...]) -> Fraction:
    sign, hours, minutes, seconds, part, milliseconds = fields
    whole = int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0)
    part = part or milliseconds
    exact = whole + (Fraction(int(part), 10 ** len(part)) if part else Fraction(0))
    return -exact if sign else exact


def _number_before(
    lines: list[str], at: int, previous: int | None, webvtt: bool
) -> tuple[int | None, int]:
    """The number of the cue whose time line is at ``at``, and how many lines its name takes."""
    if at == 0:
        return None, 0
    line = lines[at - 1].strip()
    apart = at == 1 or not lines[at - 2]
    if line.isascii() and line.isdigit() and len(line) <= 9:
        follows = previous is not None and int(line) == previous + 1
        return (int(line), 1) if apart or follows else (previous, 0)
    named = line and apart and (webvtt or (" " not in line and re.search(r"\d[-/]|[-/]\d", line)))
    return previous, 1 if named else 0


def _ends_with_a_number(body: list[str], number: int | None) -> bool:
    """Whether a file was cut off after the number of a cue that never came."""
    apart = len(body) > 1 and not body[-2].strip()
    return number is not None and apart and body[-1].strip() == str(number + 1)


def _body(lines: list[str], webvtt: bool) -> list[str]:
    """The lines of a cue; a line of spaces is one, an empty line ends a cue of WebVTT."""
    body: list[str] = []
    for line in lines:
        if webvtt and not line:
            break
        body.append(line)
    while body and not body[-1].strip():
        body.pop()
    while body and not body[0].strip():
        body.pop(0)
    return body


def _header(lines: list[str], name: str) -> str:
    for line in lines:
        key, colon, value = line.partition(":")
        if colon and key.strip().lower() == name:
            return value.strip()
    return ""
