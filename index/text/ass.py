"""Events of ASS and SSA files: what is said, without styles, drawings and doubled layers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction

from ..errors import TextError
from .cues import MOST_CUES
from .fitting import Said
from .markup import Line, ass_lines, plain

_SECTION = re.compile(
    r"^[ \t]*\[(?:script info|events|v4\+? styles)\]", re.IGNORECASE | re.MULTILINE
)
_CLOCK = re.compile(r"\s*(\d{1,4}):(\d{1,2}):(\d{1,2})[.,:](\d{1,6})\s*", re.ASCII)
_FIELDS = ["layer", "start", "end", "style", "name", "l", "r", "v", "effect", "text"]
_SAME_S = Fraction(1, 20)
_BRIEF_S = Fraction(1, 2)
"""Signs that move are written anew for every picture or two; what people say lasts longer."""


def is_ass(text: str) -> bool:
    """Whether a text has the sections of an ASS file."""
    return _SECTION.search(text[:20_000]) is not None


def ass_events(text: str) -> tuple[Said, ...]:
    """What an ASS or SSA file says.

    Raises:
        TextError: It has more events than any video.
    """
    fields, found = _FIELDS, []
    for line in text.splitlines():
        kind, colon, rest = line.partition(":")
        kind = kind.strip().lower()
        if kind == "format" and colon and "text" in rest.lower():
            fields = [field.strip().lower() for field in rest.split(",")]
        elif kind == "dialogue" and colon and {"start", "end", "text"} <= set(fields):
            values = dict(zip(fields, rest.split(",", len(fields) - 1), strict=False))
            start, end = _seconds(values["start"]), _seconds(values.get("end", ""))
            lines = ass_lines(values.get("text", ""))
            if start is not None and end is not None and lines:
                speaker = plain(values.get("name", values.get("actor", ""))).strip()
                found.append(Said(start, end, tuple(map(Line, lines)), speaker))
            if len(found) > MOST_CUES:
                raise TextError(f"it has more than {MOST_CUES:,} events", "leave it out")
    return joined_layers(found)


def joined_layers(events: Iterable[Said]) -> tuple[Said, ...]:
    """Says once what is written several times: as a shadow, an outline, or picture by picture."""
    return tuple(_joined(sorted(events, key=lambda event: event.start)))


def _joined(events: Iterable[Said]) -> Iterator[Said]:
    def words(event: Said) -> tuple[str, tuple[Line, ...]]:
        return event.speaker, event.lines

    last: dict[tuple[str, tuple[Line, ...]], Said] = {}
    for event in events:
        before = last.get(words(event))
        if before is not None and _is_again(before, event):
            event = replace(before, end=max(before.end, event.end))
        elif before is not None:
            yield before
        last[words(event)] = event
    yield from last.values()


def _is_again(before: Said, now: Said) -> bool:
    """Whether an event shows on what the one before it, of the same words, has shown."""
    brief = now.end - now.start < _BRIEF_S
    return now.start < before.end or (brief and now.start - before.end <= _SAME_S)


def _seconds(text: str) -> Fraction | None:
    match = _CLOCK.fullmatch(text)
    if match is None:
        return None
    hours, minutes, seconds, part = match.groups()
    whole = int(hours) * 3600 + int(minutes) * 60 + int(seconds)
    return whole + Fraction(int(part), 10 ** len(part))
