"""The tables of a library, how they came to be, and how a database file is opened.

A library is opened for writing (tables are made or migrated) or for reading
(no lock, no change, also from a read-only folder). Whatever SQLite reports
comes out as an error that a person can act on.
"""

from __future__ import annotations

import contextlib
import sqlite3
import struct
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlite_utils import Database, Migrations

from ..errors import LibraryError, NothingIndexedError, UsageError
from ..files import WriterLock, shown
from .checksums import damaged_rows, offer_digest, seal, unseal
from .faults import REBUILD, explained
from .migrations import (
    checksums_of_rows_and_chunks,
    coarse_versions,
    copies_and_content_digests,
    decoder_deaths,
    texts_and_passages,
    words_that_people_read,
)

SCHEMA = Migrations("groundzero")
DATABASE_NAME = "library.db"

_APPLICATION_ID = 0x475A4C42
_MAGIC = b"SQLite format 3\x00"
_PAGE_BYTES = 16384
_BUSY_MS = 15_000


def videos_versions_and_chunks(db: Database) -> None:
    """The first tables.

    A video is a path; a version is what one state of its content looked like.
    At most one version of a video is visible and at most one is being staged,
    so that the old one answers until the new one is complete.
    """
    for statement in (
        f"PRAGMA application_id = {_APPLICATION_ID}",
        "PRAGMA user_version = 1",
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE roots (path BLOB PRIMARY KEY, device INTEGER NOT NULL) WITHOUT ROWID",
        """CREATE TABLE videos (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            path BLOB NOT NULL UNIQUE,
            status TEXT NOT NULL CHECK (status IN ('pending', 'indexed', 'failed', 'quarantined')),
            reason TEXT NOT NULL DEFAULT '',
            attempts INTEGER NOT NULL DEFAULT 0,
            absent INTEGER NOT NULL DEFAULT 0,
            fingerprint TEXT NOT NULL,
            size_bytes INTEGER NOT NULL,
            mtime_ns INTEGER NOT NULL,
            ctime_ns INTEGER NOT NULL,
            inode INTEGER NOT NULL,
            device INTEGER NOT NULL,
            visible_version INTEGER REFERENCES versions (id)
        )""",
        "CREATE INDEX videos_by_fingerprint ON videos (fingerprint)",
        """CREATE TABLE versions (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            video_id INTEGER NOT NULL REFERENCES videos (id),
            fingerprint TEXT NOT NULL,
            space_id TEXT NOT NULL,
            token BLOB NOT NULL,
            frames INTEGER NOT NULL DEFAULT 0,
            last_s REAL,
            duration_s REAL NOT NULL DEFAULT 0,
            width INTEGER NOT NULL DEFAULT 0,
            height INTEGER NOT NULL DEFAULT 0,
            fps REAL,
            codec TEXT NOT NULL DEFAULT '',
            container TEXT NOT NULL DEFAULT '',
            rotation INTEGER NOT NULL DEFAULT 0,
            has_audio INTEGER NOT NULL DEFAULT 0,
            damaged_packets INTEGER NOT NULL DEFAULT 0,
            approximate_times INTEGER NOT NULL DEFAULT 0
        )""",
        "CREATE INDEX versions_by_video ON versions (video_id)",
        "CREATE INDEX versions_by_fingerprint ON versions (fingerprint)",
        """CREATE TABLE chunks (
            id INTEGER PRIMARY KEY,
            version_id INTEGER NOT NULL REFERENCES versions (id),
            first_frame INTEGER NOT NULL,
            frames INTEGER NOT NULL,
            first_s REAL NOT NULL,
            last_s REAL NOT NULL,
            times BLOB NOT NULL,
            vectors BLOB NOT NULL
        )""",
        """CREATE UNIQUE INDEX chunks_by_place
            ON chunks (version_id, first_frame, frames, first_s, last_s)""",
        """CREATE VIEW searchable AS
            SELECT videos.id AS video_id, versions.id AS version_id, token, frames, space_id
            FROM videos JOIN versions ON versions.id = videos.visible_version
            WHERE absent = 0 AND status IN ('indexed', 'pending')""",
    ):
        db.execute(statement)
    db["meta"].insert_all(
        [
            {"key": "library_id", "value": uuid.uuid4().hex},
            {"key": "generation", "value": "0"},
        ]
    )


SCHEMA()(videos_versions_and_chunks)
SCHEMA()(coarse_versions)
SCHEMA()(decoder_deaths)
SCHEMA()(copies_and_content_digests)
SCHEMA()(words_that_people_read)
SCHEMA()(checksums_of_rows_and_chunks)
SCHEMA()(texts_and_passages)


def schema_version() -> int:
    """The schema that this program writes."""
    return len(SCHEMA._migrations)


def open_writable(path: Path) -> Database:
    """Opens or creates a library for writing, its tables brought up to date.

    The caller holds the writer lock.

    Raises:
        LibraryError: Damaged, no library of ours, or made by a newer gz; left untouched.
        UsageError: The folder cannot be written, or its file system refuses WAL.
        NoSpaceError: The disk is full.
    """
    with explained(path):
        if _version_in_header(path) is not None:
            with contextlib.closing(_connect(path, "mode=ro")) as peek:
                _refuse_newer(version_of(peek), path)
        db = _connect(path, "mode=rwc")
        try:
            db.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
            _enable_wal(db, path)
            # FULL: a commit outlives a power cut, at one fsync for each video or piece of one.
            db.execute("PRAGMA synchronous = FULL")
            _bring_up_to_date(db, path)
        except BaseException:
            db.close()
            raise
        return db


