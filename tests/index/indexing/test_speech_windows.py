"""Windows of sound for a transcriber, and what of its text is believed."""

from __future__ import annotations

import numpy as np
import pytest

from index.indexing.speech_windows import LONGEST_S, RATE, spoken, windows
from index.passages import Passage, Speech, Word


def silence(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * RATE), np.float32)


def test_windows_hold_all_speech_and_no_long_silence() -> None:
    speech = [Speech(1, 3), Speech(3.5, 9), Speech(20, 21), Speech(21.2, 47), Speech(48, 60)]
    found = windows(speech, silence(70))
    for part in speech:
        assert any(w.start_s <= part.start_s and part.end_s <= w.end_s for w in found)
    assert [(round(w.start_s, 2), round(w.end_s, 2)) for w in found] == [
        (0.75, 9.25),
        (19.75, 47.25),
        (47.75, 60.25),
    ]
    assert all(w.end_s - w.start_s <= LONGEST_S + 0.5 for w in found)


def test_no_speech_is_no_window() -> None:
    assert windows([], silence(600)) == []


def test_speech_without_a_pause_is_cut_where_it_is_quietest() -> None:
    chance = np.random.default_rng(0)
    sound = (0.3 * chance.standard_normal(60 * RATE)).astype(np.float32)
    sound[int(25.0 * RATE) : int(25.3 * RATE)] *= 0.01
    found = windows([Speech(0, 60)], sound)
    assert found[0].end_s == pytest.approx(25.15, abs=0.15)
    assert [w.start_s for w in found[1:]] == [w.end_s for w in found[:-1]]
    assert found[-1].end_s == 60
    assert all(w.end_s - w.start_s <= LONGEST_S for w in found)
    assert len(found[0].of(sound)) == round(found[0].end_s * RATE)


def test_text_that_nobody_said_is_dropped() -> None:
    speech = [Speech(10, 12)]
    thanks = Passage(5, 7, "Thank you for watching.")
    said = Passage(0.2, 1.8, "she never signed")
    assert [p.body for p in spoken([said, thanks], 10.0, speech)] == ["she never signed"]
    assert spoken([thanks], 0.0, []) == []


def test_words_end_where_speech_does() -> None:
    words = (Word(0, 3, 0.0, 1.5), Word(4, 5, 1.5, 4.0))
    (passage,) = spoken([Passage(0, 4, "she never", words=words)], 10.0, [Speech(10.4, 12.1)])
    assert [(w.start_s, w.end_s) for w in passage.words] == [(10.4, 11.5), (11.5, 12.1)]
    assert (passage.start_s, passage.end_s) == (10.4, 12.1)
