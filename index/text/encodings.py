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
_CENTRAL, _CYRILLIC = ("cp1250",), ("cp1251", "koi8_r", "cp866")
_CHINESE, _ARABIC = ("gb18030", "big5"), ("cp1256",)
_WRITTEN_IN: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("bs", "cs", "hr", "hu", "pl", "ro", "sk", "sl", "sq"), _CENTRAL),
    **dict.fromkeys(("be", "bg", "kk", "mk", "ru", "sr"), _CYRILLIC),
    **dict.fromkeys(("ar", "fa", "ur"), _ARABIC),
    **dict.fromkeys(("et", "lt", "lv"), ("cp1257",)),
    "el": ("cp1253", "iso8859_7"),
    "he": ("cp1255",),
    "ja": ("cp932", "euc_jp"),
    "ko": ("cp949",),
    "th": ("cp874",),
    "tr": ("cp1254",),
    "uk": ("cp1251", "koi8_u"),
    "vi": ("cp1258",),
    "zh": _CHINESE,
}
"""What languages were written in before UTF-8; those that are not named, in windows-1252."""
_WESTERN = "cp1252"
_LIKELY = (
    "cp1252", "cp1251", "koi8_r", "cp1253", "cp1255", "cp1256", "cp932", "euc_jp",
    "gb18030", "big5", "cp949",
)  # fmt: skip
"""What subtitles of an unknown language come in."""
_LAST_LATIN = "\u024f"
_ESCAPES = (b"\x1b$B", b"\x1b$@")
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
    codec = "iso2022_jp" if any(escape in data for escape in _ESCAPES) else _unmarked_utf_16(data)
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
    spoken = language.partition("-")[0]
    likely = _WRITTEN_IN.get(spoken, (_WESTERN,)) if spoken else _LIKELY
    if len(likely) == 1:
        return likely[0]
    # Times and English words say nothing, and drown what does.
    telling = b"\n".join(line for line in data.splitlines() if not line.isascii())
    sample = telling[:_SAMPLE_BYTES]
    best = from_bytes(sample, cp_isolation=list(likely)).best()
    if best is None:
        return likely[0]
    return best.encoding if spoken or _is_foreign(str(best)) else _WESTERN


def _is_foreign(text: str) -> bool:
    """Whether most letters are of another script: a few come about by accident."""
    letters = [character for character in text if character.isalpha()]
    return 2 * sum(character > _LAST_LATIN for character in letters) > len(letters)


def _as_told(data: bytes, encoding: str) -> Encoding:
    try:
        codec = codecs.lookup(encoding)
        "a".encode(codec.name)
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


def _shown(codec: str) -> str:
    name = codecs.lookup(codec).name
    return f"windows-{name[2:]}" if name.startswith("cp125") else name
