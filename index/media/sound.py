"""What a container sounds like: one channel at 16 kHz, in pieces with their true times.

Times are those of the packets, never a count of samples: sound begins late, has holes
and is joined like pictures are, and words found in it must lie beside what was seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition

from ..errors import MediaError
from ..passages import Sound
from .container import COVER, SOUND_CONTAINERS, open_container
from .joined import Joints, joints, jumps
from .packets import DECODE_ERRORS, drive_error
from .timeline import largest_gap

RATE = 16_000
"""Samples a second of all sound that leaves here."""
_PIECE_S = 30
_HOLE_S = 0.1
"""A larger step between two frames is a hole, or a clock that was set; smaller ones jitter."""
_LEAD_S = 2
"""How much earlier decoding starts: files interleave loosely."""
_WRAP_S = Fraction(2**33, 90_000)
"""After which the clock of a broadcast begins anew."""
_ERRORS_IN_A_ROW = 50
_SECONDARY = Disposition.dependent | Disposition.visual_impaired | Disposition.comment


def sound_pieces(
    path: bytes,
    start_s: float = 0.0,
    heartbeat: Callable[[], None] = lambda: None,
    opened: Callable[[], None] = lambda: None,
) -> Iterator[tuple[float, Sound]]:
    """The main sound of a file, in order of time; nothing where it has none.

    Args:
        path: A video, or a file of sound alone.
        start_s: From where on, in seconds from the first presented frame; from the first
            sound where there is no picture.
        heartbeat: Called while work goes on.
        opened: Called once the file's tables were read.

    Yields:
        Pieces of up to 30 s with the time at which each begins. A piece ends early at a hole.

    Raises:
        MediaError: The file cannot be opened, or its sound cannot be decoded.
    """
    parts = _parts(path)
    begin = Fraction(start_s)
    for lead_s in (_LEAD_S, None):
        place = None if lead_s is None or begin <= lead_s else begin - lead_s
        with closing(open_container(path, formats=SOUND_CONTAINERS)) as container:
            opened()
            stream = main_sound(container)
            if stream is None:
                return
            if place is not None and (parts is None or not _enter(container, parts, place)):
                continue
            frames = _timed(container, stream, parts, heartbeat)
            first = next(frames, None)
            if place is not None and (first is None or first[0] > begin):
                continue  # the index led past it: read from the beginning
            if first is not None:
                collected = _Collected(begin)
                for time, frame in _chained(first, frames):
                    yield from collected.add(time, frame)
                yield from collected.rest()
            return


def _parts(path: bytes) -> Joints | None:
    """How times of the container become ours; None where there is no picture to count from."""
    with closing(open_container(path, formats=SOUND_CONTAINERS)) as container:
        pictured = any(not stream.disposition & COVER for stream in container.streams.video)
    return joints(path) if pictured else None


def main_sound(container: InputContainer) -> AudioStream | None:
    """The stream that a player would choose.

    Raises:
        MediaError: None of the streams can be decoded.
    """
    streams = container.streams.audio
    known = [stream for stream in streams if stream.codec_context is not None]
    if not known:
        if streams:
            raise MediaError(
                f"{Path(container.name)}: the codec of its sound is not supported",
                "Convert the sound to AAC, or put a subtitle file beside the video.",
            )
        return None

    def rank(stream: AudioStream) -> tuple[bool, bool, int]:
        shown = stream.disposition
        return not shown & _SECONDARY, bool(shown & Disposition.default), -stream.index

    chosen = max(known, key=rank)
    chosen.codec_context.thread_count = 1
    return chosen


def _enter(container: InputContainer, parts: Joints, place: Fraction) -> bool:
    """Goes to a place in the file; False where its clock says little about places."""
    if parts.joined:
        return False
    try:
        container.seek(int((place - parts.offsets_s[0]) * 1_000_000), backward=True)
    except DECODE_ERRORS:
        return False
    return True


def _chained(
    first: tuple[Fraction, av.AudioFrame], rest: Iterator[tuple[Fraction, av.AudioFrame]]
) -> Iterator[tuple[Fraction, av.AudioFrame]]:
    yield first
    yield from rest


def _timed(
    container: InputContainer,
    stream: AudioStream,
    parts: Joints | None,
    heartbeat: Callable[[], None],
) -> Iterator[tuple[Fraction, av.AudioFrame]]:
    """Frames with their times from the first presented picture, over any joint in the file.

    Raises:
        MediaError: There are packets, but not one could be decoded.
        OSError: The drive went away.
    """
    heard, number = False, 0
    previous: Fraction | None = None
    errors = 0
    offsets = None if parts is None else parts.offsets_s
    gap = largest_gap("mpegts", None) if parts is None else parts.gap
    # Sound may begin just before the clock of a broadcast does, which then shows its last second.
    wraps = container.format.name in ("mpegts", "mpeg")
    start = Fraction(container.start_time or 0, 1_000_000)
    for frame in _frames(container, stream, heartbeat):
        if frame is None:
            errors += 1
            continue
        if frame.pts is None or frame.time_base is None:
            continue
        stamp = frame.pts * frame.time_base
        if wraps and stamp - (previous or start) > _WRAP_S / 2:
            stamp -= _WRAP_S
        if offsets is None:
            offsets = (-stamp,)  # sound alone: its own beginning is the beginning
        elif previous is not None and len(offsets) > 1 and jumps(previous, stamp, gap):
            number = min(number + 1, len(offsets) - 1)
        previous, heard = stamp, True
        yield stamp + offsets[number], frame
    if errors and not heard:
        raise MediaError(
            f"{Path(container.name)}: its sound is damaged, nothing of it could be decoded",
            "Play it to hear whether it is whole, or put a subtitle file beside the video.",
        )


def _frames(
    container: InputContainer, stream: AudioStream, heartbeat: Callable[[], None]
) -> Iterator[av.AudioFrame | None]:
    """Decoded frames, None for each packet that could not be decoded."""
    errors = 0
    while errors < _ERRORS_IN_A_ROW:
        try:
            for packet in container.demux(stream):
                heartbeat()
                try:
                    frames = packet.decode()
                except DECODE_ERRORS:
                    yield None
                    continue
                errors = 0
                yield from (frame for frame in frames if isinstance(frame, av.AudioFrame))
            return
        except LookupError:
            continue  # a packet of a stream that appeared after opening
        except DECODE_ERRORS as error:
            gone = drive_error(Path(container.name), error)
            if gone is not None:
                raise gone from error
            errors += 1


class _Collected:
    """Frames of any format to pieces of one rate and one channel.

    Args:
        begin: Sound before this time is left out.
    """

    def __init__(self, begin: Fraction) -> None:
        self._begin = max(begin, Fraction(0))
        self._resampler: av.AudioResampler | None = None
        self._format: tuple[object, ...] = ()
        self._start = self._expected = Fraction(-1)
        self._waiting: list[Sound] = []
        self._samples = 0

    def add(self, time: Fraction, frame: av.AudioFrame) -> Iterator[tuple[float, Sound]]:
        """Takes the next frame; yields the pieces that are full."""
        format_ = (frame.format.name, frame.layout.name, frame.sample_rate)
        resampler = self._resampler
        hole = abs(time - self._expected) > _HOLE_S
        if resampler is None or hole or format_ != self._format:
            yield from self.rest()
            resampler = self._resampler = av.AudioResampler("flt", "mono", RATE)
            self._format, self._start, self._expected = format_, time, time
        self._expected += Fraction(frame.samples, frame.sample_rate)
        frame.pts = None
        self._keep(resampler.resample(frame))
        if self._samples >= _PIECE_S * RATE:
            yield from self._cut()

    def rest(self) -> Iterator[tuple[float, Sound]]:
        """What is left before a hole, a change of format, or the end."""
        if self._resampler is not None:
            self._keep(self._resampler.resample(None))
        self._resampler = None
        yield from self._cut()

    def _keep(self, frames: Sequence[av.AudioFrame]) -> None:
        for frame in frames:
            samples = frame.to_ndarray().reshape(-1).astype(np.float32, copy=False)
            self._waiting.append(samples)
            self._samples += len(samples)

    def _cut(self) -> Iterator[tuple[float, Sound]]:
        if not self._samples:
            return
        sound = np.concatenate(self._waiting)
        start, self._start = self._start, self._start + Fraction(len(sound), RATE)
        self._waiting, self._samples = [], 0
        early = max(0, int((self._begin - start) * RATE))
        if early < len(sound):
            kept = np.clip(np.nan_to_num(sound[early:]), -1, 1)
            yield float(start + Fraction(early, RATE)), np.ascontiguousarray(kept)
