"""Brings the words of videos up to date: side files, text streams and chapters.

Pictures are never decoded for it, and no text can keep a video from being searched. Each video
is settled in one commit, so a run that ends anywhere goes on from there; what is as it was
when it was read is not opened again.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ..failpoints import reached
from ..files import FileStat
from ..passages import TextSource
from ..sampling.text_jobs import SourceFailed, TextFailed, TextJob, TextRead
from ..sampling.texts import read_texts
from ..store.library import Library
from ..store.text_rows import TextRow
from ..text.alignment import HeardWord, heard_words
from ..text.sidecars import Sidecar, said_by_name
from ..types import VideoRow
from .absence import is_under
from .progress import IndexObserver, IndexOptions, IndexProgress
from .scan import Candidate, Exclusion, Problem
from .side_files import (
    Asked,
    Beside,
    Folders,
    beside,
    container_state,
    heard_in,
    settings_of,
    waiting,
)

_WORKERS = 2
"""Processes that read texts; each waits for the drive most of the time."""
_INSIDE = ("embedded", "chapters")
_INNOCENT = ("device", "stuck", "ended")
"""Ends of a worker that no file is to blame for."""
_NOTHING_IN_IT = "it holds no words with a time inside the video"


@dataclass
class TextCounts:
    """What became of the texts so far."""

    read: int = 0
    failed: int = 0
    gone: int = 0
    videos: set[int] = field(default_factory=set)
    """Of which texts were read."""
    side_files: set[bytes] = field(default_factory=set)
    """Files that belong to a video, as far as they are texts."""


@dataclass(frozen=True)
class _Order:
    """What is to be read of one video."""

    video: VideoRow
    files: tuple[Sidecar, ...]
    container: bool
    gone: tuple[TextRow, ...]
    """Texts to drop when the new ones are there."""
    heard: TextRow | None
    """What was transcribed of it."""

    def settings(self, path: bytes, *, aligned: bool = False) -> str:
        """How a side file is read, for the library; empty for what is inside the video."""
        for file in self.files:
            if file.path == path and aligned:
                return waiting(settings_of(file, self.video, self.heard))
            if file.path == path:
                return settings_of(file, self.video)
        return ""


class TextPass:
    """The texts of one run's videos; `counts` is right at every moment."""

    def __init__(
        self,
        library: Library,
        options: IndexOptions,
        observer: IndexObserver,
        report_problem: Callable[[Problem], None],
    ) -> None:
        """Nothing is read yet.

        Args:
            library: Open for writing.
            options: How to read.
            observer: Told where the pass stands.
            report_problem: Told of each text that could not be read.
        """
        self.counts = TextCounts()
        self.in_reach: Callable[[bytes], bool] = lambda path: False
        """Whether what is not at a path was deleted, see `side_files.beside`."""
        self._library, self._options, self._observer = library, options, observer
        self._report_problem = report_problem
        self._tried: set[tuple[int, bytes, str]] = set()
        self._started_s = time.monotonic()

    def run(self, here: Iterable[Candidate]) -> None:
        """Reads what is new or changed of all videos that can be searched.

        Args:
            here: Files that the run met.

        Raises:
            NoSpaceError: The disk is full; what was read before is kept.
        """
        orders = self._orders({candidate.path: candidate.root for candidate in here})
        jobs = [self._job(number, order) for number, order in enumerate(orders)]
        workers = _WORKERS if self._options.workers is None else min(1, self._options.workers)
        with contextlib.closing(read_texts(jobs, workers=workers)) as results:
            for done, result in enumerate(results, 1):
                order = orders[result.key]
                with self._library.one_commit():
                    if isinstance(result, TextRead):
                        self._keep(order, result)
                    else:
                        self._give_up(order, result)
                    reached("before_texts_commit")
                self._tell(order.video, done, len(orders))

    def _orders(self, here: dict[bytes, bytes]) -> list[_Order]:
        """What has to be read; where that is nothing, texts that are gone are dropped at once."""
        copies: dict[int, list[bytes]] = {}
        for copy in self._library.copies():
            copies.setdefault(copy.video_id, []).append(copy.path)
        texts: dict[int, list[TextRow]] = {}
        for text in self._library.text_rows():
            texts.setdefault(text.video_id, []).append(text)
        exclusion, roots = Exclusion(self._options.exclude), sorted(set(here.values()))

        def is_excluded(path: bytes) -> bool:
            tops = [root for root in roots if is_under(path, [root])]
            tops = tops or [os.path.dirname(path)]  # noqa: PTH120 - Path cannot hold bytes
            return any(exclusion.covers(path, top) for top in tops)

        folders = Folders(is_excluded)
        asked = self._asked()
        orders: list[_Order] = []
        for video in self._library.videos(searchable=True):
            places = [video.path, *copies.get(video.id, [])]
            if any(place in here for place in places):
                known = texts.get(video.id, [])
                found = beside(video, places, known, folders, asked, self.in_reach)
                orders += self._order(video, known, found)
        return orders

    def _asked(self) -> Asked:
        options = self._options
        transcript = None
        if options.transcript is not None:
            language, tags = said_by_name(options.transcript)
            transcript = Sidecar(
                options.transcript,
                language,
                tags,
                given=True,
                offset_s=options.transcript_offset_s,
                starts_at_s=options.transcript_starts_at_s,
            )
        return Asked(transcript, options.subtitle_encoding, options.retry)

    def _order(self, video: VideoRow, known: Sequence[TextRow], found: Beside) -> Iterator[_Order]:
        """What is to be read of a video; nothing where all is as it was."""
        worded = {text.source.path for text in known if text.state != "empty"}
        self.counts.side_files |= {file.sidecar.path for file in found.files} & worded
        heard = heard_in(known)
        files = tuple(
            file.sidecar
            for file in found.files
            if not file.current
            and self._is_new(video.id, file.sidecar.path, settings_of(file.sidecar, video, heard))
        )
        container = self._container_is_stale(video, known)
        if files or container:
            yield _Order(video, files, container, found.gone, heard)
        elif found.gone:
            with self._library.one_commit():
                self._gone(found.gone)

    def _job(self, number: int, order: _Order) -> TextJob:
        heard: tuple[HeardWord, ...] = ()
        if order.heard is not None and order.files:
            heard = heard_words(self._library.passages(order.heard.id))
        video = order.video
        return TextJob(
            number, video.path, video.duration_s, order.files, order.container, heard=heard
        )

    def _container_is_stale(self, video: VideoRow, known: Sequence[TextRow]) -> bool:
        state = container_state(video)
        failed = any(text.state == "failed" and not text.source.path for text in known)
        current = self._library.container_read(video.id) == state
        if current and not (failed and self._options.retry):
            return False
        return self._is_new(video.id, b"", state)

    def _is_new(self, video_id: int, path: bytes, settings: str) -> bool:
        """Whether this run has not tried just that yet."""
        new = (video_id, path, settings) not in self._tried
        self._tried.add((video_id, path, settings))
        return new

    # What came of it

    def _keep(self, order: _Order, read: TextRead) -> None:
        video, stats = order.video, {file.path: file.stat for file in read.files}
        notes = {file.path: file.notes for file in read.files}
        before = self._rows_of(order)
        for track in read.tracks:
            path = track.source.path
            settings = order.settings(path, aligned=track.source.kind == "pageline")
            self._library.write_text(video.id, track, stats.get(path), settings)
            self.counts.side_files |= {path} - {b""}
            self.counts.read += 1
            self.counts.videos.add(video.id)
        for failure in read.failures:
            self._fail(order, failure, stats.get(failure.path))
        told = {track.source.path for track in read.tracks} | {f.path for f in read.failures}
        for file in order.files:
            if file.path not in told and file.given:
                self._fail(order, SourceFailed(_NOTHING_IN_IT, file.path), stats.get(file.path))
            elif file.path not in told:
                self._library.note_wordless(
                    video.id,
                    _source(file.path),
                    stats.get(file.path),
                    order.settings(file.path),
                    notes.get(file.path, ()),
                )
        if order.container:
            if read.notes:
                self._library.note_wordless(video.id, _source(b""), notes=read.notes)
            self._library.note_container_read(video.id, container_state(video))
        self._drop(video.id, before)
        self._gone(order.gone)

    def _give_up(self, order: _Order, failed: TextFailed) -> None:
        """Nothing could be read of an order: that is told once, and kept where it is a fault."""
        if failed.kind in _INNOCENT:
            reason = f"its texts could not be read: {failed.reason}; the next run tries once more"
            self._tell_problem(order.video.path, reason)
            return
        before = self._rows_of(order)
        for file in order.files:
            self._fail(order, SourceFailed(failed.reason, file.path), None)
        if order.container:
            self._fail(order, SourceFailed(failed.reason), None)
            self._library.note_container_read(order.video.id, container_state(order.video))
        self._drop(order.video.id, before)
        self._gone(order.gone)

    def _fail(self, order: _Order, failure: SourceFailed, stat: FileStat | None) -> None:
        path = failure.path
        if path and stat is None:
            try:
                stat = FileStat.read(path)
            except OSError:
                return  # it went away while the run was going on; the next one sees to that
        source = _source(path, failure.stream)
        settings = order.settings(path, aligned=failure.waits)
        self._library.fail_text(order.video.id, source, failure.reason, stat, settings)
        what = failure.reason if path else f"its own text could not be read: {failure.reason}"
        self._tell_problem(path or order.video.path, what)

    def _tell_problem(self, path: bytes, reason: str) -> None:
        self.counts.failed += 1
        self.counts.side_files.add(path)
        self._report_problem(Problem(path, reason))

    def _rows_of(self, order: _Order) -> list[int]:
        """Texts that an order reads again."""
        paths = {file.path for file in order.files}
        return [
            text.id
            for text in self._library.text_rows(order.video.id)
            if text.source.path in paths
            or (order.container and not text.source.path and text.source.kind in _INSIDE)
        ]

    def _drop(self, video_id: int, text_ids: Iterable[int]) -> None:
        """Removes texts that were not replaced by a newer reading."""
        left = {text.id for text in self._library.text_rows(video_id)}
        for text_id in left.intersection(text_ids):
            self._library.drop_text(text_id)

    def _gone(self, texts: Iterable[TextRow]) -> None:
        for text in texts:
            self._library.drop_text(text.id)
            self.counts.gone += text.state == "visible"

    def _tell(self, video: VideoRow, done: int, total: int) -> None:
        self._observer.progress(
            IndexProgress(
                files_done=done,
                files_total=total,
                video_s=0.0,
                share_done=done / total,
                frames=0,
                frames_encoded=0,
                elapsed_s=time.monotonic() - self._started_s,
                current=video.path,
                words=True,
            )
        )


def _source(path: bytes, stream: int | None = None) -> TextSource:
    """A text of which nothing is known but its place."""
    if path:
        return TextSource("speech", "sidecar", "person", path)
    return TextSource("speech", "embedded", "person", stream=stream)
