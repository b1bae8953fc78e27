"""Options of the commands that read annotated moments and their features."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

FeaturesOption = Annotated[
    str | None,
    typer.Option(
        "--features", metavar="DIR[,DIR]", help="Folders with the features of the videos."
    ),
]
TextFeaturesOption = Annotated[
    Path | None,
    typer.Option("--text-features", metavar="DIR", help="Folder with the features of the queries."),
]
ClassesOption = Annotated[
    Path | None,
    typer.Option("--classes", metavar="FILE", help="Class list that Charades comes with."),
]
SkipBadRowsOption = Annotated[
    bool,
    typer.Option("--skip-bad-rows", help="Name bad rows and leave them out instead of stopping."),
]
