"""What a worker is asked to read of a video's words, and what it found."""

from __future__ import annotations

from dataclasses import dataclass

from ..files import FileStat
from ..passages import TextTrack
from ..text.alignment import HeardWord
from ..text.sidecars import Sidecar


@dataclass(frozen=True)
class TextJob:
    """One video whose words are wanted."""

    key: int
    """The caller's own number; comes back with every result."""
    path: bytes
    """The video."""
    duration_s: float
    """Its length."""
    sidecars: tuple[Sidecar, ...] = ()
    embedded: bool = True
    """Whether its own text streams and chapters are wanted."""
    encoding: str = ""
    """What a person says the encoding of its own streams is; empty to find out. A side file
    says its own."""
    heard: tuple[HeardWord, ...] = ()
    """What was transcribed of it; transcripts without times are aligned to that."""


@dataclass(frozen=True)
class FileRead:
    """A side file as it was when it was read."""

    path: bytes
    stat: FileStat
    digest: str
    """BLAKE2b of its content, 64 hex digits."""


@dataclass(frozen=True)
class SourceFailed:
    """One source of text that cannot be used; the others can."""

    reason: str
    """For people, without the path."""
    path: bytes = b""
    """The side file; empty for what is in the video."""
    stream: int | None = None
    waits: bool = False
    """Whether it can be used once the video was transcribed."""


@dataclass(frozen=True)
class TextRead:
    """Everything that was found for one video."""

    key: int
    tracks: tuple[TextTrack, ...]
    failures: tuple[SourceFailed, ...] = ()
    files: tuple[FileRead, ...] = ()
    """Side files that were read, whether they held anything or not."""
    notes: tuple[str, ...] = ()
    """For people: what the video holds that is not read."""


@dataclass(frozen=True)
class TextFailed:
    """Nothing could be read for one video."""

    key: int
    reason: str
    """For people, without the path."""
    kind: str
    """As in `Failed`."""
