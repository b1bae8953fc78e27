"""What a person sees of queries with several moments, or with none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .render import Screen

_WORDS = {
    "multi_moment": {
        "G-mAP": "mean average precision, whatever the number of moments",
        "mAP@1_tgt": "the same for queries with one moment",
        "mAP@2_tgt": "the same for queries with two",
        "mAP@3+tgt": "the same for queries with three or more",
        "mR@1": "found by the first answer, mean over IoU 0.3 to 0.95",
        "mR@2": "found by the first two, of queries with two moments or more",
        "mR@3": "found by the first three, of queries with three or more",
    },
    "generalised": {
        "AUROC": "queries that have a moment score above those that have none",
        "Rej-F1": "queries without a moment are answered with none",
        "mR@5": "moments found by the first five answers, mean over IoU 0.5 to 0.95",
        "mR+@5": "the same of queries with several moments, the first found left out",
        "G-mIoU@1": "overlap of the first answer, and none where there is none",
        "G-mIoU@3": "the same of the first three answers, each one too many counting against it",
    },
}
"""The numbers that are shown; the others are in the JSON and on the page."""


def show_several_moments(screen: Screen, several: Mapping[str, Any]) -> None:
    """Shows both protocols, one below the other."""
    counts = several["queries"]
    screen.result()
    screen.result(
        f"Queries: {counts['none']} without a moment, {counts['one']} with one, "
        f"{counts['several']} with several."
    )
    rows = [
        [f"{several[name][key]:6.2f}", key, words]
        for name, table in _WORDS.items()
        for key, words in table.items()
        if key in several[name]
    ]
    screen.table(rows)
