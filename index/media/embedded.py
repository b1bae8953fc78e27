"""Text streams and chapters inside a container, with exact times and their bytes untouched.

FFmpeg's own decoders lose voices and word times and refuse whatever is not UTF-8, so they
are asked only where a stream's bytes are no text.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from av.container import InputContainer
from av.stream import Discard, Disposition

from ..errors import MediaError
from .container import COVER, SOUND_CONTAINERS, open_container, open_side_text, open_video
from .packets import DECODE_ERRORS, drive_error

TEXTUAL = frozenset({"subrip", "webvtt", "text", "ass", "ssa", "mov_text"})
"""Codecs whose packets are the text itself."""
PICTURES = frozenset({"hdmv_pgs_subtitle", "dvd_subtitle", "dvb_subtitle", "xsub"})
"""Codecs whose packets are pictures of text."""
MOST_EVENTS = 300_000
MOST_BYTES = 64 << 20
_UNKNOWN = "unknown"
_DEMUX_ERRORS = 50


@dataclass(frozen=True)
class Event:
    """One packet of a text stream, in seconds of the container's clock."""

    start: Fraction
    end: Fraction | None
    """None where only the next one ends it."""
    data: bytes


@dataclass
class TextStream:
    """A stream of a container that holds text or pictures of text."""

    index: int
    codec: str
    language: str
    forced: bool
    events: list[Event] = field(default_factory=list)
    size_bytes: int = 0

    @property
    def readable(self) -> bool:
        """Whether its words can be had without reading pictures."""
        return self.codec not in PICTURES and self.codec != _UNKNOWN


@dataclass(frozen=True)
class NamedStretch:
    """A chapter, in seconds of the container's clock."""

    start: Fraction
    end: Fraction
    title: str


@dataclass(frozen=True)
class Origin:
    """Where two clocks begin, in seconds of the container's own."""

    container: Fraction
    """What players and side files count from."""
    picture: Fraction
    """The first presented frame; the first sound where there is no picture."""
    frames_per_s: float | None = None


def origin_of(path: bytes) -> Origin:
    """Where the clocks of a file begin.

    Raises:
        MediaError: The file cannot be opened, or has neither pictures nor sound.
    """
    try:
        with open_video(path) as video:
            begins = Fraction(video.container.start_time or 0, 1_000_000)
            if video.first.pts is None or video.stream.time_base is None:
                return Origin(begins, begins, video.info.fps)
            return Origin(begins, video.first.pts * video.stream.time_base, video.info.fps)
    except MediaError:
        with open_container(path, formats=SOUND_CONTAINERS) as container:
            pictured = any(not stream.disposition & COVER for stream in container.streams.video)
            if pictured or not container.streams.audio:
                raise
            begins = Fraction(container.start_time or 0, 1_000_000)
            return Origin(begins, begins)


@contextmanager
def open_texts(path: bytes) -> Iterator[tuple[list[TextStream], list[NamedStretch], EventReader]]:
    """The text streams and chapters of a file, and what reads the streams.

    Raises:
        MediaError: The file cannot be opened.
    """
    container = open_container(path, formats=SOUND_CONTAINERS)
    try:
        streams = [_described(stream) for stream in container.streams.subtitles]
        yield streams, _chapters(container), EventReader(container, streams)
    finally:
        container.close()


class EventReader:
    """Fills the readable streams of a container with their events."""

    def __init__(self, container: InputContainer, streams: list[TextStream]) -> None:
        self._container = container
        self._wanted = {stream.index: stream for stream in streams if stream.readable}

    def __call__(self, heartbeat: Callable[[], None]) -> None:
        """Reads the container once.

        Raises:
            MediaError: A stream holds more than any video says.
        """
        if not self._wanted:
            return
        skips = self._container.format.name.startswith("mov")
        # Others are read through whatever is wanted; their pictures show that work goes on.
        beats = set() if skips else {stream.index for stream in self._container.streams.video[:1]}
        for other in self._container.streams:
            if other.index not in self._wanted and other.index not in beats:
                other.discard = Discard.all
        picked = [s for s in self._container.streams if s.index in self._wanted or s.index in beats]
        errors = 0
        while errors < _DEMUX_ERRORS:
            try:
                for packet in self._container.demux(*picked):
                    heartbeat()
                    stream = self._wanted.get(packet.stream_index)
                    if packet.size and packet.pts is not None and stream is not None:
                        self._take(packet, stream)
                return
            except DECODE_ERRORS as error:
                gone = drive_error(Path(self._container.name), error)
                if gone is not None:
                    raise gone from error
                errors += 1

    def _take(self, packet: Any, stream: TextStream) -> None:
        start = packet.pts * packet.time_base
        end = start + packet.duration * packet.time_base if packet.duration else None
        for data in _texts(packet, stream.codec):
            stream.size_bytes += len(data)
            stream.events.append(Event(start, end, data))
        if len(stream.events) > MOST_EVENTS or stream.size_bytes > MOST_BYTES:
            raise MediaError(f"stream {stream.index} holds more text than any video")


def _texts(packet: Any, codec: str) -> list[bytes]:
    data = bytes(packet)
    if codec == "mov_text":
        length = int.from_bytes(data[:2], "big")
        return [data[2 : 2 + length]] if length else []
    if codec in TEXTUAL:
        return [data]
    try:
        return [event.ass for event in packet.decode() if hasattr(event, "ass")]
    except DECODE_ERRORS:
        return []


def _described(stream: Any) -> TextStream:
    context = stream.codec_context
    codec = context.codec.canonical_name if context is not None else _UNKNOWN
    forced = bool(stream.disposition & Disposition.forced)
    return TextStream(stream.index, codec, stream.language or "", forced)


def _chapters(container: InputContainer) -> list[NamedStretch]:
    found = []
    for chapter in container.chapters():
        base = chapter["time_base"] or Fraction(1)
        start, end = chapter["start"] * base, chapter["end"] * base
        found.append(NamedStretch(start, end, str(chapter["metadata"].get("title", ""))))
    return found


def side_events(text: str, format: str) -> list[Event]:
    """What a side file of one of FFmpeg's rarer formats says, as ASS events.

    Args:
        text: The whole file.
        format: FFmpeg's name of its format, ``microdvd``, ``sami``, ``mpl2``.

    Raises:
        MediaError: FFmpeg cannot read it.
    """
    found: list[Event] = []
    with contextlib.closing(open_side_text(text, format)) as container:
        for packet in container.demux(container.streams.subtitles[0]):
            if packet.pts is None or packet.time_base is None or len(found) >= MOST_EVENTS:
                continue
            start = packet.pts * packet.time_base
            end = start + packet.duration * packet.time_base if packet.duration else None
            found.extend(Event(start, end, data) for data in _texts(packet, format))
    return found
