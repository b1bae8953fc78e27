"""Which texts a video ought to have by what lies on the disk now, and how each is read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace

from ..files import FileStat
from ..store.text_rows import TextRow
from ..text.sidecars import Neighbours, Sidecar, said_by_name
from ..types import VideoRow

_READER = 1
"""Rises when a newer gz reads files better, so that they are read again."""


@dataclass(frozen=True)
class Reading:
    """How a side file is read; a text keeps it, so that a later run reads the file alike."""

    encoding: str = ""
    """As a person named it; empty to find out."""
    offset_s: float = 0.0
    """Added to its times, as a person asked for it."""
    given: bool = False
    """Named by a person for this video, wherever it lies."""

    def settings(self, duration_s: float) -> str:
        """All that decides what becomes of a file beside its content."""
        return json.dumps(
            {**asdict(self), "duration_s": round(duration_s, 1), "reader": _READER}, sort_keys=True
        )

    @classmethod
    def of(cls, text: TextRow) -> Reading:
        """How a text was read."""
        kept = json.loads(text.settings) if text.settings else {}
        fields = {name: kept[name] for name in ("encoding", "offset_s", "given") if name in kept}
        return cls(**fields)


@dataclass(frozen=True)
class Wanted:
    """A side file of a video and how it is to be read."""

    sidecar: Sidecar
    reading: Reading
    current: bool
    """Whether the library holds just that already."""


@dataclass(frozen=True)
class Beside:
    """What lies beside a video and its copies."""

    files: tuple[Wanted, ...]
    gone: tuple[TextRow, ...]
    """Texts whose file does not belong to the video any more."""


class Folders:
    """The folders of videos, each listed once."""

    def __init__(self, is_excluded: Callable[[bytes], bool]) -> None:
        """Nothing is looked at yet.

        Args:
            is_excluded: Whether a person asked to leave a path out.
        """
        self._is_excluded = is_excluded
        self._listed: dict[bytes, Neighbours | None] = {}

    def beside(self, path: bytes) -> tuple[Sidecar, ...] | None:
        """The side files of the video at a path; None where nobody can say."""
        if not os.path.lexists(path):
            return None
        folder = os.path.dirname(path)  # noqa: PTH120 - Path cannot hold bytes
        if folder not in self._listed:
            self._listed[folder] = self._neighbours(folder)
        found = self._listed[folder]
        return None if found is None else found.of(path)

    def _neighbours(self, folder: bytes) -> Neighbours | None:
        try:
            with os.scandir(folder) as entries:
                # Links are never followed, as everywhere in a walk.
                names = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
        except OSError:
            return None
        kept = [n for n in names if not self._is_excluded(os.path.join(folder, n))]  # noqa: PTH118
        return Neighbours(kept)


def beside(
    video: VideoRow,
    places: Sequence[bytes],
    texts: Iterable[TextRow],
    folders: Folders,
    given: tuple[Sidecar, Reading] | None,
    encoding: str | None,
    retry: bool,
    in_reach: Callable[[bytes], bool],
) -> Beside:
    """Compares the side files of a video with its texts.

    A side file belongs to a video as long as it lies beside it, or beside a copy of it, under
    its name. Where such a place, or the folder of a file, is out of reach, what was read there
    is kept.

    Args:
        video: One that can be searched.
        places: Its path and those of its copies.
        texts: What the library holds of it.
        folders: Where to look.
        given: A file that a person names for it now, and how to read it.
        encoding: As a person names it now; ``auto`` to find out, None to leave it as it was.
        retry: Read again what failed.
        in_reach: Whether a path lies in a folder that this run could look through, so that
            what is not there was deleted.
    """
    rows: dict[bytes, list[TextRow]] = {}
    for text in texts:
        if text.source.path:
            rows.setdefault(text.source.path, []).append(text)
    found: dict[bytes, Sidecar] = {}
    unseen: set[bytes] = set()
    for place in places:
        sidecars = folders.beside(place)
        if sidecars is None:
            unseen.add(os.path.dirname(place))  # noqa: PTH120
        else:
            found.update({sidecar.path: sidecar for sidecar in sidecars})
    for path, kept in rows.items():
        if Reading.of(kept[0]).given and path not in found and os.path.lexists(path):
            found[path] = Sidecar(path, *said_by_name(path))
    if given is not None:
        found[given[0].path] = given[0]
    files = []
    for path, sidecar in sorted(found.items()):
        before = rows.get(path, [])
        reading = Reading.of(before[0]) if before else Reading()
        if given is not None and path == given[0].path:
            reading = given[1]
        if encoding is not None:
            reading = replace(reading, encoding="" if encoding == "auto" else encoding)
        again = retry and any(text.state == "failed" for text in before)
        files.append(
            Wanted(sidecar, reading, not again and _is_current(video, path, before, reading))
        )
    gone = [
        text
        for path, kept in rows.items()
        if path not in found
        and not Reading.of(kept[0]).given
        and os.path.dirname(path) not in unseen  # noqa: PTH120
        and (in_reach(path) or os.path.lexists(os.path.dirname(path)))  # noqa: PTH120
        for text in kept
    ]
    return Beside(tuple(files), tuple(gone))


def container_state(video: VideoRow) -> str:
    """What decides the texts inside a video: another state means that they are read again."""
    return f"{_READER} {video.fingerprint} {video.duration_s:.1f}"


def _is_current(video: VideoRow, path: bytes, texts: Sequence[TextRow], reading: Reading) -> bool:
    if not texts:
        return False
    try:
        stat = FileStat.read(path)
    except OSError:
        return True  # out of reach since the folder was listed: what is known is kept
    settings = reading.settings(video.duration_s)
    return all(
        text.stat.same_content_as(stat)
        and text.settings == settings
        and text.fingerprint == video.fingerprint
        for text in texts
    )
