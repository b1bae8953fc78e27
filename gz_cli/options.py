"""Options that every command has, and the settings that they fill."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from index.text.timecode import parse_time


@dataclass
class Settings:
    """What was asked for before or after the command's name; later words win."""

    library: Path | None = None
    quiet: bool = False
    debug: bool = False
    as_json: bool = False

    @property
    def library_dir(self) -> Path:
        """``--library``, else ``GZ_LIBRARY``, else the platform's data folder; absolute."""
        chosen = self.library or os.environ.get("GZ_LIBRARY")
        if chosen:
            return Path(chosen).expanduser().absolute()
        import platformdirs

        return Path(platformdirs.user_data_dir("groundzero", appauthor=False))


def settings_of(ctx: typer.Context) -> Settings:
    """The settings of this run."""
    return ctx.find_root().ensure_object(Settings)


def _keep_library(ctx: typer.Context, value: Path | None) -> Path | None:
    if value is not None:
        settings_of(ctx).library = value
    return value


def _keep_quiet(ctx: typer.Context, value: bool) -> bool:
    settings_of(ctx).quiet |= value
    return value


def _keep_debug(ctx: typer.Context, value: bool) -> bool:
    settings_of(ctx).debug |= value
    return value


def _keep_json(ctx: typer.Context, value: bool) -> bool:
    settings_of(ctx).as_json |= value
    return value


def parse_seconds(text: str) -> float:
    """A time of an option; a usage error where it is none."""
    try:
        return parse_time(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def parse_share(text: str) -> float:
    """A number from 0 to 1 of an option; a usage error where it is none, as NaN is."""
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise typer.BadParameter(f"{text!r} is not a number from 0 to 1")
    return share


LibraryOption = Annotated[
    Path | None,
    typer.Option(
        "--library",
        metavar="DIR",
        callback=_keep_library,
        help="Folder of the library; by default $GZ_LIBRARY, or else the user's data folder.",
    ),
]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", callback=_keep_quiet, help="Show results and errors only.")
]
DebugOption = Annotated[
    bool,
    typer.Option(
        "--debug", callback=_keep_debug, help="Show where in the program an error happened."
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", callback=_keep_json, help="Write results as JSON, for programs.")
]
DeviceOption = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="NAME",
        help="Where the model computes: cpu, cuda, cuda:1 or mps; by default on the best there is.",
    ),
]
