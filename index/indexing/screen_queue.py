"""Reads the screens of the videos that are being decoded, beside whatever else is done with them.

One thread reads. Few pictures wait for it, so that memory does not grow; then who decodes
waits too. What goes wrong while one video is read ends with the text of that video.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from ..passages import ScreenReader, TextTrack
from ..text.screen_reading import ScreenReading
from ..types import Picture

READ_PX = 1280
"""Longer side of the pictures that are read; smaller ones keep their size."""
_AHEAD = 6
"""Groups of samples that wait, each of a few pictures."""


class ScreenQueue:
    """Readings of several videos at once, by the caller's own numbers."""

    def __init__(self, reader: ScreenReader) -> None:
        self._reader = reader
        self._readings: dict[int, ScreenReading] = {}
        self._failures: dict[int, str] = {}
        self._waiting: deque[Future[None]] = deque()
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="read-screen")

    def __enter__(self) -> ScreenQueue:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def begin(self, key: int, start_s: float = 0.0) -> None:
        """Expects a video from a time on."""
        self._readings[key] = ScreenReading(self._reader, start_s)

    def add(self, key: int, times_s: Sequence[float], pictures: Sequence[Picture | None]) -> None:
        """The next samples of a video; one that was not begun is passed over."""
        if key not in self._readings or key in self._failures:
            return
        self._waiting.append(self._pool.submit(self._see, key, times_s, pictures))
        while len(self._waiting) > _AHEAD:
            self._waiting.popleft().result()

    def track(self, key: int, end_s: float) -> TextTrack | str:
        """What was read of a video until a time and not taken before; or why nothing could be.

        Waits until its samples are read.
        """
        while self._waiting:
            self._waiting.popleft().result()
        return self._failures.get(key) or self._readings[key].track(end_s)

    def at_s(self, key: int) -> float:
        """How far a video was read; only waiting readings may go on meanwhile."""
        return self._readings[key].at_s

    def begun(self, key: int) -> bool:
        """Whether a video is expected."""
        return key in self._readings

    def drop(self, key: int) -> None:
        """Forgets a video."""
        self._readings.pop(key, None)
        self._failures.pop(key, None)

    def stop(self) -> None:
        """Reads nothing more of what waits."""
        for future in self._waiting:
            future.cancel()
        self._waiting = deque(future for future in self._waiting if not future.cancelled())

    def _see(self, key: int, times_s: Sequence[float], pictures: Sequence[Picture | None]) -> None:
        reading = self._readings.get(key)
        if reading is None or key in self._failures:
            return
        try:
            for time_s, picture in zip(times_s, pictures, strict=True):
                reading.see(time_s, picture)
        except Exception as error:  # whatever a model raises, pictures are not its business
            words = str(error).strip().splitlines() or [type(error).__name__]
            self._failures[key] = f"the screen could not be read: {words[-1]}"
