"""What a calibration changes, for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .measured import finite
from .render import Screen, display_safe

if TYPE_CHECKING:
    from model.evaluation.recalibration import Recalibration
    from model.grounding.standing import Standing

_FIGURES = (
    ("ece", 100, "stated and observed frequency differ by (ECE)"),
    ("brier", 100, "mean squared error of what is stated (Brier)"),
    ("auroc", 100, "what happens is surer than what does not (AUROC)"),
    ("absent_found", 1, "of what does not happen: said to be found"),
    ("present_lost", 1, "of what happens: not found"),
)


def show_calibrated(
    screen: Screen,
    localizer: str,
    shipped: Standing,
    fitted: Recalibration,
    *,
    kept: bool,
    dry_run: bool,
) -> None:
    """Both calibrations beside each other, and which one is used from now on."""
    before, after = fitted.shipped, fitted.refitted
    if screen.as_json:
        fields = {
            "localizer": localizer,
            "shipped": {**before, "standing": shipped.to_json()},
            "refitted": {**after, "standing": fitted.standing.to_json()},
            "better": fitted.better,
            "kept": kept,
        }
        screen.json("calibrate", finite(fields))
        return
    screen.result(
        f"{before['queries']:,} queries, {before['present']:,} about what happens, "
        f"{before['absent']:,} about what does not."
    )
    screen.result(f"Localizer: {display_safe(localizer)}.")
    rows = [
        [f"{times * before[key]:7.2f}", f"{times * after[key]:8.2f}", words]
        for key, times, words in _FIGURES
    ]
    screen.table([["shipped", "refitted", "percent"], *rows])
    screen.result(
        f"Slope {shipped.slope:.2f} -> {fitted.standing.slope:.2f}, "
        f"shift {shipped.shift:+.2f} -> {fitted.standing.shift:+.2f}."
    )
    screen.note("Each half of the queries is judged by what was fitted to the other half.")
    if not fitted.better:
        screen.note("The refit is no better (Brier), so nothing changes.")
    elif dry_run:
        screen.note("The refit is better. Nothing was changed; leave out --dry-run to use it.")
    elif kept:
        screen.note("The library uses the refit from now on; gz calibrate --reset goes back.")


def show_reset(screen: Screen, localizer: str, dropped: bool) -> None:
    """What a reset changed."""
    if screen.as_json:
        screen.json("calibrate", {"localizer": localizer, "reset": dropped})
    elif dropped:
        screen.result(f"{display_safe(localizer)}: the shipped calibration is used from now on.")
    else:
        screen.result(f"{display_safe(localizer)}: the shipped calibration is in use already.")
