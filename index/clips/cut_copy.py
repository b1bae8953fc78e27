"""Cuts without encoding: packets as they are, and an edit list that shows the asked frames."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import av
from av.container import OutputContainer
from av.stream import Stream

from ..errors import MediaError, UsageError
from ..failpoints import reached
from ..files import is_no_space, shown
from ..media.container import open_output
from ..media.joined import joints
from .edit_list import set_shown_length
from .source import ROUNDING, Cut, Source, entries, nothing_there, open_source, out_point

_RUN_UP = Fraction(1, 5)
"""Sound before the in point that a decoder needs to settle (Opus asks for 80 ms)."""
_REORDER = Fraction(2)
"""No frame is stored this much later than it is shown; ends the search for late ones."""
_EXACT = "cut it with --mode exact"
_Entry: TypeAlias = "tuple[Fraction, av.Packet[Stream]]"


@dataclass(frozen=True)
class _Stored:
    """A picture packet without its data; times in seconds from the first presented frame."""

    start: Fraction
    end: Fraction
    is_key: bool
    is_hidden: bool


@dataclass(frozen=True)
class _Run:
    """Consecutive packets of the picture stream, found again by entering at the same place."""

    enter_at: Fraction | None
    skip: int
    packets: Sequence[_Stored]


def cut_copy(
    source: bytes,
    start: Fraction,
    end: Fraction,
    part: Path,
    muxer: str,
    progress: Callable[[float], None],
) -> Cut:
    """Copies the packets from the key frame before the asked one on, and hides what is extra.

    Args:
        source: The video.
        start: Asked in point, seconds from the first presented frame.
        end: Asked out point.
        part: The file to write.
        muxer: ``mp4`` or ``mov``, which have edit lists.
        progress: Told the share done, 0 to 1.

    Returns:
        What a player that honours the edit list shows.

    Raises:
        UsageError: The container cannot carry these codecs.
        MediaError: The source has no usable times, or nothing there.
    """
    if joints(source).joined:
        raise MediaError(f"{shown(source)} was joined from recordings with clocks apart", _EXACT)
    with open_source(source) as video:
        run = _find(video, source, start, end)
        cut = _cut(run.packets, source, start, end, video.notes)
        progress(0.2)
        with open_output(part, muxer) as output:
            tracks = _tracks(video, run, cut, source, output)
            reached("mid_clip")
            for time, packet in heapq.merge(*tracks, key=lambda entry: entry[0]):
                output.mux_one(packet)
                progress(min(1.0, 0.2 + 0.8 * max(0.0, float(time / cut.length))))
    set_shown_length(part, cut.length)
    return cut


def _find(video: Source, source: bytes, start: Fraction, end: Fraction) -> _Run:
    """Looks, without decoding, for the packets that the asked frames need."""
    for place in entries(start):
        if not video.enter(place):
            continue
        packets = list(_stored(video, source, end))
        keys = [
            number
            for number, packet in enumerate(packets)
            if packet.is_key and packet.start <= start + ROUNDING
        ]
        if not keys:
            continue
        wanted = [n for n, packet in enumerate(packets) if packet.start < end - ROUNDING]
        chosen = _lasting(packets)[keys[-1] : wanted[-1] + 1]
        if len({packet.start for packet in chosen}) < len(chosen):
            raise MediaError(f"two frames of {shown(source)} have the same time", _EXACT)
        return _Run(place, keys[-1], chosen)
    raise MediaError(f"no key frame found before {float(start):.3f} s in {shown(source)}", _EXACT)


def _stored(video: Source, source: bytes, end: Fraction) -> Iterator[_Stored]:
    for packet in video.packets():
        if packet.pts is None or video.zero is None:
            raise MediaError(f"{shown(source)} does not say when its frames are shown", _EXACT)
        start = (packet.pts - video.zero) * video.tick
        length = (packet.duration or 0) * video.tick or video.frame_s
        yield _Stored(start, start + length, packet.is_keyframe, packet.is_discard)
        if packet.dts is None:
            past = start >= end + _REORDER
        else:
            past = (packet.dts - video.zero) * video.tick >= end
        if past:
            return


def _lasting(packets: Sequence[_Stored]) -> list[_Stored]:
    """The same packets, each shown until the next one is."""
    starts = sorted({packet.start for packet in packets if not packet.is_hidden})
    following = dict(itertools.pairwise(starts))
    return [_Stored(p.start, following.get(p.start, p.end), p.is_key, p.is_hidden) for p in packets]


def _cut(
    packets: Sequence[_Stored],
    source: bytes,
    start: Fraction,
    end: Fraction,
    notes: tuple[str, ...],
) -> Cut:
    seen = sorted(
        (packet.start, packet.end)
        for packet in packets
        if not packet.is_hidden and packet.end > start + ROUNDING and packet.start < end - ROUNDING
    )
    if not seen:
        raise nothing_there(source, start)
    times = tuple(begin for begin, _ in seen)
    before = sum(packet.start < times[0] for packet in packets)
    after = sum(packet.start > times[-1] for packet in packets)
    if before or after:
        notes += (
            f"frames hidden by the edit list: {before} before, {after} after; a player that "
            "ignores edit lists shows them",
        )
    # Players skip a frame that began before an edit, so a copy begins with a whole one.
    return Cut(times[0], out_point(seen[-1][1], end), times, notes)


def _tracks(
    video: Source, run: _Run, cut: Cut, source: bytes, output: OutputContainer
) -> list[Iterator[_Entry]]:
    """Packets of every track, picture first; the container is ready for them."""
    try:
        copy = output.add_stream_from_template(video.video.stream)
        tracks = [_picture_entries(video, run, cut, copy)]
        for stream in video.sounds:
            copied = output.add_stream_from_template(stream)
            tracks.append(_sound_entries(source, stream.index, cut, copied))
        output.start_encoding()
    except (av.FFmpegError, ValueError) as error:
        if isinstance(error, OSError) and is_no_space(error):
            raise
        names = [video.video.info.codec, *(sound.codec_context.name for sound in video.sounds)]
        raise UsageError(
            f"{output.format.name} cannot carry what {shown(source)} holds ({', '.join(names)})",
            _EXACT,
        ) from error
    return tracks


def _picture_entries(video: Source, run: _Run, cut: Cut, copy: Stream) -> Iterator[_Entry]:
    """Packets timed from the in point; decoding times are made anew, containers lose them."""
    tick = video.tick
    shows = [round((packet.start - cut.start) / tick) for packet in run.packets]
    rising = sorted(shows)
    delay = max(early - show for early, show in zip(rising, shows, strict=True))
    video.enter(run.enter_at)
    found = itertools.islice(video.packets(), run.skip, None)
    for packet, show, early in zip(found, shows, rising, strict=False):
        packet.stream, packet.pts, packet.dts = copy, show, early - delay
        yield packet.dts * tick, packet


def _sound_entries(source: bytes, stream_index: int, cut: Cut, copy: Stream) -> Iterator[_Entry]:
    """Packets of one sound stream that overlap the clip, with a run-up that is hidden."""
    with open_source(source) as video:
        video.enter(cut.start - 1 if cut.start > 1 else None)
        stream = video.video.container.streams[stream_index]
        tick = stream.time_base or Fraction(1, 90_000)
        zero = round((cut.start + video.offset_s) / tick)
        previous: int | None = None
        for packet in video.packets(stream):
            if packet.pts is None or (previous is not None and packet.pts <= previous):
                continue
            start = (packet.pts - zero) * tick
            if start >= cut.length:
                return
            if start + (packet.duration or 0) * tick > -_RUN_UP:
                previous = packet.pts
                packet.stream, packet.pts = copy, packet.pts - zero
                packet.dts = packet.pts
                yield start, packet
