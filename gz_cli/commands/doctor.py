"""``gz doctor``: is everything there that a search needs?"""

from __future__ import annotations

from typing import Annotated

import typer

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
    device: DeviceOption = None,
    as_json: JsonOption = False,
    library: LibraryOption = None,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Check that all is there: machine, model, library.

    Says what to do about each trouble. Ends with a status other than 0 when gz is not ready.
    """
    from .health import examine

    settings = settings_of(ctx)
    screen = Screen(quiet=settings.quiet, as_json=settings.as_json)
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
