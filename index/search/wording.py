"""The words of a query and of a passage, made comparable: without case, accents and endings.

Endings are told for English alone: "signed", "signs" and "signing" are forms of one word.
Languages that write no spaces are compared by their letters.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+"
)
"""Thai, Lao, Burmese, Khmer, Japanese and Chinese letters."""
_VOWELS = "aeiouy"

FUNCTION_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
    a about after all also an and any are as at be because been before being but by can could did
    do does for from get go got had has have he her here him his how i if in into is it its just
    know like me more my now of on one or our out over said say she should so some than that the
    their them then there these they this those to up us was we were what when where which while
    who will with would you your
    """,
    )
)
"""English words so common that a library in which they are rare is a small one."""
NEGATIONS = frozenset(
    re.findall(
        r"\w+",
        """
    no not never none nobody nothing nowhere neither nor cannot cant without dont doesnt didnt
    isnt arent wasnt werent wont wouldnt shouldnt couldnt hasnt havent hadnt aint
    """,
    )
)


@dataclass(frozen=True)
class Token:
    """A word where it stands."""

    folded: str
    first: int
    """Where it begins, in characters."""
    length: int


@dataclass(frozen=True)
class Term:
    """One word that is looked for."""

    folded: str
    written: str
    """As it was typed, for the index."""
    forms: frozenset[str]
    """Other forms of the word, folded; empty where none are told."""
    by_letters: bool
    """It stands in a language without spaces, so that it may begin and end anywhere."""

    @property
    def negates(self) -> bool:
        """Whether it turns what is said into its opposite."""
        return self.folded in NEGATIONS


def folded(text: str) -> str:
    """Text without case, accents and apostrophes."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in plain if not unicodedata.combining(c) and c not in "'’")


@lru_cache(maxsize=8192)
def _folded_word(word: str) -> str:
    return word.lower() if word.isascii() and word.isalnum() else folded(word)


def tokens_of(body: str) -> list[Token]:
    """The words of a text in their order."""
    return [
        Token(_folded_word(match.group()), match.start(), match.end() - match.start())
        for match in _TOKEN.finditer(body)
    ]


def terms_of(words: str, most: int) -> tuple[Term, ...]:
    """The words to look for, in their order, the first ones where there are too many."""
    terms = []
    for match in _TOKEN.finditer(words):
        written = match.group()
        unspaced = bool(_UNSPACED.search(written))
        word = _folded_word(written)
        if word:
            forms = frozenset() if unspaced else forms_of(word)
            terms.append(Term(word, written, forms, unspaced))
    return tuple(terms[:most])


def forms_of(word: str) -> frozenset[str]:
    """Other forms of an English word, made by rule; some of them are no words."""
    if not (word.isascii() and word.isalpha()) or len(word) < 4 or word in FUNCTION_WORDS:
        return frozenset()
    if word in NEGATIONS:
        return frozenset()
    stem = _stem(word)
    made = {stem, *(stem + ending for ending in ("s", "es", "ed", "ing", "e"))}
    if stem[-1] in "iy":
        made |= {stem[:-1] + ending for ending in ("y", "ies", "ied", "ying")}
    if stem[-1] not in _VOWELS and len(stem) > 2 and stem[-2] in _VOWELS:
        made |= {stem + stem[-1] + ending for ending in ("ed", "ing")}
    return frozenset(form for form in made if len(form) > 2) - {word}


def _stem(word: str) -> str:
    """A word without its English ending."""
    for ending in ("ying", "ies", "ied"):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            return word[: -len(ending)] + "y"
    for ending in ("ing", "ed", "es", "s", "e"):
        rest = word[: -len(ending)]
        if ending == "s" and word.endswith(("ss", "us", "is")):
            continue
        if ending == "es" and not rest.endswith(("s", "x", "z", "ch", "sh", "o")):
            continue
        if word.endswith(ending) and len(rest) > 2 and any(c in _VOWELS for c in rest):
            doubled = rest[-1] == rest[-2] and rest[-1] not in "lsz" + _VOWELS
            return rest[:-1] if doubled and ending in ("ing", "ed") else rest
    return word
