"""How well the words of a query are matched at a place, and by which words there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..passages import Word
from .candidates import WORDS_A_PASSAGE, Place, Sought
from .wording import FUNCTION_WORDS, NEGATIONS, Term, Token, folded, tokens_of

_FORM = 0.85
"""What another form of a word, or a word that only contains it, is worth."""
_SHORTEST_PART = 2
"""Letters of a word that may stand inside another one on the screen."""
_STRETCH = 10
"""Words that may stand between those of the query, besides as many again as it has."""
_APART = 0.012
"""What each word in between costs, as a share of the whole query."""
_BEFORE, _AFTER = 3, 2
"""Words around a match in which a negation turns its meaning."""
_MOST_SURPRISE, _LEAST_SURPRISE = 14.0, -6.0


@dataclass(frozen=True)
class Match:
    """The words of a query at one place, and what speaks for them."""

    place: Place
    start_s: float
    end_s: float
    matched: tuple[tuple[int, int, int], ...]
    """Passage of the place, first character and length of each matched word."""
    covered: float
    """Share of the query's weight that is matched, 0 to 1; other forms count less."""
    told: float
    """The same of the words that tell one sentence from another, without "the" and "was"."""
    complete: bool
    """Every word is matched, itself or by another form."""
    phrase: bool
    """Every word, in order, with nothing between them; or the very letters."""
    ordered: float
    """Share of the query's neighbours that are neighbours here, in their order."""
    dense: float
    """Matched words as a share of the words from the first to the last of them."""
    surprise: float
    """Minus the logarithm of how many places of this library match as well by chance."""
    confidence: float
    """Of the matched words, 0 to 1."""
    turned: bool
    """Negated here and not in the query, or in the query and not here."""


@dataclass(frozen=True)
class _Found:
    """A word of the query where it stands."""

    at: int
    """Position among the tokens of the place."""
    term: int
    quality: float


@dataclass(frozen=True)
class _Placed:
    passage: int
    token: Token


def match(sought: Sought, place: Place, letters: str = "") -> Match | None:
    """The best match at a place; None where no word of the query stands.

    Args:
        sought: What is looked for.
        place: Where.
        letters: What may stand there inside other words: a part of a plate, of a code.
    """
    tokens = [
        _Placed(number, token)
        for number, passage in enumerate(place.passages)
        for token in tokens_of(passage.body)
    ]
    literal = len(letters) > 2 and any(
        letters.casefold() in passage.body.casefold() for passage in place.passages
    )
    shortest = 1 if literal else _SHORTEST_PART if letters else 0
    best = _best(_found(sought.terms, [placed.token for placed in tokens], shortest), sought)
    if not best:
        return None
    return _described(sought, place, tokens, best, literal)


def _found(terms: Sequence[Term], tokens: Sequence[Token], shortest: int) -> list[_Found]:
    """Every place of every word; of so many letters also inside others, unless it is 0."""
    known: dict[str, list[tuple[int, float]]] = {}
    for number, term in enumerate(terms):
        known.setdefault(term.folded, []).append((number, 1.0))
        for form in term.forms:
            known.setdefault(form, []).append((number, _FORM))
    pieces = [
        (number, term.folded)
        for number, term in enumerate(terms)
        if term.by_letters or 0 < shortest <= len(term.folded)
    ]
    found = []
    for at, token in enumerate(tokens):
        here = known.get(token.folded, [])
        found += [_Found(at, number, quality) for number, quality in here]
        if pieces and not here:
            found += [
                _Found(at, number, 1.0 if terms[number].by_letters else _FORM)
                for number, piece in pieces
                if piece in token.folded
            ]
    return found


def _best(found: Sequence[_Found], sought: Sought) -> list[_Found]:
    """The words of the best match, one for each word of the query, in order of the place."""
    weights, total = sought.weights, sum(sought.weights)
    widest = 2 * len(weights) + _STRETCH
    best: list[_Found] = []
    best_value = 0.0
    for number, first in enumerate(found):
        taken: dict[int, _Found] = {}
        mass = 0.0
        for word in found[number:]:
            if word.at - first.at >= widest:
                break
            older = taken.get(word.term)
            if older is not None and older.quality >= word.quality:
                # The same word again: the later one may stand nearer to the others.
                continue
            mass += weights[word.term] * (word.quality - (older.quality if older else 0.0))
            taken[word.term] = word
            width = word.at - first.at + 1
            value = mass / total - _APART * max(0, width - len({w.at for w in taken.values()}))
            value += 0.02 * _neighbours(taken)
            if value > best_value + 1e-9:
                best_value, best = value, sorted(taken.values(), key=lambda w: (w.at, w.term))
    return best


