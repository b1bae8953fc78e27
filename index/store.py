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

from .errors import UsageError
from .failpoints import reached
from .files import FileStat, shown
from .schema import DATABASE_NAME, open_readable, open_writable, set_aside
from .sentences import SentenceCache as SentenceCache
from .store_reading import HalfVectors as HalfVectors
from .store_reading import LibraryReader
from .store_reading import Segment as Segment
from .types import EmbeddingSpace, SamplingReport, Times, Vectors, VideoInfo
from .versions import add_tokens, chunked, frame_tokens, prepared


class Library(LibraryReader):
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

    def _set_meta(self, key: str, value: str) -> None:
        self._all("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", [key, value])

    def _bump(self) -> None:
        self._all("UPDATE meta SET value = value + 1 WHERE key = 'generation'")

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

    def hold_video(self, video_id: int, reason: str) -> None:
        """Ends an attempt that killed or hung the decoder; a later run may try once more.

        The row stays ``pending`` with the reason and its attempts; staged pieces are kept.
        """
        with self._transaction():
            self._all(
                "UPDATE videos SET reason = ? WHERE id = ? AND status = 'pending'",
                [reason, video_id],
            )

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

    def remember_root(self, path: bytes, device: int) -> None:
        """Writes down a named folder or file and its device."""
        with self._transaction():
            self._all(
                "INSERT OR REPLACE INTO roots (path, device) VALUES (?, ?)", [path, _signed(device)]
            )


def _stat_columns(stat: FileStat) -> tuple[int, int, int, int, int]:
    return (
        stat.size_bytes,
        stat.mtime_ns,
        stat.ctime_ns,
        _signed(stat.inode),
        _signed(stat.device),
    )


def _signed(number: int) -> int:
    """Inode numbers fill 64 bits on some file systems; SQLite's integers are signed."""
    return number - (1 << 64) if number >= 1 << 63 else number
