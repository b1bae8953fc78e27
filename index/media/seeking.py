"""Starts reading near a wanted second, where a container can be relied on for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import chain, islice

import av.error

from .container import OpenVideo
from .gop import CODECS, Syntax
from .packets import VideoPacket

SEEKABLE = frozenset({"mov", "matroska"})
"""Formats with an index of key frames by presentation time."""
_BACK_S = (0, 30, 300)
_WARM_UP_S = 1
_LANDING_PACKETS = 2000

Read = Callable[[], Iterator[VideoPacket]]
"""Gives the packets from where the container stands."""


def seek_before(video: OpenVideo, target: Fraction, read: Read) -> Iterator[VideoPacket] | None:
    """Packets from a random-access point that is shown at or before ``target`` seconds.

    Returns:
        None when no such point is found; the container then stands anywhere.
    """
    stream, origin = video.stream, video.first.pts
    if origin is None or stream.time_base is None:
        return None
    syntax = Syntax.of(video)
    wanted = origin + math.floor(target / stream.time_base)
    for back_s in _BACK_S:
        if back_s >= target:
            return None
        try:
            video.container.seek(wanted - math.floor(back_s / stream.time_base), stream=stream)
        except av.error.FFmpegError:
            return None
        packets = read()
        for packet in islice(packets, _LANDING_PACKETS):
            if packet.pts is None or packet.pts > wanted:
                break
            if syntax.starts_anew(packet) and not packet.is_discard:
                return chain([packet], packets)
    return None


def skip_before(video: OpenVideo, target: Fraction, read: Read) -> Iterator[VideoPacket] | None:
    """Packets of an AVI, which numbers them, from a random-access point well before ``target``.

    Returns:
        None when the numbers cannot be relied on; the container then stands anywhere.
    """
    syntax, number, base = Syntax.of(video), video.first.dts, video.stream.time_base
    if base is None or number is None or syntax.codec not in CODECS:
        return None
    wanted = number + math.floor((target - _WARM_UP_S) / base)
    held: list[VideoPacket] = []
    packets = chain(video.head, read())
    for packet in packets:
        if packet.dts is None or packet.is_corrupt or len(held) > _LANDING_PACKETS:
            return None
        if packet.dts > wanted:
            return chain(held, [packet], packets)
        if syntax.starts_anew(packet):
            held = []
        held.append(packet)
    return iter(held)
