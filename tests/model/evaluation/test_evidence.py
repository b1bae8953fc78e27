"""A model's own word on presence is heard where it helps to search held-out windows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from index.types import Span, Vectors
from index.vectors.everyday import RIVALS, STRANGERS
from model.datasets.records import Record
from model.evaluation.evidence import LEAST_QUERIES, weigh_evidence
from model.grounding.localizer import Claim
from model.grounding.standing import Standing

DIM, FRAMES, VIDEOS = 64, 80, 60
MOMENT = (30.0, 50.0)


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


class Features:
    """Moments that stand out of their library hardly more than chance does."""

    def __init__(self) -> None:
        draw = np.random.default_rng(1)
        self.sentences = unit(draw.normal(size=(VIDEOS + RIVALS + STRANGERS, DIM)))
        noise = draw.normal(size=(VIDEOS, FRAMES, DIM)) / np.sqrt(DIM)
        low, high = map(int, MOMENT)
        strength = draw.uniform(0.1, 0.5, size=(VIDEOS, 1, 1))
        noise[:, low:high] += strength * self.sentences[:VIDEOS, None]
        self.videos = unit(noise)

    def video(self, name: str) -> Vectors:
        return self.videos[int(name)]

    def sentence(self, qid: int | str) -> tuple[Vectors, Vectors]:
        return self.sentences[int(qid)][None], self.sentences[int(qid)]

    def almost_right(self, qid: int | str) -> Sequence[str]:
        return ()


def record(number: int, video: int) -> Record:
    return Record(number, str(video), f"sentence {number}", (MOMENT,), float(FRAMES))


class Says:
    """Proposes the moment in every window; what it says of presence is told to it."""

    standing = Standing()

    def __init__(self, features: Features, word: str) -> None:
        self._features, self._word = features, word
        self._draw = np.random.default_rng(2)

    def claims(self, windows, sentence, background):
        own = int((self._features.sentences @ sentence.pooled).argmax())
        told = []
        for window in windows:
            scores = background.scores(window.vectors, sentence.pooled)
            deviations = float((scores.max() - background.mean) / background.std)
            here = np.array_equal(window.vectors, self._features.videos[own])
            said = {"truth": 3.0 if here else -3.0, "lie": -3.0 if here else 3.0}.get(
                self._word, float(self._draw.normal(0, 3))
            )
            told.append([Claim(Span(*MOMENT), deviations, said)])
        return told


HELD_OUT = [record(number, number) for number in range(VIDEOS)]
LEARNED = [record(VIDEOS + number, 0) for number in range(RIVALS + STRANGERS)]


@pytest.mark.parametrize(("word", "heard"), [("truth", True), ("lie", False), ("dice", False)])
def test_a_model_is_heard_as_far_as_it_helps(word, heard):
    features = Features()
    standing, evidence = weigh_evidence(Says(features, word), HELD_OUT, LEARNED, features)
    assert (standing.trust > 0) == heard
    assert evidence.trust == standing.trust
    assert evidence.queries == VIDEOS
    if heard:
        assert evidence.loss < evidence.loss_unheard


def test_too_few_sentences_say_nothing():
    features = Features()
    few = HELD_OUT[: LEAST_QUERIES - 1]
    assert weigh_evidence(Says(features, "truth"), few, LEARNED, features) is None
    assert weigh_evidence(Says(features, "truth"), HELD_OUT, LEARNED[:50], features) is None
