"""Where in a library the words of a query may stand together.

Every word that is not too frequent brings the passages that hold it; three passages in a
row are looked at as one place, so that words on both sides of a cue's border meet. Places
are ordered by the weight of the words that they hold. What stands in one passage word for
word, or holds every word, is looked up besides: frequent words bring nothing by themselves.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..passages import Passage
from .wording import FUNCTION_WORDS, Term

if TYPE_CHECKING:
    from ..store.library import Library
    from ..store.passage_search import Ids, Postings, SearchedText

WORDS_A_PASSAGE = 12
"""What a passage is taken to hold where chances are reckoned."""
MOST_TERMS = 24
"""Words of a query that are looked for."""
_ROW = 3
"""Passages that are looked at as one place."""
_LEAST_READ = 20_000
"""Passages with a word that are read at least before it counts as too frequent."""
_READ_SHARE = 0.1
"""Share of all passages beyond which a word is too frequent to bring candidates."""
_PLACES = 96
"""Places that are read and matched."""
_BATCH = 2000
"""Places whose texts are looked up at a time, where some are not searched."""
_FARTHEST = 20_000
"""Places after which no further ones are looked up."""
_SMALL_SCOPE = 200_000
"""Passages in the searched texts below which they are told apart beforehand."""
_MOST_PHRASES = 400
_GAP_S = 2.0
"""Silence after which the next passage is another matter."""
_USUAL = 0.05
"""Share of passages with an English function word, at least, also where a library is small."""
_FORM_WEIGHT = 0.7


@dataclass(frozen=True)
class Sought:
    """The words of a query with what this library says about them."""

    terms: tuple[Term, ...]
    shares: tuple[float, ...]
    """Of all passages, how many hold each word."""
    passages: int
    """Passages of the library."""

    @property
    def weights(self) -> tuple[float, ...]:
        """What each word tells apart: the logarithm of how rare it is."""
        return tuple(math.log1p(1 / share) for share in self.shares)


@dataclass(frozen=True)
class Place:
    """Passages of one text in a row."""

    text: SearchedText
    ids: tuple[int, ...]
    passages: tuple[Passage, ...]


def places_of(
    library: Library,
    terms: tuple[Term, ...],
    texts: dict[int, SearchedText],
    total: int,
    letters: str = "",
    speaking: Ids | None = None,
) -> tuple[Sought, list[Place]]:
    """Places that may hold the words, most promising first.

    Args:
        library: Open for reading at least.
        terms: What is looked for; one at least.
        texts: Those that are searched, by id.
        total: Passages of the whole library, in which words are frequent or rare.
        letters: Where they stand on the screen, all of it as it was typed: a part of a plate. Of
            one or two letters only whole words are found.
        speaking: Only these passages; None for all.
    """
    most = max(_LEAST_READ, round(total * _READ_SHARE))
    rare: dict[str, tuple[Postings, Postings]] = {}
    for term in terms:
        if term.written not in rare and (term.folded not in FUNCTION_WORDS or len(terms) == 1):
            rare[term.written] = _postings(library, term, most, bool(letters))
    shares = [_share(library, term, rare.get(term.written), total) for term in terms]
    sought = Sought(terms, tuple(shares), total)
    written = [term.written for term in terms]
    first = [library.passages_with_phrase(written, _MOST_PHRASES).ids]
    if len(rare) != 1:
        first.append(library.passages_with_all(list(dict.fromkeys(written)), _MOST_PHRASES).ids)
    if len(letters) > 2:
        first.append(library.passages_with_letters(letters, _MOST_PHRASES).ids)
    ordered = np.concatenate([*first, _ordered(rare, sought, letters != "")])
    _, fresh = np.unique(ordered, return_index=True)
    ordered = ordered[np.sort(fresh)]
    starts = _in_scope(library, ordered, texts, total, speaking)
    return sought, _read(library, starts, texts, speaking)


def _postings(
    library: Library, term: Term, most: int, on_screen: bool
) -> tuple[Postings, Postings]:
    """Passages that hold the word itself, and any of its forms or words that contain it."""
    if term.by_letters:
        found = library.passages_with_letters(term.written, most)
        return found, found
    exact = library.passages_with([term.written], most)
    if on_screen and len(term.written) > 2:
        return exact, library.passages_with_letters(term.written, most)
    if term.forms:
        return exact, library.passages_with([term.written, *sorted(term.forms)], most)
    return exact, exact


def _share(
    library: Library, term: Term, found: tuple[Postings, Postings] | None, total: int
) -> float:
    """Of all passages, how many hold a word; of a frequent one only small libraries are asked."""
    if found is None and total <= _LEAST_READ:
        only = library.passages_with([term.written], _LEAST_READ)
        found = only, only
    counted = 0 if found is None else max(posting.count for posting in found)
    share = max(counted, 1) / max(total, counted, 1)
    # In a library of a few passages every word is as rare as any other.
    return max(share, _USUAL) if term.folded in FUNCTION_WORDS else share


def _ordered(rare: dict[str, tuple[Postings, Postings]], sought: Sought, on_screen: bool) -> Ids:
    """Passages at which promising places begin, by the weight of the words there."""
    weights = {
        term.written: weight for term, weight in zip(sought.terms, sought.weights, strict=True)
    }
    usable = [(weights[word], exact, more) for word, (exact, more) in rare.items() if exact.whole]
    pieces = [p.ids for _, exact, more in usable for p in (exact, more) if p.whole]
    if not pieces:
        return np.zeros(0, np.int64)
    ids = np.unique(np.concatenate(pieces))
    here = np.zeros(len(ids))
    place = np.zeros(len(ids))
    for weight, exact, more in usable:
        value = np.zeros(len(ids))
        if more.whole:
            value[np.searchsorted(ids, more.ids)] = _FORM_WEIGHT * weight
        value[np.searchsorted(ids, exact.ids)] = weight
        here += value
        for step in range(1, _ROW):
            at = np.minimum(np.searchsorted(ids, ids + step), len(ids) - 1)
            value = np.maximum(value, np.where(ids[at] == ids + step, value[at], 0.0))
        place += value
    # Of places with the same words, first those that hold them in one passage.
    return ids[np.argsort(-(place + 0.1 * here), kind="stable")]


def _in_scope(
    library: Library,
    ordered: Ids,
    texts: dict[int, SearchedText],
    total: int,
    speaking: Ids | None,
) -> list[tuple[int, int]]:
    """The first places that are searched, with their texts."""
    if speaking is not None:
        ordered = ordered[np.isin(ordered, speaking)]
    elif sum(text.passages for text in texts.values()) < min(_SMALL_SCOPE, total):
        ordered = ordered[np.isin(ordered, library.passages_of_texts(texts.keys()))]
    found: list[tuple[int, int]] = []
    begin, step = 0, _PLACES
    while begin < min(len(ordered), _FARTHEST) and len(found) < _PLACES:
        found += _of_texts(library, ordered[begin : begin + step], texts)
        begin, step = begin + step, _BATCH
    return found[:_PLACES]


def _of_texts(
    library: Library, ids: Ids, texts: dict[int, SearchedText]
) -> Iterator[tuple[int, int]]:
    known = library.texts_of_passages(ids)
    for passage_id in ids.tolist():
        text_id = known.get(passage_id)
        if text_id is not None and text_id in texts:
            yield passage_id, text_id


def _read(
    library: Library,
    starts: Sequence[tuple[int, int]],
    texts: dict[int, SearchedText],
    speaking: Ids | None,
) -> list[Place]:
    wanted = {
        number for start, _ in starts for number in range(max(0, start - _ROW + 1), start + _ROW)
    }
    if speaking is not None:
        wanted &= set(speaking.tolist())
    read = library.passages_by_id(np.array(sorted(wanted), np.int64))
    places = []
    for start, text_id in starts:
        run: list[int] = []
        for number in range(start - _ROW + 1, start + _ROW):
            known = read.get(number)
            if known is None or known[0] != text_id:
                if number > start:
                    break
                run = []
                continue
            if run and known[1].start_s - read[run[-1]][1].end_s > _GAP_S:
                if number > start:
                    break
                run = []
            run.append(number)
        if start in run:
            places.append(Place(texts[text_id], tuple(run), tuple(read[n][1] for n in run)))
    return places
