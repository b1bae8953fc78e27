"""Saves what can still be read from a library file that SQLite calls damaged.

Part of the store: it speaks SQL. Rows are read one by one, so a torn page
costs the rows on it and no others; the copy is then checked like any library.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import LibraryError
from ..failpoints import reached
from . import audit
from .checksums import digest, is_undamaged
from .library import Library
from .schema import DATABASE_NAME, explained, open_readable, open_writable, set_aside
from .schema_repair import mended_copy

_COPY_NAME = ".gz-salvage.db"
_MENDED_NAME = ".gz-salvage-mended.db"
_TABLES = ("videos", "versions", "chunks", "copies")
_ROWS_PER_COMMIT = 500


@dataclass(frozen=True)
class Salvaged:
    """What became of a damaged library."""

    videos: int
    """Videos whose vectors were saved whole."""
    lost: int
    """Videos that are known by name and are indexed anew by the next run."""
    aside: Path
    """Where the damaged file lies now."""


def salvage(folder: Path) -> Salvaged | None:
    """Replaces a damaged library by a copy of all that is sound in it. Hold the writer lock.

    Returns:
        What was saved; None when nothing can be read, and then nothing was changed.

    Raises:
        LibraryError: The file is no library of ours, or made by a newer gz.
        NoSpaceError: There is no room for the copy; nothing was changed.
    """
    path, mended = folder / DATABASE_NAME, folder / _MENDED_NAME
    _remove(mended)
    try:
        try:
            saved = _saved_from(path, folder)
        except LibraryError:
            if not mended_copy(path, mended):
                raise
            return _saved_from(mended, folder)
        if saved is None and mended_copy(path, mended):
            return _saved_from(mended, folder)
        return saved
    finally:
        _remove(mended)


def _saved_from(source: Path, folder: Path) -> Salvaged | None:
    """Makes the copy from the library itself, or from one whose schema was mended."""
    path, copy = folder / DATABASE_NAME, folder / _COPY_NAME
    _remove(copy)
    try:
        with (
            contextlib.closing(open_readable(source, migrate=False)) as old,
            Library(folder, open_writable(copy), readonly=False) as new,
        ):
            if not _copy_rows(old, new, copy):
                return None
            lost = _drop_unsound(new)
            saved = len(new.segments())
        reached("before_salvage_swap")
        aside = set_aside(path)
        copy.replace(path)
        return Salvaged(saved, lost, aside or path)
    finally:
        _remove(copy)


def _drop_unsound(library: Library) -> int:
    """Removes what the copy has only in part; returns how many videos that costs."""
    audit.remove_orphans(library)
    lost = {video_id for video_id, _ in audit.lost_versions(library)}
    for video_id in lost:
        audit.reset_video(library, video_id)
    for broken in list(audit.broken_versions(library)):
        audit.drop_version(library, broken.video_id, broken.version_id)
        lost.add(broken.video_id)
    return len(lost)


def _copy_rows(old: Any, new: Library, copy: Path) -> bool:
    """Copies every row that can be read; False when even the library's identity cannot."""
    with explained(copy):
        try:
            meta = _sound_meta(old)
        except sqlite3.DatabaseError:
            return False
        if not {"space", "generation", "library_id"} <= meta.keys():
            return False
        meta["generation"] = str(int(meta["generation"]) + 1)
        with new._transaction():
            # Rows come in any order, and some of those that others point to never come.
            for key, value in meta.items():
                new._set_meta(key, str(value))
            _copy_roots(old, new)
        for table in _TABLES:
            rows = _readable_rows(old, table)
            while batch := [row for _, row in zip(range(_ROWS_PER_COMMIT), rows, strict=False)]:
                _insert(new, table, batch)
    return True


def _sound_meta(old: Any) -> dict[str, str]:
    """What the library says about itself, of its two copies the one that is sound."""
    meta: dict[str, str] = {}
    for table in ("meta_copy", "meta"):
        with contextlib.suppress(sqlite3.DatabaseError):
            rows = old.execute(f"SELECT key, value, digest FROM {table}").fetchall()  # noqa: S608
            meta |= {key: value for key, value, said in rows if said == digest(key, value)}
    return meta


def _copy_roots(old: Any, new: Library) -> None:
    with contextlib.suppress(sqlite3.DatabaseError):
        for path, device, said in old.execute("SELECT path, device, digest FROM roots").fetchall():
            if said != digest(path, device):
                continue
            new._all("INSERT INTO roots (path, device) VALUES (?, ?)", [path, device])


def _insert(new: Library, table: str, rows: list[tuple[Any, ...]]) -> None:
    places = ", ".join("?" * len(rows[0]))
    with new._transaction():
        for row in rows:
            new._all(f"INSERT OR IGNORE INTO {table} VALUES ({places})", row)  # noqa: S608


def _readable_rows(old: Any, table: str) -> Iterator[tuple[Any, ...]]:
    """Rows of a table by their number, without those that cannot be read."""
    for number in range(1, _last_id(old, table) + 1):
        try:
            row = old.execute(f"SELECT * FROM {table} WHERE id = ?", [number]).fetchone()  # noqa: S608
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            continue
        if row is not None and is_undamaged(old, table, row):
            yield row


def _last_id(old: Any, table: str) -> int:
    """Highest row number of a table, or a number that it cannot exceed."""
    likely = max(1_000_000, 64 * int(old.execute("PRAGMA page_count").fetchone()[0]))
    try:
        last = int(old.execute(f"SELECT max(id) FROM {table}").fetchone()[0] or 0)  # noqa: S608
    except sqlite3.DatabaseError:
        return likely
    # A damaged row number can be any; counting up to it might take for ever.
    return min(last, likely)


def _remove(copy: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        copy.with_name(copy.name + suffix).unlink(missing_ok=True)
