"""``gz export-clips --designations``: cuts pages and lines of testimony, with a report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from index.errors import NoSpaceError, NothingIndexedError, UsageError

from ..opening import open_library
from ..options import Settings
from ..views.designations import show_designations
from ..views.export import ExportView
from ..views.render import Screen

if TYPE_CHECKING:
    from index.clips.designation_report import Designated
    from index.clips.export import ClipResult, ExportOptions
    from index.clips.testimony import Stretch, Unmatched

_MOST_BYTES = 16 << 20
_NOTHING_TO_CUT = 1
_SOME_FAILED = 3


def cut_designations(
    screen: Screen, settings: Settings, source: str, options: ExportOptions, limit: int | None
) -> None:
    """Cuts the ranges of a list, writes manifest and report, and ends with the right status.

    Raises:
        UsageError: The list cannot be read.
        NothingIndexedError: The library holds no testimony.
        NoSpaceError: The disk is full.
        typer.Exit: Nothing was cut, or not all of it.
    """
    from index.clips.designation_report import write_report
    from index.clips.manifest import write_manifest
    from index.clips.testimony import Stretch

    found = _located(settings.library_dir, source)
    stretches = [row for row in found if isinstance(row, Stretch)][:limit]
    if not stretches:
        show_designations(screen, _rows(found, {}), None, None)
        raise typer.Exit(_NOTHING_TO_CUT)
    results = _cut(screen, stretches, options)
    full = next((r.failure for r in results if isinstance(r.failure, NoSpaceError)), None)
    rows = _rows(found, dict(zip(map(id, stretches), results, strict=True)))
    if full is not None:
        show_designations(screen, rows, None, None)
        raise full
    manifest, _ = write_manifest(results, options)
    _, report = write_report(rows, options.out)
    show_designations(screen, rows, manifest, report)
    if any(row.unmatched is not None or not (row.result and row.result.ok) for row in rows):
        raise typer.Exit(_SOME_FAILED)


def _located(library_dir: Path, source: str) -> list[Stretch | Unmatched]:
    from index.clips.testimony import Unmatched, depositions_in, stretches_of
    from index.text.designations import read_designations

    told = "standard input" if source == "-" else source
    wanted = read_designations(_text(source), told)
    with open_library(library_dir) as library, library.snapshot():
        depositions = depositions_in(library)
    if not depositions:
        raise NothingIndexedError(
            "No video of this library has a transcript with page and line numbers.",
            "Put the DVT of a deposition beside its video and run gz index on it.",
        )
    found: list[Stretch | Unmatched] = []
    for designation in wanted:
        where = stretches_of(designation, depositions)
        found.extend([where] if isinstance(where, Unmatched) else where)
    return found


def _text(source: str) -> str:
    """The list; most are plain ASCII, some come out of Windows programs."""
    try:
        if source == "-":
            if sys.stdin is None or sys.stdin.isatty():
                raise UsageError(
                    "--designations - reads a list from a pipe.", "Name a file, or pipe one in."
                )
            data = sys.stdin.buffer.read(_MOST_BYTES + 1)
        else:
            with Path(source).open("rb") as file:
                data = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise UsageError(
            f"The file {source} cannot be read: {why}.", "Name a list of pages and lines."
        ) from None
    if len(data) > _MOST_BYTES:
        raise UsageError(
            f"The file {source} is larger than {_MOST_BYTES >> 20} MiB.",
            "Name a list of pages and lines.",
        )
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _cut(screen: Screen, stretches: list[Stretch], options: ExportOptions) -> list[ClipResult]:
    from index.clips.export import ClipRequest, export_clips

    requests = [
        ClipRequest(
            source=stretch.deposition.video,
            start_s=stretch.start_s,
            end_s=stretch.end_s,
            stem=stretch.stem,
            fingerprint=stretch.deposition.fingerprint,
            query=stretch.cited,
            name=stretch.stem,
        )
        for stretch in stretches
    ]
    with screen.progress() as progress:
        return export_clips(requests, options, ExportView(screen, progress))


def _rows(found: list[Stretch | Unmatched], results: dict[int, ClipResult]) -> list[Designated]:
    """What became of each, in the order of the list; what --limit left out is no part of it."""
    from index.clips.designation_report import Designated
    from index.clips.testimony import Unmatched

    rows = []
    for row in found:
        if isinstance(row, Unmatched):
            rows.append(Designated(unmatched=row))
        elif id(row) in results:
            rows.append(Designated(row, results[id(row)]))
    return rows
