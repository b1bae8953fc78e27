"""What goes into one version of a video: checked times and vectors, chunks, tokens."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ..types import Times, Vectors

CHUNK_FRAMES = 64
"""Frames in a stored chunk: 150 KB at 1152 channels, a minute at 1 fps."""
NORM_TOLERANCE = 0.02
"""How far the length of a vector may be from one."""

_MASK = (1 << 64) - 1


def prepared(
    times_s: Times, vectors: Vectors, dim: int, after_s: float | None = None
) -> tuple[Times, npt.NDArray[np.float16]]:
    """Times and vectors as they are stored: float64 [T] and float16 [T, D].

    Raises:
        ValueError: Shapes differ, times do not rise or do not follow `after_s`, or a
            vector is not finite or not of length one.
    """
    times = np.ascontiguousarray(times_s, "<f8")
    full = np.ascontiguousarray(vectors, np.float32)
    if full.shape != (len(times), dim):
        raise ValueError(f"{full.shape} vectors for {len(times)} times of {dim} channels")
    if not len(times):
        return times, full.astype("<f2")
    if not np.isfinite(times).all() or times[0] < 0 or (np.diff(times) <= 0).any():
        raise ValueError("frame times must be finite, not negative, and rise")
    if after_s is not None and times[0] <= after_s:
        raise ValueError(f"frame at {times[0]} s does not follow {after_s} s, which is staged")
    if not np.isfinite(full).all():
        bad = int(np.argmin(np.isfinite(full).all(axis=1)))
        raise ValueError(f"the vector of the frame at {times[bad]:.2f} s is not finite")
    norms = np.linalg.norm(full, axis=1, keepdims=True)
    if (np.abs(norms - 1) > NORM_TOLERANCE).any():
        bad = int(np.argmax(np.abs(norms - 1)))
        raise ValueError(f"the vector of the frame at {times[bad]:.2f} s is not normalised")
    return times, (full / norms).astype("<f2")


def chunked(
    times: Times, half: npt.NDArray[np.float16], first_frame: int
) -> Iterator[tuple[int, Times, npt.NDArray[np.float16]]]:
    """Pieces of at most `CHUNK_FRAMES` frames with the number of their first frame."""
    for start in range(0, len(times), CHUNK_FRAMES):
        stop = start + CHUNK_FRAMES
        yield first_frame + start, times[start:stop], half[start:stop]


def frame_tokens(times: Times, half: npt.NDArray[np.float16]) -> int:
    """Sum over frames of 64-bit digests of time and vector.

    A sum does not depend on where a video was cut into pieces, so a resumed
    video gets the token of an undisturbed one.
    """
    total = 0
    for time, vector in zip(times, half, strict=True):
        digest = hashlib.blake2b(time.tobytes() + vector.tobytes(), digest_size=8).digest()
        total += int.from_bytes(digest, "little")
    return total & _MASK


def add_tokens(token: bytes, more: int) -> bytes:
    """The token of a version after more frames."""
    return (int.from_bytes(token, "little") + more & _MASK).to_bytes(8, "little")
