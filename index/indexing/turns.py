"""Decides, when a file's turn comes, whether it must be decoded at all, and what its failure means.

A file is looked at only then: fingerprint first, so that a renamed file or a copy costs no
decoding; then the attempt is written down.

Whether the content of a large file is still the one that was read, its fingerprint alone
cannot say: a download that fills a file of its final size may go on between the blocks that
are sampled. Whatever writes to a file moves its time of modification, so

- the same time of modification and the same fingerprint are the same content, though the mode,
  the owner or the place has changed (ctime, inode);
- another time of modification has all of the file read and compared with the digest that was
  taken when it was indexed. That costs a second for each gigabyte and not a decoding, so
  that an archive which was merely touched, copied or restored is not indexed anew;
- where no digest was kept, the file is indexed anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from ..files import FileStat
from ..media.fingerprint import WHOLE_BYTES, content_digest, fingerprint
from ..sampling.workers import Failed
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
    screens_read: int = 0
    sounds: int = 0
    """Of the indexed files, those of sound alone."""
    sound_s: float = 0.0
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

    def written_to(self) -> bool:
        """Whether anything was written to the file since its turn, wherever in it.

        Raises:
            OSError: It cannot be read now.
        """
        return FileStat.read(self.candidate.path).mtime_ns != self.candidate.stat.mtime_ns


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
        self._postponed: list[Candidate] = []
        self._begun_here: set[str] = set()

    def begin_round(self) -> None:
        """Another pass over candidates begins."""
        self._begun_here.clear()

    def postponed(self) -> list[Candidate]:
        """Files that look like one begun in the last round, each once; the next round decides."""
        waiting, self._postponed = self._postponed, []
        return waiting

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
        path, stat = candidate.path, FileStat.read(candidate.path)
        identity = fingerprint(path)
        own = self._library.video_by_path(path)
        same = own is not None and own.fingerprint == identity and self._is_of(own, path, stat)
        if own is not None and same and self._settle(own, stat):
            return None
        if own is not None and not same:
            self._hand_over(own)
            own = self._library.video_by_path(path)
        if identity in self._begun_here:
            self._postponed.append(candidate)
            return None
        if self._known_elsewhere(candidate, identity, stat):
            return None
        here = self._library.video_by_path(path)
        if here is not None and (own is None or here.id != own.id):
            own, same = here, True  # a video that is known in part has moved here
        self._library.drop_copies([path])
        self._begun_here.add(identity)
        # Pieces of an interrupted attempt go on where nothing was written since.
        anew = not same and own is not None and not _unwritten(own, stat)
        video_id = self._library.begin_attempt(path, identity, stat, anew=anew)
        return Turn(video_id, Candidate(path, stat, candidate.root), identity)

    def _is_of(self, video: VideoRow, path: bytes, stat: FileStat) -> bool:
        """Whether a file with the fingerprint of a video has all of its content."""
        if _unwritten(video, stat):
            return True
        digest = self._library.content_digest(video.id)
        if not digest and video.path != path:
            digest = _digest_now(video.path, self._library.file_stat(video.id))
        return bool(digest) and content_digest(path) == digest

    def _hand_over(self, own: VideoRow) -> None:
        """Other content took the place of a video's file: a copy of the old one takes it over."""
        copies = self._library.copies(own.id)
        for copy in copies:
            if _is_still(copy.path, copy.stat) and _holds(copy.path, own.fingerprint):
                self._library.rename(own.id, copy.path, copy.stat)
                if own.status == "waiting":
                    folder = os.path.dirname(copy.path)  # noqa: PTH120 - Path cannot hold bytes
                    self._postponed.append(Candidate(copy.path, copy.stat, folder))
                return
        self._library.drop_copies(copy.path for copy in copies)

    def _settle(self, own: VideoRow, stat: FileStat) -> bool:
        """A file whose date changed but whose content did not keeps its row as it is."""
        if own.status == "waiting":
            return False
        self._library.mark_present(own.id, stat)
        if own.status == "indexed":
            self.counts.touched += 1
        else:
            self.counts.failed_before += 1
        return True

    def _known_elsewhere(self, candidate: Candidate, identity: str, stat: FileStat) -> bool:
        """Whether the file moved here, or is the copy of another; False when it must be read."""
        path = candidate.path
        for twin in self._library.videos_by_fingerprint(identity):
            if twin.path == path or twin.fingerprint != identity:
                continue
            if not self._is_of(twin, path, stat):
                continue
            if _holds(twin.path, identity):
                if twin.status == "indexed" or twin.coarse:
                    self._count_copy(twin, path)
                    self._library.add_copy(twin.id, path, stat)
                    return True
                if twin.status != "waiting":
                    self._fail_alike(candidate, twin, stat)
                    return True
            elif twin.status == "indexed":
                self._library.rename(twin.id, path, stat)
                self.counts.moved += 1
                return True
            elif twin.coarse:
                self._library.rename(twin.id, path, stat)
                return False
        return False

    def _count_copy(self, twin: VideoRow, path: bytes) -> None:
        if any(copy.path == path for copy in self._library.copies(twin.id)):
            self.counts.touched += 1
        else:
            self.counts.duplicates += 1

    def _fail_alike(self, candidate: Candidate, twin: VideoRow, stat: FileStat) -> None:
        """The copy of a file that failed fails as it did, and costs no decoder to find out."""
        self._library.drop_copies([candidate.path])
        video_id = self._library.begin_attempt(candidate.path, twin.fingerprint, stat)
        self._library.fail_video(video_id, twin.reason, status=twin.status)
        self.count_problem(candidate.path, twin.reason)

    # What goes wrong

    def fail(self, turn: Turn, reason: str) -> None:
        """Ends an attempt: the file cannot be used."""
        self._library.fail_video(turn.video_id, reason)
        self.count_problem(turn.candidate.path, reason)

    def decoding_failed(self, turn: Turn, failed: Failed) -> None:
        """Ends an attempt at which the decoder gave up."""
        if failed.kind == "device":
            self._library.release_attempt(turn.video_id)
            self.unreachable(turn.candidate, OSError(failed.reason))
        elif failed.innocent:
            self.put_off(turn, failed.reason)
        elif failed.lethal:
            self.fail_lethally(turn, failed.reason)
        else:
            self.fail(turn, failed.reason)

    def fail_lethally(self, turn: Turn, reason: str) -> None:
        """Ends an attempt that cost a decoder: the file may be tried once more, or is set aside."""
        deaths = self._library.hold_video(turn.video_id, reason, died=True)
        path = turn.candidate.path
        if deaths < self._options.max_deaths:
            self.count_problem(path, f"{reason}; the next run tries once more")
            return
        reason = f"set aside after {deaths} tries: {reason}"
        self._library.fail_video(turn.video_id, reason, status="set aside")
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


def _unwritten(video: VideoRow, stat: FileStat) -> bool:
    """Whether a file with a video's fingerprint has its content without a further look."""
    return stat.size_bytes <= WHOLE_BYTES or stat.mtime_ns == video.mtime_ns


def _is_still(path: bytes, stat: FileStat) -> bool:
    """True when the file is there in the state that was written down."""
    try:
        return FileStat.read(path).same_content_as(stat)
    except OSError:
        return False


def _digest_now(path: bytes, stat: FileStat | None) -> str:
    """Digest of a file that is still in the state that was written down; else empty."""
    if stat is None or not _is_still(path, stat):
        return ""
    try:
        return content_digest(path)
    except OSError:
        return ""


def _holds(path: bytes, identity: str) -> bool:
    """True when the file at `path` is there and has this content."""
    try:
        return fingerprint(path) == identity
    except OSError:
        return False
