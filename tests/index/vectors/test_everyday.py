"""The bank of everyday sentences: what it must hold, where it lies, what models make of it."""

from __future__ import annotations

import io
import os
import random
import re
import tomllib
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from real_units import Reader, contents

from index.search.query import parse
from index.vectors.everyday import (
    RIVALS,
    STRANGERS,
    encode_everyday,
    everyday_of,
    everyday_sentences,
)

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


# Through a model


@pytest.fixture
def reader():
    """Reads every sentence of the bank, each about something else."""
    sentences = everyday_sentences()
    return Reader(dict(zip(sentences, contents(len(sentences), 5), strict=True)))


@pytest.fixture
def kept_in(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "groundzero" / "everyday"


def bank_of(reader):
    notes: list[str] = []
    before = reader.asked
    return everyday_of(reader, notes.append, lambda *_: None), notes, reader.asked - before


@pytest.mark.parametrize(("unusable", "rows"), [(48, 192), (49, 0)])
@pytest.mark.parametrize("why", ["unread", "alike"])
def test_a_model_that_reads_too_few_sentences_gives_no_bank(reader, why, unusable, rows):
    chosen = everyday_sentences()[:unusable]
    if why == "unread":
        reader.unread |= set(chosen)
    else:
        reader.known |= dict.fromkeys(chosen, reader.known[chosen[0]])
    bank = encode_everyday(reader)
    assert bank.shape == (rows, reader.space.dim)
    assert bank.dtype == np.float32


def test_a_bank_is_encoded_once_per_model_and_kept(reader, kept_in):
    bank, notes, asked = bank_of(reader)
    assert (len(notes), asked) == (1, len(bank))
    assert np.array_equal(bank, encode_everyday(reader))
    again, notes, asked = bank_of(reader)
    assert np.array_equal(again, bank)
    assert (notes, asked) == ([], 0)
    reader.space = replace(reader.space, revision="r2")
    assert bank_of(reader)[2] == len(bank)
    assert len(list(kept_in.iterdir())) == 2


def test_that_a_model_reads_none_of_it_is_kept_too(reader, kept_in):
    reader.unread |= set(everyday_sentences())
    assert bank_of(reader)[0].shape == (0, reader.space.dim)
    bank, notes, asked = bank_of(reader)
    assert (bank.shape, notes, asked) == ((0, reader.space.dim), [], 0)


def test_a_damaged_or_foreign_file_is_made_again(reader, kept_in):
    bank, _, _ = bank_of(reader)
    (path,) = kept_in.iterdir()
    whole = path.read_bytes()
    buffer = io.BytesIO()
    np.savez(buffer, bank)
    generator = random.Random(3)
    damaged = [b"", b"PK\x03\x04" + whole, buffer.getvalue(), whole[:-1], whole + b"\0", whole[:90]]
    damaged += [generator.randbytes(200), b"\x93NUMPY" + generator.randbytes(300)]
    for place in [*range(12), *(generator.randrange(len(whole)) for _ in range(60))]:
        flipped = bytearray(whole)
        flipped[place] ^= 1 << generator.randrange(8)
        damaged.append(bytes(flipped))
    for data in damaged:
        path.write_bytes(data)
        again, notes, _ = bank_of(reader)
        assert np.array_equal(again, bank)
        assert len(notes) == 1
        assert path.read_bytes() == whole


def test_a_cache_folder_that_cannot_be_written_costs_time_alone(reader, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    for _ in range(2):
        bank, notes, asked = bank_of(reader)
        assert (len(bank), len(notes), asked) == (192, 1, 192)
    if os.geteuid():
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o500)
        monkeypatch.setenv("XDG_CACHE_HOME", str(closed))
        assert bank_of(reader)[2] == 192


def test_it_is_told_how_far_it_is_and_what_was_half_asked_is_not_kept(reader, kept_in):
    told: list[tuple[float, str]] = []

    def watch(share, text):
        told.append((share, text))
        if share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        everyday_of(reader, [].append, watch)
    assert told[0] == (1 / 192, "asking about everyday sentences")
    assert not kept_in.exists()
    assert bank_of(reader)[2] == 192
