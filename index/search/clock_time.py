"""Times that a clock burnt into the picture shows: how they are asked for, and where they lie."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise

_DAY_S = 24 * 3600
_AROUND_S = 60
"""A single time means a minute before and after it: clocks are not set to the second."""
_BEYOND_S = 90.0
"""A clock goes on beyond its first and last reading for so long: it is read once a minute."""
_LOOSE_S = 61.0
"""Two readings of a clock without seconds may be so far from what passed between them."""
_TIME = r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?"
_ASKED = re.compile(rf"(?:(\d{{4}}-\d\d-\d\d)(?:[ T]|$))?(?:{_TIME}(?:\s*-\s*{_TIME})?)?", re.ASCII)
Stretch = tuple[float, float]
"""Start and end in seconds of the video."""


@dataclass(frozen=True)
class ClockTime:
    """What a clock is to show."""

    day: date | None
    first: int
    """Second of the day."""
    last: int
    """Second of the day, or of the next one where the stretch goes over midnight."""

    @classmethod
    def parse(cls, text: str) -> ClockTime:
        """Reads ``14:15``, ``14:15:30``, ``22:00-23:00``, each also after ``2024-03-05``.

        Raises:
            ValueError: It is none of these; the message says so to people.
        """
        found = _ASKED.fullmatch(text.strip()) if text.strip() and len(text) <= 40 else None
        if found is None:
            raise ValueError(
                f"'{text:.40}' is no time of a clock; write HH:MM, HH:MM:SS or HH:MM-HH:MM, "
                "with a date before it if you like: 2024-03-05 14:15"
            )
        try:
            day = date.fromisoformat(found[1]) if found[1] else None
        except ValueError:
            raise ValueError(f"there is no day {found[1]}") from None
        if found[2] is None:
            return cls(day, 0, _DAY_S)
        first = _second(found.group(2, 3, 4))
        if found[5] is not None:
            last = _second(found.group(5, 6, 7))
            return cls(day, first, last if last > first else last + _DAY_S)
        length = 0 if found[4] else 59
        return cls(day, first - _AROUND_S, first + length + _AROUND_S)

    def stretches(
        self, clock: Sequence[tuple[float, str]], duration_s: float
    ) -> tuple[Stretch, ...]:
        """Where a video's clock shows this.

        Args:
            clock: Readings in order of time, as the library keeps them.
            duration_s: Length of the video.
        """
        found: list[Stretch] = []
        for start_s, end_s, shown, dated in _pieces(clock, duration_s):
            if self.day is not None and not dated:
                continue
            days = range(int(shown // _DAY_S) - 1, int((shown + end_s - start_s) // _DAY_S) + 2)
            for number in [self.day.toordinal()] if self.day is not None else days:
                first = start_s + number * _DAY_S + self.first - shown
                last = start_s + number * _DAY_S + self.last - shown
                if max(first, start_s) < min(last, end_s):
                    found.append((max(first, start_s), min(last, end_s)))
        return _joined(sorted(found))


def _second(parts: Sequence[str | None]) -> int:
    hour, minute, second = (int(part or 0) for part in parts)
    return hour * 3600 + minute * 60 + second


def _shown(text: str) -> tuple[int, bool]:
    """What a reading shows as seconds since a first day, and whether it names its day."""
    if "T" not in text:
        text = f"0001-01-01T{text}"
    at = datetime.fromisoformat(text)
    second = at.hour * 3600 + at.minute * 60 + at.second
    return at.date().toordinal() * _DAY_S + second, at.year > 1


def _pieces(
    clock: Sequence[tuple[float, str]], duration_s: float
) -> list[tuple[float, float, float, bool]]:
    """Stretches in which the clock goes on as the video does: start, end, what it shows, dated."""
    readings = [(time_s, *_shown(text)) for time_s, text in clock]
    if not readings:
        return []
    pieces: list[tuple[float, float, float, bool]] = []
    first_s, first, dated = readings[0]
    back_s = min(first_s, _BEYOND_S)
    pieces.append((first_s - back_s, first_s, first - back_s, dated))
    for (time_s, shown, dated), (next_s, then, then_dated) in pairwise(readings):
        went = then - shown if dated and then_dated else (then - shown) % _DAY_S
        agrees = abs(went - (next_s - time_s)) <= _LOOSE_S
        end_s = next_s if agrees else min(next_s, time_s + _BEYOND_S)
        pieces.append((time_s, end_s, shown, dated))
    last_s, last, dated = readings[-1]
    pieces.append((last_s, min(duration_s, last_s + _BEYOND_S), last, dated))
    return [piece for piece in pieces if piece[0] < piece[1]]


def _joined(stretches: Sequence[Stretch]) -> tuple[Stretch, ...]:
    joined: list[Stretch] = []
    for start_s, end_s in stretches:
        if joined and start_s <= joined[-1][1] + _LOOSE_S:
            joined[-1] = joined[-1][0], max(end_s, joined[-1][1])
        else:
            joined.append((start_s, end_s))
    return tuple(joined)
