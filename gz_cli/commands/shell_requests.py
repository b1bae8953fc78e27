"""What a program writes to ``gz shell --json``: a request to a line, read strictly."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO

from index.errors import UsageError
from index.search.fields import with_fields
from index.text.strict_json import NotStrictJson, check, parse
from index.text.timecode import parse_time

if TYPE_CHECKING:
    from index.types import FindRequest

LONGEST_LINE = 1 << 20
"""Bytes: the longest query, every character of it escaped, and hundreds of paths."""
FIELDS = ("say", "screen", "see", "speaker")
"""Of a request, as they may also stand in its query."""
KEYS = ("id", "query", *FIELDS, "k", "in", "after", "before", "refine", "threshold")
"""Of a program's request."""


def bounded_lines(stream: BinaryIO) -> Iterator[bytes]:
    """Lines as they come; of one that is too long, as much as shows that it is."""
    while line := stream.readline(LONGEST_LINE + 1):
        yield line
        while len(line) > LONGEST_LINE and not line.endswith(b"\n"):
            line = stream.readline(LONGEST_LINE + 1)


def text_of(line: bytes) -> str:
    """A line as text, without the blanks around it.

    Raises:
        UsageError: It is too long, or no UTF-8.
    """
    if len(line) > LONGEST_LINE:
        raise UsageError(f"The line is longer than {LONGEST_LINE:,} bytes.", "Write a shorter one.")
    try:
        return line.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise UsageError("The line is not UTF-8 text.", "Write it in UTF-8.") from None


def document(line: str) -> dict[str, Any]:
    """A program's line as an object whose contents are still to be checked.

    A line that does not begin like an object is a query.

    Raises:
        UsageError: It begins like an object but is none.
    """
    if not line.startswith("{"):
        return {"query": line}
    try:
        read: dict[str, Any] = parse(line.encode("utf-8"))
    except NotStrictJson as error:
        raise UsageError(
            f"The request cannot be read: {error}.", "Write one JSON object to a line."
        ) from None
    return read


def id_of(document: dict[str, Any]) -> Any:
    """What a request is called, for its answer; None where it is not called or not usable."""
    try:
        check(document.get("id"))
    except NotStrictJson:
        return None
    return document.get("id")


def asked(defaults: FindRequest, document: dict[str, Any]) -> FindRequest:
    """What a program's object asks for.

    Args:
        defaults: What holds where it says nothing.
        document: With a ``query``, and any of ``KEYS``; ``sentence`` is its older name.

    Raises:
        UsageError: It makes no sense.
    """
    try:
        check(document)
        fields = {name: document[name] for name in FIELDS if document.get(name) is not None}
        named = "query" if "query" in document else "sentence"
        query = document.get(named, "") if fields else document[named]
        if not all(isinstance(words, str) for words in (query, *fields.values())):
            raise ValueError("a query is text")
        changes = dict(
            _read(key, value)
            for key, value in document.items()
            if key not in ("id", "query", "sentence", *FIELDS)
        )
    except KeyError as error:
        what = "no query" if error.args == ("sentence",) else f"a strange key {error!s:.60}"
        raise UsageError(f"The request has {what}.", f"Its keys are {', '.join(KEYS)}.") from None
    except ValueError as error:
        raise UsageError(
            f"The request makes no sense: {error}.", f"Its keys are {', '.join(KEYS)}."
        ) from None
    return replace(defaults, query=with_fields(query, **fields), **changes)


def _read(key: str, value: Any) -> tuple[str, Any]:
    readers: dict[str, tuple[str, Callable[[Any], Any]]] = {
        "k": ("limit", whole_hits),
        "in": ("within", _places),
        "after": ("after_s", _time),
        "before": ("before_s", _time),
        "refine": ("refine", _truth),
        "threshold": ("threshold", share),
    }
    field, read = readers[key]
    return field, read(value)


def whole_hits(value: Any) -> int:
    """A number of hits, also as text; a ValueError for anything else."""
    number = _number(value)
    if number is not None and number >= 1 and number == int(number):
        return int(number)
    raise ValueError(f"{_shown(value)} is not a number of hits")


def share(value: Any) -> float:
    """A number from 0 to 1, also as text; a ValueError for anything else."""
    number = _number(value)
    if number is not None and 0 <= number <= 1:
        return number
    raise ValueError(f"{_shown(value)} is not between 0 and 1")


def _places(value: Any) -> tuple[str, ...]:
    places = [value] if isinstance(value, str) else [] if value is None else value
    if not (isinstance(places, list) and all(isinstance(place, str) for place in places)):
        raise ValueError(f"{_shown(value)} is neither a path nor a list of paths")
    return tuple(places)


def _time(value: Any) -> float | None:
    if value is None or isinstance(value, str):
        return parse_time(value) if value else None
    time_s = _number(value)
    if time_s is not None and time_s >= 0:
        return time_s
    raise ValueError(f"{_shown(value)} is not a time")


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{_shown(value)} is neither true nor false")
    return value


def _number(value: Any) -> float | None:
    """A finite number; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _shown(value: Any) -> str:
    """A value as it was written, cut where it is long."""
    whole = repr(value)
    return whole if len(whole) <= 60 else f"{whole[:57]}..."
