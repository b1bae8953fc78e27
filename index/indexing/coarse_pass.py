"""A first look: makes videos searchable by their key frames, before they are indexed in full.

It costs about a tenth of indexing. A file that gives it any trouble is left to the
full pass, which says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..sampling.jobs import DecodeJob
from ..sampling.workers import Failed
from ..types import Times, Vectors
from .scan import Candidate
from .turns import Turn
from .video_pass import VideoPass

APART_S = 8.0
"""Seconds between key frames that are worth a look each: an eighth of the frames of the
full pass at most, and two or more of them in most moments that people describe."""


class CoarsePass(VideoPass):
    """The pass after which a video can be searched, coarsely."""

    coarse = True
    _left: set[bytes]
    """Paths that were looked at, with whatever success."""

    def look(self, work: Sequence[Candidate]) -> list[Candidate]:
        """Runs over the candidates that were not looked at before.

        Returns:
            The candidates that the full pass is still to index, in their order.
        """
        self._left = set()
        fresh = [candidate for candidate in work if not self._known(candidate)]
        self.run(fresh)
        resolved = {candidate.path for candidate in fresh} - self._left
        return [candidate for candidate in work if candidate.path not in resolved]

    def _known(self, candidate: Candidate) -> bool:
        """Whether the file, as it is now, is searched by its key frames already."""
        row = self._library.video_by_path(candidate.path)
        if row is None or not row.coarse:
            return False
        stat = self._library.file_stat(row.id)
        return stat is not None and stat.same_content_as(candidate.stat)

    def _job(self, turn: Turn) -> DecodeJob:
        self._left.add(turn.candidate.path)
        return DecodeJob(
            turn.video_id,
            turn.candidate.path,
            self._options.step_s,
            skip_still=not self._options.every_frame,
            hwaccel=self._options.hwaccel,
            key_frames_s=APART_S,
        )

    def _take(self, video_id: int, times_s: Times, vectors: Vectors) -> None:
        self._open[video_id].keep(times_s, vectors)
        self._tell(self._open[video_id])

    def _commit(self, video_id: int) -> None:
        video = self._open[video_id]
        try:
            usable = bool(video.buffered) and not video.turn.changed()
        except OSError:
            usable = False
        if usable and video.report is not None and video.info is not None:
            self._library.commit_coarse(video_id, *video.handed_over(), video.report, video.info)
        self._let_go(video_id)

    def _fail(self, video_id: int, reason: str) -> None:
        self._let_go(video_id)

    def _decoding_failed(self, event: Failed) -> None:
        if event.lethal:
            # It had its try in this run: the full pass leaves it alone.
            turn = self._open[event.key].turn
            self._left.discard(turn.candidate.path)
            self._turns.fail_lethally(turn, event.reason)
            self._close(event.key)
        else:
            self._let_go(event.key)
