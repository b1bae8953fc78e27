"""The library: every video, its state, its frame times and vectors; the only truth.

Vectors are float16, L2-normalised, in chunks of consecutive frames that can be
read as a slice. A video becomes visible in one transaction, `commit_video`,
and keeps its older version until then. One process writes (see
`files.WriterLock`); any number read, without a lock. A Library belongs to
one thread at a time.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from .errors import LibraryError, ModelError
from .failpoints import reached
from .files import FileStat, shown
from .schema import (
    DATABASE_NAME,
    explained,
    integrity_problems,
    open_readable,
    open_writable,
    set_aside,
)
from .sentences import SentenceCache as SentenceCache
from .types import EmbeddingSpace, SamplingReport, Times, Vectors, VideoInfo, VideoRow
from .versions import add_tokens, chunked, frame_tokens, prepared

HalfVectors = npt.NDArray[np.float16]
"""float16 [T, D], as stored."""

_ROWS = """
    SELECT videos.id, path, coalesce(versions.fingerprint, videos.fingerprint), status, reason,
        attempts, absent, size_bytes, mtime_ns, coalesce(duration_s, 0.0), coalesce(width, 0),
        coalesce(height, 0), fps, coalesce(codec, ''), coalesce(container, ''),
        coalesce(frames, 0), coalesce(approximate_times, 0)
    FROM videos LEFT JOIN versions ON versions.id = videos.visible_version
