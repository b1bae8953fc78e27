"""Which chunks a version has, and what is in them: a list that lies in the version's own row.

Its row is checked when the library is opened, so the list can be trusted; a chunk
that is read has to be the one that the list names.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlite_utils import Database

from ..types import Times
from .versions import add_tokens, frame_tokens

CONTENTS_DTYPE = np.dtype(
    [
        ("first_frame", "<i8"),
        ("frames", "<i8"),
        ("first_s", "<f8"),
        ("last_s", "<f8"),
        ("checksum", "<u4"),
    ]
)
Contents = npt.NDArray[np.void]
"""`CONTENTS_DTYPE` [K], one entry for each chunk of a version, in order."""


def checksum(times: bytes, vectors: bytes) -> int:
    """CRC-32 of a chunk: nothing that a disk does to a block of bytes leaves it as it was."""
    return zlib.crc32(vectors, zlib.crc32(times))


def entry(first_frame: int, times_s: Times, times: bytes, vectors: bytes) -> bytes:
    """What the list says about one chunk."""
    said = (first_frame, len(times_s), times_s[0], times_s[-1], checksum(times, vectors))
    return np.array([said], CONTENTS_DTYPE).tobytes()


def parsed(contents: bytes) -> Contents:
    """The list of a version as an array.

    Raises:
        ValueError: It was cut off.
    """
    return np.frombuffer(contents, CONTENTS_DTYPE)


def between(contents: Contents, low_s: float, high_s: float) -> Contents:
    """The entries of the chunks that frames in ``[low_s, high_s)`` can lie in."""
    start = int(np.searchsorted(contents["last_s"], low_s))
    stop = int(np.searchsorted(contents["first_s"], high_s))
    return contents[start:stop]


def is_as_listed(
    first_said: int, checksum_said: int, first_frame: object, times: object, vectors: object
) -> bool:
    """Whether a row of chunks is the one that was written."""
    if not isinstance(times, bytes) or not isinstance(vectors, bytes):
        return False
    return first_frame == first_said and checksum(times, vectors) == checksum_said


def list_contents(db: Database) -> None:
    """Gives versions that were written without a list theirs, once their vectors are proved.

    A version whose frames do not add up to its token gets none, and counts as damaged.
    """
    for version, frames, token in db.execute("SELECT id, frames, token FROM versions").fetchall():
        listed, seen, sums = b"", 0, bytes(8)
        chunks = db.execute(
            "SELECT first_frame, frames, times, vectors FROM chunks WHERE version_id = ? "
            "ORDER BY first_frame",
            [version],
        )
        try:
            for first_frame, count, times, vectors in chunks:
                times_s = np.frombuffer(times, "<f8")
                half = np.frombuffer(vectors, "<f2").reshape(len(times_s), -1)
                if first_frame != seen or len(times_s) != count:
                    break
                seen += count
                sums = add_tokens(sums, frame_tokens(times_s, half))
                listed += entry(first_frame, times_s, times, vectors)
        except (TypeError, ValueError):
            continue
        if seen == frames and sums == token:
            db.execute("UPDATE versions SET contents = ? WHERE id = ?", [listed, version])


def fault(contents: Contents, frames: Any) -> str:
    """What is wrong with a list as such; empty when nothing is."""
    ends = contents["first_frame"] + contents["frames"]
    in_order = bool((contents["first_frame"] == np.append(0, ends[:-1])[: len(ends)]).all())
    return "" if in_order and int(contents["frames"].sum()) == frames else "frames are missing"
