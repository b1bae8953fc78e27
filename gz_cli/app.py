"""The ``gz`` program: its commands, and how an error becomes an exit status."""

from __future__ import annotations

import warnings
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from index.errors import GzError

from .commands.calibrate import calibrate
from .commands.demo import demo
from .commands.doctor import doctor
from .commands.eval import evaluate
from .commands.export_clips import export_clips
from .commands.find import find
from .commands.index import index_videos
from .commands.ls import ls
from .commands.shell import shell
from .commands.show import show
from .commands.train import train
from .failures import PIPE_CLOSED, ending_like_ctrl_c, explained
from .options import DebugOption, LibraryOption, QuietOption, Settings, settings_of
from .speech import SpeechCommand
from .views.render import OutputClosed, Screen

_EPILOG = (
    "Exit status: 0 all went well; 1 nothing was found; 2 the command line makes no sense; "
    "3 finished, but some files failed; 4 nothing is indexed; 5 the library is locked by "
    "another writer; 6 the library is "
    "damaged or made by a newer version; 7 the model is missing or does not match; "
    "8 the disk is full; 130 interrupted; 70 an error that gz did not foresee."
)


class _Group(TyperGroup):
    """Runs a command and turns what goes wrong into a message and an exit status."""

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **extra: Any) -> Any:
        """Reads the words before the command; whether JSON is asked for is known before all.

        Raises:
            typer.Exit: They make no sense, and that was said as JSON.
        """
        words = args[: args.index("--")] if "--" in args else args
        as_json = "--json" in words
        try:
            ctx: Any = super().make_context(info_name, args, *rest, **extra)
        except Exception as error:
            if as_json and _is_usage(error):
                raise typer.Exit(_report(Settings(as_json=True), error)) from None
            raise
        settings_of(ctx).as_json |= as_json
        return ctx

    def invoke(self, ctx: Any) -> Any:
        """Runs the command.

        Raises:
            typer.Exit: It ended with a status other than 0.
        """
        try:
            with ending_like_ctrl_c() as ending:
                return super().invoke(ctx)
        except OutputClosed:
            code = PIPE_CLOSED
        except (KeyboardInterrupt, GzError, OSError, MemoryError) as error:
            code = _report(settings_of(ctx), error, ending.signal_name)
        except Exception as error:
            if isinstance(error, typer.Exit | typer.Abort):
                raise
            if _is_usage(error) and not settings_of(ctx).as_json:
                raise  # typer words it for people, with the usage
            code = _report(settings_of(ctx), error)
        raise typer.Exit(code)


def _is_usage(error: BaseException) -> bool:
    """True for what typer says of a command line; its class has no public name."""
    return hasattr(error, "format_message") and hasattr(error, "exit_code")


def _report(settings: Settings, error: BaseException, signal_name: str = "") -> int:
    screen = Screen(as_json=settings.as_json)
    if settings.debug:
        screen.traceback(error)
    message, remedy, code = explained(error, signal_name)
    screen.error(message, remedy, code, error.details if isinstance(error, GzError) else ())
    return code


app = typer.Typer(
    name="gz",
    cls=_Group,
    help="Find the exact start and end of a moment in your own videos, from a sentence.",
    epilog=_EPILOG,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _show_version(asked: bool) -> None:
    if asked:
        Screen().result(f"gz {version('groundzero-video')}")
        raise typer.Exit


@app.callback()
def _root(
    ctx: typer.Context,
    library: LibraryOption = None,
    quiet: QuietOption = False,
    debug: DebugOption = False,
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_show_version, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    if not settings_of(ctx).debug:
        warnings.simplefilter("ignore")


app.command("index", cls=SpeechCommand)(index_videos)
app.command("find")(find)
app.command("shell")(shell)
app.command("export-clips")(export_clips)
app.command("ls")(ls)
app.command("show")(show)
app.command("demo")(demo)
app.command("train")(train)
app.command("eval")(evaluate)
app.command("calibrate")(calibrate)
app.command("doctor")(doctor)


def main() -> None:
    """Runs ``gz`` and ends the process with its exit status."""
    app()
