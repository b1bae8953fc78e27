"""Checksums of the rows that decide an answer, so that a flipped bit is found and not believed.

SQLite finds damage in its own structure, and none in what a row says. Each row of
`TABLES` has a CRC-32 of its other columns, and each table the sum of them, which a
row that was lost leaves wrong. Triggers keep both, so no statement that writes has to
think of them. What SQLite calls the schema is covered as a whole.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

TABLES = {
    "meta": "key",
    "roots": "path",
    "videos": "id",
    "versions": "id",
    "copies": "id",
    "texts": "id",
}
"""What is covered, with its key. Vectors are covered by their version's list of contents,
passages one by one when they are read."""

_SCHEMA = "the schema"


@dataclass(frozen=True)
class DamagedRow:
    """A row that is not what was written."""

    table: str
    key: Any
    """None where rows are lost, or where the table itself is not as it was."""
    video: tuple[int, bytes] | None = None
    """Id and path of the video that it is about, where there is one."""


def digest(*values: object) -> int:
    """CRC-32 of the columns of a row; the same on every machine and for ever."""
    parts = [
        value if type(value) is bytes else str(value).encode("utf-8", "surrogatepass")
        for value in values
    ]
    return zlib.crc32(b"\0".join(parts))


def offer_digest(connection: Any) -> None:
    """Lets triggers of a connection call `digest`."""
    connection.create_function("gz_digest", -1, digest, deterministic=True)
    connection.execute("PRAGMA trusted_schema = ON")


def covered_rows(db: Database) -> None:
    """Makes room for the checksums, and a second copy of what cannot be found out again."""
    db.execute("CREATE TABLE checksums (name TEXT PRIMARY KEY, total INTEGER NOT NULL)")
    db.execute("CREATE TABLE meta_copy (key TEXT PRIMARY KEY, value TEXT, digest INTEGER)")
    for table in _covered(db):
        db.execute(f"ALTER TABLE {table} ADD COLUMN digest INTEGER NOT NULL DEFAULT 0")


def unseal(db: Database) -> None:
    """Takes the triggers away, so that a migration may change the tables."""
    for name in _triggers(db):
        db.execute(f"DROP TRIGGER IF EXISTS {name}")


def seal(db: Database) -> None:
    """Takes everything as it is now for right, and keeps it so."""
    with db.atomic():
        unseal(db)
        db.execute("DELETE FROM checksums")
        db.execute("DELETE FROM meta_copy")
        for table in _covered(db):
            row = ", ".join(_columns(db, table))
            db.execute(f"UPDATE {table} SET digest = gz_digest({row})")  # noqa: S608
            db.execute(
                "INSERT INTO checksums SELECT ?, coalesce(sum(digest), 0) "  # noqa: S608
                f"FROM {table} NOT INDEXED",
                [table],
            )
        db.execute("INSERT INTO meta_copy SELECT key, value, digest FROM meta")
        for statement in _triggers(db).values():
            db.execute(statement)
        db.execute("INSERT INTO checksums VALUES (?, ?)", [_SCHEMA, _schema_digest(db)])


def damaged_rows(db: Database) -> Iterator[DamagedRow]:
    """Reads every covered row and names what is not as it was written."""
    totals = dict(db.execute("SELECT name, total FROM checksums").fetchall())
    if totals.get(_SCHEMA) != _schema_digest(db):
        yield DamagedRow(_SCHEMA, None)
        return
    for table, key in _covered(db).items():
        columns = _columns(db, table)
        place = columns.index(key)
        total, damaged = 0, False
        for said, *row in db.execute(
            f"SELECT digest, {', '.join(columns)} FROM {table} NOT INDEXED"  # noqa: S608
        ):
            if said == digest(*row):
                total += said
            else:
                damaged = True
                yield DamagedRow(table, row[place], _video_of(db, table, row[place]))
        if not damaged and total != totals.get(table):
            yield DamagedRow(table, None)


def is_undamaged(db: Database, table: str, row: tuple[Any, ...]) -> bool:
    """Whether a whole row of a table, all columns in order, is what was written."""
    if not has_digests(db, table):
        return True
    place = _all_columns(db, table).index("digest")
    return bool(row[place] == digest(*row[:place], *row[place + 1 :]))


def has_digests(db: Database, table: str) -> bool:
    """Whether rows of a table say what they ought to be; those of an earlier gz do not."""
    return table in TABLES and "digest" in _all_columns(db, table)


def restore_meta(db: Database) -> None:
    """Puts the second copy of a row of meta in the place of one that is damaged or lost."""
    good = {
        key
        for key, value, said in db.execute("SELECT key, value, digest FROM meta")
        if said == digest(key, value)
    }
    copies = db.execute("SELECT key, value, digest FROM meta_copy").fetchall()
    whole = [(key, value) for key, value, said in copies if said == digest(key, value)]
    for key in {row[0] for row in db.execute("SELECT key FROM meta").fetchall()} - good:
        db.execute("DELETE FROM meta WHERE key = ?", [key])
    for key, value in whole:
        if key not in good:
            db.execute("INSERT INTO meta (key, value) VALUES (?, ?)", [key, value])


def _covered(db: Database) -> dict[str, str]:
    """The covered tables that a library of this age has."""
    there = set(db.table_names())
    return {table: key for table, key in TABLES.items() if table in there}


def _video_of(db: Database, table: str, key: object) -> tuple[int, bytes] | None:
    found = {
        "videos": "SELECT id, path FROM videos WHERE id = ?",
        "versions": (
            "SELECT videos.id, path FROM videos JOIN versions "
            "ON videos.id = video_id OR visible_version = versions.id WHERE versions.id = ?"
        ),
        "texts": (
            "SELECT videos.id, videos.path FROM videos JOIN texts ON videos.id = video_id "
            "WHERE texts.id = ?"
        ),
    }.get(table)
    row = db.execute(found, [key]).fetchone() if found else None
    return (row[0], row[1]) if row is not None and isinstance(row[1], bytes) else None


def _columns(db: Database, table: str) -> list[str]:
    return [name for name in _all_columns(db, table) if name != "digest"]


def _all_columns(db: Database, table: str) -> list[str]:
    return [row[1] for row in db.execute(f"PRAGMA table_info({table})").fetchall()]


def _schema_digest(db: Database) -> int:
    rows = db.execute(
        "SELECT type, name, tbl_name, sql FROM sqlite_schema "
        "WHERE name NOT LIKE 'sqlite_stat%' ORDER BY type, name"
    ).fetchall()
    return digest(*(value for row in rows for value in row))


def _triggers(db: Database) -> dict[str, str]:
    """The triggers that keep the checksums, by name; one set for each covered table."""
    made: dict[str, str] = {}
    for table, key in _covered(db).items():
        columns = _columns(db, table)
        fresh = f"gz_digest({', '.join(f'new.{name}' for name in columns)})"
        own = f"UPDATE {table} SET digest = {fresh} WHERE {key} = new.{key};"  # noqa: S608
        copy = (
            "DELETE FROM meta_copy WHERE key = new.key; "  # noqa: S608
            f"INSERT INTO meta_copy VALUES (new.key, new.value, {fresh});"
            if table == "meta"
            else ""
        )

        def total(change: str, table: str = table) -> str:
            return f"UPDATE checksums SET total = total {change} WHERE name = '{table}';"  # noqa: S608

        bodies = {
            "AFTER INSERT": own + total(f"+ {fresh}") + copy,
            f"AFTER UPDATE OF {', '.join(columns)}": own + total(f"- old.digest + {fresh}") + copy,
            "AFTER DELETE": total("- old.digest"),
        }
        for when, body in bodies.items():
            name = f"{table}_{when.split()[1].lower()}_checksum"
            made[name] = f"CREATE TRIGGER {name} {when} ON {table} BEGIN {body} END"
    return made
