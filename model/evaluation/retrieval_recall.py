"""Is the right video among the first, when a sentence is asked of all videos of a data set?

A grounder sees one window at a time, and may be sure of many; in a library it decides which
video comes first. So the cosines bring a few videos, as retrieval does, and the grounder that
is measured puts these in order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ..datasets.features import Features
from ..datasets.records import Record
from .metrics import percent

DEPTHS = (1, 5, 10, 100)
BEST_FRAMES = 5
"""A video answers by its best frames: a moment is short, a video is long."""
BROUGHT = 10
"""Videos of each sentence that the grounder puts in order; others follow as the cosines say."""
MOST_QUERIES = 200
"""Of a larger data set so many sentences are asked, spread over it."""


def video_recall(
    records: Sequence[Record],
    features: Features,
    presence: Callable[[Sequence[Record]], Sequence[float]],
) -> dict[str, float]:
    """Share of sentences whose own video is among the first.

    Args:
        records: Each sentence is asked of all videos among them; their lengths must be known.
        features: Frames and sentences in one space.
        presence: What the grounder says of each record: higher where it is surer.

    Returns:
        ``recall@1`` and so on in percent, for depths that leave a video out; and the
        number of ``videos`` and ``queries``. Empty where frames and sentences have
        different channels.
    """
    length_s = {record.video: record.duration_s for record in records}
    videos = list(length_s)
    asked = records[:: -(-len(records) // MOST_QUERIES)]
    cosines = _cosines(videos, asked, features)
    if not len(cosines):
        return {}
    brought = np.argsort(-cosines, axis=0, kind="stable")[:BROUGHT]
    questions = [
        replace(record, video=videos[number], duration_s=length_s[videos[number]])
        for record, column in zip(asked, brought.T, strict=True)
        for number in column
    ]
    said = np.reshape(presence(questions), (len(asked), -1))
    ranks = np.empty(len(asked))
    for row, record in enumerate(asked):
        own = videos.index(record.video)
        place = np.flatnonzero(brought[:, row] == own)
        if len(place):
            ranks[row] = (said[row] > said[row, place[0]]).sum()
        else:
            ranks[row] = (cosines[:, row] > cosines[own, row]).sum()
    recall = {
        f"recall@{depth}": percent(float(np.mean(ranks < depth)))
        for depth in DEPTHS
        if depth < len(videos)
    }
    return {"videos": float(len(videos)), "queries": float(len(asked)), **recall}


def _cosines(
    videos: Sequence[str], asked: Sequence[Record], features: Features
) -> npt.NDArray[np.float32]:
    """Mean cosine of each video's best frames with each sentence, float32 [videos, queries]."""
    sentences = np.stack([features.sentence(record.qid)[1] for record in asked])
    if features.video(videos[0]).shape[1] != sentences.shape[1]:
        return np.empty((0, 0), np.float32)
    scores = np.empty((len(videos), len(asked)), np.float32)
    for number, name in enumerate(videos):
        cosines = features.video(name) @ sentences.T
        best = min(BEST_FRAMES, len(cosines))
        scores[number] = np.partition(cosines, -best, axis=0)[-best:].mean(0)
    return scores
