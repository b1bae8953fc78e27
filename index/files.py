"""Files that are wholly there or not at all, their digests, and the writer lock.

Nothing here knows about video or SQL. Everything that writes beside a
user's files goes through `atomic_path`, so that a full disk or a killed
process never leaves half a file under its final name.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol

from .errors import LockedError, NoSpaceError, UsageError
from .failpoints import reached

_BLOCK_BYTES = 1 << 20
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}


@dataclass(frozen=True)
class FileStat:
    """What tells one state of a file from the next without reading it."""

    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int

    @classmethod
    def of(cls, stat: os.stat_result) -> FileStat:
        """The parts of a stat result that change when a file does."""
        return cls(stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_dev)

    @classmethod
    def read(cls, path: bytes | str | os.PathLike[str]) -> FileStat:
        """Stat of the entry itself, links not followed; OSError as `os.lstat`."""
        return cls.of(os.lstat(path))

    def same_content_as(self, other: FileStat) -> bool:
        """True when nothing hints at a change; the device may differ after a replug."""
        return (self.size_bytes, self.mtime_ns, self.ctime_ns, self.inode) == (
            other.size_bytes,
            other.mtime_ns,
            other.ctime_ns,
            other.inode,
        )


def shown(path: bytes | str | os.PathLike[str]) -> str:
    """A path as text for a message; bytes that are not text come out as `\\xNN`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def is_no_space(error: OSError) -> bool:
    """True for a full disk, a spent quota or a file size limit."""
    return error.errno in _FULL


@contextlib.contextmanager
def no_space_named(path: bytes | str | os.PathLike[str]) -> Iterator[None]:
    """Turns "disk full" inside the block into a `NoSpaceError` that names the folder."""
    try:
        yield
    except OSError as error:
        if is_no_space(error):
            raise no_space(path) from error
        raise


def no_space(path: bytes | str | os.PathLike[str]) -> NoSpaceError:
    """The error for a disk without room for `path`."""
    return NoSpaceError(
        f"no space left to write {shown(path)}",
        "free some space and run the same command again; what was finished is kept",
    )


def sync_folder(folder: Path) -> None:
    """Makes a rename inside a folder durable; quietly skipped where that is impossible."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def atomic_path(path: Path, durable: bool = True) -> Iterator[Path]:
    """A temporary path that becomes `path` when the block ends well.

    Args:
        path: Where the file is wanted.
        durable: Waits until the content is on the disk; False for a file that is digested
            before it is used again.

    Yields:
        A fresh name in the same folder, with the same ending, for the block to write.

    Raises:
        NoSpaceError: The disk is full. The temporary file is gone, `path` as it was.
    """
    with no_space_named(path):
        descriptor, name = tempfile.mkstemp(
            dir=path.parent, prefix=".gz-partial-", suffix=path.suffix
        )
        os.close(descriptor)
        temporary = Path(name)
        try:
            yield temporary
            if durable:
                with temporary.open("rb+") as file:
                    os.fsync(file.fileno())
            temporary.chmod(0o666 & ~_umask())
            reached("before_replace")
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        reached("after_replace")
        if durable:
            sync_folder(path.parent)


def atomic_write(path: Path, data: bytes) -> None:
    """Replaces the content of `path` so that a reader sees the old or the new, never a part.

    Raises:
        NoSpaceError: The disk is full; `path` is as it was.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def remove_partials(folder: Path, suffix: str = "") -> None:
    """Removes what a killed `atomic_path` left behind; call only with the folder locked."""
    for leftover in folder.glob(f".gz-partial-*{suffix}"):
        with contextlib.suppress(OSError):
            leftover.unlink()


def read_ahead(path: Path) -> None:
    """Reads a file once in the background, in order, so that it is in memory when it is used.

    A file that is mapped for random access is otherwise read page by page.
    """

    def read() -> None:
        buffer = bytearray(1 << 20)
        with contextlib.suppress(OSError), path.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass

    threading.Thread(target=read, name="read-ahead", daemon=True).start()


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def digest_file(path: bytes | str | os.PathLike[str]) -> str:
    """BLAKE2b digest of a whole file, 64 hex digits."""
    return _digest(path, hashlib.blake2b(digest_size=32))


def sha256_file(path: bytes | str | os.PathLike[str]) -> str:
    """SHA-256 of a whole file, 64 hex digits."""
    return _digest(path, hashlib.sha256())


def _digest(path: bytes | str | os.PathLike[str], state: _Digest) -> str:
    buffer = memoryview(bytearray(_BLOCK_BYTES))
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - Path cannot hold bytes
        while count := file.readinto(buffer):
            state.update(buffer[:count])
    return state.hexdigest()


class _Digest(Protocol):
    def update(self, data: memoryview, /) -> None: ...

    def hexdigest(self) -> str: ...


class FolderLock:
    """An exclusive lock on a folder that dies with its process.

    Used as a context manager. `flock` is released by the kernel even after
    `kill -9`, so there is no stale lock to clean up.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.path = Path(folder) / name
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """True when the lock was free and is now held; False when another process has it.

        Raises:
            NoSpaceError: The disk is full.
            OSError: The folder cannot be written, or does not support locks.
        """
        with no_space_named(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        with contextlib.suppress(OSError):
            holder = json.dumps({"pid": os.getpid(), "started": round(time.time(), 3)}).encode()
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, holder, 0)
        return True

    def holder(self) -> str:
        """Who has the lock, in words, as far as the lock file says."""
        try:
            said = json.loads(self.path.read_text())
            started = time.strftime("%H:%M:%S", time.localtime(float(said["started"])))
            return f"process {int(said['pid'])}, since {started}"
        except (OSError, ValueError, KeyError, TypeError):
            return "another process"

    def release(self) -> None:
        """Gives the lock back; harmless when it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class WriterLock(FolderLock):
    """The right to write to a library; one process at a time, readers need none.

    Raises:
        LockedError: On entering, when another process writes; names its pid.
        UsageError: On entering, when the folder cannot be written or locked at all.
    """

    def __init__(self, library_dir: Path) -> None:
        super().__init__(library_dir, "writer.lock")

    def __enter__(self) -> WriterLock:
        folder = shown(self.path.parent)
        try:
            free = self.acquire()
        except OSError as error:
            if error.errno in _READ_ONLY or isinstance(error, FileExistsError | NotADirectoryError):
                raise UsageError(
                    f"the library folder {folder} cannot be written: {error.strerror}",
                    "choose a folder of yours with --library",
                ) from error
            raise UsageError(
                f"the library folder {folder} cannot be locked: {error.strerror}",
                "keep the library on a local disk, chosen with --library",
            ) from error
        if not free:
            raise LockedError(
                f"the library {folder} is being written by {self.holder()}",
                "wait until it has finished, or stop it",
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()
