"""The library's own vectors: compared without an index, or on their way into one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from ..store.library import HalfVectors, Library, Segment
from ..types import Times, Vectors
from .frame_table import FrameTable, TableBuilder
from .index_plan import FrameMatch

BATCH_ROWS = 1024
"""Frames that are handed to an index at once; eight times as many took as long and 43 MB more."""


def compared(
    library: Library, table: FrameTable, rows: npt.NDArray[np.int64], query: Vectors
) -> tuple[npt.NDArray[np.int64], Vectors]:
    """Candidates with the cosines of the stored vectors; those that changed meanwhile drop out."""
    segments = table.segment_of(rows)
    kept_rows, kept_cosines = [np.zeros(0, np.int64)], [np.zeros(0, np.float32)]
    for number in np.unique(segments):
        own = rows[segments == number]
        first = int(table.segments["first_row"][number])
        read = library.read_frames(table.segment(number), own - first)
        if read is not None:
            kept_rows.append(own)
            kept_cosines.append(read[1] @ query)
    return np.concatenate(kept_rows), np.concatenate(kept_cosines)


def scanned(
    library: Library,
    table: FrameTable,
    segments: npt.NDArray[np.int64],
    query: Vectors,
    limit: int,
) -> tuple[npt.NDArray[np.int64], Vectors]:
    """The best rows of a few videos, straight from the library, and their cosines."""
    rows = [np.zeros(0, np.int64)]
    cosines = [np.zeros(0, np.float32)]
    for number in segments:
        first, frames = (int(table.segments[name][number]) for name in ("first_row", "frames"))
        read = library.read_frames(table.segment(number), np.arange(frames))
        if read is not None:
            rows.append(np.arange(first, first + frames))
            cosines.append(read[1] @ query)
    scores = np.concatenate(cosines)
    best = np.argsort(-scores, kind="stable")[:limit]
    return np.concatenate(rows)[best], scores[best]


def best_matches(
    found: Sequence[tuple[npt.NDArray[np.int64], Times, Vectors]], limit: int
) -> list[FrameMatch]:
    """The best of several searches, each with videos, times and cosines, best first."""
    if not found:
        return []
    videos, times, cosines = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.lexsort((times, videos, -cosines))[:limit]
    return [FrameMatch(int(videos[i]), float(times[i]), float(cosines[i])) for i in order]


def training_frames(library: Library, ids: list[int], total: int, wanted: int) -> Vectors:
    """A fixed random sample of some videos' frames, float32 [min(wanted, total), D]."""
    generator = np.random.default_rng(1)
    picked = np.sort(generator.choice(total, min(wanted, total), replace=False))
    parts, seen = [], 0
    for _, times, half in library.iter_frames(ids):
        low, high = np.searchsorted(picked, (seen, seen + len(times)))
        parts.append(half[picked[low:high] - seen].astype(np.float32))
        seen += len(times)
    return np.concatenate(parts)


def batches(
    frames: Iterable[tuple[Segment, Times, HalfVectors]], builder: TableBuilder
) -> Iterator[Vectors]:
    """Float32 batches in the order in which the builder sees the frames."""
    waiting: list[HalfVectors] = []
    rows = 0
    for segment, times, half in frames:
        builder.add(segment, times, half)
        waiting.append(half)
        rows += len(half)
        if rows >= BATCH_ROWS:
            yield np.concatenate(waiting).astype(np.float32)
            waiting, rows = [], 0
    if waiting:
        yield np.concatenate(waiting).astype(np.float32)
