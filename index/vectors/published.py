"""How the vector cache lies on disk: files of one publication and the note that names them.

Every publication has new file names. The note, `vectors.json`, is replaced
last, so a reader sees one whole publication or another; files that it no
longer names are removed afterwards, which disturbs nobody who has them open.
Nothing here is trusted: what does not match the note is not used.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ..failpoints import reached
from ..files import (
    FileStat,
    FolderLock,
    atomic_path,
    atomic_write,
    digest_file,
    remove_partials,
)
from ..store.library import Library
from .frame_table import SEGMENT_DTYPE, FrameTable

NOTE_NAME = "vectors.json"
MISSING = "it is missing"
T = TypeVar("T")
_ATTEMPTS = 3
_FORMAT = 2
_NAME = re.compile(r"vectors-[0-9a-f]{16}\.(faiss|[a-z_]+\.npy)")
_ALWAYS_DIGESTED_BYTES = 32 << 20
_PARTS = {
    "segments": SEGMENT_DTYPE,
    "times_s": np.dtype("<f8"),
    "sample_rows": np.dtype("<i8"),
    "sample_priority": np.dtype("<u8"),
    "sample": np.dtype("<f2"),
    "bank": np.dtype("<f4"),
    "rivals": np.dtype("<f4"),
    "nulls": np.dtype("<f4"),
}


class Stale(Exception):
    """The publication cannot be used; the text says why."""


@dataclass(frozen=True)
class PublishedFile:
    """One file of a publication."""

    name: str
    digest: str
    stat: FileStat


@dataclass(frozen=True)
class Publication:
    """What `vectors.json` says."""

    library_id: str
    space_id: str
    generation: int
    """Generation of the library when it was written."""
    trained_frames: int
    """Frames in the library when the lists of the index were trained; 0 for a flat one."""
    bank: str
    """Digest of the everyday sentences that frames were measured by; empty without any."""
    frames: PublishedFile
    """The FAISS file."""
    parts: dict[str, PublishedFile]
    """The arrays of the frame table."""

    def must_belong_to(self, library: Library) -> None:
        """Refuses the publication of another library or embedding space with `Stale`."""
        if self.library_id != library.id:
            raise Stale("it belongs to another library")
        if self.space_id != _space_id(library):
            raise Stale("it belongs to another model")


def _space_id(library: Library) -> str:
    return "" if library.space is None else library.space.id


def open_current(folder: Path, load: Callable[[Publication], T]) -> tuple[T | None, str]:
    """What `load` makes of the current publication, or why it cannot be used."""
    why, publication = "", None
    for _ in range(_ATTEMPTS):
        try:
            publication = read_note(folder)
            if publication is None:
                return None, MISSING
            return load(publication), ""
        except Stale as error:
            why = str(error)
        # Another process may have published while the files were being opened.
        with contextlib.suppress(Stale):
            if read_note(folder) == publication:
                break
    return None, why


def read_note(folder: Path) -> Publication | None:
    """The publication in a folder; None when there is none.

    Raises:
        Stale: The note is damaged or of another format.
    """
    try:
        data = (folder / NOTE_NAME).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Stale(str(error)) from error
    try:
        said = json.loads(data)
        digest = said.pop("digest")
        if digest != _digest_of(said) or said.pop("format") != _FORMAT:
            raise Stale("its note is damaged or of another format")
        said["frames"] = _file(said["frames"])
        said["parts"] = {name: _file(said["parts"][name]) for name in _PARTS}
        return Publication(**said)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Stale("its note is damaged") from error


def verify(folder: Path, publication: Publication) -> Publication:
    """Makes sure that every file is the one that was published.

    A file whose stat is as published is taken as it is when it is large,
    since reading it whole would cost more than searching it; any other is
    digested.

    Returns:
        The publication with the stats as they are now.

    Raises:
        Stale: A file is missing or differs.
    """
    frames = _verified(folder, publication.frames)
    parts = {name: _verified(folder, file) for name, file in publication.parts.items()}
    return replace(publication, frames=frames, parts=parts)


def verify_fully(folder: Path, publication: Publication) -> None:
    """Digests every file of a publication, whatever its size.

    Raises:
        Stale: A file is missing or differs.
    """
    for file in (publication.frames, *publication.parts.values()):
        _digest_must_match(folder, file)


def load_table(folder: Path, publication: Publication) -> FrameTable:
    """The frame table of a verified publication, memory-mapped.

    Raises:
        Stale: The arrays are not what they should be.
    """
    arrays: dict[str, Any] = {}
    for name, dtype in _PARTS.items():
        try:
            mapped = np.load(
                folder / publication.parts[name].name, mmap_mode="r", allow_pickle=False
            )
        except (OSError, ValueError, EOFError) as error:
            raise Stale(f"its {name} cannot be read") from error
        if mapped.dtype != dtype:
            raise Stale(f"its {name} are of another kind")
        arrays[name] = mapped
    try:
        return FrameTable(**arrays)
    except ValueError as error:
        raise Stale(str(error)) from error


def publish(
    library: Library,
    header: dict[str, Any],
    table: FrameTable,
    write_frames: Callable[[Callable[[bytes], None]], None],
) -> Publication | None:
    """Writes a publication and makes it the current one.

    Args:
        library: The library whose frames they are.
        header: Generation, trained frames and bank, as in `Publication`.
        table: The frame table.
        write_frames: Writes the FAISS file through the function it is given.

    Returns:
        What was published; None when another process is publishing at this moment.

    Raises:
        NoSpaceError: The disk is full; the earlier publication stays the current one.
        OSError: The folder cannot be written.
    """
    folder = library.folder
    header = {"library_id": library.id, "space_id": _space_id(library), **header}
    with locked(folder) as held:
        if not held:
            return None
        stem = f"vectors-{secrets.token_hex(8)}"
        written: list[str] = []
        try:
            frames = _write(folder, f"{stem}.faiss", write_frames, written)
            parts = {
                name: _write(folder, f"{stem}.{name}.npy", _array(table, name), written)
                for name in _PARTS
            }
            publication = Publication(**header, frames=frames, parts=parts)
            reached("before_publish")
            _write_note(folder, publication)
        except BaseException:
            for name in written:
                (folder / name).unlink(missing_ok=True)
            raise
        reached("after_publish")
        _remove_others(folder, publication)
        return publication


def renew_note(folder: Path, old: Publication, new: Publication) -> None:
    """Remembers that files with other stats (a copied library) were digested and are right."""
    with contextlib.suppress(OSError, Stale), locked(folder) as held:
        if held and old != new and read_note(folder) == old:
            _write_note(folder, new)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """The right to publish in a folder; False when another process has it."""
    lock = FolderLock(folder, "vectors.lock")
    held = lock.acquire()
    try:
        yield held
    finally:
        lock.release()


def remove_unnamed(folder: Path) -> int:
    """Removes files of publications that the note does not name; returns how many."""
    with locked(folder) as held:
        if not held:
            return 0
        try:
            current = read_note(folder)
        except Stale:
            current = None
        return _remove_others(folder, current)


def unnamed(folder: Path, current: Publication | None) -> list[Path]:
    """Files of publications other than the current one."""
    names = set() if current is None else {file.name for file in _files(current)}
    return [
        path
        for path in folder.glob("vectors-*")
        if _NAME.fullmatch(path.name) and path.name not in names
    ]


def _remove_others(folder: Path, current: Publication | None) -> int:
    others = unnamed(folder, current)
    for path in others:
        with contextlib.suppress(OSError):
            path.unlink()
    for suffix in (".faiss", ".npy"):
        remove_partials(folder, suffix)
    return len(others)


def _files(publication: Publication) -> list[PublishedFile]:
    return [publication.frames, *publication.parts.values()]


def _array(table: FrameTable, name: str) -> Callable[[Callable[[bytes], None]], None]:
    def write(sink: Callable[[bytes], None]) -> None:
        array = np.ascontiguousarray(getattr(table, name))
        np.lib.format.write_array(_Sink(sink), array, allow_pickle=False)

    return write


class _Sink:
    """The part of a file object that `write_array` uses."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self.write = write


