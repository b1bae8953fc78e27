"""The library: every video, its state, its frame times and vectors; the only truth.

Vectors are float16, L2-normalised, in chunks of consecutive frames that can be
read as a slice. A video becomes visible in one transaction, `commit_video`,
and keeps its older version until then. One process writes (see
`files.WriterLock`); any number read, without a lock. A Library belongs to
one thread at a time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Self

from ..errors import UsageError
from ..files import FileStat, shown
from ..types import EmbeddingSpace
from .attempts import signed, stat_columns
from .copies import CopyRow as CopyRow
from .frame_reading import HalfVectors as HalfVectors
from .frame_reading import Segment as Segment
from .schema import DATABASE_NAME, open_readable, open_writable, set_aside
from .sentences import SentenceCache as SentenceCache
from .text_rows import TextRow as TextRow
from .texts import TextWriter


class Library(TextWriter):
    """One library folder, open for writing or for reading."""

    @classmethod
    def create_or_open(cls, folder: Path) -> Library:
        """Opens a library for writing; makes it where there is none. Hold the `WriterLock`.

        Raises:
            LibraryError: Damaged, or made by a newer gz; the file is left untouched.
            UsageError: The folder cannot be written, or its file system refuses WAL.
            NoSpaceError: The disk is full.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"the library folder {shown(folder)} cannot be made: {error.strerror}",
                "choose a folder of yours with --library",
            ) from error
        return cls(folder, open_writable(folder / DATABASE_NAME), readonly=False)._proved()

    @classmethod
    def open_readonly(cls, folder: Path) -> Library:
        """Opens a library for reading: no lock, also while another process writes.

        Raises:
            NothingIndexedError: There is no library yet.
            LibraryError: Damaged, or made by a newer gz.
        """
        return cls(folder, open_readable(folder / DATABASE_NAME), readonly=True)._proved()

    @classmethod
    def open_unproved(cls, folder: Path, readonly: bool) -> Library:
        """Opens an existing library whose rows may be damaged, to find out what is.

        Raises:
            NothingIndexedError: There is no library yet.
            LibraryError: It cannot be opened at all.
        """
        opened = open_readable(folder / DATABASE_NAME)
        if not readonly:
            opened.close()
            opened = open_writable(folder / DATABASE_NAME)
        return cls(folder, opened, readonly)

    def _proved(self) -> Self:
        """Itself, once its rows were found to be what was written."""
        try:
            self._require_sound_rows()
        except BaseException:
            self.close()
            raise
        return self

    @staticmethod
    def set_aside(folder: Path) -> Path | None:
        """Renames a damaged library out of the way; returns its new name, None without one."""
        return set_aside(folder / DATABASE_NAME)

    def set_space(self, space: EmbeddingSpace, model_spec: str, adapter: str = "") -> None:
        """Says which model the vectors come from.

        Raises:
            ModelError: The library holds vectors of another space.
        """
        with self._transaction():
            if self._one("SELECT 1 FROM videos WHERE visible_version IS NOT NULL LIMIT 1"):
                self.check_space(space)
            self._space = None
            self._set_meta("space", json.dumps(asdict(space)))
            self._set_meta("model_spec", model_spec)
            self._set_meta("adapter", adapter)

    # Files that move, go and come back

    def rename(self, video_id: int, path: bytes, stat: FileStat) -> None:
        """The file of a video is at another path now; its vectors move along.

        A row that stood for the file which was overwritten there is removed.
        """
        with self._transaction():
            self._clear_path(path, besides=video_id)
            self._all("UPDATE videos SET path = ? WHERE id = ?", [path, video_id])
            self._refresh(video_id, stat)

    def mark_present(self, video_id: int, stat: FileStat) -> None:
        """The file is there and its content is that of the visible version, or failed before."""
        with self._transaction():
            self._refresh(video_id, stat)

    def _refresh(self, video_id: int, stat: FileStat) -> None:
        was_searchable = self._is_searchable(video_id)
        self._all(
            "UPDATE videos SET absent = 0, size_bytes = ?, mtime_ns = ?, ctime_ns = ?, "
            "inode = ?, device = ? WHERE id = ?",
            [*stat_columns(stat), video_id],
        )
        if not was_searchable and self._is_searchable(video_id):
            self._bump()

    def mark_absent(self, video_ids: Iterable[int]) -> None:
        """The files are gone; their vectors are kept but not searched."""
        with self._transaction():
            changed = False
            for video_id in video_ids:
                changed |= self._is_searchable(video_id)
                self._all("UPDATE videos SET absent = 1 WHERE id = ?", [video_id])
            if changed:
                self._bump()

    def forget(self, video_id: int) -> None:
        """Removes a video and its vectors for good; only `--prune` asks for this."""
        with self._transaction():
            if self._remove(video_id):
                self._bump()

    def forget_roots(self, paths: Iterable[bytes]) -> None:
        """Named folders and files that are no longer looked at by themselves."""
        with self._transaction():
            for path in paths:
                self._all("DELETE FROM roots WHERE path = ?", [path])

    def remember_root(self, path: bytes, device: int) -> None:
        """Writes down a named folder or file and its device."""
        with self._transaction():
            self._all(
                "INSERT INTO roots (path, device) VALUES (?, ?) "
                "ON CONFLICT (path) DO UPDATE SET device = excluded.device",
                [path, signed(device)],
            )
