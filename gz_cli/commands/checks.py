"""One thing that ``gz doctor`` looks at, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass

from index.errors import GzError


@dataclass(frozen=True)
class Check:
    """One thing that a search needs."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    exit_code: int = 0


def failed(name: str, error: GzError) -> Check:
    """A check that an error answers."""
    return Check(name, False, error.message, error.remedy, error.exit_code)
