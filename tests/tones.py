"""A language of tones, so that what is said and when is known: and one who understands it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from index.passages import Passage, Sound, Speech, Word

RATE = 16_000
WORDS = {"she": 400, "never": 600, "signed": 800, "the": 1000, "contract": 1200, "pump": 1400}
"""Pitch of each word, in hertz."""
WORD_S = 0.4


def tones(said: list[tuple[float, str]], length_s: float) -> Sound:
    """Silence with a tone of 0.4 s for each word, at its time."""
    sound = np.zeros(int(length_s * RATE), np.float32)
    beat = np.arange(int(WORD_S * RATE)) / RATE
    for at_s, word in said:
        first = int(at_s * RATE)
        tone = 0.5 * np.sin(2 * np.pi * WORDS[word] * beat).astype(np.float32)
        sound[first : first + len(beat)] += tone[: len(sound) - first]
    return sound


@dataclass
class ToneTranscriber:
    """Implements index.passages.Transcriber; counts its calls."""

    engine: str = "tones@1"
    known: frozenset[str] = frozenset()
    heard_s: float = 0.0
    batches: list[int] = field(default_factory=list)
    languages_asked: list[str] = field(default_factory=list)
    tells: Callable[[float], str] = lambda at_s: ""
    """The language of what is said so many seconds after the beginning of a piece."""
    before: Callable[[], None] = lambda: None
    """Called before each batch."""

    def languages(self) -> frozenset[str]:
        return self.known

    def speech(self, sound: Sound) -> tuple[Speech, ...]:
        self.heard_s += len(sound) / RATE
        loud = np.flatnonzero(np.abs(sound) > 0.1) / RATE
        if not len(loud):
            return ()
        breaks = np.flatnonzero(np.diff(loud) > 0.05)
        firsts, lasts = loud[[0, *(breaks + 1)]], loud[[*breaks, -1]]
        return tuple(Speech(float(a), float(b)) for a, b in zip(firsts, lasts, strict=True))

    def transcribe(self, pieces: list[Sound], language: str) -> list[tuple[Passage, ...]]:
        self.before()
        self.batches.append(len(pieces))
        self.languages_asked.append(language)
        return [self._said(piece) for piece in pieces]

    def _said(self, piece: Sound) -> tuple[Passage, ...]:
        body, words = "", []
        for part in self.speech(piece):
            tone = piece[int(part.start_s * RATE) : int(part.end_s * RATE)]
            pitch = np.abs(np.fft.rfft(tone)).argmax() * RATE / len(tone)
            word = min(WORDS, key=lambda name: abs(WORDS[name] - pitch))
            body += " " * bool(body)
            words.append(Word(len(body), len(word), part.start_s, part.end_s, 0.9))
            body += word
        if not words:
            return ()
        spoken = self.tells(words[-1].end_s)
        return (
            Passage(
                words[0].start_s, words[-1].end_s, body, "", 0.9, tuple(words), language=spoken
            ),
        )
