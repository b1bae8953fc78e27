"""Cuts by encoding again: right to the frame in every player."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from av.codec.context import Flags
from av.container import OutputContainer
from av.video.frame import PictureType

from ..failpoints import reached
from ..media.container import open_output
from .picture import Conversion
from .sound import SoundTrack
from .source import (
    Cut,
    ShownFrame,
    frames_from,
    in_point,
    nothing_there,
    open_source,
    out_point,
    within,
)

_ENCODER = {"preset": "veryfast", "crf": "18"}
# Without B-frames a file needs no edit list for its picture: pts and dts agree.
_NO_REORDERING = 0
_FINEST = 1 << 30
_MUXING = {"mp4": {"movflags": "+faststart"}, "mov": {"movflags": "+faststart"}}


def cut_exact(
    source: bytes,
    start: Fraction,
    end: Fraction,
    part: Path,
    muxer: str,
    progress: Callable[[float], None],
) -> Cut:
    """Writes the frames on screen in ``[start, end)`` and their sound to a new file.

    Args:
        source: The video.
        start: Asked in point, seconds from the first presented frame.
        end: Asked out point.
        part: The file to write.
        muxer: FFmpeg's name of the container.
        progress: Told the share done, 0 to 1.

    Returns:
        What the clip holds.

    Raises:
        MediaError: The source cannot be read there.
    """
    frames = within(frames_from(source, start), start, end)
    first = next(frames, None)
    if first is None:
        raise nothing_there(source, start)
    begin = in_point(first.start, start)
    times: list[Fraction] = []
    with open_output(part, muxer, _MUXING.get(muxer)) as output:
        facts = _facts(source)
        picture = _PictureTrack(facts, first, output)
        sounds = _sound_tracks(source, facts, begin, output)
        for frame in itertools.chain([first], frames):
            last = frame
            times.append(frame.start)
            picture.write(frame, begin, out_point(frame.end, end))
            reached("mid_clip")
            for sound in sounds:
                sound.write_until(frame.start - begin)
            progress(min(1.0, float((frame.end - start) / (end - start))))
        finish = out_point(last.end, end)
        picture.finish()
        for sound in sounds:
            sound.finish(finish - begin)
    return Cut(begin, finish, tuple(times), (*picture.notes, *facts.notes))


@dataclass(frozen=True)
class _Facts:
    """What the container says about its tracks."""

    rate: Fraction
    aspect: Fraction
    sounds: tuple[tuple[int, str | None], ...]
    """Index and language of each sound stream."""
    notes: tuple[str, ...]


def _facts(source: bytes) -> _Facts:
    with open_source(source) as opened:
        return _Facts(
            1 / opened.frame_s,
            opened.video.stream.sample_aspect_ratio or Fraction(1),
            tuple((stream.index, stream.language) for stream in opened.sounds),
            opened.notes,
        )


def _sound_tracks(
    source: bytes, facts: _Facts, start: Fraction, output: OutputContainer
) -> list[SoundTrack]:
    """One track for every sound stream that has something to say from here on."""
    tracks = []
    for stream_index, language in facts.sounds:
        track = SoundTrack(source, stream_index, start, output)
        if track.heard:
            track.name(language)
            tracks.append(track)
    return tracks


class _PictureTrack:
    """The H.264 track of a clip."""

    def __init__(self, facts: _Facts, first: ShownFrame, output: OutputContainer) -> None:
        self._convert = Conversion(first.picture)
        self.notes = self._convert.notes
        self._output = output
        self._tick = _tick(first.picture.time_base)
        self._stream = output.add_stream("libx264", rate=facts.rate, options=dict(_ENCODER))
        context = self._stream.codec_context
        context.width, context.height = self._convert.width, self._convert.height
        context.pix_fmt = "yuv420p"
        context.time_base = self._tick
        context.max_b_frames = _NO_REORDERING
        turned = self._convert.on_side
        context.sample_aspect_ratio = 1 / facts.aspect if turned else facts.aspect
        sample = self._convert(first.picture)
        context.colorspace, context.color_range = sample.colorspace, sample.color_range
        context.color_trc, context.color_primaries = sample.color_trc, sample.color_primaries
        context.flags |= Flags.frame_duration
        if first.picture.interlaced_frame and not turned:
            context.flags |= Flags.interlaced_dct | Flags.interlaced_me

    def write(self, shown: ShownFrame, begin: Fraction, end: Fraction) -> None:
        """Encodes a frame; the first may be on screen since before the clip begins."""
        frame = self._convert(shown.picture)
        start = max(shown.start - begin, Fraction(0))
        frame.time_base = self._tick
        frame.pts = round(start / self._tick)
        frame.duration = max(1, round((end - begin) / self._tick) - frame.pts)
        # A picture type taken over from the source would force the encoder's choice.
        frame.pict_type = PictureType.NONE
        self._output.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Flushes the encoder."""
        self._output.mux(self._stream.encode(None))


def _tick(time_base: Fraction | None) -> Fraction:
    """The source's own clock, so that no time is rounded; broadcast's without one."""
    if time_base and time_base.denominator < _FINEST:
        return Fraction(1, time_base.denominator)
    return Fraction(1, 90_000)
