"""Windows of other videos that a search would bring for a sentence that they do not show.

Inside its own window a model only learns where; which of a library's windows is meant it
learns from those that look right and are not: of the same topic, at the same kind of place.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .features import Features, step_seconds
from .records import Record

Array = npt.NDArray[np.float32]

HARDEST = 16
"""Windows that are kept for a sentence; training draws from them anew in every epoch."""
MOST_WINDOWS = 1000
"""Windows that compete for a sentence. Ten thousand sentences score them within minutes, and
the hardest of so many are hard enough: forty hours hold no more."""
_EVERY = 2
"""Frames from one that is looked at to the next: scenes are longer."""
_AT_ONCE = 32
_BY_FAR = 1.0
"""Standard deviations of a sentence's scores by which a window may exceed the best frame of
its own moments. One that exceeds it further may well show what nobody has marked there."""
_SAME_QUERY = 0.8
"""Cosine, less what all sentences share, from which two of them ask for the same."""


class HardWindow(NamedTuple):
    """Where a search would go wrong."""

    video: str
    at_s: float
    """Its best frame."""


class _Piece(NamedTuple):
    """A window of a video, in frames."""

    video: int
    first: int
    length: int
    step_s: float


def hard_windows(
    records: Sequence[Record], features: Features, window_s: float, seed: int = 0
) -> list[tuple[HardWindow, ...]]:
    """The hardest windows for each record, by what frames and sentence alone say.

    Windows are left out that show the same footage, that are marked with the same sentence
    or nearly so, and that beat the record's own moments by far.

    Args:
        records: What is trained on.
        features: Their vectors.
        window_s: Length of a window.
        seed: Of the choice of the windows that compete, where there are many.

    Returns:
        For each record up to ``HARDEST``, the hardest first; none where there is no other
        video, or where frames and sentences lie in different spaces.
    """
    names = list(dict.fromkeys(record.video for record in records))
    asked = np.stack([features.sentence(record.qid)[1] for record in records])
    if len(names) < 2 or features.video(names[0]).shape[1] != asked.shape[1]:
        return [()] * len(records)
    asked = _unit(asked - asked.mean(axis=0))
    number_of = {name: number for number, name in enumerate(names)}
    home = np.array([number_of[record.video] for record in records])
    pieces = _pieces(names, records, features, window_s, seed)
    scores, places, spread = _scored(asked, pieces, names, features)
    marked = _marked(records, features, asked)
    scores[scores > (marked + _BY_FAR * spread)[:, None]] = -np.inf
    footage = _footage(names, features)
    shown_in = np.array([piece.video for piece in pieces])
    by_video: dict[int, list[int]] = defaultdict(list)
    for row, video in enumerate(home.tolist()):
        by_video[video].append(row)
    found = []
    for row, video in enumerate(home.tolist()):
        mine = scores[row]
        mine[footage[shown_in] == footage[video]] = -np.inf
        kept: list[HardWindow] = []
        for column in np.argsort(-mine, kind="stable").tolist():
            if len(kept) == HARDEST or mine[column] == -np.inf:
                break
            piece = pieces[column]
            if max(asked[by_video[piece.video]] @ asked[row]) < _SAME_QUERY:
                at_s = float((piece.first + places[row, column]) * piece.step_s)
                kept.append(HardWindow(names[piece.video], at_s))
        found.append(tuple(kept))
    return found


def _pieces(
    names: Sequence[str],
    records: Sequence[Record],
    features: Features,
    window_s: float,
    seed: int,
) -> list[_Piece]:
    """Windows of all videos, at most ``MOST_WINDOWS`` of them."""
    duration_s: Mapping[str, float | None] = {r.video: r.duration_s for r in records}
    pieces = []
    for number, name in enumerate(names):
        count = len(features.video(name))
        known_s = duration_s[name]
        step_s = 1.0 if known_s is None else step_seconds(count, known_s)
        length = count if np.isinf(window_s) else max(1, round(window_s / step_s))
        pieces += [_Piece(number, first, length, step_s) for first in range(0, count, length)]
    if len(pieces) > MOST_WINDOWS:
        drawn = np.random.default_rng([seed, 2]).choice(len(pieces), MOST_WINDOWS, replace=False)
        pieces = [pieces[n] for n in np.sort(drawn)]
    return pieces


def _scored(
    asked: Array, pieces: Sequence[_Piece], names: Sequence[str], features: Features
) -> tuple[Array, npt.NDArray[np.int32], Array]:
    """Best score of each sentence in each window and its frame, [Q, W], and the scores' spread."""
    best = np.empty((len(asked), len(pieces)), np.float32)
    places = np.empty(best.shape, np.int32)
    sums, squares, frames = np.zeros(len(asked)), np.zeros(len(asked)), 0
    for first in range(0, len(pieces), _AT_ONCE):
        some = [
            features.video(names[piece.video])[piece.first : piece.first + piece.length : _EVERY]
            for piece in pieces[first : first + _AT_ONCE]
        ]
        scores = asked @ np.concatenate(some).T
        sums += scores.sum(axis=1, dtype=np.float64)
        squares += np.einsum("qf,qf->q", scores, scores)
        frames += scores.shape[1]
        at = 0
        for column, looked_at in enumerate(some, first):
            here = scores[:, at : at + len(looked_at)]
            at += len(looked_at)
            places[:, column] = here.argmax(axis=1) * _EVERY
            best[:, column] = here.max(axis=1)
    mean = sums / frames
    spread = np.sqrt(np.maximum(squares / frames - mean**2, 0))
    return best, places, spread.astype(np.float32)


