"""Broadcast recordings that were joined by appending files: their clock starts anew inside."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from fractions import Fraction

from ..files import FileStat
from .container import open_video
from .timeline import frame_length, largest_gap

_FORMATS = frozenset(["mpegts", "mpeg"])
_BACK_S = Fraction(1, 2)


@dataclass
class _Part:
    """A stretch with one clock, in seconds of that clock."""

    first: Fraction
    end: Fraction


@dataclass(frozen=True)
class Joints:
    """What to add to the container's clock in each part of a file, in order."""

    offsets_s: tuple[Fraction, ...]
    gap: Fraction

    @property
    def joined(self) -> bool:
        """Whether there is more than one part."""
        return len(self.offsets_s) > 1


def joints(path: bytes) -> Joints:
    """Looks through a file, without decoding, for places where its clock starts anew.

    Only formats that people join by appending are read through, once per state of the
    file; all others have one part.
    """
    return _joints(path, FileStat.read(path))


@functools.lru_cache(maxsize=64)
def _joints(path: bytes, state: FileStat) -> Joints:
    with open_video(path) as video:
        tick = video.stream.time_base or Fraction(1, 90_000)
        gap = largest_gap(video.format, None)
        nominal = frame_length(video.stream.average_rate or video.stream.guessed_rate)
        origin = (video.first.pts or 0) * tick
        if video.format not in _FORMATS or video.first.pts is None:
            return Joints((-origin,), gap)
        video.rewind()
        parts: list[_Part] = []
        previous: Fraction | None = None
        for packet in video.container.demux(video.stream):
            if packet.pts is None or packet.dts is None:
                continue
            start, decoded = packet.pts * tick, packet.dts * tick
            end = start + ((packet.duration or 0) * tick or nominal)
            if previous is None or jumps(previous, decoded, gap):
                parts.append(_Part(start, end))
            part = parts[-1]
            part.first, part.end = min(part.first, start), max(part.end, end)
            previous = decoded
    offsets = [-origin]
    for before, after in itertools.pairwise(parts):
        offsets.append(before.end + offsets[-1] - after.first)
    return Joints(tuple(offsets), gap)


def jumps(previous: Fraction, now: Fraction, gap: Fraction) -> bool:
    """Whether a clock that showed one time and then the other was reset in between."""
    return not previous - _BACK_S <= now <= previous + gap
