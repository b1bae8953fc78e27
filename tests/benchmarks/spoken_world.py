"""Made-up speech: hours of talk with the word frequencies of a language, and what a machine hears.

Words are made of syllables; their frequencies follow Zipf's law, the most frequent ones are
English function words. Every talk has words of its own that it keeps coming back to, so that
sentences which share words with a query are common where they would be. What a machine hears
differs from what was said: words are taken for others, left out and put in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np

from index.passages import Passage, Word

FUNCTION = re.findall(
    r"\w+",
    "the of and to a in is it you that he was for on are with as i his they be at one have this "
    "from or had by but what some we can out other were all there when up use your how said an "
    "each she which do their if will way about many then them would so these her him has "
    "more could no did my who its now been than may not never",
)
_SYLLABLES = [c + v for c in "bcdfghklmnprstvz" for v in ("a", "e", "i", "o", "u", "ar", "en")]
WORD_S = 0.3
PASSAGE_WORDS = 12


@dataclass(frozen=True)
class Talk:
    """What is said in one video."""

    said: tuple[str, ...]
    """Every word, as a person would write it down."""
    heard: tuple[Passage, ...]
    """As the library gets it."""


class SpokenWorld:
    """A vocabulary from which talks are made."""

    def __init__(self, seed: int = 0, words: int = 30_000) -> None:
        self.rng = np.random.default_rng(seed)
        made: dict[str, None] = dict.fromkeys(FUNCTION)
        while len(made) < words:
            syllables = self.rng.integers(0, len(_SYLLABLES), self.rng.integers(2, 5))
            made["".join(_SYLLABLES[k] for k in syllables)] = None
        self.words = np.array(list(made))
        shares = 1 / (np.arange(words) + 2.7)
        self._cumulated = np.cumsum(shares / shares.sum())

    def numbers(self, count: int, topic: np.ndarray) -> np.ndarray:
        """Words by number: function words as usual, a third of the others of the topic."""
        drawn = np.searchsorted(self._cumulated, self.rng.random(count))
        content = (drawn >= len(FUNCTION)) & (self.rng.random(count) < 0.33)
        drawn[content] = topic[
            np.minimum(self.rng.geometric(0.03, content.sum()) - 1, len(topic) - 1)
        ]
        return drawn

    def topic(self) -> np.ndarray:
        return self.rng.integers(len(FUNCTION), len(self.words), 200)

    def talk(self, words: int, error: float = 0.0, timed: bool = True) -> Talk:
        """A talk of so many words, of which a share is heard wrongly."""
        said = self.words[self.numbers(words, self.topic())]
        heard = []
        for first in range(0, words, PASSAGE_WORDS):
            piece = said[first : first + PASSAGE_WORDS]
            heard.append(self._heard(piece, first * WORD_S, error, timed))
        return Talk(tuple(said.tolist()), tuple(heard))

    def _heard(self, piece: np.ndarray, start_s: float, error: float, timed: bool) -> Passage:
        body, words = "", []
        for number, spoken in enumerate(piece):
            kind = self.rng.random() / error if error else 1.0
            if kind < 0.2:
                continue
            wrong = kind < 0.85
            word = str(self.rng.choice(self.words[:3000])) if wrong else str(spoken)
            added = [str(self.rng.choice(self.words[:3000]))] if 0.85 <= kind < 1 else []
            # Recognisers doubt what they get wrong more often than what they get right.
            sure = float(np.clip(self.rng.beta(2, 2) if wrong else self.rng.beta(8, 1.2), 0, 1))
            for more in [*added, word]:
                first = len(body) + bool(body)
                body += (" " if body else "") + more
                at_s = start_s + number * WORD_S
                words.append(Word(first, len(more), at_s, at_s + WORD_S, sure if error else 1.0))
        end_s = start_s + len(piece) * WORD_S
        sure = float(np.mean([w.confidence for w in words])) if words else 1.0
        made = Passage(start_s, end_s, body or "mm", confidence=sure)
        return replace(made, words=tuple(words)) if timed else made
