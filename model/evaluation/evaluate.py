"""The report on a model or on anybody's predictions: official keys and what people ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..grounding.calibration import (
    Judged,
    auroc,
    expected_calibration_error,
    rejection_at_recall,
    risk_coverage,
)
from ..grounding.overlap import iou_matrix
from .metrics import evaluate_submission, paired, percent
from .several_moments import several_moments

Floats = npt.NDArray[np.float64]
Row = Mapping[str, Any]

RECALL_DEPTHS = (1, 5)
RECALL_IOUS = (0.3, 0.5, 0.7)
QUERY_WORDS: dict[str, tuple[int, int]] = {
    "1-5 words": (1, 5),
    "6-10 words": (6, 10),
    "11-15 words": (11, 15),
    "16 or more words": (16, 10_000),
}
MOMENT_S: dict[str, tuple[float, float]] = {
    "up to 10 s": (0, 10),
    "10 to 30 s": (10, 30),
    "more than 30 s": (30, float("inf")),
}
WINDOW_COUNTS: dict[str, tuple[int, int]] = {
    "1 window": (1, 1),
    "2 windows": (2, 2),
    "3 or more windows": (3, 10_000),
}


def full_report(
    predictions: Sequence[Row], annotations: Sequence[Row], *, match: bool = True
) -> dict[str, Any]:
    """Official keys, nested as the official script nests them, and ours under ``groundzero``.

    Args:
        predictions: Rows as `evaluate_submission` takes them; they may name a presence.
        annotations: Rows as `evaluate_submission` takes them. Queries without a moment count
            in `several_moments` alone.
        match: Both must hold the same queries.

    Raises:
        UsageError: Queries are missing, unknown, doubled, or none is left.
    """
    pairs = paired(predictions, annotations, match)
    answered = with_moments(pairs)
    report: dict[str, Any] = {"brief": {}}
    if answered:
        report = dict(evaluate_submission(predictions, annotations, match=match))
    if "pred_relevant_windows" not in pairs[0][0]:
        return report
    ours: dict[str, Any] = {}
    if answered:
        ours = {
            **recall_table(answered),
            "by_query_length": _breakdown(answered, QUERY_WORDS, _words),
            "by_moment_length": _breakdown(answered, MOMENT_S, _mean_length_s, above_low=True),
            "by_window_count": _breakdown(answered, WINDOW_COUNTS, _windows),
        }
    if several := several_moments(pairs):
        ours["several_moments"] = several
    return {**report, "groundzero": ours}


def with_moments(pairs: Sequence[tuple[Row, Row]]) -> list[tuple[Row, Row]]:
    """The pairs whose query has a moment; for the others there is nothing to overlap with."""
    return [pair for pair in pairs if pair[1]["relevant_windows"]]


def recall_table(pairs: Sequence[tuple[Row, Row]]) -> dict[str, float]:
    """R@1 and R@5 at IoU 0.3, 0.5, 0.7, and mIoU; percent with two decimals."""
    best = np.array([best_ious(*pair) for pair in pairs]).reshape(len(pairs), len(RECALL_DEPTHS))
    table = {
        f"R{depth}@{threshold}": percent(float(np.mean(best[:, column] >= threshold)))
        for column, depth in enumerate(RECALL_DEPTHS)
        for threshold in RECALL_IOUS
    }
    return table | {"mIoU": percent(float(best[:, 0].mean()))}


def best_ious(prediction: Row, annotation: Row) -> tuple[float, ...]:
    """Best IoU with any true window among the first 1 and the first 5 listed."""
    truth = np.array(annotation["relevant_windows"], np.float64).reshape(-1, 2)
    listed = [window[:2] for window in prediction["pred_relevant_windows"][: max(RECALL_DEPTHS)]]
    if not listed or not len(truth):
        return (0.0,) * len(RECALL_DEPTHS)
    ious = iou_matrix(np.array(listed, np.float64), truth).max(1)
    return tuple(float(ious[:depth].max()) for depth in RECALL_DEPTHS)


def presence_report(judged: Judged) -> dict[str, float]:
    """How well presence tells videos that show the event from videos that do not.

    Args:
        judged: Videos that were asked their own sentence, and others that were not.

    Returns:
        AUROC, expected calibration error and the share of absent events rejected at
        95 % recall, each 0 to 1. The calibration whose error is told was never fitted on the
        query that it judges: see `Judged.cross_fitted`.
    """
    return {
        "auroc": auroc(judged.logits, judged.outcome),
        "ece": expected_calibration_error(judged.cross_fitted(), judged.outcome),
        "rejection_at_95_recall": rejection_at_recall(judged.logits, judged.outcome),
    }


def confidence_report(pairs: Sequence[tuple[Row, Row]], threshold: float = 0.5) -> dict[str, float]:
    """How well the first window's score tells right answers from wrong ones."""
    scored = [pair for pair in with_moments(pairs) if pair[0]["pred_relevant_windows"]]
    scores = np.array([pair[0]["pred_relevant_windows"][0][2] for pair in scored])
    correct = np.array([best_ious(*pair)[0] >= threshold for pair in scored])
    coverage, risk = risk_coverage(scores, correct)
    table = {"auroc_correct": auroc(scores, correct)}
    for share in (0.25, 0.5, 0.75, 1.0):
        at = min(int(np.searchsorted(coverage, share)), len(risk) - 1)
        table[f"R1@{threshold} of the surest {share:.0%}"] = percent(1 - float(risk[at]))
    return table


def baselines(annotations: Sequence[Row]) -> dict[str, list[Row]]:
    """Predictions that look at nothing: random, the centre, the whole video.

    None where a video's length is not known.
    """
    if not all(row["duration"] for row in annotations):
        return {}
    rng = np.random.default_rng(0)
    rows: dict[str, list[Row]] = {"random": [], "centre": [], "whole video": []}
    for row in annotations:
        length_s = float(row["duration"])
        drawn = np.sort(rng.uniform(0, length_s, (10, 2)), axis=1)
        spans = {
            "random": [[float(s), float(e), 1.0 - i / 10] for i, (s, e) in enumerate(drawn)],
            "centre": [[length_s / 4, 3 * length_s / 4, 1.0]],
            "whole video": [[0.0, length_s, 1.0]],
        }
        for name, windows in spans.items():
            rows[name].append({"qid": row["qid"], "pred_relevant_windows": windows})
    return rows


def _breakdown(
    pairs: Sequence[tuple[Row, Row]],
    classes: Mapping[str, tuple[float, float]],
    measure: Callable[[Row], float],
    above_low: bool = False,
) -> dict[str, dict[str, float]]:
    table = {}
    for name, (low, high) in classes.items():
        kept = [
            pair
            for pair in pairs
            if (low < measure(pair[1]) if above_low else low <= measure(pair[1]))
            and measure(pair[1]) <= high
        ]
        if kept:
            table[name] = {"queries": len(kept), **recall_table(kept)}
    return table


def _words(row: Row) -> float:
    return len(str(row["query"]).split())


def _mean_length_s(row: Row) -> float:
    return float(np.mean([end - start for start, end in row["relevant_windows"]]))


def _windows(row: Row) -> float:
    return len(row["relevant_windows"])
