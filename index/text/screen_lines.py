"""Lines of text on the screen: boxes joined to lines, and lines followed over time."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from ..passages import Passage, ReadLine

Box = tuple[float, float, float, float]
"""Left, top, right and bottom as shares of the picture."""

SAME_PLACE = 0.5
"""Intersection over union from which two boxes are one place."""
_MOST_EDITS = 0.1
"""Share of a line's letters that may be read differently from picture to picture."""
_WORD_GAP = 0.9
"""Widest space between two boxes of one line, in heights of the line."""
_SURE = ((1, 0.95), (3, 0.8))
"""Confidence from which so few letters or digits, or fewer, are text."""
_LONG_SURE = 0.6
"""The same of longer lines."""
REJOIN_S = 15.0
"""A line that one reading missed, or that nobody looked at for so long, has stayed."""


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes, 0 to 1."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    if wide <= 0 or high <= 0:
        return 0.0
    return wide * high / (_area(one) + _area(other) - wide * high)


def legible(lines: Iterable[ReadLine]) -> tuple[ReadLine, ...]:
    """Lines without those that are no text: a reader finds letters in folds and in leaves."""
    return tuple(line for line in lines if line.confidence >= _least_confidence(line.body))


def _least_confidence(body: str) -> float:
    letters = sum(letter.isalnum() for letter in body)
    return next((least for most, least in _SURE if letters <= most), _LONG_SURE)


def in_order(passages: Iterable[Passage]) -> tuple[Passage, ...]:
    """Passages by time, and of one time from top to bottom."""
    return tuple(sorted(passages, key=lambda p: (p.start_s, *((p.box or ())[1:2]), p.end_s)))


def joined(lines: Iterable[ReadLine], aspect: float) -> tuple[ReadLine, ...]:
    """Pieces that stand side by side as the lines that they make, from top to bottom.

    Args:
        lines: As a reader gives them: a line may come in several boxes.
        aspect: Width of the picture over its height.
    """
    made: list[ReadLine] = []
    for line in sorted(lines, key=lambda line: line.box[0]):
        before = next((other for other in made if _continues(other.box, line.box, aspect)), None)
        if before is None:
            made.append(line)
        else:
            made[made.index(before)] = _together(before, line)
    return tuple(sorted(made, key=lambda line: (line.box[1], line.box[0])))


def _continues(left: Box, right: Box, aspect: float) -> bool:
    """Whether the second box goes on in the line of the first."""
    high, higher = sorted((left[3] - left[1], right[3] - right[1]))
    shared = min(left[3], right[3]) - max(left[1], right[1])
    gap = (right[0] - left[2]) * aspect
    return shared > 0.6 * high and higher < 1.6 * high and -0.5 * high < gap < _WORD_GAP * high


def _together(left: ReadLine, right: ReadLine) -> ReadLine:
    a, b = left.box, right.box
    letters = len(left.body), len(right.body)
    return ReadLine(
        body=f"{left.body} {right.body}",
        confidence=(left.confidence * letters[0] + right.confidence * letters[1]) / sum(letters),
        box=(min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])),
    )


def same_words(one: str, other: str) -> bool:
    """Whether two readings are of one line: alike but for a few letters, the same in every digit.

    One digit more is another score, another page or another plate.
    """
    if _digits(one) != _digits(other):
        return False
    most = int(_MOST_EDITS * max(len(one), len(other)))
    return one == other or (abs(len(one) - len(other)) <= most and edits(one, other) <= most)


def _digits(body: str) -> str:
    return re.sub(r"\D", "", body)


def edits(one: str, other: str) -> int:
    """Letters to add, drop or exchange to make one text the other."""
    row = list(range(len(other) + 1))
    for number, letter in enumerate(one, 1):
        diagonal, row[0] = row[0], number
        for place, against in enumerate(other, 1):
            diagonal, row[place] = (
                row[place],
                min(row[place] + 1, row[place - 1] + 1, diagonal + (letter != against)),
            )
    return row[-1]


@dataclass(eq=False)
class _Stay:
    """A line at one place, from when it was first seen."""

    start_s: float
    end_s: float
    box: Box
    readings: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Confidences of each way in which it was read."""

    @property
    def body(self) -> str:
        """As most readings have it; of two as frequent, the surer."""
        return max(self.readings, key=lambda body: (len(self.readings[body]), self._sure(body)))

    def _sure(self, body: str) -> float:
        return sum(self.readings[body]) / len(self.readings[body])

    def passage(self) -> Passage:
        body = self.body
        return Passage(
            self.start_s,
            self.end_s,
            body,
            confidence=self._sure(body),
            quality="cue",
            box=self.box,
        )


class StandingLines:
    """Follows the lines of one video in order of time: one passage for each line and stay."""

    def __init__(self) -> None:
        self._open: list[_Stay] = []
        self._left: list[_Stay] = []
        self._known = False

    @property
    def boxes(self) -> tuple[Box, ...]:
        """Places of the lines that stand there now."""
        return tuple(stay.box for stay in self._open)

    def show(self, time_s: float, lines: Sequence[ReadLine]) -> int:
        """All lines of the picture from this time on; returns how many stood nowhere before."""
        if not self._known:
            self._left, self._open = [*self._left, *self._open], []
        recent = [stay for stay in self._left if time_s - stay.end_s <= REJOIN_S]
        before, now = [*self._open, *recent], []
        new = 0
        for line in lines:
            stay = _matching(line, before)
            if stay is None:
                stay = _Stay(time_s, time_s, line.box)
                new += 1
            else:
                before.remove(stay)
            stay.readings[line.body].append(line.confidence)
            stay.box, stay.end_s = line.box, time_s
            now.append(stay)
        self.hold(time_s)
        gone = [stay for stay in self._open if stay in before]
        self._left = [stay for stay in self._left if stay not in now] + gone
        self._open, self._known = now, True
        return new

    def replace(self, time_s: float, boxes: Sequence[Box], lines: Sequence[ReadLine]) -> None:
        """Some places show these lines from this time on; the others show what they showed."""
        rest = [stay for stay in self._open if stay.box not in boxes]
        self._open = [stay for stay in self._open if stay.box in boxes]
        self._known = True
        self.show(time_s, lines)
        self._open += rest
        self.hold(time_s)

    def hold(self, time_s: float) -> None:
        """The picture shows until now what it showed at the last reading."""
        for stay in self._open:
            stay.end_s = time_s

    def lose(self, time_s: float) -> None:
        """The picture has changed and nobody reads it."""
        if self._known:
            self.hold(time_s)
        self._known = False

    def take(self, end_s: float) -> tuple[Passage, ...]:
        """All passages until now, in order of time; lines that stand there go on as new ones."""
        if self._known:
            self.hold(end_s)
        stays = [*self._left, *self._open]
        self._left = []
        self._open = [replace(stay, start_s=end_s, end_s=end_s) for stay in self._open]
        return in_order(stay.passage() for stay in stays if stay.end_s > stay.start_s)


def _matching(line: ReadLine, stays: Iterable[_Stay]) -> _Stay | None:
    near = [stay for stay in stays if overlap(line.box, stay.box) > SAME_PLACE]
    return next((stay for stay in near if same_words(line.body, stay.body)), None)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
