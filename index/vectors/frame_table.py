"""Which video and second a row of the vector cache is, and what is usual in the library.

Plain arrays that can be memory-mapped: 12 bytes a frame for its time and what everyday
sentences say about it, 3 kB a video for the questions that no scene answers, and a fixed
sample of vectors, whatever the size of the library.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..store.library import HalfVectors, Segment
from ..types import Times, Vectors
from .everyday import Yardstick

SAMPLE_FRAMES = 16_384
"""Vectors kept to describe the library as a whole."""
SEGMENT_DTYPE = np.dtype(
    [("video_id", "<i8"), ("token", "<u8"), ("first_row", "<i8"), ("frames", "<i8")]
)
_MERGE_ROWS = 8192
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class FrameTable:
    """Rows of a vector index in the order in which they were added."""

    segments: npt.NDArray[np.void]
    """`SEGMENT_DTYPE` [S], one entry per video, by first row."""
    times_s: Times
    """float64 [N], time of each row within its video."""
    sample_rows: npt.NDArray[np.int64]
    """int64 [K], rows whose vectors are in the sample."""
    sample_priority: npt.NDArray[np.uint64]
    """uint64 [K], rising; the K smallest of all rows."""
    sample: HalfVectors
    """float16 [K, D]."""
    bank: Vectors
    """float32 [B, D], the everyday sentences that frames were measured by; may have no rows."""
    rivals: npt.NDArray[np.float32]
    """float32 [N], what those sentences take off the score of each row."""
    nulls: npt.NDArray[np.float32]
    """float32 [S, 3, Q]: best score, mean score and mean square of each question that no scene
    answers, by segment."""

    def __post_init__(self) -> None:
        ends = self.segments["first_row"] + self.segments["frames"]
        starts = np.append(self.segments["first_row"][1:], len(self.times_s))
        in_order = len(self.segments) == 0 or (
            self.segments["first_row"][0] == 0 and bool((ends == starts).all())
        )
        counts = {len(self.sample_rows), len(self.sample_priority), len(self.sample)}
        fits = len(self.rivals) == self.rows and len(self.nulls) == len(self.segments)
        empty = len(self.segments) == 0
        if not in_order or not fits or len(counts) != 1 or empty != (self.rows == 0):
            raise ValueError("the parts of the frame table do not fit together")

    @property
    def rows(self) -> int:
        """Frames in the table."""
        return len(self.times_s)

    @property
    def sample_bound(self) -> int:
        """Every row whose priority is not higher is in the sample."""
        if len(self.sample_rows) == self.rows:
            return int(np.iinfo(np.uint64).max)
        return int(self.sample_priority[-1])

    def segment_of(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Number of the segment that each row belongs to, int64 like `rows`."""
        return np.searchsorted(self.segments["first_row"], rows, side="right") - 1

    def segment(self, number: int) -> Segment:
        """One segment as the store knows it."""
        entry = self.segments[number]
        return Segment(int(entry["video_id"]), int(entry["token"]), int(entry["frames"]))

    def matching(self, current: Sequence[Segment]) -> npt.NDArray[np.bool_]:
        """Which segments are still in the library exactly as they are here, bool [S]."""
        known = {(segment.video_id, segment.token, segment.frames) for segment in current}
        fields = self.segments[["video_id", "token", "frames"]].tolist()
        return np.fromiter((entry in known for entry in fields), np.bool_, len(fields))

    def lacking(self, current: Sequence[Segment]) -> list[Segment]:
        """Segments of the library that are not here."""
        held = set(self.segments["video_id"][self.matching(current)].tolist())
        return [segment for segment in current if segment.video_id not in held]

    def of_videos(self, video_ids: Collection[int]) -> npt.NDArray[np.bool_]:
        """Which segments belong to the named videos, bool [S]."""
        return np.isin(self.segments["video_id"], np.fromiter(video_ids, np.int64))

    def row_mask(self, chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Rows of the chosen segments, bool [N]."""
        return np.repeat(chosen, self.segments["frames"])

    def frames_in(self, chosen: npt.NDArray[np.bool_]) -> int:
        """Number of rows in the chosen segments."""
        return int(self.segments["frames"][chosen].sum())


class TableBuilder:
    """Grows a `FrameTable` while vectors are added to an index in the same order.

    Args:
        dim: Channels of a vector.
        yardstick: What frames are measured by.
        start: A table to go on with; it was measured by the same.
    """

    def __init__(self, dim: int, yardstick: Yardstick, start: FrameTable | None = None) -> None:
        self._yardstick = yardstick
        self._segments = [] if start is None else start.segments.tolist()
        self._times = [] if start is None else [start.times_s]
        self._rivals = [] if start is None else [start.rivals]
        self._nulls = [] if start is None else list(start.nulls)
        self._rows = 0 if start is None else start.rows
        self._sample_rows = np.zeros(0, np.int64) if start is None else start.sample_rows
        self._priority = np.zeros(0, np.uint64) if start is None else start.sample_priority
        self._sample = np.zeros((0, dim), np.float16) if start is None else start.sample
        self._waiting: list[tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64], HalfVectors]] = []
        self._waiting_rows = 0

    def add(self, segment: Segment, times_s: Times, vectors: HalfVectors) -> None:
        """Appends consecutive frames of a segment."""
        rivals, scores = self._yardstick.measure(vectors.astype(np.float32))
        null = _null(scores)
        if self._segments and self._segments[-1][:2] == (segment.video_id, segment.token):
            video_id, token, first_row, frames = self._segments[-1]
            self._segments[-1] = (video_id, token, first_row, frames + len(times_s))
            self._nulls[-1] = _null_of_both(self._nulls[-1], frames, null, len(times_s))
            number = frames
        else:
            self._segments.append((segment.video_id, segment.token, self._rows, len(times_s)))
            self._nulls.append(null)
            number = 0
        numbers = np.arange(number, number + len(times_s), dtype=np.uint64)
        self._take(_priority(segment.token, numbers), vectors)
        self._times.append(times_s)
        self._rivals.append(rivals)
        self._rows += len(times_s)

    def _take(self, priority: npt.NDArray[np.uint64], vectors: HalfVectors) -> None:
        """Keeps the rows of lowest priority seen so far: a uniform sample, however it grew."""
        rows = np.arange(self._rows, self._rows + len(priority))
        if len(self._priority) >= SAMPLE_FRAMES:
            better = priority < self._priority[-1]
            priority, rows, vectors = priority[better], rows[better], vectors[better]
        self._waiting.append((priority, rows, vectors))
        self._waiting_rows += len(rows)
        if self._waiting_rows >= _MERGE_ROWS:
            self._merge()

    def _merge(self) -> None:
        priority, rows, vectors = zip(*self._waiting, strict=True)
        together = np.concatenate([self._priority, *priority])
        order = np.argsort(together, kind="stable")[:SAMPLE_FRAMES]
        self._priority = together[order]
        self._sample_rows = np.concatenate([self._sample_rows, *rows])[order]
        self._sample = np.concatenate([self._sample, *vectors])[order]
        self._waiting, self._waiting_rows = [], 0

    def table(self) -> FrameTable:
        """What was added so far."""
        if self._waiting:
            self._merge()
        shape = (len(self._nulls), 3, self._yardstick.questions)
        return FrameTable(
            np.array(self._segments, SEGMENT_DTYPE),
            np.concatenate(self._times) if self._times else np.zeros(0, np.float64),
            self._sample_rows,
            self._priority,
            self._sample,
            self._yardstick.bank,
            np.concatenate(self._rivals) if self._rivals else np.zeros(0, np.float32),
            np.array(self._nulls, np.float32).reshape(shape),
        )


_Null = npt.NDArray[np.float32]
"""Best score, mean and mean square of each question in a stretch of frames, float32 [3, Q]."""


def _null(scores: npt.NDArray[np.float32]) -> _Null:
    """Of at least one frame, float32 [T, Q]."""
    return np.stack([scores.max(axis=0), scores.mean(axis=0), np.square(scores).mean(axis=0)])


def _null_of_both(first: _Null, first_frames: int, second: _Null, second_frames: int) -> _Null:
    share = second_frames / (first_frames + second_frames)
    means = (1 - share) * first[1:] + share * second[1:]
    return np.concatenate([np.maximum(first[:1], second[:1]), means.astype(np.float32)])


def _priority(token: int, numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """A fixed pseudo-random 64-bit number for each frame of a video (splitmix64)."""
    with np.errstate(over="ignore"):
        mixed = np.uint64(token) + (numbers + np.uint64(1)) * _GOLDEN
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))
