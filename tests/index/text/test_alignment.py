"""Printed lines get the times of what was heard, at the error rates of real transcription."""

from __future__ import annotations

import builtins
import random
import sys
from typing import Any

import numpy as np
import pytest
from testimony_factory import ascii_transcript, printed_lines

from index.errors import TextError, UsageError
from index.passages import Passage, Word
from index.text.alignment import HeardWord, aligned, heard_words
from index.text.depositions import Placing, UntimedError, track_of
from index.text.pageline import read_pages


def spoken(
    lines: list[Any], errors: float, seed: int = 0
) -> tuple[list[HeardWord], dict[tuple[int, int], float]]:
    """What a transcriber hears of testimony, and when each line truly begins.

    A fifth of the errors are words put in, a fifth words left out, the rest other words;
    times are off by 0.12 s. The cover is not spoken.
    """
    rng = random.Random(seed)
    vocabulary = [f"word{number}" for number in range(200)] + ["the", "a", "of", "yes", "i"]
    heard, truth, now_s = [], {}, 5.0
    for line in lines:
        words = line.body.split() if line.speaker else []
        if line.mark:
            now_s += rng.uniform(0.2, 2.0)
        if line.page == 9 and line.line == 1:
            now_s += 600.0  # a recess, and the camera ran on
        for at, word in enumerate(words):
            if at == 0:
                truth[line.page, line.line] = now_s
            length_s = 0.12 + 0.05 * len(word)
            kind = rng.random() / errors if errors else 1.0
            if kind < 0.2:
                heard.append((rng.choice(vocabulary), now_s - 0.1, 0.1))
            if not 0.2 <= kind < 0.4:
                said = rng.choice(vocabulary) if 0.4 <= kind < 1.0 else word.lower().strip(".,?")
                heard.append((said, now_s + rng.gauss(0, 0.12), length_s))
            now_s += length_s + 0.05
    words = [HeardWord(text, max(0.0, at), max(0.0, at) + length) for text, at, length in heard]
    return sorted(words, key=lambda word: word.start_s), truth


@pytest.mark.parametrize(("errors", "share"), [(0.0, 0.999), (0.1, 0.99), (0.2, 0.99), (0.3, 0.97)])
def test_lines_begin_when_they_are_heard(errors: float, share: float) -> None:
    lines = printed_lines(pages=120, seed=2)
    read = read_pages(ascii_transcript(lines, "amicus"), "x")
    heard, truth = spoken(lines, errors)
    rows = aligned(read.lines, heard)
    placed = {(row.line.place.page, row.line.place.line): row for row in rows}
    off = np.array([abs(placed[at].start_s - s) if at in placed else 99 for at, s in truth.items()])
    assert (off < 1.0).mean() >= share
    if errors <= 0.2:
        assert np.quantile(off, 0.95) <= 0.5
    assert not [at for at in placed if at[0] == 1 and at not in truth]
    starts = [row.start_s for row in rows]
    assert all(row.start_s < row.end_s for row in rows)
    assert np.mean(np.diff(starts) < -0.5) == 0
    # The line before a recess ends with its words, not with the recess.
    last = max(at for at in placed if at < (9, 1))
    assert placed[last].end_s - placed[last].start_s < 30


def test_lines_without_a_word_that_was_heard_say_so() -> None:
    lines = printed_lines(pages=12, seed=5)
    heard, truth = spoken(lines, 0.0)
    gap_s = truth[6, 1], truth[6, 12]
    heard = [word for word in heard if not gap_s[0] <= word.start_s < gap_s[1]]
    rows = aligned(read_pages(ascii_transcript(lines, "amicus"), "x").lines, heard)
    kinds = {(row.line.place.page, row.line.place.line): row.quality for row in rows}
    assert all(kinds[6, line] == "interpolated" for line in range(1, 12) if (6, line) in kinds)
    assert kinds[6, 13] == kinds[5, 24] == "aligned"
    row = next(row for row in rows if row.line.place.page == 3 and row.line.body)
    word = row.words[0]
    assert row.line.body[word.first : word.first + word.length] == row.line.body.split()[0]


def test_a_transcript_of_something_else_is_not_forced_onto_a_recording() -> None:
    read = read_pages(ascii_transcript(printed_lines(pages=8), "amicus"), "x")
    other = [HeardWord(f"word{at % 90}", at * 0.4, at * 0.4 + 0.3) for at in range(3000)]
    assert aligned(read.lines, other) == ()
    with pytest.raises(TextError, match="too few of its words"):
        track_of(read, b"x.txt", "", Placing(2000.0), other)
    assert aligned(read.lines, []) == ()


def test_heard_words_come_from_passages_that_know_them() -> None:
    passages = [
        Passage(5.0, 6.0, "never signed", words=(Word(6, 6, 5.5, 6.0), Word(0, 5, 5.0, 5.4))),
        Passage(1.0, 2.0, "no times"),
    ]
    assert heard_words(passages) == (
        HeardWord("never", 5.0, 5.4),
        HeardWord("signed", 5.5, 6.0),
    )


def test_an_aligned_track_cites_and_says_how_well_it_knows() -> None:
    lines = printed_lines(pages=6, seed=3)
    heard, _ = spoken(lines, 0.2, seed=3)
    read = read_pages(ascii_transcript(lines, "summation"), "smith")
    track = track_of(read, b"/a/smith.txt", "", Placing(5000.0), heard)
    assert {passage.quality for passage in track.passages} <= {"aligned", "interpolated"}
    assert track.source.key == "speech/pageline/" + b"/a/smith.txt".hex()
    moved = track_of(read, b"/a/smith.txt", "", Placing(5000.0, offset_s=2.0), heard)
    assert moved.passages[0].start_s == track.passages[0].start_s + 2.0
    with pytest.raises(UntimedError, match="no times") as refused:
        track_of(read, b"/a/smith.txt", "", Placing(5000.0))
    assert refused.value.remedy.startswith("Transcribe the video")


def test_without_rapidfuzz_a_person_is_told_what_to_install(monkeypatch: Any) -> None:
    real = builtins.__import__

    def gone(name: str, *how: Any, **more: Any) -> Any:
        if name.startswith("rapidfuzz"):
            raise ImportError(name)
        return real(name, *how, **more)

    for name in [name for name in sys.modules if name.startswith("rapidfuzz")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", gone)
    read = read_pages(ascii_transcript(printed_lines(pages=3), "amicus"), "x")
    with pytest.raises(UsageError, match="rapidfuzz") as refused:
        aligned(read.lines, [HeardWord("a", 0.0, 1.0)])
    assert "[speech]" in refused.value.remedy
