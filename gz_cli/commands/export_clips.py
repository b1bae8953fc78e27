"""``gz export-clips``: cuts the moments found into files."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from index.errors import NoSpaceError, UsageError

from ..options import (
    DebugOption,
    DeviceOption,
    JsonOption,
    LibraryOption,
    QuietOption,
    Settings,
    settings_of,
)
from ..views.export import ExportView, show_export_summary
from ..views.found_clips import MOST_BYTES, FoundClip, clips_of, parse_result
from ..views.render import Screen
from ..views.results import recall
from .designations import cut_designations

if TYPE_CHECKING:
    from index.clips.export import ExportOptions, Mode

NOTHING_TO_CUT = 1
SOME_FAILED = 3


def export_clips(
    ctx: typer.Context,
    query: Annotated[
        str | None,
        typer.Argument(
            metavar="QUERY", help="Search for this first; without it, what was found last is cut."
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="FILE|-",
            help="Cut the hits in this JSON of gz find; - reads it from a pipe.",
        ),
    ] = None,
    designations: Annotated[
        str | None,
        typer.Option(
            "--designations",
            metavar="FILE|-",
            help="Cut the pages and lines of testimony in this list, one range to a line, as in "
            "14:15 - 16:1.",
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Put the clips into this folder.")
    ] = Path("clips"),
    mode: Annotated[
        str,
        typer.Option(
            "--mode",
            metavar="exact|copy",
            help="exact encodes anew and is right to the frame in every player; copy is lossless.",
        ),
    ] = "exact",
    pad_s: Annotated[
        float,
        typer.Option("--pad", min=0.0, metavar="SECONDS", help="Cut so much more on either side."),
    ] = 0.0,
    container: Annotated[
        str, typer.Option("--format", metavar="mp4|mkv|mov", help="Kind of file to write.")
    ] = "mp4",
    limit: Annotated[
        int | None,
        typer.Option("-k", "--limit", min=1, metavar="N", help="Cut at most so many clips."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace clips of the same names that are there.")
    ] = False,
    device: DeviceOption = None,
    as_json: JsonOption = False,
    library: LibraryOption = None,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Cut the moments found into files, with a manifest of what was cut.

    With --designations it cuts testimony by page and line and writes a report beside the clips.
    With --json it writes a line for each clip and one for the whole.
    """
    from index.clips.export import ExportOptions
    from index.clips.files import require_writable

    settings = settings_of(ctx)
    screen = Screen(quiet=settings.quiet, as_json=settings.as_json)
    options = ExportOptions(
        out=out, mode=cast("Mode", mode), pad_s=pad_s, container=container, overwrite=overwrite
    )
    require_writable(out)
    if designations is not None:
        if query is not None or source is not None:
            raise UsageError(
                "--designations cannot be used together with a query or --from.",
                "Give one of them.",
            )
        cut_designations(screen, settings, designations, options, limit)
        return
    clips = _wanted(screen, settings, query, source, device, limit)
    _cut_all(screen, clips, options)


def _wanted(
    screen: Screen,
    settings: Settings,
    query: str | None,
    source: str | None,
    device: str | None,
    limit: int | None,
) -> list[FoundClip]:
    """The hits to cut: searched for now, read from a file, or remembered."""
    if query is not None and source is not None:
        raise UsageError(
            "A query and --from cannot be used together.",
            "Give a query to search first, or --from to cut what was found.",
        )
    if source is not None:
        clips = parse_result(_read(source), "standard input" if source == "-" else source)
    elif query is not None:
        clips = _searched(screen, settings, query, device, limit)
    else:
        clips = recall(settings.library_dir)
    clips = clips[:limit]
    if not clips:
        screen.note("Nothing was found, so there is nothing to cut.")
        if screen.as_json:
            show_export_summary(screen, [], None)
        raise typer.Exit(NOTHING_TO_CUT)
    return clips


def _read(source: str) -> bytes:
    """What a person hands over, as far as it can be a result."""
    if source == "-":
        if sys.stdin is None or sys.stdin.isatty():
            raise UsageError(
                "--from - reads the JSON of gz find from a pipe.",
                'For example: gz find "QUERY" --json | gz export-clips --from -',
            )
        return sys.stdin.buffer.read(MOST_BYTES + 1)
    try:
        with Path(source).open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise UsageError(
            f"The file {source} cannot be read: {why}.",
            "Name a file that gz find --json has written.",
        ) from None


def _searched(
    screen: Screen, settings: Settings, query: str, device: str | None, limit: int | None
) -> list[FoundClip]:
    from index.types import FindRequest

    from .find import search

    request = FindRequest(query, limit=limit or 10)
    return clips_of(search(screen, settings.library_dir, request, device))


def _cut_all(screen: Screen, clips: list[FoundClip], options: ExportOptions) -> None:
    """Cuts every clip it can, writes the manifest, and ends with the status it deserves."""
    from index.clips.export import ClipRequest
    from index.clips.export import export_clips as cut
    from index.clips.manifest import write_manifest

    requests = [
        ClipRequest(
            source=clip.path,
            start_s=clip.start_s,
            end_s=clip.end_s,
            stem=f"{clip.rank:02d}_{Path(os.fsdecode(clip.path)).stem}",
            fingerprint=clip.fingerprint,
            query=clip.query,
            presence=clip.presence,
        )
        for clip in clips
    ]
    with screen.progress() as progress:
        view = ExportView(screen, progress)
        results = cut(requests, options, view)
    failures = [result.failure for result in results if result.failure is not None]
    if any(isinstance(failure, NoSpaceError) for failure in failures):
        show_export_summary(screen, results, None)
        raise next(failure for failure in failures if isinstance(failure, NoSpaceError))
    manifest, _ = write_manifest(results, options)
    show_export_summary(screen, results, manifest)
    if failures:
        raise typer.Exit(SOME_FAILED)