def _neighbours(taken: dict[int, _Found]) -> float:
    """Share of the query's neighbours that stand one after the other."""
    if len(taken) < 2:
        return 0.0
    pairs = sum(
        0 <= taken[number + 1].at - word.at <= 1
        for number, word in taken.items()
        if number + 1 in taken
    )
    return pairs / (max(taken) or 1)


def _described(
    sought: Sought,
    place: Place,
    tokens: Sequence[_Placed],
    best: Sequence[_Found],
    literal: bool,
) -> Match:
    weights, total = sought.weights, sum(sought.weights)
    by_term = {word.term: word for word in best}
    count = len(sought.terms)
    first, last = best[0].at, best[-1].at
    width = last - first + 1
    whole = len(by_term) == count and all(word.quality == 1 for word in best)
    in_order = all(by_term[k].at <= by_term[k + 1].at for k in range(count - 1)) if whole else False
    complete = len(by_term) == count
    phrase = whole and in_order and width == len({word.at for word in best})
    phrase = phrase or (literal and complete)
    pairs = sum(
        0 <= by_term[k + 1].at - by_term[k].at <= 1
        for k in range(count - 1)
        if k in by_term and k + 1 in by_term
    )
    matched = sorted({word.at for word in best})
    chosen = [tokens[at] for at in matched]
    start_s, end_s = _times(place, chosen)
    return Match(
        place=place,
        start_s=start_s,
        end_s=end_s,
        matched=tuple((p.passage, p.token.first, p.token.length) for p in chosen),
        covered=sum(weights[word.term] * word.quality for word in best) / total,
        told=_told(sought, best),
        complete=complete,
        phrase=phrase,
        ordered=pairs / (count - 1) if count > 1 else 1.0,
        dense=len(matched) / width,
        surprise=_surprise(sought, best, width, phrase),
        confidence=sum(_confidence(place, p) for p in chosen) / len(chosen),
        turned=_turned(sought.terms, [p.token for p in tokens], first, last),
    )


def _told(sought: Sought, best: Sequence[_Found]) -> float:
    """Share of the weight of the words that are in no list of function words; all, if all are."""
    telling = {k for k, term in enumerate(sought.terms) if term.folded not in FUNCTION_WORDS}
    telling = telling or set(range(len(sought.terms)))
    total = sum(sought.weights[k] for k in telling)
    return sum(sought.weights[w.term] * w.quality for w in best if w.term in telling) / total


def _surprise(sought: Sought, best: Sequence[_Found], width: int, phrase: bool) -> float:
    """Minus the logarithm of how many places match as well where words come by chance."""
    shares = sorted(min(1.0, sought.shares[word.term] / WORDS_A_PASSAGE) for word in best)
    expected = math.log(WORDS_A_PASSAGE * max(1, sought.passages)) + math.log(shares[0])
    room = 1 if phrase else width + 1
    expected += sum(math.log(min(1.0, share * room)) for share in shares[1:])
    return min(max(-expected, _LEAST_SURPRISE), _MOST_SURPRISE)


def _turned(terms: Sequence[Term], tokens: Sequence[Token], first: int, last: int) -> bool:
    asked = any(term.negates for term in terms)
    around = tokens[max(0, first - _BEFORE) : last + _AFTER]
    return asked != any(token.folded in NEGATIONS for token in around)


def _times(place: Place, chosen: Sequence[_Placed]) -> tuple[float, float]:
    """From the first matched word to the last, by their own times where these are known."""
    spans = [_word(place, placed) for placed in chosen]
    starts = [
        place.passages[placed.passage].start_s if word is None else word.start_s
        for placed, word in zip(chosen, spans, strict=True)
    ]
    ends = [
        place.passages[placed.passage].end_s if word is None else word.end_s
        for placed, word in zip(chosen, spans, strict=True)
    ]
    return min(starts), max(ends)


def _word(place: Place, placed: _Placed) -> Word | None:
    token = placed.token
    for word in place.passages[placed.passage].words:
        if word.first < token.first + token.length and token.first < word.first + word.length:
            return word
    return None


def _confidence(place: Place, placed: _Placed) -> float:
    word = _word(place, placed)
    return place.passages[placed.passage].confidence if word is None else word.confidence


def holds(speaker: str, asked: str) -> bool:
    """Whether a speaker, as a text names them, is the one who was asked for."""
    names = {token.folded for token in tokens_of(folded(speaker))}
    wanted = {token.folded for token in tokens_of(folded(asked))}
    return bool(wanted) and wanted <= names
