"""Where localizers get their frames: the library, and what was decoded again for this search."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from ..types import Times, Vectors, VideoRow

if TYPE_CHECKING:
    from ..store.library import Library

_NEAREST_S = 30.0
"""Beyond the ends of what is asked, how far a key frame may lie that stands for frames inside."""


class FrameSource:
    """Frames of a library's videos at the rate that localizers are made for."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self._seen: dict[int, list[tuple[Times, Vectors]]] = defaultdict(list)

    def add(self, video: VideoRow, times_s: Times, vectors: Vectors) -> None:
        """Takes frames that stand in for the coarse ones between the first and the last of them.

        Args:
            video: A coarse one.
            times_s: float64 [T], rising, one second apart.
            vectors: float32 [T, D].
        """
        self._seen[video.id].append((times_s, vectors))

    def frames(self, video: VideoRow, start_s: float, end_s: float) -> tuple[Times, Vectors]:
        """Frames of a video in ``[start_s, end_s)``.

        Returns:
            Times float64 [T] and vectors float32 [T, D]. Where only key frames are known,
            every second shows the nearest one, so a change lies midway between two of them.
        """
        if not video.coarse:
            return self.library.read_vectors(video.id, start_s, end_s)
        known_s, known = self.library.read_vectors(
            video.id, start_s - _NEAREST_S, end_s + _NEAREST_S
        )
        for times_s, vectors in self._seen[video.id]:
            apart = (known_s < times_s[0]) | (known_s > times_s[-1])
            known_s = np.concatenate([known_s[apart], times_s])
            order = np.argsort(known_s)
            known_s, known = known_s[order], np.concatenate([known[apart], vectors])[order]
        seconds = np.arange(np.ceil(max(0.0, start_s)), min(end_s, video.duration_s))
        if not len(known_s):
            return seconds[:0], known
        return seconds, known[np.searchsorted((known_s[1:] + known_s[:-1]) / 2, seconds)]
