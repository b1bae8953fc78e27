"""What a model wrote, piece by piece, to words and to the passages that people read."""

from __future__ import annotations

import unicodedata
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from index.passages import Passage, TimeQuality, Word

_LONGEST_S = 12.0
"""A passage that goes on longer is cut at the next word."""
_PAUSE_S = 1.0
"""A pause that ends a passage."""
_SENTENCE_ENDS = ".?!。？！।؟"
_SHORTEST_SENTENCE = 3
"""Words; ``Dr.`` and ``Yes.`` end no passage."""
_REPETITIVE = 2.4
"""A text that packs better than this says the same over and over: the model lost the thread."""


@dataclass(frozen=True)
class Token:
    """A piece of text as the model wrote it, with the blank before it where there is one."""

    text: str
    start_s: float
    end_s: float
    confidence: float
    language: str = ""
    """Two letters, where the model tells what it heard."""


@dataclass
class _Heard:
    text: str
    spaced: bool
    """Whether a blank stands before it."""
    start_s: float
    end_s: float
    confidences: list[float]

    @property
    def confidence(self) -> float:
        return min(self.confidences)


def passages_of(tokens: Sequence[Token], quality: TimeQuality = "exact") -> tuple[Passage, ...]:
    """Tokens in order of time to passages: sentences, or what lies between two pauses.

    Args:
        tokens: Of one stretch of sound.
        quality: How well their times are known.

    Returns:
        No passage where the text only repeats itself, which models do that hear no words.
    """
    heard = _words(tokens)
    if repeats_itself("".join(" " * word.spaced + word.text for word in heard)):
        return ()
    language = tokens[0].language if tokens else ""
    found: list[Passage] = []
    current: list[_Heard] = []
    for word in heard:
        if current and _ends(current, word):
            found.append(_passage(current, quality, language))
            current = []
        current.append(word)
    if current:
        found.append(_passage(current, quality, language))
    return tuple(found)


def repeats_itself(text: str) -> bool:
    """Whether a text is one phrase over and over."""
    data = text.encode()
    return len(data) > 40 and len(data) / len(zlib.compress(data)) > _REPETITIVE


def _words(tokens: Sequence[Token]) -> list[_Heard]:
    """Joins the pieces of a word; in writing without blanks each piece stands for itself."""
    words: list[_Heard] = []
    for token in tokens:
        text = "".join(c for c in token.text if c.isspace() or unicodedata.category(c)[0] != "C")
        bare = text.strip()
        if not bare:
            continue
        spaced = text[0].isspace()
        last = words[-1] if words else None
        joins = last is not None and not spaced and not _unspaced(bare[0])
        if last is not None and (joins or not any(map(str.isalnum, bare))) and not spaced:
            last.text += bare
            last.end_s = max(last.end_s, token.end_s)
            if any(map(str.isalnum, bare)):
                last.confidences.append(token.confidence)
            continue
        words.append(_Heard(bare, spaced, token.start_s, token.end_s, [token.confidence]))
    return words


def _unspaced(letter: str) -> bool:
    """Whether a letter belongs to a writing that puts no blanks between words."""
    name = unicodedata.name(letter, "")
    return name.startswith(("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR"))


def _ends(current: list[_Heard], following: _Heard) -> bool:
    last = current[-1]
    if following.start_s - last.end_s >= _PAUSE_S:
        return True
    if following.end_s - current[0].start_s > _LONGEST_S:
        return True
    long_enough = len(current) >= _SHORTEST_SENTENCE
    return long_enough and last.text.rstrip("\"')”’」").endswith(tuple(_SENTENCE_ENDS))


def _passage(heard: list[_Heard], quality: TimeQuality, language: str) -> Passage:
    body, words = "", []
    for number, word in enumerate(heard):
        body += " " if number and word.spaced else ""
        words.append(
            Word(len(body), len(word.text), word.start_s, word.end_s, round(word.confidence, 3))
        )
        body += word.text
    return Passage(
        start_s=heard[0].start_s,
        end_s=max(word.end_s for word in heard),
        body=body,
        confidence=round(fmean(word.confidence for word in heard), 3),
        words=tuple(words),
        quality=quality,
        language=language,
    )