"""


@dataclass(frozen=True)
class Segment:
    """The visible vectors of one video, as a cache would know them again."""

    video_id: int
    token: int
    """64 bits that depend on every time and vector of the video, and on nothing else."""
    frames: int


class Library:
    """One library folder, open for writing or for reading."""

    def __init__(self, folder: Path, db: Any, readonly: bool) -> None:
        self.folder = folder
        self.readonly = readonly
        self._db = db
        self._path = folder / DATABASE_NAME
        self._space: EmbeddingSpace | None = None

    @classmethod
    def create_or_open(cls, folder: Path) -> Library:
        """Opens a library for writing; makes it where there is none. Hold the `WriterLock`.

        Raises:
            LibraryError: Damaged, or made by a newer gz; the file is left untouched.
            UsageError: The folder cannot be written, or its file system refuses WAL.
            NoSpaceError: The disk is full.
        """
        folder.mkdir(parents=True, exist_ok=True)
        return cls(folder, open_writable(folder / DATABASE_NAME), readonly=False)

    @classmethod
    def open_readonly(cls, folder: Path) -> Library:
        """Opens a library for reading: no lock, also while another process writes.

        Raises:
            NothingIndexedError: There is no library yet.
            LibraryError: Damaged, or made by a newer gz.
        """
        return cls(folder, open_readable(folder / DATABASE_NAME), readonly=True)

    @staticmethod
    def set_aside(folder: Path) -> Path | None:
        """Renames a damaged library out of the way; returns its new name, None without one."""
        return set_aside(folder / DATABASE_NAME)

    def close(self) -> None:
        """Closes the file; what was committed is on disk."""
        with explained(self._path):
            self._db.close()

    def __enter__(self) -> Library:
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

    # What the library is

    def _meta(self, key: str) -> str | None:
        row = self._one("SELECT value FROM meta WHERE key = ?", [key])
        return None if row is None else str(row[0])

    def _set_meta(self, key: str, value: str) -> None:
        self._all("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", [key, value])

    @property
    def id(self) -> str:
        """Random identity of this library, 32 hex digits."""
        return self._meta("library_id") or ""

    @property
    def generation(self) -> int:
        """Rises with every change of what can be searched."""
        return int(self._meta("generation") or 0)

    def _bump(self) -> None:
        self._all("UPDATE meta SET value = value + 1 WHERE key = 'generation'")

    @property
    def space(self) -> EmbeddingSpace | None:
        """The embedding space of the vectors; None before the first was chosen."""
        if self._space is None and (text := self._meta("space")) is not None:
            self._space = EmbeddingSpace(**json.loads(text))
        return self._space

    @property
    def model_spec(self) -> str:
        """The model as the person named it: a preset, a hub id or a folder."""
        return self._meta("model_spec") or ""

    @property
    def adapter(self) -> str:
        """Path of the adapter that was applied, empty without one."""
        return self._meta("adapter") or ""

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
            status: Only those ``indexed``, ``pending``, ``failed`` or ``quarantined``.
            searchable: Only those with visible vectors whose file is there.
        """
        where, parameters = ["1"], []
        if status is not None:
            where.append("status = ?")
            parameters.append(status)
        if searchable:
            where.append("videos.id IN (SELECT video_id FROM searchable)")
        rows = self._all(f"{_ROWS} WHERE {' AND '.join(where)} ORDER BY path", parameters)
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

    def video_by_fingerprint(self, fingerprint: str) -> VideoRow | None:
        """The first of `videos_by_fingerprint`."""
        return next(iter(self.videos_by_fingerprint(fingerprint)), None)

    def file_stat(self, video_id: int) -> FileStat | None:
        """The state of the file when it was last looked at."""
        row = self._one(
            "SELECT size_bytes, mtime_ns, ctime_ns, inode, device FROM videos WHERE id = ?",
            [video_id],
        )
        return None if row is None else _file_stat(row)

    def settled_files(self) -> dict[bytes, FileStat]:
        """Files that need no work while they stay as they are: indexed, failed, quarantined."""
        rows = self._all(
            "SELECT path, size_bytes, mtime_ns, ctime_ns, inode, device FROM videos "
            "WHERE status <> 'pending' AND absent = 0"
        )
        return {bytes(row[0]): _file_stat(row[1:]) for row in rows}

    # Attempts

    def begin_attempt(
        self, path: bytes, fingerprint: str, stat: FileStat, info: VideoInfo | None = None
    ) -> int:
        """Writes down, before anything is decoded, that a file is tried once more.

        Pieces that an interrupted attempt at the same content has staged are
        kept; see `staged_until_s`. A visible older version stays visible.

        Returns:
            The video's id; its row has status ``pending`` and one more attempt.
        """
        space = self.space
        space_id = "" if space is None else space.id
        facts = (fingerprint, *_stat_columns(stat))
        with self._transaction():
            row = self._one("SELECT id FROM videos WHERE path = ?", [path])
            if row is None:
                self._all(
                    "INSERT INTO videos (path, status, attempts, fingerprint, size_bytes, "
                    "mtime_ns, ctime_ns, inode, device) VALUES (?, 'pending', 1, ?, ?, ?, ?, ?, ?)",
                    [path, *facts],
                )
                row = self._row("SELECT id FROM videos WHERE path = ?", [path])
            else:
                was_searchable = self._is_searchable(row[0])
                self._all(
                    "UPDATE videos SET status = 'pending', reason = '', "
                    "attempts = CASE WHEN fingerprint = ?1 THEN attempts + 1 ELSE 1 END, "
                    "fingerprint = ?1, size_bytes = ?2, mtime_ns = ?3, ctime_ns = ?4, "
                    "inode = ?5, device = ?6, absent = 0 WHERE id = ?7",
                    [*facts, row[0]],
                )
                if self._is_searchable(row[0]) != was_searchable:
                    self._bump()
            video_id = int(row[0])
            self._prepare_staging(video_id, fingerprint, space_id)
            if info is not None:
                self._write_info(self._staging(video_id), info)
        reached("after_attempt")
        return video_id

    def _is_searchable(self, video_id: int) -> bool:
        return self._one("SELECT 1 FROM searchable WHERE video_id = ?", [video_id]) is not None

    def _prepare_staging(self, video_id: int, fingerprint: str, space_id: str) -> None:
        """Leaves exactly one version to be staged: the interrupted one if it still fits."""
        fits = self._one(
            "SELECT id FROM versions WHERE video_id = ?1 AND fingerprint = ?2 AND space_id = ?3 "
            "AND id IS NOT (SELECT visible_version FROM videos WHERE id = ?1)",
            [video_id, fingerprint, space_id],
        )
        self._drop_versions(video_id, keep=None if fits is None else fits[0])
        if fits is None:
            self._all(
                "INSERT INTO versions (video_id, fingerprint, space_id, token) VALUES (?, ?, ?, ?)",
                [video_id, fingerprint, space_id, bytes(8)],
            )

    def _drop_versions(self, video_id: int, keep: int | None) -> None:
        """Removes every version of a video that is neither visible nor `keep`."""
        doomed = self._all(
            "SELECT id FROM versions WHERE video_id = ?1 AND id IS NOT ?2 "
            "AND id IS NOT (SELECT visible_version FROM videos WHERE id = ?1)",
            [video_id, keep],
        )
        for (version,) in doomed:
            self._all("DELETE FROM chunks WHERE version_id = ?", [version])
            self._all("DELETE FROM versions WHERE id = ?", [version])

    def _staging(self, video_id: int) -> int:
        row = self._one(
            "SELECT id FROM versions WHERE video_id = ?1 "
            "AND id IS NOT (SELECT visible_version FROM videos WHERE id = ?1)",
            [video_id],
        )
        if row is None:
            raise ValueError(f"video {video_id} has no attempt under way; call begin_attempt")
        return int(row[0])

    def staged_until_s(self, video_id: int) -> float | None:
        """Time of the last frame that an earlier piece has staged; None when nothing is."""
        row = self._one("SELECT last_s FROM versions WHERE id = ?", [self._staging(video_id)])
        return None if row is None or row[0] is None else float(row[0])

    def stage_chunk(self, video_id: int, times_s: Times, vectors: Vectors) -> None:
        """Keeps a finished piece of a video where readers do not see it yet.

        Args:
            video_id: A video with an attempt under way.
            times_s: float64 [T], rising, after everything staged before.
            vectors: float32 [T, D], L2-normalised.

        Raises:
            ValueError: Times do not rise, or vectors are not finite, not of length one, or
                not of the library's dimension. Nothing was staged.
            NoSpaceError: The disk is full; earlier pieces are kept.
        """
        space = self.space
        if space is None:
            raise ValueError("set_space comes before the first vectors")
        staging = self._staging(video_id)
        last_s = self.staged_until_s(video_id)
        times, half = prepared(times_s, vectors, space.dim, after_s=last_s)
        if not len(times):
            return
        tokens = frame_tokens(times, half)
        with self._transaction():
            row = self._row("SELECT frames, token FROM versions WHERE id = ?", [staging])
            for first, part_times, part in chunked(times, half, first_frame=int(row[0])):
                self._all(
                    "INSERT INTO chunks (version_id, first_frame, frames, first_s, last_s, "
                    "times, vectors) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    [staging, first, len(part), float(part_times[0]), float(part_times[-1]),
                     part_times.tobytes(), part.tobytes()],
                )  # fmt: skip
            self._all(
                "UPDATE versions SET frames = frames + ?, last_s = ?, token = ? WHERE id = ?",
                [len(times), float(times[-1]), add_tokens(row[1], tokens), staging],
            )
            # Progress shows that the file is not what ended the attempts before.
            self._all("UPDATE videos SET attempts = min(attempts, 1) WHERE id = ?", [video_id])
            reached("before_stage_commit")
        reached("after_stage")

    def commit_video(self, video_id: int, report: SamplingReport, info: VideoInfo) -> None:
        """Makes all staged pieces visible and removes the older version, in one transaction.

        Raises:
            ValueError: Nothing is staged.
            NoSpaceError: The disk is full; the older version is still the visible one.
        """
        with self._transaction():
            staging = self._staging(video_id)
            if not self._row("SELECT frames FROM versions WHERE id = ?", [staging])[0]:
                raise ValueError(f"video {video_id} has no frames to commit")
            self._write_info(staging, info)
            self._all(
                "UPDATE versions SET duration_s = ?, damaged_packets = ?, approximate_times = ? "
                "WHERE id = ?",
                [report.duration_s, report.damaged_packets, report.approximate_times, staging],
            )
            self._all(
                "UPDATE videos SET visible_version = ?, status = 'indexed', reason = ?, "
                "attempts = 0, absent = 0 WHERE id = ?",
                [staging, report.note, video_id],
            )
            self._drop_versions(video_id, keep=staging)
            self._bump()
            reached("before_commit")
        reached("after_commit")

    def _write_info(self, version: int, info: VideoInfo) -> None:
        self._all(
            "UPDATE versions SET duration_s = ?, width = ?, height = ?, fps = ?, codec = ?, "
            "container = ?, rotation = ?, has_audio = ? WHERE id = ?",
            [info.duration_s or 0.0, info.width, info.height, info.fps, info.codec,
             info.container, info.rotation, info.has_audio, version],
        )  # fmt: skip

    def fail_video(self, video_id: int, reason: str, status: str = "failed") -> None:
        """Ends an attempt without a result; the row keeps the reason.

        Vectors of an earlier content of the file are kept but no longer
        searched. Vectors of this very content stay in use.

        Args:
            video_id: A video with an attempt behind it.
            reason: One line for people.
            status: ``failed`` or ``quarantined``.
        """
        with self._transaction():
            was_searchable = self._is_searchable(video_id)
            self._all(
                "UPDATE videos SET reason = ?1, status = CASE WHEN fingerprint = (SELECT "
                "versions.fingerprint FROM versions WHERE versions.id = visible_version) "
                "THEN 'indexed' ELSE ?2 END WHERE id = ?3",
                [reason, status, video_id],
            )
            self._drop_versions(video_id, keep=None)
            if was_searchable != self._is_searchable(video_id):
                self._bump()

    def release_attempt(self, video_id: int) -> None:
        """Takes an attempt back that was ended from outside (Ctrl-C); staged pieces are kept."""
        with self._transaction():
            self._all(
                "UPDATE videos SET attempts = max(0, attempts - 1) "
                "WHERE id = ? AND status = 'pending'",
                [video_id],
            )

    def clear_failures(self) -> int:
        """Lets failed and quarantined files be tried again; returns how many."""
        with self._transaction():
            row = self._row("SELECT count(*) FROM videos WHERE status IN ('failed', 'quarantined')")
            self._all(
                "UPDATE videos SET status = 'pending', reason = '', attempts = 0 "
                "WHERE status IN ('failed', 'quarantined')"
            )
            return int(row[0])

    # Files that move, go and come back

    def rename(self, video_id: int, path: bytes, stat: FileStat) -> None:
        """The file of a video is at another path now; its vectors move along.

        A row that stood for the file which was overwritten there is removed.
        """
        with self._transaction():
            occupant = self._one(
                "SELECT id FROM videos WHERE path = ? AND id <> ?", [path, video_id]
            )
            if occupant is not None:
                self._remove(occupant[0])
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
            [*_stat_columns(stat), video_id],
        )
        if not was_searchable and self._is_searchable(video_id):
            self._bump()

    def restore_version(self, video_id: int, stat: FileStat) -> None:
        """The file has the content of its visible version back, after another content failed."""
        with self._transaction():
            self._all(
                "UPDATE videos SET status = 'indexed', reason = '', attempts = 0, fingerprint = "
                "(SELECT versions.fingerprint FROM versions WHERE versions.id = visible_version) "
                "WHERE id = ? AND visible_version IS NOT NULL",
                [video_id],
            )
            self._drop_versions(video_id, keep=None)
            self._refresh(video_id, stat)
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

    def _remove(self, video_id: int) -> bool:
        was_searchable = self._is_searchable(video_id)
        self._all("UPDATE videos SET visible_version = NULL WHERE id = ?", [video_id])
        self._drop_versions(video_id, keep=None)
        self._all("DELETE FROM videos WHERE id = ?", [video_id])
        return was_searchable

    def roots(self) -> dict[bytes, int]:
        """Folders and files that were indexed by name, with the device each was on."""
        rows = self._all("SELECT path, device FROM roots")
        return {bytes(path): device % (1 << 64) for path, device in rows}

    def remember_root(self, path: bytes, device: int) -> None:
        """Writes down a named folder or file and its device."""
        with self._transaction():
            self._all(
                "INSERT OR REPLACE INTO roots (path, device) VALUES (?, ?)", [path, _signed(device)]
            )

    # Vectors

    def segments(self) -> list[Segment]:
        """All searchable videos with the tokens of their vectors, by video id."""
        rows = self._all("SELECT video_id, token, frames FROM searchable ORDER BY video_id")
        return [Segment(row[0], int.from_bytes(row[1], "little"), row[2]) for row in rows]

    def read_vectors(
        self, video_id: int, start_s: float | None = None, end_s: float | None = None
    ) -> tuple[Times, Vectors]:
        """The visible frames of a video in ``[start_s, end_s)``, read as a slice.

        Returns:
            Times float64 [T] and vectors float32 [T, D]; T is 0 where nothing is visible.
        """
        low = -np.inf if start_s is None else start_s
        high = np.inf if end_s is None else end_s
        rows = self._all(
            "SELECT times, vectors FROM chunks WHERE version_id = "
            "(SELECT visible_version FROM videos WHERE id = ?) AND last_s >= ? AND first_s < ? "
            "ORDER BY first_frame",
            [video_id, low, high],
        )
        times, half = self._joined(rows)
        inside = (times >= low) & (times < high)
        return times[inside], half[inside].astype(np.float32)

    def read_frames(
        self, segment: Segment, numbers: npt.NDArray[np.int64]
    ) -> tuple[Times, Vectors] | None:
        """Single frames of a video by number, in the order asked.

        Returns:
            Times float64 [K] and vectors float32 [K, D]; None when the video has
            changed since `segment` was read.
        """
        places = self._all(
            "SELECT first_frame, frames FROM chunks WHERE version_id = (SELECT version_id "
            "FROM searchable WHERE video_id = ? AND token = ?) ORDER BY first_frame",
            [segment.video_id, segment.token.to_bytes(8, "little")],
        )
        if not places:
            return None
        firsts = np.array([first for first, _ in places], np.int64)
        chunk = np.searchsorted(firsts, numbers, side="right") - 1
        times = np.empty(len(numbers), np.float64)
        vectors: Vectors | None = None
        for number in np.unique(chunk):
            row = self._one(
                "SELECT times, vectors FROM chunks WHERE first_frame = ? AND version_id = "
                "(SELECT version_id FROM searchable WHERE video_id = ? AND token = ?)",
                [int(firsts[number]), segment.video_id, segment.token.to_bytes(8, "little")],
            )
            if row is None:
                return None
            part_times, half = self._joined([row])
            chosen = chunk == number
            within = numbers[chosen] - firsts[number]
            if vectors is None:
                vectors = np.empty((len(numbers), half.shape[1]), np.float32)
            times[chosen], vectors[chosen] = part_times[within], half[within]
        return None if vectors is None else (times, vectors)

    def iter_frames(
        self, video_ids: Collection[int] | None = None
    ) -> Iterator[tuple[Segment, Times, HalfVectors]]:
        """All searchable frames, chunk by chunk, by video id; use inside `snapshot`.

        Yields:
            The segment, times float64 [T] and vectors float16 [T, D] of a chunk.
        """
        wanted = None if video_ids is None else set(video_ids)
        for segment in self.segments():
            if wanted is not None and segment.video_id not in wanted:
                continue
            with explained(self._path):
                chunks = self._db.execute(
                    "SELECT times, vectors FROM chunks WHERE version_id = "
                    "(SELECT version_id FROM searchable WHERE video_id = ?) ORDER BY first_frame",
                    [segment.video_id],
                )
                for row in chunks:
                    yield segment, *self._joined([row])

    def _joined(self, rows: Sequence[tuple[Any, ...]]) -> tuple[Times, HalfVectors]:
        """Chunk blobs to arrays; a blob of the wrong length is damage, not a crash."""
        space = self.space
        dim = 0 if space is None else space.dim
        times = np.frombuffer(b"".join(row[0] for row in rows), "<f8")
        flat = np.frombuffer(b"".join(row[1] for row in rows), "<f2")
        if flat.size != len(times) * dim:
            raise LibraryError(
                f"the library {shown(self._path)} is damaged: a video's vectors are incomplete",
                "run `gz doctor --repair`",
            )
        return times, flat.reshape(len(times), dim)

    # Soundness

    def integrity_problems(self) -> list[str]:
        """What SQLite finds wrong with the file, in its own words; empty when sound."""
        return integrity_problems(self._db, self._path)


