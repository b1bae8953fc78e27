"""Stretches of videos that are decoded and encoded again during a search, side by side."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ..errors import MediaError
from ..files import shown
from ..media.fingerprint import fingerprint
from ..types import Encoder, Picture, Preprocess, Times, Vectors, VideoRow

Range = tuple[float, float]
_DECODERS = 4
"""Stretches decoded side by side."""


@dataclass(frozen=True)
class Stretch:
    """Frames of one stretch of one video."""

    video: VideoRow
    range_s: Range
    times_s: Times
    """float64 [T], at least one."""
    vectors: Vectors
    """float32 [T, D]."""


def look_again(
    ranges: Sequence[tuple[VideoRow, Range]],
    encoder: Encoder,
    step_s: float,
    notes: dict[int, str],
    progress: Callable[[int, int], None],
) -> list[Stretch]:
    """Samples stretches and encodes all their pictures together.

    Args:
        ranges: Videos and ``[start_s, end_s)``.
        encoder: Its vision tower is loaded now.
        step_s: Spacing of the samples.
        notes: By video: lines for people. Videos with one are left out; those whose file
            is not the one that was indexed, or cannot be read, get one.
        progress: Told how much is done and in all: frames decoded and frames encoded.
    """
    notes.update(_unusable({v.id: v for v, _ in ranges if v.id not in notes}.values()))
    ranges = [(video, range_s) for video, range_s in ranges if video.id not in notes]
    if not ranges:
        return []
    expected = [1 + round((end_s - start_s) / step_s) for _, (start_s, end_s) in ranges]
    half = sum(expected)
    progress(0, 2 * half)
    decoded: list[_Decoded] = []
    for number, part in enumerate(_decoded(ranges, encoder.preprocess, step_s, notes), 1):
        if part is not None:
            decoded.append(part)
        progress(sum(expected[:number]), 2 * half)
    decoded = [part for part in decoded if part[0].id not in notes and part[2]]
    pictures = [picture for *_, shots in decoded for picture in shots]
    vectors = np.zeros((0, encoder.space.dim), np.float32)
    size = max(1, encoder.batch_size)
    for first in range(0, len(pictures), size):
        batch = encoder.encode_pictures(pictures[first : first + size])
        vectors = np.concatenate([vectors, batch])
        progress(half + half * len(vectors) // len(pictures), 2 * half)
    stretches, first = [], 0
    for video, range_s, times_s, shots in decoded:
        own = vectors[first : first + len(shots)]
        first += len(shots)
        if np.isfinite(own).all():
            stretches.append(Stretch(video, range_s, np.asarray(times_s, np.float64), own))
    return stretches


def _unusable(videos: Iterable[VideoRow]) -> dict[int, str]:
    """Notes for the videos whose file is not the one that was indexed."""
    notes: dict[int, str] = {}
    for video in videos:
        try:
            stat = os.lstat(video.path)
            same = (stat.st_size, stat.st_mtime_ns) == (video.size_bytes, video.mtime_ns)
            if not same and fingerprint(video.path) != video.fingerprint:
                notes[video.id] = (
                    f"{shown(video.path)} has changed since it was indexed, so its moments "
                    "are not refined and may be off; run gz index on it."
                )
        except OSError as error:
            notes[video.id] = (
                f"{shown(video.path)} cannot be read ({error.strerror}), "
                "so its moments are not refined."
            )
    return notes


def joined(ranges: Sequence[Range]) -> list[Range]:
    """Ranges of one video in order, those that touch made one."""
    together: list[Range] = []
    for low, high in sorted(ranges):
        if together and low <= together[-1][1]:
            together[-1] = (together[-1][0], max(high, together[-1][1]))
        else:
            together.append((low, high))
    return together


_Decoded = tuple[VideoRow, Range, list[float], list[Picture]]


def _decoded(
    ranges: Sequence[tuple[VideoRow, Range]],
    preprocess: Preprocess,
    step_s: float,
    notes: dict[int, str],
) -> Iterator[_Decoded | None]:
    """Each stretch in turn, None for one that fails; all are decoded side by side."""
    from ..sampling.sampler import sample_range

    with ThreadPoolExecutor(_DECODERS, thread_name_prefix="stretch") as pool:
        futures: list[Future[tuple[list[float], list[Picture]]]] = [
            pool.submit(sample_range, video.path, *range_s, step_s, preprocess)
            for video, range_s in ranges
        ]
        for (video, range_s), future in zip(ranges, futures, strict=True):
            try:
                times_s, pictures = future.result()
            except (MediaError, OSError) as error:
                why = error.message if isinstance(error, MediaError) else error.strerror
                notes[video.id] = (
                    f"{shown(video.path)} cannot be read again ({why}), "
                    "so its moments are not refined."
                )
                yield None
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
            else:
                yield video, range_s, times_s, pictures