def _write(
    folder: Path,
    name: str,
    write: Callable[[Callable[[bytes], None]], None],
    written: list[str],
) -> PublishedFile:
    """Writes one file and digests what was meant to be written, not what arrived."""
    digest = hashlib.blake2b(digest_size=32)
    size = 0
    with atomic_path(folder / name, durable=False) as temporary, temporary.open("wb") as file:

        def sink(data: bytes) -> None:
            nonlocal size
            reached("mid_faiss_write")
            digest.update(data)
            size += len(data)
            file.write(data)

        write(sink)
        file.flush()
        if size > _ALWAYS_DIGESTED_BYTES:
            os.fsync(file.fileno())
        written.append(name)
    stat = FileStat.read(folder / name)
    if stat.size_bytes != size:
        raise OSError(f"{name} was not written whole")
    return PublishedFile(name, digest.hexdigest(), stat)


def _write_note(folder: Path, publication: Publication) -> None:
    said: dict[str, Any] = {"format": _FORMAT, **asdict(publication)}
    said["digest"] = _digest_of(said)
    atomic_write(folder / NOTE_NAME, json.dumps(said, indent=1).encode())


def _digest_of(said: dict[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(said, sort_keys=True).encode(), digest_size=16).hexdigest()


def _file(said: Any) -> PublishedFile:
    file = PublishedFile(str(said["name"]), str(said["digest"]), FileStat(**said["stat"]))
    if not _NAME.fullmatch(file.name):
        raise Stale("its note names a file that is not its own")
    return file


def _verified(folder: Path, file: PublishedFile) -> PublishedFile:
    try:
        stat = FileStat.read(folder / file.name)
    except OSError as error:
        raise Stale(f"{file.name} is missing") from error
    if stat.size_bytes != file.stat.size_bytes:
        raise Stale(f"{file.name} has another size")
    if stat.same_content_as(file.stat) and stat.size_bytes > _ALWAYS_DIGESTED_BYTES:
        return file
    _digest_must_match(folder, file)
    return replace(file, stat=stat)


def _digest_must_match(folder: Path, file: PublishedFile) -> None:
    try:
        digest = digest_file(folder / file.name)
    except OSError as error:
        raise Stale(f"{file.name} cannot be read") from error
    if digest != file.digest:
        raise Stale(f"{file.name} is damaged")
