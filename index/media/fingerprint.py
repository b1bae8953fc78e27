"""The identity of a file's content, whatever it is called and wherever it lies."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat as mode
import threading

_BLOCK = 1 << 18
_BLOCKS = 8
WHOLE_BYTES = _BLOCK * _BLOCKS
"""Files up to this size are read whole: equal fingerprints are equal content."""
_READ_BYTES = 1 << 20


def fingerprint(path: bytes | str | os.PathLike[str]) -> str:
    """Identity of a file's content that survives renaming and moving.

    Size and a digest of eight blocks of 256 KiB spread from head to tail, so
    100 GB cost no more than 2 MiB. Smaller files are read whole.

    Raises:
        OSError: The file cannot be read, or is no regular file (any more).
    """
    with _opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        state = hashlib.blake2b(size.to_bytes(8, "little"), digest_size=16)
        if size <= WHOLE_BYTES:
            while block := file.read(_BLOCK):
                state.update(block)
        else:
            last = size - _BLOCK
            for number in range(_BLOCKS):
                file.seek(last * number // (_BLOCKS - 1))
                state.update(file.read(_BLOCK))
    return state.hexdigest()


def content_digest(
    path: bytes | str | os.PathLike[str], stopped: threading.Event | None = None
) -> str:
    """Digest of every byte of a file: what the fingerprint of a large one leaves open.

    A second for each gigabyte, where decoding takes a minute and more.

    Args:
        path: The file.
        stopped: Ends the reading early once it is set; the digest is empty then.

    Raises:
        OSError: The file cannot be read, or is no regular file (any more).
    """
    state = hashlib.blake2b(digest_size=16)
    buffer = memoryview(bytearray(_READ_BYTES))
    with _opened(path) as file:
        while count := file.readinto(buffer):
            state.update(buffer[:count])
            if stopped is not None and stopped.is_set():
                return ""
    return state.hexdigest()


class DigestBeside:
    """Takes the digest of a file while the file is decoded.

    Both read the same bytes at about the same time, so that the disk gives most of them
    only once.
    """

    def __init__(self, path: bytes) -> None:
        self._path = path
        self._digest = ""
        self._stopped = threading.Event()
        # A daemon: an interrupted program does not wait until 100 GB are read.
        self._thread = threading.Thread(target=self._read, name="digest", daemon=True)
        self._thread.start()

    def result(self) -> str:
        """The digest once it is there; empty when the file could not be read to its end."""
        self._thread.join()
        return self._digest

    def stop(self) -> None:
        """Nobody waits for the digest any more."""
        self._stopped.set()

    def _read(self) -> None:
        try:
            self._digest = content_digest(self._path, self._stopped)
        except OSError:
            self._digest = ""


def _opened(path: bytes | str | os.PathLike[str]) -> io.FileIO:
    # O_NONBLOCK: a pipe that took the file's place since the walk must not block the program.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    file = os.fdopen(descriptor, "rb", buffering=0)
    if not mode.S_ISREG(os.fstat(descriptor).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "not a regular file")
    return file
