"""Exact presentation times, and the choice of the frames nearest to a grid of seconds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Generic, TypeVar

Item = TypeVar("Item")
_GLITCH_S = Fraction(1, 2)
_DAY_S = Fraction(86_400)
_DISCONTINUITY_S = Fraction(10)
DECLARING = frozenset({"mov", "matroska", "avi", "flv", "asf", "mxf"})
"""Formats whose declared length is worth something."""


def largest_gap(format: str, declared_s: Fraction | None) -> Fraction:
    """Seconds between two frames beyond which the clock was reset rather than the picture held.

    Broadcast formats reset their clock where recordings are joined; elsewhere
    a long gap is a picture that stands still, unless it is absurd.
    """
    if format in ("mpegts", "mpeg", "wtv"):
        return _DISCONTINUITY_S
    return max(declared_s, Fraction(3600)) if declared_s is not None else _DAY_S


def frame_length(rate: Fraction | None) -> Fraction:
    """Seconds that a frame lasts at a declared rate; 1/25 where the rate makes no sense."""
    if rate is None or not Fraction(1, 100) <= rate <= 1000:
        return Fraction(1, 25)
    return 1 / Fraction(rate)


class Clock:
    """Turns the stamps of frames in presentation order into seconds from the first one.

    Times never fall: small steps back stand still, and a clock that was reset
    (joined recordings) goes on where the last frame ended.

    Attributes:
        end: Seconds at which the last frame read so far ends.
        approximate: Whether a stamp was missing and the frame rate stood in for it.
    """

    def __init__(
        self,
        time_base: Fraction,
        nominal: Fraction,
        gap: Fraction,
        origin: int | None = None,
    ) -> None:
        self._time_base = time_base
        self._nominal = nominal
        self._gap = gap
        self._origin = None if origin is None else origin * time_base
        self._last: Fraction | None = None
        self.end = Fraction(0)
        self.approximate = False

    def read(self, stamp: int | None, duration: int | None) -> Fraction:
        """Seconds of the next frame, from its stamp and duration in time-base units."""
        length = (duration or 0) * self._time_base
        if not 0 < length <= self._gap:
            length = self._nominal
        time = self._time(stamp)
        self._last = time
        self.end = max(self.end, time + length)
        return time

    def _time(self, stamp: int | None) -> Fraction:
        if stamp is None:
            self.approximate = True
            return self._after_last()
        seconds = stamp * self._time_base
        if self._origin is None:
            self._origin = seconds - self._after_last()
        time = seconds - self._origin
        if self._last is None:
            return max(time, Fraction(0))
        if self._last - _GLITCH_S <= time <= self._last + self._gap:
            return max(time, self._last)
        expected = self._after_last()
        self._origin = seconds - expected
        return expected

    def _after_last(self) -> Fraction:
        return Fraction(0) if self._last is None else max(self.end, self._last)


@dataclass
class Choice(Generic[Item]):
    """A chosen frame: its time in seconds, the frame, and the first grid number it answers."""

    time: Fraction
    item: Item
    number: int


class Chooser(Generic[Item]):
    """Picks for every multiple of a step the nearest frame, the earlier one of two equally near.

    Frames come in presentation order; a frame is picked at most once.
    """

    def __init__(
        self,
        step: Fraction,
        first: int,
        end: Fraction | None = None,
        after: Fraction | None = None,
    ) -> None:
        self._step = step
        self._number = first
        self._end = end
        self._after = after
        self._last: tuple[Fraction, Item] | None = None

    @property
    def target(self) -> Fraction:
        """Seconds of the next grid point."""
        return self._number * self._step

    @property
    def done(self) -> bool:
        """Whether every grid point of the range has its frame."""
        return self._end is not None and self.target >= self._end

    def feed(self, time: Fraction, item: Item) -> Iterator[Choice[Item]]:
        """Takes the next frame; yields the choices that it settles, at most two."""
        if self._last is None:
            if self.target <= time and not self.done:
                yield from self._pick(time, item)
                self._skip_to(time)
        elif time <= self._last[0]:
            return
        elif self.target <= time and not self.done:
            middle = (self._last[0] + time) / 2
            if self.target <= middle:
                yield from self._pick(*self._last)
                self._skip_to(middle)
            if self.target <= time and not self.done:
                yield from self._pick(time, item)
                self._skip_to(time)
        self._last = (time, item)

    def finish(self, end: Fraction) -> Iterator[Choice[Item]]:
        """No frame follows the last one, which ends at ``end``: grid points before it are its."""
        if self._last is not None and self.target < end and not self.done:
            yield from self._pick(*self._last)
            self._number = max(self._number, math.ceil(end / self._step))

    def _pick(self, time: Fraction, item: Item) -> Iterator[Choice[Item]]:
        if self._after is None or time > self._after:
            self._after = time
            yield Choice(time, item, self._number)

    def _skip_to(self, time: Fraction) -> None:
        self._number = max(self._number, math.floor(time / self._step) + 1)
