"""Reads anybody's predictions, and names the row that is none."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from index.errors import UsageError

WINDOWS, SALIENCY = "pred_relevant_windows", "pred_saliency_scores"
PRESENCE = ("pred_presence", "pred_exist_score")
"""Keys of the probability that the moment is there at all: ours, and Soccer-GMR's."""


def read_predictions(path: Path) -> list[Mapping[str, Any]]:
    """Rows of a prediction file, one JSON object in each line.

    Raises:
        UsageError: It cannot be read, or a row is no prediction; file and line are named.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageError(f"cannot read predictions {path}: {why}", "check the path") from error
    rows: list[Mapping[str, Any]] = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            row = _row(f"{path}:{number}", line)
            if rows and _keys(row) != _keys(rows[0]):
                raise UsageError(
                    f"{path}:{number} holds {_listed(row)}, the first row {_listed(rows[0])}",
                    "write the same keys in every row",
                )
            rows.append(row)
    if not rows:
        raise UsageError(f"no prediction in {path}", "write one JSON object for each query")
    return rows


def presence_of(row: Mapping[str, Any]) -> float | None:
    """Probability that the moment is there at all, where the row names one."""
    return next((float(row[key]) for key in PRESENCE if key in row), None)


def _row(place: str, line: str) -> Mapping[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise UsageError(f"{place}: not JSON: {error}") from error
    if not isinstance(row, dict) or isinstance(row.get("qid"), bool):
        raise UsageError(f"{place}: not a prediction, which is a JSON object with a qid")
    if not isinstance(row.get("qid"), int | str):
        raise UsageError(f"{place}: a prediction needs a qid, a number or text")
    windows, scores = row.get(WINDOWS, []), row.get(SALIENCY)
    if not isinstance(windows, list) or not all(_is_window(window) for window in windows):
        raise UsageError(
            f"{place}: {WINDOWS} must list [start_s, end_s] or [start_s, end_s, score], in numbers"
        )
    if SALIENCY in row and not (isinstance(scores, list) and scores and _are_numbers(scores)):
        raise UsageError(f"{place}: {SALIENCY} must list a number for each clip of 2 s")
    for key in PRESENCE:
        if key in row and not (_are_numbers([row[key]]) and 0 <= row[key] <= 1):
            raise UsageError(f"{place}: {key} must be a probability, from 0 to 1")
    return row


def _is_window(window: object) -> bool:
    return isinstance(window, list) and len(window) in (2, 3) and _are_numbers(window)


def _are_numbers(values: list[Any]) -> bool:
    return all(
        isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) for v in values
    )


def _keys(row: Mapping[str, Any]) -> set[str]:
    return {WINDOWS, SALIENCY, *PRESENCE} & row.keys()


def _listed(row: Mapping[str, Any]) -> str:
    return " and ".join(sorted(_keys(row))) or "neither windows nor saliency scores"
