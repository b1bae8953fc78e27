"""Frames of a library: their times and vectors, whole or as a slice; nothing here writes.

Each chunk that is read is proved by the list of contents of its version, whose row
was proved when the library was opened.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from ..errors import LibraryError
from ..files import shown
from ..types import Times, Vectors
from .contents import Contents, between, fault, is_as_listed, parsed
from .faults import REPAIR, explained
from .reading import LibraryReader

HalfVectors = npt.NDArray[np.float16]
"""float16 [T, D], as stored."""
_Read = TypeVar("_Read")
_MOST_LISTS = 1024
"""Versions whose list of contents is kept parsed: more than one search looks into."""


_VERSION = (
    "SELECT versions.id, path, frames, contents FROM versions JOIN videos ON videos.id = video_id"
)


@dataclass(frozen=True)
class Segment:
    """The visible vectors of one video, as a cache would know them again."""

    video_id: int
    token: int
    """64 bits that depend on every time and vector of the video, and on nothing else."""
    frames: int


@dataclass(frozen=True)
class _Version:
    """One state of a video, as far as its chunks can be found and proved by it."""

    id: int
    path: bytes
    contents: Contents


class FrameReader(LibraryReader):
    """One open library, as far as reading frames goes."""

    def __init__(self, folder: Path, db: Any, readonly: bool) -> None:
        super().__init__(folder, db, readonly)
        self._lists: dict[int, tuple[tuple[Any, ...], Contents]] = {}

    def segments(self) -> list[Segment]:
        """All searchable videos that have frames, with the tokens of their vectors, by id."""
        self._require_sound_rows()
        rows = self._all(
            "SELECT video_id, token, frames FROM searchable WHERE frames > 0 ORDER BY video_id"
        )
        return [Segment(row[0], int.from_bytes(row[1], "little"), row[2]) for row in rows]

    def read_vectors(
        self, video_id: int, start_s: float | None = None, end_s: float | None = None
    ) -> tuple[Times, Vectors]:
        """The visible frames of a video in ``[start_s, end_s)``, read as a slice.

        Returns:
            Times float64 [T] and vectors float32 [T, D]; T is 0 where nothing is visible.
        """
        low = -np.inf if start_s is None else start_s
        high = np.inf if end_s is None else end_s
        times, half = self._settled(lambda: self._read_between(video_id, low, high))
        first, last = np.searchsorted(times, (low, high))
        return times[first:last].copy(), half[first:last].astype(np.float32)

    def _read_between(self, video_id: int, low: float, high: float) -> tuple[Times, HalfVectors]:
        version = self._version("SELECT visible_version FROM videos WHERE id = ?", [video_id])
        if version is None:
            return self._joined([])
        return self._joined(list(self._chunks(version, between(version.contents, low, high))))

    def _settled(self, read: Callable[[], _Read]) -> _Read:
        """What `read` gives, again where a writer replaced the version while it was read."""
        try:
            return read()
        except LibraryError:
            if self._state() == self._proved_state:
                raise
        with self.snapshot():
            return read()

    def read_frames(
        self, segment: Segment, numbers: npt.NDArray[np.int64]
    ) -> tuple[Times, Vectors] | None:
        """Single frames of a video by number, in the order asked.

        Returns:
            Times float64 [K] and vectors float32 [K, D]; None when the video has
            changed since `segment` was read.
        """
        return self._settled(lambda: self._read_frames(segment, numbers))

    def _read_frames(
        self, segment: Segment, numbers: npt.NDArray[np.int64]
    ) -> tuple[Times, Vectors] | None:
        version = self._version(
            "SELECT version_id FROM searchable WHERE video_id = ? AND token = ?",
            [segment.video_id, segment.token.to_bytes(8, "little")],
        )
        if version is None or not len(version.contents):
            return None
        firsts = version.contents["first_frame"]
        chunk = np.searchsorted(firsts, numbers, side="right") - 1
        times = np.empty(len(numbers), np.float64)
        vectors = np.empty((len(numbers), self.dim), np.float32)
        for number in np.unique(chunk):
            rows = self._chunks(version, version.contents[number : number + 1])
            part_times, half = self._joined(list(rows))
            chosen = chunk == number
            within = numbers[chosen] - firsts[number]
            times[chosen], vectors[chosen] = part_times[within], half[within]
        return times, vectors

    def iter_frames(
        self, video_ids: Collection[int] | None = None
    ) -> Iterator[tuple[Segment, Times, HalfVectors]]:
        """All searchable frames, chunk by chunk, by video id; use inside `snapshot`.

        Yields:
            The segment, times float64 [T] and vectors float16 [T, D] of a chunk.
        """
        wanted = None if video_ids is None else set(video_ids)
        for segment in self.segments():
            if wanted is not None and segment.video_id not in wanted:
                continue
            version = self._version(
                "SELECT version_id FROM searchable WHERE video_id = ?",
                [segment.video_id],
            )
            if version is not None:
                for row in self._chunks(version, version.contents):
                    yield segment, *self._joined([row])

    def _version(self, found: str, parameters: Sequence[object]) -> _Version | None:
        """The version whose id a statement finds."""
        self._require_sound_rows()
        row = self._one(f"{_VERSION} WHERE versions.id = ({found})", parameters)
        if row is None:
            return None
        known = self._lists.get(row[0])
        if known is None or known[0] != row[2:]:
            contents = parsed(row[3])
            if fault(contents, row[2]):
                raise self._damaged_vectors(row[1])
            if len(self._lists) >= _MOST_LISTS:
                self._lists.clear()
            known = self._lists[row[0]] = (row[2:], contents)
        return _Version(row[0], row[1], known[1])

    def _chunks(self, version: _Version, wanted: Contents) -> Iterator[tuple[bytes, bytes]]:
        """Times and vectors of consecutive chunks, each proved to be what was written."""
        if not len(wanted):
            return
        with explained(self._path):
            rows = self._db.execute(
                "SELECT first_frame, times, vectors FROM chunks WHERE version_id = ? "
                "AND first_frame BETWEEN ? AND ? ORDER BY first_frame",
                [version.id, int(wanted["first_frame"][0]), int(wanted["first_frame"][-1])],
            )
        firsts, checksums = wanted["first_frame"].tolist(), wanted["checksum"].tolist()
        for said in zip(firsts, checksums, strict=True):
            try:
                with explained(self._path):
                    row = rows.fetchone()
            except LibraryError as error:
                raise self._damaged_vectors(version.path) from error
            if row is None or not is_as_listed(*said, *row):
                raise self._damaged_vectors(version.path)
            yield row[1], row[2]

    def _damaged_vectors(self, path: bytes) -> LibraryError:
        return LibraryError(
            f"the library {shown(self._path)} is damaged: the vectors of {shown(path)} "
            "are not those that were written",
            REPAIR,
        )

    def _joined(self, rows: Sequence[tuple[bytes, bytes]]) -> tuple[Times, HalfVectors]:
        """Chunk blobs to arrays; a blob of the wrong length is damage, not a crash."""
        dim = self.dim
        try:
            times = np.frombuffer(b"".join(row[0] for row in rows), "<f8")
            flat = np.frombuffer(b"".join(row[1] for row in rows), "<f2")
            return times, flat.reshape(len(times), dim)
        except (TypeError, ValueError) as error:
            raise LibraryError(
                f"the library {shown(self._path)} is damaged: a video's vectors are incomplete",
                REPAIR,
            ) from error
