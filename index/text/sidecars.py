"""Which files beside a video hold its words, by their names alone."""

from __future__ import annotations

import bisect
import os
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from .languages import language_of

_TEXT_ENDINGS_TEXT = (
    "srt vtt ass ssa sub sup smi sami sbv txt asc dvt xml info.json ptx ptf lef sbf xmef vid "
    "svi cms mdb"
)
TEXT_ENDINGS = frozenset(_TEXT_ENDINGS_TEXT.split())
"""Endings of files that may hold a video's words; the second line is read by nobody but the
programs that write it, and is known so that it can be refused by name."""
_MEDIA_ENDINGS_TEXT = (
    "mp4 m4v mov qt mkv webm avi divx wmv asf flv f4v mpg mpeg mpe m2v ts mts m2ts vob ogv "
    "3gp 3g2 mxf rm rmvb dv h264 264 h265 hevc 265 ivf y4m wtv mp3 m4a m4b wav flac ogg oga "
    "opus aac wma mka"
)
_MEDIA_ENDINGS = frozenset(_MEDIA_ENDINGS_TEXT.split())
_TAGS = {
    "forced": "forced",
    "foreign": "forced",
    "sdh": "sdh",
    "cc": "sdh",
    "hi": "sdh",
    "auto": "auto",
    "asr": "auto",
    "automatic": "auto",
    "orig": "orig",
    "default": "",
}
_REGION = re.compile(r"(?<![A-Za-z])([a-z]{2,3})_([A-Z]{2}|[A-Z][a-z]{3}|[0-9]{3})(?![A-Za-z0-9])")
_BETWEEN = re.compile(r"[.\s_()\[\],+]+")
_HIGHEST = "\U0010ffff"


@dataclass(frozen=True)
class Sidecar:
    """A file that belongs to a video."""

    path: bytes
    language: str = ""
    """As its name says it, ``en`` or ``pt-BR``; empty when it does not."""
    tags: frozenset[str] = frozenset()
    """Of ``forced``, ``sdh`` (for the hard of hearing), ``auto`` (made by a machine), ``orig``."""
    named: bool = True
    """Whether its name says whose it is; a synchronised deposition names its videos inside."""
    given: bool = False
    """Whether a person said that it belongs to the video."""
    encoding: str = ""
    """What a person says its encoding is; empty to find out."""
    offset_s: float = 0.0
    """Added to its times, as a person asked for it."""
    starts_at_s: float | None = None
    """Time of day of the video's first picture, in seconds after midnight, as a person says it."""

    @property
    def automatic(self) -> bool:
        """Whether its name says that a machine wrote it."""
        return "auto" in self.tags


def sidecars_of(video_path: bytes, names: Iterable[bytes]) -> tuple[Sidecar, ...]:
    """The files of a folder that hold the words of one of its videos.

    Args:
        video_path: The video.
        names: Everything in its folder, without the folder.

    Returns:
        In order of their names.
    """
    return Neighbours(names).of(video_path)


def said_by_name(path: bytes) -> tuple[str, frozenset[str]]:
    """Language and tags at the end of a file's name, where its video is not known."""
    rest, _ = _parted(_text(path.rpartition(b"/")[2]))
    language, tags = "", frozenset[str]()
    while "." in rest:
        rest, _, last = rest.rpartition(".")
        said = _said(last)
        if said is None:
            break
        language, tags = language or said[0], tags | said[1]
    return language, tags


class Neighbours:
    """The names in one folder, sorted, so that a folder of many videos is asked quickly.

    A file belongs to a video when it is called like the video, with or without the video's
    ending, and then says nothing but a language and what kind of subtitles it holds. Of two
    videos that could claim it, the one with the longer name has it.
    """

    def __init__(self, names: Iterable[bytes]) -> None:
        """Notes the names.

        Args:
            names: Everything in the folder, without the folder.
        """
        names = set(names)
        self._texts: list[tuple[str, bytes]] = []
        self._videos: dict[str, list[str]] = {}
        self._depositions = [name for name in names if name.lower().endswith(b".dvt")]
        for name in names:
            text = _text(name)
            stem, ending = _parted(text)
            if ending in TEXT_ENDINGS:
                self._texts.append((text.casefold(), name))
            elif ending in _MEDIA_ENDINGS:
                self._videos.setdefault(stem.casefold(), []).append(stem)
        self._texts.sort()

    def of(self, video_path: bytes) -> tuple[Sidecar, ...]:
        """The files that belong to a video of this folder, in order of their names.

        Synchronised depositions are among them whatever they are called (not ``named``):
        which recordings they speak of stands inside.
        """
        folder, video = os.path.split(video_path)
        whole = _text(video)
        stem = whole.rpartition(".")[0] or whole
        folded = stem.casefold()
        first = bisect.bisect_left(self._texts, (folded, b""))
        end = bisect.bisect_left(self._texts, (folded + _HIGHEST, b""))
        found = []
        for _, name in self._texts[first:end]:
            rest, _ = _parted(_text(name))
            own = next((n for n in (whole, stem) if _same(rest[: len(n)], n)), None)
            if own is None or self._is_anothers(rest, len(own), stem):
                continue
            said = _said(rest[len(own) :])
            if said is not None:
                path = os.path.join(folder, name)  # noqa: PTH118 - Path cannot hold bytes
                found.append(Sidecar(path, *said))
        theirs = {sidecar.path for sidecar in found}
        paths = [os.path.join(folder, name) for name in self._depositions]  # noqa: PTH118
        found.extend(Sidecar(path, named=False) for path in paths if path not in theirs)
        return tuple(sorted(found, key=lambda sidecar: sidecar.path))

    def _is_anothers(self, rest: str, own: int, stem: str) -> bool:
        """Whether another video has the better claim to a file called ``rest`` and an ending."""
        folded = rest.casefold()
        if any(folded[:length] in self._videos for length in range(own + 1, len(folded) + 1)):
            return True
        exact = [other for other in self._videos.get(stem.casefold(), []) if rest.startswith(other)]
        return bool(exact) and not rest.startswith(stem)


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


def _text(name: bytes) -> str:
    return unicodedata.normalize("NFC", os.fsdecode(name))


def _parted(name: str) -> tuple[str, str]:
    """What stands before a name's ending, and the ending in small letters without its dot."""
    if name.lower().endswith(".info.json"):
        return name[: -len(".info.json")], "info.json"
    stem, dot, ending = name.rpartition(".")
    return (stem, ending.lower()) if dot else (name, "")


def _said(rest: str) -> tuple[str, frozenset[str]] | None:
    """Language and tags in the middle of a name; None when it says anything else."""
    language, tags = "", set[str]()
    for word in _BETWEEN.split(_REGION.sub(r"\1-\2", rest).lstrip("-")):
        if word.lower().endswith("-orig"):  # what a downloader calls a machine's own captions
            word, tags = word[: -len("-orig")], tags | {"orig", "auto"}
        spoken = "" if language and word.lower() in _TAGS else language_of(word)
        if spoken:
            language = language or spoken
        elif word.lower() in _TAGS:
            tags.add(_TAGS[word.lower()])
        elif word:
            return None
    return language, frozenset(tags - {""})
