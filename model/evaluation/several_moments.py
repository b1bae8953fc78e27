"""Queries with several moments, or with none: two published protocols beside the official one.

*Multi-moment retrieval* (arXiv 2510.17218, QV-M2) asks whether all moments of a query are
found. *Generalised moment retrieval* (arXiv 2605.02623, Soccer-GMR) also asks queries about
what the video does not show, and wants an empty answer to them. Both have an ``mR@k`` and an
``mIoU@k``, and mean different things by them, so each keeps a table of its own.

Numbers follow the evaluation scripts that the authors published beside their papers, so that
they compare with the papers' tables, with these exceptions, which are ours:

* In QV-M2 a query with fewer answers than ``k`` counts, what was not answered as not found.
  The paper wants every query with at least ``k`` moments; its script leaves out those that
  were answered briefly, so that silence would pay.
* In the generalised protocol an answer is empty where its presence is below `PRESENT`, or,
  in rows without a presence, where no window is listed. The script compares the best
  window's score with 0.4 and 0.6 instead, but a foreign score is no probability.
* A number that no query counts towards is left out; the scripts write 0, or 50 for AUROC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..grounding.calibration import auroc
from ..grounding.overlap import iou_matrix
from .metrics import IOU_THRESHOLDS, listed_windows, moment_average_precision, percent
from .predictions import presence_of

Floats = npt.NDArray[np.float64]
Row = Mapping[str, Any]

PRESENT = 0.5
"""An answer of lower presence says that the moment is not there."""
MULTI_DEPTHS = (1, 2, 3)
MULTI_IOUS = tuple(k / 100 for k in range(30, 100, 5))
GENERAL_DEPTHS = (1, 3, 5)


@dataclass(frozen=True)
class _Asked:
    """One query with all that is counted of it."""

    moments: int
    precision: float
    """Average precision, mean over the IoU thresholds; 0 without a moment."""
    ious: Floats
    """float64 [N, moments], of the first windows in file order with the true ones."""
    score: float
    """How sure the answer is that something is there; only the order matters."""
    empty: bool
    """The answer says that nothing is there."""


def several_moments(pairs: Sequence[tuple[Row, Row]]) -> dict[str, Any]:
    """What both protocols say; empty where every query has exactly one moment.

    Args:
        pairs: Predictions with their annotations, as the official protocol has them; true
            windows may be none, and a prediction may name its presence.

    Returns:
        ``queries`` (how many have no moment, one, several), ``multi_moment`` and
        ``generalised``; percent with two decimals.
    """
    asked = [_asked(prediction, annotation) for prediction, annotation in pairs]
    counts = np.array([query.moments for query in asked])
    if np.all(counts == 1):
        return {}
    return {
        "queries": {
            "none": int((counts == 0).sum()),
            "one": int((counts == 1).sum()),
            "several": int((counts > 1).sum()),
        },
        "multi_moment": _multi_moment(asked),
        "generalised": {**_rejection(asked), **_localisation(asked), **_both_together(asked)},
    }


def _multi_moment(asked: Sequence[_Asked]) -> dict[str, float]:
    """QV-M2: precision by the number of moments, and what the first k answers find of k.

    ``G-mAP`` is the mean over all queries that have moments; ``mAP@3+tgt`` the mean over the
    numbers of moments from three on, each of which weighs the same however many queries have
    it. ``mR@k`` is the mean over IoU 0.3 to 0.95 of the share of k windows that match a
    moment each, over queries with at least k; ``mIoU@k`` the mean overlap of the same.
    """
    by_count: dict[int, list[float]] = {}
    for query in asked:
        if query.moments:
            by_count.setdefault(query.moments, []).append(query.precision)
    means = {count: float(np.mean(values)) for count, values in by_count.items()}
    many = [mean for count, mean in means.items() if count >= 3]
    table = {}
    if by_count:
        table["G-mAP"] = percent(float(np.mean(np.concatenate(list(by_count.values())))))
    table |= {f"mAP@{count}_tgt": percent(means[count]) for count in (1, 2) if count in means}
    if many:
        table["mAP@3+tgt"] = percent(float(np.mean(many)))
    for k in MULTI_DEPTHS:
        ious = [query.ious[:k] for query in asked if query.moments >= k]
        if ious:
            places = k * len(ious)
            recall = [
                percent(sum(len(_matched(first, least)) for first in ious) / places)
                for least in MULTI_IOUS
            ]
            table[f"mR@{k}"] = float(np.round(np.mean(recall), 2))
            total = sum(float(_matched(first).sum()) for first in ious)
            table[f"mIoU@{k}"] = percent(total / places)
    return table


def _rejection(asked: Sequence[_Asked]) -> dict[str, float]:
    """Whether queries without a moment are told from the others: AUROC, Rej-F1 and Acc.

    ``Rej-F1`` takes an empty answer to a query without a moment for the hit; ``Acc`` counts
    every query that is rightly answered, or rightly not. Empty without both kinds of query.
    """
    there = np.array([query.moments > 0 for query in asked])
    if there.all() or not there.any():
        return {}
    empty = np.array([query.empty for query in asked])
    hits = int((empty & ~there).sum())
    return {
        "AUROC": percent(auroc(np.array([query.score for query in asked]), there)),
        "Rej-F1": percent(2 * hits / int(empty.sum() + (~there).sum())),
        "Acc": percent(float(np.mean(empty != there))),
    }


def _localisation(asked: Sequence[_Asked]) -> dict[str, float]:
    """How well queries that have moments are answered, whatever presence was said of them.

    ``mR@k`` is the share of a query's moments that the first k windows match, over queries
    and IoU 0.5 to 0.95; ``mR+@k`` the same of those with several, without the one that is
    matched first. ``mIoU@k`` is the mean overlap of the k windows with the moments that they
    are given to, in turn; ``mIoU+@k`` leaves out the best of them. With one window the two
    that leave one out are zero, and not told.
    """
    there = [query for query in asked if query.moments]
    several = [query for query in there if query.moments > 1]
    if not there:
        return {}
    table = {"mAP": percent(float(np.mean([query.precision for query in there])))}
    for k in GENERAL_DEPTHS:
        table[f"mR@{k}"] = percent(float(np.mean([_recall(query, k) for query in there])))
        overlaps = [_mean(_matched(query.ious[:k])) for query in there]
        table[f"mIoU@{k}"] = percent(float(np.mean(overlaps)))
        if several and k > 1:
            more = [_recall(query, k, beyond=1) for query in several]
            table[f"mR+@{k}"] = percent(float(np.mean(more)))
            rest = [_mean(np.sort(_matched(query.ious[:k]))[:-1]) for query in several]
            table[f"mIoU+@{k}"] = percent(float(np.mean(rest)))
    return table


def _both_together(asked: Sequence[_Asked]) -> dict[str, float]:
    """``G-mIoU@k``: answered where there is something, silent where there is nothing.

    A rightly empty answer counts 1, a wrongly empty or wrongly given one 0. Else the k
    windows are given to moments in turn, each to the free one that it overlaps most, and the
    overlaps are added and divided by the number of windows and moments, pairs counted once.
    """
    table = {}
    for k in GENERAL_DEPTHS:
        scores = []
        for query in asked:
            answered = 0 if query.empty else min(k, len(query.ious))
            if not answered or not query.moments:
                scores.append(float(not answered and not query.moments))
                continue
            pairs = _matched(query.ious[:k])
            scores.append(float(pairs.sum()) / (answered + query.moments - len(pairs)))
        table[f"G-mIoU@{k}"] = percent(float(np.mean(scores)))
    return table


def _asked(prediction: Row, annotation: Row) -> _Asked:
    truth = np.array(annotation["relevant_windows"], np.float64).reshape(-1, 2)
    listed = listed_windows(prediction)
    presence = presence_of(prediction)
    scores = [window[2] for window in prediction["pred_relevant_windows"] if len(window) > 2]
    return _Asked(
        moments=len(truth),
        precision=float(moment_average_precision(listed, truth).mean()) if len(truth) else 0.0,
        ious=iou_matrix(listed[:, :2], truth),
        score=presence if presence is not None else max(scores, default=-np.inf),
        empty=not len(listed) or (presence is not None and presence < PRESENT),
    )


def _matched(ious: Floats, least: float = 0.0) -> Floats:
    """Overlaps of the pairs where each window in turn takes the free moment it overlaps most."""
    free = np.ones(ious.shape[1], bool)
    taken = []
    for row in ious:
        if not free.any():
            break
        best = int(np.argmax(np.where(free, row, -1.0)))
        if row[best] >= least:
            free[best] = False
            taken.append(row[best])
    return np.array(taken)


def _recall(query: _Asked, k: int, beyond: int = 0) -> float:
    found = [max(0, len(_matched(query.ious[:k], least)) - beyond) for least in IOU_THRESHOLDS]
    return float(np.mean(found)) / (query.moments - beyond)


def _mean(overlaps: Floats) -> float:
    return float(overlaps.mean()) if len(overlaps) else 0.0
