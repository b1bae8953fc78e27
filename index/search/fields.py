"""Which channel each piece of a query asks: by its fields, else by its words.

``say:"..."``, ``screen:"..."``, ``see:"..."`` and ``speaker:NAME`` ask one channel. Without
quotation marks a field runs to the next one or to the end of its part, a speaker's name to
the next space. Other words with a colon, such as times and addresses, are plain words.
Where there is no field, "says that" asks what is said, "a sign that says" what stands on the
screen and "talks about" pictures and what is said; any other words ask every channel.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ..errors import UsageError
from .heard_or_read import QUOTED, SURFACE
from .query import parse

Asked = Literal["sight", "speech", "screen", "chapter"]
"""What of a video answers: its pictures, or one of its kinds of text."""

_NAMES = ("say", "screen", "see", "speaker")
_FIELD = re.compile(r"(?<![\w:/.@·-])(say|screen|see|speaker):", re.I)
_STRANGE = re.compile(r"(?<![\w:/.@-])([a-z]+):(?=[\"“«])", re.I)
_JOINING = re.compile(r"^(?:(?:and|with|but|where|when)\b|[\s,;&+])+|(?:\band\b|[\s,;&+])+$", re.I)
_OPENING = "\"“«'"
_SAY = re.compile(
    r"""\b(?: (?:says?|said|saying|mention(?:s|ed|ing)?)(?:\s(?:that|how|why|about))?
        | (?:claim|insist|admit(?:t(?=ed|ing))?|suggest|declar(?:e(?=s|d))?|argu(?:e(?=s|d))?
            |testif(?:ie(?=s|d)|y(?=ing))|confess|promise?|explain|announce?)(?:e?s|e?d|ing)?\sthat
        | ask(?:s|ed|ing)?\s(?:\w+\s){0,3}?(?:if|whether|why|how|what|when|where|who|about|for)
        | (?:tells?|told|telling)\s(?:\w+\s){1,3}?(?:that|about|how|why)
        )\s+(?P<words>.+)$""",
    re.I | re.X,
)
_TOPIC = re.compile(
    r"""\b(?: (?:talk|speak|lectur|report|complain|rant)(?:e?s|ed|ing)?
            \s(?:\w+\s){0,4}?(?:about|(?:on|of)\sthe\s(?:topic|subject)\sof)
        | (?:discuss|explain|announc|describ)(?:e?s|e?d|ing)?(?:\s(?:how|why|what))?
        )\s+(?P<words>.+)$""",
    re.I | re.X,
)
"""Names what the talk is about, in a sentence that mostly describes a picture besides."""
_SCREEN = re.compile(
    rf"""\b(?: {SURFACE}\s(?:(?:that|which)\s)?
            (?:says?|saying|reads?|reading|spells?|spelling)
        | (?:with|shows?|showing|displaying|reads?)\sthe\s
            (?:words?|letters?|phrase|text|slogan|name)
        | titled | entitled | labell?ed | captioned | inscribed
        )\s+(?P<words>.+)$""",
    re.I | re.X,
)


@dataclass(frozen=True)
class Clause:
    """Something that is asked of one place in a video."""

    text: str
    """As it was written, for people."""
    sight: str
    """What pictures are compared with."""
    words: str
    """What is looked for in words."""
    channels: tuple[Asked, ...]
    """Those that may answer; empty for all of them."""
    speaker: str = ""
    """Only words that they say."""
    quoted: bool = False
    """The words are meant as they stand, in their order."""
    by_cue: bool = False
    """The channel was told from the words, not named."""

    @property
    def sees(self) -> bool:
        """Whether pictures may answer it."""
        return not self.channels or "sight" in self.channels


def clauses_of(part: str) -> tuple[Clause, ...]:
    """What one part of a query asks: all of it holds at one place.

    Raises:
        UsageError: A field is empty.
    """
    masked = QUOTED.sub(lambda match: "·" * len(match.group()), part)
    fields, rest = _fields(part, masked)
    speaker = " ".join(value for name, value, _, _ in fields if name == "speaker")
    asked = [_of_field(*field) for field in fields if field[0] != "speaker"]
    free = _JOINING.sub("", " ".join(rest.split()))
    if not fields:
        return (_free(part),)
    if free and re.search(r"\w", free):
        asked.append(_free(free))
    if not speaker:
        return tuple(asked)
    spoken = [clause for clause in asked if clause.channels == ("speech",)]
    spoken = spoken or [clause for clause in asked if not clause.channels]
    if not spoken:
        text = f"speaker:{speaker}"
        return (*asked, Clause(text, "", "", ("speech",), speaker=speaker))
    return tuple(
        replace(clause, channels=("speech",), speaker=speaker) if clause in spoken else clause
        for clause in asked
    )


def strange_fields(query: str) -> tuple[str, ...]:
    """Words before a colon and a quotation mark that are no fields, and were perhaps meant so."""
    found = dict.fromkeys(match.group(1) for match in _STRANGE.finditer(query))
    return tuple(word for word in found if word.lower() not in _NAMES)


def with_fields(query: str, **values: str | None) -> str:
    """A query with fields that were given apart from it, as if they stood in it.

    Raises:
        UsageError: The query has several parts, so that nobody knows which they belong to.
    """
    said = [f"{name}:{_in_quotes(value)}" for name, value in values.items() if value is not None]
    if not said:
        return query
    if len(parse(query).parts) > 1:
        raise UsageError(
            "A query about several moments cannot have options that name what is said or shown.",
            f"Write them where they belong, as in: {said[0]} while she points at a document",
        )
    return " ".join([query, *said]).strip()


def _in_quotes(value: str) -> str:
    for opening, closing in ('""', "“”", "«»"):
        if opening not in value and closing not in value:
            return f"{opening}{value}{closing}"
    return '"' + value.replace('"', " ") + '"'


def _fields(part: str, masked: str) -> tuple[list[tuple[str, str, bool, str]], str]:
    """Name, value, whether it was quoted, and all of it as written; and the rest of the part."""
    fields: list[tuple[str, str, bool, str]] = []
    rest, end = "", 0
    matches = list(_FIELD.finditer(masked))
    for number, match in enumerate(matches):
        begin, name = match.end(), match.group(1).lower()
        if match.start() < end or (match.start() and part[begin : begin + 1].isspace()):
            continue
        rest += part[end : match.start()] + " "
        following = matches[number + 1].start() if number + 1 < len(matches) else len(part)
        quoted = QUOTED.match(part, begin)
        if quoted:
            end, value = quoted.end(), quoted.group()[1:-1]
        elif name == "speaker":
            word = re.match(r"\s*[^\s,;]+", part[begin:])
            end = begin + (word.end() if word else 0)
            value = part[begin:end]
        else:
            end, value = following, part[begin:following].lstrip(_OPENING)
        value = " ".join(value.split())
        if not re.search(r"\w", value):
            raise UsageError(
                f"The field {name}: is empty.", f'Write after it what is asked: {name}:"..."'
            )
        fields.append((name, value, bool(quoted), part[match.start() : end].strip()))
    return fields, rest + part[end:]


def _of_field(name: str, value: str, quoted: bool, text: str) -> Clause:
    if name == "see":
        return Clause(text, value, value, ("sight",))
    channel: Asked = "speech" if name == "say" else "screen"
    return Clause(text, value, value, (channel,), quoted=quoted)


def _free(text: str) -> Clause:
    whole = QUOTED.fullmatch(text.strip())
    if whole:
        return Clause(text, text, whole.group()[1:-1], (), quoted=True)
    cues: Sequence[tuple[re.Pattern[str], tuple[Asked, ...]]] = (
        (_SCREEN, ("screen",)),
        (_SAY, ("speech",)),
        (_TOPIC, ("sight", "speech")),
    )
    for cue, channels in cues:
        match = cue.search(text)
        if match:
            words = match.group("words").strip(" .!?")
            quoted = QUOTED.fullmatch(words)
            words = words[1:-1] if quoted else words
            return Clause(text, text, words, channels, quoted=bool(quoted), by_cue=True)
    return Clause(text, text, text, ())


def joined_text(clauses: Sequence[Clause]) -> str:
    """What pictures are asked, in one text."""
    return "; ".join(clause.sight for clause in clauses if clause.sees)
