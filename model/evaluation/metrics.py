"""The official QVHighlights protocol for moment retrieval and highlight detection, in numpy.

Every number keeps the official rounding: percent with two decimals, averages taken
from unrounded values. What is easy to get wrong and is kept on purpose:

* R1 looks at the first window *in file order*, mAP at the first ten in file order,
  which only then are sorted by score.
* A query stays in a length range when one of its true windows does; predictions are
  never filtered by length.
* Highlight precision is taken for each of the three annotators apart; an annotator
  without a positive clip counts as zero.

The official script knows no query without a moment (its precision would divide by zero), so
such queries are left out of every number here; `several_moments` is about them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from index.errors import UsageError

from ..grounding.overlap import iou_matrix

Floats = npt.NDArray[np.float64]
Report = dict[str, dict[str, Any]]

IOU_THRESHOLDS: tuple[float, ...] = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
LENGTH_RANGES_S: dict[str, tuple[float, float]] = {
    "short": (0, 10),
    "middle": (10, 30),
    "long": (30, 150),
    "full": (0, 150),
}
SALIENCY_LEVELS: dict[str, int] = {"Fair": 2, "Good": 3, "VeryGood": 4}
_MOMENT_METRICS = {
    "MR-full-R1@0.5": ("full", "MR-R1", "0.5"),
    "MR-full-R1@0.7": ("full", "MR-R1", "0.7"),
    "MR-full-mAP": ("full", "MR-mAP", "average"),
    "MR-full-mAP@0.5": ("full", "MR-mAP", "0.5"),
    "MR-full-mAP@0.75": ("full", "MR-mAP", "0.75"),
    "MR-long-mAP": ("long", "MR-mAP", "average"),
    "MR-middle-mAP": ("middle", "MR-mAP", "average"),
    "MR-short-mAP": ("short", "MR-mAP", "average"),
}
METRICS = (
    *_MOMENT_METRICS,
    *(f"HL-min-{level}-{name}" for level in SALIENCY_LEVELS for name in ("mAP", "Hit1")),
)
"""Keys of ``brief``; those of highlights are there where all annotations are rated."""
MAX_WINDOWS = 10
CLIP_S = 2.0


def evaluate_submission(
    predictions: Sequence[Mapping[str, Any]],
    annotations: Sequence[Mapping[str, Any]],
    *,
    match: bool = True,
) -> Report:
    """Scores a submission as the official script does.

    Args:
        predictions: Rows with ``qid`` and ``pred_relevant_windows`` (``[start_s, end_s,
            score]``, best first), ``pred_saliency_scores`` (one per 2 s clip), or both.
        annotations: Rows with ``qid``, ``relevant_windows`` and, for highlights,
            ``duration``, ``relevant_clip_ids`` and ``saliency_scores``; highlights are
            scored where every row has them.
        match: Both must hold the same queries; otherwise only shared ones are scored.

    Returns:
        Nested like the official result: ``brief`` first, then ``HL-min-*``, ``full``,
        ``long``, ``middle`` and ``short``; percent with two decimals.

    Raises:
        UsageError: Queries are missing, unknown, doubled, or none with a moment is left.
    """
    pairs = paired(predictions, annotations, match)
    predicted = [prediction for prediction, row in pairs if row["relevant_windows"]]
    truth = [row for _, row in pairs if row["relevant_windows"]]
    if not truth:
        raise UsageError(
            "no query that was answered has a moment", "check that both files belong together"
        )
    report: Report = {}
    brief: dict[str, float] = {}
    if "pred_relevant_windows" in predicted[0]:
        moments = _moment_report(predicted, truth)
        report.update(moments)
        brief.update(_moment_brief(moments))
    if "pred_saliency_scores" in predicted[0] and all(map(_is_rated, truth)):
        highlights = _highlight_report(predicted, truth)
        report.update(highlights)
        for level, scores in highlights.items():
            brief.update({f"{level}-{name[3:]}": value for name, value in scores.items()})
    if not brief and "pred_saliency_scores" in predicted[0]:
        raise UsageError(
            "the predictions hold only pred_saliency_scores, and not every annotation is rated",
            "give annotations with relevant_clip_ids and saliency_scores, or add "
            "pred_relevant_windows",
        )
    if not brief:
        raise UsageError(
            "the predictions hold neither pred_relevant_windows nor pred_saliency_scores",
            "write one of these keys in every row",
        )
    return {"brief": brief, **{name: report[name] for name in sorted(report)}}


def paired(
    predictions: Sequence[Mapping[str, Any]], annotations: Sequence[Mapping[str, Any]], match: bool
) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Each prediction with the annotation of its query.

    Args:
        predictions: Rows with a ``qid``.
        annotations: Rows with a ``qid``.
        match: Both must hold the same queries; otherwise only shared ones are paired.

    Raises:
        UsageError: Queries are missing, unknown, doubled, or none is left.
    """
    predicted = {row["qid"]: row for row in predictions}
    truth = {row["qid"]: row for row in annotations}
    for rows, by_qid, what in (
        (predictions, predicted, "predictions"),
        (annotations, truth, "annotations"),
    ):
        if len(rows) != len(by_qid):
            raise UsageError(
                f"the {what} name a qid twice ({len(rows)} rows, {len(by_qid)} queries)",
                "keep one row for each query",
            )
    missing, unknown = truth.keys() - predicted.keys(), predicted.keys() - truth.keys()
    if match and (missing or unknown):
        if set(map(str, missing)) & set(map(str, unknown)):
            raise UsageError(
                "qids are text in one of the two files and numbers in the other",
                'write them alike: qid 12 is not qid "12"',
            )
        raise UsageError(
            f"predictions and annotations differ: {len(missing)} queries without a prediction, "
            f"{len(unknown)} predictions without a query",
            "score only the shared ones with --shared-only, or complete the file",
        )
    pairs = [(row, truth[qid]) for qid, row in predicted.items() if qid in truth]
    if not pairs:
        raise UsageError(
            "predictions and annotations share no query", "check that both files belong together"
        )
    return pairs


