"""Text that a container holds, packet by packet: to what is said."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from .ass import joined_layers
from .encodings import encoding_of
from .fitting import Said, Shown
from .markup import Line, ass_lines, plain, read_line, word_stamps
from .rolling import unroll
from .speakers import by_speaker

_STAYS_S = Fraction(4)
"""How long a text lasts that nothing ends."""
_ASS_COMMAS = 8
_UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

TextEvent = tuple[Fraction, Fraction | None, bytes]
"""Start, end where it is known, and the bytes of one packet."""


def said_in_packets(
    events: Sequence[TextEvent], codec: str, *, language: str = "", encoding: str = ""
) -> tuple[tuple[Said, ...], str, bool]:
    """What the packets of one text stream say.

    Args:
        events: In the order of the container.
        codec: FFmpeg's name of their codec; anything but the common ones is ASS.
        language: As the stream says it.
        encoding: What a person says the encoding is; empty to find out.

    Returns:
        What is said, how the bytes were read, and whether the captions rolled up.

    Raises:
        TextError: The encoding that a person named does not fit.
    """
    texts, how = _decoded([data for _, _, data in events], encoding, language)
    ends = _ends(events)
    timed = [
        (start, end, text) for (start, _, _), end, text in zip(events, ends, texts, strict=True)
    ]
    if codec not in ("subrip", "text", "webvtt", "mov_text"):
        return joined_layers(said for event in timed if (said := _ass(*event))), how, False
    shown = [
        Shown(start, end, tuple(_lines(text, codec == "webvtt", start, end)))
        for start, end, text in timed
    ]
    cues, rolled = unroll(shown)
    return by_speaker(cues), how, rolled


def _decoded(pieces: Sequence[bytes], encoding: str, language: str) -> tuple[list[str], str]:
    """One encoding for all, as a stream has; a mark at a piece's start is its own."""
    unmarked = [piece for piece in pieces if not piece.startswith(_UTF_16_MARKS)]
    found = encoding_of(b"\n".join(unmarked), encoding=encoding, language=language)
    own = encoding_of(_UTF_16_MARKS[0])
    return [
        (own if piece.startswith(_UTF_16_MARKS) else found).decode(piece) for piece in pieces
    ], found.shown


def _ends(events: Sequence[TextEvent]) -> list[Fraction]:
    """Where each event ends; one that does not say lasts until the next, but not for long."""
    found = []
    for number, (start, end, _) in enumerate(events):
        if end is None:
            end = start + _STAYS_S
            if number + 1 < len(events) and start < events[number + 1][0] < end:
                end = events[number + 1][0]
        found.append(end)
    return found


def _lines(text: str, webvtt: bool, start: Fraction, end: Fraction) -> list[Line]:
    lines = [line for line in text.replace("\r", "\n").split("\n") if line.strip()]
    stamps = word_stamps(text) if webvtt else []
    base = start if stamps and min(stamps) < start else Fraction(0)  # Matroska's count from the cue
    found = [part for line in lines for part in read_line(line, webvtt, start - base, end - base)]
    later = [
        replace(line, times=tuple(timed.later(base) for timed in line.times)) for line in found
    ]
    return [line for line in later if line.text]


def _ass(start: Fraction, end: Fraction, text: str) -> Said | None:
    fields = text.split(",", _ASS_COMMAS)
    if len(fields) <= _ASS_COMMAS:
        return None
    lines = ass_lines(fields[_ASS_COMMAS])
    return Said(start, end, tuple(map(Line, lines)), plain(fields[3]).strip()) if lines else None
