"""Plain words out of marked-up lines: tags, entities, voices, and the times inside."""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import dataclass, replace
from fractions import Fraction

_TIME = r"<(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,9})>"
_WORD_TIME = re.compile(_TIME, re.ASCII)
_VOICE = re.compile(r"<v(?:\.[^\s<>]*)?[ \t]+([^<>]*)>", re.IGNORECASE)
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_RUBY = re.compile(r"<rt[^<>]*>[^<>]*(?:</rt>|$)", re.IGNORECASE)
_KNOWN_TAG = re.compile(
    r"</?(?:i|b|u|s|c|v|em|strong|font|ruby|rt|lang|span|p|div|sub|sup)(?:[\s.][^<>]*)?/?>",
    re.IGNORECASE,
)
_ANY_TAG = re.compile(r"</?[^<>]*>")
_OVERRIDE = re.compile(r"\{[^{}]*\}")
_SRT_OVERRIDE = re.compile(r"\{(?:\\[^{}]*|[yYcCfFsSpPoO]:[^{}]*)\}")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,31}\d{0,2});")
_DRAWING = re.compile(r"\\p(\d+)")
_SPACES = re.compile(r"[^\S\n]+")
_UNSEEN = frozenset("\u00ad\u061c\ufeff\u200b\u200e\u200f\u2060\ufffe\uffff")


@dataclass(frozen=True)
class Timed:
    """Words of a line whose time stands in the line."""

    first: int
    length: int
    start: Fraction
    end: Fraction

    def later(self, by: Fraction) -> Timed:
        """The same words at another time."""
        return replace(self, start=self.start + by, end=self.end + by)


@dataclass(frozen=True)
class Line:
    """A line of a cue as people read it."""

    text: str
    speaker: str | None = None
    """Who speaks from here on; None where the line does not say."""
    times: tuple[Timed, ...] = ()


def plain(text: str) -> str:
    """Text that can be shown anywhere: no control characters, nothing that turns writing round.

    Spaces of every kind become one; line breaks stay.
    """
    if text.isascii() and text.isprintable():
        return _SPACES.sub(" ", text).strip()
    kept = []
    for character in unicodedata.normalize("NFC", text):
        kind = unicodedata.category(character)
        if character == "\n" or character in "\u2028\u2029":
            kept.append("\n")
        elif kind in ("Cc", "Zs") or character == "\t":
            kept.append(" ")
        elif kind != "Cs" and character not in _UNSEEN and not _turns(character):
            kept.append(character)
    return "\n".join(line.strip() for line in _SPACES.sub(" ", "".join(kept)).split("\n"))


def _turns(character: str) -> bool:
    """Whether a character changes the direction of what follows it."""
    return "\u202a" <= character <= "\u202e" or "\u2066" <= character <= "\u2069"


def read_line(line: str, webvtt: bool, start: Fraction, end: Fraction) -> list[Line]:
    """Parts of one line of an SRT or WebVTT cue, a part for each voice in it.

    Args:
        line: As the file has it.
        webvtt: Whether everything in angle brackets is markup.
        start: Start of its cue.
        end: End of its cue.
    """
    line = _BREAK.sub(" ", line)
    pieces = _VOICE.split(line)
    found = []
    if pieces[0].strip() or len(pieces) == 1:
        found.append(_part(pieces[0], None, webvtt, start, end))
    for name, said in zip(pieces[1::2], pieces[2::2], strict=True):
        found.append(_part(said, _one_line(_ENTITY.sub(_entity, name)), webvtt, start, end))
    return found


def word_stamps(text: str) -> list[Fraction]:
    """Times that stand between the words of a WebVTT cue."""
    return [_seconds(list(match.groups())) for match in _WORD_TIME.finditer(text)]


def _part(text: str, speaker: str | None, webvtt: bool, start: Fraction, end: Fraction) -> Line:
    pieces = _WORD_TIME.split(text)
    if len(pieces) == 1:
        return Line(_words(text, webvtt), speaker)
    body, times, at = "", [], start
    stamps = [_seconds(pieces[n : n + 4]) for n in range(1, len(pieces), 5)]
    for number, piece in enumerate(pieces[::5]):
        words = _words(piece, webvtt, whole=False)
        until = stamps[number] if number < len(stamps) else end
        spoken = words.strip()
        if spoken:
            if body and body[-1] != " " and words[0] == " ":
                body += " "
            first = len(body)
            body += spoken + (" " if words[-1] == " " else "")
            if at < until:
                times.append(Timed(first, len(spoken), at, until))
        elif words and body and body[-1] != " ":
            body += " "
        at = until
    return Line(re.sub(r" +$", "", body), speaker, tuple(times))


def _seconds(fields: list[str]) -> Fraction:
    hours, minutes, seconds, part = fields
    whole = int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)
    return whole + Fraction(int(part), 10 ** len(part))


def _words(text: str, webvtt: bool, whole: bool = True) -> str:
    """A piece of a line without markup; spaces at its ends stay when it is not the whole line."""
    text = _RUBY.sub("", text)
    text = (_ANY_TAG if webvtt else _KNOWN_TAG).sub("", text)
    if not webvtt:
        text = _SRT_OVERRIDE.sub("", text).replace("\\N", " ").replace("\\h", " ")
    text = _ENTITY.sub(_entity, text)
    words = _one_line(text)
    if whole or not words:
        return words or (" " if text and not whole else "")
    lead, trail = text[0].isspace(), text[-1].isspace()
    return " " * lead + words + " " * trail


def _entity(match: re.Match[str]) -> str:
    return html.unescape(match[0])


def _one_line(text: str) -> str:
    return plain(text).replace("\n", " ").strip()


def ass_lines(text: str) -> list[str]:
    """Lines of an ASS event without its override tags; shapes that are drawn are no words."""
    kept, drawing, at = [], False, 0
    for match in _OVERRIDE.finditer(text):
        if not drawing:
            kept.append(text[at : match.start()])
        for depth in _DRAWING.findall(match[0]):
            drawing = int(depth[:9]) > 0
        at = match.end()
    if not drawing:
        kept.append(text[at:])
    words = "".join(kept).replace("\\N", "\n").replace("\\n", "\n").replace("\\h", " ")
    lines = plain(words).split("\n")
    return [line for line in lines if line]
