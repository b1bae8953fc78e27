"""Does a trained model find more, among all held-out windows, than the search without one?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from index.types import Background, Localization, Sentence, Span, Vectors, Window
from index.vectors.everyday import RIVALS, STRANGERS
from model.datasets.records import Record
from model.evaluation.held_out_archive import check_on_archive
from model.grounding.training_free import TrainingFreeLocalizer

DIM, FRAMES, VIDEOS = 64, 80, 24
MOMENT = (30.0, 50.0)


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


class Features:
    """Twenty seconds of each video show its own sentence; learned sentences show nowhere."""

    def __init__(self, dim: int = DIM) -> None:
        draw = np.random.default_rng(0)
        self.sentences = unit(draw.normal(size=(VIDEOS + RIVALS + STRANGERS, DIM)))
        noise = draw.normal(size=(VIDEOS, FRAMES, dim)) / np.sqrt(dim)
        if dim == DIM:
            low, high = map(int, MOMENT)
            noise[:, low:high] += 0.8 * self.sentences[:VIDEOS, None]
        self.videos = unit(noise)

    def video(self, name: str) -> Vectors:
        return self.videos[int(name)]

    def sentence(self, qid: int | str) -> tuple[Vectors, Vectors]:
        return self.sentences[int(qid)][None], self.sentences[int(qid)]

    def almost_right(self, qid: int | str) -> Sequence[str]:
        return ()


def record(number: int, video: int) -> Record:
    return Record(number, str(video), f"sentence {number}", (MOMENT,), float(FRAMES))


HELD_OUT = [record(number, number) for number in range(VIDEOS)]
LEARNED = [record(VIDEOS + number, 0) for number in range(RIVALS + STRANGERS)]


class Elsewhere(TrainingFreeLocalizer):
    """Finds what the training-free one finds, and says that it is at the start."""

    def localize_all(
        self, windows: Sequence[Window], sentence: Sentence, background: Background
    ) -> list[Localization]:
        found = super().localize_all(windows, sentence, background)
        start = Span(0.0, 5.0)
        return [
            Localization(tuple(replace(span, span=start) for span in one.spans), one.saliency)
            for one in found
        ]


def test_a_model_that_finds_as_much_is_not_called_worse():
    check = check_on_archive(TrainingFreeLocalizer(), HELD_OUT, LEARNED, Features())
    assert check is not None
    assert (check.queries, check.windows) == (VIDEOS, VIDEOS)
    assert check.trained == check.untrained > 0.8
    assert not check.worse


def test_a_model_that_finds_less_is():
    check = check_on_archive(Elsewhere(), HELD_OUT, LEARNED, Features())
    assert check is not None
    assert check.trained == 0.0
    assert check.worse


def test_footage_under_two_names_is_one_place():
    features = Features()
    features.videos[3] = np.concatenate([features.videos[2][40:], features.videos[3][:40]])
    check = check_on_archive(TrainingFreeLocalizer(), HELD_OUT, LEARNED, features)
    assert check is not None
    assert (check.queries, check.windows) == (VIDEOS - 1, VIDEOS - 1)


@pytest.mark.parametrize(
    ("learned", "features"),
    [(LEARNED[:50], Features()), (LEARNED, Features(dim=48))],
    ids=["too few sentences", "frames of another space"],
)
def test_what_cannot_be_told_is_not(learned, features):
    assert check_on_archive(TrainingFreeLocalizer(), HELD_OUT, learned, features) is None


def test_one_window_is_no_archive():
    assert check_on_archive(TrainingFreeLocalizer(), HELD_OUT[:1], LEARNED, Features()) is None