def moment_average_precision(
    windows: Floats, truth: Floats, thresholds: Sequence[float] = IOU_THRESHOLDS
) -> Floats:
    """Interpolated average precision of one query at each IoU threshold.

    Args:
        windows: float64 [N, 3] start_s, end_s, score; sorted here by score, ties as given.
        truth: float64 [M, 2]; each is matched at most once.
        thresholds: IoU from which a match counts.

    Returns:
        float64 [len(thresholds)], 0 to 1.
    """
    if not len(windows):
        return np.zeros(len(thresholds))
    ordered = windows[np.argsort(-windows[:, 2], kind="stable")]
    ious = iou_matrix(ordered[:, :2], truth)
    return np.array([_matched_precision(ious, threshold) for threshold in thresholds])


def highlight_average_precision(relevant: npt.NDArray[np.bool_], scores: Floats) -> float:
    """Interpolated average precision of clip scores for one annotator, 0 to 1.

    Args:
        relevant: bool [clips].
        scores: float64 [clips]; equal scores form one point of the curve.
    """
    if relevant.all() or not relevant.any():
        return float(relevant.all())
    values, step = np.unique(-scores, return_inverse=True)
    positives = np.cumsum(np.bincount(step, weights=relevant, minlength=len(values)))
    chosen = np.cumsum(np.bincount(step, minlength=len(values)))
    precision = np.maximum.accumulate((positives / chosen)[::-1])[::-1]
    rises = np.diff(positives, prepend=0.0) > 0
    return float(precision[rises].mean())


def clip_saliency(row: Mapping[str, Any]) -> Floats:
    """What the annotators gave each 2 s clip of a video, float64 [clips, 3], 0 to 4."""
    clips = int(row["duration"] / CLIP_S)
    table: Floats = np.zeros((clips, 3))
    for clip, scores in zip(row["relevant_clip_ids"], row["saliency_scores"], strict=True):
        if clip < clips:
            table[clip] = scores
    return table


def percent(share: float) -> float:
    """A share as percent with two decimals, rounded as the official script rounds."""
    return float(f"{100 * share:.2f}")


def _is_rated(row: Mapping[str, Any]) -> bool:
    return "relevant_clip_ids" in row and "saliency_scores" in row


