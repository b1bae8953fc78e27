"""Takes the new and changed files of a run through decoder, encoder and store.

A file is looked at only when its turn comes: fingerprint first, so that a
renamed file costs no decoding; then the attempt is written down; then frames
flow. What goes wrong with one file ends with that file.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from .decoding import DecodeEvent, DecodeJob, Failed, Finished, Frames, Opened, decode
from .encoding import EncodeQueue
from .failpoints import reached
from .files import FileStat
from .progress import IndexObserver, IndexOptions, IndexProgress
from .scan import Candidate, Problem, fingerprint
from .store import Library
from .types import Encoder, SamplingReport, Times, Vectors, VideoInfo, VideoRow

_PROGRESS_EVERY_S = 0.2
_LETHAL = ("crash", "hang", "memory")


@dataclass
class Counts:
    """What became of the files so far."""

    indexed: int = 0
    touched: int = 0
    moved: int = 0
    duplicates: int = 0
    failed: int = 0
    failed_before: int = 0
    video_s: float = 0.0
    frames: int = 0
    frames_encoded: int = 0
    lost_roots: list[bytes] = field(default_factory=list)


@dataclass
class _Open:
    """A video between its attempt and its end."""

    candidate: Candidate
    fingerprint: str
    info: VideoInfo | None = None
    report: SamplingReport | None = None
    staged_s: float | None = None
    read_s: float = 0.0
    times_s: list[Times] = field(default_factory=list)
    vectors: list[Vectors] = field(default_factory=list)
    buffered: int = 0


class Worklist:
    """One pass over candidates; `counts` is right at every moment."""

    def __init__(
        self,
        library: Library,
        encoder: Encoder,
        options: IndexOptions,
        observer: IndexObserver,
        report_problem: Callable[[Problem], None],
    ) -> None:
        self.counts = Counts()
        self._library, self._encoder = library, encoder
        self._options, self._observer = options, observer
        self._report_problem = report_problem
        self._open: dict[int, _Open] = {}
        self._absent_sizes = {row.size_bytes for row in library.videos() if row.absent}
        self._started = time.monotonic()
        self._told = 0.0
        self._total_bytes = self._done_bytes = 0
        self._total_files = self._done_files = 0

    def run(self, work: Sequence[Candidate]) -> None:
        """Indexes `work`: files that may only have moved first, then the newest first.

        Raises:
            NoSpaceError: The disk is full.
            KeyboardInterrupt: After taking back the attempts that were under way.
        """
        ordered = sorted(
            work,
            key=lambda c: (c.stat.size_bytes not in self._absent_sizes, -c.stat.mtime_ns, c.path),
        )
        self._total_files = len(ordered)
        self._total_bytes = sum(c.stat.size_bytes for c in ordered)
        queue = EncodeQueue(self._encoder, self._take, self._commit, self._fail)
        try:
            with queue:
                self._pump(queue, ordered)
        finally:
            for video_id in self._open:
                self._library.release_attempt(video_id)
            self._open.clear()

    def _pump(self, queue: EncodeQueue, ordered: Sequence[Candidate]) -> None:
        workers = self._options.workers
        events = decode(
            self._jobs(ordered),
            self._encoder.preprocess,
            workers=self._encoder.decode_workers if workers is None else workers,
        )
        with contextlib.closing(events):
            for event in events:
                self._handle(event, queue)
        queue.drain()

    def _handle(self, event: DecodeEvent, queue: EncodeQueue) -> None:
        video = self._open.get(event.key)
        if video is None:
            return
        if isinstance(event, Opened):
            video.info = event.info
        elif isinstance(event, Frames):
            video.read_s = event.times_s[-1]
            self.counts.frames_encoded += sum(p is not None for p in event.pictures)
            queue.add(event.key, event.times_s, event.pictures)
        elif isinstance(event, Finished):
            video.report = event.report
            queue.end(event.key)
        else:
            queue.drop(event.key)
            self._decoding_failed(event)
        self._tell(video)

    # One file's turn

    def _jobs(self, ordered: Sequence[Candidate]) -> Iterator[DecodeJob]:
        """Decides about each file when the decoder is ready for it."""
        for candidate in ordered:
            if candidate.root in self.counts.lost_roots:
                self._done(candidate)
                continue
            try:
                job = self._job(candidate)
            except OSError as error:
                self._unreachable(candidate, error)
                job = None
            if job is None:
                self._done(candidate)
                continue
            yield job

    def _job(self, candidate: Candidate) -> DecodeJob | None:
        """A decode job, or None when the file needs no decoding."""
        stat = FileStat.read(candidate.path)
        identity = fingerprint(candidate.path)
        own = self._library.video_by_path(candidate.path)
        if own is not None and own.fingerprint == identity and self._settle(own, stat):
            return None
        if self._moved_or_duplicate(candidate, identity, stat):
            return None
        if (
            own is not None
            and own.status == "pending"
            and own.attempts >= self._options.max_attempts
            and own.fingerprint == identity
        ):
            self._quarantine(own, own.reason or "gz itself ended while reading it")
            return None
        video_id = self._library.begin_attempt(candidate.path, identity, stat)
        staged_s = self._library.staged_until_s(video_id)
        self._open[video_id] = _Open(
            Candidate(candidate.path, stat, candidate.root), identity, staged_s=staged_s
        )
        step_s = self._options.step_s
        # The frame nearest to a sample point may lie a little before or after it.
        start_s = 0.0 if staged_s is None else staged_s // step_s * step_s
        return DecodeJob(
            video_id,
            candidate.path,
            step_s,
            start_s,
            after_s=staged_s,
            skip_still=not self._options.every_frame,
        )

    def _settle(self, own: VideoRow, stat: FileStat) -> bool:
        """A file whose date changed but whose content did not keeps its row as it is."""
        if own.status == "pending":
            return False
        self._library.mark_present(own.id, stat)
        if own.status == "indexed":
            self.counts.touched += 1
        else:
            self.counts.failed_before += 1
        return True

    def _moved_or_duplicate(self, candidate: Candidate, identity: str, stat: FileStat) -> bool:
        for twin in self._library.videos_by_fingerprint(identity):
            if twin.path == candidate.path or twin.fingerprint != identity:
                continue
            if _holds(twin.path, identity):
                if twin.status in ("indexed", "pending"):
                    self.counts.duplicates += 1
                    return True
            elif twin.status == "indexed":
                self._library.rename(twin.id, candidate.path, stat)
                self.counts.moved += 1
                return True
        return False

    # Frames on their way into the store

    def _take(self, video_id: int, times_s: Times, vectors: Vectors) -> None:
        video = self._open[video_id]
        video.times_s.append(times_s)
        video.vectors.append(vectors)
        video.buffered += len(times_s)
        self.counts.frames += len(times_s)
        if video.buffered >= self._options.chunk_frames:
            self._stage(video_id, video)
        self._tell(video)

    def _stage(self, video_id: int, video: _Open) -> None:
        if video.buffered:
            self._library.stage_chunk(
                video_id, np.concatenate(video.times_s), np.concatenate(video.vectors)
            )
            video.staged_s = float(video.times_s[-1][-1])
            video.times_s, video.vectors, video.buffered = [], [], 0

    def _commit(self, video_id: int) -> None:
        video = self._open[video_id]
        if video.report is None or video.info is None:
            raise RuntimeError(f"video {video_id} ended without being opened")
        reached("after_decode")
        path = video.candidate.path
        try:
            changed = not FileStat.read(path).same_content_as(video.candidate.stat)
            changed = changed and fingerprint(path) != video.fingerprint
        except OSError as error:
            self._close(video_id)
            self._library.release_attempt(video_id)
            self._unreachable(video.candidate, error)
            return
        if changed:
            self._close(video_id)
            self._library.release_attempt(video_id)
            self._count_problem(path, "changed while it was read; the next run will index it")
            return
        self._stage(video_id, video)
        if video.staged_s is None:
            self._fail(video_id, video.report.note or "no picture could be decoded")
            return
        self._library.commit_video(video_id, video.report, video.info)
        self.counts.indexed += 1
        self.counts.video_s += video.report.duration_s
        video.read_s = 0.0
        self._close(video_id)
        if video.report.note:
            self._report_problem(Problem(path, video.report.note))

    # What goes wrong

    def _fail(self, video_id: int, reason: str) -> None:
        video = self._close(video_id)
        self._library.fail_video(video_id, reason)
        self._count_problem(video.candidate.path, reason)

    def _decoding_failed(self, event: Failed) -> None:
        if event.kind == "device":
            video = self._close(event.key)
            self._library.release_attempt(event.key)
            self._unreachable(video.candidate, OSError(event.reason))
            return
        if event.kind not in _LETHAL:
            self._fail(event.key, event.reason)
            return
        row = self._library.video(event.key)
        if row is not None and row.attempts >= self._options.max_attempts:
            self._close(event.key)
            self._quarantine(row, event.reason)
            return
        video = self._close(event.key)
        self._library.hold_video(event.key, event.reason)
        self._count_problem(video.candidate.path, f"{event.reason}; the next run tries once more")

    def _quarantine(self, row: VideoRow, reason: str) -> None:
        reason = f"set aside after {row.attempts} tries: {reason}"
        self._library.fail_video(row.id, reason, status="quarantined")
        self._count_problem(row.path, f"{reason}; `gz index --retry` tries again")

    def _unreachable(self, candidate: Candidate, error: OSError) -> None:
        """A file that cannot be read now; if its folder is gone too, the rest of it is left."""
        folder = candidate.root
        if not os.path.lexists(folder) or not os.access(folder, os.R_OK):
            if folder not in self.counts.lost_roots:
                self.counts.lost_roots.append(folder)
            self._observer.note("a folder went out of reach; what was known of it is kept")
        self._count_problem(candidate.path, error.strerror or str(error))

    def _count_problem(self, path: bytes, reason: str) -> None:
        self.counts.failed += 1
        self._report_problem(Problem(path, reason))

    # Progress

    def _close(self, video_id: int) -> _Open:
        video = self._open.pop(video_id)
        self._done(video.candidate)
        return video

    def _done(self, candidate: Candidate) -> None:
        self._done_files += 1
        self._done_bytes += candidate.stat.size_bytes
        self._tell(None)

    def _tell(self, video: _Open | None) -> None:
        now = time.monotonic()
        if now - self._told < _PROGRESS_EVERY_S and self._done_files < self._total_files:
            return
        self._told = now
        part = sum(_read_share(v) * v.candidate.stat.size_bytes for v in self._open.values())
        self._observer.progress(
            IndexProgress(
                files_done=self._done_files,
                files_total=self._total_files,
                video_s=self.counts.video_s + sum(v.read_s for v in self._open.values()),
                share_done=(self._done_bytes + part) / max(1, self._total_bytes),
                frames=self.counts.frames,
                frames_encoded=self.counts.frames_encoded,
                elapsed_s=now - self._started,
                current=video.candidate.path if video else b"",
            )
        )


def _read_share(video: _Open) -> float:
    if video.info is None or not video.info.duration_s:
        return 0.0
    return min(1.0, video.read_s / video.info.duration_s)


def _holds(path: bytes, identity: str) -> bool:
    """True when the file at `path` is there and has this content."""
    try:
        return fingerprint(path) == identity
    except OSError:
        return False
