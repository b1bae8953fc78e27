"""``gz doctor``: is everything there that a search needs?"""

from __future__ import annotations

from typing import Annotated

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
from ..views.render import Screen, display_safe


def doctor(
    ctx: typer.Context,
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend what can be mended without loss.")
    ] = False,
    try_model: Annotated[
        bool,
        typer.Option(
            "--try-model", help="Only let a model match drawings with sentences; may download it."
        ),
    ] = False,
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Model for --try-model; else the library's."),
    ] = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
    library: LibraryOption = None,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Check that all is there: machine, model, library.

    Says what to do about each trouble. Ends with a status other than 0 when gz is not ready.
    """
    settings = settings_of(ctx)
    screen = Screen(quiet=settings.quiet, as_json=settings.as_json)
    if try_model:
        from .first_look import try_model as look_at

        look_at(screen, settings.library_dir, name, device)
        return
    if name:
        raise UsageError(
            f"gz doctor looks at no {name}", f"to try a model: gz doctor --try-model {name}"
        )
    from .health import examine

    checks = examine(settings.library_dir, device, repair=repair)
    failed = [check for check in checks if not check.ok]
    if settings.as_json:
        fields = [
            {"name": c.name, "ok": c.ok, "detail": c.detail, "remedy": c.remedy} for c in checks
        ]
        screen.json("doctor", {"ready": not failed, "checks": fields})
    else:
        for check in checks:
            mark = screen.styled("ok  " if check.ok else "BAD ", "green" if check.ok else "red")
            screen.result(f"{mark} {check.name:<10} {display_safe(check.detail)}")
            if check.remedy:
                screen.result(f"{'':16}{screen.styled(check.remedy, 'yellow')}")
    if failed:
        raise typer.Exit(failed[0].exit_code)
