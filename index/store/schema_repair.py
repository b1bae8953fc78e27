"""A copy of a library whose header and schema are put right, so that its rows can be read.

Every library has the same constants in its header and the same schema but for where
tables begin: what is damaged there can be had from a library that is made for the purpose.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from pathlib import Path

from .schema import DATABASE_NAME, open_writable, schema_version

_CONSTANT = (slice(0, 24), slice(44, 48), slice(56, 60), slice(60, 64), slice(68, 72))
"""Parts of the header that say what kind of file it is: format, encoding, versions, whose."""
_VERSION = slice(60, 64)
_SCHEMA = "SELECT rowid, type, name, tbl_name, sql FROM sqlite_schema ORDER BY rowid"


def mended_copy(path: Path, copy: Path) -> bool:
    """Copies a library with its header and schema as they must have been.

    Args:
        path: The damaged file; it is left alone.
        copy: Where the copy comes to lie.

    Returns:
        Whether there is a copy now. There is none of a file that is not surely a library of
        this version.
    """
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / DATABASE_NAME
        with contextlib.closing(open_writable(model)) as fresh:
            expected = [row[1:] for row in fresh.execute(_SCHEMA)]
        head = model.read_bytes()[:100]
    for suffix in ("", "-wal"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            shutil.copyfile(part, copy.with_name(copy.name + suffix))
    with copy.open("r+b") as file:
        found = bytearray(file.read(100))
        version = int.from_bytes(found[_VERSION], "big", signed=True)
        if version > schema_version():
            return False  # What a newer gz wrote is not ours to judge.
        for part_of_head in _CONSTANT:
            found[part_of_head] = head[part_of_head]
        file.seek(0)
        file.write(found)
    with contextlib.suppress(sqlite3.DatabaseError, UnicodeDecodeError):
        return _schema_mended(copy, expected, exact=version != schema_version())
    return False


def _schema_mended(copy: Path, expected: list[tuple[str | None, ...]], *, exact: bool) -> bool:
    """Writes the schema anew where it differs; False when it is another one altogether."""
    with contextlib.closing(sqlite3.connect(copy)) as db:
        db.text_factory = bytes
        db.execute("PRAGMA writable_schema = ON")
        rows = db.execute(_SCHEMA).fetchall()
        wanted = [tuple(text and text.encode() for text in row) for row in expected]
        wrong = [row[0] for row, right in zip(rows, wanted, strict=False) if row[1:] != right]
        if len(rows) != len(wanted) or len(wrong) > (0 if exact else len(wanted) // 2):
            return False
        for (rowid, *_), right in zip(rows, expected, strict=True):
            if rowid in wrong:
                db.execute(
                    "UPDATE sqlite_schema SET type = ?, name = ?, tbl_name = ?, sql = ? "
                    "WHERE rowid = ?",
                    [*right, rowid],
                )
        db.commit()
        return True
