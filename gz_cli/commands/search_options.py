"""Options of the commands that search: what is looked for, where, and how it is shown."""

from __future__ import annotations

from typing import Annotated

import typer

from ..options import parse_seconds, parse_share


def _clock(text: str) -> str:
    """What a clock is to show, as it was written; a usage error where that is no time."""
    from index.search.clock_time import ClockTime

    try:
        ClockTime.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return text


SayOption = Annotated[
    str | None, typer.Option("--say", metavar="WORDS", help="Find where this is said.")
]
ScreenOption = Annotated[
    str | None,
    typer.Option("--screen", metavar="WORDS", help="Find where this stands on the screen."),
]
SeeOption = Annotated[
    str | None, typer.Option("--see", metavar="WORDS", help="Find where this is to be seen.")
]
SpeakerOption = Annotated[
    str | None, typer.Option("--speaker", metavar="NAME", help="Find what they say.")
]
LimitOption = Annotated[
    int, typer.Option("-k", "--limit", min=1, metavar="N", help="Show at most so many hits.")
]
WithinOption = Annotated[
    list[str] | None,
    typer.Option(
        "--in", metavar="PATH|GLOB", help="Search only there; may be given more than once."
    ),
]
AfterOption = Annotated[
    float | None,
    typer.Option(
        "--after",
        parser=parse_seconds,
        metavar="TIME",
        help="Search each video from this time on.",
    ),
]
BeforeOption = Annotated[
    float | None,
    typer.Option(
        "--before",
        parser=parse_seconds,
        metavar="TIME",
        help="Search each video up to this time.",
    ),
]
AtOption = Annotated[
    str | None,
    typer.Option(
        "--at",
        parser=_clock,
        metavar="CLOCK",
        help="Search where a clock in the picture shows HH:MM, HH:MM-HH:MM or a date and these.",
    ),
]
RefineOption = Annotated[
    bool,
    typer.Option(
        "--refine/--no-refine",
        help="Look again at the edges of the best hits, four times a second.",
    ),
]
ThresholdOption = Annotated[
    float,
    typer.Option(
        "--threshold",
        parser=parse_share,
        metavar="P",
        help="How sure a hit must be, from 0 to 1.",
    ),
]
PlayerOption = Annotated[
    bool, typer.Option("--player", help="Show with each hit a command that plays it.")
]
GrounderOption = Annotated[
    str | None,
    typer.Option(
        "--grounder",
        metavar="DIR|ID",
        help="Use this trained grounding, or training-free; by default the library's own.",
    ),
]
