"""What a query asks for that a model of pictures and text cannot judge.

Such a model knows what a frame looks like. It does not count, it finds what a sentence
names even where the sentence says that it is not there, and it hears nothing. A hit that
looks sure although the sentence turned on one of these would be a lie; so people are told,
and a query that turns on an absence never gets a sure hit.

Everything here goes by the words alone, and by English ones. Looks stay without a note:
"two people", "a shirtless man", "an empty room", and also "nothing happens", which names
nothing that could be found by mistake.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from .heard_or_read import QUOTED, SOUND, TEXT
from .names import person_named

Kind = Literal["text", "sound", "clock", "measure", "side", "name", "count", "absence"]

MOST_PRESENCE_OF_ABSENCE = 0.49
"""Just below the default bar: where the meaning turns on an absence, a hit is a guess."""
_MOST_SHOWN = 60
"""Characters of the query that a note repeats."""

_NUMBER = (
    r"(?:three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen"
    r"|sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty"
    r"|ninety|(?<![\w$€£.:/#-])(?!(?:19|20)\d\d\b|180|360|720)(?:[3-9]|[1-9]\d+)(?![\w.:/]))"
)
_ANY = rf"(?:one|two|half an?|{_NUMBER}|\d+(?:[.,]\d+)?)"
_TIME = r"(?:seconds?|minutes?|hours?|days?|weeks?|months?|years?)"
_MONTH = (
    r"(?:january|february|march|april|may|june|july|august|september|october|november|december)"
)
_DAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"

_CLOCK = re.compile(
    rf"""\b(?: \d{{1,2}}:\d\d(?::\d\d)? | (?:\d{{1,2}}|{_ANY})\s?[ap]\.?m\b
    | (?:{_ANY}\s)?o'clock | (?:half|quarter)\s(?:past|to)\s\w+
    | (?:on|every|last|next|since)\s{_DAY}s? | yesterday | tomorrow | \d{{4}}-\d\d-\d\d
    | (?:last|next)\s(?:night|week|month|year|spring|summer|autumn|fall|winter)
    | (?:in|since|from|of|during|before|after)\s(?:19|20)\d\d\b(?!s)
    | (?:in|on|since|of)\s(?:early\s|late\s)?{_MONTH}\b(?!\s(?:on|of|in)\b)
    | on\sthe\s\d+(?:st|nd|rd|th)(?!\s(?:floor|street|avenue))
    )\b""",
    re.I | re.X,
)
_MEASURE = re.compile(
    rf"""(?: \bfor\s(?:(?:about|over|almost|nearly|more\sthan|at\sleast|exactly)\s)?
        (?:an?|{_ANY}|several|many|a\sfew|some)\s(?:full\s|whole\s)?{_TIME}\b(?!\s(?:of|off|trip)\b)
    | \bfor\s(?:hours|days|weeks|months|years)\b
    | \b(?:two|half\san|{_NUMBER}|\d+|one(?=[\s-](?:second|minute|hour)))[\s-]{_TIME}\b(?![\s-]old)
    | \ban?\s(?:second|minute|hour)\slong\b
    | \b(?:long|short|fast|slow|quick|tall|bigg|larg|small|heavi|light|old|young|high|low|furth
        |farth|hott|cold|warm|cheap|deep|wid|strong)er\sthan\b
    | \b\d+(?:[.,]\d+)?\s?(?:km/?h|kph|mph|km|cm|mm|m|kg|g|lbs?|ft|°|%|bpm)(?!\w)
    | \b{_ANY}[\s-](?:kilo\w+|miles?|met(?:er|re)s?|feet|(?<!one\s)foot|inch(?:es)?|yards?
        |degrees?|percent|pounds?|grams?|lit(?:er|re)s?|dollars?|euros?|knots)\b
    | [$€£]\s?\d+ )""",
    re.I | re.X,
)
_SIDE = re.compile(
    r"""\b(?: (?:on|to|from|at|in|by|towards?)\s(?:(?:the|his|her|their|its|my|your)\s)?
        (?:(?:far|near|upper|lower|top|bottom|front|back)\s)?(?:left|right)\b
        (?!\s(?:away|now|moment|time|spot|place|order|direction|to)\b)
    | (?:left|right)[\s-](?:hand|handed|hander|footed|arm|leg|foot|side|eye|ear|shoulder|corner
        |lane|knee|cheek|wrist|thumb|wing|turn|hook|sleeve|shoe|glove|half|bank|edge)s?\b
    | (?:left|right)(?:most|wards?)
    | (?:turn|look|lean|swerve|steer|veer|swipe|drift|face|point|go|move|step)(?:s|es|ed|ing)?\s
        (?:left|right)\b(?!\s(?:back|around|away|into|in|up|down|through|past|after|before|at
        |off|on|out|over|next|behind)\b)
    )""",
    re.I | re.X,
)
_COUNT = re.compile(
    rf"""\b(?: (?:exactly|precisely|at\sleast|at\smost|(?:no\s)?(?:more|fewer|less)\sthan|up\sto
        |only|just)\s(?:one|two|a\ssingle|{_NUMBER}|\d+)\b(?!\s?%)
    | how\smany | the\snumber\sof | twice | thrice | (?:two|{_NUMBER}|many|several)\stimes
    | for\sthe\s\w+\stime
    | (?:third|fourth|fifth|sixth|seventh|eighth|ninth|tenth)\s(?!(?:floor|grader?|street|avenue
        |world|part|person|base|century|birthday|quarter|of)\b)[a-z]+
    | {_NUMBER}(?:\s(?:of\sthe|or\smore))?\s(?!(?:wheel|wheeler|wheeled|leaf|pack|way|pin|point
        |pointer|piece|legged|star|quarters?|iron|lane|man|year|and|or|to|of|in|on|at|by|with|x
        |is|are|was|were|has|have|having)\b)\w+
    )\b""",
    re.I | re.X,
)
_ABSENCE = re.compile(
    r"""\b(?: without\b(?!\s(?:(?:a|any)\s)?(?:doubt|question|fail|stopping|hesitation|hesitating
        |warning|end|pause|break)\b)
    | (?:nobody|no\sone)\b(?!\sis\s(?:there|here))
    | no\s(?!(?:one|and|or|but|to|when|as|with|at|in|matter|doubt|wonder|look|objects|things)\b
        |\w+\s(?:sign|zone)s?\b)\w+
    | none | nowhere | neither | never(?![\s-]ending)
    | not\b(?!\s(?:only|just|far|long)\b)
    | (?:cannot|can't|cant)\b(?!\s(?:stop|help|wait|believe)\b)
    | (?:is|are|was|were|has|have|had|do|does|did|wo|would|could|should)n't
    | (?:is|are|was|were|has|have|do|does|did)nt
    | (?:empty|devoid|bare)\sof | free\sof(?!\scharge) | (?:absence|lack)\sof | lack(?:s|ing)
    | (?:is|are|was|were)\smissing | hardly\sany\w* | except | instead\sof | (?:rather|other)\sthan
    )\b""",
    re.I | re.X,
)

_PATTERNS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("text", TEXT),
    ("sound", SOUND),
    ("clock", _CLOCK),
    ("measure", _MEASURE),
    ("side", _SIDE),
    ("count", _COUNT),
    ("absence", _ABSENCE),
)
"""In this order: what one has taken, such as the number in "at 3 pm", no later one sees."""

_NOTES: dict[Kind, str] = {
    "text": "The model reads little of what is written in a picture ({found}): what shows other "
    "words or numbers may be found too.",
    "sound": "Only pictures are searched, so what is said or heard ({found}) is not judged.",
    "clock": "Pictures do not tell the date or the time of day ({found}): moments of any time "
    "may be found.",
    "measure": "Lengths, speeds, sizes and amounts are not measured ({found}): moments of any "
    "may be found.",
    "side": "Models of this kind confuse left and right ({found}): the other side may be found "
    "too.",
    "name": "The model knows few people by name ({found}): others who fit the rest of the query "
    "may be found.",
    "count": "Nothing is counted ({found}): moments with any number may be found.",
    "absence": "The model looks for what is named even where it is said to be absent ({found}), "
    "so nothing is more than a guess here; say what is to be seen instead.",
}


@dataclass(frozen=True)
class Judgement:
    """How far answers to a query can be trusted, by its words alone."""

    kinds: tuple[Kind, ...]
    """What it asks for that cannot be judged; empty for most queries."""
    notes: tuple[str, ...]
    """For people, a sentence for each kind."""
    most: float
    """The highest presence that a hit may be given."""


def judge(query: str, answered: Collection[Kind] = ()) -> Judgement:
    """What a query asks for that pictures do not show, and what follows from it.

    Args:
        query: What is asked.
        answered: What something else than pictures answers: words that the library holds.
    """
    text = " ".join(query.split()).replace("’", "'")
    found: dict[Kind, str] = {}
    quoted = QUOTED.search(text)
    for kind, pattern in _PATTERNS:
        match = pattern.search(text)
        if match:
            found[kind] = match.groupdict().get("what") or match.group()
            text = pattern.sub(_masked, text)
    if quoted and not {"text", "sound"} & set(found):
        found["text"] = quoted.group()
    named = person_named(QUOTED.sub(_masked, text))
    if named:
        found["name"] = named
    kinds = tuple(kind for kind in _NOTES if kind in found and kind not in answered)
    return Judgement(
        kinds=kinds,
        notes=tuple(_NOTES[kind].format(found=_shown(found[kind])) for kind in kinds),
        most=MOST_PRESENCE_OF_ABSENCE if "absence" in found else 1.0,
    )


def _masked(match: re.Match[str]) -> str:
    return "·" * len(match.group())


def _shown(words: str) -> str:
    plain = words.strip(" \"“”«»'")
    return f'"{plain if len(plain) <= _MOST_SHOWN else plain[: _MOST_SHOWN - 1] + "…"}"'