def _named(space: EmbeddingSpace) -> str:
    adapter = f" + adapter {space.adapter[:8]}" if space.adapter else ""
    return f"{space.backbone}@{space.revision[:8]}{adapter} ({space.id}, {space.dim}-d)"


def _stat_columns(stat: FileStat) -> tuple[int, int, int, int, int]:
    return (
        stat.size_bytes,
        stat.mtime_ns,
        stat.ctime_ns,
        _signed(stat.inode),
        _signed(stat.device),
    )


def _file_stat(row: tuple[Any, ...]) -> FileStat:
    size, mtime, ctime, inode, device = row
    return FileStat(size, mtime, ctime, inode % (1 << 64), device % (1 << 64))


def _signed(number: int) -> int:
    """Inode numbers fill 64 bits on some file systems; SQLite's integers are signed."""
    return number - (1 << 64) if number >= 1 << 63 else number


def _video(row: tuple[Any, ...]) -> VideoRow:
    (video_id, path, fingerprint, status, reason, attempts, absent, size, mtime, duration,
     width, height, fps, codec, container, frames, approximate) = row  # fmt: skip
    return VideoRow(
        video_id, bytes(path), fingerprint, status, reason, attempts, bool(absent), size, mtime,
        float(duration), width, height, fps, codec, container, frames, bool(approximate),
    )  # fmt: skip
