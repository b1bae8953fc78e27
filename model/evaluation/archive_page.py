"""The answers of a whole library as one page that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from index.files import shown

from .archive import Asked, Moment
from .charts import bars, lines, reliability
from .report import EXAMPLES, cells, write_page

_IOUS = tuple(step / 20 for step in range(6, 20))
_PRESENCE_BINS = 20


def write_archive_report(
    folder: Path, report: Mapping[str, Any], asked: Sequence[Asked], localizer: str
) -> Path:
    """Writes ``index.html`` into a folder and returns its path.

    Args:
        folder: Made where it is missing.
        report: What `archive_report` returned for these queries.
        asked: Every query, what was answered and what is true.
        localizer: Name of what placed the answers.
    """
    body = [
        "<h1>Search report</h1>",
        f"<p>{report['queries']:,} queries, asked of the whole library: "
        f"{report['present']:,} about what happens, {report['absent']:,} about what does not. "
        f"Localizer: {escape(localizer)}. Numbers are percent.</p>",
        _numbers(report),
        '<h2>Figures</h2><div class="figures">',
        *_figures(report, asked),
        "</div>",
        _reliability_table(report),
        _examples(report, asked),
    ]
    return write_page(folder, "Search report", body)


def _numbers(report: Mapping[str, Any]) -> str:
    bar = f"{report['bar']:.0%}"
    rows = [
        (f"right video among the first {depth}", report[f"video@{depth}"]) for depth in (1, 5, 10)
    ]
    rows += [(key, report[key]) for key in report if key.startswith("R")]
    rows += [
        (f"happens and is lost (every answer below {bar})", report["present_lost"]),
        (f"does not happen and is said to be found ({bar} or more)", report["absent_found"]),
        ("AUROC: what happens is surer than what does not", 100 * report["auroc"]),
        ("ECE: how far stated and observed frequency differ", 100 * report["ece"]),
        ("Brier: mean squared error of what is stated", 100 * report["brier"]),
    ]
    said = "".join(cells([name, f"{value:.2f}"]) for name, value in rows if value == value)
    return f"<table>{said}</table>"


def _figures(report: Mapping[str, Any], asked: Sequence[Asked]) -> list[str]:
    rows = [row for row in report["reliability"] if row["queries"]]
    out = [
        reliability(
            [(row["stated"], row["observed"]) for row in rows],
            [row["queries"] for row in rows],
            "Reliability: right as often as it says so",
        )
    ]
    present = [query for query in asked if query.truth]
    if present:
        curves = {
            f"among the first {depth}" if depth > 1 else "the first answer": [
                (iou, 100 * sum(query.best_iou(depth) >= iou for query in present) / len(present))
                for iou in _IOUS
            ]
            for depth in (1, 5)
        }
        names = ("IoU threshold", "recall, percent")
        title = "Recall over IoU thresholds"
        out.append(lines(curves, title, names, (_IOUS[0], _IOUS[-1]), (0, 100)))
    for what, some in (("happens", present), ("does not", [q for q in asked if not q.truth])):
        if some:
            title = f"How sure the first answer is where the query {what}"
            out.append(bars(_shares(some), title, "presence", (0, 1)))
    return out


def _shares(asked: Sequence[Asked]) -> list[float]:
    """Percent of the queries by the presence of their first answer."""
    counts = [0] * _PRESENCE_BINS
    for query in asked:
        counts[min(_PRESENCE_BINS - 1, int(query.presence * _PRESENCE_BINS))] += 1
    return [100 * count / len(asked) for count in counts]


def _reliability_table(report: Mapping[str, Any]) -> str:
    head = cells(["stated", "queries", "mean stated", "first answer right"], "th")
    rows = "".join(
        cells(
            [
                f"{100 * row['from']:.0f} to {100 * row['to']:.0f}",
                f"{row['queries']:,}",
                f"{100 * row['stated']:.1f}",
                f"{100 * row['observed']:.1f}",
            ]
        )
        for row in report["reliability"]
        if row["queries"]
    )
    return f"<h2>Stated and observed</h2><table>{head}{rows}</table>"


def _examples(report: Mapping[str, Any], asked: Sequence[Asked]) -> str:
    """The queries that a person should look at first."""
    bar = report["bar"]
    surest_first = sorted(asked, key=lambda query: -query.presence)
    groups = (
        ("Do not happen, and are said to be found",
         [q for q in surest_first if not q.truth and q.found(bar)]),
        ("Happen, and the first answer is elsewhere",
         [q for q in surest_first if q.truth and q.found(bar) and not q.best_iou(1)]),
        ("Happen, and are lost", [q for q in surest_first[::-1] if q.truth and not q.found(bar)]),
    )  # fmt: skip
    out = []
    for title, queries in groups:
        if not queries:
            continue
        rows = "".join(_example(query) for query in queries[:EXAMPLES])
        head = cells(["query", "presence", "first answer", "truth"], "th")
        out.append(
            f"<h2>{title}</h2><p><small>{min(EXAMPLES, len(queries))} of {len(queries)}; "
            f"seconds from the start of the video.</small></p><table>{head}{rows}</table>"
        )
    return "".join(out)


def _example(query: Asked) -> str:
    first = [answer.moment for answer in query.answers[:1]]
    return cells(
        [
            query.query,
            f"{100 * query.presence:.0f}",
            "; ".join(map(_place, first)),
            "; ".join(map(_place, query.truth[:3])) + ("; ..." if len(query.truth) > 3 else ""),
        ]
    )


def _place(moment: Moment) -> str:
    span = moment.span
    return f"{shown(Path(moment.video).name)} {span.start_s:.1f} - {span.end_s:.1f}"
