"""Indexes videos at the full rate; a long one is made safe piece by piece."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from ..failpoints import reached
from ..media.fingerprint import WHOLE_BYTES, DigestBeside
from ..passages import ScreenReader
from ..sampling.jobs import DecodeJob
from ..sampling.workers import DecodeEvent, Failed, Frames
from ..store.library import Library
from ..text.screen_reading import source_of
from ..types import Encoder, Times, Vectors
from .encoding import EncodeQueue
from .progress import IndexObserver, IndexOptions
from .scan import Candidate, Problem
from .screen_queue import READ_PX, ScreenQueue
from .turns import Turn, Turns
from .video_pass import OpenTurn, VideoPass


class FullPass(VideoPass):
    """The pass after which a video is indexed."""

    def __init__(
        self,
        library: Library,
        encoder: Encoder,
        options: IndexOptions,
        observer: IndexObserver,
        turns: Turns,
        reader: ScreenReader | None = None,
    ) -> None:
        super().__init__(library, encoder, options, observer, turns)
        self._reader = reader
        self._screens: ScreenQueue | None = None
        self._digests: dict[int, DigestBeside] = {}

    def run(self, work: Sequence[Candidate], alone: Sequence[Candidate] = ()) -> None:
        """As every pass does; screens are read and digests of large files taken meanwhile."""
        try:
            with contextlib.ExitStack() as stack:
                if self._reader is not None:
                    self._screens = stack.enter_context(ScreenQueue(self._reader))
                super().run(work, alone)
        finally:
            for digest in self._digests.values():
                digest.stop()

    def _job(self, turn: Turn) -> DecodeJob:
        if turn.candidate.stat.size_bytes > WHOLE_BYTES:
            self._digests[turn.video_id] = DigestBeside(turn.candidate.path)
        staged_s = self._library.staged_until_s(turn.video_id)
        step_s = self._options.step_s
        # Where pictures go on in the middle of a video, its screen is read from the start later.
        reads = self._screens is not None and staged_s is None
        if self._screens is not None and reads:
            self._screens.begin(turn.video_id)
        return DecodeJob(
            turn.video_id,
            turn.candidate.path,
            step_s,
            # The frame nearest to a sample point may lie a little before or after it.
            0.0 if staged_s is None else staged_s // step_s * step_s,
            after_s=staged_s,
            skip_still=not self._options.every_frame,
            read_px=READ_PX if reads else 0,
            hwaccel=self._options.hwaccel,
        )

    def _handle(self, event: DecodeEvent, queue: EncodeQueue) -> None:
        if self._screens is not None and isinstance(event, Frames):
            self._screens.add(event.key, event.times_s, event.readable)
        super()._handle(event, queue)

    def _take(self, video_id: int, times_s: Times, vectors: Vectors) -> None:
        video = self._open[video_id]
        video.keep(times_s, vectors)
        self.counts.frames += len(times_s)
        if video.buffered >= self._options.chunk_frames:
            self._stage(video_id, video)
        self._tell(video)

    def _stage(self, video_id: int, video: OpenTurn) -> None:
        if video.buffered:
            self._library.stage_chunk(video_id, *video.handed_over())

    def _commit(self, video_id: int) -> None:
        video = self._open[video_id]
        if video.report is None or video.info is None:
            raise RuntimeError(f"video {video_id} ended without being opened")
        reached("after_decode")
        try:
            changed = video.turn.changed()
            digest = self._digest(video.turn)
        except OSError as error:
            self._turns.unreachable(self._let_go(video_id).candidate, error)
            return
        path = video.turn.candidate.path
        if changed:
            self._let_go(video_id)
            self._turns.count_problem(path, "changed while it was read; the next run will index it")
            return
        self._stage(video_id, video)
        if self._library.staged_until_s(video_id) is None:
            self._fail(video_id, video.report.note or "no picture could be decoded")
            return
        self._library.commit_video(video_id, video.report, video.info, digest)
        self.counts.indexed += 1
        self.counts.video_s += video.report.duration_s
        self._keep_screen(video_id, path, video.report.duration_s)
        self._close(video_id)
        if video.report.note:
            self._turns.report_problem(Problem(path, video.report.note))

    def _keep_screen(self, video_id: int, path: bytes, duration_s: float) -> None:
        """Writes what stood on the screen; the pictures are safe already."""
        if self._screens is None or self._reader is None or not self._screens.begun(video_id):
            return
        track = self._screens.track(video_id, duration_s)
        if isinstance(track, str):
            self._library.fail_text(video_id, source_of(self._reader), track)
            self._turns.report_problem(Problem(path, track))
        else:
            self._library.write_text(video_id, track)
            self.counts.screens_read += 1

    def _digest(self, turn: Turn) -> str:
        """Digest of what was decoded; empty where a byte may have changed meanwhile."""
        beside = self._digests.get(turn.video_id)
        if beside is None:
            return ""
        digest = beside.result()
        return "" if turn.written_to() else digest

    def _close(self, video_id: int) -> Turn:
        if (digest := self._digests.pop(video_id, None)) is not None:
            digest.stop()
        if self._screens is not None:
            self._screens.drop(video_id)
        return super()._close(video_id)

    def _fail(self, video_id: int, reason: str) -> None:
        self._turns.fail(self._close(video_id), reason)

    def _decoding_failed(self, event: Failed) -> None:
        self._turns.decoding_failed(self._close(event.key), event)
