"""Sentences that are almost right."""

from __future__ import annotations

import numpy as np
import pytest

from model.datasets.augment import AugmentConfig
from model.datasets.features import FeatureFolders
from model.datasets.negatives import HardNegatives
from model.datasets.records import Record
from model.datasets.windows import MomentDataset

COLOURS = ("red", "blue", "green", "white", "black")
SENTENCES = [
    f"A {who} in a {colour} shirt {does} the door."
    for who in ("man", "woman")
    for colour in COLOURS
    for does in ("opens", "paints", "closes")
]


def test_one_word_changes_for_one_of_its_kind():
    almost = HardNegatives(SENTENCES)
    seen = set()
    for sentence in SENTENCES:
        for changed in almost.of(sentence):
            old, new = sentence.split(), changed.split()
            assert len(old) == len(new)
            (different,) = [(a, b) for a, b in zip(old, new, strict=True) if a != b]
            kinds = (set(COLOURS), {"man", "woman"}, {"opens", "paints", "closes"})
            assert any(set(different) <= kind for kind in kinds)
            seen.add(different[1])
    assert len(seen) >= 6


def test_changes_are_the_same_every_time_and_never_the_sentence_itself():
    once, again = HardNegatives(SENTENCES), HardNegatives(SENTENCES)
    for sentence in SENTENCES:
        made = once.of(sentence, 3)
        assert made == again.of(sentence, 3)
        assert sentence not in made
        assert len(set(made)) == len(made)
    assert any(
        HardNegatives(SENTENCES, seed=1).of(s) != HardNegatives(SENTENCES).of(s) for s in SENTENCES
    )


def test_order_is_turned():
    almost = HardNegatives(SENTENCES)
    (turned, *_) = almost.of("a man opens the door then a dog runs out", 1)
    assert turned == "a dog runs out then a man opens the door"


def test_capitals_are_kept():
    words = [f"{w} crosses the road" for w in ("Dog", "Cat", "Cow", "Goat")] * 6
    sentences = [*dict.fromkeys(words), *SENTENCES]
    made = HardNegatives(sentences).of("Dog crosses the road", 1)
    assert made[0].split()[0] in {"Cat", "Cow", "Goat"}


@pytest.mark.parametrize("sentence", ["", "the", "犬が走る", "zebra"])
def test_sentences_that_cannot_be_changed(sentence):
    assert HardNegatives(SENTENCES).of(sentence) == []
    assert HardNegatives(SENTENCES[:5]).of(SENTENCES[0]) == []


def test_training_asks_them_as_absent(tmp_path):
    for name in ("video", "text"):
        (tmp_path / name).mkdir()
    for video in "ab":
        np.savez(tmp_path / "video" / f"{video}.npz", features=np.eye(8) + 0.1)
    for key, value in (("1", 1.0), ("2", 2.0), ("1-almost0", 3.0), ("1-almost1", 4.0)):
        np.savez(tmp_path / "text" / f"qid{key}.npz", last_hidden_state=np.full((2, 4), value))
    features = FeatureFolders([tmp_path / "video"], tmp_path / "text")
    assert features.almost_right(1) == ["1-almost0", "1-almost1"]
    assert features.almost_right(2) == ()
    records = [Record(1, "a", "x", ((0.0, 3.0),), 8.0), Record(2, "b", "y", ((2.0, 3.0),), 8.0)]
    config = AugmentConfig(background=0, roll=0, absent=1.0, by_sentence=1.0, almost=0.5)
    data = MomentDataset(records, features, 150.0, config)
    asked = set()
    for epoch in range(30):
        data.redraw(epoch)
        sample = data[0]
        assert sample.edges == []
        asked.add(float(sample.tokens[0, 0]))
    assert asked == {2.0, 3.0, 4.0}
