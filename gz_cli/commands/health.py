"""What ``gz doctor`` looks at, one check after the other."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from index.errors import (
    GzError,
    LibraryError,
    ModelError,
    NoSpaceError,
    NothingIndexedError,
    UsageError,
)
from index.indexing.kinds import is_sound

from ..opening import default_spec, open_library, open_localizer, require_same_space
from ..views.render import size_text
from .checks import Check, failed
from .health_words import screen_check, speech_check, texts_told

if TYPE_CHECKING:
    from index.store.library import Library
    from model.siglip.encoder import SiglipEncoder

_LITTLE_SPACE_BYTES = 1_000_000_000
"""Room below which indexing an archive is likely to end with a full disk."""


def examine(library_dir: Path, device: str | None, *, repair: bool) -> list[Check]:
    """All checks, in the order in which troubles are best mended."""
    chosen = _device(device)
    return [
        _python(),
        _faiss(),
        _sqlite(),
        _decoder(),
        chosen,
        *_library_and_model(library_dir, device if chosen.ok else "cpu", repair=repair),
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


def _sqlite() -> Check:
    from index.store.faults import NO_WORDS, sqlite_with_words

    found, ready = sqlite_with_words()
    remedy = "" if ready else NO_WORDS
    return Check("sqlite", ready, found, remedy, UsageError.exit_code)


def _decoder() -> Check:
    try:
        import av
    except ImportError as error:
        remedy = "pip install --force-reinstall av"
        return Check("decoder", False, f"PyAV does not load: {error}", remedy, 2)
    return Check("decoder", True, f"PyAV {av.__version__}, FFmpeg {av.ffmpeg_version_info}")


def _device(device: str | None) -> Check:
    try:
        import torch

        from model.hardware.devices import best_device, check_device

        check_device(device)
        chosen = device or best_device()
    except ImportError as error:
        remedy = "pip install --force-reinstall torch"
        return Check("device", False, f"torch does not load: {error}", remedy, 2)
    except GzError as error:
        return failed("device", error)
    name = torch.cuda.get_device_name(chosen) if chosen.startswith("cuda") else ""
    detail = f"{chosen} {name}".strip()
    return Check("device", True, f"{detail}, torch {torch.__version__}, {os.cpu_count()} CPU cores")


def _library_and_model(library_dir: Path, device: str | None, *, repair: bool) -> Iterator[Check]:
    models: list[Check] = []
    found: list[Check] = []
    try:
        # Examined, and repaired, before anything is believed that it says.
        found = list(_findings(library_dir, repair))
        with open_library(library_dir) as library:
            holds = _holds(library)
            models = [
                _model(library, device),
                *_grounding(library),
                speech_check(library_dir),
                screen_check(wanted=library.reads_screen),
            ]
        if all(check.ok for check in found):
            found.append(Check("library", True, f"{library_dir}: {holds}, undamaged"))
    except NothingIndexedError:
        found.append(
            Check("library", True, f"none yet in {library_dir}; make one: gz index FOLDER")
        )
        models = [_model(None, device), speech_check(library_dir), screen_check(wanted=False)]
    except LibraryError as error:
        if all(check.ok for check in found):
            found.append(failed("library", error))
    yield from found
    yield from models


def _holds(library: Library) -> str:
    """What can be searched, and what cannot."""
    searchable = library.videos(searchable=True)
    sounds = sum(map(is_sound, searchable))
    videos = len(searchable) - sounds
    parts = [f"{videos:,} {'video' if videos == 1 else 'videos'}"]
    parts += [f"{sounds:,} sound {'file' if sounds == 1 else 'files'}"] * bool(sounds)
    parts.append(f"{sum(row.frames for row in searchable):,} frames")
    parts += [told] if (told := texts_told(library)) else []
    return ", ".join(parts) + _unusable(library)


def _unusable(library: Library) -> str:
    """How many files cannot be searched, in the words of ``gz ls``."""
    states = ("failed", "waiting", "set aside")
    counts = {state: len(library.videos(status=state)) for state in states}
    told = "".join(f", {count:,} {state}" for state, count in counts.items() if count)
    return f"{told} (gz ls says why)" if told else ""


def _grounding(library: Library) -> Iterator[Check]:
    """The trained grounding that the library uses, where one was chosen."""
    try:
        localizer = open_localizer(library)
    except GzError as error:
        yield failed("grounding", error)
        return
    yield Check("grounding", True, localizer.name)


def _findings(library_dir: Path, repair: bool) -> Iterator[Check]:
    from index.indexing.check import check

    for finding in check(library_dir, repair):
        sound = finding.repaired or finding.harmless
        what = f"{finding.what} (repaired)" if finding.repaired else finding.what
        yield Check("library", sound, what, finding.remedy, LibraryError.exit_code)


def _model(library: Library | None, device: str | None) -> Check:
    """The library's model, or the one that it would get; found without any network."""
    spec = (library.model_spec if library else "") or default_spec()
    adapter = Path(library.adapter) if library and library.adapter else None
    from model.siglip.encoder import load_encoder, model_status

    try:
        known = library.space if library else None
        status = model_status(spec, known)
        if not status.present:
            remedy = f"with a network: hf download {status.name}; or try --model demo"
            # A hub model lacks nothing but the download; a folder says what is wrong with it.
            why = status.problem if status.folder else f"{status.name} is not on this machine"
            return Check("model", False, f"{spec}: {why}", remedy, ModelError.exit_code)
        encoder = load_encoder(spec, adapter, device, offline=True, known=known)
        if library is not None:
            require_same_space(library, encoder)
    except GzError as error:
        return failed("model", error)
    what = f"{spec} ({status.name}), {size_text(status.size_bytes)}"
    what += f", space {encoder.space.id} of {encoder.space.dim} channels"
    return Check("model", True, f"{what}, {_form(encoder)}")


def _form(encoder: SiglipEncoder) -> str:
    """What computes its vectors here, and how near that is to plain float32."""
    form = encoder.form
    if form is None:
        return "never run here so far"
    return f"runs as {form.name}, agreement {form.agreement:.5f}"


def _space(library_dir: Path) -> Check:
    folder = next(place for place in (library_dir, *library_dir.parents) if place.exists())
    free_bytes = shutil.disk_usage(folder).free
    enough = free_bytes >= _LITTLE_SPACE_BYTES
    remedy = "" if enough else "free some space, or put the library elsewhere with --library"
    detail = f"{size_text(free_bytes)} free where the library is"
    return Check("space", enough, detail, remedy, 0 if enough else NoSpaceError.exit_code)
