"""Page and line numbered ASCII, as court reporters hand it over, in any of its layouts.

Amicus and Summation (a page's number, then its numbered lines), page images (form feeds,
the page's number above or below), and ``00014:15`` before each line. They are read by one
scanner that believes numbers only: a page is what numbers 1, 2, 3 ... without a gap and
says which page it is. What does not, on nearly every page, is no transcript of this kind.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ..errors import TextError
from ..passages import Place
from .header import header_facts
from .testimony import MOST_LINES, PrintedLine, Transcript, with_speakers

_LEAST_LINES, _MOST_LINES_A_PAGE = 10, 60
"""Printed lines of a page; 24 to 28 in nearly all transcripts."""
_LEAST_SHARE = 0.75
"""Of the pages must be read; fewer, and this may be anything with numbers in front."""
_MARGIN_ROWS = 6
"""Lines above and below a page in which its number is looked for."""
_LOOKED_AT = 200_000
"""Characters that tell whether a file may be one: a cover, appearances, a few pages."""
_MOST_LENGTH = 400
"""Characters of a printed line; it has seventy-eight at most."""
_NUMBERED = re.compile(r"[ \t]{0,14}(\d{1,2})(?:[ \t]+(\S.*)?)?", re.ASCII)
_ALONE = re.compile(r"\s*(?:page\s+|-\s?)?(\d{1,6})(?:\s?-)?(?:\s+of\s+\d+)?\s*", re.ASCII | re.I)
_AT_THE_EDGE = re.compile(r".*?\S(?:\s{3,}|\s+page\s+)(\d{1,6})\s*", re.ASCII | re.I)
_PREFIXED = re.compile(r"\s{0,18}(\d{1,6}):(\d{1,2})(?:[ \t]+(.*)|$)", re.ASCII)
_CLOCK = r"(\d{1,2}:[0-5]\d:[0-5]\d)(?:[.:]\d{1,3})?(?:\s?([AaPp])\.?[Mm]\.?)?"
_LEFT = re.compile(rf"^\s*{_CLOCK}(?=\s|$)", re.ASCII)
_RIGHT = re.compile(rf"(?:^|\s{{2,}}|\t){_CLOCK}\s*$", re.ASCII)
_AFTER_NUMBER = re.compile(rf"^(\s*\d{{1,2}}\s+){_CLOCK}(?=\s|$)", re.ASCII)
_CONDENSED = re.compile(r"\bpage\s+\d+\b.*\bpage\s+\d+\b", re.I)
_ASK = "Ask the reporter for ASCII with page and line numbers, and for the DVT."


@dataclass
class _Page:
    """One page as it was scanned."""

    rows: list[tuple[int, str, float | None]] = field(default_factory=list)
    """Line number, words, time of day."""
    above: list[str] = field(default_factory=list)
    """What stands over the numbered lines."""
    below: list[str] = field(default_factory=list)
    number: int | None = None
    sound: bool = True
    """Its lines number 1, 2, 3 ..."""


@dataclass(frozen=True)
class _Row:
    sheet: int
    """Form feeds before it."""
    text: str
    clock_s: float | None = None
    number: int | None = None
    """Line number, where it begins with one."""
    words: str = ""


def is_pages(text: str) -> bool:
    """True when a text may be a transcript: lines that number 1 to 10, or ``00014:15``."""
    rows = _without_clocks(_rows_of(text[:_LOOKED_AT]))
    if sum(_PREFIXED.fullmatch(row.text) is not None for row in rows) >= _LEAST_LINES:
        return True
    wanted = 1
    for row in rows:
        number = _number_of(row.text)[0]
        wanted = wanted + 1 if number == wanted else 2 if number == 1 else wanted
        if wanted > _LEAST_LINES:
            return True
    return False


def read_pages(text: str, stem: str, encoding: str = "utf-8") -> Transcript:
    """A transcript from page and line numbered text.

    Args:
        text: The whole file.
        stem: Its name without the ending; names the witness where the pages do not.
        encoding: How its bytes were read, to be told.

    Raises:
        TextError: Pages and lines cannot be told for sure, on nearly every page.
    """
    if text.count("\n") + text.count("\r") > 4 * MOST_LINES:
        raise TextError(f"it has more than {MOST_LINES:,} lines.", _ASK)
    rows = [row for row in _without_clocks(_rows_of(text)) if row.text.strip()]
    filled = [row.text for row in rows]
    if len(filled) > MOST_LINES:
        raise TextError(f"it has more than {MOST_LINES:,} lines.", _ASK)
    if sum(_CONDENSED.search(row) is not None for row in filled) > 1:
        raise TextError("it is a condensed transcript, several pages to a sheet.", _ASK)
    prefixed = sum(_PREFIXED.fullmatch(row) is not None for row in filled)
    read = _prefixed_pages if prefixed > 0.8 * len(filled) else _numbered_pages
    return _transcript(read(rows), stem, encoding)


def _transcript(pages: list[_Page], stem: str, encoding: str) -> Transcript:
    good = [page for page in pages if page.sound and page.number is not None]
    numbers = [page.number for page in good if page.number is not None]
    whole = max(len(pages), numbers[-1] - numbers[0] + 1 if numbers else 0)
    lengths = Counter(len(page.rows) for page in good)
    if not good or len(good) < _LEAST_SHARE * whole:
        raise TextError(
            f"only {len(good):,} of its {whole:,} pages number their lines from 1 on and say "
            "which page they are.",
            _ASK,
        )
    printed = [
        PrintedLine(Place(page.number or 0, number), words, clock_s=clock_s)
        for page in good
        for number, words, clock_s in page.rows
    ]
    first = [words for page in good[:3] for words in (*page.above, *(row[1] for row in page.rows))]
    unread = whole - len(good)
    notes = [f"{unread:,} of {whole:,} pages could not be read"] if unread else []
    return Transcript(
        kind="pageline",
        testimony=header_facts(first, stem, lengths.most_common(1)[0][0]),
        lines=with_speakers((line, "") for line in printed),
        encoding=encoding,
        notes=tuple(notes),
    )


def _rows_of(text: str) -> list[_Row]:
    """Lines of the file, each with the number of form feeds before it."""
    text = text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n").replace("\x1a", "")
    return [
        _Row(sheet, row[: _MOST_LENGTH + 1].expandtabs(8).replace("\xa0", " ").rstrip())
        for sheet, rows in enumerate(text.split("\f"))
        for row in rows.split("\n")
    ]


def _without_clocks(rows: list[_Row]) -> list[_Row]:
    """Takes times of day out of the margin, where enough lines have them in one place."""
    counts = {
        margin: sum(margin.search(row.text) is not None for row in rows if ":" in row.text)
        for margin in (_LEFT, _AFTER_NUMBER, _RIGHT)
    }
    margin, most = max(counts.items(), key=lambda item: item[1])
    if most < max(5, len(rows) // 50):
        return rows
    return [_parted(margin, row) for row in rows]


def _parted(margin: re.Pattern[str], row: _Row) -> _Row:
    found = margin.search(row.text)
    if found is None:
        return row
    clock, half = found.groups()[-2:]
    hours, minutes, seconds = map(int, clock.split(":"))
    if half:
        hours = hours % 12 + (12 if half in "Pp" else 0)
    kept = found[1] if margin is _AFTER_NUMBER else row.text[: found.start()]
    clock_s = hours * 3600.0 + minutes * 60 + seconds
    return _Row(row.sheet, (kept + row.text[found.end() :]).rstrip(), clock_s)


def _number_of(row: str) -> tuple[int | None, str]:
    found = _NUMBERED.fullmatch(row)
    number = int(found[1]) if found else 0
    if found is None or not 1 <= number <= _MOST_LINES_A_PAGE:
        return None, ""
    # Two blanks part question and answer from what is said, so blanks inside stay.
    return number, found[2] or ""


def _prefixed_pages(rows: Iterable[_Row]) -> list[_Page]:
    """Pages of ``00014:15`` lines: each says its own place, so a gap harms nothing else."""
    pages: list[_Page] = []
    passed = 0
    for row in rows:
        found = _PREFIXED.fullmatch(row.text)
        if found is None:
            continue
        number, line = int(found[1]), int(found[2])
        if not pages or pages[-1].number != number:
            pages.append(_Page(number=number, sound=number > passed))
            passed = max(passed, number)
            # The hours of a chat's time stamps are no pages: those do not begin at 1.
            pages[-1].sound &= line == 1
        page = pages[-1]
        after = page.rows[-1][0] if page.rows else 0
        page.sound &= after < line <= _MOST_LINES_A_PAGE
        page.rows.append((line, found[3] or "", row.clock_s))
    return pages


def _numbered_pages(rows: list[_Row]) -> list[_Page]:
    rows = [_Row(row.sheet, row.text, row.clock_s, *_number_of(row.text)) for row in rows]
    most = _lines_a_page(row.number for row in rows)
    # A stray form feed parts nothing; in a page image one stands between any two pages.
    parted = 2 * rows[-1].sheet * most > sum(row.number is not None for row in rows)
    pages = _scan(rows if parted else [replace(row, sheet=0) for row in rows], most)
    _number(pages, parted)
    return pages


def _lines_a_page(numbers: Iterable[int | None]) -> int:
    """How many lines most pages have."""
    votes: Counter[int] = Counter()
    wanted = 1
    for number in (*numbers, 1):
        if number == 1:
            votes[wanted - 1] += wanted > _LEAST_LINES
            wanted = 2
        elif number == wanted:
            wanted += 1
    # A page number may look like one line more; of equals the smaller is the page.
    best = max(votes.items(), key=lambda item: (item[1], -item[0]), default=(0, 0))
    if not best[1]:
        raise TextError(
            f"its lines do not number from 1 to {_LEAST_LINES} or more on any page.", _ASK
        )
    return best[0]


def _scan(rows: list[_Row], most: int) -> list[_Page]:
    """Pages with what stands above and below each."""
    coming = _next_numbers(rows)
    pages: list[_Page] = []
    page: _Page | None = None
    above: list[str] = []
    wanted, sheet = 1, 0
    for row, then in zip(rows, coming, strict=True):
        if row.sheet != sheet:
            sheet, page, above = row.sheet, None, []
        alone = row.number is not None and not row.words
        if page is not None and wanted <= most and row.number == wanted:
            page.rows.append((wanted, row.words, row.clock_s))
            wanted += 1
        elif row.number == 1 and not (alone and then == 1):
            page = _Page([(1, row.words, row.clock_s)], above)
            pages.append(page)
            above, wanted = [], 2
        elif page is not None and wanted <= most and row.number is None and then == wanted:
            # A long line that a program wrapped.
            number, words, clock_s = page.rows[-1]
            page.rows[-1] = (number, f"{words}  {row.text.strip()}", clock_s)
        elif page is not None and wanted <= most and row.number and not (alone and then in (1, 0)):
            page.sound = False
            wanted = max(wanted, row.number + 1)
        else:
            if page is not None and row.number and page.rows[-1][0] < row.number <= most:
                page.sound &= not row.words
            above.append(row.text)
            if pages and (page is not None or not row.sheet):
                pages[-1].below.append(row.text)
            wanted = most + 1 if page is not None else wanted
        if page is not None and len(row.text) > _MOST_LENGTH:
            page.sound = False
    return pages


def _next_numbers(rows: list[_Row]) -> list[int]:
    """For each row the line number of the next one that has one; 0 after the last."""
    coming, ahead = [], 0
    for row in reversed(rows):
        coming.append(ahead)
        ahead = row.number or ahead
    return coming[::-1]


def _number(pages: list[_Page], parted: bool) -> None:
    """Says which page each is: by the number above it or below, as most of them have it."""
    above = [_page_number(page.above[-_MARGIN_ROWS:]) for page in pages]
    below = [_page_number(page.below[:_MARGIN_ROWS]) for page in pages]
    agree_above, agree_below = _agreeing(above), _agreeing(below)
    top = len(agree_above) > len(agree_below)
    doubtful = len(agree_above) == len(agree_below) > 0
    if not parted:
        # A number between two pages may be either's; only the ends of the file tell.
        top = 0 in agree_above
        doubtful = top == (len(pages) - 1 in agree_below)
    if doubtful and above != below:
        raise TextError(
            "it cannot be told whether its page numbers stand above or below the pages.", _ASK
        )
    for at, number in (agree_above if top else agree_below).items():
        pages[at].number = number
    if parted:
        return
    # Where pages are missing, the end of one and the start of another may have become one.
    for earlier, later in itertools.pairwise(pages):
        if earlier.number and later.number and later.number != earlier.number + 1:
            (earlier if top else later).sound = False


def _page_number(rows: list[str]) -> int | None:
    for pattern in (_ALONE, _AT_THE_EDGE):
        matches = (pattern.fullmatch(row) for row in rows)
        numbers = {int(found[1]) for found in matches if found}
        if numbers:
            # A production number beside the page's own: which is which cannot be told.
            return numbers.pop() if len(numbers) == 1 else None
    return None


def _agreeing(numbers: list[int | None]) -> dict[int, int]:
    """The page numbers that a neighbour confirms, and that rise, by place in the file."""
    kept: dict[int, int] = {}
    highest = 0
    for at, number in enumerate(numbers):
        if number is None:
            continue
        before = numbers[at - 1] if at else None
        after = numbers[at + 1] if at + 1 < len(numbers) else None
        alone = len(numbers) == 1
        confirmed = alone or before == number - 1 or after == number + 1
        if confirmed and number > highest:
            kept[at] = highest = number
    return kept
