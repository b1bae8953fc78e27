"""Reads the screens of videos that are indexed already: a pass of its own with its own state.

An interrupted pass goes on where it stood, a long video piece by piece; a video that cannot
be read loses nothing but this text.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from ..files import FileStat
from ..passages import ScreenReader, TextTrack
from ..sampling.jobs import DecodeJob
from ..sampling.readable import as_it_is
from ..sampling.workers import Failed, Finished, Frames, Opened, decode
from ..store.library import Library
from ..text.screen_reading import source_of
from ..types import VideoRow
from .progress import IndexObserver, IndexOptions, IndexProgress
from .scan import Problem
from .screen_queue import READ_PX, ScreenQueue

_PIECE_S = 1800.0
"""Seconds of a long video that are made safe at once."""
_PROGRESS_EVERY_S = 0.2


def without_screen_text(library: Library, rows: Sequence[VideoRow], retry: bool) -> list[VideoRow]:
    """Videos whose screen is to be read; those that a run ended in the middle of come last.

    Args:
        library: Knows what was read.
        rows: Indexed videos that are there.
        retry: Also those whose reading failed.
    """
    known: dict[int, str] = {}
    for text in library.text_rows():
        row_is_read = text.source.kind == "read" and text.source.channel == "screen"
        if row_is_read and (text.state != "failed" or not retry):
            known[text.video_id] = "" if text.state == "staged" else text.fingerprint
    wanted = [row for row in rows if known.get(row.id) != row.fingerprint]
    return sorted(wanted, key=lambda row: row.id in known)


class ScreenPass:
    """One pass over videos that are indexed."""

    def __init__(
        self,
        library: Library,
        reader: ScreenReader,
        options: IndexOptions,
        observer: IndexObserver,
        report_problem: Callable[[Problem], None],
    ) -> None:
        self._library, self._options, self._observer = library, options, observer
        self._source = source_of(reader)
        self._reader = reader
        self._report_problem = report_problem
        self._rows: dict[int, VideoRow] = {}
        self._texts: dict[int, int] = {}
        self._clocks: dict[int, tuple[tuple[float, str], ...]] = {}
        self._staged_s: dict[int, float] = {}
        self._stats: dict[int, FileStat] = {}
        self.read = 0
        self._done = 0
        self._done_s = self._told = 0.0
        self._started = time.monotonic()

    def run(self, rows: Sequence[VideoRow]) -> None:
        """Reads the videos in their order.

        Raises:
            NoSpaceError: The disk is full; what was read before is kept.
            KeyboardInterrupt: What was read of the videos under way is kept.
        """
        self._all = len(rows)
        self._total_s = sum(row.duration_s for row in rows) or 1.0
        with ScreenQueue(self._reader) as queue:
            events = decode(
                self._jobs(rows, queue),
                as_it_is,
                workers=1 if self._options.workers is None else self._options.workers,
            )
            try:
                with contextlib.closing(events):
                    for event in events:
                        self._handle(event, queue)
            except KeyboardInterrupt:
                queue.stop()
                for key in list(self._texts):
                    self._stage(key, queue, queue.at_s(key))
                raise

    def _jobs(self, rows: Sequence[VideoRow], queue: ScreenQueue) -> Iterator[DecodeJob]:
        for row in rows:
            try:
                self._stats[row.id] = FileStat.read(row.path)
            except OSError as error:
                self._problem(row, f"the screen was not read: {error.strerror}")
                continue
            text = self._library.stage_text(row.id, self._source)
            self._rows[row.id], self._texts[row.id] = row, text.id
            self._clocks[row.id], self._staged_s[row.id] = text.clock, text.covered_s
            queue.begin(row.id, text.covered_s)
            yield DecodeJob(
                row.id,
                row.path,
                self._options.step_s,
                # The last sample once more: lines that stood there go on without a gap.
                text.covered_s // self._options.step_s * self._options.step_s,
                read_px=READ_PX,
                only_read=True,
                hwaccel=self._options.hwaccel,
            )

    def _handle(self, event: Opened | Frames | Finished | Failed, queue: ScreenQueue) -> None:
        row = self._rows.get(event.key)
        if row is None or isinstance(event, Opened):
            return
        if isinstance(event, Frames):
            queue.add(event.key, event.times_s, event.readable)
            if event.times_s[-1] - self._staged_s[event.key] >= _PIECE_S:
                self._stage(event.key, queue, event.times_s[-1])
            self._tell(row, event.times_s[-1])
            return
        if isinstance(event, Finished):
            self._publish(row, queue, event.report.duration_s)
        elif event.kind == "device" or event.innocent:
            self._problem(row, f"the screen was not read: {event.reason}")
        else:
            self._fail(row, event.reason)
        self._close(row, queue)

    def _stage(self, key: int, queue: ScreenQueue, until_s: float) -> None:
        """Makes safe what was read of a video."""
        track = queue.track(key, until_s)
        if isinstance(track, TextTrack) and until_s > self._staged_s[key]:
            self._clocks[key] += track.clock
            self._library.append_passages(
                self._texts[key], "screen", track.passages, until_s, self._clocks[key]
            )
            self._staged_s[key] = until_s

    def _publish(self, row: VideoRow, queue: ScreenQueue, duration_s: float) -> None:
        track = queue.track(row.id, duration_s)
        if isinstance(track, str):
            self._fail(row, track)
        elif not self._unchanged(row):
            self._problem(row, "changed while its screen was read; the next run will read it")
        else:
            text_id = self._texts[row.id]
            whole = replace(track, clock=(*self._clocks[row.id], *track.clock))
            self._library.append_passages(
                text_id, "screen", whole.passages, duration_s, whole.clock
            )
            self._library.publish_text(text_id, whole)
            self.read += 1

    def _unchanged(self, row: VideoRow) -> bool:
        try:
            return FileStat.read(row.path).same_content_as(self._stats[row.id])
        except OSError:
            return False

    def _fail(self, row: VideoRow, reason: str) -> None:
        self._library.fail_text(row.id, self._source, reason)
        self._problem(row, reason)

    def _problem(self, row: VideoRow, reason: str) -> None:
        self._report_problem(Problem(row.path, reason))

    def _close(self, row: VideoRow, queue: ScreenQueue) -> None:
        queue.drop(row.id)
        del self._rows[row.id], self._texts[row.id]
        self._done += 1
        self._done_s += row.duration_s
        self._tell(row, 0.0)

    def _tell(self, row: VideoRow, read_s: float) -> None:
        now = time.monotonic()
        if now - self._told < _PROGRESS_EVERY_S and self._done < self._all:
            return
        self._told = now
        self._observer.progress(
            IndexProgress(
                files_done=self._done,
                files_total=self._all,
                video_s=self._done_s + read_s,
                share_done=min(1.0, (self._done_s + read_s) / self._total_s),
                frames=0,
                frames_encoded=0,
                elapsed_s=now - self._started,
                current=row.path,
                reading=True,
            )
        )
