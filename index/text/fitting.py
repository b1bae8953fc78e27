"""Times of a file fitted to its video: in order, forwards, and inside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ..passages import Passage, Word
from .markup import Line

_STAND_IN_S = Fraction(2)
"""How long a cue lasts that ends before it begins."""
_MOST_CHARACTERS = 10_000
"""Of one cue: more than anybody reads in one picture."""


@dataclass(frozen=True)
class Shown:
    """What one cue shows, on the clock of its file."""

    start: Fraction
    end: Fraction
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Said:
    """Words that belong together, on the clock of their file."""

    start: Fraction
    end: Fraction
    lines: tuple[Line, ...]
    speaker: str = ""


@dataclass(frozen=True)
class Fitted:
    """Passages of a track, and what had to be done to them, in sentences for people."""

    passages: tuple[Passage, ...]
    notes: tuple[str, ...]


def fit(said: Iterable[Said], *, shift_s: float, duration_s: float) -> Fitted:
    """Passages in order of time, each inside the video.

    Args:
        said: On the clock of the file.
        shift_s: Added to every time: the clock of the file seen from the first picture.
        duration_s: Length of the video.
    """
    in_order = sorted(said, key=lambda part: part.start)
    shift, length = Fraction(shift_s), Fraction(duration_s)
    passages: list[Passage] = []
    backwards = outside = too_long = 0
    for part, following in zip(in_order, _later_starts(in_order), strict=True):
        start, end = part.start, part.end
        if end <= start:
            end = start + _STAND_IN_S
            end = end if following is None else min(end, following)
            backwards += 1
        start, end = max(start + shift, Fraction(0)), min(end + shift, length)
        body = "\n".join(line.text for line in part.lines)
        if not body:
            continue
        if end <= start:
            outside += 1
            continue
        if len(body) > _MOST_CHARACTERS:
            body, too_long = body[:_MOST_CHARACTERS], too_long + 1
        words = _words(part, len(body), shift, start, end)
        passages.append(Passage(seconds(start), seconds(end), body, part.speaker, words=words))
    notes = (
        counted(
            backwards,
            "cue ended before it began and was given a length",
            "cues ended before they began and were given a length",
        ),
        counted(
            outside, "cue outside the video was left out", "cues outside the video were left out"
        ),
        counted(too_long, "cue was too long and was cut", "cues were too long and were cut"),
    )
    return Fitted(tuple(passages), tuple(note for note in notes if note))


def counted(count: int, one: str, many: str) -> str:
    """A note on some cues: ``3 cues were too long and were cut.``; empty for none of them."""
    return f"{count:,} {one if count == 1 else many}." if count else ""


def _later_starts(in_order: Sequence[Said]) -> list[Fraction | None]:
    """For each part the next start that is later than its own."""
    found: list[Fraction | None] = []
    later: Fraction | None = None
    for number in range(len(in_order) - 1, -1, -1):
        start = in_order[number].start
        if number + 1 < len(in_order) and in_order[number + 1].start > start:
            later = in_order[number + 1].start
        found.append(later)
    return found[::-1]


def seconds(exact: Fraction) -> float:
    """Seconds to the microsecond."""
    return round(float(exact), 6)


def _words(
    part: Said, length: int, shift: Fraction, start: Fraction, end: Fraction
) -> tuple[Word, ...]:
    found, at = [], 0
    for line in part.lines:
        for timed in line.times:
            first = at + timed.first
            begins = max(timed.start + shift, start)
            ends = min(timed.end + shift, end)
            if begins < ends and first + timed.length <= length:
                found.append(Word(first, timed.length, seconds(begins), seconds(ends)))
        at += len(line.text) + 1
    return tuple(found)
