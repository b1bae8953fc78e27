"""Hits read back from the JSON of ``gz find``, wherever it has been meanwhile."""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from index.errors import UsageError
from index.text.strict_json import LIMITS, NotStrictJson, check, parse

from .render import JSON_VERSION

if TYPE_CHECKING:
    from index.types import FindResult

MOST_BYTES = LIMITS.size_bytes
"""Of a result that is read."""
_LONGEST_S = 1e9
"""Thirty years: what lies beyond is no time in a video."""
_HIGHEST_RANK = 1_000_000


@dataclass(frozen=True)
class FoundClip:
    """One hit as a search result names it: all that cutting needs."""

    rank: int
    path: bytes
    fingerprint: str
    """Identity of the video when it was found; empty when the file does not say."""
    start_s: float
    end_s: float
    query: str
    presence: float | None = None


def clips_of(result: FindResult) -> list[FoundClip]:
    """The hits of a result that has just been found."""
    return [
        FoundClip(
            hit.rank,
            hit.path,
            hit.fingerprint,
            hit.span.start_s,
            hit.span.end_s,
            result.request.query,
            hit.presence,
        )
        for hit in result.hits
    ]


def parse_result(data: bytes, source: str) -> list[FoundClip]:
    """Hits from the JSON of ``gz find``: one document, or one to a line.

    Args:
        data: What was read; of more than ``MOST_BYTES`` it is enough to have one more.
        source: What it was read from, for messages.

    Raises:
        UsageError: It is not such a result; the message names what is wrong and where.
    """
    try:
        return [clip for document in _documents(data) for clip in _clips(document)]
    except NotStrictJson as error:
        raise UsageError(
            f"{source} is not a result of gz find: {error}.",
            'Make one with: gz find "QUERY" --json > hits.json',
        ) from None


def _documents(data: bytes) -> list[Any]:
    if not data.strip():
        raise NotStrictJson("it is empty")
    try:
        document = parse(data)
    except NotStrictJson:
        lines = [(n, line) for n, line in enumerate(data.splitlines(), 1) if line.strip()]
        if len(data) > MOST_BYTES or len(lines) < 2 or not _is_document(lines[0][1]):
            raise
        return [_line(number, line) for number, line in lines]
    check(document)
    return [document]


def _is_document(line: bytes) -> bool:
    try:
        parse(line)
    except NotStrictJson:
        return False
    return True


def _line(number: int, line: bytes) -> Any:
    try:
        document = parse(line)
        check(document)
    except NotStrictJson as error:
        raise NotStrictJson(f"in line {number}, {error}") from None
    return document


def _clips(document: Any) -> list[FoundClip]:
    if not isinstance(document, dict) or "version" not in document:
        raise NotStrictJson("it does not say its version")
    version = document["version"]
    if version != JSON_VERSION:
        raise NotStrictJson(f"its version is {version!s:.20}, this gz reads {JSON_VERSION}")
    hits = document.get("hits")
    if not isinstance(hits, list):
        raise NotStrictJson("it has no list of hits")
    query = document.get("query", document.get("sentence", ""))
    if not isinstance(query, str):
        raise NotStrictJson("its query is not text")
    return [_clip(hit, rank, query) for rank, hit in enumerate(hits, start=1)]


def _clip(hit: Any, number: int, query: str) -> FoundClip:
    if not isinstance(hit, dict):
        raise NotStrictJson(f"hit {number} is not an object")
    start_s = _number(hit, "start_s", number, 0, _LONGEST_S)
    end_s = _number(hit, "end_s", number, 0, _LONGEST_S)
    if start_s >= end_s:
        raise NotStrictJson(f"hit {number} runs from {start_s:g} to {end_s:g} s")
    fingerprint = hit.get("fingerprint") or ""
    if not isinstance(fingerprint, str):
        raise NotStrictJson(f"the fingerprint of hit {number} is not text")
    known = hit.get("presence") is not None
    rank = _number({"rank": number, **hit}, "rank", number, 1, _HIGHEST_RANK)
    return FoundClip(
        rank=int(rank),
        path=_path(hit, number),
        fingerprint=fingerprint,
        start_s=start_s,
        end_s=end_s,
        query=query,
        presence=_number(hit, "presence", number, 0, 1) if known else None,
    )


def _path(hit: dict[str, Any], number: int) -> bytes:
    """The exact bytes where they are given, else those of the text."""
    exact, text = hit.get("path_bytes"), hit.get("path")
    try:
        if exact:
            path = base64.b64decode(exact, validate=True)
        elif isinstance(text, str) and text:
            path = os.fsencode(text)
        else:
            raise NotStrictJson(f"hit {number} has no path")
    except (binascii.Error, ValueError, TypeError) as error:
        if isinstance(error, NotStrictJson):
            raise
        raise NotStrictJson(f"the path of hit {number} cannot be decoded") from None
    if b"\0" in path:
        raise NotStrictJson(f"the path of hit {number} holds a NUL byte")
    return path


def _number(hit: dict[str, Any], key: str, number: int, least: float, most: float) -> float:
    if key not in hit:
        raise NotStrictJson(f"hit {number} has no {key}")
    value = hit[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise NotStrictJson(f"{key} of hit {number} is not a number from {least:g} to {most:g}")
    return float(value)
