"""A clock burnt into the picture: how its line is written, and whether it really ticks.

A time of day on a slide is text. A clock is what stands at one place and goes on by as many
seconds as the video does; so nothing is taken for a clock that was seen at one time only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

from .screen_lines import SAME_PLACE, Box, overlap

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_TIME = re.compile(
    r"(?<!\d)(?P<hour>[01]?\d|2[0-3])\s?[:.]\s?(?P<minute>[0-5]\d)"
    r"(?:\s?[:.]\s?(?P<second>[0-5]\d)(?:[:.,;]\d{1,3})?)?(?!\d)\s?(?P<half>[AaPp]\.?\s?[Mm]\.?)?"
)
_YEAR_FIRST = re.compile(r"(?<!\d)((?:19|20)\d\d)\s?[-/.:年]\s?(\d\d?)\s?[-/.:月]\s?(\d\d?)日?")
_YEAR_LAST = re.compile(r"(?<!\d)(\d\d?)\s?[-/.]\s?(\d\d?)\s?[-/.]\s?((?:19|20)\d\d)")
_NAMED = re.compile(
    r"(?<!\d)(\d\d?)[\s./-]*([A-Za-z]{3})[a-z]*[\s.,/-]*((?:19|20)\d\d)"
    r"|\b([A-Za-z]{3})[a-z]*[\s./-]*(\d\d?)[\s.,/-]+((?:19|20)\d\d)"
)
_SHORT_YEAR = re.compile(r"(?<![\d:])\d\d?([-/.])\d\d?\1\d\d(?![:\d])")
"""Which of the numbers is the year, nobody can tell."""
_WEEKDAY = re.compile(r"\b(mon|tue|wed|thu|fri|sat|sun)[a-z]*\b", re.IGNORECASE)
EVERY_S = 60.0
"""A clock that ticks is read and kept so often: it may be set, or the recording have gaps."""
_DAY_S = 24 * 3600
_LOOSE_S = 2.0
"""Clocks show whole seconds, and a picture is taken anywhere in one."""


Days = tuple[date | None, ...]
"""What a date may mean: nothing where there is none, else the day if the day of the month is
written first and the day if the month is; None where the calendar has no such day."""


@dataclass(frozen=True)
class ClockReading:
    """A line that may be a clock."""

    second: int
    """Of the day, 0 to 86,399."""
    to_the_second: bool
    """False where the line has no seconds."""
    days: Days = ()
    """The date in the line, if there is one."""
    rest: str = ""
    """What else the line says: the name of a camera."""


def clock_of(body: str) -> ClockReading | None:
    """What a line says as a clock; None where words stand beside anything but a whole one."""
    text = body.translate(str.maketrans("：．／－", ":./-")).strip()
    rest, days = _dated(text)
    found = _TIME.search(rest)
    if not days and (shorter := _SHORT_YEAR.sub(" ", rest)) != rest and _TIME.search(shorter):
        rest, found = shorter, _TIME.search(shorter)
    if found is None:
        return None
    left = _WEEKDAY.sub("", f"{rest[: found.start()]} {rest[found.end() :]}")
    left = " ".join(left.split()).strip(" -|,;/")
    if re.search(r"[^\W_]", left) is None:
        left = ""
    elif found["second"] is None or not days:
        return None
    hour, half = int(found["hour"]), (found["half"] or "")[:1].lower()
    if half and not 1 <= hour <= 12:
        return None
    if half:
        hour = hour % 12 + 12 * (half == "p")
    second = hour * 3600 + int(found["minute"]) * 60 + int(found["second"] or 0)
    return ClockReading(second, found["second"] is not None, days, left)


def days_of(body: str) -> Days:
    """The date of a line which holds a date and nothing else."""
    rest, days = _dated(body.strip())
    return () if re.search(r"[^\W_]", _WEEKDAY.sub("", rest)) else days


def _dated(text: str) -> tuple[str, Days]:
    """A line without its date, and what that may mean."""
    if found := _YEAR_FIRST.search(text):
        year, month, day = map(int, found.groups())
        days = (_day(year, month, day),) * 2
    elif found := _YEAR_LAST.search(text):
        first, second, year = map(int, found.groups())
        days = _day(year, second, first), _day(year, first, second)
    elif (found := _NAMED.search(text)) and (named := _named(found)):
        days = (_day(*named),) * 2
    else:
        return text, ()
    if days == (None, None):
        return text, ()
    # A reader may set date and time together: 2024-03-0514:15:16.
    return f"{text[: found.start()]} {text[found.end() :]}", days


def _named(found: re.Match[str]) -> tuple[int, int, int] | None:
    day, name, year = found.group(1, 2, 3) if found[1] else found.group(5, 4, 6)
    name = name.lower()
    return (int(year), _MONTHS.index(name) + 1, int(day)) if name in _MONTHS else None


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


@dataclass(frozen=True)
class SeenClock:
    """A line that may be a clock, where and when it was seen."""

    time_s: float
    box: Box
    reading: ClockReading


@dataclass(frozen=True)
class BurntInClock:
    """A place of the picture at which a clock ticks."""

    box: Box
    times: tuple[tuple[float, str], ...]
    """Time of the video and what the clock shows, ISO 8601: with the date where it is known."""


def ticks(one: SeenClock, other: SeenClock) -> bool:
    """Whether one clock can show both: it went on as the video did, and it did go on."""
    first, second = one.reading, other.reading
    if first.to_the_second != second.to_the_second or first.second == second.second:
        return False
    passed = other.time_s - one.time_s
    went = (second.second - first.second) % _DAY_S
    loose_s = _LOOSE_S if first.to_the_second else 60.0
    off = (went - passed) % _DAY_S
    return min(off, _DAY_S - off) <= loose_s


def burnt_in_clock(seen: Sequence[SeenClock], alone: Sequence[Days] = ()) -> BurntInClock | None:
    """The clock among lines that look like one.

    Args:
        seen: In order of time, of the whole video.
        alone: Dates that stand in lines of their own, for a clock that has none in its line.

    Returns:
        The place that ticks most often, with the readings that a neighbour confirms.
    """
    best: list[SeenClock] = []
    waiting = list(seen)
    while waiting:
        box = waiting[0].box
        here = [reading for reading in waiting if overlap(reading.box, box) > SAME_PLACE]
        waiting = [reading for reading in waiting if overlap(reading.box, box) <= SAME_PLACE]
        confirmed = _confirmed(here)
        if len(confirmed) > len(best):
            best = confirmed
    if not best:
        return None
    days = _own_days([seen.reading.days for seen in best])
    if not any(seen.reading.days for seen in best):
        days = _days_from(best, alone)
    times = [
        (datetime.min + timedelta(seconds=seen.reading.second)).time().isoformat() for seen in best
    ]
    thinned = _thinned(best)
    shown = tuple(
        (seen.time_s, f"{day.isoformat()}T{time}" if day else time)
        for seen, day, time in zip(best, days, times, strict=True)
        if seen in thinned
    )
    return BurntInClock(best[0].box, shown)


def _thinned(readings: Sequence[SeenClock]) -> list[SeenClock]:
    """One reading a minute, and those on both sides of where the clock was set."""
    kept = [readings[0]]
    for before, seen in pairwise(readings):
        went_on = ticks(kept[-1], seen)
        if not went_on and before is not kept[-1]:
            kept.append(before)
        if not went_on or seen.time_s - kept[-1].time_s >= EVERY_S or seen is readings[-1]:
            kept.append(seen)
    return kept


def _confirmed(here: Sequence[SeenClock]) -> list[SeenClock]:
    """Readings that a neighbour confirms; a misread one stands alone."""
    good: set[int] = set()
    for number, reading in enumerate(here):
        for further in range(number + 1, min(number + 4, len(here))):
            if ticks(reading, here[further]):
                good |= {number, further}
    return [here[number] for number in sorted(good)]


def _own_days(dates: Sequence[Days]) -> list[date | None]:
    """Days of the readings; None for all where nothing tells a day from a month."""
    dated = [days for days in dates if days]
    votes = [sum(days[which] is not None for days in dated) for which in (0, 1)]
    if votes[0] == votes[1]:
        votes = [0, 0]
        for one, other in pairwise(dated):
            for which in (0, 1):
                a, b = one[which], other[which]
                votes[which] += a is not None and b is not None and b - a == timedelta(days=1)
    which = int(votes[1] > votes[0])
    settled = votes[0] != votes[1]
    return [days[which] if days and (settled or days[0] == days[1]) else None for days in dates]


def _days_from(readings: Sequence[SeenClock], alone: Sequence[Days]) -> list[date | None]:
    """Days of readings without one, from a date that stands elsewhere; it goes on at midnight."""
    known = {day for day in _own_days(alone) if day}
    day = min(known) if known and max(known) - min(known) <= timedelta(days=1) else None
    days: list[date | None] = []
    before = -1
    for seen in readings:
        if day and seen.reading.second < before:
            day += timedelta(days=1)
        before = seen.reading.second
        days.append(day)
    return days
