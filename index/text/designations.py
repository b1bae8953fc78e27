"""Designations: which pages and lines of testimony somebody wants to play.

One range to a line, ``14:15 - 16:1``, as CS DISCO, TrialDirector and OnCue write them, with
OnCue's headers in brackets. Readers there look for numbers and forgive the rest; so does
this one, except where a line can be taken in two ways.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ..errors import UsageError
from ..passages import Passage, Place
from .testimony import plain

_MOST_RANGES = 100_000
_HEADER = re.compile(r"\s*\[\s*([A-Za-z]{1,20})\s*=\s*([^\]\n]{0,300})\]\s*,?")
_TO = r"\s*(?:-|–|—|\bto\b|\bthrough\b|\bthru\b)\s*"
_RANGE = re.compile(
    rf"(\d{{1,6}})\s?:\s?(\d{{1,3}})(?!\d)"
    # A line number alone only after a dash: "14:15 3 objections" is a line with a remark.
    rf"(?:{_TO}(?:(\d{{1,6}})\s?:\s?)?(\d{{1,3}})(?![\d:])"
    r"|[\s,]+(\d{1,6})\s?:\s?(\d{1,3})(?!\d))?",
    re.I,
)
_BARE = re.compile(r"(\d{1,6})[\s,;]+(\d{1,3})[\s,;]+(?:(\d{1,6})[\s,;]+)?(\d{1,3})", re.ASCII)
_NEXT = re.compile(r"\s*[,;&]?\s*(?:and\s+)?(?=\d)")
_PLACE = re.compile(r"\d\s?:\s?\d")


@dataclass(frozen=True)
class Designation:
    """One range of printed lines, both ends inside."""

    first: Place
    last: Place
    transcript: str = ""
    """Whose testimony, as the list names it; empty when it does not."""
    id: str = ""
    """What the list calls the clip."""
    remark: str = ""
    """What else stands on its line."""
    number: int = 0
    """Line in the list."""

    @property
    def range(self) -> str:
        """``14:15-16:1``."""
        return citation(self.first, self.last)


@dataclass
class _Headers:
    names: dict[str, str] = field(default_factory=dict)

    def take(self, row: str) -> str:
        """Keeps the headers that a line begins with; what is left of it."""
        while found := _HEADER.match(row):
            self.names[found[1].casefold()] = plain(found[2])
            row = row[found.end() :]
        return row


def citation(first: Place, last: Place) -> str:
    """Page and line as testimony is cited: ``14:15-16:1``, ``14:15-20``, ``14:15``."""
    if first == last:
        return f"{first.page}:{first.line}"
    end = f"{last.line}" if first.page == last.page else f"{last.page}:{last.line}"
    return f"{first.page}:{first.line}-{end}"


def read_designations(text: str, source: str) -> tuple[Designation, ...]:
    """The ranges of a list, in its order.

    Args:
        text: The list.
        source: What it was read from, for messages.

    Raises:
        UsageError: Lines are no ranges, or run backwards; each is named.
    """
    headers = _Headers()
    found: list[Designation] = []
    wrong: list[str] = []
    for number, row in enumerate(text.lstrip("\ufeff").splitlines(), start=1):
        rest = headers.take(row).strip().strip(",;").strip()
        if not rest or rest.startswith(("#", "//")):
            continue
        try:
            found += _ranges(rest, headers.names, number)
        except ValueError as error:
            wrong.append(f"line {number}: {error}")
    if wrong:
        more = [f"and {len(wrong) - 10} more"] if len(wrong) > 10 else []
        raise UsageError(
            f"{source} has lines that are no ranges of pages and lines.",
            "Write one range to a line, as in 14:15 - 16:1; a line that begins with # is a remark.",
            tuple(wrong[:10] + more),
        )
    if not found:
        raise UsageError(
            f"{source} holds no range of pages and lines.",
            "Write one range to a line, as in 14:15 - 16:1.",
        )
    if len(found) > _MOST_RANGES:
        raise UsageError(f"{source} holds more than {_MOST_RANGES:,} ranges.", "Split it.")
    return tuple(found)


def _ranges(row: str, names: dict[str, str], number: int) -> Iterable[Designation]:
    if bare := _BARE.fullmatch(row):
        page, line, last_page, last_line = bare.groups()
        places = [(Place(int(page), int(line)), Place(int(last_page or page), int(last_line)))]
        name, remark = "", ""
    else:
        name, places, remark = _parted(row)
    for first, last in places:
        if not (first.page and first.line and last.line):
            raise ValueError("pages and lines count from 1")
        if last < first:
            raise ValueError(f"{citation(first, last)} ends before it begins")
        yield Designation(
            first=first,
            last=last,
            transcript=name or names.get("transcript", ""),
            id=names.get("id", ""),
            remark=remark,
            number=number,
        )


def _parted(row: str) -> tuple[str, list[tuple[Place, Place]], str]:
    """Whose testimony, the ranges, and what stands behind them."""
    found = _RANGE.search(row)
    if found is None:
        raise ValueError(f"'{row:.60}' holds no page and line")
    name = plain(row[: found.start()]).strip(" ,;:-")
    places = []
    at = found.start()
    while found is not None:
        page, line, *ends = found.groups()
        last_page, last_line = ends[0] or ends[2], ends[1] or ends[3]
        first = Place(int(page), int(line))
        places.append((first, Place(int(last_page or page), int(last_line or line))))
        at = found.end()
        comma = _NEXT.match(row, at)
        found = _RANGE.match(row, comma.end()) if comma else None
    rest = row[at:]
    if _PLACE.search(rest) or _PLACE.search(name):
        raise ValueError(f"'{row:.60}' can be read in more than one way")
    return name, places, plain(rest).strip(" ,;")


def lines_in(designation: Designation, passages: Sequence[Passage]) -> tuple[Passage, ...]:
    """The passages of testimony that lie in a range, in printed order."""
    inside = (
        passage
        for passage in passages
        if passage.first is not None
        and passage.last is not None
        and designation.first <= passage.first
        and passage.last <= designation.last
    )
    return tuple(sorted(inside, key=lambda passage: passage.first or designation.first))


def quotation(passages: Sequence[Passage]) -> tuple[str, ...]:
    """The words line by line, with page and line, and who speaks where that changes."""
    rows, speaker = [], ""
    for passage in passages:
        said = f"{passage.speaker}. " if passage.speaker in ("Q", "A") else f"{passage.speaker}: "
        mark = said if passage.speaker and passage.speaker != speaker else ""
        speaker = passage.speaker
        place = passage.first
        at = f"{place.page}:{place.line:02}" if place else ""
        rows.append(f"{at}  {mark}{passage.body}")
    return tuple(rows)
