"""Options of ``gz index`` about texts that people already have."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from index.errors import TextError, UsageError

from ..options import parse_seconds

_DAY_S = 24 * 3600

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

TranscriptStartOption = Annotated[
    float | None,
    typer.Option(
        "--transcript-start",
        metavar="HH:MM:SS",
        parser=parse_seconds,
        help="Time of day at which the video begins, for a --transcript with a clock in its "
        "margin.",
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
    transcript: Path | None,
    offset_s: float,
    starts_at_s: float | None,
    paths: Sequence[str | Path],
) -> bytes | None:
    """Absolute path of the transcript of the one video that is named.

    Raises:
        UsageError: There is no such file, no single video, or times of no transcript.
    """
    if transcript is None:
        for option, value in (
            ("--transcript-offset", offset_s),
            ("--transcript-start", starts_at_s),
        ):
            if value:
                raise UsageError(
                    f"{option} belongs to --transcript",
                    "name the file too: gz index VIDEO --transcript FILE",
                )
        return None
    if not 0 <= (starts_at_s or 0) < _DAY_S:
        raise UsageError("a day ends at 24:00:00", "give the time of day at which the video begins")
    if len(paths) != 1 or not Path(paths[0]).expanduser().is_file():
        raise UsageError(
            "a transcript belongs to one video", "name it: gz index VIDEO --transcript FILE"
        )
    path = transcript.expanduser()
    if not path.is_file():
        raise UsageError(f"there is no file {path}", "check how it is written")
    return os.path.realpath(os.fsencode(path))
