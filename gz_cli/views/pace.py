"""How fast an index run goes and how long it will take, once there is something to tell from."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from index.indexing.progress import IndexProgress

_LEAST_S = 5.0
"""Seconds of steady work before anything is said about the rest."""


class Pace:
    """The speed of the pass that is under way.

    Decoders start and weights load for seconds in which nothing comes out, so the clock
    starts with the first seconds of video that do.
    """

    def __init__(self) -> None:
        self._first: IndexProgress | None = None
        self._now: IndexProgress | None = None

    def update(self, progress: IndexProgress) -> None:
        """Another piece is done."""
        last = self._now
        if last is not None and (
            progress.coarse != last.coarse or progress.elapsed_s < last.elapsed_s
        ):
            self._first = None  # another pass, with a speed of its own
        if self._first is None and progress.video_s > 0:
            self._first = progress
        self._now = progress

    @property
    def times_real_time(self) -> float | None:
        """Seconds of video in a second; None while nobody can tell."""
        first, now = self._first, self._now
        if first is None or now is None or now.elapsed_s - first.elapsed_s < _LEAST_S:
            return None
        return (now.video_s - first.video_s) / (now.elapsed_s - first.elapsed_s) or None

    @property
    def left_s(self) -> float | None:
        """Seconds that the rest of the pass will take; None while nobody can tell."""
        first, now = self._first, self._now
        if first is None or now is None or now.elapsed_s - first.elapsed_s < _LEAST_S:
            return None
        done = now.share_done - first.share_done
        return (now.elapsed_s - first.elapsed_s) * (1 - now.share_done) / done if done > 0 else None
