"""Chapters: what a stretch of video is called, whoever says it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from ..passages import TextSource, TextTrack
from .fitting import Said, fit
from .markup import Line, plain

_NUMBERED = re.compile(r"(?:chapter|kapitel|chapitre|cap[ií]tulo|part)?\s*\d+", re.IGNORECASE)


@dataclass(frozen=True)
class Chapter:
    """A stretch with a name, in seconds on the clock of its source."""

    start_s: Fraction
    end_s: Fraction
    title: str


def chapter_track(
    chapters: Iterable[Chapter], source: TextSource, *, shift_s: float, duration_s: float
) -> TextTrack | None:
    """Chapters as a track; None where not one has a name of its own.

    Args:
        chapters: In any order; one that does not end lasts until the next.
        source: Where they come from.
        shift_s: Added to every time.
        duration_s: Length of the video.
    """
    named = [c for c in chapters if (t := plain(c.title).strip()) and not _NUMBERED.fullmatch(t)]
    said = [Said(c.start_s, c.end_s, (Line(" ".join(plain(c.title).split())),)) for c in named]
    fitted = fit(said, shift_s=shift_s, duration_s=duration_s)
    if not fitted.passages:
        return None
    covered_s = sum(passage.end_s - passage.start_s for passage in fitted.passages)
    return TextTrack(source, fitted.passages, min(covered_s, duration_s), notes=fitted.notes)
