"""Cuts sound into the windows that a transcriber gets, and keeps of its text what was spoken.

Silence is never transcribed: models write something into it all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..passages import Passage, Sound, Speech, Word

RATE = 16_000
LONGEST_S = 28.0
"""Whisper hears 30 s at once."""
_JOINED_S = 2.0
"""Stretches of speech that lie closer share a window."""
_MARGIN_S = 0.25
"""Real sound on both sides of a window: digital silence there would shift the times of words."""
_CUT_AMONG_S = 8.0
"""Speech without a pause is cut where it is quietest among its last seconds."""
_SPOKEN = 0.2
"""Share of a passage that must be speech."""


@dataclass(frozen=True)
class Window:
    """A stretch of a piece of sound, in seconds of that piece."""

    start_s: float
    end_s: float

    def of(self, sound: Sound) -> Sound:
        """Its samples."""
        return sound[round(self.start_s * RATE) : round(self.end_s * RATE)]


def windows(speech: Sequence[Speech], sound: Sound) -> list[Window]:
    """Windows that hold all speech, in order, none longer than a transcriber takes.

    Args:
        speech: Where somebody speaks.
        sound: The piece of sound that it belongs to.
    """
    length_s = len(sound) / RATE
    joined: list[list[float]] = []
    for part in _short(speech, sound):
        near = joined and part.start_s - joined[-1][1] <= _JOINED_S
        if near and part.end_s - joined[-1][0] <= LONGEST_S:
            joined[-1][1] = part.end_s
        else:
            joined.append([part.start_s, part.end_s])
    found: list[Window] = []
    for number, (start_s, end_s) in enumerate(joined):
        before_s = joined[number - 1][1] if number else -length_s
        after_s = joined[number + 1][0] if number + 1 < len(joined) else 2 * length_s
        start_s -= min(_MARGIN_S, (start_s - before_s) / 2)
        end_s += min(_MARGIN_S, (after_s - end_s) / 2)
        found.append(Window(max(0.0, start_s), min(length_s, end_s)))
    return found


def spoken(passages: Iterable[Passage], offset_s: float, speech: Sequence[Speech]) -> list[Passage]:
    """Passages of a window as the video has them, without what nobody said.

    A word ends where speech does: models stretch the last one before a pause over it.

    Args:
        passages: Times in seconds of the window.
        offset_s: Where the window begins.
        speech: Where somebody speaks, in the same seconds as `offset_s`.
    """
    kept: list[Passage] = []
    for passage in passages:
        start_s, end_s = passage.start_s + offset_s, passage.end_s + offset_s
        if not _share(start_s, end_s, speech) >= _SPOKEN:
            continue
        words = tuple(_trimmed(word, offset_s, speech) for word in passage.words)
        if words:
            start_s, end_s = words[0].start_s, max(word.end_s for word in words)
        kept.append(replace(passage, start_s=start_s, end_s=max(start_s, end_s), words=words))
    return kept


def _short(speech: Sequence[Speech], sound: Sound) -> Iterable[Speech]:
    for part in speech:
        start_s = part.start_s
        while part.end_s - start_s > LONGEST_S:
            cut_s = _quietest_s(sound, start_s + LONGEST_S - _CUT_AMONG_S, start_s + LONGEST_S)
            yield Speech(start_s, cut_s)
            start_s = cut_s
        yield Speech(start_s, part.end_s)


def _quietest_s(sound: Sound, start_s: float, end_s: float) -> float:
    """Middle of the quietest tenth of a second."""
    block = RATE // 10
    samples = sound[round(start_s * RATE) : round(end_s * RATE)]
    count = len(samples) // block
    if not count:
        return end_s
    loud = np.square(samples[: count * block].reshape(count, block)).sum(axis=1)
    return start_s + (int(loud.argmin()) + 0.5) * block / RATE


def _share(start_s: float, end_s: float, speech: Sequence[Speech]) -> float:
    """How much of a stretch is speech; of one without length whether it lies in some."""
    if end_s <= start_s:
        return float(any(part.start_s <= start_s <= part.end_s for part in speech))
    common = (min(end_s, part.end_s) - max(start_s, part.start_s) for part in speech)
    return sum(max(0.0, seconds) for seconds in common) / (end_s - start_s)


def _trimmed(word: Word, offset_s: float, speech: Sequence[Speech]) -> Word:
    start_s, end_s = word.start_s + offset_s, word.end_s + offset_s
    heard = [part for part in speech if part.end_s > start_s and part.start_s < end_s]
    if heard:
        best = max(heard, key=lambda p: min(end_s, p.end_s) - max(start_s, p.start_s))
        start_s, end_s = max(start_s, best.start_s), min(end_s, best.end_s)
    return replace(word, start_s=start_s, end_s=end_s)
