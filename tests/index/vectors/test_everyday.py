"""The bank of everyday sentences: what it must hold, and that it travels with the package."""

from __future__ import annotations

import re
import tomllib
from itertools import combinations, pairwise
from pathlib import Path

import pytest

from index.search.query import parse
from index.vectors.everyday import RIVALS, STRANGERS, everyday_sentences

ROOT = Path(__file__).resolve().parents[3]
FORBIDDEN = {
    "negation": r"\b(no|not|never|none|nobody|nothing|nowhere|without|neither|nor|unless)\b|n't\b",
    "a count above two": r"\d|\b(three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozens?|"
    r"hundreds?|thousands?|several|exactly)\b",
    "an order": r"\b(before|after|then|while|until|once|during|first|second|third|last|again)\b",
    "quotes or text to read": r"[\"“”«»]|\b(says?|reads|titled|labelled|labeled|the words?)\b",
    "a name": r"(?<=\s)[A-Z]",
    "a side": r"\b(left|right)\b",
}


def words(sentence: str) -> list[str]:
    return re.findall(r"[a-z]+", sentence.lower())


def test_the_bank_has_many_different_sentences_of_every_length():
    bank = everyday_sentences()
    assert len(bank) == RIVALS + STRANGERS
    assert len({" ".join(words(sentence)) for sentence in bank}) == RIVALS + STRANGERS
    lengths = [len(sentence.split()) for sentence in bank]
    assert (min(lengths), max(lengths)) == (3, 16)
    for lengths_of in (range(3, 6), range(6, 8), range(8, 11), range(11, 17)):
        assert sum(length in lengths_of for length in lengths) >= 15
    assert all(sentence == sentence.strip() and sentence.isascii() for sentence in bank)


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_sentence_holds_what_a_picture_cannot_show(what):
    assert [s for s in everyday_sentences() if re.search(FORBIDDEN[what], s)] == []


def test_every_sentence_is_asked_whole():
    assert {parse(sentence).relation for sentence in everyday_sentences()} == {"single"}


def test_no_two_sentences_are_about_the_same_scene():
    content = [{word for word in words(s) if len(word) > 3} for s in everyday_sentences()]
    shared = [len(a & b) / min(len(a), len(b)) for a, b in combinations(content, 2) if a and b]
    assert max(shared) < 0.7
    assert all(len(a & b) <= 1 for a, b in pairwise(content)), "neighbours differ in topic"


def test_the_bank_travels_with_the_package():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    listed = settings["package-data"]["index.vectors"]
    room = ROOT / "index/vectors"
    data = {path.name for path in room.iterdir() if path.is_file() and path.suffix != ".py"}
    assert {path.name for pattern in listed for path in room.glob(pattern)} == data
    assert "everyday.txt" in data
