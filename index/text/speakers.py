"""Who speaks, where a file writes the name before the words: ``JANE: Hello``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from .fitting import Said, Shown
from .markup import Line

_MOST_WORDS = 4
_PREFIX = re.compile(
    r"\s*(?:[-–—]|>>+)?\s*"
    r"(?P<name>[^\W\d_][\w .,'’&()\-]{0,38}|\[[^\[\]:]{1,38}\]):\s+(?=\S)"
)
_NO_PEOPLE_TEXT = (
    "re fwd fw subject note notes ps nb attn cc bcc step example warning caution tip remember "
    "question answer problem solution conclusion summary chapter section part source sources "
    "website email phone tel fax http https time date total"
)
_NO_PEOPLE = frozenset(_NO_PEOPLE_TEXT.split())
_LEAST_SHARE = 0.1
"""Of all cues, how many must begin with some name before names in small letters are believed."""
_BRACKETS = str.maketrans("", "", "[]")


def by_speaker(cues: Sequence[Shown]) -> tuple[Said, ...]:
    """Cues parted where another person speaks; names before the words are taken off."""
    names = names_before_words(cue.lines for cue in cues)
    return tuple(
        Said(cue.start, cue.end, said, speaker)
        for cue in cues
        for speaker, said in _turns(cue.lines, names)
    )


def names_before_words(cues: Iterable[Sequence[Line]]) -> frozenset[str]:
    """Names that stand before words again and again.

    One that stands there once is as likely a heading or a letter (``Re: the contract``).

    Args:
        cues: Lines of each cue of a file.
    """
    counts: Counter[str] = Counter()
    total = begun = 0
    for lines in cues:
        total += 1
        names = [name for line in lines if (name := _named(line.text)) is not None]
        begun += bool(names)
        counts.update(names)
    believed = begun >= _LEAST_SHARE * total
    return frozenset(
        name
        for name, count in counts.items()
        if count > 1 and (believed or name.isupper() or name[-1:].isdigit())
    )


def _turns(lines: Sequence[Line], names: frozenset[str]) -> Iterator[tuple[str, tuple[Line, ...]]]:
    found: list[tuple[str, list[Line]]] = []
    for line in lines:
        speaker = line.speaker
        name = None if speaker is not None else _named(line.text)
        if name is not None and name in names:
            speaker, line = name, _without_name(line)
        if speaker is not None or not found:
            found.append((speaker or "", []))
        if line.text:
            found[-1][1].append(line)
    yield from ((speaker, tuple(said)) for speaker, said in found if said)


def _named(text: str) -> str | None:
    match = _PREFIX.match(text)
    if match is None:
        return None
    name = match["name"].translate(_BRACKETS).strip()
    words = name.split()
    if not words or len(words) > _MOST_WORDS or words[0].lower() in _NO_PEOPLE:
        return None
    return name if name[0].isupper() or not name[0].islower() else None


def _without_name(line: Line) -> Line:
    match = _PREFIX.match(line.text)
    if match is None:
        return line
    cut = match.end()
    times = tuple(
        replace(timed, first=max(0, timed.first - cut), length=timed.first + timed.length - cut)
        if timed.first < cut
        else replace(timed, first=timed.first - cut)
        for timed in line.times
        if timed.first + timed.length > cut
    )
    return replace(line, text=line.text[cut:], times=times)
