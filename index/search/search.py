"""A search under way: everything that its steps are handed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ..types import Background, Encoder, FindRequest, Localizer, Sentence
from .asking import Asking
from .frame_source import FrameSource
from .query import QueryPlan
from .said import Proposals
from .scope import Scope
from .settings import FindSettings


class FindObserver(Protocol):
    """Told where a search stands."""

    def searching(self, videos: int, frames: int) -> None:
        """The library is open; so much of it is searched."""
        ...

    def localizing(self, windows: int) -> None:
        """So many windows are looked at closely."""
        ...

    def refining(self, done: int, total: int) -> None:
        """So much of the frames around edges has been decoded and encoded again."""
        ...


class SilentObserver:
    """Implements FindObserver by saying nothing."""

    def searching(self, videos: int, frames: int) -> None:
        """Says nothing."""

    def localizing(self, windows: int) -> None:
        """Says nothing."""

    def refining(self, done: int, total: int) -> None:
        """Says nothing."""


@dataclass(frozen=True)
class Query:
    """One part of what is asked, with what is known about it."""

    sentence: Sentence
    background: Background
    most: float
    """The highest presence that its moments may be given; see ``unjudgeable``."""


@dataclass(frozen=True)
class Search:
    """What is asked, of which videos, and with what it is answered."""

    request: FindRequest
    scope: Scope
    """Videos and times that are searched."""
    asking: Asking
    """The clauses of the query and how they belong together."""
    queries: tuple[Query, ...]
    """One for each clause that pictures answer."""
    said: tuple[tuple[Proposals, ...], ...]
    """For each part and each of its clauses the spans at which words answer it, by video."""
    source: FrameSource
    """Where frames come from."""
    encoder: Encoder
    """Its vision tower is loaded only to look again."""
    localizer: Localizer
    observer: FindObserver
    settings: FindSettings
    compare: bool
    """Scores are compared with those of everyday sentences."""

    @property
    def plan(self) -> QueryPlan:
        """How the parts of the query belong together."""
        return self.asking.plan

    @property
    def most(self) -> tuple[float, ...]:
        """The highest presence that the moments of each part may be given by pictures."""
        seen = dict(zip(self.asking.seen, self.queries, strict=True))
        return tuple(
            min((seen[clause].most for clause in part if clause in seen), default=1.0)
            if not any(found for found in said)
            else 1.0
            for part, said in zip(self.asking.parts, self.said, strict=True)
        )

    def query_of(self, part: int) -> Query | None:
        """What pictures are asked by a part; None where words are asked besides."""
        clauses = self.asking.parts[part]
        if len(clauses) > 1 or not clauses[0].sees:
            return None
        return self.queries[self.asking.seen.index(clauses[0])]
