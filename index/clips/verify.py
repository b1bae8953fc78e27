"""Proves a clip by decoding it: as many frames as asked, at their times, both ends the same."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from .picture import Conversion
from .source import Cut, ShownFrame, frames_from

_CLOCK = Fraction(12, 10_000)
"""Matroska counts in milliseconds: two rounded times may differ by a little more than one."""
_LEAD_S = 3
_WORST_ERROR = 600.0
"""Mean squared error, of 255 steps, of a picture that is no longer the same: 20 dB."""
_SLACK = 1.1
"""How much nearer a neighbour may seem: in a still scene all neighbours are alike."""
_Values = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Verdict:
    """Whether the clip is what was asked for."""

    verified: bool
    note: str = ""
    """What differs; empty when verified."""


def verify(clip: Path, source: bytes, cut: Cut, lossless: bool) -> Verdict:
    """Compares a clip with its source, which is read anew and from an earlier place.

    Args:
        clip: The finished file.
        source: The video it was cut from.
        cut: What the clip should hold.
        lossless: Demand equal pictures; otherwise each must resemble the asked frame
            more than its neighbours.

    Returns:
        The verdict.

    Raises:
        MediaError: One of them cannot be read.
    """
    first, last, times = _read(clip)
    if first is None or last is None:
        return Verdict(False, "the clip has no frames")
    if len(times) != len(cut.times):
        return Verdict(False, f"the clip has {len(times)} frames, not {len(cut.times)}")
    for got, want in zip(times, cut.times, strict=True):
        if abs(got - max(want - cut.start, Fraction(0))) > _CLOCK:
            return Verdict(False, f"a frame is at {float(got):.3f} s of the clip, out of step")
    for name, frame, time in (("first", first, cut.times[0]), ("last", last, cut.times[-1])):
        around = _around(source, time)
        if around is None or not (_equal(frame, around) if lossless else _nearest(frame, around)):
            return Verdict(False, f"the {name} frame is not the one asked for")
    return Verdict(True)


def _read(clip: Path) -> tuple[av.VideoFrame | None, av.VideoFrame | None, list[Fraction]]:
    first: av.VideoFrame | None = None
    last: av.VideoFrame | None = None
    times = []
    for frame in frames_from(os.fsencode(clip), Fraction(0)):
        last = frame.picture
        first = first or last
        times.append(frame.start)
    return first, last, times


def _around(source: bytes, time: Fraction) -> list[ShownFrame] | None:
    """The frame at a time, first in the list, and its neighbours."""
    before: ShownFrame | None = None
    asked: ShownFrame | None = None
    for frame in frames_from(source, time, _LEAD_S):
        if asked is not None:
            return [near for near in (asked, before, frame) if near is not None]
        if frame.start == time:
            asked = frame
        elif frame.start > time:
            return None
        else:
            before = frame
    return [near for near in (asked, before) if near is not None] if asked else None


def _equal(frame: av.VideoFrame, around: list[ShownFrame]) -> bool:
    asked = around[0].picture
    same_kind = (frame.format.name, frame.width, frame.height) == (
        asked.format.name,
        asked.width,
        asked.height,
    )
    return same_kind and np.array_equal(_exact_values(frame), _exact_values(asked))


def _exact_values(frame: av.VideoFrame) -> npt.NDArray[np.generic]:
    return frame.to_ndarray(format="yuv444p16le")


def _nearest(frame: av.VideoFrame, around: list[ShownFrame]) -> bool:
    convert = Conversion(around[0].picture)
    ours = _values(frame)
    errors = []
    for near in around:
        theirs = _values(convert(near.picture))
        if theirs.shape != ours.shape:
            return False
        errors.append(float(np.mean((ours - theirs) ** 2)))
    return errors[0] <= min([_WORST_ERROR, *(1 + _SLACK * other for other in errors[1:])])


def _values(frame: av.VideoFrame) -> _Values:
    return frame.to_ndarray(format="yuv420p").astype(np.float32)
