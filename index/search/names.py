"""Finds people who are named in a query, by titles and capital letters."""

from __future__ import annotations

import re

_TITLE = (
    r"(?:Mr|Mrs|Ms|Miss|Dr|Doctor|Prof|Professor|Judge|Justice|President|Senator|Governor"
    r"|Mayor|Minister|Chancellor|Secretary|Officer|Detective|Inspector|Sergeant|Captain|Colonel"
    r"|General|Lieutenant|Coach|Uncle|Aunt|Sir|Lady|Lord|King|Queen|Prince|Princess|Pope|Father"
    r"|Sister|Brother|Attorney)"
)
_TITLED = re.compile(rf"\b{_TITLE}\b\.?\s[A-Z][\w'-]*")
_SHORT_TITLED = re.compile(r"\b(?:mr|mrs|dr|prof)\b\.?\s[a-z][\w'-]*", re.I)
_CAPITALISED = r"(?:[A-Z]')?[A-Z][a-zà-ÿ][a-zà-ÿ'-]*(?:[A-Z][a-zà-ÿ]+)?"
_RUN = re.compile(rf"(?<![\w.'&-]){_CAPITALISED}(?:\s(?:de|van|von|bin|al|{_CAPITALISED}))*\b")

_NO_PERSON = frozenset(
    re.findall(
        r"\w+",
        """
        i a an the this that these those some two three one his her their my our
        man men woman women boy boys girl girls lady ladies guy guys kid kids child children person
        people couple family vlogger tourist tourists player teacher students student
        american african asian mexican canadian australian russian german italian indian iranian
        egyptian ukrainian korean brazilian belgian austrian hungarian norwegian indonesian
        malaysian persian arabian syrian palestinian israeli pakistani iraqi afghan somali saudi
        european caribbean hawaiian californian cuban colombian venezuelan peruvian chilean
        nigerian ethiopian kenyan moroccan french dutch greek swiss thai welsh czech arab arabic
        hindi latin latina latino hispanic western eastern northern southern caucasian victorian
        christian muslim jewish buddhist hindu catholic islamic roman gothic olympic
        christmas xmas halloween easter thanksgiving ramadan diwali hanukkah valentine santa
        new los las san santa saint north south east west united great mount lake
        monday tuesday wednesday thursday friday saturday sunday january february march april
        may june july august september october november december
        tv ok internet instagram youtube facebook twitter tiktok google apple microsoft amazon
        netflix starbucks mcdonald lego barbie ikea iphone ipad macbook android windows excel
        powerpoint zoom skype nintendo playstation xbox minecraft tesla ferrari jeep bmw toyota
        honda ford mercedes porsche volkswagen harley frisbee velcro jacuzzi polaroid gopro canon
        nikon bible koran quran torah god jesus buddha earth moon mars sun bluetooth wifi ferris
        covid
        america africa asia europe india china japan korea russia ukraine germany france italy
        spain england britain scotland ireland canada mexico brazil argentina australia egypt
        israel palestine syria iran iraq turkey greece pakistan thailand vietnam indonesia
        philippines london rome tokyo york angeles chicago berlin moscow dubai texas florida
        """,
    )
)
"""Words that are written with a capital, or start a sentence, and name nobody."""
_PLACE = re.compile(
    r"^(?:street|avenue|road|market|hotel|airport|beach|bridge|temple|tower|park|square|lake"
    r"|mountains?|river|island|bay|city|town|university|college|school|studios?|house|church"
    r"|museum|hall|center|centre|station|store|restaurant|hospital|airlines?|states|kingdom"
    r"|world|day|eve|war|league|cup|festival|show|club|bank|canyon|falls|desert|valley|palace"
    r"|castle|theatre|theater|garden|gardens|court|ocean|sea|parade|wheel)s?$",
    re.I,
)
_PLACED = re.compile(
    r"\b(?:in|into|inside|outside|from|near|through|around|across|over|towards?|via|of|the"
    r"|(?:trip|travel\w*|flight|fly|flies|way|welcome|mov\w+|return\w*|visit\w*|goes|going|drive"
    r"|drives|driving|tour|journey|back|flying|went|go) to|visit\w*|explor\w+|tour\w*|leav\w+)\s$",
    re.I,
)
_AT = re.compile(r"\bat\s$", re.I)
_AIMED = re.compile(
    r"\b(?:look|point|shout|smil|wav|laugh|star|yell|scream|glanc|wink|bark|aim)\w*\sat\s$", re.I
)
_BESIDE_A_PERSON = re.compile(
    r"\b(?:named|friend|brother|sister|son|daughter|mother|father|mom|dad|wife|husband|uncle|aunt"
    r"|actor|actress|singer|comedian|witness|lawyer|neighbou?r|colleague|dog|cat|man|woman|boy|girl"
    r"|and|with|beside|behind|by|meets?|meeting|met|at|to"
    r"|(?:hug|kiss|greet|interview|marr|call|thank|help|teach|feed|follow|chas|watch)\w*)\s$",
    re.I,
)
_DOES = re.compile(r"^(?:'s\b|\s(?:is|are|was|were|has|who|\w{2,}(?:s|ing|ed))\b)", re.I)
"""What follows a single name; other single words with a capital are things more often."""
_AFTER_A_PERSON = re.compile(
    r"^(?:$|[^\w\s]|\s(?:and|or|is|are|was|were|has|have|had|with|in|on|at|who|as|while|before"
    r"|after|to|from|by|the|a|an|his|her|for|then|when|up|down|out|about|into|\w+(?:s|ing|ed))\b)",
    re.I,
)


def person_named(query: str) -> str:
    """The first name of a person in a query; empty when there is none.

    Words that start a sentence have a capital anyway, and so do places, brands and
    feasts; what cannot be told from these is taken for none.
    """
    titled = _TITLED.search(query) or _SHORT_TITLED.search(query)
    if titled:
        return titled.group()
    if not re.search(r"\b[a-z]{4,}", query):
        return ""  # A title in Capitals Like This, or too little to tell.
    return next((run for match in _RUN.finditer(query) if (run := _person(match, query))), "")


def _person(match: re.Match[str], query: str) -> str:
    run = match.group().removesuffix("'s")
    words = run.split()
    before, after = query[: match.start()], query[match.end() :]
    if not before.strip() or before.rstrip()[-1] in ".!?:":
        if len(words) < 2 or words[0].lower() in _NO_PERSON:
            words = words[1:]
        if not words:
            return ""
    if any(_names_nobody(word) for word in words):
        return ""
    placed = _PLACED.search(before) or (_AT.search(before) and not _AIMED.search(before))
    next_word = re.match(r"\s(\w+)", after)
    at_place = next_word is not None and bool(_PLACE.match(next_word[1]))
    if placed or at_place or not _AFTER_A_PERSON.match(after):
        return ""
    possessive = "'s" if match.group().endswith("'s") else ""
    if len(words) < 2 and not (_BESIDE_A_PERSON.search(before) or _DOES.match(possessive + after)):
        return ""
    return " ".join(words)


def _names_nobody(word: str) -> bool:
    plain = word.lower().removesuffix("'s")
    return plain in _NO_PERSON or plain.endswith(("ish", "ese")) or bool(_PLACE.match(plain))
