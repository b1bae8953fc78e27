"""Takes files of sound alone into the library: what they are and how long, without any frame.

Their words come afterwards, from the passes that read and transcribe for every video. As a
video does, a sound file becomes part of the library in one commit, and costs no other file
its turn.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence

from ..media.fingerprint import WHOLE_BYTES, content_digest
from ..sampling.sounds import SoundJob, measured
from ..sampling.workers import Failed
from ..store.library import Library
from ..types import SamplingReport, VideoInfo
from .progress import IndexObserver, IndexOptions, IndexProgress
from .scan import Candidate, Problem
from .turns import Turn, Turns


class SoundPass:
    """The sound files of one run, one after the other.

    Args:
        library: Open for writing.
        options: Of the run.
        observer: Told where the pass stands.
        turns: Decides about each file; counts what becomes of it.
    """

    def __init__(
        self, library: Library, options: IndexOptions, observer: IndexObserver, turns: Turns
    ) -> None:
        self._library, self._options, self._observer = library, options, observer
        self._turns = turns
        self._open: dict[int, Turn] = {}
        self._started_s = time.monotonic()
        self._done = self._total = 0

    def run(self, work: Sequence[Candidate]) -> None:
        """Takes the candidates in their order.

        Raises:
            NoSpaceError: The disk is full.
            KeyboardInterrupt: After taking back the attempt that was under way.
        """
        if not work:
            return
        self._turns.begin_round()
        self._done, self._total = 0, len(work)
        workers = 1 if self._options.workers is None else min(1, self._options.workers)
        try:
            with contextlib.closing(measured(self._jobs(work), workers=workers)) as results:
                for video_id, facts in results:
                    turn = self._open.pop(video_id)
                    if isinstance(facts, Failed):
                        self._turns.decoding_failed(turn, facts)
                    else:
                        self._keep(turn, *facts)
        finally:
            for video_id in self._open:
                self._library.release_attempt(video_id)
            self._open.clear()

    def _jobs(self, work: Sequence[Candidate]) -> Iterator[SoundJob]:
        for candidate in work:
            self._tell(candidate)
            self._done += 1
            turn = self._turns.take(candidate)
            if turn is not None:
                self._open[turn.video_id] = turn
                yield SoundJob(turn.video_id, candidate.path)

    def _keep(self, turn: Turn, info: VideoInfo, report: SamplingReport) -> None:
        candidate = turn.candidate
        try:
            large = candidate.stat.size_bytes > WHOLE_BYTES
            digest = content_digest(candidate.path) if large else ""
            changed = turn.changed() or turn.written_to()
        except OSError as error:
            self._library.release_attempt(turn.video_id)
            self._turns.unreachable(candidate, error)
            return
        if changed:
            self._library.release_attempt(turn.video_id)
            what = "changed while it was read; the next run will index it"
            self._turns.count_problem(candidate.path, what)
            return
        self._library.commit_video(turn.video_id, report, info, digest)
        counts = self._turns.counts
        counts.indexed += 1
        counts.sounds += 1
        counts.sound_s += report.duration_s
        if report.note:
            self._turns.report_problem(Problem(candidate.path, report.note))

    def _tell(self, candidate: Candidate) -> None:
        self._observer.progress(
            IndexProgress(
                files_done=self._done,
                files_total=self._total,
                video_s=0.0,
                share_done=self._done / self._total,
                frames=0,
                frames_encoded=0,
                elapsed_s=time.monotonic() - self._started_s,
                current=candidate.path,
                sounds=True,
            )
        )
