"""Takes files through decoder and encoder while both go on; what becomes of the vectors is open.

What goes wrong with one file ends with that file.
"""

from __future__ import annotations

import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..sampling.jobs import DecodeJob
from ..sampling.workers import DecodeEvent, Failed, Finished, Frames, Opened, decode
from ..store.library import Library
from ..types import Encoder, SamplingReport, Times, Vectors, VideoInfo
from .encoding import EncodeQueue
from .progress import IndexObserver, IndexOptions, IndexProgress
from .scan import Candidate
from .turns import Turn, Turns

_PROGRESS_EVERY_S = 0.2


@dataclass
class OpenTurn:
    """A video between its attempt and its end."""

    turn: Turn
    info: VideoInfo | None = None
    report: SamplingReport | None = None
    read_s: float = 0.0
    times_s: list[Times] = field(default_factory=list)
    vectors: list[Vectors] = field(default_factory=list)
    """What waits to be written."""
    buffered: int = 0
    """Frames that wait."""

    def keep(self, times_s: Times, vectors: Vectors) -> None:
        """Adds frames to those that wait."""
        self.times_s.append(times_s)
        self.vectors.append(vectors)
        self.buffered += len(times_s)

    def handed_over(self) -> tuple[Times, Vectors]:
        """The frames that wait, which no longer wait then; there are some."""
        waiting = np.concatenate(self.times_s), np.concatenate(self.vectors)
        self.times_s, self.vectors, self.buffered = [], [], 0
        return waiting


class VideoPass(ABC):
    """One pass over candidates."""

    coarse = False
    """Whether the pass looks at key frames alone."""

    def __init__(
        self,
        library: Library,
        encoder: Encoder,
        options: IndexOptions,
        observer: IndexObserver,
        turns: Turns,
    ) -> None:
        self.counts = turns.counts
        self._turns, self._library, self._options = turns, library, options
        self._encoder, self._observer = encoder, observer
        self._open: dict[int, OpenTurn] = {}
        self._started = time.monotonic()
        self._told = self._through_s = 0.0
        self._total_bytes = self._done_bytes = 0
        self._total_files = self._done_files = 0

    def run(self, work: Sequence[Candidate], alone: Sequence[Candidate] = ()) -> None:
        """Takes the candidates in their order.

        Args:
            work: Read side by side.
            alone: Read after them, each when the one before it is done with.

        Raises:
            NoSpaceError: The disk is full.
            KeyboardInterrupt: After taking back the attempts that were under way.
        """
        self._turns.begin_round()
        self._total_files = len(work) + len(alone)
        self._total_bytes = sum(c.stat.size_bytes for c in (*work, *alone))
        queue = EncodeQueue(self._encoder, self._take, self._commit, self._fail)
        try:
            with queue:
                for together in (work, *([candidate] for candidate in alone)):
                    self._pump(queue, together)
        finally:
            for video_id in self._open:
                self._library.release_attempt(video_id)
            self._open.clear()

    def _pump(self, queue: EncodeQueue, work: Sequence[Candidate]) -> None:
        workers = self._options.workers
        events = decode(
            self._jobs(work),
            self._encoder.preprocess,
            workers=self._encoder.decode_workers if workers is None else workers,
        )
        with contextlib.closing(events):
            for event in events:
                self._handle(event, queue)
        queue.drain()

    def _jobs(self, work: Sequence[Candidate]) -> Iterator[DecodeJob]:
        """Decides about each file when the decoder is ready for it."""
        for candidate in work:
            turn = self._turns.take(candidate)
            if turn is None:
                self._done(candidate)
                continue
            self._open[turn.video_id] = OpenTurn(turn)
            yield self._job(turn)

    def _handle(self, event: DecodeEvent, queue: EncodeQueue) -> None:
        video = self._open.get(event.key)
        if video is None:
            return
        if isinstance(event, Opened):
            video.info = event.info
        elif isinstance(event, Frames):
            video.read_s = event.times_s[-1]
            queue.add(event.key, event.times_s, event.pictures)
            if not self.coarse:
                self.counts.frames_encoded += sum(p is not None for p in event.pictures)
        elif isinstance(event, Finished):
            video.report = event.report
            queue.end(event.key)
        else:
            queue.drop(event.key)
            self._decoding_failed(event)
        self._tell(video)

    @abstractmethod
    def _job(self, turn: Turn) -> DecodeJob:
        """What the decoder is to do with a file."""

    @abstractmethod
    def _take(self, video_id: int, times_s: Times, vectors: Vectors) -> None:
        """Receives vectors of a video, in order."""

    @abstractmethod
    def _commit(self, video_id: int) -> None:
        """All vectors of a video were received; makes it visible and closes it."""

    @abstractmethod
    def _fail(self, video_id: int, reason: str) -> None:
        """A video cannot be used; closes it."""

    @abstractmethod
    def _decoding_failed(self, event: Failed) -> None:
        """The decoder gave a file up; closes it."""

    def _let_go(self, video_id: int) -> Turn:
        """Closes a video whose attempt does not count."""
        turn = self._close(video_id)
        self._library.release_attempt(video_id)
        return turn

    def _close(self, video_id: int) -> Turn:
        video = self._open.pop(video_id)
        self._through_s += video.report.duration_s if video.report is not None else 0.0
        self._done(video.turn.candidate)
        return video.turn

    # Progress

    def _done(self, candidate: Candidate) -> None:
        self._done_files += 1
        self._done_bytes += candidate.stat.size_bytes
        self._tell(None)

    def _tell(self, video: OpenTurn | None) -> None:
        now = time.monotonic()
        if now - self._told < _PROGRESS_EVERY_S and self._done_files < self._total_files:
            return
        self._told = now
        part = sum(_read_share(v) * v.turn.candidate.stat.size_bytes for v in self._open.values())
        self._observer.progress(
            IndexProgress(
                files_done=self._done_files,
                files_total=self._total_files,
                video_s=self._through_s + sum(v.read_s for v in self._open.values()),
                share_done=(self._done_bytes + part) / max(1, self._total_bytes),
                frames=self.counts.frames,
                frames_encoded=self.counts.frames_encoded,
                elapsed_s=now - self._started,
                current=video.turn.candidate.path if video else b"",
                coarse=self.coarse,
            )
        )


def _read_share(video: OpenTurn) -> float:
    if video.info is None or not video.info.duration_s:
        return 0.0
    return min(1.0, video.read_s / video.info.duration_s)
