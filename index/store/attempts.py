"""The life of a video's vectors: an attempt, pieces that are staged, the commit, or a failure.

Together with `schema`, `store_reading` and `store` this is the only place that
speaks SQL. A video becomes visible in one transaction, `commit_video`, or coarsely in
`commit_coarse`, and keeps its older version until then.
"""

from __future__ import annotations

from ..failpoints import reached
from ..files import FileStat
from ..types import SamplingReport, Times, Vectors, VideoInfo
from .contents import entry
from .frame_reading import FrameReader, HalfVectors
from .versions import add_tokens, chunked, frame_tokens, prepared

_KEEP_META = (
    "INSERT INTO meta (key, value) VALUES (?, ?) "
    "ON CONFLICT (key) DO UPDATE SET value = excluded.value"
)


class AttemptWriter(FrameReader):
    """One library, as far as getting vectors into it goes."""

    def _set_meta(self, key: str, value: str) -> None:
        self._all(_KEEP_META, [key, value])

    def _bump(self) -> None:
        self._all("UPDATE meta SET value = value + 1 WHERE key = 'generation'")

    # Attempts

    def begin_attempt(
        self,
        path: bytes,
        fingerprint: str,
        stat: FileStat,
        info: VideoInfo | None = None,
        *,
        anew: bool = False,
    ) -> int:
        """Writes down, before anything is decoded, that a file is tried once more.

        Until the attempt ends, one way or another, `unended_attempts` names the file.

        Pieces that an interrupted attempt at the same content has staged are
        kept; see `staged_until_s`. A visible older version stays visible.

        Args:
            path: Absolute path of the file.
            fingerprint: Of its content.
            stat: Its state.
            info: What the container declares, where that is known already.
            anew: The content is not what it was, although its fingerprint may be: no
                frame of an earlier attempt counts as being of it.

        Returns:
            The video's id; its row has status ``waiting`` and one more attempt.
        """
        space = self.space
        space_id = "" if space is None else space.id
        facts = (fingerprint, *stat_columns(stat))
        with self._transaction():
            row = self._one("SELECT id FROM videos WHERE path = ?", [path])
            if row is None:
                self._all(
                    "INSERT INTO videos (path, status, attempts, fingerprint, size_bytes, "
                    "mtime_ns, ctime_ns, inode, device) VALUES (?, 'waiting', 1, ?, ?, ?, ?, ?, ?)",
                    [path, *facts],
                )
                row = self._row("SELECT id FROM videos WHERE path = ?", [path])
            else:
                if anew:
                    self._part_with(row[0], fingerprint)
                was_searchable = self._is_searchable(row[0])
                self._all(
                    "UPDATE videos SET status = 'waiting', reason = '', "
                    "attempts = CASE WHEN fingerprint = ?1 THEN attempts + 1 ELSE 1 END, "
                    "deaths = CASE WHEN fingerprint = ?1 THEN deaths ELSE 0 END, "
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

    def _part_with(self, video_id: int, fingerprint: str) -> None:
        """Lets nothing of a video pass for the content that has this fingerprint now."""
        self._all(
            "UPDATE versions SET fingerprint = 'before-' || fingerprint "
            "WHERE video_id = ? AND fingerprint = ?",
            [video_id, fingerprint],
        )
        self._all("UPDATE videos SET fingerprint = '' WHERE id = ?", [video_id])

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
            frames, token, contents = self._row(
                "SELECT frames, token, contents FROM versions WHERE id = ?", [staging]
            )
            contents += self._append(staging, int(frames), times, half)
            self._all(
                "UPDATE versions SET frames = frames + ?, last_s = ?, token = ?, contents = ? "
                "WHERE id = ?",
                [len(times), float(times[-1]), add_tokens(token, tokens), contents, staging],
            )
            # Progress shows that the file is not what ended the attempts before.
            self._all(
                "UPDATE videos SET attempts = min(attempts, 1), deaths = 0 WHERE id = ?", [video_id]
            )
            reached("before_stage_commit")
        reached("after_stage")

    def _append(self, version: int, first_frame: int, times: Times, half: HalfVectors) -> bytes:
        """Writes chunks; returns what the version's list of contents says about them."""
        contents = b""
        for first, part_times, part in chunked(times, half, first_frame):
            self._all(
                "INSERT INTO chunks (version_id, first_frame, frames, first_s, last_s, "
                "times, vectors) VALUES (?, ?, ?, ?, ?, ?, ?)",
                [version, first, len(part), float(part_times[0]), float(part_times[-1]),
                 part_times.tobytes(), part.tobytes()],
            )  # fmt: skip
            contents += entry(first, part_times, part_times.tobytes(), part.tobytes())
        return contents

    def commit_video(
        self, video_id: int, report: SamplingReport, info: VideoInfo, content_digest: str = ""
    ) -> None:
        """Makes all staged pieces visible and removes the older version, in one transaction.

        Args:
            video_id: A video with staged pieces, or a file of sound alone, which has none.
            report: What sampling it showed.
            info: What the container declares; no width where there is no picture.
            content_digest: Of the whole file, where its fingerprint leaves something open.

        Raises:
            ValueError: Nothing is staged of something that has a picture.
            NoSpaceError: The disk is full; the older version is still the visible one.
        """
        with self._transaction():
            staging = self._staging(video_id)
            frames = self._row("SELECT frames FROM versions WHERE id = ?", [staging])[0]
            if info.width and not frames:
                raise ValueError(f"video {video_id} has no frames to commit")
            self._write_info(staging, info, report)
            self._all(
                "UPDATE versions SET content_digest = ? WHERE id = ?", [content_digest, staging]
            )
            self._all(
                "UPDATE videos SET visible_version = ?, status = 'indexed', reason = ?, "
                "attempts = 0, deaths = 0, absent = 0 WHERE id = ?",
                [staging, report.note, video_id],
            )
            self._drop_versions(video_id, keep=staging)
            self._bump()
            reached("before_commit")
        reached("after_commit")

    def commit_coarse(
        self,
        video_id: int,
        times_s: Times,
        vectors: Vectors,
        report: SamplingReport,
        info: VideoInfo,
    ) -> None:
        """Makes a first look at a video visible until `commit_video` follows, in one transaction.

        The row stays ``waiting``, without a failed attempt to its name; what a full
        attempt has staged is kept.

        Args:
            video_id: A video with an attempt under way.
            times_s: float64 [T], rising, T at least 1.
            vectors: float32 [T, D], L2-normalised.
            report: Its length as far as it is known.
            info: What the container declares.

        Raises:
            ValueError: There are no frames, or they are not as asked.
            NoSpaceError: The disk is full; nothing was changed.
        """
        space = self.space
        if space is None or not len(times_s):
            raise ValueError(f"video {video_id} has no frames to commit, or the library no space")
        times, half = prepared(times_s, vectors, space.dim)
        token = add_tokens(bytes(8), frame_tokens(times, half))
        with self._transaction():
            staging = self._staging(video_id)
            version = int(
                self._row(
                    "INSERT INTO versions (video_id, fingerprint, space_id, token, frames, last_s, "
                    "coarse) SELECT id, fingerprint, ?, ?, ?, ?, 1 FROM videos WHERE id = ? "
                    "RETURNING id",
                    [space.id, token, len(times), float(times[-1]), video_id],
                )[0]
            )
            contents = self._append(version, 0, times, half)
            self._all("UPDATE versions SET contents = ? WHERE id = ?", [contents, version])
            self._write_info(version, info, report)
            self._all(
                "UPDATE videos SET visible_version = ?, attempts = 0, deaths = 0, reason = '', "
                "absent = 0 WHERE id = ?",
                [version, video_id],
            )
            self._drop_versions(video_id, keep=staging)
            self._bump()
            reached("before_coarse_commit")
        reached("after_coarse_commit")

    def _write_info(
        self, version: int, info: VideoInfo, report: SamplingReport | None = None
    ) -> None:
        if report is not None:
            self._all(
                "UPDATE versions SET damaged_packets = ?, approximate_times = ? WHERE id = ?",
                [report.damaged_packets, report.approximate_times, version],
            )
        duration_s = info.duration_s or 0.0 if report is None else report.duration_s
        self._all(
            "UPDATE versions SET duration_s = ?, width = ?, height = ?, fps = ?, codec = ?, "
            "container = ?, rotation = ?, has_audio = ? WHERE id = ?",
            [duration_s, info.width, info.height, info.fps, info.codec,
             info.container, info.rotation, info.has_audio, version],
        )  # fmt: skip

    def fail_video(self, video_id: int, reason: str, status: str = "failed") -> None:
        """Ends an attempt without a result; the row keeps the reason.

        Vectors of an earlier content of the file are kept but no longer
        searched. Vectors of this very content stay in use.

        Args:
            video_id: A video with an attempt behind it.
            reason: One line for people.
            status: ``failed`` or ``set aside``.
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

    def hold_video(self, video_id: int, reason: str, died: bool) -> int:
        """Ends an attempt without a result; a later run tries once more.

        The row stays ``waiting`` with the reason and its attempts; staged pieces are kept.

        Args:
            video_id: A video with an attempt under way.
            reason: One line for people.
            died: Whether the file killed its decoder, or hung it.

        Returns:
            How many decoders the file has cost since it last got further.
        """
        with self._transaction():
            self._all(
                "UPDATE videos SET reason = ?, deaths = deaths + ? "
                "WHERE id = ? AND status = 'waiting'",
                [reason, died, video_id],
            )
            return int(self._row("SELECT deaths FROM videos WHERE id = ?", [video_id])[0])

    def release_attempt(self, video_id: int) -> None:
        """Takes an attempt back that was ended from outside; staged pieces are kept."""
        with self._transaction():
            self._all(
                "UPDATE videos SET attempts = max(0, attempts - 1) "
                "WHERE id = ? AND status = 'waiting'",
                [video_id],
            )

    def clear_failures(self) -> int:
        """Lets files be tried again that failed, were set aside or got no further than a look.

        Returns:
            How many.
        """
        tried = (
            "status IN ('failed', 'set aside') OR (status = 'indexed' AND visible_version IN "
            "(SELECT id FROM versions WHERE coarse))"
        )
        with self._transaction():
            row = self._row(f"SELECT count(*) FROM videos WHERE {tried}")  # noqa: S608
            afresh = "status = 'waiting', reason = '', attempts = 0, deaths = 0"
            self._all(f"UPDATE videos SET {afresh} WHERE {tried}")  # noqa: S608
            return int(row[0])


def stat_columns(stat: FileStat) -> tuple[int, int, int, int, int]:
    """The state of a file in the order of its columns."""
    return (
        stat.size_bytes,
        stat.mtime_ns,
        stat.ctime_ns,
        signed(stat.inode),
        signed(stat.device),
    )


def signed(number: int) -> int:
    """Inode numbers fill 64 bits on some file systems; SQLite's integers are signed."""
    return number - (1 << 64) if number >= 1 << 63 else number
