"""The words of a moment as people are shown them: one line, what matched, where to cite it."""

from __future__ import annotations

from ..passages import Passage, Quote
from ..text.designations import citation
from .candidates import Place
from .matching import Match

_MOST_SHOWN = 240
"""Characters of a quote."""
_AROUND = 60
"""Characters before and after the matched words where a quote is cut."""


def quote_of(match: Match) -> Quote:
    """The passages that hold the matched words."""
    first = min(number for number, _, _ in match.matched)
    last = max(number for number, _, _ in match.matched)
    passages = match.place.passages[first : last + 1]
    body, starts = _joined(passages)
    words = sorted((starts[number - first] + at, length) for number, at, length in match.matched)
    return _quote(match.place, passages, *_cut(body, tuple(words)))


def quote_of_all(place: Place) -> Quote:
    """All that is said at a place."""
    body, _ = _joined(place.passages)
    return _quote(place, place.passages, *_cut(body, ((0, 0),)), ())


def citation_of(place: Place, passages: tuple[Passage, ...]) -> str:
    """Where it stands in the transcript of a deposition; empty where there is none.

    What a machine heard is no testimony, whatever it was aligned to.
    """
    testimony, first, last = place.text.testimony, passages[0].first, passages[-1].last
    if testimony is None or first is None or place.text.source.origin != "person":
        return ""
    return f"{testimony.witness} {citation(first, last or passages[-1].first or first)}".strip()


def _quote(
    place: Place,
    passages: tuple[Passage, ...],
    body: str,
    words: tuple[tuple[int, int], ...],
    matched: tuple[tuple[int, int], ...] | None = None,
) -> Quote:
    speakers = dict.fromkeys(passage.speaker for passage in passages if passage.speaker)
    return Quote(
        body=body,
        matched=words if matched is None else matched,
        speaker=", ".join(speakers),
        source=place.text.source,
        quality=passages[0].quality,
        citation=citation_of(place, passages),
    )


def _joined(passages: tuple[Passage, ...]) -> tuple[str, list[int]]:
    """Passages as one line, and where each begins in it."""
    body, starts = "", []
    for passage in passages:
        body += " " if body else ""
        starts.append(len(body))
        body += "".join(" " if letter.isspace() else letter for letter in passage.body)
    return body, starts


def _cut(body: str, words: tuple[tuple[int, int], ...]) -> tuple[str, tuple[tuple[int, int], ...]]:
    """A line around its matched words, and where these are then."""
    if len(body) <= _MOST_SHOWN:
        return body, words
    low = max(0, words[0][0] - _AROUND)
    high = min(len(body), max(low + _MOST_SHOWN, words[-1][0] + words[-1][1] + _AROUND))
    while 0 < low < words[0][0] and body[low - 1] != " ":
        low += 1
    while high < len(body) and high > words[-1][0] + words[-1][1] and body[high] != " ":
        high -= 1
    before, after = "… " if low else "", " …" if high < len(body) else ""
    moved = tuple((first - low + len(before), length) for first, length in words)
    return before + body[low:high].strip(" ") + after, moved
