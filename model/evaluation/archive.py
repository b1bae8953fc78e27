"""What a search over a whole library is worth: the right video, the right place, the right doubt.

Here a sentence is asked of all videos at once, and may happen in none. Recall is of sentences
that happen; an answer is right where its span and a true one of the same video overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from index.types import Span

from ..grounding.calibration import auroc, expected_calibration_error
from .evaluate import RECALL_DEPTHS, RECALL_IOUS
from .metrics import percent

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

VIDEO_DEPTHS = (1, 5, 10)
RIGHT_IOU = 0.5
"""Least IoU at which a first answer is right, where its presence is held against that."""
BINS = 10
DEFAULT_BAR = 0.5
"""What ``gz find --threshold`` is when nobody sets it."""


@dataclass(frozen=True)
class Moment:
    """A stretch of one of a library's videos."""

    video: str
    """Names the video, in answers and truths alike."""
    span: Span


@dataclass(frozen=True)
class Answer:
    """One hit of a search."""

    moment: Moment
    presence: float
    """Probability, 0 to 1."""


@dataclass(frozen=True)
class Asked:
    """A query, what a library answered and what is true."""

    query: str
    truth: tuple[Moment, ...]
    """Every moment that it describes; none where it does not happen."""
    answers: tuple[Answer, ...]
    """Best first, whatever their presence."""

    @property
    def presence(self) -> float:
        """Of the first answer; 0 without one."""
        return self.answers[0].presence if self.answers else 0.0

    def video_within(self, depth: int) -> bool:
        """True when the first answers name a video in which it happens."""
        right = {moment.video for moment in self.truth}
        return any(answer.moment.video in right for answer in self.answers[:depth])

    def best_iou(self, depth: int) -> float:
        """Best overlap of the first answers with any true moment, 0 to 1."""
        return max(
            (
                answer.moment.span.iou(moment.span)
                for answer in self.answers[:depth]
                for moment in self.truth
                if answer.moment.video == moment.video
            ),
            default=0.0,
        )

    def found(self, bar: float) -> bool:
        """True when any answer reaches the bar."""
        return any(answer.presence >= bar for answer in self.answers)


def archive_report(asked: Sequence[Asked], bar: float = DEFAULT_BAR) -> dict[str, Any]:
    """Ranking and honesty of a library's answers.

    Args:
        asked: Every query once.
        bar: Presence from which an answer counts as found.

    Returns:
        Counts; ``video@K``, ``R{K}@{IoU}``, ``absent_found`` and ``present_lost`` in percent;
        ``auroc`` (does it happen?), ``ece`` and ``brier`` (is the first answer right?) of the
        first answer's presence, 0 to 1; ``reliability``, one row for each tenth of presence.
        What cannot be said, because no query happens or none is absent, is NaN.
    """
    present = [query for query in asked if query.truth]
    absent = [query for query in asked if not query.truth]
    presence = np.array([query.presence for query in asked], np.float64)
    happens = np.array([bool(query.truth) for query in asked], bool)
    right = np.array([query.best_iou(1) >= RIGHT_IOU for query in asked], bool)
    return {
        "queries": len(asked),
        "present": len(present),
        "absent": len(absent),
        **{
            f"video@{depth}": _share([query.video_within(depth) for query in present])
            for depth in VIDEO_DEPTHS
        },
        **{
            f"R{depth}@{threshold}": _share(
                [query.best_iou(depth) >= threshold for query in present]
            )
            for depth in RECALL_DEPTHS
            for threshold in RECALL_IOUS
        },
        "bar": bar,
        "absent_found": _share([query.found(bar) for query in absent]),
        "present_lost": _share([not query.found(bar) for query in present]),
        "auroc": auroc(presence, happens),
        "ece": expected_calibration_error(presence, right, BINS),
        "brier": float(np.mean((presence - right) ** 2)) if len(asked) else float("nan"),
        "reliability": reliability(presence, right),
    }


def reliability(presence: Floats, right: Bools) -> list[dict[str, float]]:
    """How often answers are right that state the same, in equal bins of what they state.

    Args:
        presence: float64 [N], what was stated.
        right: bool [N], what was observed.

    Returns:
        A row for each bin, from the lowest: ``from``, ``to``, ``queries``, and the means
        ``stated`` and ``observed``, NaN in an empty bin.
    """
    which = np.minimum((presence * BINS).astype(int), BINS - 1)
    rows = []
    for number in range(BINS):
        inside = which == number
        count = int(inside.sum())
        rows.append(
            {
                "from": number / BINS,
                "to": (number + 1) / BINS,
                "queries": count,
                "stated": float(presence[inside].mean()) if count else float("nan"),
                "observed": float(right[inside].mean()) if count else float("nan"),
            }
        )
    return rows


def _share(outcomes: Sequence[bool]) -> float:
    return percent(sum(outcomes) / len(outcomes)) if outcomes else float("nan")
