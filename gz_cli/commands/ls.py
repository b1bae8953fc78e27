"""``gz ls``: what is indexed, what failed and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from ..options import DebugOption, JsonOption, LibraryOption, QuietOption, settings_of
from ..views.render import Screen, path_fields
from ..views.timecode import clock, spoken_length

if TYPE_CHECKING:
    from index.types import VideoRow

_STYLES = {"indexed": "green", "absent": "dim", "pending": "yellow", "coarse": "yellow"}


def ls(
    ctx: typer.Context,
    as_json: JsonOption = False,
    library: LibraryOption = None,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Show what is indexed, and what failed and why.

    With --json one line for each video.
    """
    from ..opening import open_library

    settings = settings_of(ctx)
    screen = Screen(quiet=settings.quiet, as_json=settings.as_json)
    with open_library(settings.library_dir) as opened:
        rows = sorted(opened.videos(), key=lambda row: row.path)
    if settings.as_json:
        for row in rows:
            screen.json("video", _fields(row))
        return
    if rows:
        screen.table([_cells(screen, row) for row in rows])
    screen.note(_summary(rows))


def _state(row: VideoRow) -> str:
    if row.absent:
        return "absent"
    return "coarse" if row.coarse else row.status


def _cells(screen: Screen, row: VideoRow) -> list[str]:
    state = _state(row)
    style = _STYLES.get(state, "red")
    length = clock(row.duration_s) if row.status == "indexed" or row.coarse else "-"
    size = f"{row.width}x{row.height}" if row.width else "-"
    path = screen.path(row.path)
    reason = f"  {screen.styled(row.reason, 'yellow')}" if row.reason else ""
    return [screen.styled(state, style), length, size, f"{row.frames}", path + reason]


def _fields(row: VideoRow) -> dict[str, Any]:
    return {
        **path_fields(row.path),
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
        "size_bytes": row.size_bytes,
        "mtime_ns": row.mtime_ns,
        "approximate_times": row.approximate_times,
        "fingerprint": row.fingerprint,
    }


def _summary(rows: list[VideoRow]) -> str:
    states = [_state(row) for row in rows]
    whole = [row for row, state in zip(rows, states, strict=True) if state == "indexed"]
    looked = [row for row, state in zip(rows, states, strict=True) if state == "coarse"]
    failed = sum(row.status in ("failed", "quarantined") for row in rows)
    absent = states.count("absent")
    parts = [f"{len(whole)} indexed ({_length(whole)})"]
    parts += [f"{len(looked)} coarse, by key frames so far ({_length(looked)})"] if looked else []
    parts += [f"{failed} failed"] if failed else []
    parts += [f"{absent} absent"] if absent else []
    return ", ".join(parts)


def _length(rows: list[VideoRow]) -> str:
    return spoken_length(sum(row.duration_s for row in rows))
