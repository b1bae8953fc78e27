"""``gz shell``: query after query, with the library and the model kept warm."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import typer

from index.errors import UsageError

from ..failures import Ended, explained
from ..options import (
    DebugOption,
    DeviceOption,
    JsonOption,
    LibraryOption,
    QuietOption,
    settings_of,
)
from ..searcher import Searcher
from ..views.find import show_result
from ..views.render import OutputClosed, Screen, as_sentence
from ..views.results import find_fields
from .search_options import (
    AfterOption,
    BeforeOption,
    GrounderOption,
    LimitOption,
    PlayerOption,
    RefineOption,
    ThresholdOption,
    WithinOption,
)
from .shell_lines import HELP, ShellSettings, changed
from .shell_requests import asked, bounded_lines, document, id_of, text_of

if TYPE_CHECKING:
    from index.types import FindRequest

_PROMPT = "gz> "
_REMEMBERED_LINES = 1000


def shell(
    ctx: typer.Context,
    limit: LimitOption = 10,
    within: WithinOption = None,
    after_s: AfterOption = None,
    before_s: BeforeOption = None,
    refine: RefineOption = True,
    threshold: ThresholdOption = 0.5,
    player: PlayerOption = False,
    grounder: GrounderOption = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
    library: LibraryOption = None,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Ask one query after another; only the first one has to wait.

    With --json it serves a program: each line that it reads is a request, an object such
    as {"id": 1, "query": "a dog jumps", "k": 5}, and each line that it writes is the answer.
    """
    from index.types import FindRequest

    settings = settings_of(ctx)
    screen = Screen(quiet=settings.quiet, as_json=settings.as_json)
    request = FindRequest(
        query="",
        limit=limit,
        within=tuple(within or ()),
        after_s=after_s,
        before_s=before_s,
        refine=refine,
        threshold=threshold,
    )
    with Searcher(screen, settings.library_dir, device, grounder) as searcher:
        searcher.require_library()
        if settings.as_json:
            _serve(screen, searcher, request)
        else:
            _converse(screen, searcher, ShellSettings(request, player), settings.debug)


def _serve(screen: Screen, searcher: Searcher, defaults: FindRequest) -> None:
    """Answers each line of stdin with one line; no bad request ends it."""
    for raw in bounded_lines(_stdin()):
        if not raw.strip():
            continue
        request_id: Any = None
        try:
            read = document(text_of(raw))
            request_id = id_of(read)
            result = searcher.ask(asked(defaults, read))
        except Exception as error:  # the next request may be a good one
            message, remedy, code = explained(error)
            answer = {"message": as_sentence(message), "remedy": remedy, "exit_code": code}
            screen.json("error", {"id": request_id, **answer})
        else:
            screen.json("find", {"id": request_id, **find_fields(result)})


def _stdin() -> BinaryIO:
    """What is typed or piped; nothing where standard input is closed."""
    return BytesIO() if sys.stdin is None else sys.stdin.buffer


def _converse(screen: Screen, searcher: Searcher, settings: ShellSettings, debug: bool) -> None:
    """Answers what a person types until they leave."""
    watched = sys.stdin is not None and sys.stdin.isatty()
    if watched:
        screen.note("Type what is to be seen or heard; :help lists the settings, Ctrl-D leaves.")
    with _line_reader(watched) as read:
        while True:
            try:
                line = read()
                if line is None and watched:
                    screen.note("")
                if line is None or line in (":quit", ":q", ":exit"):
                    return
                settings = _one(screen, searcher, settings, line)
            except KeyboardInterrupt as error:
                if not watched or isinstance(error, Ended):
                    raise
                screen.note("Interrupted; Ctrl-D leaves.")
            except OutputClosed:
                raise
            except Exception as error:  # the next query may be a good one
                if debug:
                    screen.traceback(error)
                screen.error(*explained(error))


def _one(screen: Screen, searcher: Searcher, settings: ShellSettings, line: str) -> ShellSettings:
    if line in (":help", ":h", ":?"):
        screen.result(HELP)
    elif line == ":settings":
        screen.result(settings.described())
    elif line.startswith(":"):
        return changed(settings, line)
    elif line:
        result = searcher.ask(replace(settings.request, query=line))
        show_result(screen, result, player=settings.player)
    return settings


@contextmanager
def _line_reader(watched: bool) -> Iterator[Callable[[], str | None]]:
    """A function that gives the next line without its ending, and None after the last."""
    if not watched:
        lines = bounded_lines(_stdin())
        yield lambda: None if (line := next(lines, None)) is None else text_of(line)
        return
    history = _history_file()
    with suppress(ImportError):
        import readline

        with suppress(OSError):
            readline.read_history_file(history)

    def read() -> str | None:
        try:
            return input(_PROMPT).strip()
        except EOFError:
            return None
        except UnicodeDecodeError:
            raise UsageError("The line is not UTF-8 text.", "Write it in UTF-8.") from None

    try:
        yield read
    finally:
        with suppress(ImportError, OSError):
            import readline

            history.parent.mkdir(parents=True, exist_ok=True)
            readline.set_history_length(_REMEMBERED_LINES)
            readline.write_history_file(history)


def _history_file() -> Path:
    import platformdirs

    return Path(platformdirs.user_state_dir("groundzero", appauthor=False)) / "shell_history"
