"""Reads a source from an asked time on: its frames and the stretch in which each is shown."""

from __future__ import annotations

import contextlib
import heapq
import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
from av.stream import Stream

from ..errors import MediaError
from ..files import shown
from ..media.container import OpenVideo, declared_duration, open_video
from ..media.joined import joints
from ..media.timeline import Clock, frame_length, largest_gap

ROUNDING = Fraction(6, 10_000)
"""Asked times come rounded to milliseconds; a frame this close to one is meant by it."""
HELD = Fraction(1, 2)
"""A frame on screen for longer than this beyond an asked point is cut at that point."""
BACK_OFF_S = (0, 2, 20)
"""How much earlier to enter a file where the place asked for turns out too late."""
_REORDER = 16
"""Most frames that any codec holds back to put them in order."""


@dataclass(frozen=True)
class ShownFrame:
    """One decoded frame and when it is on screen, seconds from the first presented frame."""

    picture: av.VideoFrame
    start: Fraction
    end: Fraction


@dataclass(frozen=True)
class Cut:
    """What a clip really holds, in exact seconds of the source."""

    start: Fraction
    end: Fraction
    times: tuple[Fraction, ...]
    """Start of each frame in the source; the first may lie before ``start``."""
    notes: tuple[str, ...] = ()

    @property
    def length(self) -> Fraction:
        """Seconds that the clip lasts."""
        return self.end - self.start


class Source:
    """An open video whose times count from its first presented frame."""

    def __init__(self, video: OpenVideo) -> None:
        self.video = video
        self.tick = video.stream.time_base or Fraction(1, 90_000)
        self.zero = video.first.pts
        """First presented pts; None where the container knows no times."""
        self.frame_s = frame_length(video.stream.average_rate or video.stream.guessed_rate)
        """Seconds between frames, nominally."""
        self._gap = largest_gap(video.format, declared_duration(video.container, video.stream))

    @property
    def offset_s(self) -> Fraction:
        """Time of the first presented frame on the container's clock."""
        return (self.zero or 0) * self.tick

    @property
    def sounds(self) -> list[Stream]:
        """Sound streams that can be decoded."""
        streams = self.video.container.streams.audio
        return [stream for stream in streams if stream.codec_context is not None]

    @property
    def notes(self) -> tuple[str, ...]:
        """What a clip of this source has to do without."""
        lost = len(self.video.container.streams.audio) - len(self.sounds)
        return (f"{lost} sound tracks of an unknown codec were left out",) if lost else ()

    def enter(self, at: Fraction | None) -> bool:
        """Goes to a key frame at or before a time (None: the first byte); False if it cannot."""
        if at is None:
            self.video.rewind()
            return True
        if self.zero is None:
            return False
        try:
            target = self.zero + int(at / self.tick)
            self.video.container.seek(target, stream=self.video.stream, backward=True)
        except (av.FFmpegError, OSError):
            return False
        return True

    def packets(self, stream: Stream | None = None) -> Iterator[av.Packet[Stream]]:
        """Packets of a stream, the picture by default, as stored."""
        wanted = self.video.stream if stream is None else stream
        return (packet for packet in self.video.container.demux(wanted) if packet.size)

    def frames(self) -> Iterator[tuple[Fraction, av.VideoFrame]]:
        """Decoded frames with their times; damaged packets are passed over."""
        clock = Clock(self.tick, self.frame_s, self._gap, self.zero)
        for pts, frame in self._stamped():
            yield clock.read(pts, frame.duration), frame

    def _stamped(self) -> Iterator[tuple[int | None, av.VideoFrame]]:
        frames = self._decoded()
        if self.video.format != "avi":
            yield from ((frame.pts, frame) for frame in frames)
            return
        # AVI stamps packets in decoding order; frames come out in order, so their stamps
        # need only be sorted.
        waiting: deque[av.VideoFrame] = deque()
        stamps: list[int] = []
        for frame in frames:
            waiting.append(frame)
            if frame.pts is not None:
                heapq.heappush(stamps, frame.pts)
            if len(waiting) > _REORDER:
                yield (heapq.heappop(stamps) if stamps else None), waiting.popleft()
        for frame in waiting:
            yield (heapq.heappop(stamps) if stamps else None), frame

    def _decoded(self) -> Iterator[av.VideoFrame]:
        packets = self.video.container.demux(self.video.stream)
        while True:
            try:
                packet = next(packets)
            except (StopIteration, av.InvalidDataError):
                # Unreadable from here on: what was read so far is still worth having.
                return
            try:
                yield from packet.decode()
            except (av.FFmpegError, ValueError):
                continue


@contextlib.contextmanager
def open_source(path: bytes) -> Iterator[Source]:
    """Opens a source for cutting; errors as `open_video`."""
    with open_video(path) as video:
        yield Source(video)


def entries(at: Fraction, lead_s: int = 0) -> Iterator[Fraction | None]:
    """Places to enter a file, nearest first, the first byte last."""
    for back_s in BACK_OFF_S:
        if back_s + lead_s < at:
            yield at - back_s - lead_s
    yield None


def frames_from(path: bytes, at: Fraction, lead_s: int = 0) -> Iterator[ShownFrame]:
    """Decodes from a key frame at or before a time.

    Args:
        path: The source.
        at: Seconds from the first presented frame.
        lead_s: Enter the file at least this much earlier.

    Yields:
        Frames in order of presentation; the first starts at or before ``at``, unless
        the whole video starts later.

    Raises:
        MediaError: The source cannot be opened.
    """
    for place in [None] if joints(path).joined else entries(at, lead_s):
        with open_source(path) as source:
            if not source.enter(place):
                continue
            frames = _with_ends(source.frames(), source.frame_s)
            first = next(frames, None)
            if place is not None and (first is None or first.start > at + ROUNDING):
                continue
            if first is not None:
                yield first
                yield from frames
            return


def _with_ends(
    frames: Iterable[tuple[Fraction, av.VideoFrame]], frame_s: Fraction
) -> Iterator[ShownFrame]:
    previous: tuple[Fraction, av.VideoFrame] | None = None
    for start, picture in frames:
        if previous is not None:
            if start <= previous[0]:
                continue
            yield ShownFrame(previous[1], previous[0], start)
        previous = start, picture
    if previous is not None:
        start, picture = previous
        own = Fraction(picture.duration or 0) * (picture.time_base or 0)
        yield ShownFrame(picture, start, start + (own or frame_s))


def within(frames: Iterable[ShownFrame], start: Fraction, end: Fraction) -> Iterator[ShownFrame]:
    """The frames that are on screen in ``[start, end)``: the one shown at ``start`` is first."""
    after = itertools.dropwhile(lambda frame: frame.end <= start + ROUNDING, frames)
    return itertools.takewhile(lambda frame: frame.start < end - ROUNDING, after)


def in_point(first_start: Fraction, start: Fraction) -> Fraction:
    """Where a clip begins: whole frames, but a long-held picture is cut at the asked time."""
    return start if start - first_start > HELD else first_start


def out_point(last_end: Fraction, end: Fraction) -> Fraction:
    """Where a clip ends: whole frames, but a long-held picture is cut at the asked time."""
    return end if last_end - end > HELD else last_end


def nothing_there(path: bytes, start: Fraction) -> MediaError:
    """The error for an in point at or past the end of the video."""
    return MediaError(
        f"{shown(path)} has no frame at {float(start):.3f} s or later",
        "index the video again, it may have become shorter",
    )
