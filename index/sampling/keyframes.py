"""Samples a video by its key frames alone: a first look that costs a small part of the full one.

A key frame decodes without any other, so nothing else is decoded, and an MP4 file
is not even read between them. The price is that key frames lie where the encoder
put them, mostly two to ten seconds apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import chain, islice, pairwise

from av.video.frame import VideoFrame

from ..media.container import OpenVideo, declared_duration
from ..media.gop import Syntax, promises
from ..media.packets import DECODE_ERRORS, VideoPacket
from ..media.timeline import DECLARING, frame_length, largest_gap
from ..types import SamplingReport


class KeyFrameSampler:
    """Iterates over key frames of one open video, once; then ``report`` says how it went.

    Nothing comes out of a container or codec whose key flags cannot be relied on, and
    nothing more from the first irregular time on.

    Args:
        video: The open video.
        apart_s: Least seconds between two of them.
        heartbeat: Called for every packet read, to show that work goes on.
    """

    def __init__(
        self, video: OpenVideo, apart_s: float, heartbeat: Callable[[], None] = lambda: None
    ) -> None:
        self._video = video
        self._apart = Fraction(apart_s)
        self._heartbeat = heartbeat
        declared = declared_duration(video.container, video.stream)
        self._declared = declared if video.format in DECLARING else None
        self._gap = largest_gap(video.format, self._declared)
        self._nominal = frame_length(video.stream.average_rate or video.stream.guessed_rate)
        self._end = Fraction(0)

    def report(self) -> SamplingReport:
        """The length as far as it is known; damage and missing times are not looked for."""
        return SamplingReport(float(max(self._end, self._declared or 0)), 0, False)

    def frames(self) -> Iterator[tuple[Fraction, VideoFrame]]:
        """The frames as they come from the decoder, with exact times."""
        video, base = self._video, self._video.stream.time_base
        origin = video.first.pts
        if not promises(video) or origin is None or base is None:
            return
        syntax = Syntax.of(video)
        seen: Fraction | None = None
        taken: Fraction | None = None
        for packet in self._packets():
            self._heartbeat()
            if packet.pts is None:
                return
            time = (packet.pts - origin) * base
            if seen is not None and not -self._gap < time - seen < self._gap:
                return
            seen = time
            self._end = max(self._end, time + (packet.duration or 0) * base, time + self._nominal)
            if time < 0 or not syntax.starts_anew(packet) or packet.is_discard:
                continue
            if taken is not None and time - taken < self._apart:
                continue
            frame = self._alone(packet)
            if frame is not None:
                taken = time
                yield time, frame

    def _packets(self) -> Iterator[VideoPacket]:
        """Key frames where an index says where they are; else all packets."""
        video = self._video
        places = self._places()
        if places is None:
            yield from chain(video.head, video.packets())
            return
        yield from islice(video.head, 1)
        for place in places:
            try:
                video.container.seek(place, stream=video.stream)
            except DECODE_ERRORS:
                return
            yield from islice(video.packets(), 1)

    def _places(self) -> list[int] | None:
        """Stamps of the key frames in the index; None where it does not reach the end.

        Asking the demuxer for key frames alone (``discard``) would be simpler, but
        FFmpeg 8 then gives those of an MP4 with reordered frames the wrong times.
        """
        video, base = self._video, self._video.stream.time_base
        entries = video.stream.index_entries
        if video.format != "mov" or not len(entries) or self._declared is None or base is None:
            return None
        covered = (entries[-1].timestamp - entries[0].timestamp) * base
        if covered < self._declared * Fraction(9, 10) - 1:
            return None
        keys = [entry.timestamp for entry in entries if entry.is_keyframe]
        places, apart = [], self._apart / base
        last = keys[0] if keys else 0
        for stamp, following in pairwise([*keys, entries[-1].timestamp]):
            if stamp - last >= apart:
                last = stamp
                # An index holds stamps of decoding; a search compares those of showing.
                places.append((stamp + following) // 2)
        return places

    def _alone(self, packet: VideoPacket) -> VideoFrame | None:
        """The frame of one packet, decoded without any other; None when it is damaged.

        The decoder is drained for every frame: FFmpeg 8 keeps back key frames of open
        groups of HEVC and loses some of them otherwise.
        """
        context = self._video.stream.codec_context
        context.flush_buffers()
        try:
            frames = [*context.decode(packet), *context.decode(None)]
        except MemoryError:
            raise
        except DECODE_ERRORS:
            return None
        finally:
            context.flush_buffers()
        wanted = (frame for frame in frames if frame.pts == packet.pts and not frame.is_corrupt)
        return next(wanted, None)
