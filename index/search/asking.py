"""What is asked of which videos: the clauses of a query, by what this library can answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from .fields import Asked, Clause, clauses_of, joined_text, strange_fields
from .query import QueryPlan
from .unjudgeable import Kind, judge

TEXTS: tuple[Asked, ...] = ("speech", "screen", "chapter")
"""Channels whose answer is words."""


@dataclass(frozen=True)
class Asking:
    """A query whose every clause says which channels answer it here."""

    query: str
    plan: QueryPlan
    parts: tuple[tuple[Clause, ...], ...]
    """For each part of the plan what has to hold together."""
    videos: Mapping[Asked, frozenset[int]]
    """Searched videos that have each channel."""
    searched: frozenset[int]
    """All searched videos."""
    asked: frozenset[Asked]
    """Channels that may answer, also those of which no video has anything."""

    @property
    def seen(self) -> tuple[Clause, ...]:
        """Different clauses that pictures answer, in their order."""
        clauses = (clause for part in self.parts for clause in part if clause.sees)
        return tuple(dict.fromkeys(clauses))

    @property
    def named(self) -> bool:
        """Whether words are asked for by themselves."""
        return any(not clause.sees for part in self.parts for clause in part)

    def each(self) -> Iterator[tuple[int, int, Clause]]:
        """Every clause with the number of its part and its own."""
        for number, clauses in enumerate(self.parts):
            for own, clause in enumerate(clauses):
                yield number, own, clause

    def counts(self) -> dict[str, int]:
        """Videos that were searched in each channel that is asked."""
        channels: tuple[Asked, ...] = ("sight", "speech", "screen")
        return {c: len(self.videos[c]) for c in channels if c in self.asked}

    def undecided(self) -> frozenset[int]:
        """Videos that lack every channel which could answer some clause."""
        lacking: set[int] = set()
        for _, _, clause in self.each():
            able = [self.videos[channel] for channel in clause.channels]
            lacking |= self.searched - frozenset().union(*able)
        return frozenset(lacking)

    def notes(self, by_words: bool = False) -> tuple[str, ...]:
        """For people: what of the query cannot be judged, and what was read otherwise.

        Args:
            by_words: What was found rests on words, so that it does not matter what pictures
                cannot tell.
        """
        plain = not any(self.videos[channel] for channel in TEXTS) and not self.named
        asked = self.query if plain else "" if by_words else joined_text(self.seen)
        able: list[tuple[Asked, Kind]] = [("speech", "sound"), ("screen", "text")]
        answered = [kind for channel, kind in able if self.videos[channel]]
        strange = [
            f"{word}: is no field, so it was read as plain words; the fields are say, screen, "
            "see and speaker."
            for word in strange_fields(self.query)
        ]
        return (*judge(asked, answered).notes, *strange)


def asking_of(query: str, plan: QueryPlan, videos: Mapping[Asked, frozenset[int]]) -> Asking:
    """A query as the searched videos can answer it.

    Args:
        query: As it was asked.
        plan: Its parts.
        videos: Searched videos that have each channel; all of them have one at least.

    Raises:
        UsageError: A field of the query is empty.
    """
    as_written = [clauses_of(part) for part in plan.parts]
    parts = tuple(tuple(_resolved(c, videos) for c in clauses) for clauses in as_written)
    worded = any(videos[channel] for channel in TEXTS)
    searched = frozenset().union(*videos.values())
    every: tuple[Asked, ...] = ("sight", *TEXTS)
    asked = frozenset(
        channel
        for written, clauses in zip(as_written, parts, strict=True)
        for clause, resolved in zip(written, clauses, strict=True)
        for channel in (resolved.channels if clause.channels or not worded else every)
    )
    if plan.relation == "while" and any(not c.sees for clauses in parts for c in clauses):
        # Words have no length to overlap with: what holds at once stands near each other.
        plan = QueryPlan((query,), "single", (0,))
        parts = (tuple(clause for clauses in parts for clause in clauses),)
    return Asking(query, plan, parts, videos, searched, asked)


def _resolved(clause: Clause, videos: Mapping[Asked, frozenset[int]]) -> Clause:
    """The clause with the channels that it asks here."""
    if clause.by_cue:
        able = tuple(channel for channel in clause.channels if videos[channel])
        return replace(clause, channels=able or ("sight",))
    if clause.channels:
        return clause
    there = tuple(channel for channel in ("sight", *TEXTS) if videos[channel])
    return replace(clause, channels=there or ("sight",))