def begin_at(path: Path, version: int) -> Database:
    """A new library file with the tables of some version of the schema, to be filled plainly.

    Nothing keeps checksums yet: `end_at` declares what was written to be right.
    """
    db = _connect(path, "mode=rwc")
    try:
        db.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        _enable_wal(db, path)
        with db.atomic():
            later = [migration.name for migration in SCHEMA._migrations][version:]
            SCHEMA.apply(db, stop_before=later[:1])
            db.execute("DELETE FROM meta")
    except BaseException:
        db.close()
        raise
    return db


def end_at(db: Database, version: int) -> None:
    """Declares a file that was filled after `begin_at` to be a library of that version."""
    if "checksums" in db.table_names():
        seal(db)
    db.execute(f"PRAGMA user_version = {version}")


def open_readable(path: Path, *, migrate: bool = True) -> Database:
    """Opens an existing library for reading, without a lock and without changing it.

    Args:
        path: The file.
        migrate: Bring one of an earlier gz up to date first, which takes the lock.

    Raises:
        NothingIndexedError: There is no library yet.
        LibraryError: Damaged, no library of ours, or made by a newer gz.
    """
    with explained(path):
        version = _version_in_header(path)
        if version is None:
            raise _nothing(path)
        try:
            db = _connect(path, "mode=ro")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in (
                sqlite3.SQLITE_CANTOPEN,
                sqlite3.SQLITE_READONLY,
            ):
                raise
            db = _connect_immutable(path)
        try:
            version = version_of(db)
            _refuse_newer(version, path)
            if version == 0:
                raise _nothing(path)
        except BaseException:
            db.close()
            raise
        if version == schema_version() or not migrate:
            return db
        db.close()
    with WriterLock(path.parent):
        open_writable(path).close()
    return open_readable(path)


def _bring_up_to_date(db: Database, path: Path) -> None:
    """Applies what has come to the schema since a library was made, all of it or nothing."""
    if version_of(db) == schema_version():
        return
    with db.atomic():
        if "checksums" in db.table_names():
            # Sealing what is damaged would declare it sound.
            if any(damaged_rows(db)):
                raise LibraryError(f"the library {shown(path)} is damaged", REBUILD)
            unseal(db)
        if not SCHEMA.pending(db):
            raise LibraryError(f"the library {shown(path)} is damaged: its header", REBUILD)
        SCHEMA.apply(db)
        if "checksums" in db.table_names():
            seal(db)
        db.execute(f"PRAGMA user_version = {schema_version()}")


def set_aside(path: Path) -> Path | None:
    """Renames a library and its log out of the way; returns the new name, None without one."""
    if not path.exists():
        return None
    number = 1
    while (target := path.with_name(f"{path.name}.old-{number}")).exists():
        number += 1
    for suffix in ("-wal", "-shm", ""):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(target.with_name(target.name + suffix))
    return target


def integrity_problems(db: Database) -> list[str]:
    """What SQLite itself finds wrong with the file, in its own words; empty when sound."""
    try:
        rows = db.execute("PRAGMA integrity_check(20)").fetchall()
    except sqlite3.DatabaseError as error:
        return [str(error)]
    return [" ".join(str(row[0]).split())[:120] for row in rows if row[0] != "ok"]


def _connect(path: Path, how: str) -> Database:
    """A connection that has read the file once, so that what is wrong with it shows here."""
    connection = sqlite3.connect(
        f"file:{quote(str(path).encode('utf-8', 'surrogateescape'))}?{how}",
        uri=True,
        timeout=_BUSY_MS / 1000,
        check_same_thread=False,
    )
    try:
        connection.execute("PRAGMA schema_version").fetchone()
        offer_digest(connection)
        return Database(connection, execute_plugins=False)
    except BaseException:
        connection.close()
        raise


def _connect_immutable(path: Path) -> Database:
    """A library in a folder where SQLite cannot make the files that WAL shares."""
    log = path.with_name(path.name + "-wal")
    if log.exists() and log.stat().st_size > 0:
        raise LibraryError(
            f"the library {shown(path)} was left in the middle of a write and is read-only now",
            "open it once where its folder can be written, for example with `gz ls`",
        )
    return _connect(path, "immutable=1")


def _version_in_header(path: Path) -> int | None:
    """Schema version from the first page; None when there is no library there yet.

    Read without SQLite, so that a file that is not ours is not touched at all.
    """
    try:
        with path.open("rb") as file:
            head = file.read(100)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(
            f"the library {shown(path)} cannot be read: {error.strerror}",
            "choose another library with --library",
        ) from error
    if not head:
        return None
    if len(head) < 100 or not head.startswith(_MAGIC):
        raise LibraryError(f"the library {shown(path)} is damaged: not a database", REBUILD)
    version, application = struct.unpack(">60xi4xi28x", head)
    if application not in (0, _APPLICATION_ID):
        raise LibraryError(
            f"{shown(path)} is a database of another program", "choose another --library"
        )
    _refuse_newer(version, path)
    return int(version)


def _refuse_newer(version: int, path: Path) -> None:
    if version > schema_version():
        raise LibraryError(
            f"the library {shown(path)} was made by a newer gz", "update gz, or use another library"
        )


def version_of(db: Any) -> int:
    """The schema that a library has."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _enable_wal(db: Any, path: Path) -> None:
    db.enable_wal()
    if db.journal_mode != "wal":
        raise UsageError(
            f"the folder {shown(path.parent)} does not support a library (a network share?)",
            "keep the library on a local disk, chosen with --library",
        )


def _nothing(path: Path) -> NothingIndexedError:
    return NothingIndexedError(
        f"nothing is indexed yet in {shown(path.parent)}", "run `gz index FOLDER` first"
    )
