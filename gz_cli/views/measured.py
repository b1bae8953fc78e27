"""Figures of an evaluation for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .render import Screen

_OF_ALL = (
    ("video@1", "the first answer is in the right video"),
    ("video@5", "one of the first five answers is"),
    ("video@10", "one of the first ten answers is"),
    ("R1@0.3", "the first answer is right at IoU 0.3"),
    ("R1@0.5", "the first answer is right at IoU 0.5"),
    ("R1@0.7", "the first answer is right at IoU 0.7"),
    ("R5@0.3", "one of the first five answers is right at IoU 0.3"),
    ("R5@0.5", "one of the first five answers is right at IoU 0.5"),
    ("R5@0.7", "one of the first five answers is right at IoU 0.7"),
    ("present_lost", "of what happens: not found, every answer is below {bar:.0%}"),
    ("absent_found", "of what does not happen: said to be found, at {bar:.0%} or more"),
)
_OF_PRESENCE = (
    ("auroc", "what happens is surer than what does not (AUROC)"),
    ("ece", "how far stated and observed frequency differ (ECE)"),
    ("brier", "mean squared error of what is stated (Brier)"),
)


def finite(value: Any) -> Any:
    """The same with null for NaN, which JSON does not have."""
    if isinstance(value, Mapping):
        return {key: finite(part) for key, part in value.items()}
    if isinstance(value, list):
        return [finite(part) for part in value]
    return None if isinstance(value, float) and value != value else value


def show_archive(screen: Screen, report: Mapping[str, Any]) -> None:
    """How a whole library answers: a line for each figure, then what was stated and observed."""
    screen.result(
        f"{report['queries']:,} {'query' if report['queries'] == 1 else 'queries'}, "
        f"{report['present']:,} about what happens, {report['absent']:,} about what does not. "
        f"Localizer: {report['localizer']}."
    )
    rows = [[report[key], key, words.format(bar=report["bar"])] for key, words in _OF_ALL]
    rows += [[100 * report[key], key, words] for key, words in _OF_PRESENCE]
    screen.table([[f"{value:6.2f}", *rest] for value, *rest in rows if value == value])
    screen.result()
    screen.table(
        [
            ["stated", "queries", "mean stated", "first answer right"],
            *map(_bin, _filled(report["reliability"])),
        ]
    )


def _filled(rows: Sequence[Mapping[str, float]]) -> list[Mapping[str, float]]:
    return [row for row in rows if row["queries"]]


def _bin(row: Mapping[str, float]) -> list[str]:
    return [
        f"{100 * row['from']:.0f} to {100 * row['to']:.0f} %",
        f"{row['queries']:,.0f}",
        f"{100 * row['stated']:.1f} %",
        f"{100 * row['observed']:.1f} %",
    ]
