"""Turns decoded pictures into vectors while the decoder goes on.

Batches fill across videos, so a hundred short clips cost no more calls than
one long film. A frame without a picture looks like the last one of its video that
has one, and gets its vector. One thread encodes; at most two full batches wait for it, so memory
does not grow with the length of a video.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType

import numpy as np

from ..types import Encoder, Picture, Times, Vectors

Deliver = Callable[[int, Times, Vectors], None]
Complete = Callable[[int], None]
Refuse = Callable[[int, str], None]

_BATCHES_AHEAD = 2


@dataclass
class _Shot:
    """A picture, and the times at which its video shows it that wait for its vector."""

    key: int
    times_s: list[float]
    picture: Picture
    vector: Vectors | None = None


class EncodeQueue:
    """Collects pictures of many videos and hands their vectors back in order.

    Callbacks run on the caller's thread, inside `add`, `end` and `drain`.
    """

    def __init__(
        self, encoder: Encoder, deliver: Deliver, complete: Complete, refuse: Refuse
    ) -> None:
        """Prepares an empty queue.

        Args:
            encoder: Called from one thread only.
            deliver: Receives a video's key, times float64 [T] and vectors float32 [T, D].
            complete: Receives the key of a video whose every frame was delivered after `end`.
            refuse: Receives a key and the reason when the model gave no usable vectors.
        """
        self._encoder = encoder
        self._deliver, self._complete, self._refuse = deliver, complete, refuse
        self._batch_size = max(1, encoder.batch_size)
        self._pending: list[_Shot] = []
        self._running: deque[tuple[list[_Shot], Future[Vectors]]] = deque()
        self._last: dict[int, _Shot] = {}
        self._outstanding: Counter[int] = Counter()
        self._ended: set[int] = set()
        self._dropped: set[int] = set()
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="encode")

    def __enter__(self) -> EncodeQueue:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def add(self, key: int, times_s: Sequence[float], pictures: Sequence[Picture | None]) -> None:
        """Queues frames of a video; may deliver earlier ones.

        Args:
            key: The video.
            times_s: Of the frames, later than those queued before.
            pictures: None for a frame that looks like the one before; never the first.
        """
        if key in self._dropped:
            return
        self._outstanding[key] += len(pictures)
        for time_s, picture in zip(times_s, pictures, strict=True):
            if picture is None:
                self._repeat(self._last[key], time_s)
            else:
                shot = self._last[key] = _Shot(key, [time_s], picture)
                self._pending.append(shot)
        while len(self._pending) >= self._batch_size:
            batch, self._pending = (
                self._pending[: self._batch_size],
                self._pending[self._batch_size :],
            )
            self._submit(batch)

    def _repeat(self, shot: _Shot, time_s: float) -> None:
        if shot.vector is None:
            shot.times_s.append(time_s)
        else:
            self._outstanding[shot.key] -= 1
            self._deliver(shot.key, np.array([time_s]), shot.vector[None])

    def end(self, key: int) -> None:
        """Says that no more frames of this video will come."""
        self._ended.add(key)
        self._settle(key)

    def drop(self, key: int) -> None:
        """Forgets a video; frames of it that are still queued are not delivered."""
        self._dropped.add(key)
        self._last.pop(key, None)
        self._pending = [shot for shot in self._pending if shot.key != key]

    def drain(self) -> None:
        """Encodes and delivers everything that is queued."""
        if self._pending:
            batch, self._pending = self._pending, []
            self._submit(batch)
        while self._running:
            self._collect()

    def _submit(self, batch: list[_Shot]) -> None:
        pictures = [shot.picture for shot in batch]
        self._running.append((batch, self._pool.submit(self._encoder.encode_pictures, pictures)))
        while len(self._running) > _BATCHES_AHEAD or self._running[0][1].done():
            self._collect()
            if not self._running:
                break

    def _collect(self) -> None:
        batch, future = self._running.popleft()
        self._hand_over(batch, future.result())

    def _hand_over(self, batch: list[_Shot], vectors: Vectors) -> None:
        keys = np.array([shot.key for shot in batch])
        for key in dict.fromkeys(keys.tolist()):
            own = np.flatnonzero(keys == key)
            if key in self._dropped:
                continue
            shots = [batch[k] for k in own]
            counts = [len(shot.times_s) for shot in shots]
            if not np.isfinite(vectors[own]).all():
                self._give_up(key, sum(counts), "the model gave numbers that are not finite")
                continue
            for shot, vector in zip(shots, vectors[own], strict=True):
                shot.vector = vector
            self._outstanding[key] -= sum(counts)
            times_s = np.array([time_s for shot in shots for time_s in shot.times_s], np.float64)
            self._deliver(key, times_s, np.repeat(vectors[own], counts, axis=0))
            self._settle(key)

    def _give_up(self, key: int, frames: int, reason: str) -> None:
        if key in self._dropped:
            return
        self._outstanding[key] -= frames
        self.drop(key)
        self._refuse(key, reason)

    def _settle(self, key: int) -> None:
        if key in self._ended and key not in self._dropped and not self._outstanding[key]:
            self._ended.discard(key)
            del self._outstanding[key]
            self._last.pop(key, None)
            self._complete(key)
