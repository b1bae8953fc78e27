"""Which videos a search looks at."""

from __future__ import annotations

import contextlib
import fnmatch
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from ..errors import NothingIndexedError, UsageError
from ..files import shown
from ..types import FindRequest, VideoRow
from .clock_time import ClockTime, Stretch

if TYPE_CHECKING:
    from ..store.library import Library


@dataclass(frozen=True)
class Scope:
    """What one search looks at."""

    videos: dict[int, VideoRow]
    """By id, in the library's path order."""
    everything: bool
    """True when no searchable video is left out."""
    after_s: float
    """No hit starts earlier in its video."""
    before_s: float
    """No hit ends later in its video; infinite without a limit."""
    notes: tuple[str, ...]
    stretches: dict[int, tuple[Stretch, ...]] | None = None
    """By id, where a clock in the picture shows what was asked for; None when nobody asked."""

    @property
    def frames(self) -> int:
        """Frames of all these videos."""
        return sum(video.frames for video in self.videos.values())

    def bounds_s(self, video: VideoRow) -> tuple[float, float]:
        """The searched stretch of one video, ``[start, end)``; may be empty.

        Where a clock decides, all from its first stretch to its last; see `touches`.
        """
        start_s, end_s = self.after_s, min(self.before_s, video.duration_s)
        if self.stretches is None:
            return start_s, end_s
        stretches = self.stretches[video.id]
        return max(start_s, stretches[0][0]), min(end_s, stretches[-1][1])

    def touches(self, video: VideoRow, start_s: float, end_s: float) -> bool:
        """Whether a clock that decides shows what was asked for in some of these seconds."""
        if self.stretches is None:
            return True
        return any(first <= end_s and start_s < last for first, last in self.stretches[video.id])

    @property
    def length_s(self) -> float:
        """Seconds that are searched, of all videos together."""
        bounds_s = map(self.bounds_s, self.videos.values())
        return sum(max(0.0, end_s - start_s) for start_s, end_s in bounds_s)

    @property
    def limited(self) -> bool:
        """True when only a stretch of each video is searched."""
        limits = self.after_s > 0 or self.before_s != float("inf")
        return limits or self.stretches is not None

    def only(self, videos: dict[int, VideoRow]) -> Scope:
        """The same search in fewer videos."""
        return replace(self, videos=videos, everything=False)


def choose_videos(library: Library, request: FindRequest) -> Scope:
    """The searchable videos that a request asks for.

    Raises:
        NothingIndexedError: No video can be searched.
        UsageError: ``within`` names no indexed video.
    """
    worded = {text.video_id for text in library.searched_texts()}
    rows = [row for row in library.videos(searchable=True) if row.frames > 0 or row.id in worded]
    if not rows:
        raise NothingIndexedError(
            "There is no indexed video to search.", "Index a folder of videos: gz index FOLDER"
        )
    paths = _paths(library, rows)
    chosen, notes = [_at(row, paths[row.id], paths[row.id][0]) for row in rows], []
    if request.within:
        chosen, unmatched = _within(rows, paths, request.within)
        if not chosen:
            raise UsageError(
                f"No indexed video lies in {', '.join(request.within)}.",
                "See what is indexed with: gz ls",
            )
        notes = [f"No indexed video lies in {place}." for place in unmatched]
    stretches = None
    if request.at:
        stretches = _shown_at(library, chosen, request.at)
        without = len(chosen) - len(stretches)
        chosen = [row for row in chosen if row.id in stretches]
        if without:
            notes.append(
                f"{without:,} of {without + len(chosen):,} videos "
                f"{'is' if without == 1 else 'are'} left out, where no clock in the picture was "
                f"seen to show {request.at}."
            )
    return Scope(
        stretches=stretches,
        videos={row.id: row for row in chosen},
        everything=len(chosen) == len(rows),
        after_s=request.after_s or 0.0,
        before_s=float("inf") if request.before_s is None else request.before_s,
        notes=tuple(notes),
    )


def _shown_at(
    library: Library, rows: Sequence[VideoRow], at: str
) -> dict[int, tuple[Stretch, ...]]:
    """Where the clocks of videos show a time, for those in which they do.

    Raises:
        UsageError: None does.
    """
    wanted = ClockTime.parse(at)
    texts = [text for text in library.text_rows() if text.state == "visible"]
    clocks = {text.video_id: text.clock for text in texts if text.clock}
    here = [row for row in rows if row.id in clocks]
    if not here:
        raise UsageError(
            "No clock was read in the pictures of these videos.",
            "Read their screens first: gz index --screen",
        )
    found = {row.id: wanted.stretches(clocks[row.id], row.duration_s) for row in here}
    found = {video_id: stretches for video_id, stretches in found.items() if stretches}
    if not found:
        some = clocks[here[0].id]
        raise UsageError(
            f"No clock in the pictures shows {at}.",
            f"That of {shown(here[0].path)}, for one, shows {some[0][1]} to {some[-1][1]}.",
        )
    return found


def _paths(library: Library, rows: Sequence[VideoRow]) -> dict[int, list[bytes]]:
    """Every path of each video, files that are there before those that are not."""
    paths = {row.id: [row.path] for row in rows}
    for copy in library.copies():
        if copy.video_id in paths:
            paths[copy.video_id].append(copy.path)
    for video_id, several in paths.items():
        if len(several) > 1:  # a file that is there can be shown and cut
            paths[video_id] = sorted(several, key=lambda path: not os.path.lexists(path))
    return paths


def _at(row: VideoRow, paths: Sequence[bytes], path: bytes) -> VideoRow:
    """A video by one of its paths."""
    return replace(row, path=path, also_at=tuple(other for other in paths if other != path))


def _within(
    rows: Sequence[VideoRow], paths: dict[int, list[bytes]], places: Sequence[str]
) -> tuple[list[VideoRow], list[str]]:
    """Rows with a path in any of the places, by that path, and the places that hold none."""
    wanted: dict[int, bytes] = {}
    unmatched: list[str] = []
    for place in places:
        lies_in = _lies_in(place)
        found = {
            row.id: lying[0]
            for row in rows
            if (lying := [p for p in paths[row.id] if lies_in(PurePath(os.fsdecode(p)))])
        }
        wanted = found | wanted
        if not found:
            unmatched.append(place)
    return [_at(row, paths[row.id], wanted[row.id]) for row in rows if row.id in wanted], unmatched


def _lies_in(place: str) -> Callable[[PurePath], bool]:
    """Tells the file itself, anything below a folder, and matches of a glob from other files."""
    spellings = _spellings(place)
    globs = [place] if os.sep not in place else [*spellings, *(s + "/*" for s in spellings)]
    if not any(sign in place for sign in "*?["):
        globs = []

    def lies_in(file: PurePath) -> bool:
        if any(file.is_relative_to(folder) for folder in spellings):
            return True
        name = str(file) if os.sep in place else file.name
        return any(fnmatch.fnmatchcase(name, glob) for glob in globs)

    return lies_in


def _spellings(place: str) -> set[str]:
    """A place as indexing may have called it."""
    # No home to expand to, a loop of links, a name longer than any file's: then it is
    # no more than it says.
    given = Path(place)
    with contextlib.suppress(RuntimeError):
        given = given.expanduser()
    found = {str(given.absolute()), os.path.normpath(given.absolute())}
    with contextlib.suppress(OSError, RuntimeError):
        found.add(str(given.resolve()))
    return found
