"""Reads compressed packets past whatever damage is between them."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import av.error
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

if TYPE_CHECKING:
    VideoPacket: TypeAlias = Packet[VideoStream]
    """A compressed packet of a video stream."""
else:
    VideoPacket = Packet
DECODE_ERRORS = (av.error.FFmpegError, ValueError, LookupError)
"""What reading and decoding damaged packets raises; PyAV's own lists overflow, too."""
DEVICE_GONE = frozenset({errno.EIO, errno.ESTALE, errno.ENODEV, errno.ENXIO, errno.ENOTCONN})
"""Error numbers that speak of the drive, not of the file."""
_DEMUX_ERRORS = 50


def drive_error(path: Path, error: BaseException) -> OSError | None:
    """What ails the drive that holds a file, or None when an error speaks of the file alone.

    FFmpeg reports a file that was cut off as an input/output error, too, so
    the file's first and last byte are asked.
    """
    if not isinstance(error, OSError) or error.errno not in DEVICE_GONE:
        return None
    try:
        with path.open("rb") as file:
            file.read(1)
            file.seek(-1, os.SEEK_END)
            file.read(1)
    except OSError as real:
        return real
    return None


def read_packets(container: InputContainer, stream: VideoStream) -> Iterator[VideoPacket]:
    """Packets of a stream with something in them, stepping over what cannot be read."""
    errors = 0
    while errors < _DEMUX_ERRORS:
        try:
            for packet in container.demux(stream):
                errors = 0
                if packet.size:
                    yield packet
            return
        except LookupError:
            continue  # a packet of a stream that appeared after opening
        except DECODE_ERRORS as error:
            gone = drive_error(Path(container.name), error)
            if gone is not None:
                raise gone from error
            errors += 1