def _moment_report(predicted: list[Mapping[str, Any]], truth: list[Mapping[str, Any]]) -> Report:
    guesses = [listed_windows(row) for row in predicted]
    windows = [np.array(row["relevant_windows"], np.float64).reshape(-1, 2) for row in truth]
    report: Report = {}
    for name, (shortest_s, longest_s) in LENGTH_RANGES_S.items():
        kept: list[tuple[Floats, Floats]] = []
        for guess, true in zip(guesses, windows, strict=True):
            if name != "full":
                length_s = true[:, 1] - true[:, 0]
                true = true[(shortest_s < length_s) & (length_s <= longest_s)]
                if not len(true):
                    continue
            kept.append((guess, true))
        report[name] = {"MR-mAP": _mean_precision(kept), "MR-R1": _recall_at_one(kept)}
    return report


def listed_windows(row: Mapping[str, Any]) -> Floats:
    """The windows of a prediction that count, float64 [N, 3]; unscored ones rank as listed."""
    listed = row["pred_relevant_windows"][:MAX_WINDOWS]
    return np.array(
        [[w[0], w[1], w[2] if len(w) > 2 else -rank] for rank, w in enumerate(listed)], np.float64
    ).reshape(-1, 3)


def _mean_precision(kept: list[tuple[Floats, Floats]]) -> dict[str, float]:
    if not kept:
        return {str(t): 0.0 for t in IOU_THRESHOLDS} | {"average": 0.0}
    table = np.array([moment_average_precision(guess, true) for guess, true in kept])
    means = table.mean(0)
    out = {str(t): percent(mean) for t, mean in zip(IOU_THRESHOLDS, means, strict=True)}
    return out | {"average": percent(float(means.mean()))}


def _recall_at_one(kept: list[tuple[Floats, Floats]]) -> dict[str, float]:
    best = np.array(
        [
            iou_matrix(guess[:1, :2], true).max() if len(guess) and len(true) else 0.0
            for guess, true in kept
        ]
    )
    return {str(t): percent(float(np.mean(best >= t))) if kept else 0.0 for t in IOU_THRESHOLDS}


def _moment_brief(report: Report) -> dict[str, float]:
    return {
        key: report[lengths][table][threshold]
        for key, (lengths, table, threshold) in _MOMENT_METRICS.items()
    }


def _matched_precision(ious: Floats, threshold: float) -> float:
    taken: set[int] = set()
    hits = np.zeros(len(ious))
    for rank, row in enumerate(ious):
        for true in np.argsort(row)[::-1]:
            if row[true] < threshold:
                break
            if int(true) not in taken:
                taken.add(int(true))
                hits[rank] = 1.0
                break
    found = np.cumsum(hits)
    precision = found / np.arange(1, len(hits) + 1)
    recall = found / ious.shape[1]
    return _area(precision, recall)


def _area(precision: Floats, recall: Floats) -> float:
    envelope = np.maximum.accumulate(np.hstack([[0.0], precision, [0.0]])[::-1])[::-1]
    steps = np.hstack([[0.0], recall, [1.0]])
    rises = np.flatnonzero(steps[1:] != steps[:-1]) + 1
    return float(np.sum((steps[rises] - steps[rises - 1]) * envelope[rises]))


def _highlight_report(
    predicted: list[Mapping[str, Any]], truth: list[Mapping[str, Any]]
) -> dict[str, dict[str, float]]:
    saliency = [clip_saliency(row) for row in truth]
    scores = [np.array(row["pred_saliency_scores"], np.float64) for row in predicted]
    report = {}
    for name, level in SALIENCY_LEVELS.items():
        relevant = [table >= level for table in saliency]
        precision = [
            highlight_average_precision(table[:, annotator], _fitted(guess, len(table)))
            for table, guess in zip(relevant, scores, strict=True)
            for annotator in range(3)
        ]
        hits = [
            bool(table[top].any()) if (top := int(np.argmax(guess))) < len(table) else False
            for table, guess in zip(relevant, scores, strict=True)
        ]
        report[f"HL-min-{name}"] = {
            "HL-mAP": percent(float(np.mean(precision))),
            "HL-Hit1": percent(float(np.mean(hits))),
        }
    return report


def _fitted(scores: Floats, clips: int) -> Floats:
    return np.pad(scores[:clips], (0, max(0, clips - len(scores))))
