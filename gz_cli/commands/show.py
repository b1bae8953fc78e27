"""``gz show``: what is known of one video, and what is said and written in it."""

from __future__ import annotations

import fnmatch
import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from index.errors import UsageError
from index.indexing.kinds import is_sound

from ..options import DebugOption, JsonOption, LibraryOption, QuietOption, settings_of
from ..views.render import Screen, display_safe, shell_quoted, size_text
from ..views.texts import channel_of, passage_fields, show_passages, text_fields, text_told
from ..views.timecode import clock_ms
from .ls import KnownFile, known_files, video_fields

if TYPE_CHECKING:
    from collections.abc import Sequence

    from index.store.library import Library, TextRow

_MOST_NAMED = 5
"""Videos that are named where several fit."""


def show(
    ctx: typer.Context,
    video: Annotated[
        str,
        typer.Argument(metavar="VIDEO", help="Its path, or a name or glob that fits no other."),
    ],
    transcript: Annotated[
        bool,
        typer.Option("--transcript", help="Show also all its words, with their times."),
    ] = False,
    as_json: JsonOption = False,
    library: LibraryOption = None,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Show what is known of one video: facts, subtitles, transcripts, chapters.

    Words that a machine wrote are called a machine transcript. With --json one line.
    """
    from ..opening import open_library

    settings = settings_of(ctx)
    screen = Screen(quiet=settings.quiet, as_json=settings.as_json)
    with open_library(settings.library_dir) as opened, opened.snapshot():
        file = _chosen(known_files(opened), video)
        if settings.as_json:
            screen.json("show", _fields(opened, file, transcript=transcript))
            return
        _show_facts(screen, file)
        if transcript:
            searched = [text for text in file.texts if text.searched]
            for text in searched:
                show_passages(screen, text, opened.passages(text.id))
            if not searched:
                screen.note("No words are known of it.")


def _chosen(files: Sequence[KnownFile], asked: str) -> KnownFile:
    """The one file that is meant.

    Raises:
        UsageError: None fits, or several do.
    """
    path = os.path.abspath(os.path.expanduser(os.fsencode(asked)))  # noqa: PTH100, PTH111
    exact = {path, os.path.realpath(path)}
    for file in files:
        if file.row.path in exact:
            return file
    fitting = [file for file in files if _fits(os.fsdecode(file.row.path), asked)]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        raise UsageError(f"no indexed video is called {asked}", "see what is indexed with: gz ls")
    named = [display_safe(file.row.path) for file in fitting[:_MOST_NAMED]]
    named += [f"{len(fitting) - len(named):,} more"] * (len(fitting) > len(named))
    raise UsageError(
        f"{len(fitting):,} videos fit {asked}: {', '.join(named)}",
        f"name one by its path: gz show {shell_quoted(fitting[0].row.path)}",
    )


def _fits(path: str, asked: str) -> bool:
    name = path.rpartition("/")[2]
    names = (path, name, name.rpartition(".")[0])
    return asked in names or any(fnmatch.fnmatchcase(each, asked) for each in names)


def _fields(library: Library, file: KnownFile, *, transcript: bool) -> dict[str, Any]:
    fields = video_fields(file)
    if transcript:
        fields["texts"] = [
            {**text_fields(text), "words": _words(library, text)} for text in file.texts
        ]
    return fields


def _words(library: Library, text: TextRow) -> list[dict[str, Any]]:
    if text.state != "visible":
        return []
    return [passage_fields(passage) for passage in library.passages(text.id)]


def _show_facts(screen: Screen, file: KnownFile) -> None:
    row = file.row
    screen.result(screen.path(row.path))
    known = row.status == "indexed" or row.coarse
    picture = f"{row.width}x{row.height}"
    picture += f", {row.fps:.5g} frames a second" if row.fps else ""
    facts = [("state", f"{file.state}, {row.reason}" if row.reason else file.state)]
    if file.copy_of is not None:
        facts.append(("content", f"the same as {display_safe(file.copy_of)}"))
    if known:
        facts.append(("length", clock_ms(row.duration_s)))
        frames = f"{row.frames:,} {'frame' if row.frames == 1 else 'frames'}"
        facts.append(("picture", "none, it is a sound file" if is_sound(row) else picture))
        facts.append(("format", f"{row.codec} in {row.container}"))
        facts += [] if is_sound(row) else [("looked at", frames)]
    facts.append(("size", size_text(row.size_bytes)))
    for text in file.texts:
        if text.state != "empty":
            facts.append((channel_of(text), text_told(text)))
            facts += [("", note) for note in text.notes]
        elif text.notes:
            facts.append((channel_of(text), f"{text_told(text)}: {' '.join(text.notes)}"))
    screen.table([[f"  {screen.styled(name, 'dim')}", display_safe(said)] for name, said in facts])
