"""Bytes to characters, whatever wrote them."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from charset_normalizer import from_bytes

from ..errors import TextError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32", "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "utf-16"),
)
_NOT_WESTERN_TEXT = (
    "ab ar be bg bn bo bs cs el fa he hi hr hu hy ja ka kk km ko ky lo lt lv mk ml mn mr my "
    "ne pl ro ru sk sl sq sr ta te tg th tr uk ur uz vi yi zh et"
)
_NOT_WESTERN = frozenset(_NOT_WESTERN_TEXT.split())
"""Languages that were never written in windows-1252."""
_MANY_BYTES = (
    "big5",
    "cp932",
    "cp949",
    "cp950",
    "euc_",
    "gb",
    "hz",
    "iso2022",
    "johab",
    "shift",
    "utf",
)
"""Encodings whose bytes rarely fit by accident."""
_SAMPLE_BYTES = 1 << 17
"""What is looked at to guess: more makes the guess slower and no better."""
_GUESSED = " (guessed)"


@dataclass(frozen=True)
class Encoding:
    """How bytes become characters."""

    codec: str
    """Python's name of it."""
    shown: str
    """For people: ``utf-8``, ``windows-1252 (guessed)``."""

    def decode(self, data: bytes) -> str:
        """The characters; what does not fit becomes a replacement character."""
        return data.decode(self.codec, "replace").removeprefix("\ufeff")


def encoding_of(data: bytes, *, encoding: str = "", language: str = "") -> Encoding:
    """Finds out how a text file is written.

    A byte order mark decides, then UTF-8 where every byte fits it. Only then is anything
    guessed, with a preference for windows-1252 where the language may be Western: guessers
    take its short texts for one of its many neighbours.

    Args:
        data: The whole file.
        encoding: What a person says it is; empty to find out.
        language: What the file is written in, as far as known.

    Raises:
        TextError: The encoding that a person named is unknown or does not fit.
    """
    if encoding:
        return _as_told(data, encoding)
    for mark, codec, name in _MARKS:
        if data.startswith(mark):
            return Encoding(codec, name)
    codec = _unmarked_utf_16(data)
    if not codec:
        try:
            data.decode("utf-8")
            return Encoding("utf-8", "utf-8")
        except UnicodeDecodeError as error:
            if _cut_off(data, error):
                return Encoding("utf-8", "utf-8")
        codec = _guessed(data, language)
    return Encoding(codec, _shown(codec) + _GUESSED)


def _guessed(data: bytes, language: str) -> str:
    sample = data[:_SAMPLE_BYTES]
    best = from_bytes(sample).best()
    guess = best.encoding if best is not None else "cp1252"
    spoken = language.partition("-")[0]
    if spoken in _NOT_WESTERN:
        return guess
    certain = guess.startswith(_MANY_BYTES) or _is_another_script(sample, guess)
    return guess if certain and not spoken else "cp1252"


def _as_told(data: bytes, encoding: str) -> Encoding:
    try:
        codec = codecs.lookup(encoding)
        b"".decode(codec.name)
    except (LookupError, ValueError):
        raise TextError(
            f"there is no encoding called {encoding[:40]!a}",
            "name one such as utf-8, windows-1252, shift_jis or windows-1251",
        ) from None
    try:
        data.decode(codec.name)
    except UnicodeError:
        raise TextError(
            f"it is not written in {_shown(codec.name)}",
            "leave --subtitle-encoding out, or name another encoding",
        ) from None
    return Encoding(codec.name, _shown(codec.name))


def _cut_off(data: bytes, error: UnicodeDecodeError) -> bool:
    """Whether only the last character is missing its end, as in a file that was cut."""
    return error.reason == "unexpected end of data" and error.start >= max(1, len(data) - 3)


def _unmarked_utf_16(data: bytes) -> str:
    """UTF-16 without its mark: every other byte of a time line is zero."""
    head = data[:4096]
    for codec, first in (("utf-16-le", 1), ("utf-16-be", 0)):
        zeros = head[first::2].count(0)
        if len(head) >= 8 and zeros > len(head) * 0.2 and head[1 - first :: 2].count(0) == 0:
            return codec
    return ""


def _is_another_script(data: bytes, guess: str) -> bool:
    """Whether most letters are Greek, Cyrillic, Hebrew or Arabic, as none are by accident."""
    text = data.decode(guess, "replace")
    foreign = sum("\u0370" <= c <= "\u052f" or "\u0590" <= c <= "\u06ff" for c in text)
    latin = sum(c.isascii() and c.isalpha() for c in text)
    return foreign > latin


def _shown(codec: str) -> str:
    name = codecs.lookup(codec).name
    return f"windows-{name[2:]}" if name.startswith("cp125") else name
