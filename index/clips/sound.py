"""One sound track of a clip: decoded, trimmed to the sample, encoded as AAC."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt
from av.container import OutputContainer

from ..media.joined import Joints, joints, jumps
from .source import Source, open_source

Samples = npt.NDArray[np.float32]
"""Sound, float32 [channels, samples]."""
_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 8: "7.1"}
_AAC_RATES = frozenset(
    [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350]
)
_BIT_RATE = 96_000
"""Bits per second of each channel."""
_LEAD_S = (1, 10)
"""How much earlier decoding starts: codecs need a run-up, files interleave loosely."""
_JITTER_S = Fraction(1, 50)
"""Coarse container clocks; a step smaller than this is no gap."""


class SoundTrack:
    """Writes what one audio stream of a source sounds like from ``start`` on.

    Holes are filled with silence, so that the track stays in step with the picture
    in players that ignore the times of sound packets.
    """

    def __init__(
        self, path: bytes, stream_index: int, start: Fraction, output: OutputContainer
    ) -> None:
        self._blocks = _blocks(path, stream_index, start)
        first = next(self._blocks, None)
        self.heard = first is not None
        """Whether the stream has any sound from ``start`` on."""
        if first is None:
            return
        self._rate, channels = first[2], first[1].shape[0]
        self._layout = _LAYOUTS.get(channels, "stereo")
        self._blocks = itertools.chain([first], self._blocks)
        self._queue = np.zeros((channels, 0), np.float32)
        self._queue_at = 0
        self._written = 0
        self._output = output
        rate = self._rate if self._rate in _AAC_RATES else 48_000
        self._stream = output.add_stream("aac", rate=rate)
        self._stream.codec_context.layout = self._layout
        self._stream.codec_context.bit_rate = _BIT_RATE * channels

    def name(self, language: str | None) -> None:
        """Carries the language of the source's track."""
        if language:
            self._stream.metadata["language"] = language

    def write_until(self, end: Fraction) -> None:
        """Encodes up to a time, seconds from the clip's start."""
        target = round(end * self._rate)
        while self._written < target:
            # Short pieces keep memory flat and the tracks interleaved.
            piece = self._take(min(target - self._written, self._rate))
            frame = av.AudioFrame.from_ndarray(piece, "fltp", self._layout)
            frame.sample_rate = self._rate
            frame.pts = self._written
            frame.time_base = Fraction(1, self._rate)
            self._output.mux(self._stream.encode(frame))
            self._written += piece.shape[1]

    def finish(self, end: Fraction) -> None:
        """Encodes up to the clip's end and flushes the encoder."""
        self.write_until(end)
        self._output.mux(self._stream.encode(None))

    def _take(self, count: int) -> Samples:
        """The next samples of the clip, silence where the source has none."""
        piece = np.zeros((self._queue.shape[0], count), np.float32)
        begin, filled = self._written, 0
        while filled < count:
            if self._queue.shape[1] == 0 and not self._refill():
                break
            gap = self._queue_at - (begin + filled)
            if gap >= count - filled:
                break
            filled += max(0, gap)
            late = max(0, -gap)
            part = self._queue[:, late : late + count - filled]
            piece[:, filled : filled + part.shape[1]] = part
            filled += part.shape[1]
            self._queue = self._queue[:, late + part.shape[1] :]
            self._queue_at += late + part.shape[1]
        return piece

    def _refill(self) -> bool:
        block = next(self._blocks, None)
        if block is None:
            return False
        at, samples, _ = block
        expected = self._queue_at
        self._queue = samples
        near = abs(at - expected) < _JITTER_S * self._rate
        self._queue_at = expected if near and expected else at
        return True


def _blocks(path: bytes, stream_index: int, start: Fraction) -> Iterator[tuple[int, Samples, int]]:
    """Sample position relative to ``start`` (never negative), samples, rate."""
    for time, frame in _frames(path, stream_index, start):
        rate = frame.sample_rate
        at = round((time - start) * rate)
        samples = frame.to_ndarray().astype(np.float32, copy=False)[:, max(0, -at) :]
        if samples.shape[1]:
            yield max(0, at), samples, rate


def _frames(
    path: bytes, stream_index: int, start: Fraction
) -> Iterator[tuple[Fraction, av.AudioFrame]]:
    """Decoded frames as planar floats of one layout and rate, from about ``start`` on."""
    resampler = _Planar()
    parts = joints(path)
    for number, lead_s in enumerate(_LEAD_S):
        with open_source(path) as source:
            # Entered through the picture: its index is the one that containers keep.
            place = None if parts.joined or start <= lead_s else start - lead_s
            if not source.enter(place):
                source.enter(None)
            frames = _timed(source, stream_index, parts)
            first = next(frames, None)
            late = first is None or first[0] > start
            if late and place is not None and number + 1 < len(_LEAD_S):
                continue
            if first is not None:
                for time, frame in itertools.chain([first], frames):
                    yield from ((time, planar) for planar in resampler(frame))
            return


def _timed(
    source: Source, stream_index: int, parts: Joints
) -> Iterator[tuple[Fraction, av.AudioFrame]]:
    """Frames with their times from the first presented picture, over any joint in the file."""
    stream = source.video.container.streams[stream_index]
    number, previous = 0, None
    for packet in source.video.container.demux(stream):
        try:
            frames = packet.decode()
        except (av.FFmpegError, ValueError):
            continue
        for frame in frames:
            if not isinstance(frame, av.AudioFrame):
                continue
            if frame.pts is None or frame.time_base is None:
                continue
            stamp = frame.pts * frame.time_base
            if previous is not None and parts.joined and jumps(previous, stamp, parts.gap):
                number = min(number + 1, len(parts.offsets_s) - 1)
            previous = stamp
            yield stamp + parts.offsets_s[number], frame


class _Planar:
    """Brings frames to planar floats of the first frame's layout and rate."""

    def __init__(self) -> None:
        self._key: tuple[object, ...] = ()
        self._target: tuple[str, int] | None = None
        self._resampler: av.AudioResampler | None = None

    def __call__(self, frame: av.AudioFrame) -> list[av.AudioFrame]:
        if self._target is None:
            layout = _LAYOUTS.get(frame.layout.nb_channels, "stereo")
            self._target = layout, frame.sample_rate
        key = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._resampler is None or key != self._key:
            # Broadcast streams switch between stereo and surround on the way.
            layout, rate = self._target
            self._resampler = av.AudioResampler("fltp", layout, rate)
            self._key = key
        return self._resampler.resample(frame)
