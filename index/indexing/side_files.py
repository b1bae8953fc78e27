"""Which texts a video ought to have by what lies on the disk now, and how each is read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..files import FileStat
from ..store.text_rows import TextRow
from ..text.sidecars import Neighbours, Sidecar, said_by_name
from ..types import VideoRow

_READER = 1
"""Rises when a newer gz reads files better, so that they are read again."""
_HEARD = "heard"
_BY_PERSON = ("encoding", "offset_s", "starts_at_s", "given")
"""What a person said of a file, which is remembered until they say otherwise."""


@dataclass(frozen=True)
class Wanted:
    """A side file of a video, with how it is to be read."""

    sidecar: Sidecar
    current: bool
    """Whether the library holds just that already."""


@dataclass(frozen=True)
class Asked:
    """What a person says in this run about how texts are read."""

    transcript: Sidecar | None = None
    """A file that is to belong to the video, wherever it lies."""
    encoding: str | None = None
    """Of side files; ``auto`` to find out again, None to leave it as it was."""
    retry: bool = False
    """Read again what failed."""

    def of(self, sidecar: Sidecar) -> Sidecar:
        """A side file as it is to be read now."""
        if self.transcript is not None and sidecar.path == self.transcript.path:
            sidecar = self.transcript
        # The notes of a downloader are JSON, which has one encoding.
        if self.encoding is not None and not sidecar.path.lower().endswith(b".json"):
            sidecar = replace(sidecar, encoding="" if self.encoding == "auto" else self.encoding)
        return sidecar


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
        folder = _folder(path)
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
    texts: Sequence[TextRow],
    folders: Folders,
    asked: Asked,
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
        asked: What a person says now.
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
            unseen.add(_folder(place))
        else:
            found.update({sidecar.path: sidecar for sidecar in sidecars})
    given = {path for path, kept in rows.items() if _kept(kept[0]).get("given")}
    for path in given:
        if path not in found and os.path.lexists(path):
            found[path] = Sidecar(path, *said_by_name(path))
    if asked.transcript is not None:
        found[asked.transcript.path] = asked.transcript
    files = []
    for path, sidecar in sorted(found.items()):
        before = rows.get(path, [])
        wanted = asked.of(_as_before(sidecar, before))
        again = asked.retry and any(text.state == "failed" for text in before)
        current = not again and _is_current(video, wanted, before, heard_in(texts))
        files.append(Wanted(wanted, current))
    gone = [
        text
        for path, kept in rows.items()
        if path not in found
        and path not in given
        and _folder(path) not in unseen
        and (in_reach(path) or os.path.lexists(_folder(path)))
        for text in kept
    ]
    return Beside(tuple(files), tuple(gone))


def settings_of(sidecar: Sidecar, video: VideoRow, heard: TextRow | None = None) -> str:
    """All that decides what becomes of a side file beside its content, for the library.

    Args:
        sidecar: With how it is read.
        video: Whose it is.
        heard: The transcription that its lines were, or are to be, aligned to.
    """
    facts = {name: getattr(sidecar, name) for name in _BY_PERSON}
    facts |= {"duration_s": round(video.duration_s, 1), "reader": _READER}
    if not sidecar.named:
        # Which recording of a deposition a video is, its name may tell.
        facts["video"] = os.fsdecode(os.path.basename(video.path))  # noqa: PTH119
    if heard is not None:
        facts[_HEARD] = heard.id
    return json.dumps(facts, sort_keys=True)


def waiting(settings: str) -> str:
    """The settings of a text that another transcription of its video would change."""
    return json.dumps({_HEARD: 0, **json.loads(settings)}, sort_keys=True)


def heard_in(texts: Iterable[TextRow]) -> TextRow | None:
    """What this program transcribed of a video; None where nothing was."""
    return next((t for t in texts if t.source.kind == "transcribed" and t.state == "visible"), None)


def container_state(video: VideoRow) -> str:
    """What decides the texts inside a video: another state means that they are read again."""
    return f"{_READER} {video.fingerprint} {video.duration_s:.1f}"


def _as_before(sidecar: Sidecar, texts: Sequence[TextRow]) -> Sidecar:
    """A side file with what a person said of it in an earlier run."""
    kept = _kept(texts[0]) if texts else {}
    return replace(sidecar, **{name: kept[name] for name in _BY_PERSON if name in kept})


def _kept(text: TextRow) -> dict[str, Any]:
    return dict(json.loads(text.settings)) if text.settings else {}


def _is_current(
    video: VideoRow, sidecar: Sidecar, texts: Sequence[TextRow], heard: TextRow | None
) -> bool:
    if not texts:
        return False
    try:
        stat = FileStat.read(sidecar.path)
    except OSError:
        return True  # out of reach since the folder was listed: what is known is kept
    for text in texts:
        settings = settings_of(sidecar, video)
        if _HEARD in _kept(text):
            settings = waiting(settings_of(sidecar, video, heard))
        unchanged = text.stat.same_content_as(stat) and text.settings == settings
        if not unchanged or text.fingerprint != video.fingerprint:
            return False
    return True


def _folder(path: bytes) -> bytes:
    return os.path.dirname(path)  # noqa: PTH120 - Path cannot hold bytes
