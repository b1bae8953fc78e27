"""Reads the screen of one video: which pictures, which places of them, and what stood there.

Reading a picture costs as much as decoding twenty, so a picture is read when it shows
something new; where only lines changed that are known, those places are read alone: a score,
a page number. A burnt-in clock changes all the time and is read once a minute. Where all of
the picture changes all the time, a budget says how often it is read, and the answer says for
how much of the video it speaks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ..passages import Passage, ReadLine, ScreenReader, TextSource, TextTrack
from .screen_change import Cells, Grey, cells_of, changed_cells, grey
from .screen_clock import (
    EVERY_S as CLOCK_EVERY_S,
)
from .screen_clock import (
    BurntInClock,
    ClockReading,
    Days,
    SeenClock,
    burnt_in_clock,
    clock_of,
    days_of,
    ticks,
)
from .screen_lines import (
    REJOIN_S,
    SAME_PLACE,
    Box,
    StandingLines,
    in_order,
    joined,
    legible,
    overlap,
)

_CLOCK_TRIES = 5
_AROUND = 2
"""Places around a line, of `screen_change`, in which its change may show."""
_MOST_PLACES = 6
_WORTH_SAYING_S = 2.5
_LARGEST_SHARE = 0.2
"""More of the picture than this is read as a whole."""


class Budget:
    """How often a picture that changes all the time is read."""

    EVERY_S = 4.0
    """Seconds of video for each reading of a whole picture, on average."""
    IDLE_EVERY_S = 6.0
    """The same, where the last readings found no line that was not there before."""
    _SAVED = 10.0
    """Readings that may be saved up: slides that are leafed through are all read."""
    _IDLE = 3

    def __init__(self) -> None:
        self._saved = self._SAVED
        self._at_s: float | None = None
        self._idle = 0

    def allows(self, time_s: float, cost: float = 1.0) -> bool:
        """Whether the picture at a time may be read; what it costs is taken then."""
        if self._at_s is not None:
            every_s = self.IDLE_EVERY_S if self._idle >= self._IDLE else self.EVERY_S
            self._saved = min(self._SAVED, self._saved + (time_s - self._at_s) / every_s)
        self._at_s = time_s
        if self._idle >= self._IDLE:
            self._saved = min(self._saved, 1.0)
        if self._saved < cost:
            return False
        self._saved -= cost
        return True

    def found(self, new_lines: int) -> None:
        """What reading a whole picture gave."""
        self._idle = 0 if new_lines else self._idle + 1


@dataclass(frozen=True)
class _Change:
    """What is to be read of a picture."""

    boxes: tuple[Box, ...] | None
    """Places of known lines that alone have changed; None for all of the picture."""

    @property
    def cost(self) -> float:
        return 1.0 if self.boxes is None else 0.1 * len(self.boxes)


class ScreenReading:
    """What stands on the screen of one video; told its samples in order of time."""

    def __init__(self, reader: ScreenReader, start_s: float = 0.0) -> None:
        """Begins.

        Args:
            reader: Asked on the thread that calls `see`.
            start_s: Where an earlier reading of this video got to.
        """
        self._reader = reader
        self._lines = StandingLines()
        self._budget = Budget()
        self._read: Grey | None = None
        self._waiting: npt.NDArray[np.uint8] | None = None
        self._known = self._missed = False
        self._at_s = self._taken_s = start_s
        self._covered_s = self._spoken_s = start_s
        self._seen: list[SeenClock] = []
        self._days: list[Days] = []
        self._clocks: list[Box] = []
        self._clock_read_s = 0.0
        self._longest_s = 0.0

    def see(self, time_s: float, picture: npt.NDArray[np.uint8] | None) -> None:
        """The next sample.

        Args:
            time_s: Its time.
            picture: Upright RGB uint8 [H, W, 3]; None where it looks as the last one that came.
        """
        self._at_s = time_s
        if self._known and picture is None:
            self._lines.hold(time_s)
            self._speak_until(time_s)
            return
        # One that was not read for want of budget may stand there still.
        picture = self._waiting if picture is None else picture
        if picture is None:
            return
        now = grey(picture)
        change = self._change(time_s, now)
        if change is None:
            self._known = True
            self._waiting = None
            self._lines.hold(time_s)
            self._speak_until(time_s)
        elif self._budget.allows(time_s, change.cost):
            self._read_picture(time_s, picture, change)
            self._read, self._known, self._waiting = now, True, None
            self._speak_until(time_s)
        else:
            self._waiting = picture
            self._lines.lose(time_s)
            self._known, self._missed = False, True

    @property
    def at_s(self) -> float:
        """Time of the last sample."""
        return self._at_s

    def track(self, end_s: float) -> TextTrack:
        """What was seen until a time and is in no track that was asked for before."""
        self._at_s = end_s = max(end_s, self._at_s)
        if self._read is not None:
            self._speak_until(end_s)
        clock = burnt_in_clock(self._seen, self._days)
        passages = self._lines.take(end_s)
        times = () if clock is None else clock.times
        fresh = tuple((time_s, shown) for time_s, shown in times if time_s >= self._taken_s)
        self._taken_s = end_s
        return TextTrack(
            source=source_of(self._reader),
            passages=passages if clock is None else _without_clock(passages, clock),
            covered_s=min(self._covered_s, end_s),
            notes=self._notes(),
            clock=fresh,
        )

    def _speak_until(self, time_s: float) -> None:
        """What was read holds until now; between readings that are near, nothing much is missed."""
        gap_s = time_s - self._spoken_s
        if self._missed:
            self._longest_s = max(self._longest_s, gap_s)
        if not self._missed or gap_s <= REJOIN_S:
            self._covered_s += gap_s
        self._spoken_s, self._missed = time_s, False

    def _notes(self) -> tuple[str, ...]:
        if self._longest_s < _WORTH_SAYING_S:
            return ()
        return (
            "the picture changes too often to read all of it: words that it showed for less "
            f"than {self._longest_s:.0f} seconds may be missing",
        )

    def _change(self, time_s: float, now: Grey) -> _Change | None:
        """What to read anew; None when the picture shows what was read of it."""
        if self._read is None:
            return _Change(None)
        changed = changed_cells(now, self._read)
        for box in self._clocks:
            changed[cells_of(box, _AROUND)] = False
        boxes = _places(changed, self._lines.boxes)
        if boxes is None:
            return _Change(None)
        if self._clocks and time_s - self._clock_read_s >= CLOCK_EVERY_S:
            boxes += tuple(box for box in self._clock_lines() if box not in boxes)
        return _Change(boxes) if boxes else None

    def _clock_lines(self) -> list[Box]:
        """Places of the clocks, where the last reading had them."""
        standing = self._lines.boxes
        return [
            next((box for box in standing if overlap(box, clock) > SAME_PLACE), clock)
            for clock in self._clocks
        ]

    def _read_picture(self, time_s: float, picture: npt.NDArray[np.uint8], change: _Change) -> None:
        aspect = picture.shape[1] / picture.shape[0]
        if change.boxes is None:
            lines = joined(legible(self._reader.read(picture)), aspect)
            self._budget.found(self._lines.show(time_s, lines))
        else:
            found = [line for box in change.boxes for line in self._read_place(picture, box)]
            lines = joined(found, aspect)
            self._lines.replace(time_s, change.boxes, lines)
        for line in lines:
            self._note_clock(time_s, line)

    def _read_place(self, picture: npt.NDArray[np.uint8], box: Box) -> list[ReadLine]:
        """Lines in a part of a picture, in shares of all of it."""
        height, width = picture.shape[:2]
        margin = 0.7 * (box[3] - box[1]) * height
        left, right = max(0, int(box[0] * width - margin)), int(box[2] * width + margin) + 1
        top, bottom = max(0, int(box[1] * height - margin)), int(box[3] * height + margin) + 1
        part = np.ascontiguousarray(picture[top:bottom, left:right])
        high, wide = part.shape[:2]
        return [
            replace(
                line,
                box=(
                    (left + line.box[0] * wide) / width,
                    (top + line.box[1] * high) / height,
                    (left + line.box[2] * wide) / width,
                    (top + line.box[3] * high) / height,
                ),
            )
            for line in legible(self._reader.read(part))
        ]

    def _note_clock(self, time_s: float, line: ReadLine) -> None:
        if days := days_of(line.body):
            self._days.append(days)
        reading = clock_of(line.body)
        if reading is None:
            return
        seen = SeenClock(time_s, line.box, reading)
        near = [old for old in self._seen if overlap(old.box, line.box) > SAME_PLACE]
        self._seen.append(seen)
        if any(overlap(box, line.box) > SAME_PLACE for box in self._clocks):
            self._clock_read_s = time_s
        elif any(ticks(old, seen) for old in near[-_CLOCK_TRIES:]):
            self._clocks.append(line.box)
            self._clock_read_s = time_s


def source_of(reader: ScreenReader) -> TextSource:
    """What the store calls a reading of the screen."""
    return TextSource("screen", "read", "machine", engine=reader.engine)


def _places(changed: Cells, boxes: Sequence[Box]) -> tuple[Box, ...] | None:
    """Known lines in which alone something changed; None when something else did."""
    touched = []
    for box in boxes:
        place = cells_of(box, _AROUND)
        if changed[place].any():
            touched.append(box)
    left = changed.copy()
    for box in touched:
        left[cells_of(box, _AROUND)] = False
    area = sum((box[2] - box[0]) * (box[3] - box[1]) for box in touched)
    if left.any() or len(touched) > _MOST_PLACES or area > _LARGEST_SHARE:
        return None
    return tuple(touched)


def _without_clock(passages: Sequence[Passage], clock: BurntInClock) -> tuple[Passage, ...]:
    """Passages but those that are the clock; what else its line says stays, as one line."""
    kept: list[Passage] = []
    beside: dict[str, Passage] = {}
    for passage in passages:
        reading = _clock_at(passage, clock.box)
        if reading is None:
            kept.append(passage)
        elif reading.rest:
            first = beside.get(reading.rest, passage)
            beside[reading.rest] = replace(first, body=reading.rest, end_s=passage.end_s)
    return in_order([*kept, *beside.values()])


def _clock_at(passage: Passage, box: Box) -> ClockReading | None:
    if passage.box is None or overlap(passage.box, box) <= SAME_PLACE:
        return None
    return clock_of(passage.body)
