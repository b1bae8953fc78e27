"""``gz ls``: what is indexed, what failed and why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import typer

from index.indexing.kinds import is_sound

from ..options import DebugOption, JsonOption, LibraryOption, QuietOption, settings_of
from ..views.render import Screen, display_safe, path_fields
from ..views.texts import text_fields, texts_in_short
from ..views.timecode import clock, spoken_length

if TYPE_CHECKING:
    from index.store.library import Library, TextRow
    from index.types import VideoRow

_STYLES = {
    "indexed": "green",
    "absent": "dim",
    "duplicate": "dim",
    "waiting": "yellow",
    "coarse": "yellow",
}


@dataclass(frozen=True)
class KnownFile:
    """A file that the library knows."""

    row: VideoRow
    """Its video, with this file's own path."""
    copy_of: bytes | None = None
    """The file that was indexed in its stead, which has the same content."""
    texts: tuple[TextRow, ...] = ()
    """What is known of it in words."""

    @property
    def state(self) -> str:
        """What ``gz ls`` calls it."""
        if self.copy_of is not None:
            return "duplicate"
        if self.row.absent:
            return "absent"
        return "coarse" if self.row.coarse else self.row.status


def ls(
    ctx: typer.Context,
    as_json: JsonOption = False,
    library: LibraryOption = None,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Show what is indexed, what is known of it in words, and what failed and why.

    gz show tells more of one video. With --json one line for each file.
    """
    from ..opening import open_library

    settings = settings_of(ctx)
    screen = Screen(quiet=settings.quiet, as_json=settings.as_json)
    with open_library(settings.library_dir) as opened, opened.snapshot():
        files = known_files(opened)
    if settings.as_json:
        for file in files:
            screen.json("video", video_fields(file))
        return
    if files:
        words = [texts_in_short(file.texts) if file.copy_of is None else "" for file in files]
        rows = [_cells(screen, file) for file in files]
        if any(words):
            rows = [
                [*row[:-1], said or "-", row[-1]] for row, said in zip(rows, words, strict=True)
            ]
        screen.table(rows)
    screen.note(_summary(files))


def known_files(library: Library) -> list[KnownFile]:
    """Every file that the library knows, copies too, in path order."""
    rows = {row.id: row for row in library.videos()}
    texts: dict[int, list[TextRow]] = {}
    for text in library.text_rows():
        texts.setdefault(text.video_id, []).append(text)
    files = [KnownFile(row, texts=tuple(texts.get(row.id, ()))) for row in rows.values()]
    for copy in library.copies():
        first = rows.get(copy.video_id)
        if first is None:
            continue
        own = replace(
            first, path=copy.path, size_bytes=copy.stat.size_bytes, mtime_ns=copy.stat.mtime_ns
        )
        files.append(KnownFile(own, first.path, tuple(texts.get(first.id, ()))))
    return sorted(files, key=lambda file: file.row.path)


def _cells(screen: Screen, file: KnownFile) -> list[str]:
    row, state = file.row, file.state
    style = _STYLES.get(state, "red")
    length = clock(row.duration_s) if row.status == "indexed" or row.coarse else "-"
    size = f"{row.width}x{row.height}" if row.width else "sound" if is_sound(row) else "-"
    reason = row.reason
    if file.copy_of is not None:
        reason = f"the same content as {display_safe(file.copy_of)}"
    path = screen.path(row.path) + (f"  {screen.styled(reason, 'yellow')}" if reason else "")
    frames = "-" if is_sound(row) else f"{row.frames}"
    return [screen.styled(state, style), length, size, frames, path]


def video_fields(file: KnownFile) -> dict[str, Any]:
    """A file for JSON."""
    row = file.row
    copy_of: dict[str, Any] = {"copy_of": None}
    if file.copy_of is not None:
        copy_of = path_fields(file.copy_of, "copy_of")
    return {
        **path_fields(row.path),
        **copy_of,
        "status": row.status,
        "absent": row.absent,
        "coarse": row.coarse,
        "reason": row.reason,
        "attempts": row.attempts,
        "duration_s": row.duration_s,
        "frames": row.frames,
        "width": row.width,
        "height": row.height,
        "fps": row.fps,
        "codec": row.codec,
        "container": row.container,
        "sound": is_sound(row),
        "size_bytes": row.size_bytes,
        "mtime_ns": row.mtime_ns,
        "approximate_times": row.approximate_times,
        "fingerprint": row.fingerprint,
        "texts": [text_fields(text) for text in file.texts],
    }


def _summary(files: list[KnownFile]) -> str:
    by_state: dict[str, list[VideoRow]] = {}
    for file in files:
        by_state.setdefault(file.state, []).append(file.row)
    whole, coarse = by_state.get("indexed", []), by_state.get("coarse", [])
    parts = [f"{len(whole)} indexed ({_length(whole)})"]
    parts += [f"{len(coarse)} coarse, by key frames so far ({_length(coarse)})"] if coarse else []
    duplicates = len(by_state.get("duplicate", []))
    parts += [f"{duplicates} {'duplicate' if duplicates == 1 else 'duplicates'}"] * bool(duplicates)
    for state in ("failed", "waiting", "set aside", "absent"):
        parts += [f"{len(by_state[state])} {state}"] if state in by_state else []
    return ", ".join(parts)


def _length(rows: list[VideoRow]) -> str:
    return spoken_length(sum(row.duration_s for row in rows))
