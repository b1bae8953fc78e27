"""Captions that roll up, where each line is shown two or three times: said once again."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from .fitting import Shown
from .markup import Line

_HOLD_S = Fraction(15, 1000)
"""Machines write such cues between two real ones, only to keep the last line where it is."""
_FEWEST = 3
_SHARE = 0.4


def unroll(cues: Sequence[Shown]) -> tuple[tuple[Shown, ...], bool]:
    """Leaves of each cue only what the cue before it did not show.

    Only whole lines are compared, and only with the cue before: what somebody really says
    twice is said twice.

    Args:
        cues: In the order of the file.

    Returns:
        The cues, and whether they rolled; they come back as they were when they did not.
    """
    if not _rolls(cues):
        return tuple(cues), False
    kept: list[Shown] = []
    before: tuple[Line, ...] = ()
    for cue in cues:
        new = cue.lines[_overlap(before, cue.lines) :]
        before = cue.lines
        if new:
            kept.append(replace(cue, lines=new))
    ends = [*(cue.start for cue in kept[1:]), None]
    return tuple(_until(cue, end) for cue, end in zip(kept, ends, strict=True)), True


def _until(cue: Shown, next_start: Fraction | None) -> Shown:
    """A line stays while the next one is spoken; it was said before that."""
    if next_start is None or not cue.start < next_start < cue.end:
        return cue
    return replace(cue, end=next_start)


def _overlap(before: Sequence[Line], now: Sequence[Line]) -> int:
    """How many lines at the top were the last ones before; a line with times inside is new."""
    for count in range(min(len(before), len(now)), 0, -1):
        held = now[:count]
        same = all(a.text == b.text for a, b in zip(before[-count:], held, strict=True))
        if same and not any(line.times for line in held):
            return count
    return 0


def _rolls(cues: Sequence[Shown]) -> bool:
    pairs = repeated = 0
    for before, now in itertools.pairwise(cues):
        if not before.lines or not now.lines:
            continue
        pairs += 1
        overlap = _overlap(before.lines, now.lines)
        held = now.end - now.start <= _HOLD_S
        if overlap and (held or overlap < len(now.lines) or before.end - before.start <= _HOLD_S):
            repeated += 1
    if any(line.times for cue in cues for line in cue.lines):
        return repeated > 0
    return repeated >= _FEWEST and repeated >= _SHARE * pairs
