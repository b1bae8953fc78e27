"""Where somebody speaks: speech among silence and noise, and what is no speech at all."""

from __future__ import annotations

import numpy as np
import pytest
from spoken import RATE, conversation

from model.speech.voices import VoiceDetector

MINUTES = 10


@pytest.fixture(scope="module")
def detector() -> VoiceDetector:
    return VoiceDetector()


@pytest.mark.parametrize(("noise_db", "edge_s"), [(None, 0.2), (-40, 0.2), (-30, 0.25)])
def test_speech_is_kept_and_its_edges_are_true(
    detector: VoiceDetector, noise_db: int | None, edge_s: float
) -> None:
    sound, truth = conversation((1.0, 1.7, 0.6, 3.1, 2.2, 0.9))
    if noise_db is not None:
        chance = np.random.default_rng(1)
        loud = 10 ** (noise_db / 20)
        sound = sound + loud * chance.standard_normal(len(sound)).astype(np.float32)
    found = detector.speech(sound)
    kept = sum(
        max(0.0, min(end_s, s.end_s) - max(start_s, s.start_s))
        for start_s, end_s, _ in truth
        for s in found
    )
    assert kept >= 0.98 * sum(end_s - start_s for start_s, end_s, _ in truth)
    for start_s, end_s, _ in truth:
        inside = [s for s in found if s.end_s > start_s and s.start_s < end_s]
        assert abs(inside[0].start_s - start_s) <= edge_s
        assert abs(inside[-1].end_s - end_s) <= edge_s


def tones() -> np.ndarray:
    """A melody with overtones: music is no speech."""
    chance = np.random.default_rng(2)
    beat = np.arange(RATE // 4) / RATE
    notes = [
        sum(np.sin(2 * np.pi * hertz * k * beat) / k for k in (1, 2, 3)) * np.exp(-3 * beat)
        for hertz in (262, 294, 330, 349, 392, 440, 494, 523)
    ]
    played = [notes[number] for number in chance.integers(0, 8, MINUTES * 60 * 4)]
    return 0.2 * np.concatenate(played)


@pytest.mark.parametrize("kind", ["silence", "noise", "hum", "melody"])
def test_ten_minutes_without_a_word_hold_no_speech(detector: VoiceDetector, kind: str) -> None:
    count = MINUTES * 60 * RATE
    if kind == "silence":
        sound = np.zeros(count)
    elif kind == "noise":
        sound = 0.1 * np.random.default_rng(3).standard_normal(count)
    elif kind == "hum":
        sound = 0.2 * np.sin(2 * np.pi * 50 * np.arange(count) / RATE)
    else:
        sound = tones()
    assert detector.speech(sound.astype(np.float32)) == ()


def test_sound_that_is_no_number_and_no_sound_at_all_hold_none(detector: VoiceDetector) -> None:
    assert detector.speech(np.full(RATE, np.nan, np.float32)) == ()
    assert detector.speech(np.zeros(0, np.float32)) == ()
    assert detector.speech(np.zeros(7, np.float32)) == ()