def _marked(records: Sequence[Record], features: Features, asked: Array) -> Array:
    """Best score of each record's sentence in its own moments, float32 [Q]."""
    found = np.empty(len(records), np.float32)
    for row, record in enumerate(records):
        frames = features.video(record.video)
        known_s = record.duration_s
        step_s = 1.0 if known_s is None else step_seconds(len(frames), known_s)
        inside = np.zeros(len(frames), bool)
        for start_s, end_s in record.windows:
            first = min(int(start_s / step_s), len(frames) - 1)
            inside[first : max(first + 1, int(np.ceil(end_s / step_s)))] = True
        found[row] = (frames[inside] @ asked[row]).max()
    return found


def _footage(names: Sequence[str], features: Features) -> npt.NDArray[np.intp]:
    """A number for each video, the same for those that share a frame: cut from one recording."""
    prints = [_fingerprints(features.video(name)) for name in names]
    owner = np.repeat(np.arange(len(names)), [len(one) for one in prints])
    _, which = np.unique(np.concatenate(prints), return_inverse=True)
    order = np.argsort(which, kind="stable")
    leader = list(range(len(names)))
    for one, next_one in _neighbours(which[order], owner[order]):
        a, b = _root(leader, one), _root(leader, next_one)
        leader[max(a, b)] = min(a, b)
    return np.array([_root(leader, number) for number in range(len(names))])


def _neighbours(
    which: npt.NDArray[np.intp], owner: npt.NDArray[np.intp]
) -> Iterator[tuple[int, int]]:
    """Pairs of videos that hold the same frame."""
    same = np.flatnonzero((which[1:] == which[:-1]) & (owner[1:] != owner[:-1]))
    yield from np.unique(np.stack([owner[same], owner[same + 1]], axis=1), axis=0).tolist()


def _root(leader: list[int], number: int) -> int:
    while leader[number] != number:
        leader[number] = leader[leader[number]]
        number = leader[number]
    return number


def _fingerprints(frames: Array) -> npt.NDArray[np.uint64]:
    """A number for each frame that another one hardly ever shares."""
    bits = np.ascontiguousarray(frames, np.float32).view(np.uint32).astype(np.uint64)
    odd = np.random.default_rng(0).integers(1, 2**63, frames.shape[1], dtype=np.uint64) | 1
    prints: npt.NDArray[np.uint64] = (bits * odd).sum(axis=1, dtype=np.uint64)
    return prints


def _unit(vectors: Array) -> Array:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Array = (vectors / np.maximum(lengths, 1e-6)).astype(np.float32)
    return scaled
