"""Where a clip is put: safe names, unfinished files, and never over something that is there."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import os
import secrets
import tempfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from ..errors import GzError, UsageError
from ..failpoints import reached
from ..files import is_no_space, no_space, shown, sync_folder

_PREFIX, _SUFFIX = ".gz-clip-", ".part"
_STEM_BYTES = 120
_FORBIDDEN = frozenset('<>:"/\\|?*')
_DEVICES = frozenset(
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"]
    + [f"{port}{digit}" for port in ("COM", "LPT") for digit in "0123456789¹²³"]
)


def safe_stem(stem: str) -> str:
    """A name that every file system takes and no terminal obeys.

    Args:
        stem: What the source is called, without its ending; may hold anything,
            surrogates of undecodable bytes included.

    Returns:
        A single path component of at most 120 bytes, never empty, never hidden,
        never a reserved device, never the start of an option.
    """
    kept = [
        "_"
        if char in _FORBIDDEN or unicodedata.category(char)[0] == "C" or char in "\u2028\u2029"
        # Every kind of blank would otherwise need quoting of its own.
        else (" " if char.isspace() else char)
        for char in unicodedata.normalize("NFC", stem)
    ]
    name = "".join(kept).lstrip(" .-~").encode()[:_STEM_BYTES].decode(errors="ignore").rstrip(" .")
    if name.split(".")[0].strip().upper() in _DEVICES:
        name = f"_{name}"
    return name or "clip"


def stamp(seconds: float) -> str:
    """Seconds as ``H-MM-SS.mmm``, which any file system allows in a name."""
    total_ms = round(seconds * 1000)
    whole_s, ms = divmod(total_ms, 1000)
    return f"{whole_s // 3600}-{whole_s // 60 % 60:02}-{whole_s % 60:02}.{ms:03}"


def clip_name(stem: str, start_s: float, end_s: float, suffix: str) -> str:
    """Name of a clip: the source's safe stem and the real in and out points."""
    return f"{safe_stem(stem)}_{stamp(start_s)}-{stamp(end_s)}.{suffix}"


def open_folder(folder: Path) -> Path:
    """Makes the folder for clips and clears what a killed export left in it.

    Returns:
        The folder as an absolute path.

    Raises:
        UsageError: It cannot be made or written to.
        NoSpaceError: The disk is full.
    """
    try:
        folder = folder.expanduser().absolute()
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise _unwritable(folder, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
    _sweep(folder)
    return folder


def require_writable(folder: Path, what: str = "clips", option: str = "--out") -> None:
    """Returns when files can be put into a folder, and leaves no trace of having tried.

    Args:
        folder: Need not be there yet.
        what: What is to be put there, for the message.
        option: Where a person names the folder, for the message.

    Raises:
        UsageError: It cannot be made or written to.
        NoSpaceError: The disk is full.
    """
    made: list[Path] = []
    try:
        folder = folder.expanduser().absolute()
        missing = list(itertools.takewhile(lambda p: not p.is_dir(), (folder, *folder.parents)))
        for parent in reversed(missing):
            parent.mkdir()
            made.append(parent)
        tempfile.TemporaryFile(dir=folder).close()
    except (OSError, RuntimeError) as error:
        raise _unwritable(folder, error, what, option) from error
    finally:
        for parent in reversed(made):
            with contextlib.suppress(OSError):
                parent.rmdir()


@contextlib.contextmanager
def unfinished(folder: Path) -> Iterator[Path]:
    """A new hidden file beside the final one; gone afterwards unless it was published.

    It is locked while this process lives, so the next export recognises one that a
    killed process left behind.

    Raises:
        UsageError: The folder cannot be written to.
        NoSpaceError: The disk is full.
    """
    path = folder / f"{_PREFIX}{os.getpid()}-{secrets.token_hex(6)}{_SUFFIX}"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        # Some network shares cannot lock; the process id in the name still protects it.
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield path
    finally:
        os.close(descriptor)
        path.unlink(missing_ok=True)


def publish(part: Path, target: Path, overwrite: bool) -> Path:
    """Gives a finished file its name in one step.

    Args:
        part: The finished file, in the target's folder.
        target: The name wanted.
        overwrite: Replace what bears that name; otherwise ``_2``, ``_3``... is added.

    Returns:
        The name it got.

    Raises:
        UsageError: The folder refuses the file.
        NoSpaceError: The disk is full.
    """
    try:
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
        reached("before_clip_publish")
        name = target
        number = 1
        while not _take(part, name, overwrite):
            number += 1
            name = target.with_name(f"{target.stem}_{number}{target.suffix}")
        sync_folder(target.parent)
    except OSError as error:
        raise _unwritable(target.parent, error) from error
    return name


def free_stem(folder: Path, stem: str, endings: tuple[str, ...]) -> str:
    """A stem under which none of several files is there: ``manifest``, ``manifest_2`` ..."""
    number, free = 1, stem
    while any(os.path.lexists(folder / f"{free}{ending}") for ending in endings):
        number += 1
        free = f"{stem}_{number}"
    return free


def _take(part: Path, name: Path, overwrite: bool) -> bool:
    """Moves the file to the name unless that name is taken and must stay."""
    if overwrite and not name.is_dir():
        part.replace(name)
        return True
    try:
        os.link(part, name)
        return True
    except FileExistsError:
        return False
    except OSError:
        # No hard links here (FAT, some shares): hold the name with an empty file, then swap.
        pass
    try:
        os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return False
    part.replace(name)
    return True


def _sweep(folder: Path) -> None:
    for path in folder.glob(f"{_PREFIX}*{_SUFFIX}"):
        with contextlib.suppress(OSError, ValueError):
            pid = int(path.name.removeprefix(_PREFIX).split("-")[0])
            if path.is_file() and not path.is_symlink() and not _alive(pid) and not _held(path):
                path.unlink()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _held(path: Path) -> bool:
    with path.open("rb") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _unwritable(
    folder: Path, error: BaseException, what: str = "clips", option: str = "--out"
) -> GzError:
    if isinstance(error, OSError) and is_no_space(error):
        return no_space(folder)
    why = getattr(error, "strerror", None) or error
    return UsageError(
        f"{what.capitalize()} cannot be written to {shown(folder)}: {why}.",
        f"Choose another folder with {option}.",
    )
