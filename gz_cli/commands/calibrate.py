"""``gz calibrate``: how sure answers are, fitted to queries that a person has labelled."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from index.errors import ModelError, UsageError

from ..calibration import KeptCalibration, drop_calibration, keep_calibration
from ..opening import Judging, open_judging, open_library
from ..options import (
    DebugOption,
    DeviceOption,
    JsonOption,
    LibraryOption,
    QuietOption,
    settings_of,
)
from ..views.calibrated import show_calibrated, show_reset
from ..views.render import Screen
from .eval_archive import Wanted, as_asked, ask_all, wanted_of
from .search_options import GrounderOption

if TYPE_CHECKING:
    from model.datasets.labelled_queries import LabelledQuery
    from model.datasets.records import Record
    from model.evaluation.archive import Asked


def calibrate(
    ctx: typer.Context,
    queries: Annotated[
        Path | None,
        typer.Option(
            "--queries",
            metavar="FILE",
            help="Labelled queries, CSV or JSON Lines: query, and absent or video, start_s, end_s.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Measure only; change nothing.")
    ] = False,
    reset: Annotated[
        bool, typer.Option("--reset", help="Go back to the calibration that was shipped.")
    ] = False,
    grounder: GrounderOption = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
    library: LibraryOption = None,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Fit how sure answers are to queries that you have labelled.

    Each query is asked of the library as gz find would ask it. What the answers are told with
    is then fitted to how often they are right, and measured on the half of the queries that it
    was not fitted to. Where that is no better than what was shipped, nothing changes. At least
    ten queries about what happens and ten about what does not are needed. Ranks stay as they
    are. The library keeps the calibration for the grounding that it was fitted for.
    """
    settings = settings_of(ctx)
    screen = Screen(quiet=settings.quiet, as_json=settings.as_json)
    if reset == (queries is not None) or (reset and dry_run):
        raise UsageError(
            "gz calibrate needs either --queries FILE or --reset",
            "Name a file of labelled queries; see gz calibrate --help",
        )
    if queries is None:
        judging = _judging(screen, settings.library_dir, grounder, device)
        dropped = drop_calibration(settings.library_dir, judging.judge())
        show_reset(screen, judging.localizer.name, dropped)
        return
    from model.datasets.labelled_queries import read_labelled_queries
    from model.evaluation.recalibration import recalibrate

    labelled = _judgeable(screen, read_labelled_queries(queries))
    _require_enough(queries, [not query.absent for query in labelled])
    judging = _judging(screen, settings.library_dir, grounder, device)
    if judging.localizer.knows_model:
        raise ModelError(
            f"The calibration of {judging.localizer.name} was fitted to this very model, "
            "so no queries change it",
            "Calibrate another grounding with --grounder, or a library of another model.",
        )
    wanted = wanted_of(screen, _records(labelled), settings.library_dir)
    _require_enough(queries, [bool(query.truth) for query in wanted])
    asked = _ask(screen, settings.library_dir, wanted, grounder, device)
    now = judging.localizer.standing
    fitted = recalibrate(judging.shipped, now, asked)
    kept = fitted.better and not dry_run
    if kept:
        calibration = KeptCalibration(
            judging.judge(),
            fitted.standing,
            now,
            present=sum(bool(one.truth) for one in asked),
            absent=sum(not one.truth for one in asked),
            date=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        keep_calibration(settings.library_dir, calibration)
    show_calibrated(
        screen, judging.localizer.name, judging.shipped, fitted, kept=kept, dry_run=dry_run
    )


def _judging(
    screen: Screen, library_dir: Path, grounder: str | None, device: str | None
) -> Judging:
    with open_library(library_dir) as library:
        return open_judging(library, grounder, device, screen.note)


def _judgeable(screen: Screen, labelled: Sequence[LabelledQuery]) -> list[LabelledQuery]:
    """The queries whose certainty is that of one moment, not cut short by a rule of its own."""
    from index.search.query import parse
    from index.search.unjudgeable import judge

    plain = [
        query
        for query in labelled
        if len(parse(query.query).parts) == 1 and judge(query.query).most >= 1
    ]
    if len(plain) < len(labelled):
        left_out = len(labelled) - len(plain)
        screen.warning(
            f"left out {left_out:,} {'query' if left_out == 1 else 'queries'} about several "
            "events in an order or about an absence: how sure these are follows from others"
        )
    return plain


def _require_enough(path: Path, present: Sequence[bool]) -> None:
    from model.evaluation.recalibration import LEAST_QUERIES

    happen, absent = sum(present), len(present) - sum(present)
    if min(happen, absent) < LEAST_QUERIES:
        raise UsageError(
            f"{path} has {happen:,} usable {'query' if happen == 1 else 'queries'} about what "
            f"happens and {absent:,} about what does not; {LEAST_QUERIES} of each are needed",
            "Label more queries.",
        )


def _records(labelled: Sequence[LabelledQuery]) -> list[Record]:
    """A row for each moment, and for each query that is absent."""
    from model.datasets.records import Record

    rows = []
    for query in labelled:
        if query.absent:
            rows.append(Record(query.line, "", query.query, ()))
        for moment in query.moments:
            window = (moment.span.start_s, moment.span.end_s)
            rows.append(Record(query.line, moment.video, query.query, (window,)))
    return rows


def _ask(
    screen: Screen,
    library_dir: Path,
    wanted: Sequence[Wanted],
    grounder: str | None,
    device: str | None,
) -> list[Asked]:
    """What the library answers to every query.

    Raises:
        ModelError: Its answers cannot be calibrated.
    """
    asked = []
    for query, result in ask_all(screen, library_dir, wanted, grounder, device, refine=False):
        if result.uncalibrated:
            raise ModelError(
                f"Nothing can be calibrated here. {result.uncalibrated}",
                "Index more videos, or use another model: gz index --model",
            )
        if result.hits:
            asked.append(as_asked(query, result))
    return asked
