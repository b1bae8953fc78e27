"""Splits order queries: "A before B", "A then B", "A while B" and their relatives.

Splitting is conservative: a sentence is only taken apart where both sides can be
events of their own. "the day before yesterday", "before-and-after photo" and
"stands before a judge" stay whole, and so does everything inside quotes: a side that is
in quotes from end to end is one part, without them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from .heard_or_read import QUOTED

Relation = Literal["single", "then", "while"]

_BEGIN_WORDS = r"(?:right|just|shortly|immediately|soon|directly|even)"
_UNITS = "second|minute|moment|hour|day|night|morning|evening|afternoon|week|month|year|time|while"
_LEADING = re.compile(
    rf"^(?:{_BEGIN_WORDS}\s+)?(after|before|while|during)\s+([^,]+?)\s*,\s*(?:then\s+)?(.+)$", re.I
)
_THEN = re.compile(
    r"(?:\s*[,;]\s*|\s+)(?:(?:and|but)\s+)?(?:then|followed\s+by"
    r"|afterwards|after\s+that)\s*,?\s+",
    re.I,
)
_INFIX = re.compile(r"\s*(?:[,;]\s*|\s)(?:and\s+)?(before|after|while|during)\s+", re.I)
_TAIL_ADVERB = re.compile(
    rf"(?:\s|,|^)+(?:{_BEGIN_WORDS}|(?:(?:a|an|one|two|three|some|many|several|\d+|a\s+few|a\s+couple"
    rf"\s+of)\s+)(?:{_UNITS})s?|(?:{_UNITS})s)$",
    re.I,
)
_MASK = "·"
"""Stands for what is quoted; of no word, so that no idiom is read into it."""

_NOT_EVENTS = frozenset(
    re.findall(
        r"\w+",
        """
        a an the and or of in on at to it its he him his she her they them their we us me my i you
        this that these those there here then now when one another other others each all some any
        yesterday today tomorrow tonight dark noon midnight dawn dusk long ever again christmas
        first last next previous very same once even just more pm am bc ad while
        second seconds minute minutes moment moments hour hours day days night nights
        morning mornings evening evenings afternoon afternoons week weeks month months
        year years time times
        """,
    )
)
"""Words that alone are no event a camera could see: "the day" before, after "that"."""
_IN_FRONT_OF = re.compile(
    r"\b(?:stand|stood|kneel|knelt|bow|appear|sit|sat|speak|testif|lie|lay|perform)\w*$", re.I
)
"""In "stands before the judge" the word names a place, not an order."""
_PHRASAL_AFTER = re.compile(
    r"\b(?:look|take|took|taking|name|ask|chas|run|ran|go|goes|went|going|com|yearn|model)\w*$",
    re.I,
)
"""Verbs that make one verb with "after": "looks after", "runs after"."""
_THEN_IDIOM = re.compile(
    r"\b(?:now\s+and|since|by|back|until|till|from|only|is|are|was|were|being|who|closely)$|^if\b",
    re.I,
)
"""Before "then": "now and then". Before "followed by": somebody who is being followed."""
_A_WHILE = re.compile(r"\b(?:a|the|quite|some|little|long|every)$", re.I)


@dataclass(frozen=True)
class QueryPlan:
    """What to ground, and how the parts belong together."""

    parts: tuple[str, ...]
    """Sentences to ground; in time order when the relation is ``then``."""
    relation: Relation
    """``single``, ``then`` (each part ends before the next) or ``while`` (at once)."""
    answer: tuple[int, ...]
    """Parts whose moments a hit covers: "A before B" asks for A, "A then B" for both."""


def parse(sentence: str) -> QueryPlan:
    """The parts of a sentence that are events of their own, and their order in time.

    "A before B" has the parts A, B and asks for A. "A after B" has the parts B, A
    and asks for A. "A then B" asks for the whole stretch; "A while B" for the time
    in which both go on. Anything else comes back whole as ``single``.
    """
    text = " ".join(sentence.split())
    masked = QUOTED.sub(lambda m: _MASK * len(m.group()), text)
    return (
        _split_leading(text, masked)
        or _split_then(text, masked)
        or _split_infix(text, masked)
        or QueryPlan((text,), "single", (0,))
    )


def _split_leading(text: str, masked: str) -> QueryPlan | None:
    match = _LEADING.match(masked)
    if match is None:
        return None
    subordinate = _clean(text[match.start(2) : match.end(2)])
    main = _clean(text[match.start(3) : match.end(3)])
    if not (_is_event(subordinate) and _is_event(main)):
        return None
    return _plan(match.group(1).lower(), main, subordinate)


def _split_then(text: str, masked: str) -> QueryPlan | None:
    parts: list[str] = []
    begin = 0
    for match in _THEN.finditer(masked):
        if match.start() < begin or _THEN_IDIOM.search(masked[begin : match.start()]):
            continue
        parts.append(_clean(text[begin : match.start()]))
        begin = match.end()
    parts.append(_clean(text[begin:]))
    if len(parts) < 2 or not all(_is_event(part) for part in parts):
        return None
    return QueryPlan(tuple(parts), "then", tuple(range(len(parts))))


def _split_infix(text: str, masked: str) -> QueryPlan | None:
    for match in _INFIX.finditer(masked):
        word = match.group(1).lower()
        left, right = masked[: match.start()], masked[match.end() :]
        if _is_idiom(word, left, right):
            continue
        main = _clean(_drop_tail_adverb(text[: match.start()]))
        other = _clean(text[match.end() :])
        if _is_event(main) and _is_event(other):
            return _plan(word, main, other)
    return None


def _plan(word: str, main: str, other: str) -> QueryPlan:
    if word == "before":
        return QueryPlan((main, other), "then", (0,))
    if word == "after":
        return QueryPlan((other, main), "then", (1,))
    return QueryPlan((main, other), "while", (0, 1))


def _is_idiom(word: str, left: str, right: str) -> bool:
    if re.match(r"(?:and|or|&|/)\s+(?:after|before)\b", right, re.I):
        return True
    if re.search(r"\b(?:after|before)(?:\s+(?:and|or|&|/))?$", left, re.I):
        return True
    if word == "while":
        return bool(_A_WHILE.search(left))
    if word == "before":
        return bool(_IN_FRONT_OF.search(left))
    if word == "after":
        first = re.match(r"\w+", right)
        repeated = first is not None and bool(re.search(rf"\b{first.group()}$", left, re.I))
        return repeated or bool(_PHRASAL_AFTER.search(left))
    return False


def _drop_tail_adverb(text: str) -> str:
    """Removes what belongs to the connecting word: "eats just", "eats two minutes"."""
    while (shorter := _TAIL_ADVERB.sub("", text)) != text:
        text = shorter
    return text


def _clean(part: str) -> str:
    part = part.strip(" ,;.!?…")
    if QUOTED.fullmatch(part):
        return part[1:-1].strip()
    return re.sub(r"^(?:and|but|then)\s+", "", part, flags=re.I)


def _is_event(part: str) -> bool:
    words = re.findall(r"[^\W\d_]+", part.lower())
    return any(word not in _NOT_EVENTS for word in words)
