"""A passage as a row of the library and back; part of the store, without SQL of its own."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from ..passages import Passage, Place, TimeQuality, Word
from .checksums import digest

COLUMNS = (
    "text_id, start_ms, end_ms, body, speaker, confidence, words, "
    "first_page, first_line, last_page, last_line, quality, box, by_letters"
)
_WORD = np.dtype(
    [("first", "<u4"), ("length", "<u2"), ("start", "<i4"), ("ms", "<u2"), ("sure", "u1")]
)
_LONGEST_MS = 2**16 - 1
_WITHOUT_SPACES = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR")
"""Scripts whose words cannot be told apart by spaces, as Unicode names their letters."""


def row_of(text_id: int, passage: Passage, by_letters: bool) -> list[object]:
    """The columns of a passage and their digest, in the order of `COLUMNS`."""
    first, last = passage.first, passage.last
    row: list[object] = [
        text_id,
        milliseconds(passage.start_s),
        milliseconds(passage.end_s),
        passage.body,
        passage.speaker,
        float(passage.confidence),
        _packed(passage.words, passage.start_s),
        None if first is None else first.page,
        None if first is None else first.line,
        None if last is None else last.page,
        None if last is None else last.line,
        passage.quality,
        b"" if passage.box is None else np.array(passage.box, "<f4").tobytes(),
        int(by_letters or needs_letters(passage.body)),
    ]
    return [*row, digest(*row)]


def is_sound(row: Sequence[Any]) -> bool:
    """Whether columns with their digest, as `row_of` made them, are what was written."""
    return bool(row[-1] == digest(*row[:-1]))


def passage_of(row: Sequence[Any]) -> Passage:
    """The passage that a row without its digest stands for."""
    _, start_ms, end_ms, body, speaker, confidence, words, *rest = row
    first_page, first_line, last_page, last_line, quality, box, _ = rest
    return Passage(
        start_s=start_ms / 1000,
        end_s=end_ms / 1000,
        body=body,
        speaker=speaker,
        confidence=confidence,
        words=_unpacked(words, start_ms),
        first=None if first_page is None else Place(first_page, first_line),
        last=None if last_page is None else Place(last_page, last_line),
        quality=cast(TimeQuality, quality),
        box=_box(box),
    )


def milliseconds(time_s: float) -> int:
    """A time as the library keeps it."""
    return round(time_s * 1000)


def needs_letters(body: str) -> bool:
    """Whether words cannot be told apart by spaces, so that any three letters are indexed."""
    return any(
        ord(letter) > 0x0E00 and unicodedata.name(letter, "").startswith(_WITHOUT_SPACES)
        for letter in body
    )


def _packed(words: Sequence[Word], start_s: float) -> bytes:
    packed = np.zeros(len(words), _WORD)
    origin_ms = milliseconds(start_s)
    for row, word in zip(packed, words, strict=True):
        begin_ms = milliseconds(word.start_s)
        length_ms = milliseconds(word.end_s) - begin_ms
        row["first"], row["length"] = word.first, min(word.length, 2**16 - 1)
        row["start"], row["ms"] = begin_ms - origin_ms, min(max(length_ms, 0), _LONGEST_MS)
        row["sure"] = round(255 * min(max(word.confidence, 0.0), 1.0))
    return packed.tobytes()


def _unpacked(packed: bytes, origin_ms: int) -> tuple[Word, ...]:
    return tuple(
        Word(
            first=int(first),
            length=int(length),
            start_s=(origin_ms + int(start)) / 1000,
            end_s=(origin_ms + int(start) + int(length_ms)) / 1000,
            confidence=float(sure) / 255,
        )
        for first, length, start, length_ms, sure in np.frombuffer(packed, _WORD).tolist()
    )


def _box(packed: bytes) -> tuple[float, float, float, float] | None:
    if not packed:
        return None
    left, top, right, bottom = np.frombuffer(packed, "<f4").tolist()
    return left, top, right, bottom
