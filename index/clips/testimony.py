"""From designations to stretches of video: whose testimony, which printed lines, when."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from ..passages import Kind, Passage, Place, Testimony, TimeQuality
from ..store.library import Library, TextRow
from ..text.designations import Designation, citation, lines_in

_KINDS: tuple[Kind, ...] = ("dvt", "pageline")
"""Of two transcripts of one video the synchronised one knows the times better."""
_QUALITIES: tuple[TimeQuality, ...] = ("exact", "cue", "aligned", "interpolated")


@dataclass(frozen=True)
class Deposition:
    """A transcript of testimony and the video that it belongs to."""

    video: bytes
    """Path of the video."""
    fingerprint: str
    """What the video was when the transcript was read."""
    transcript: bytes
    """Path of the transcript."""
    kind: Kind
    testimony: Testimony
    passages: tuple[Passage, ...] = field(repr=False)

    @property
    def name(self) -> str:
        """For people: the witness, and the volume where there is one."""
        volume = f", vol. {self.testimony.volume}" if self.testimony.volume else ""
        return f"{self.testimony.witness}{volume}"


@dataclass(frozen=True)
class Stretch:
    """The lines of one designation that lie in one video."""

    designation: Designation
    deposition: Deposition
    lines: tuple[Passage, ...]
    part: bool = False
    """The designation runs over several videos, and this is one of its parts."""
    lack: str = ""
    """What of the designation is not in its stretches, for people; empty when all is."""

    @property
    def start_s(self) -> float:
        """Start of its first line in the video."""
        return min(line.start_s for line in self.lines)

    @property
    def end_s(self) -> float:
        """End of its last line in the video."""
        return max(line.end_s for line in self.lines)

    @property
    def quality(self) -> TimeQuality:
        """How well its edges are known: as the worse of them."""
        edges = (self.lines[0].quality, self.lines[-1].quality)
        return max(edges, key=_QUALITIES.index)

    @property
    def ends(self) -> tuple[Place, Place]:
        """First and last place of it: as designated, or of the lines in this video."""
        first, last = self.lines[0].first, self.lines[-1].last
        if not self.part or first is None or last is None:
            return self.designation.first, self.designation.last
        return first, last

    @property
    def cited(self) -> str:
        """``Smith 14:15-16:1``."""
        return f"{self.deposition.testimony.witness} {citation(*self.ends)}"

    @property
    def stem(self) -> str:
        """Name of its clip by the convention of the trade: ``Smith_14.15-16.1``."""
        first, last = self.ends
        witness = self.deposition.testimony.witness or "testimony"
        return f"{witness}_{first.page}.{first.line}-{last.page}.{last.line}"


@dataclass(frozen=True)
class Unmatched:
    """A designation that nothing is cut for."""

    designation: Designation
    reason: str


def depositions_in(library: Library) -> tuple[Deposition, ...]:
    """Every transcript of the library whose lines are known by page and line."""
    found = []
    for row in library.text_rows():
        video = library.video(row.video_id)
        if row.state == "visible" and row.testimony is not None and video is not None:
            found.append(_deposition(row, video.path, library.passages(row.id)))
    return tuple(sorted(found, key=lambda deposition: _KINDS.index(deposition.kind)))


def _deposition(row: TextRow, video: bytes, passages: Iterable[Passage]) -> Deposition:
    return Deposition(
        video=video,
        fingerprint=row.fingerprint,
        transcript=row.source.path,
        kind=row.source.kind,
        testimony=row.testimony or Testimony(""),
        passages=tuple(passage for passage in passages if passage.first is not None),
    )


def stretches_of(
    designation: Designation, depositions: Sequence[Deposition]
) -> tuple[Stretch, ...] | Unmatched:
    """Where in which video a designation lies.

    Args:
        designation: A range of printed lines, with the name of its transcript or without.
        depositions: All that it may be meant of; of one video the best comes first.

    Returns:
        A stretch for each video that it runs over, in printed order; or why there is none.
        What two witnesses or two transcripts may be meant by is never guessed.
    """
    named = [d for d in depositions if _names(designation.transcript, d)]
    if designation.transcript and not named:
        known = ", ".join(dict.fromkeys(d.name for d in depositions))
        return Unmatched(
            designation,
            f"no transcript is called '{designation.transcript}'; there are those of {known}",
        )
    inside: dict[bytes, tuple[Deposition, tuple[Passage, ...]]] = {}
    for deposition in _dated(designation.transcript, named):
        if lines := lines_in(designation, deposition.passages):
            inside.setdefault(deposition.video, (deposition, lines))
    if not inside:
        return Unmatched(designation, "no line of testimony with a time lies in it")
    witnesses = dict.fromkeys(deposition.name for deposition, _ in inside.values())
    places = [line.first for _, lines in inside.values() for line in lines]
    if len({d.testimony.witness.casefold() for d, _ in inside.values()}) > 1:
        told = " and ".join(witnesses)
        return Unmatched(
            designation, f"it is in the testimony of {told}; write a name before the range"
        )
    if len(set(places)) < len(places):
        told = " and ".join(os.fsdecode(deposition.transcript) for deposition, _ in inside.values())
        return Unmatched(designation, f"it is in several transcripts: {told}")
    ordered = sorted(inside.values(), key=lambda item: item[1][0].first or designation.first)
    several = len(ordered) > 1
    first, last = ordered[0][1][0].first, ordered[-1][1][-1].last
    lack = ""
    if first is not None and last is not None and (first, last) != _asked(designation):
        lack = f"only {citation(first, last)} of {designation.range} has words with a time"
    return tuple(Stretch(designation, *item, several, lack) for item in ordered)


def _asked(designation: Designation) -> tuple[Place, Place]:
    return designation.first, designation.last


def _names(name: str, deposition: Deposition) -> bool:
    """Whether a list's name of a transcript is that of this one; an empty one is any's."""
    if not name:
        return True
    folded = name.casefold()
    paths = (deposition.transcript, deposition.video)
    if any(folded in (_file(path), PurePosixPath(_file(path)).stem) for path in paths):
        return True
    witness = _words(deposition.testimony.witness)
    return bool(witness) and witness <= _words(name)


def _dated(name: str, depositions: Sequence[Deposition]) -> Sequence[Deposition]:
    """Those whose day a name like ``Bart, Michael 2014-05-23`` tells, if it tells any."""
    numbers = _numbers(name)
    same = [
        d for d in depositions if len(day := _numbers(d.testimony.taken_on)) > 1 and day <= numbers
    ]
    return same or depositions


def _file(path: bytes) -> str:
    return os.fsdecode(path.rpartition(b"/")[2]).casefold()


def _words(text: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]+", text.casefold()))


def _numbers(text: str) -> set[int]:
    return {int(digits) for digits in re.findall(r"\d{1,9}", text)}
