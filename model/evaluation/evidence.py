"""How far a trained model's own word on presence helps to search an archive.

A search knows how a moment's best frame stands among all of the library's. The model saw
the whole window, but knows nothing of the others. Every held-out sentence is asked of all
held-out windows together, once as it is and once without its own video; the model is heard
as far as that makes the first hits of sentences that it was not fitted to more honest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..datasets.features import Features
from ..datasets.records import Record
from ..grounding.calibration import halves
from ..grounding.localizer import Claim, TrainedLocalizer
from ..grounding.logistic import sigmoid
from ..grounding.standing import Standing
from .held_out_archive import RIGHT_IOU, HeldOutArchive, archive_of

Floats = npt.NDArray[np.float64]

MOST_QUERIES = 120
LOOKED_AT = 16
"""Windows, those with the best frames, among which a sentence's moment is sought."""
LEAST_QUERIES = 20
"""Fewer say nothing about a model."""
TRUSTS = (0.0, 0.15, 0.3, 0.5, 0.75, 1.0, 1.5)
"""Log-odds of a deviation, from which one is chosen."""
_SURE = 1.0
"""Standard errors by which sentences must gain for a model to be heard."""
_TINY = 1e-9
_LEAST_SPREAD = 0.1


@dataclass(frozen=True)
class Evidence:
    """What a model's own word is worth in a search of held-out windows."""

    queries: int
    trust: float
    """What it weighs, log-odds of a deviation; 0 where it does not help."""
    loss: float
    """Mean log loss of which window is meant, or none, with a weight that was chosen on other
    sentences."""
    loss_unheard: float
    """The same with the library's scores alone."""

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the model's folder and for people."""
        return asdict(self)


def weigh_evidence(
    localizer: TrainedLocalizer,
    records: Sequence[Record],
    learned: Sequence[Record],
    features: Features,
) -> tuple[Standing, Evidence] | None:
    """Chooses how far a model is heard, by sentences that it was not trained on.

    Args:
        localizer: The trained model.
        records: Held out.
        learned: What it was trained on.
        features: Vectors of both.

    Returns:
        The localizer's standing with that weight, and what it is worth; None where it cannot
        be told.
    """
    archive = archive_of(records, learned, features)
    if archive is None or len(archive.records) < LEAST_QUERIES:
        return None
    chosen = archive.some(MOST_QUERIES)
    asked = [_asked(archive, localizer, record) for record in chosen]
    standing = _in_doubt(localizer.standing, asked)
    losses, hits = _measured(standing, asked)
    half = halves([record.query for record in chosen])
    by_other = np.empty(len(asked), np.intp)
    for side in (half, ~half):
        by_other[side] = _least(losses[~side], hits[~side])
    heard = losses[np.arange(len(asked)), by_other]
    gain = losses[:, 0] - heard
    helps = gain.mean() > _SURE * _error(gain)
    trust = TRUSTS[_least(losses, hits)] if helps else 0.0
    return replace(standing, trust=trust), Evidence(
        len(asked), trust, float(heard.mean()), float(losses[:, 0].mean())
    )


def _least(losses: Floats, hits: Floats) -> int:
    """The smallest weight that is no worse than the best one, by more than chance makes of it.

    None that puts fewer right moments first counts at all.
    """
    allowed = np.flatnonzero(hits.sum(axis=0) >= hits[:, 0].sum())
    best = allowed[losses[:, allowed].mean(axis=0).argmin()]
    behind = losses[:, allowed] - losses[:, best, None]
    close = [behind[:, k].mean() <= _SURE * _error(behind[:, k]) for k in range(len(allowed))]
    return int(allowed[close.index(True)])


def _error(differences: Floats) -> float:
    """Standard error of their mean."""
    return float(differences.std() / np.sqrt(len(differences)))


@dataclass(frozen=True)
class _Candidates:
    """The best span of every window that a search for one sentence looks at."""

    odds: Floats
    """float64 [W], log-odds by the library's scores alone."""
    said: Floats
    """float64 [W], by the model."""
    iou: Floats
    """float64 [W], with the moments that are meant."""


_Asked = tuple[_Candidates, _Candidates]
"""A sentence asked with its own video among the others, and without."""


def _asked(archive: HeldOutArchive, localizer: TrainedLocalizer, record: Record) -> _Asked:
    looked = archive.look(record, LOOKED_AT)
    windows = [archive.windows[n] for n in looked.numbers]
    claims = localizer.claims(windows, looked.sentence, looked.background)
    null = looked.background.null
    assert null is not None  # noqa: S101 - an archive has questions that no scene answers
    rows = [
        (number, max(of_window, key=lambda claim: claim.deviations))
        for number, of_window in zip(looked.numbers, claims, strict=True)
        if of_window
    ]

    def candidates(some: list[tuple[int, Claim]]) -> _Candidates:
        odds = [localizer.standing.log_odds(claim.deviations, null) for _, claim in some]
        ious = [archive.iou(number, claim.span, record) for number, claim in some]
        return _Candidates(
            np.array(odds), np.array([claim.said for _, claim in some]), np.array(ious)
        )

    others = [row for row in rows if archive.video(row[0]) != record.video]
    return candidates(rows), candidates(others)


def _in_doubt(standing: Standing, asked: Sequence[_Asked]) -> Standing:
    """The standing that knows what the model says where the library's scores leave doubt."""
    places = [(one, int(one.odds.argmax())) for both in asked for one in both if len(one.odds)]
    odds = np.array([one.odds[best] for one, best in places])
    said = np.array([one.said[best] for one, best in places])
    doubt = sigmoid(odds) * sigmoid(-odds) + _TINY
    usual, varies = float(np.average(said, weights=doubt)), float(said.std())
    return replace(standing, trust=0.0, usual=usual, varies=max(varies, _LEAST_SPREAD))


def _measured(standing: Standing, asked: Sequence[_Asked]) -> tuple[Floats, Floats]:
    """Of every sentence and weight: the log loss of both answers, and the hits, [Q, TRUSTS]."""
    losses, hits = np.zeros((len(asked), len(TRUSTS))), np.zeros((len(asked), len(TRUSTS)))
    for row, both in enumerate(asked):
        for one in both:
            heard = np.array([standing.heard(said) for said in one.said.tolist()])
            for column, trust in enumerate(TRUSTS):
                odds = one.odds + trust * heard
                # The window that is meant, or none: only one of them can be right.
                logits = np.append(odds, 0.0)
                meant = np.append(one.iou > 0, not (one.iou > 0).any())
                total = np.logaddexp.reduce(logits)
                losses[row, column] += (total - np.logaddexp.reduce(logits[meant])) / len(both)
                if len(odds):
                    hits[row, column] += one.iou[int(odds.argmax())] >= RIGHT_IOU
    return losses, hits
