"""What the files are that an archive holds beside its videos, in words for people."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..media.sniff import SOUND_SUFFIXES

if TYPE_CHECKING:
    from ..types import VideoRow

_ENDINGS = {
    "picture": "jpg jpeg jpe png gif bmp tif tiff webp heic heif avif svg psd xcf ico dng cr2 cr3 "
    "nef arw raf orf rw2",
    "sound file": "mp3 wav flac aac m4a m4b ogg oga opus wma mka aif aiff mid ra",
    "subtitle": "srt vtt ass ssa sub idx sup ttml smi",
    "archive": "zip rar 7z gz tgz bz2 xz zst tar iso dmg par2",
    "document": "pdf doc docx odt rtf xls xlsx ods csv ppt pptx odp epub html htm",
    "text": "txt md log nfo json xml yaml yml ini toml",
    "project of an editor": "prproj fcpxml edl aaf otio drp kdenlive mlt veg aep",
    "program": "exe dll so sh py js ts mts bat msi apk",
}
_KINDS = {f".{ending}": kind for kind, endings in _ENDINGS.items() for ending in endings.split()}


def kind_of(path: bytes) -> str:
    """One word or two for a file that is no video, by its ending."""
    ending = os.path.splitext(os.fsdecode(path))[1].lower()  # noqa: PTH122 - Path cannot hold bytes
    return _KINDS.get(ending) or (f"{ending} file" if ending else "file without an ending")


def counted(count: int, kind: str) -> str:
    """A count with its kind: ``1 picture``, ``3 files without an ending``."""
    first, space, rest = kind.partition(" of " if " of " in kind else " without ")
    return f"{count:,} {first}{'' if count == 1 else 's'}{space}{rest}"


def sounds_by_name(path: bytes) -> bool:
    """Whether a file is called like one of sound alone."""
    return os.path.splitext(path)[1].lower() in SOUND_SUFFIXES  # noqa: PTH122


def is_sound(video: VideoRow) -> bool:
    """Whether what the library holds is sound alone: it was read, and has no picture."""
    return bool(video.codec) and not video.width
