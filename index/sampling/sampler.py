"""Samples a video at a steady step: the presented frame nearest to every multiple of it.

Where the packets of a video can be trusted, the frames are chosen before
anything is decoded, one group of pictures at a time: groups without a chosen
frame are never decoded, frames that no other refers to are dropped, and a group
is left after its last chosen frame. Everywhere else, and from the first
irregularity on, every frame is decoded. Both ways choose the same frames.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

from av.video.frame import VideoFrame

from ..media.container import OpenVideo, declared_duration, open_video
from ..media.gop import Gop, GopReader, NoPromise, Syntax, promises
from ..media.packets import DECODE_ERRORS, VideoPacket
from ..media.seeking import SEEKABLE, seek_before, skip_before
from ..media.timeline import DECLARING, Choice, Chooser, Clock, frame_length, largest_gap
from ..types import Picture, Preprocess, SamplingReport
from .plan import Plan

Chosen = tuple[Fraction, VideoFrame]
_SEEK_FROM_S = 2


def sample(
    video: OpenVideo, step_s: float, start_s: float = 0.0, end_s: float | None = None
) -> Iterator[tuple[float, Picture]]:
    """The frames nearest to every multiple of ``step_s`` in ``[start_s, end_s)``.

    Yields:
        Time in seconds, strictly rising, and the upright picture, uint8 [H, W, 3].
    """
    yield from Sampler(video, step_s, start_s, end_s)


def sample_range(
    path: bytes | str | Path,
    start_s: float,
    end_s: float,
    step_s: float,
    preprocess: Preprocess,
) -> tuple[list[float], list[Picture]]:
    """Opens a video and samples one stretch of it.

    Returns:
        Times in seconds and the preprocessed pictures.

    Raises:
        MediaError: When the file cannot be used.
    """
    times, pictures = [], []
    with open_video(path) as video:
        for time_s, picture in sample(video, step_s, start_s, end_s):
            times.append(time_s)
            pictures.append(preprocess(picture))
    return times, pictures


class Sampler:
    """Iterates over the samples of one open video, once; then ``report`` says how it went.

    Args:
        video: The open video.
        step_s: Seconds between samples.
        start_s: First second that is sampled.
        end_s: Second before which sampling ends; None samples to the end.
        everything: Decode every frame instead of choosing before decoding.
        heartbeat: Called for every packet read, to show that work goes on.
    """

    def __init__(
        self,
        video: OpenVideo,
        step_s: float,
        start_s: float = 0.0,
        end_s: float | None = None,
        *,
        everything: bool = False,
        heartbeat: Callable[[], None] | None = None,
    ) -> None:
        if not step_s > 0:
            raise ValueError(f"step must be positive, not {step_s}")
        self._video = video
        self._step = Fraction(step_s)
        self._start = Fraction(max(0.0, start_s))
        self._limit = None if end_s is None else Fraction(end_s)
        self._everything = everything
        self._heartbeat = heartbeat
        self._declared = None
        if video.format in DECLARING:
            self._declared = declared_duration(video.container, video.stream)
        self._gap = largest_gap(video.format, self._declared)
        self._nominal = frame_length(video.stream.average_rate or video.stream.guessed_rate)
        self._next = math.ceil(self._start / self._step)
        self._emitted: Fraction | None = None
        self._end = Fraction(0)
        self._damaged = 0
        self._approximate = False
        self._finished = False
        self._kept: list[list[VideoPacket]] = []
        self._stale = False
        self._from_start = True

    def __iter__(self) -> Iterator[tuple[float, Picture]]:
        for time, frame in self.frames():
            yield float(time), self._video.upright(frame)

    def report(self) -> SamplingReport:
        """What sampling showed; the duration is true once the iteration has ended."""
        return SamplingReport(float(self._end), self._damaged, self._approximate, self._note())

    def frames(self) -> Iterator[Chosen]:
        """The chosen frames as they come from the decoder, with exact times."""
        if self._video.read_on:
            self._video.rewind()
        if self._everything or not promises(self._video):
            self._restart_decoder()
            yield from self._plainly()
            return
        syntax = Syntax.of(self._video)
        reader = GopReader(self._opening(), syntax)
        try:
            yield from self._by_group(reader)
        except NoPromise:
            self._restart_decoder()
            held = [*chain.from_iterable(self._kept), *reader.waiting]
            floor = None if self._from_start or not held else held[0].pts
            packets = chain(held, reader.packets)
            yield from self._every_frame(packets, self._video.first.pts, floor)

    def _by_group(self, reader: GopReader) -> Iterator[Chosen]:
        chooser = Chooser[int](self._step, self._next, self._limit)
        plan = Plan(self._video, chooser, self._gap, self._nominal)
        while (gop := reader.next_gop()) is not None:
            self._kept.append(gop.packets)
            plan.extend(gop, not self._from_start)
            self._end = plan.end
            yield from self._decode_group(gop, plan)
            self._forget_old(gop)
            if chooser.done and not plan.chosen:
                return
        self._finished = True

    def _forget_old(self, gop: Gop) -> None:
        """Keeps the groups of the last second and one before, to begin again from when needed."""
        assert self._video.stream.time_base is not None  # noqa: S101
        second = gop.key_pts - math.ceil(1 / self._video.stream.time_base)
        while len(self._kept) > 1 and (self._kept[1][0].pts or 0) <= second:
            del self._kept[0]
            self._from_start = False

    def _decode_group(self, gop: Gop, plan: Plan) -> Iterator[Chosen]:
        wanted = [n for n, packet in enumerate(gop.packets) if packet.pts in plan.chosen]
        finish = any(pts in plan.chosen for pts in gop.next_leading)
        if wanted or finish:
            context = self._video.stream.codec_context
            if self._stale:
                context.flush_buffers()
            self._stale = False
            needed = gop.packets if finish else gop.packets[: wanted[-1] + 1]
            for packet in needed:
                drop = gop.droppable and packet.pts not in plan.chosen
                context.skip_frame = "NONREF" if drop else "DEFAULT"
                yield from self._claim(self._decode_or_doubt(packet, gop), gop, plan)
            context.skip_frame = "DEFAULT"
        if finish:
            return
        if not self._stale:
            yield from self._claim(self._decode_or_doubt(None, gop), gop, plan)
            self._stale = True
        if any(gop.next_key_pts is None or pts < gop.next_key_pts for pts in plan.chosen):
            raise NoPromise("a chosen frame did not come out of the decoder")

    def _decode_or_doubt(self, packet: VideoPacket | None, gop: Gop) -> list[VideoFrame]:
        try:
            return self._video.stream.codec_context.decode(packet)
        except DECODE_ERRORS as error:
            if packet is None or packet.pts is None or packet.pts >= gop.key_pts:
                raise NoPromise("a packet was refused") from error
            return []

    def _claim(self, frames: list[VideoFrame], gop: Gop, plan: Plan) -> Iterator[Chosen]:
        for frame in frames:
            if frame.pts is None:
                raise NoPromise("a frame without a time")
            if frame.is_corrupt and frame.pts >= gop.key_pts:
                raise NoPromise("a damaged frame")
            choice = plan.chosen.pop(frame.pts, None)
            if choice is not None:
                if any(pts < frame.pts for pts in plan.chosen):
                    raise NoPromise("a chosen frame was passed over")
                self._note_choice(choice.number, choice.time)
                yield choice.time, frame

    def _every_frame(
        self, packets: Iterator[VideoPacket], origin: int | None, floor: int | None
    ) -> Iterator[Chosen]:
        stream = self._video.stream
        assert stream.time_base is not None  # noqa: S101 (every demuxer sets one)
        clock = Clock(stream.time_base, self._nominal, self._gap, origin)
        chooser = Chooser[VideoFrame](self._step, self._next, self._limit, self._emitted)
        counted = self._video.format == "avi"
        for frame in self._decoded(packets):
            if floor is not None and frame.pts is not None and frame.pts < floor:
                continue
            floor = None
            stamp = frame.pts
            if counted or stamp is None:
                # AVI numbers its frames; its presentation stamps are guesses.
                stamp = frame.dts
            time = clock.read(stamp, frame.duration)
            self._approximate = clock.approximate and not counted
            self._end = max(self._end, clock.end)
            yield from self._take(chooser.feed(time, frame))
            if chooser.done:
                return
        yield from self._take(chooser.finish(clock.end))
        self._end = clock.end
        self._finished = True

    def _take(self, choices: Iterator[Choice[VideoFrame]]) -> Iterator[Chosen]:
        for choice in choices:
            self._note_choice(choice.number, choice.time)
            yield choice.time, choice.item

    def _note_choice(self, number: int, time: Fraction) -> None:
        self._next = number + 1
        self._emitted = time

    def _decoded(self, packets: Iterator[VideoPacket]) -> Iterator[VideoFrame]:
        context = self._video.stream.codec_context
        for packet in chain(packets, [None]):
            try:
                yield from context.decode(packet)
            except MemoryError:
                raise
            except DECODE_ERRORS:
                self._damaged += packet is not None

    def _plainly(self) -> Iterator[Chosen]:
        target = self._next * self._step
        if not self._everything and self._video.format == "avi" and target > _SEEK_FROM_S:
            packets = skip_before(self._video, target, self._packets)
            if packets is not None:
                yield from self._every_frame(packets, self._video.first.dts, None)
                return
            self._video.rewind()
        packets = chain(self._video.head, self._packets())
        yield from self._every_frame(packets, None, None)

    def _opening(self) -> Iterator[VideoPacket]:
        """Packets from a random-access point at or before the first wanted second."""
        self._restart_decoder()
        target = self._next * self._step
        if self._video.format in SEEKABLE and target > _SEEK_FROM_S:
            landed = seek_before(self._video, target, self._packets)
            if landed is not None:
                self._from_start = False
                return landed
            self._video.rewind()
        return chain(self._video.head, self._packets())

    def _packets(self) -> Iterator[VideoPacket]:
        for packet in self._video.packets():
            if self._heartbeat is not None:
                self._heartbeat()
            yield packet

    def _restart_decoder(self) -> None:
        context = self._video.stream.codec_context
        context.skip_frame = "DEFAULT"
        context.flush_buffers()

    def _note(self) -> str:
        notes = []
        declared = self._declared
        if self._finished and self._limit is None and declared is not None:
            missing = declared - self._end
            if missing > max(Fraction(1, 4), 2 * self._nominal, declared / 50):
                notes.append(
                    f"truncated: {float(self._end):.1f} of {float(declared):.1f} s readable"
                )
        if self._damaged:
            notes.append(f"{self._damaged} damaged packets skipped")
        return "; ".join(notes)
