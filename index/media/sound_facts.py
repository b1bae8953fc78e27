"""What a file of sound alone is, and how long: all its packets are read, a few are decoded."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from fractions import Fraction
from pathlib import Path

from av.audio.stream import AudioStream
from av.container import InputContainer

from ..errors import MediaError
from ..types import SamplingReport, VideoInfo
from .container import COVER, SOUND_CONTAINERS, open_container
from .packets import DECODE_ERRORS, VideoPacket, read_packets
from .sound import main_sound
from .timeline import DECLARING

_SHORT = Fraction(1, 50)
"""Share of the declared length that may be missing without a word."""


def sound_facts(
    path: bytes,
    heartbeat: Callable[[], None] = lambda: None,
    opened: Callable[[], None] = lambda: None,
) -> tuple[VideoInfo, SamplingReport]:
    """Reads a sound file to its end, so that its length is the true one.

    Args:
        path: A file of sound alone, perhaps with a cover.
        heartbeat: Called while work goes on.
        opened: Called once the file's tables were read.

    Returns:
        What it declares, without width and height, and how long it is from its first sound on.

    Raises:
        MediaError: It cannot be opened, has pictures or no sound, or cannot be decoded.
        OSError: The drive went away.
    """
    with closing(open_container(path, formats=SOUND_CONTAINERS)) as container:
        opened()
        name = Path(container.name)
        if any(not stream.disposition & COVER for stream in container.streams.video):
            raise MediaError(
                f"{name}: a video that is called like a sound file",
                "Give it the ending of a video, such as .mkv.",
            )
        stream = main_sound(container)
        if stream is None:
            raise MediaError(f"{name}: no sound in it", "Nothing to hear; leave it out.")
        length = _length(container, stream, heartbeat)
        if length is None:
            raise MediaError(
                f"{name}: its sound is damaged, nothing of it could be decoded",
                "Play it to hear whether it is whole.",
            )
        info = VideoInfo(
            duration_s=float(length),
            width=0,
            height=0,
            fps=None,
            codec=stream.codec_context.codec.canonical_name,
            container=container.format.name.split(",")[0],
            rotation=0,
            has_audio=True,
        )
        note = _note(container, length)
        return info, SamplingReport(float(length), 0, False, note)


def _length(
    container: InputContainer, stream: AudioStream, heartbeat: Callable[[], None]
) -> Fraction | None:
    """Seconds from the first sound to the end; None where nothing can be decoded."""
    first: Fraction | None = None
    end = Fraction(0)
    # The packets of any stream are read alike.
    for packet in read_packets(container, stream):  # type: ignore[arg-type]
        heartbeat()
        if first is None:
            first = _first_sound(stream, packet)
        if packet.pts is None or packet.time_base is None or first is None:
            continue
        end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base - first)
    return end if end > 0 else None


def _first_sound(stream: AudioStream, packet: VideoPacket) -> Fraction | None:
    try:
        frames = stream.codec_context.decode(packet)
    except DECODE_ERRORS:
        return None
    for frame in frames:
        if frame.pts is not None and frame.time_base is not None:
            return frame.pts * frame.time_base
    return None


def _note(container: InputContainer, length: Fraction) -> str:
    """Says where a file ends before it should; empty where it does not, or never said."""
    if container.format.name.split(",")[0] not in DECLARING or not container.duration:
        return ""
    declared = Fraction(container.duration, 1_000_000)
    if declared - length <= max(Fraction(1), declared * _SHORT):
        return ""
    return f"truncated: {float(length):.1f} of {float(declared):.1f} s readable"
