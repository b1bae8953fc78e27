"""Options of ``gz index`` about texts that people already have."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from index.errors import TextError, UsageError

SubtitleEncodingOption = Annotated[
    str | None,
    typer.Option(
        "--subtitle-encoding",
        metavar="NAME",
        help="Encoding of the subtitle files, such as windows-1251; remembered until auto is "
        "named.",
    ),
]
TranscriptOption = Annotated[
    Path | None,
    typer.Option(
        "--transcript",
        metavar="FILE",
        help="Subtitles or a transcript of the one video named, wherever they lie.",
    ),
]
TranscriptOffsetOption = Annotated[
    float,
    typer.Option(
        "--transcript-offset",
        metavar="SECONDS",
        help="Add this to the times of --transcript; may be negative.",
    ),
]


def checked_encoding(name: str | None) -> str | None:
    """An encoding that this Python knows, ``auto`` or None.

    Raises:
        UsageError: There is none of that name.
    """
    if name is None or name == "auto":
        return name
    from index.text.encodings import encoding_of

    try:
        encoding_of(b"", encoding=name)
    except TextError as error:
        raise UsageError(error.message, error.remedy) from None
    return name


def checked_transcript(
    transcript: Path | None, offset_s: float, paths: Sequence[str | Path]
) -> bytes | None:
    """Absolute path of the transcript of the one video that is named.

    Raises:
        UsageError: There is no such file, no single video, or an offset of nothing.
    """
    if transcript is None:
        if offset_s:
            raise UsageError(
                "--transcript-offset belongs to --transcript",
                "name the file too: gz index VIDEO --transcript FILE",
            )
        return None
    if len(paths) != 1 or not Path(paths[0]).expanduser().is_file():
        raise UsageError(
            "a transcript belongs to one video", "name it: gz index VIDEO --transcript FILE"
        )
    path = transcript.expanduser()
    if not path.is_file():
        raise UsageError(f"there is no file {path}", "check how it is written")
    return os.path.realpath(os.fsencode(path))
