"""Windows that look right for a sentence and are not, and how training meets them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from model.datasets import hard_windows as mined
from model.datasets.augment import AugmentConfig
from model.datasets.hard_windows import hard_windows
from model.datasets.records import Record
from model.datasets.windows import MomentDataset, collate

DIM, FRAMES = 32, 20
OWN, NEAR, FAR, BETTER, SAME_QUERY, SAME_FOOTAGE, PLAIN = "abcdefg"


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


FIT = {OWN: 0.6, NEAR: 0.55, FAR: 0.3, BETTER: 0.99, SAME_QUERY: 0.6, PLAIN: 0.0}


class Features:
    """Video by video one frame, at 12 s, that fits the first sentence as far as it is told to."""

    def __init__(self, frames: int = FRAMES, dim: int = DIM) -> None:
        draw = np.random.default_rng(0)
        self.sentences = {n: unit(draw.normal(size=DIM)) for n in range(len(FIT))}
        self.sentences[4] = unit(self.sentences[0] + 0.01)
        self.videos = {}
        for name, fit in FIT.items():
            noise = draw.normal(size=(frames, dim))
            if dim == DIM:
                asked = self.sentences[0]
                noise = unit(noise - (noise @ asked)[:, None] * asked)
                noise[12] = fit * asked + np.sqrt(1 - fit**2) * noise[12]
            self.videos[name] = unit(noise)
        self.videos[SAME_FOOTAGE] = np.roll(self.videos[OWN], 3, axis=0)

    def video(self, name: str) -> np.ndarray:
        return self.videos[name]

    def sentence(self, qid: int | str) -> tuple[np.ndarray, np.ndarray]:
        pooled = self.sentences[int(qid) % len(self.sentences)]
        return pooled[None], pooled

    def almost_right(self, qid: int | str) -> Sequence[str]:
        return ()


def records(frames: int = FRAMES) -> list[Record]:
    names = [OWN, NEAR, FAR, BETTER, SAME_QUERY, PLAIN, SAME_FOOTAGE]
    return [
        Record(number, name, f"sentence {number % 6}", ((11.0, 14.0),), float(frames))
        for number, name in enumerate(names)
    ]


def test_the_hardest_come_first_and_none_that_may_be_right():
    found = hard_windows(records(), Features(), 150.0)[0]
    names = [window.video for window in found]
    assert names[0] == NEAR
    assert found[0].at_s == 12.0
    assert set(names) == {NEAR, FAR, PLAIN}


def test_few_windows_are_drawn_from_many(monkeypatch):
    monkeypatch.setattr(mined, "MOST_WINDOWS", 3)
    once, again = (hard_windows(records(), Features(), 150.0, seed=1) for _ in range(2))
    assert once == again
    assert len({window.video for row in once for window in row}) <= 3
    monkeypatch.setattr(mined, "HARDEST", 1)
    assert {len(row) for row in hard_windows(records(), Features(), 150.0)} <= {0, 1}


@pytest.mark.parametrize(
    ("some", "features"),
    [(records()[:1], Features()), (records(), Features(dim=48))],
    ids=["one video", "frames of another space"],
)
def test_nothing_is_hard_where_nothing_can_be_compared(some, features):
    assert hard_windows(some, features, 150.0) == [()] * len(some)
    without = MomentDataset(some, features, 150.0, AugmentConfig(hard=0.0))
    beside = MomentDataset(
        some, features, 150.0, AugmentConfig(hard=1.0), hard=hard_windows(some, features, 150.0)
    )
    for number in range(len(some)):
        np.testing.assert_array_equal(without[number].frames, beside[number].frames)
        assert beside[number].rival is None


def test_training_meets_them_beside_the_own_window_anew_in_each_epoch():
    config = AugmentConfig(background=0, roll=0, absent=0, hard=1.0)
    hard = hard_windows(records(), Features(), 150.0)
    data = MomentDataset(records(), Features(), 150.0, config, hard=hard)
    met = set()
    for epoch in range(20):
        data.redraw(epoch)
        sample = data[0]
        np.testing.assert_array_equal(sample.rival, data[0].rival)
        met |= {n for n, v in Features().videos.items() if np.array_equal(v, sample.rival)}
    assert met == {NEAR, FAR, PLAIN}
    alone = replace(data[0], rival=None)
    batch = collate([alone, data[0]])
    assert batch.rival_of.tolist() == [1]
    assert batch.present.tolist() == [True, True, False]
    assert batch.frames.shape[:2] == (3, FRAMES)
    np.testing.assert_array_equal(batch.pooled[1], batch.pooled[2])
    np.testing.assert_array_equal(batch.frames[2], data[0].rival)
    assert not batch.span_mask[2].any()
    assert not batch.saliency[2].any()


def test_a_long_video_is_cropped_around_what_looks_right():
    features, rows = Features(frames=400), records(frames=400)
    hard = hard_windows(rows, features, 30.0)
    near = [window for window in hard[0] if window.video == NEAR]
    assert near[0].at_s == 12.0
    config = AugmentConfig(background=0, roll=0, absent=0, hard=1.0)
    data = MomentDataset(rows, features, 30.0, config, hard=[near[:1]] * len(rows))
    for epoch in range(10):
        data.redraw(epoch)
        rival = data[0].rival
        assert len(rival) == len(data[0].frames) == 30
        assert (rival == features.video(NEAR)[12]).all(axis=1).any()


def test_what_shows_no_event_gets_no_rival():
    config = AugmentConfig(background=0, roll=0, absent=1.0, hard=1.0)
    hard = hard_windows(records(), Features(), 150.0)
    data = MomentDataset(records(), Features(), 150.0, config, hard=hard)
    assert all(data[number].rival is None for number in range(len(data)))
