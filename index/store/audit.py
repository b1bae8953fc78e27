"""What can be wrong with the rows of a library, and how rows are put right.

Part of the store, like `reading`: it speaks SQL. `check` decides what
is done with the answers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np

from ..errors import GzError, LibraryError
from ..files import shown
from .checksums import TABLES, DamagedRow, damaged_rows, restore_meta, seal
from .contents import entry
from .faults import REBUILD, explained
from .library import Library
from .versions import NORM_TOLERANCE, add_tokens, frame_tokens

_ORPHANS = {
    "chunks of vectors that belong to no video": (
        "FROM chunks WHERE version_id NOT IN (SELECT id FROM versions)"
    ),
    "versions that belong to no video": (
        "FROM versions WHERE video_id NOT IN (SELECT id FROM videos)"
    ),
    "copies of no video": "FROM copies WHERE video_id NOT IN (SELECT id FROM videos)",
    "passages of no text": "FROM passages WHERE text_id NOT IN (SELECT id FROM texts)",
    "texts of no video": "FROM texts WHERE video_id NOT IN (SELECT id FROM videos)",
}


@dataclass(frozen=True)
class BrokenVersion:
    """A version of a video whose frames are not what was committed."""

    video_id: int
    path: bytes
    version_id: int
    visible: bool
    reason: str


def unsound_rows(library: Library) -> list[DamagedRow]:
    """Rows that are not what was written, and tables that lost some."""
    with explained(library._path), library.snapshot():
        return list(damaged_rows(library._db))


def drop_unsound_rows(library: Library, rows: Collection[DamagedRow]) -> None:
    """Removes damaged rows, with all that hung on them, and takes the rest for right.

    What the library says about itself is put right from its second copy. A video whose
    row is removed is new to the next run.

    Raises:
        LibraryError: The damage is such that rows cannot be told apart.
    """
    if any(row.key is None and row.table not in TABLES for row in rows):
        raise LibraryError(f"the library {shown(library._path)} has a damaged schema", REBUILD)
    with library._transaction():
        restore_meta(library._db)
        if not library.generation or not library.id:
            raise LibraryError(f"the library {shown(library._path)} lost its identity", REBUILD)
        for row in rows:
            _drop_row(library, row)
        library._bump()
        seal(library._db)


def _drop_row(library: Library, row: DamagedRow) -> None:
    if row.key is None or row.table == "meta":
        return
    if row.table == "versions":
        # A version points to its video and the video to it: either may still be right.
        library._all("DELETE FROM chunks WHERE version_id = ?", [row.key])
        videos = library._all("SELECT id FROM videos WHERE visible_version = ?", [row.key])
        for (video_id,) in videos:
            _reset(library, video_id, row.key)
    if row.table == "videos":
        library._all(
            "DELETE FROM chunks WHERE version_id IN (SELECT id FROM versions WHERE video_id = ?)",
            [row.key],
        )
        library._all("DELETE FROM versions WHERE video_id = ?", [row.key])
        library._all("DELETE FROM copies WHERE video_id = ?", [row.key])
        _drop_texts(library, "video_id", row.key)
    if row.table == "texts":
        # Its video may be another one than it says: all are looked into again.
        library._all("UPDATE videos SET texts_of = ''")
        _drop_texts(library, "id", row.key)
    key = TABLES[row.table]
    library._all(f"DELETE FROM {row.table} WHERE {key} = ?", [row.key])  # noqa: S608


def _drop_texts(library: Library, column: str, key: object) -> None:
    library._all(
        f"DELETE FROM passages WHERE text_id IN (SELECT id FROM texts WHERE {column} = ?)",  # noqa: S608
        [key],
    )
    library._all(f"DELETE FROM texts WHERE {column} = ?", [key])  # noqa: S608


def orphans(library: Library) -> dict[str, int]:
    """Rows that nothing refers to, by kind; only kinds that occur."""
    counts = {
        kind: int(library._row(f"SELECT count(*) {where}")[0]) for kind, where in _ORPHANS.items()
    }
    return {kind: count for kind, count in counts.items() if count}


def remove_orphans(library: Library) -> None:
    """Deletes the rows that `orphans` counts."""
    with library._transaction():
        for where in reversed(_ORPHANS.values()):  # versions first, then what hung on them
            library._all(f"DELETE {where}")


def lost_versions(library: Library) -> list[tuple[int, bytes]]:
    """Videos, id and path, that are called indexed or point to vectors which are not there."""
    rows = library._all(
        "SELECT id, path FROM videos WHERE (visible_version IS NULL AND status = 'indexed') OR "
        "(visible_version IS NOT NULL AND visible_version NOT IN "
        "(SELECT id FROM versions WHERE video_id = videos.id))"
    )
    return [(int(video_id), bytes(path)) for video_id, path in rows]


def broken_versions(library: Library) -> Iterator[BrokenVersion]:
    """Reads every frame of the library and names the versions that are not sound."""
    versions = library._all(
        "SELECT versions.id, video_id, path, visible_version IS versions.id, frames, token, "
        "contents, width "
        "FROM versions JOIN videos ON videos.id = video_id ORDER BY versions.id"
    )
    for version_id, video_id, path, visible, frames, token, contents, width in versions:
        try:
            with explained(library._path):
                pictured = bool(visible and width)
                reason = _fault(library, version_id, frames, token, contents, pictured)
        except (GzError, ValueError, TypeError) as error:
            reason = str(error)
        if reason:
            yield BrokenVersion(video_id, bytes(path), version_id, bool(visible), reason)


def _fault(
    library: Library, version_id: int, frames: int, token: bytes, contents: bytes, pictured: bool
) -> str:
    """What is wrong with the frames of a version, some of them where it has a picture; or empty."""
    seen, last_s, sums, listed = 0, -1.0, bytes(8), b""
    chunks = library._db.execute(
        "SELECT first_frame, frames, first_s, last_s, times, vectors FROM chunks "
        "WHERE version_id = ? ORDER BY first_frame",
        [version_id],
    )
    for first_frame, count, first_s, end_s, times_blob, vectors_blob in chunks:
        times, half = library._joined([(times_blob, vectors_blob)])
        if first_frame != seen or count != len(times) or not count:
            return "frames are missing"
        if times[0] != first_s or times[-1] != end_s:
            return "times do not fit"
        if times[0] <= last_s or (np.diff(times) <= 0).any():
            return "times do not rise"
        norms = np.linalg.norm(half.astype(np.float32), axis=1)
        if not (np.abs(norms - 1) <= NORM_TOLERANCE).all():
            return "vectors are not of length one"
        seen, last_s = seen + count, float(times[-1])
        sums = add_tokens(sums, frame_tokens(times, half))
        listed += entry(first_frame, times, times_blob, vectors_blob)
    if seen != frames or (pictured and not seen):
        return "frames are missing"
    whole = sums == token and listed == contents
    return "" if whole else "vectors are not those that were written"


def drop_version(library: Library, video_id: int, version_id: int) -> None:
    """Removes a version; its video is indexed anew by the next run."""
    with library._transaction():
        library._all("DELETE FROM chunks WHERE version_id = ?", [version_id])
        _reset(library, video_id, version_id)
        library._all("DELETE FROM versions WHERE id = ?", [version_id])
        library._bump()


def reset_video(library: Library, video_id: int) -> None:
    """Takes a video whose vectors are lost as not yet indexed."""
    with library._transaction():
        row = library._row("SELECT visible_version FROM videos WHERE id = ?", [video_id])
        _reset(library, video_id, row[0])
        library._bump()


def _reset(library: Library, video_id: int, version_id: int | None) -> None:
    library._all(
        "UPDATE videos SET visible_version = NULL, status = 'waiting', attempts = 0, deaths = 0, "
        "reason = 'its vectors were damaged' WHERE id = ? AND visible_version IS ?",
        [video_id, version_id],
    )


def rebuild_indexes(library: Library) -> None:
    """Makes SQLite's own look-up structures anew from the rows."""
    library._all("REINDEX")
