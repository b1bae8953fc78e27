"""Reads the sentences that a person has labelled: what happens where, and what never happens.

JSON Lines or CSV with the columns ``query`` and either ``absent`` or ``video``, ``start_s``
and ``end_s``. Several lines with one query are several moments of it.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index.errors import UsageError
from index.search.request import check_request
from index.text.strict_json import NotStrictJson, read_json, unusable
from index.text.timecode import parse_time
from index.types import FindRequest, Span

from .records import Problem

_MOMENT = ("video", "start_s", "end_s")
_YES, _NO = {"true", "yes", "1"}, {"false", "no", "0", ""}
_MOST_BYTES = 64 << 20
"""A million labels; a video that was named by mistake is not read."""
_SHOWN_PROBLEMS = 3

Row = Mapping[str | None, Any]


@dataclass(frozen=True)
class LabelledMoment:
    """Where a query's answer lies."""

    video: str
    """As the person wrote it: a name or a path."""
    span: Span


@dataclass(frozen=True)
class LabelledQuery:
    """A query, and what a person says about it."""

    query: str
    moments: tuple[LabelledMoment, ...]
    """Every moment that answers it, in the order of the file; empty where there is none."""
    line: int
    """Where the file first speaks of it."""

    @property
    def absent(self) -> bool:
        """Whether no video of the library shows it."""
        return not self.moments


def read_labelled_queries(path: Path) -> tuple[LabelledQuery, ...]:
    """Every query of a file, in the order in which the file first names them.

    Args:
        path: JSON Lines or CSV in UTF-8; which of them is told from its first character.

    Raises:
        UsageError: It cannot be read, or a line is wrong; nothing of it is used then. The
            first wrong lines are named with their numbers.
    """
    text = _text(path)
    found: dict[str, list[LabelledMoment]] = {}
    first: dict[str, int] = {}
    absent: dict[str, int] = {}
    problems: list[Problem] = []
    rows = _json_rows(text) if text.lstrip()[:1] in ("{", "[") else _csv_rows(path, text)
    for line, row in rows:
        try:
            if isinstance(row, str):
                raise ValueError(row)
            query, moment = _label(row)
            if query in first and (moment is None) != (query in absent):
                raise ValueError(f"line {first[query]} says the opposite about this query")
        except ValueError as error:
            problems.append(Problem(path, line, str(error)))
            continue
        first.setdefault(query, line)
        moments = found.setdefault(query, [])
        if moment is None:
            absent[query] = line
        elif moment not in moments:
            moments.append(moment)
    if problems:
        raise _refusal(path, problems)
    if not found:
        raise UsageError(
            f"There is no labelled query in {path}.",
            "Write a line for each: query, and absent or video, start_s and end_s.",
        )
    return tuple(
        LabelledQuery(query, tuple(moments), first[query]) for query, moments in found.items()
    )


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UsageError(
                f"{path} is longer than {_MOST_BYTES:,} bytes.",
                "Name a file of labelled queries, as JSON Lines or CSV.",
            )
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageError(
            f"The labelled queries {path} cannot be read: {why}.",
            "Check the path; the file is JSON Lines or CSV in UTF-8.",
        ) from error


def _json_rows(text: str) -> Iterator[tuple[int, Row | str]]:
    """Line numbers with rows, or with what is wrong with them."""
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = read_json(line.encode("utf-8"))
        except NotStrictJson as error:
            yield number, str(error).replace(" at line 1, column", " at column")
            continue
        yield number, row if isinstance(row, dict) else "it is not a JSON object with a query"


def _csv_rows(path: Path, text: str) -> Iterator[tuple[int, Row | str]]:
    """Line numbers with rows, or with what is wrong with them.

    Raises:
        UsageError: The first line does not name the columns that are needed.
    """
    table = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = [name.strip() for name in table.fieldnames or ()]
        table.fieldnames = columns
        _check_columns(path, columns)
        for row in table:
            if None in row:
                yield (
                    table.line_num,
                    "it has more cells than the first line; a query with a comma in it stands "
                    "between double quotes",
                )
            else:
                yield table.line_num, {name: value or "" for name, value in row.items()}
    except csv.Error as error:
        yield table.line_num, f"it is no CSV ({error})"


def _check_columns(path: Path, columns: list[str]) -> None:
    twice = {name for name in columns if columns.count(name) > 1}
    lacking = [name for name in _MOMENT if name not in columns]
    if "query" in columns and not twice and (not lacking or "absent" in columns):
        return
    raise UsageError(
        f"The first line of {path} does not name the columns of labelled queries.",
        "Name the columns in the first line of the file, between commas.",
        (
            f"Its first line names: {', '.join(map(repr, columns)) or 'nothing'}.",
            "Needed are, each once: query, and absent or video, start_s, end_s, or all of them.",
        ),
    )


def _label(row: Row) -> tuple[str, LabelledMoment | None]:
    """A row's query and its moment; None where it says that there is none.

    Raises:
        ValueError: The row is wrong; the message says how.
    """
    query = row.get("query")
    if not isinstance(query, str):
        raise ValueError("it has no query" if query is None else f"the query {query!r} is no text")
    query = " ".join(query.split())
    try:
        check_request(FindRequest(query))
    except UsageError as error:
        raise ValueError(error.message[0].lower() + error.message[1:].rstrip(".")) from error
    given = [name for name in _MOMENT if row.get(name) not in (None, "")]
    if _is_absent(row.get("absent")):
        if given:
            raise ValueError(f"the query is absent and yet has {', '.join(given)}")
        return query, None
    missing = [name for name in _MOMENT if name not in given]
    if len(missing) == len(_MOMENT):
        raise ValueError("it says neither that the query is absent nor where its moment is")
    if missing:
        raise ValueError(f"its moment has no {', '.join(missing)}")
    video = row["video"]
    if not isinstance(video, str) or unusable(video):
        raise ValueError(f"the video {video!r} is no name of a file")
    start_s, end_s = _seconds(row["start_s"], "start_s"), _seconds(row["end_s"], "end_s")
    if end_s <= start_s:
        raise ValueError(f"end_s {row['end_s']} is not after start_s {row['start_s']}")
    return query, LabelledMoment(video, Span(start_s, end_s))


def _is_absent(value: Any) -> bool:
    word = "" if value is None else str(value).strip().lower()
    if isinstance(value, list | dict) or word not in _YES | _NO:
        raise ValueError(f"absent is {value!r}, neither true nor false")
    return word in _YES


def _seconds(value: Any, name: str) -> float:
    if isinstance(value, str):
        try:
            return parse_time(value)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is {value!r}, not a time")
    if not 0 <= value < math.inf:
        raise ValueError(f"{name} is {value:g}, before the start of the video")
    return float(value)


def _refusal(path: Path, problems: list[Problem]) -> UsageError:
    shown = [str(problem) for problem in problems[:_SHOWN_PROBLEMS]]
    more = len(problems) - _SHOWN_PROBLEMS
    lines, them = ("line", "it") if len(problems) == 1 else ("lines", "them")
    return UsageError(
        f"{len(problems)} wrong {lines} in {path}; nothing of it was used.",
        f"Mend {them} and try again.",
        (*shown, *([f"and {more} more"] if more > 0 else ())),
    )
