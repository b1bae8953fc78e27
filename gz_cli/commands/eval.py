"""``gz eval``: how well moments are found, by the field's own protocol."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
from ..views.measured import finite, show_archive
from ..views.render import Screen
from ..views.several_moments import show_several_moments
from .data_options import ClassesOption, FeaturesOption, SkipBadRowsOption, TextFeaturesOption
from .destinations import require_file, require_folder
from .eval_archive import measure_library, write_answers
from .search_options import RefineOption

if TYPE_CHECKING:
    from model.datasets.records import Record

Row = Mapping[str, Any]

_PREDICTION = (
    'Write a line like {"qid": 1, "pred_relevant_windows": [[10.0, 20.0, 0.9]]} for each query: '
    "start and end in seconds, and how sure the answer is."
)

_BRIEF = (
    ("MR-full-R1@0.5", "the first answer is right at IoU 0.5"),
    ("MR-full-R1@0.7", "the first answer is right at IoU 0.7"),
    ("MR-full-mAP", "mean average precision over IoU 0.5 to 0.95"),
    ("MR-short-mAP", "the same for moments of up to 10 s"),
    ("MR-middle-mAP", "the same for moments of 10 to 30 s"),
    ("MR-long-mAP", "the same for moments of more than 30 s"),
    ("HL-min-VeryGood-mAP", "highlights: mean average precision"),
    ("HL-min-VeryGood-Hit1", "highlights: the best clip was rated very good"),
)


def evaluate(
    ctx: typer.Context,
    annotations: Annotated[
        Path,
        typer.Option("--annotations", metavar="FILE", help="The true moments, as for gz train."),
    ],
    archive: Annotated[
        bool,
        typer.Option(
            "--archive",
            help="Ask the whole library, as gz find does; sentences without a moment are absent.",
        ),
    ] = False,
    grounder: Annotated[
        str | None,
        typer.Option(
            "--grounder",
            metavar="DIR|ID",
            help="Model folder or hub id to measure, or training-free; with --archive by default "
            "what gz find uses.",
        ),
    ] = None,
    features: FeaturesOption = None,
    text_features: TextFeaturesOption = None,
    predictions: Annotated[
        Path | None,
        typer.Option(
            "--predictions",
            metavar="FILE",
            help="Measure the answers in this file of JSON lines instead of a model.",
        ),
    ] = None,
    dataset: Annotated[
        str,
        typer.Option(
            "--dataset",
            metavar="NAME",
            help="Kind of the annotations, named as for gz train; auto tells it from the file.",
        ),
    ] = "auto",
    classes: ClassesOption = None,
    write_predictions: Annotated[
        Path | None,
        typer.Option(
            "--write-predictions", metavar="FILE", help="Write the answers that were measured."
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report", metavar="DIR", help="Write a page with figures; needs the extra report."
        ),
    ] = None,
    shared_only: Annotated[
        bool, typer.Option("--shared-only", help="Measure only queries that both files have.")
    ] = False,
    skip_bad_rows: SkipBadRowsOption = False,
    refine: RefineOption = False,
    device: DeviceOption = None,
    as_json: JsonOption = False,
    library: LibraryOption = None,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Measure a trained model, or anybody's predictions, by the QVHighlights protocol.

    With --archive it measures the search itself over the videos of the library: the right
    video, the right moment, and how often it is right about how sure it is. Numbers are
    percent. With --json the result has the official keys, nested as the official script nests
    them, and further ones under "groundzero". A query whose list of moments is empty asks for
    what its video does not show: it counts in no official number, but in those about queries
    with several moments or none, and as absent from the library with --archive.
    """
    from model.evaluation.evaluate import full_report
    from model.evaluation.predictions import read_predictions
    from model.hardware.devices import check_device

    from .answers import answer

    settings = settings_of(ctx)
    screen = Screen(quiet=settings.quiet, as_json=settings.as_json)
    if archive and (predictions or features or text_features or shared_only):
        raise UsageError(
            "--archive asks the library itself: it takes no --predictions, no --shared-only and "
            "no features",
            "Leave them out.",
        )
    if refine and not archive:
        raise UsageError("--refine needs --archive", "see gz eval --help")
    if not archive and (grounder is None) == (predictions is None):
        raise UsageError("give either --grounder or --predictions", "see gz eval --help")
    check_device(device)
    if report is not None:
        # Named before the work begins, not after it: the figures need an extra.
        from model.evaluation.archive_page import write_archive_report
        from model.evaluation.report import write_report

        require_folder(report, "--report")
    if write_predictions is not None:
        require_file(write_predictions, "--write-predictions")
    records = read_records(screen, annotations, dataset, classes, skip_bad_rows, with_absent=True)
    if archive:
        measured = measure_library(
            screen, settings.library_dir, records, grounder, device, refine=refine
        )
        if write_predictions is not None:
            write_answers(measured, write_predictions)
        if report is not None:
            page = write_archive_report(report, measured.report, measured.asked, measured.localizer)
            screen.note(f"Report: {page}")
        if settings.as_json:
            screen.json("eval", finite({"groundzero": {"archive": measured.report}}))
        else:
            show_archive(screen, measured.report)
        return
    extra: dict[str, Any] = {}
    untrained: dict[str, list[Row]] = {}
    if predictions is not None:
        rows = read_predictions(predictions)
    else:
        if grounder is None or features is None or text_features is None:
            raise UsageError(
                "--grounder needs --features and --text-features", "see gz eval --help"
            )
        answers = answer(
            screen, grounder, feature_dirs(features), text_features, records, device,
            untrained_beside=report is not None,
        )  # fmt: skip
        rows, records = answers.rows, answers.records
        extra, untrained = answers.extra, answers.untrained
    truth = [record.official() for record in records]
    result = full_report(rows, truth, match=not shared_only)
    result.setdefault("groundzero", {}).update(extra)
    if write_predictions is not None:
        from index.files import atomic_write

        atomic_write(write_predictions, "".join(f"{json.dumps(r)}\n" for r in rows).encode())
    if report is not None:
        page = write_report(report, result, rows, truth, _history(grounder), untrained)
        screen.note(f"Report: {page}")
    if settings.as_json:
        screen.json("eval", finite(result))
    else:
        _show(screen, result)


