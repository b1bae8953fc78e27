"""Videos that carry their own text streams and chapters, copied from plain ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.stream import Disposition
from media_factory import FORMATS

MILLI = Fraction(1, 1000)


@dataclass(frozen=True)
class Texts:
    """A text stream: its codec, and what it says."""

    codec: str
    events: Sequence[tuple[float, float, bytes]]
    """Start, end and bytes, seconds from the first picture."""
    language: str = ""
    forced: bool = False


@dataclass
class _Muxed:
    stream: Any
    packets: list[av.Packet] = field(default_factory=list)


def add_texts(
    path: Path,
    source: Path,
    texts: Sequence[Texts],
    chapters: Sequence[tuple[float, float, str]] = (),
    later_s: float = 0.0,
    cut_s: float = 0.0,
) -> Path:
    """Copies a video and adds text streams.

    Args:
        path: File to write; its ending chooses the container.
        source: A video.
        texts: What to add.
        chapters: Start, end and title.
        later_s: Everything in the container is later by this.
        cut_s: An edit list hides the pictures before this, in MP4; words count from the cut.
    """
    with av.open(str(source)) as given, av.open(str(path), "w", format=FORMATS[path.suffix]) as out:
        picture = given.streams.video[0]
        copy = out.add_stream_from_template(picture)
        added = [_Muxed(out.add_mux_stream(text.codec)) for text in texts]
        for muxed, text in zip(added, texts, strict=True):
            muxed.stream.time_base = MILLI
            if text.language:
                muxed.stream.metadata["language"] = text.language
            if text.forced:
                muxed.stream.disposition = Disposition.forced
            muxed.packets = [
                _packet(muxed.stream, text.codec, *event, later_s) for event in text.events
            ]
        out.set_chapters(
            [
                {
                    "id": number,
                    "start": round((start + later_s) * 1000),
                    "end": round((end + later_s) * 1000),
                    "time_base": MILLI,
                    "metadata": {"title": title},
                }
                for number, (start, end, title) in enumerate(chapters)
            ]
        )
        waiting = sorted((p for muxed in added for p in muxed.packets), key=lambda p: p.pts)
        shift = round((Fraction(later_s) - Fraction(cut_s)) / picture.time_base)
        for packet in given.demux(picture):
            if packet.dts is None:
                continue
            packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
            while waiting and waiting[0].pts * MILLI <= packet.pts * picture.time_base:
                out.mux(waiting.pop(0))
            packet.stream = copy
            out.mux(packet)
        for packet in waiting:
            out.mux(packet)
    return path


def _packet(
    stream: Any, codec: str, start: float, end: float, data: bytes, later_s: float
) -> av.Packet:
    if codec == "mov_text":
        data = len(data).to_bytes(2, "big") + data
    packet = av.Packet(data)
    packet.stream, packet.time_base = stream, MILLI
    packet.pts = packet.dts = round((start + later_s) * 1000)
    packet.duration = round((end - start) * 1000)
    return packet
