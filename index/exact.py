"""Cosines straight from the library's own vectors, without an index."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .frame_table import FrameTable
from .store import Library
from .types import Times, Vectors


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
) -> tuple[npt.NDArray[np.int64], Times, Vectors]:
    """The best frames of a few videos, straight from the library."""
    videos = [np.zeros(0, np.int64)]
    times = [np.zeros(0, np.float64)]
    cosines = [np.zeros(0, np.float32)]
    for number in segments:
        video_id = int(table.segments["video_id"][number])
        part_times, vectors = library.read_vectors(video_id)
        videos.append(np.full(len(part_times), video_id))
        times.append(part_times)
        cosines.append(vectors @ query)
    scores = np.concatenate(cosines)
    best = np.argsort(-scores, kind="stable")[:limit]
    return np.concatenate(videos)[best], np.concatenate(times)[best], scores[best]
