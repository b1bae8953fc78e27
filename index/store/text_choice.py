"""Which of a video's texts are searched: each thing that was said once, in its best form.

Part of the store, without SQL of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from typing import Protocol

from ..passages import TextSource

_ORIGINS = ("person", "automatic", "machine")
_KINDS = ("dvt", "pageline", "sidecar", "embedded", "transcribed", "read", "chapters")
"""Of texts by the same kind of author, those whose times and words are surest come first."""
_SAME_WORDS = 0.5
"""Share of the rarer vocabulary that two texts of one speech have in common at least; those of
two languages share names and numbers, about a tenth."""


class Searchable(Protocol):
    """What is asked of a text."""

    @property
    def id(self) -> int:
        """Rises with every text that comes."""
        ...

    @property
    def source(self) -> TextSource:
        """Which text it is."""
        ...

    @property
    def passages(self) -> int:
        """How many it has."""
        ...


def chosen(texts: Iterable[Searchable], words: Callable[[int], Collection[str]]) -> set[int]:
    """Of each channel and language the best text.

    A text that does not say its language counts as one more language, unless it has the words
    of one that was chosen already.

    Args:
        texts: The visible ones of one video.
        words: The different words of a text, by its id; asked only where languages are not said.

    Returns:
        Ids of the texts to search.
    """
    best: list[Searchable] = []
    for text in sorted(texts, key=_preference):
        rivals = [other for other in best if other.source.channel == text.source.channel]
        if not any(_says_the_same(text, other, words) for other in rivals):
            best.append(text)
    return {text.id for text in best}


def words_in(bodies: Iterable[str]) -> frozenset[str]:
    """The different words of a text."""
    return frozenset(word for body in bodies for word in re.findall(r"\w+", body.lower()))


def _says_the_same(
    text: Searchable, other: Searchable, words: Callable[[int], Collection[str]]
) -> bool:
    languages = _language(text.source.language), _language(other.source.language)
    if all(languages):
        return languages[0] == languages[1]
    mine, theirs = set(words(text.id)), set(words(other.id))
    shared = len(mine & theirs)
    return shared >= _SAME_WORDS * min(len(mine), len(theirs))


def _preference(text: Searchable) -> tuple[int, int, int, int]:
    source = text.source
    return (
        _ORIGINS.index(source.origin),
        _KINDS.index(source.kind),
        -text.passages,
        text.id,
    )


def _language(tag: str) -> str:
    """The language of a tag without its region: ``pt`` of ``pt-BR``."""
    return tag.replace("_", "-").split("-")[0].lower()
