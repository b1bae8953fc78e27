"""A search under way: everything that its steps are handed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ..types import Background, Encoder, FindRequest, Localizer, Sentence
from .frame_source import FrameSource
from .query import QueryPlan
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
    plan: QueryPlan
    """How the parts of the query belong together."""
    queries: tuple[Query, ...]
    """One for each part."""
    source: FrameSource
    """Where frames come from."""
    encoder: Encoder
    """Its vision tower is loaded only to look again."""
    localizer: Localizer
    observer: FindObserver
    settings: FindSettings
    compare: bool
    """Scores are compared with those of everyday sentences."""
