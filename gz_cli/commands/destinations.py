"""Where results go, checked before anything slow begins."""

from __future__ import annotations

import tempfile
from pathlib import Path

from index.errors import UsageError
from index.files import shown

OWN_ENTRIES = frozenset(
    {"training", "features", "split", "adapter", "model.safetensors", "config.json", "README.md"}
)
"""What ``gz train`` leaves in its folder."""


def require_folder(folder: Path, option: str) -> None:
    """Returns when a folder can be written, or made and written.

    Raises:
        UsageError: It is a file, or its place cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{option} {shown(folder)} is a file", "name a folder")
    _require_room(folder, option)


def require_file(path: Path, option: str) -> None:
    """Returns when a file can be written.

    Raises:
        UsageError: It is a folder, or its folder is missing or cannot be written.
    """
    if path.is_dir():
        raise UsageError(f"{option} {shown(path)} is a folder", "name a file")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"{option}: there is no folder {shown(path.parent)}", "make it first")
    _require_room(path.absolute().parent, option)


def require_model_folder(out: Path, *, resume: bool) -> None:
    """Returns when a training may write to a folder: a fresh one, or its own of earlier.

    Raises:
        UsageError: It holds something else, a finished model, or a training that is not
            to go on; or it cannot be written.
    """
    require_folder(out, "--out")
    entries = {path.name for path in out.iterdir()} if out.is_dir() else set()
    strange = sorted(name for name in entries - OWN_ENTRIES if not name.startswith("."))
    begun = (out / "training" / "state.safetensors").is_file()
    if strange:
        some = ", ".join(shown(name) for name in strange[:3]) + (", ..." if strange[3:] else "")
        raise UsageError(
            f"--out {shown(out)} holds other things already: {some}",
            "name a fresh folder, or the folder of a training to go on with",
        )
    if begun and not resume:
        raise UsageError(
            f"{shown(out)} holds a training already",
            "leave --no-resume out, or name a fresh folder with --out",
        )
    if "model.safetensors" in entries and not begun:
        raise UsageError(
            f"{shown(out)} holds a model already, but no training to go on with",
            "name a fresh folder with --out",
        )


def _require_room(folder: Path, option: str) -> None:
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise UsageError(
            f"{option} {shown(folder)} cannot be written: {error.strerror}",
            "choose a place of yours",
        ) from error
