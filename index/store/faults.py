"""What goes wrong with a library's file, for people, and what to do next."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from ..errors import GzError, LibraryError, LockedError, UsageError
from ..files import no_space, shown

_NO_SPACE = {
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_FSYNC,
    sqlite3.SQLITE_IOERR_TRUNCATE,
    sqlite3.SQLITE_IOERR_SHMSIZE,
}
NO_WORDS = (
    "use a Python whose SQLite is 3.34 or newer and has FTS5, as those of python.org, conda and "
    "the distributions have"
)
"""What to do about an SQLite that cannot index words."""
_WITHOUT_WORD_SEARCH = ("no such module: fts5", "no such tokenizer: trigram")
REPAIR = "run `gz doctor --repair`, then `gz index`"
REBUILD_ALONE = (
    "run `gz index --rebuild` on your folders to start anew; the old file is set aside, not deleted"
)
REBUILD = (
    "run `gz doctor --repair` to save what is sound, or `gz index --rebuild` on your folders "
    "to start anew; the old file is set aside, not deleted"
)


def explain(error: sqlite3.Error, path: Path) -> GzError:
    """What an SQLite error means for the person whose library is at `path`.

    Raises:
        KeyboardInterrupt: Somebody ended gz while SQLite called it back, which tells no more.
    """
    if "user-defined function raised exception" in str(error):
        raise KeyboardInterrupt from error
    code = getattr(error, "sqlite_errorcode", None) or 0
    primary = code & 0xFF
    where = shown(path)
    if primary == sqlite3.SQLITE_FULL or code in _NO_SPACE:
        return no_space(path)
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return LockedError(f"the library {where} is busy", "wait for the other gz, then try again")
    if primary in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return UsageError(
            f"the library {where} cannot be written", "choose a folder of yours with --library"
        )
    if primary == sqlite3.SQLITE_CANTOPEN:
        return UsageError(
            f"the library {where} cannot be opened",
            "check that its folder exists and is yours, or choose another with --library",
        )
    if primary == sqlite3.SQLITE_IOERR:
        return LibraryError(
            f"the disk failed to read or write {where}: {error}",
            "check the drive, then run the same command again",
        )
    if str(error) in _WITHOUT_WORD_SEARCH:
        return UsageError(
            f"the SQLite of this Python ({sqlite3.sqlite_version}) cannot index words: {error}",
            NO_WORDS,
        )
    return LibraryError(f"the library {where} is damaged: {error}", REBUILD)


def sqlite_with_words() -> tuple[str, bool]:
    """The version of SQLite here, for people, and whether it can index words."""
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        try:
            db.execute("CREATE VIRTUAL TABLE words USING fts5 (body, tokenize='trigram')")
        except sqlite3.OperationalError as error:
            return f"{sqlite3.sqlite_version}, which cannot index words: {error}", False
    return f"{sqlite3.sqlite_version}, indexes words", True


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turns SQLite errors inside the block into errors for people."""
    try:
        yield
    except sqlite3.Error as error:
        raise explain(error, path) from error
    except UnicodeDecodeError as error:
        raise LibraryError(
            f"the library {shown(path)} is damaged: {error.reason}", REBUILD
        ) from error
