"""Pictures of hits as JPEG files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from index.errors import MediaError

from .render import Screen
from .timecode import clock

if TYPE_CHECKING:
    from index.types import Hit


def write_thumbs(screen: Screen, hits: Sequence[Hit], folder: Path) -> None:
    """Writes the picture in the middle of each hit; a file that is there stays as it is."""
    from index.clips.files import safe_stem
    from index.indexing.kinds import sounds_by_name
    from index.sampling.stills import jpeg, picture_at

    folder = folder.expanduser().absolute()
    folder.mkdir(parents=True, exist_ok=True)
    for hit in hits:
        if sounds_by_name(hit.path):
            continue
        try:
            picture = picture_at(hit.path, (hit.span.start_s + hit.span.end_s) / 2)
        except MediaError as error:
            screen.warning(f"no picture of hit {hit.rank}: {error.message}")
            continue
        stem = safe_stem(Path(os.fsdecode(hit.path)).stem)
        name = f"{hit.rank:02d}_{stem}_{clock(hit.span.start_s).replace(':', '-')}"
        written = _write_new(folder, name, jpeg(picture))
        screen.note(f"Picture of hit {hit.rank}: {written}")


def _write_new(folder: Path, name: str, data: bytes) -> Path:
    """Writes under the first free name; finds the same picture again instead of doubling it."""
    number = 1
    while True:
        file = folder / (f"{name}.jpg" if number == 1 else f"{name}-{number}.jpg")
        try:
            with file.open("xb") as out:
                out.write(data)
            return file
        except FileExistsError:
            if file.is_file() and file.read_bytes() == data:
                return file
        number += 1
