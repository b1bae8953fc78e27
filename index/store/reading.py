"""The reading side of a library: what it is, its videos and their state; nothing here writes.

Its rows are looked at as a whole, once for each state that another process left, so
that a row which was damaged on the disk is never believed.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from ..errors import LibraryError, ModelError
from ..files import FileStat, shown
from ..types import EmbeddingSpace, VideoRow
from .checksums import DamagedRow, damaged_rows
from .faults import REBUILD, REPAIR, explained
from .schema import DATABASE_NAME, integrity_problems

_ROWS = """
    SELECT videos.id, path, CASE WHEN status IN ('failed', 'set aside')
            THEN videos.fingerprint ELSE coalesce(versions.fingerprint, videos.fingerprint) END,
        status, reason,
        attempts, absent, size_bytes, mtime_ns, coalesce(duration_s, 0.0), coalesce(width, 0),
        coalesce(height, 0), fps, coalesce(codec, ''), coalesce(container, ''),
        coalesce(frames, 0), coalesce(approximate_times, 0), coalesce(coarse, 0)
    FROM videos LEFT JOIN versions ON versions.id = videos.visible_version
"""


class LibraryReader:
    """One open library, as far as reading goes."""

    def __init__(self, folder: Path, db: Any, readonly: bool) -> None:
        self.folder = folder
        self.readonly = readonly
        self._db = db
        self._path = folder / DATABASE_NAME
        self._space: EmbeddingSpace | None = None
        self._proved_state = -1

    def close(self) -> None:
        """Closes the file; what was committed is on disk."""
        with explained(self._path):
            self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _all(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with explained(self._path):
            return cast("list[tuple[Any, ...]]", self._db.execute(sql, parameters).fetchall())

    def _one(self, sql: str, parameters: Sequence[object] = ()) -> tuple[Any, ...] | None:
        rows = self._all(sql, parameters)
        return rows[0] if rows else None

    def _row(self, sql: str, parameters: Sequence[object] = ()) -> tuple[Any, ...]:
        row = self._one(sql, parameters)
        if row is None:
            raise LibraryError(f"the library {shown(self._path)} lost a row", "run `gz doctor`")
        return row

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with explained(self._path), self._db.atomic():
            yield

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Everything read inside the block is one committed state, whatever a writer does."""
        with self._transaction():
            yield

    def _require_sound_rows(self) -> None:
        """Looks at all rows once for each state of the library that another process left.

        Raises:
            LibraryError: A row is not what was written; the video is named.
        """
        if self._state() == self._proved_state:
            return
        with self.snapshot():
            damage = next(damaged_rows(self._db), None)
            if damage is not None:
                raise self._damaged_row(damage)
            self._proved_state = self._state()

    def _state(self) -> int:
        """Another number after every change by another process."""
        return int(self._row("PRAGMA data_version")[0])

    def _damaged_row(self, damage: DamagedRow) -> LibraryError:
        if damage.video is not None:
            what = f"what it says about {shown(damage.video[1])} is not what was written"
            return LibraryError(f"the library {shown(self._path)} is damaged: {what}", REPAIR)
        what = f"{damage.table} is not what was written"
        return LibraryError(f"the library {shown(self._path)} is damaged: {what}", REBUILD)

    # What the library is

    def _meta(self, key: str) -> str | None:
        row = self._one("SELECT value FROM meta WHERE key = ?", [key])
        return None if row is None else str(row[0])

    @property
    def id(self) -> str:
        """Random identity of this library, 32 hex digits."""
        return self._meta("library_id") or ""

    @property
    def generation(self) -> int:
        """Rises with every change of what can be searched."""
        return int(self._meta("generation") or 0)

    @property
    def space(self) -> EmbeddingSpace | None:
        """The embedding space of the vectors; None before the first was chosen."""
        if self._space is None and (text := self._meta("space")) is not None:
            self._space = EmbeddingSpace(**json.loads(text))
        return self._space

    @property
    def dim(self) -> int:
        """Channels of a vector; 0 before a space was chosen."""
        return 0 if self.space is None else self.space.dim

    @property
    def model_spec(self) -> str:
        """The model as the person named it: a preset, a hub id or a folder."""
        return self._meta("model_spec") or ""

    @property
    def adapter(self) -> str:
        """Path of the adapter that was applied, empty without one."""
        return self._meta("adapter") or ""

    def check_space(self, space: EmbeddingSpace) -> None:
        """Makes sure that vectors of `space` compare with those of the library.

        Raises:
            ModelError: They do not; names both and the command that mends it.
        """
        own = self.space
        if own is not None and own.id != space.id:
            option = f" --model {self.model_spec}" if self.model_spec else ""
            raise ModelError(
                f"the library {shown(self.folder)} was indexed with {_named(own)}, "
                f"not with {_named(space)}",
                f"leave out --model or give{option or ' the first'}; "
                "or index anew with `gz index --rebuild`",
            )

    # Videos

    def videos(self, status: str | None = None, searchable: bool = False) -> list[VideoRow]:
        """Videos in path order.

        Args:
            status: Only those ``indexed``, ``waiting``, ``failed`` or ``set aside``.
            searchable: Only those with visible vectors whose file is there.
        """
        self._require_sound_rows()
        where, parameters = ["1"], []
        if status is not None:
            where.append("status = ?")
            parameters.append(status)
        if searchable:
            where.append("videos.id IN (SELECT video_id FROM searchable)")
        rows = self._all(f"{_ROWS} WHERE {' AND '.join(where)} ORDER BY +path", parameters)
        return [_video(row) for row in rows]

    def video(self, video_id: int) -> VideoRow | None:
        """One video by its id."""
        row = self._one(f"{_ROWS} WHERE videos.id = ?", [video_id])
        return None if row is None else _video(row)

    def video_by_path(self, path: bytes) -> VideoRow | None:
        """The video at a path, whatever its state."""
        row = self._one(f"{_ROWS} WHERE path = ?", [path])
        return None if row is None else _video(row)

    def videos_by_fingerprint(self, fingerprint: str) -> list[VideoRow]:
        """Videos with this content: those with its vectors first, absent ones before others."""
        rows = self._all(
            f"{_ROWS} WHERE versions.fingerprint = ?1 OR videos.fingerprint = ?1 "
            "ORDER BY versions.fingerprint IS NOT ?1, absent DESC, path",
            [fingerprint],
        )
        return [_video(row) for row in rows]

    def file_stat(self, video_id: int) -> FileStat | None:
        """The state of the file when it was last looked at."""
        row = self._one(
            "SELECT size_bytes, mtime_ns, ctime_ns, inode, device FROM videos WHERE id = ?",
            [video_id],
        )
        return None if row is None else file_stat_of(row)

    def content_digest(self, video_id: int) -> str:
        """Digest of the whole content behind the visible frames; empty where none was kept."""
        row = self._one(
            "SELECT content_digest FROM versions WHERE id = "
            "(SELECT visible_version FROM videos WHERE id = ?)",
            [video_id],
        )
        return "" if row is None else str(row[0])

    def settled_files(self) -> dict[bytes, FileStat]:
        """Files that need no work while they stay as they are: indexed, failed, copies."""
        rows = self._all(
            "SELECT path, size_bytes, mtime_ns, ctime_ns, inode, device FROM videos "
            "WHERE status <> 'waiting' AND absent = 0 UNION ALL "
            "SELECT path, size_bytes, mtime_ns, ctime_ns, inode, device FROM copies"
        )
        return {bytes(row[0]): file_stat_of(row[1:]) for row in rows}

    def unended_attempts(self) -> dict[bytes, int]:
        """Files whose last attempt ended without a result, gz itself perhaps with it.

        Returns:
            How many attempts in a row, by path.
        """
        rows = self._all(
            "SELECT path, attempts FROM videos "
            "WHERE status = 'waiting' AND attempts > 0 AND absent = 0"
        )
        return {bytes(path): int(attempts) for path, attempts in rows}

    def _is_searchable(self, video_id: int) -> bool:
        return self._one("SELECT 1 FROM searchable WHERE video_id = ?", [video_id]) is not None

    def roots(self) -> dict[bytes, int]:
        """Folders and files that were indexed by name, with the device each was on."""
        rows = self._all("SELECT path, device FROM roots")
        return {bytes(path): device % (1 << 64) for path, device in rows}

    # Soundness

    def integrity_problems(self) -> list[str]:
        """What SQLite finds wrong with the file, in its own words; empty when sound."""
        return integrity_problems(self._db)


def _named(space: EmbeddingSpace) -> str:
    adapter = f" + adapter {space.adapter[:8]}" if space.adapter else ""
    return f"{space.backbone}@{space.revision[:8]}{adapter} ({space.id}, {space.dim}-d)"


def file_stat_of(row: tuple[Any, ...]) -> FileStat:
    """The state of a file from its columns."""
    size, mtime, ctime, inode, device = row
    return FileStat(size, mtime, ctime, inode % (1 << 64), device % (1 << 64))


def _video(row: tuple[Any, ...]) -> VideoRow:
    (video_id, path, fingerprint, status, reason, attempts, absent, size, mtime, duration,
     width, height, fps, codec, container, frames, approximate, coarse) = row  # fmt: skip
    return VideoRow(
        video_id, bytes(path), fingerprint, status, reason, attempts, bool(absent), size, mtime,
        float(duration), width, height, fps, codec, container, frames, bool(approximate),
        bool(coarse),
    )  # fmt: skip
