"""Decides, when a file's turn comes, whether it must be decoded at all, and what its failure means.

A file is looked at only then: fingerprint first, so that a renamed file costs no
decoding; then the attempt is written down.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from ..files import FileStat
from ..media.fingerprint import fingerprint
from ..store.library import Library
from ..types import VideoRow
from .progress import IndexObserver, IndexOptions
from .scan import Candidate, Problem


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


@dataclass(frozen=True)
class Turn:
    """A file whose attempt was written down."""

    video_id: int
    candidate: Candidate
    """With the state of the file at its turn."""
    fingerprint: str

    def changed(self) -> bool:
        """Whether the file is no longer what it was at its turn.

        Raises:
            OSError: It cannot be read now.
        """
        path = self.candidate.path
        same = FileStat.read(path).same_content_as(self.candidate.stat)
        return not same and fingerprint(path) != self.fingerprint


class Turns:
    """The files of one run, one after the other; `counts` is right at every moment."""

    def __init__(
        self,
        library: Library,
        options: IndexOptions,
        observer: IndexObserver,
        report_problem: Callable[[Problem], None],
    ) -> None:
        self.counts = Counts()
        self.report_problem = report_problem
        self._library, self._options, self._observer = library, options, observer

    def take(self, candidate: Candidate) -> Turn | None:
        """Begins an attempt; None when the file needs no decoding or cannot be reached."""
        if candidate.root in self.counts.lost_roots:
            return None
        try:
            return self._begun(candidate)
        except OSError as error:
            self.unreachable(candidate, error)
            return None

    def _begun(self, candidate: Candidate) -> Turn | None:
        stat = FileStat.read(candidate.path)
        identity = fingerprint(candidate.path)
        own = self._library.video_by_path(candidate.path)
        if own is not None and own.fingerprint == identity and self._settle(own, stat):
            return None
        if self._moved_or_duplicate(candidate, identity, stat):
            return None
        video_id = self._library.begin_attempt(candidate.path, identity, stat)
        return Turn(video_id, Candidate(candidate.path, stat, candidate.root), identity)

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
            elif twin.coarse:
                self._library.rename(twin.id, candidate.path, stat)
                return False
        return False

    # What goes wrong

    def fail(self, turn: Turn, reason: str) -> None:
        """Ends an attempt: the file cannot be used."""
        self._library.fail_video(turn.video_id, reason)
        self.count_problem(turn.candidate.path, reason)

    def fail_lethally(self, turn: Turn, reason: str) -> None:
        """Ends an attempt that cost a decoder: the file may be tried once more, or is set aside."""
        deaths = self._library.hold_video(turn.video_id, reason, died=True)
        path = turn.candidate.path
        if deaths < self._options.max_deaths:
            self.count_problem(path, f"{reason}; the next run tries once more")
            return
        reason = f"set aside after {deaths} tries: {reason}"
        self._library.fail_video(turn.video_id, reason, status="quarantined")
        self.count_problem(path, f"{reason}; `gz index --retry` tries again")

    def put_off(self, turn: Turn, reason: str) -> None:
        """Ends an attempt through no fault of the file: a later run tries once more."""
        self._library.hold_video(turn.video_id, reason, died=False)
        self.count_problem(turn.candidate.path, f"{reason}; the next run tries once more")

    def unreachable(self, candidate: Candidate, error: OSError) -> None:
        """A file that cannot be read now; if its folder is gone too, the rest of it is left."""
        folder = candidate.root
        if not os.path.lexists(folder) or not os.access(folder, os.R_OK):
            if folder not in self.counts.lost_roots:
                self.counts.lost_roots.append(folder)
            self._observer.note("a folder went out of reach; what was known of it is kept")
        self.count_problem(candidate.path, error.strerror or str(error))

    def count_problem(self, path: bytes, reason: str) -> None:
        """Counts a file that could not be used in this run, and says so."""
        self.counts.failed += 1
        self.report_problem(Problem(path, reason))


def _holds(path: bytes, identity: str) -> bool:
    """True when the file at `path` is there and has this content."""
    try:
        return fingerprint(path) == identity
    except OSError:
        return False
