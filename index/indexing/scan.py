"""Walks files and folders and says which files are worth opening as video.

Nothing is followed that leads elsewhere (links), nothing is opened that may
block (pipes, sockets, devices), and one bad entry never ends the walk: it
is named in the result. What a walk did not see is not thereby gone; which
folders could not be read is part of the answer.
"""

from __future__ import annotations

import fnmatch
import os
import re
import stat as mode
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..files import FileStat
from ..media.sniff import HEAD_BYTES, VIDEO_SUFFIXES, is_container
from .kinds import kind_of, sounds_by_name

JUNK = (
    ".*",
    "node_modules",
    "__pycache__",
    "@eaDir",
    "#recycle",
    "#snapshot",
    "$RECYCLE.BIN",
    "RECYCLER",
    "System Volume Information",
    "lost+found",
    "Thumbs.db",
    "desktop.ini",
    "*.part",
    "*.partial",
    "*.crdownload",
    "*.download",
    "*.aria2",
    "*.!qB",
    "*.!ut",
)
"""Names that are skipped below a named folder; a folder named by the user is always walked."""

PassedOver = Callable[[bytes, str], None]
"""Told the path and the kind of what is no candidate."""

Known = Callable[[bytes, FileStat], bool]
"""Says whether the library already holds exactly this state of a file, so its head is not read."""


@dataclass(frozen=True)
class Candidate:
    """A regular file that may be a video."""

    path: bytes
    """Absolute path as the file system spells it."""
    stat: FileStat
    root: bytes
    """The named file or folder under which it was found."""


@dataclass(frozen=True)
class Problem:
    """An entry that could not be looked at, or was named and is no video."""

    path: bytes
    reason: str


@dataclass(frozen=True)
class Root:
    """A file or folder that was named, and what became of it."""

    path: bytes
    """Absolute, links resolved."""
    is_folder: bool
    device: int | None
    """Device number of its file system; None when it could not be reached."""
    entries: int
    """Entries seen directly inside; 0 for an empty folder, 1 for a file."""
    reason: str = ""
    """Why it could not be reached; empty when all is well."""


@dataclass(frozen=True)
class ScanResult:
    """What a walk saw."""

    candidates: tuple[Candidate, ...]
    """In path order, each file once."""
    roots: tuple[Root, ...]
    problems: tuple[Problem, ...]
    """Unreadable folders and files, and named files that are no video; by name."""
    skipped: dict[str, int]
    """Counts by kind, in the singular: ``picture``, ``link``, ``excluded file`` ..."""
    sounds: tuple[Candidate, ...] = ()
    """Files of sound alone, which may be worth it; see `sound_files`."""

    @property
    def unreadable(self) -> tuple[bytes, ...]:
        """Paths under which nothing may be taken for deleted."""
        return tuple(problem.path for problem in self.problems)


def scan(
    paths: Sequence[Path | str | bytes],
    exclude: Sequence[str] = (),
    known: Known | None = None,
    passed_over: PassedOver | None = None,
) -> ScanResult:
    """Finds the files worth opening under `paths`.

    Args:
        paths: Files and folders; links named here are resolved, links below are not followed.
        exclude: Globs on names, or on the path below the named folder when they hold a slash.
        known: Answers for files that need no second look.
        passed_over: Told about every entry that is skipped.

    Returns:
        Candidates and everything that was passed over; never raises for one entry.
    """
    walk = _Walk(exclude, known, passed_over)
    for path in paths:
        walk.root(os.fsencode(path))
    walk.candidates.sort(key=lambda candidate: candidate.path)
    return ScanResult(
        tuple(walk.candidates),
        tuple(walk.roots),
        tuple(walk.problems),
        dict(walk.skipped),
        tuple(walk.sounds),
    )


class Exclusion:
    """What somebody asked to leave out."""

    def __init__(self, globs: Sequence[str]) -> None:
        """Takes the globs apart.

        Args:
            globs: On names, or on the path below the named folder when they hold a slash.
        """
        self._names = _compiled([glob for glob in globs if "/" not in glob.rstrip("/")])
        self._paths = _compiled([glob for glob in globs if "/" in glob.rstrip("/")])

    def covers(self, path: bytes, root: bytes) -> bool:
        """Whether a file or folder below a named folder is left out."""
        name = os.fsdecode(os.path.basename(path))  # noqa: PTH119 - Path cannot hold bytes
        below = os.fsdecode(path[len(root) :].lstrip(b"/"))
        return bool(self._names.match(name) or self._paths.match(below))


