"""Sentences that were encoded before; a cache that can be thrown away at any time."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
from sqlite_utils import Database
from sqlite_utils.db import NotFoundError

from ..types import Sentence

CACHE_NAME = "cache.db"
_KEPT_BYTES = 64 << 20


class SentenceCache:
    """Encoded sentences by embedding space, in a small database of their own.

    Nothing here ever fails: what cannot be read is encoded again, what cannot
    be written is not kept, and a damaged file is replaced.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / CACHE_NAME

    def get(self, space_id: str, text: str) -> Sentence | None:
        """The sentence as `put` kept it, or None."""
        if not self._path.exists():
            return None
        try:
            with contextlib.closing(self._open()) as db:
                row = db["sentences"].get(_key(space_id, text))
            pooled = np.frombuffer(row["pooled"], "<f4")
            tokens = np.frombuffer(row["tokens"], "<f4").reshape(-1, len(pooled))
            unread = row["unread"]
        except (sqlite3.Error, NotFoundError, KeyError, TypeError, ValueError, OSError):
            return None
        if row["text"] != text or not isinstance(unread, str):
            return None
        if not (np.isfinite(pooled).all() and np.isfinite(tokens).all()):
            return None
        return Sentence(text, pooled, tokens, unread)

    def put(self, space_id: str, sentence: Sentence) -> None:
        """Keeps an encoded sentence."""
        try:
            self._put(space_id, sentence)
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) in (
                sqlite3.SQLITE_NOTADB,
                sqlite3.SQLITE_CORRUPT,
            ):
                with contextlib.suppress(sqlite3.Error, OSError):
                    self._path.unlink()
                    self._put(space_id, sentence)
        except (OSError, ValueError):
            return

    def _put(self, space_id: str, sentence: Sentence) -> None:
        if self._path.exists() and self._path.stat().st_size > _KEPT_BYTES:
            self._path.unlink()
        with contextlib.closing(self._open()) as db, db.atomic():
            db["sentences"].insert(
                {
                    "key": _key(space_id, sentence.text),
                    "text": sentence.text,
                    "pooled": np.ascontiguousarray(sentence.pooled, "<f4").tobytes(),
                    "tokens": np.ascontiguousarray(sentence.tokens, "<f4").tobytes(),
                    "unread": sentence.unread,
                },
                pk="key",
                replace=True,
                alter=True,
            )

    def _open(self) -> Any:
        return Database(sqlite3.connect(self._path, timeout=2.0), execute_plugins=False)


def _key(space_id: str, text: str) -> str:
    data = f"{space_id}\0{text}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(data, digest_size=16).hexdigest()
