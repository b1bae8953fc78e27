"""Saves what can still be read from a library file that SQLite calls damaged.

Part of the store: it speaks SQL. Rows are read one by one, so a torn page
costs the rows on it and no others; the copy is then checked like any library.
"""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from ..errors import LibraryError
from ..failpoints import reached
from . import audit
from .checksums import digest, has_digests, is_undamaged
from .faults import explained
from .library import Library
from .schema import (
    DATABASE_NAME,
    begin_at,
    end_at,
    open_readable,
    open_writable,
    set_aside,
    version_of,
)
from .schema_repair import mended_copy

_COPY_NAME = ".gz-salvage.db"
_MENDED_NAME = ".gz-salvage-mended.db"
_TABLES = {"videos", "versions", "chunks", "copies", "texts", "passages"}
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
    """Makes the copy from the library itself, or from one whose schema was mended.

    The copy has the schema of the damaged file until all rows are in it: what an earlier
    gz wrote is brought up to date where nothing is damaged any more.
    """
    path, copy = folder / DATABASE_NAME, folder / _COPY_NAME
    _remove(copy)
    try:
        with contextlib.closing(open_readable(source, migrate=False)) as old:
            version = version_of(old)
            if not _copied(old, copy, version):
                return None
        with Library(folder, open_writable(copy), readonly=False) as new:
            lost = _drop_unsound(new)
            saved = len(new.videos(searchable=True))
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


def _copied(old: Any, copy: Path, version: int) -> bool:
    """Copies every row that can be read; False when even the library's identity cannot."""
    with explained(copy):
        try:
            meta = _sound_meta(old)
        except sqlite3.DatabaseError:
            return False
        if not {"space", "generation", "library_id"} <= meta.keys():
            return False
        meta["generation"] = str(int(meta["generation"]) + 1)
        new = begin_at(copy, version)
        try:
            new["meta"].insert_all({"key": key, "value": value} for key, value in meta.items())
            _copy_roots(old, new)
            for table in sorted(_TABLES & set(new.table_names())):
                rows = _readable_rows(old, table)
                while batch := list(itertools.islice(rows, _ROWS_PER_COMMIT)):
                    _insert(new, table, batch)
            end_at(new, version)
        finally:
            new.close()
    return True


def _sound_meta(old: Any) -> dict[str, str]:
    """What the library says about itself, of its two copies the one that is sound."""
    if not has_digests(old, "meta"):
        return dict(old.execute("SELECT key, value FROM meta").fetchall())
    meta: dict[str, str] = {}
    for table in ("meta_copy", "meta"):
        with contextlib.suppress(sqlite3.DatabaseError):
            rows = old.execute(f"SELECT key, value, digest FROM {table}").fetchall()  # noqa: S608
            meta |= {key: value for key, value, said in rows if said == digest(key, value)}
    return meta


def _copy_roots(old: Any, new: Database) -> None:
    with contextlib.suppress(sqlite3.DatabaseError):
        rows = [
            row for row in old.execute("SELECT * FROM roots") if is_undamaged(old, "roots", row)
        ]
        _insert(new, "roots", rows)


def _insert(new: Database, table: str, rows: list[tuple[Any, ...]]) -> None:
    with new.atomic():
        for row in rows:
            places = ", ".join("?" * len(row))
            new.execute(f"INSERT OR IGNORE INTO {table} VALUES ({places})", row)  # noqa: S608


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