class _Walk:
    """One walk over all roots; collects what `scan` returns."""

    def __init__(
        self, exclude: Sequence[str], known: Known | None, passed_over: PassedOver | None
    ) -> None:
        self.candidates: list[Candidate] = []
        self.sounds: list[Candidate] = []
        self.roots: list[Root] = []
        self.problems: list[Problem] = []
        self.skipped: Counter[str] = Counter()
        self._known, self._passed_over = known, passed_over
        self._junk = _compiled(JUNK)
        self._exclusion = Exclusion(exclude)
        self._seen: set[bytes] = set()

    def root(self, named: bytes) -> None:
        """Walks one named file or folder."""
        try:
            path = os.path.realpath(named, strict=True)
            stat = os.lstat(path)
        except (OSError, ValueError) as error:
            path = os.path.realpath(named) if b"\0" not in named else named
            reason = _reason(error)
            self.roots.append(Root(path, False, None, 0, reason))
            self.problems.append(Problem(path, reason))
            return
        if mode.S_ISDIR(stat.st_mode):
            entries, reason = self._folder(path, path)
            self.roots.append(Root(path, True, stat.st_dev, entries, reason))
        else:
            self.roots.append(Root(path, False, stat.st_dev, 1))
            self._named_file(path, stat)

    def _skip(self, path: bytes, kind: str) -> None:
        self.skipped[kind] += 1
        if self._passed_over is not None:
            self._passed_over(path, kind)

    def _named_file(self, path: bytes, stat: os.stat_result) -> None:
        if not mode.S_ISREG(stat.st_mode):
            self.problems.append(Problem(path, "not a regular file"))
            return
        before = self._looked_at()
        repeated = path in self._seen
        self._file(path, stat, path)
        if not repeated and before == self._looked_at():
            self.problems.append(Problem(path, "not a video: it does not begin like one"))

    def _looked_at(self) -> int:
        return len(self.candidates) + len(self.sounds) + len(self.problems)

    def _folder(self, top: bytes, root: bytes) -> tuple[int, str]:
        """Walks a folder; returns how many entries it holds and why it could not be read."""
        pending: list[tuple[bytes, tuple[tuple[int, int], ...]]] = [(top, ())]
        top_entries, top_reason = 0, ""
        while pending:
            folder, ancestors = pending.pop()
            try:
                identity = _identity(folder)
                entries = sorted(_entries(folder), key=lambda entry: entry.name)
            except OSError as error:
                self.problems.append(Problem(folder, _reason(error)))
                top_reason = _reason(error) if folder == top else top_reason
                continue
            if identity in ancestors:  # a bind mount that contains itself
                self._skip(folder, "folder inside itself")
                continue
            top_entries = len(entries) if folder == top else top_entries
            below = [
                (entry.path, (*ancestors, identity))
                for entry in entries
                if self._entry(entry, root)
            ]
            pending.extend(reversed(below))
        return top_entries, top_reason

    def _entry(self, entry: os.DirEntry[bytes], root: bytes) -> bool:
        """Deals with one entry; True when it is a folder to walk."""
        try:
            if entry.is_symlink():
                self._skip(entry.path, "link")
                return False
            if self._is_excluded(entry, root):
                return False
            if entry.is_dir(follow_symlinks=False):
                return True
            stat = entry.stat(follow_symlinks=False)
            if mode.S_ISREG(stat.st_mode):
                self._file(entry.path, stat, root)
            else:
                self._skip(entry.path, "special file")
        except OSError as error:
            self.problems.append(Problem(entry.path, _reason(error)))
        return False

    def _is_excluded(self, entry: os.DirEntry[bytes], root: bytes) -> bool:
        name = os.fsdecode(entry.name)
        if self._junk.match(name):
            self._skip(entry.path, "hidden or temporary file")
            return True
        if self._exclusion.covers(entry.path, root):
            self._skip(entry.path, "excluded file")
            return True
        return False

    def _file(self, path: bytes, raw: os.stat_result, root: bytes) -> None:
        if path in self._seen:
            return
        stat = FileStat.of(raw)
        if self._known is None or not self._known(path, stat):
            suffix = os.path.splitext(path)[1].lower()  # noqa: PTH122 - Path cannot hold bytes
            try:
                likely = is_container(_head(path), suffix)
            except OSError as error:
                self.problems.append(Problem(path, _reason(error)))
                return
            if not likely and sounds_by_name(path):
                self._seen.add(path)
                self.sounds.append(Candidate(path, stat, root))
                return
            # A name that claims video is kept although the file begins oddly: whoever
            # gave it that name wants to hear what is wrong with it. Pictures of subtitles
            # come in a container of video.
            subtitles = kind_of(path) == "subtitle"
            if subtitles or (not likely and suffix not in VIDEO_SUFFIXES):
                self._skip(path, kind_of(path))
                return
        self._seen.add(path)
        self.candidates.append(Candidate(path, stat, root))


def _compiled(globs: Sequence[str]) -> re.Pattern[str]:
    """One expression that matches a name which any glob matches; none match without globs."""
    return re.compile("|".join(fnmatch.translate(glob.rstrip("/")) for glob in globs) or r"(?!)")


def _entries(folder: bytes) -> Iterator[os.DirEntry[bytes]]:
    with os.scandir(folder) as found:
        yield from found


def _identity(folder: bytes) -> tuple[int, int]:
    stat = os.lstat(folder)
    return stat.st_dev, stat.st_ino


def _head(path: bytes) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        return os.read(descriptor, HEAD_BYTES)
    finally:
        os.close(descriptor)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error).lower()
