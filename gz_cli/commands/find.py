"""``gz find``: the moments that a query describes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from index.errors import UsageError

from ..options import (
    DebugOption,
    DeviceOption,
    JsonOption,
    LibraryOption,
    QuietOption,
    settings_of,
)
from ..views.find import show_notes, show_paths, show_result
from ..views.render import Screen
from ..views.results import find_fields
from .search_options import (
    AfterOption,
    AtOption,
    BeforeOption,
    GrounderOption,
    LimitOption,
    PlayerOption,
    RefineOption,
    SayOption,
    ScreenOption,
    SeeOption,
    SpeakerOption,
    ThresholdOption,
    WithinOption,
)

if TYPE_CHECKING:
    from index.types import FindRequest, FindResult

NOT_FOUND = 1


def find(
    ctx: typer.Context,
    query: Annotated[
        str,
        typer.Argument(metavar="[QUERY]", help="A sentence that says what is to be seen or heard."),
    ] = "",
    say: SayOption = None,
    screen_words: ScreenOption = None,
    see: SeeOption = None,
    speaker: SpeakerOption = None,
    limit: LimitOption = 10,
    within: WithinOption = None,
    after_s: AfterOption = None,
    before_s: BeforeOption = None,
    at: AtOption = None,
    refine: RefineOption = True,
    threshold: ThresholdOption = 0.5,
    paths: Annotated[
        bool,
        typer.Option("--paths", help="Show only the paths of videos with a hit, one to a line."),
    ] = False,
    print0: Annotated[
        bool,
        typer.Option("--print0", help="Write only those paths, as exact bytes, each ended by NUL."),
    ] = False,
    player: PlayerOption = False,
    thumbs: Annotated[
        Path | None,
        typer.Option(
            "--thumbs", metavar="DIR", help="Write a picture of each hit into this folder."
        ),
    ] = None,
    grounder: GrounderOption = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
    library: LibraryOption = None,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Find the moments that a query describes.

    Order is understood: "a dog barks before the door opens", "A then B", "A while B".
    So are say:"words", screen:"words", see:"what is shown" and speaker:NAME in the query.
    The exit status is 1 when nothing is found. Times are seconds, M:SS or H:MM:SS.
    """
    from index.search.fields import with_fields
    from index.types import FindRequest

    settings = settings_of(ctx)
    screen = Screen(quiet=settings.quiet, as_json=settings.as_json)
    if settings.as_json and (paths or print0):
        raise UsageError(
            "--json cannot be used together with --paths or --print0.", "Leave one of them out."
        )
    if thumbs is not None:
        from index.clips.files import require_writable

        require_writable(thumbs, "pictures", "--thumbs")
    request = FindRequest(
        query=with_fields(query, say=say, screen=screen_words, see=see, speaker=speaker),
        limit=limit,
        within=tuple(within or ()),
        after_s=after_s,
        before_s=before_s,
        at=at or "",
        refine=refine,
        threshold=threshold,
    )
    result = search(screen, settings.library_dir, request, device, grounder)
    _show(screen, result, as_json=settings.as_json, paths=paths, print0=print0, player=player)
    if thumbs is not None:
        from ..views.thumbs import write_thumbs

        write_thumbs(screen, result.hits, thumbs)
    if not result.hits:
        raise typer.Exit(NOT_FOUND)


def search(
    screen: Screen,
    library_dir: Path,
    request: FindRequest,
    device: str | None,
    grounder: str | None = None,
) -> FindResult:
    """Runs one search and remembers its result for ``gz export-clips``."""
    from ..searcher import Searcher

    with Searcher(screen, library_dir, device, grounder) as searcher:
        return searcher.ask(request)


def _show(
    screen: Screen, result: FindResult, *, as_json: bool, paths: bool, print0: bool, player: bool
) -> None:
    if as_json:
        screen.json("find", find_fields(result))
    elif paths or print0:
        show_paths(screen, result, nul=print0)
        show_notes(screen, result)
    else:
        show_result(screen, result, player=player)
