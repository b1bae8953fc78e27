"""Files with the content of a video that the library holds already: its copies.

A copy has a path and a state of its own and no vectors. It is listed, it is searched by its
path, and it takes the video over when the file that was indexed is gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..files import FileStat
from .attempts import AttemptWriter, stat_columns
from .reading import file_stat_of

_COLUMNS = "path, video_id, size_bytes, mtime_ns, ctime_ns, inode, device"


@dataclass(frozen=True)
class CopyRow:
    """One more file with the content of a video."""

    path: bytes
    """Absolute path as the file system spells it."""
    video_id: int
    """The video whose content it has."""
    stat: FileStat
    """The state in which it was compared."""


class CopyWriter(AttemptWriter):
    """One library, as far as copies go."""

    def copies(self, video_id: int | None = None) -> list[CopyRow]:
        """Copies in path order, of one video or of all."""
        which, parameters = ("", []) if video_id is None else ("WHERE video_id = ?", [video_id])
        rows = self._all(f"SELECT {_COLUMNS} FROM copies {which} ORDER BY path", parameters)  # noqa: S608
        return [_copy(row) for row in rows]

    def add_copy(self, video_id: int, path: bytes, stat: FileStat) -> None:
        """Writes down that the file at `path` has the content of a video.

        A row that stood for other content at that path is removed.
        """
        with self._transaction():
            self._clear_path(path, besides=video_id)
            self._all(
                f"INSERT INTO copies ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
                [path, video_id, *stat_columns(stat)],
            )

    def drop_copies(self, paths: Iterable[bytes]) -> None:
        """Forgets copies that are gone or have other content now; no vectors are lost by it."""
        with self._transaction():
            for path in paths:
                self._all("DELETE FROM copies WHERE path = ?", [path])

    def _clear_path(self, path: bytes, besides: int) -> None:
        """Removes whatever the library says about a path, except one video."""
        occupant = self._one("SELECT id FROM videos WHERE path = ? AND id <> ?", [path, besides])
        if occupant is not None and self._remove(occupant[0]):
            self._bump()
        self._all("DELETE FROM copies WHERE path = ?", [path])

    def _remove(self, video_id: int) -> bool:
        was_searchable = self._is_searchable(video_id)
        self._all("UPDATE videos SET visible_version = NULL WHERE id = ?", [video_id])
        self._drop_versions(video_id, keep=None)
        self._all("DELETE FROM copies WHERE video_id = ?", [video_id])
        self._all(
            "DELETE FROM passages WHERE text_id IN (SELECT id FROM texts WHERE video_id = ?)",
            [video_id],
        )
        self._all("DELETE FROM texts WHERE video_id = ?", [video_id])
        self._all("DELETE FROM videos WHERE id = ?", [video_id])
        return was_searchable


def _copy(row: tuple[Any, ...]) -> CopyRow:
    path, video_id, *stat = row
    return CopyRow(bytes(path), int(video_id), file_stat_of(tuple(stat)))
