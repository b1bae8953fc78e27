"""Retrieval apart from grounding: is the right video among the first, before any span is sought?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..datasets.features import Features
from ..datasets.records import Record
from .metrics import percent

DEPTHS = (1, 5, 10, 100)
BEST_FRAMES = 5
"""A video answers by its best frames: a moment is short, a video is long."""


def video_recall(records: Sequence[Record], features: Features) -> dict[str, float]:
    """Share of sentences whose own video is among the first, by cosine alone.

    Args:
        records: Each sentence is asked of all videos among them.
        features: Frames and sentences in one space.

    Returns:
        ``recall@1`` and so on in percent, for depths that leave a video out; and the
        number of ``videos``. Empty where frames and sentences have different channels.
    """
    videos = list(dict.fromkeys(record.video for record in records))
    asked = np.stack([features.sentence(record.qid)[1] for record in records])
    if features.video(videos[0]).shape[1] != asked.shape[1]:
        return {}
    scores = np.empty((len(videos), len(records)), np.float32)
    for number, name in enumerate(videos):
        cosines = features.video(name) @ asked.T
        best = min(BEST_FRAMES, len(cosines))
        scores[number] = np.partition(cosines, -best, axis=0)[-best:].mean(0)
    place = {name: number for number, name in enumerate(videos)}
    own = scores[[place[record.video] for record in records], np.arange(len(records))]
    rank = (scores > own).sum(0)
    recall = {
        f"recall@{depth}": percent(float(np.mean(rank < depth)))
        for depth in DEPTHS
        if depth < len(videos)
    }
    return {"videos": float(len(videos)), **recall}
