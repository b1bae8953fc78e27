"""What the first pages of a printed transcript plainly say: witness, volume, date."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..passages import Testimony
from .testimony import last_name, plain

_WITNESS = re.compile(
    r"DEPOSITION OF:?\s+(?:THE\s+)?([A-Z][\w.'’-]*(?:,?\s+[A-Z][\w.'’-]*){0,5})", re.I
)
_VOLUME = re.compile(r"\bVOL(?:UME|\.)?\s+(\d{1,3}|[IVX]{1,6})\b", re.I)
_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_DATE = re.compile(
    rf"\b((?:{_MONTHS})\s+\d{{1,2}},?\s+\d{{4}}|\d{{1,2}}/\d{{1,2}}/\d{{4}}|\d{{4}}-\d\d-\d\d)\b",
    re.I,
)
_NO_NAME = re.compile(
    r"\b(?:videotaped|video|deposition|depo|transcript|trans|of|final|rough|full|ascii|amicus|"
    r"summation|certified|condensed|vol(?:ume)?\.?\s*\d+|v\d+|page|line|text|txt|sync(?:ed)?)\b",
    re.I,
)


def header_facts(first_lines: Sequence[str], stem: str, lines_per_page: int) -> Testimony:
    """Witness, volume and date, as far as they are plainly given.

    Args:
        first_lines: Words of the first pages, line by line.
        stem: The file's name without its ending; names the witness where the pages do not.
        lines_per_page: Numbered lines of a full page.
    """
    witness = ""
    for at, line in enumerate(first_lines):
        # A name often stands on the line below "DEPOSITION OF".
        if "DEPOSITION OF" in line.upper():
            following = " ".join([line, *(row for row in first_lines[at + 1 : at + 3] if row)][:2])
            said = _WITNESS.search(line.rstrip()) or _WITNESS.search(following)
            witness = last_name(said[1]) if said else ""
            break
    whole = "\n".join(first_lines)
    volume, date = _VOLUME.search(whole), _DATE.search(whole)
    return Testimony(
        witness=witness or name_in(stem),
        volume=volume[1] if volume else "",
        taken_on=date[1] if date else "",
        lines_per_page=lines_per_page,
    )


def name_in(stem: str) -> str:
    """The witness as a file is named after one: ``Smith`` of ``2024-05-04_Smith_depo_vol2``."""
    spaced = _NO_NAME.sub(" ", re.sub(r"[_.\-]+", " ", plain(stem)))
    words = [word for word in re.sub(r"[^\w,'’ ]|\d+", " ", spaced).split() if word.strip(",")]
    if not words:
        return plain(stem)
    return words[0].rstrip(",") if words[0].endswith(",") else " ".join(words)
