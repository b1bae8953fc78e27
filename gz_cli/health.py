"""What ``gz doctor`` looks at, one check after the other."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from index.errors import GzError, LibraryError, NoSpaceError, UsageError

from .index_view import size_text
from .opening import open_library
from .render import Screen

_LITTLE_SPACE_BYTES = 1_000_000_000
"""Room below which indexing an archive is likely to end with a full disk."""


@dataclass(frozen=True)
class Check:
    """One thing that a search needs."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    exit_code: int = 0


def examine(screen: Screen, library_dir: Path, device: str | None, *, repair: bool) -> list[Check]:
    """All checks, in the order in which troubles are best mended."""
    return [
        _python(),
        _faiss(),
        _decoder(),
        _device(device),
        *_library_and_model(screen, library_dir, device, repair=repair),
        _space(library_dir),
    ]


def _python() -> Check:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    ready = sys.version_info >= (3, 11)
    return Check("python", ready, found, "" if ready else "install Python 3.11 or newer", 2)


def _installed(*names: str) -> list[str]:
    found = []
    for name in names:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return found


def _faiss() -> Check:
    builds = _installed("faiss-cpu", "faiss-gpu")
    if len(builds) == 1:
        return Check("faiss", True, builds[0])
    if not builds:
        remedy = "pip install 'groundzero-video[cpu]', or [gpu] where an NVIDIA card is"
        return Check("faiss", False, "not installed", remedy, UsageError.exit_code)
    remedy = "pip uninstall -y faiss-cpu faiss-gpu, then install one of them again"
    both = " and ".join(builds) + " overwrite each other"
    return Check("faiss", False, both, remedy, UsageError.exit_code)


def _decoder() -> Check:
    try:
        import av
    except ImportError as error:
        remedy = "pip install --force-reinstall av"
        return Check("decoder", False, f"PyAV does not load: {error}", remedy, 2)
    return Check("decoder", True, f"PyAV {av.__version__}, FFmpeg {av.ffmpeg_version_info}")


def _device(device: str | None) -> Check:
    try:
        from model.devices import describe_device

        return Check("device", True, describe_device(device))
    except ImportError as error:
        remedy = "pip install --force-reinstall torch"
        return Check("device", False, f"torch does not load: {error}", remedy, 2)
    except GzError as error:
        return _failed("device", error)


def _library_and_model(
    screen: Screen, library_dir: Path, device: str | None, *, repair: bool
) -> Iterator[Check]:
    spec, adapter = None, None
    try:
        with open_library(library_dir) as library:
            spec = library.model_spec or None
            adapter = Path(library.adapter) if library.adapter else None
            detail = f"{library_dir}: {len(library.videos())} videos"
        yield from _library(library_dir, detail, repair=repair)
    except NothingIndexedError:
        yield Check("library", True, f"none yet in {library_dir}")
    except LibraryError as error:
        yield _failed("library", error)
    yield _model(screen, spec, adapter, device)


def _library(library_dir: Path, detail: str, *, repair: bool) -> Iterator[Check]:
    from index.check import check

    findings = check(library_dir, repair)
    yield Check("library", True, detail)


def _model(spec: str | None, adapter: Path | None, device: str | None) -> Check:
    """Present or not, found without any network."""


def _failed(name: str, error: GzError) -> Check:
    return Check(name, False, error.message, error.remedy, error.exit_code)


def _space(library_dir: Path) -> Check:
    folder = next(place for place in (library_dir, *library_dir.parents) if place.exists())
    free_bytes = shutil.disk_usage(folder).free
    enough = free_bytes >= _LITTLE_SPACE_BYTES
    remedy = "" if enough else "free some space, or put the library elsewhere with --library"
    detail = f"{size_text(free_bytes)} free for the library"
    return Check("space", enough, detail, remedy, 0 if enough else NoSpaceError.exit_code)
