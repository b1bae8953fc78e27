"""Queries that were encoded before; a cache that can be thrown away at any time."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from pathlib import Path

import numpy as np

from ..types import Sentence

CACHE_NAME = "cache.db"
_KEPT_BYTES = 64 << 20
_NOT_ITS_FAULT = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
}
"""Errors that say nothing about what is in the file."""
_TABLE = (
    "CREATE TABLE IF NOT EXISTS queries (key TEXT PRIMARY KEY, text TEXT, pooled BLOB, "
    "tokens BLOB, unread TEXT, digest BLOB)"
)


class SentenceCache:
    """Encoded queries by embedding space, in a small database of their own.

    Nothing here ever fails: what cannot be read, or is not what was written, is encoded
    again, what cannot be written is not kept, and a damaged file is made anew.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / CACHE_NAME

    def get(self, space_id: str, text: str) -> Sentence | None:
        """The query as `put` kept it, or None."""
        if not self._path.exists():
            return None
        key = _key(space_id, text)
        try:
            with contextlib.closing(self._open()) as db:
                row = db.execute(
                    "SELECT text, pooled, tokens, unread, digest FROM queries WHERE key = ?", [key]
                ).fetchone()
            if row is None or row[4] != _digest(key, *row[:4]) or row[0] != text:
                return None
            pooled = np.frombuffer(row[1], "<f4")
            tokens = np.frombuffer(row[2], "<f4").reshape(-1, len(pooled))
        except (sqlite3.Error, TypeError, ValueError, AttributeError, OSError):
            return None
        return Sentence(text, pooled, tokens, row[3])

    def put(self, space_id: str, sentence: Sentence) -> None:
        """Keeps an encoded query."""
        try:
            self._put(space_id, sentence)
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _NOT_ITS_FAULT:
                return
            with contextlib.suppress(sqlite3.Error, OSError, ValueError):
                self._path.unlink()
                self._put(space_id, sentence)
        except (OSError, ValueError):
            return

    def _put(self, space_id: str, sentence: Sentence) -> None:
        if self._path.exists() and self._path.stat().st_size > _KEPT_BYTES:
            self._path.unlink()
        key = _key(space_id, sentence.text)
        row = (
            sentence.text,
            np.ascontiguousarray(sentence.pooled, "<f4").tobytes(),
            np.ascontiguousarray(sentence.tokens, "<f4").tobytes(),
            sentence.unread,
        )
        with contextlib.closing(self._open()) as db, db:
            db.execute(_TABLE)
            db.execute(
                "INSERT OR REPLACE INTO queries VALUES (?, ?, ?, ?, ?, ?)",
                [key, *row, _digest(key, *row)],
            )

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=2.0)


def _key(space_id: str, text: str) -> str:
    data = f"{space_id}\0{text}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _digest(key: str, text: str, pooled: bytes, tokens: bytes, unread: str) -> bytes:
    parts = [key.encode(), text.encode("utf-8", "surrogatepass"), pooled, tokens, unread.encode()]
    data = b"".join(len(part).to_bytes(8, "little") + part for part in parts)
    return hashlib.blake2b(data, digest_size=16).digest()
