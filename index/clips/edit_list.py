"""Tells an MP4 or MOV file where its tracks end: the muxer writes only where they begin.

A stream copy may carry frames that others need but that lie past the asked end.
The edit list of each track says which stretch is shown; its length is set here to
the length of the clip, in the finished file and in place.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

_NESTS = (b"moov", b"trak", b"edts", b"mdia")


def set_shown_length(path: Path, length_s: Fraction) -> None:
    """Limits every track, and the movie, to the first ``length_s`` seconds shown.

    Args:
        path: A finished, unfragmented MP4 or MOV file.
        length_s: How long the clip is.

    Raises:
        ValueError: The file has no movie header or a track without an edit list.
    """
    with path.open("r+b") as file:
        file.seek(0, 2)
        boxes = list(_boxes(file, 0, file.tell()))
        header = next((at for kind, at in boxes if kind == b"mvhd"), None)
        edits = [at for kind, at in boxes if kind == b"elst"]
        if header is None or len(edits) < sum(kind == b"trak" for kind, _ in boxes):
            raise ValueError("no edit list in the file")
        scale = _read(file, header + (20 if _version(file, header) else 12), 4)
        units = int(length_s * scale)
        for kind, at in boxes:
            long = _version(file, at) if kind in (b"mvhd", b"tkhd", b"elst") else 0
            if kind == b"mvhd":
                _lower(file, at + (24 if long else 16), 8 if long else 4, units)
            elif kind == b"tkhd":
                _lower(file, at + (28 if long else 20), 8 if long else 4, units)
            elif kind == b"elst":
                _shorten(file, at, long, units)


def _shorten(file: BinaryIO, at: int, long: int, units: int) -> None:
    """Spends the length on the edits in turn: an empty one (a late track) counts too."""
    width = 8 if long else 4
    for number in range(_read(file, at + 4, 4)):
        entry = at + 8 + number * (2 * width + 4)
        units -= _lower(file, entry, width, units)


def _lower(file: BinaryIO, at: int, width: int, value: int) -> int:
    value = min(value, _read(file, at, width))
    file.seek(at)
    file.write(value.to_bytes(width, "big"))
    return value


def _read(file: BinaryIO, at: int, width: int) -> int:
    file.seek(at)
    return int.from_bytes(file.read(width), "big")


def _version(file: BinaryIO, at: int) -> int:
    return _read(file, at, 1)


def _boxes(file: BinaryIO, at: int, end: int) -> Iterator[tuple[bytes, int]]:
    """Every box with the place of its content, parents before children."""
    while at + 8 <= end:
        file.seek(at)
        size, kind = struct.unpack(">I4s", file.read(8))
        head = 8
        if size == 1:
            size, head = _read(file, at + 8, 8), 16
        elif size == 0:
            size = end - at
        if size < head:
            return
        yield kind, at + head
        if kind in _NESTS:
            yield from _boxes(file, at + head, at + size)
        at += size