def read_records(
    screen: Screen,
    path: Path,
    dataset: str,
    classes: Path | None,
    skip_bad_rows: bool,
    with_absent: bool = False,
) -> tuple[Record, ...]:
    """Checked records of an annotation file; bad rows stop, or are named and left out.

    Args:
        screen: Shows what is left out.
        path: The file.
        dataset: Kind of the annotations.
        classes: Class list of Charades.
        skip_bad_rows: Leave bad rows out.
        with_absent: Rows without a moment are good ones.
    """
    from model.datasets.annotations import read_annotations

    read = read_annotations(path, dataset, classes=classes, with_absent=with_absent)
    if not skip_bad_rows:
        return read.checked()
    for problem in read.problems:
        screen.warning(f"left out {problem}")
    return read.usable()


def feature_dirs(text: str) -> list[Path]:
    """``DIR[,DIR]`` as folders."""
    folders = [Path(part).expanduser() for part in text.split(",") if part]
    if not folders:
        raise UsageError("--features names no folder", "write it like DIR or DIR,DIR")
    return folders


def _history(grounder: str | None) -> list[dict[str, Any]]:
    if grounder is None:
        return []
    from model.training.state import read_history

    return read_history(Path(grounder))


def _show(screen: Screen, result: Mapping[str, Any]) -> None:
    brief, ours = result["brief"], result["groundzero"]
    rows = [[f"{brief[key]:6.2f}", key, words] for key, words in _BRIEF if key in brief]
    for key, words in (
        ("R5@0.5", "one of the first five answers is right at IoU 0.5"),
        ("R5@0.7", "one of the first five answers is right at IoU 0.7"),
        ("mIoU", "mean IoU of the first answers"),
    ):
        if key in ours:
            rows.append([f"{ours[key]:6.2f}", key, words])
    for key, words in (
        ("auroc", "presence: the own query scores above another video's (AUROC)"),
        ("ece", "presence: how far stated and observed frequency differ on held-out queries"),
        (
            "rejection_at_95_recall",
            "presence: absent events rejected where 95 % of the present are kept",
        ),
    ):
        share = ours.get("presence", {}).get(key, float("nan"))
        if share == share:
            rows.append([f"{100 * share:6.2f}", key, words])
    if "recall@1" in ours.get("retrieval", {}):
        found = ours["retrieval"]
        words = f"the model puts the right one of {found['videos']:.0f} videos first"
        rows.append([f"{found['recall@1']:6.2f}", "recall@1", words])
    screen.table(rows)
    if "several_moments" in ours:
        show_several_moments(screen, ours["several_moments"])
    for name, title in (
        ("by_query_length", "length of the query"),
        ("by_moment_length", "length of the moment"),
        ("by_window_count", "true windows of the query"),
    ):
        table = ours.get(name)
        if table:
            screen.result()
            head = [title, "queries", "R1@0.5", "R1@0.7", "R5@0.5", "mIoU"]
            body = [
                [label, str(int(row["queries"]))]
                + [f"{row[key]:.2f}" for key in ("R1@0.5", "R1@0.7", "R5@0.5", "mIoU")]
                for label, row in table.items()
            ]
            screen.table([head, *body])
