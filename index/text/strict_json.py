"""JSON from outside, read strictly: what comes through can be shown, stored and written again.

Python's own reader takes more than JSON holds (NaN, half characters, any depth, numbers
of any length), and each of these breaks something far from where it came in.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_LONGEST_NUMBER = 20
"""Digits of a whole number: identifiers of 64 bits have so many."""


class NotStrictJson(ValueError):
    """What is wrong, and where in the document."""


@dataclass(frozen=True)
class Limits:
    """What a document may hold, with the reasons."""

    size_bytes: int = 64 << 20
    """A thousand searches of a hundred hits; a video that was named by mistake is not read."""
    depth: int = 16
    """Lists and objects inside each other; our own documents nest four deep."""
    text: int = 100_000
    """Characters of one text: more than any path or query has."""


LIMITS = Limits()


def read_json(data: bytes, limits: Limits = LIMITS) -> Any:
    """A document whose every part can be relied on.

    Args:
        data: UTF-8, or another encoding that JSON allows.
        limits: What it may hold.

    Returns:
        Plain data in which numbers are finite and of a sensible length, texts can be
        encoded and hold no NUL, no key stands twice, and nothing nests too deeply.

    Raises:
        NotStrictJson: It is none; the message names what is wrong and where.
    """
    value = parse(data, limits)
    check(value, limits)
    return value


def parse(data: bytes, limits: Limits = LIMITS) -> Any:
    """A document of valid syntax whose contents are still to be checked.

    Raises:
        NotStrictJson: It is too long, no text, no JSON, or names a key twice.
    """
    if len(data) > limits.size_bytes:
        raise NotStrictJson(f"it is longer than {limits.size_bytes:,} bytes")
    try:
        text = data.decode(json.detect_encoding(data))
    except UnicodeDecodeError:
        raise NotStrictJson("it is not text") from None
    try:
        return json.loads(text, parse_int=_whole_number, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise NotStrictJson(f"it is no JSON ({error.msg.lower()} at {where})") from None
    except RecursionError:
        raise NotStrictJson(f"it nests more than {limits.depth} levels deep") from None


def check(value: Any, limits: Limits = LIMITS, where: str = "") -> None:
    """Returns when every part of parsed JSON can be relied on.

    Raises:
        NotStrictJson: One cannot; the message names it.
    """
    _check(value, limits, where, 0)


def _check(value: Any, limits: Limits, where: str, depth: int) -> None:
    if isinstance(value, str):
        _check_text(value, limits, where)
    elif isinstance(value, float) and not math.isfinite(value):
        raise NotStrictJson(f"{where or 'it'} is not a number that can be used")
    elif isinstance(value, list | dict):
        if depth >= limits.depth:
            raise NotStrictJson(f"it nests more than {limits.depth} levels deep")
        for name, part in _parts(value):
            if isinstance(name, str):
                _check_text(name, limits, f"a key of {where}" if where else "a key")
            _check(part, limits, _place(where, name), depth + 1)


def _parts(value: list[Any] | dict[str, Any]) -> Iterable[tuple[str | int, Any]]:
    return value.items() if isinstance(value, dict) else enumerate(value, start=1)


def _place(where: str, name: str | int) -> str:
    """Where a part lies, such as ``hits[2].end_s``; items of lists count from 1."""
    if isinstance(name, int):
        return f"{where}[{name}]" if where else f"item {name}"
    return f"{where}.{name[:40]}" if where else name[:40]


def _check_text(text: str, limits: Limits, where: str) -> None:
    if len(text) > limits.text:
        raise NotStrictJson(f"{where or 'it'} has more than {limits.text:,} characters")
    wrong = unusable(text)
    if wrong:
        raise NotStrictJson(f"{where or 'it'} holds {wrong}")


def unusable(text: str) -> str:
    """What keeps a text from being stored and handed on; empty when nothing does."""
    if "\0" in text:
        return "a NUL character"
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return "bytes or half characters that are no text"
    return ""


def _whole_number(digits: str) -> int | float:
    return int(digits) if len(digits) <= _LONGEST_NUMBER else math.inf


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise NotStrictJson(f"the key {name[:40]!a} stands in it twice")
        found[name] = value
    return found
