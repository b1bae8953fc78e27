"""Gives a printed transcript the times of what was heard in its recording.

The reporter's words and the transcribed ones are one text with errors on both sides, so
their edit distance pairs them; a line starts where its first word was heard, or between
the nearest two that were.
"""

from __future__ import annotations

import bisect
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..errors import UsageError
from ..passages import Passage, TimeQuality, Word
from .testimony import PrintedLine, Timed

_WORD = re.compile(r"\w+(?:['’]\w+)*")
_LEAST_RUN = 2
"""Words in a row that must agree: single ones agree by chance, on covers above all."""
_LEAST_SHARE = 0.3
"""Of the spoken words; with fewer in common this is the transcript of something else."""
_WORD_S = 0.35
"""A spoken word, with the gap after it."""
_LINGER_S = 1.0
"""A line is shown so long after its last word, where the next one does not begin earlier."""


@dataclass(frozen=True)
class HeardWord:
    """A word as it was transcribed."""

    text: str
    start_s: float
    end_s: float


def heard_words(passages: Iterable[Passage]) -> tuple[HeardWord, ...]:
    """The words of passages that have times of their own, in order of time."""
    words = [
        HeardWord(passage.body[word.first : word.first + word.length], word.start_s, word.end_s)
        for passage in passages
        for word in passage.words
    ]
    return tuple(sorted(words, key=lambda word: word.start_s))


def aligned(lines: Sequence[PrintedLine], heard: Sequence[HeardWord]) -> tuple[Timed, ...]:
    """Printed lines with the times at which they were heard.

    Lines before the first and after the last word that both have are left out: covers,
    appearances and certificates are not spoken. ``aligned`` lines hold a word that was
    heard; ``interpolated`` ones lie between two such.

    Args:
        lines: In printed order.
        heard: In order of time, seconds from the video's first presented frame.

    Returns:
        The lines that were heard; empty when too little of the recording agrees.

    Raises:
        UsageError: The package that pairs the words is not installed.
    """
    printed = [
        (at, found.start(), found.end(), _key(found[0]))
        for at, line in enumerate(lines)
        for found in _WORD.finditer(line.body)
    ]
    said = [(_key(part), word) for word in heard for part in _WORD.findall(word.text)]
    pairs = _paired([key for *_, key in printed], [key for key, _ in said])
    if len(pairs) < _LEAST_SHARE * len(said) or not pairs:
        return ()
    known = [place for place, _ in pairs]
    times_s = [said[there][1].start_s for _, there in pairs]
    words: dict[int, list[Word]] = {}
    for place, there in pairs:
        at, first, end, _ = printed[place]
        word = said[there][1]
        words.setdefault(at, []).append(Word(first, end - first, word.start_s, word.end_s))
    lengths = Counter(at for at, *_ in printed)
    starts = [
        (at, _start_of(place, lengths[at], known, times_s))
        for place, (at, *_) in enumerate(printed)
        if place == 0 or printed[place - 1][0] != at
        if known[0] <= place <= known[-1] or at in words
    ]
    return tuple(_timed(lines, starts, words, said[pairs[-1][1]][1].end_s))


def _timed(
    lines: Sequence[PrintedLine],
    starts: Sequence[tuple[int, float]],
    words: dict[int, list[Word]],
    end_s: float,
) -> list[Timed]:
    rows = []
    ends = [start_s for _, start_s in starts[1:]] + [end_s + _LINGER_S]
    for (at, start_s), next_s in zip(starts, ends, strict=True):
        mine = tuple(words.get(at, ()))
        last_s = mine[-1].end_s + _LINGER_S if mine else next_s
        # Nobody speaks during a recess: the line before it ends with its words.
        until_s = max(min(next_s, last_s), mine[-1].end_s if mine else start_s)
        if start_s < until_s:
            quality: TimeQuality = "aligned" if mine else "interpolated"
            rows.append(Timed(lines[at], start_s, until_s, quality, mine))
    return rows


def _start_of(place: int, length: int, known: Sequence[int], times_s: Sequence[float]) -> float:
    """When a line began: its first word was heard, or lies between neighbours that were.

    Args:
        place: Of its first word.
        length: Words that it has.
        known: Places of the words that were heard.
        times_s: When these were.
    """
    right = bisect.bisect_left(known, place)
    if right < len(known) and known[right] == place:
        return times_s[right]
    if right == 0 or right == len(known):
        return times_s[min(right, len(known) - 1)]
    span = known[right] - known[right - 1]
    share = (place - known[right - 1]) / span
    evenly_s = times_s[right - 1] + share * (times_s[right] - times_s[right - 1])
    if known[right] - place < length:
        # People pause before they begin to speak, rarely within a line.
        return max(evenly_s, times_s[right] - _WORD_S * (known[right] - place))
    return evenly_s


def _key(word: str) -> str:
    """A word without case and accents of spelling that a transcriber does not keep."""
    return word.casefold().replace("’", "'")


def _paired(printed: Sequence[str], said: Sequence[str]) -> list[tuple[int, int]]:
    """Places of the words that both have, in runs that are long enough."""
    try:
        from rapidfuzz.distance import Levenshtein
    except ImportError as error:
        raise UsageError(
            "A transcript without times is aligned to what is heard with rapidfuzz, which is "
            "not installed.",
            "Install it with: pip install 'groundzero-video[speech]'",
        ) from error
    numbers: dict[str, int] = {}
    ours = [numbers.setdefault(key, len(numbers)) for key in printed]
    theirs = [numbers.setdefault(key, len(numbers)) for key in said]
    pairs = []
    for step in Levenshtein.opcodes(ours, theirs):
        length = step.src_end - step.src_start
        if step.tag == "equal" and length >= min(_LEAST_RUN, len(said)):
            here = range(step.src_start, step.src_end)
            pairs += list(zip(here, itertools.count(step.dest_start), strict=False))
    return pairs
