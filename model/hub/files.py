"""Where a model's files are: a folder, the hub's cache, or one download that was asked for.

A model that is complete in the cache is used without any network.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from index.errors import ModelError

from .sources import (
    CONFIG_FILE,
    PROCESSOR_FILES,
    TOKENIZER_FILE,
    Check,
    ModelFiles,
    ModelSource,
    Note,
    Progress,
    cached_repository,
    not_here,
)
from .weights import weight_files


@dataclass(frozen=True)
class ModelStatus:
    """What ``gz doctor`` says about a model, found without any network."""

    name: str
    present: bool
    folder: Path | None
    revision: str
    size_bytes: int
    problem: str
    """Why it cannot be used; empty when it can."""


def find_files(
    source: ModelSource,
    *,
    commit: str = "",
    offline: bool = False,
    note: Note | None = None,
    progress: Progress | None = None,
    check: Check | None = None,
) -> ModelFiles:
    """The model's folder, downloaded only when it is not there yet.

    Args:
        source: What to look for.
        commit: Taken of a hub id rather than its newest, where it is here or nothing is.
        offline: Never touch the network.
        note: Receives a line while the hub keeps silent, and one before a download starts.
        progress: Receives bytes so far and bytes in all while a download runs.
        check: Called with a folder that holds everything but the weights, before these are
            fetched; raises ModelError to be spared them.

    Raises:
        ModelError: The folder is incomplete, not a model of use, or the hub does not answer
            (it has 10 s).
        NoSpaceError: The disk is too full for the download.
    """
    if source.folder is not None:
        if not source.folder.is_dir():
            raise ModelError(
                f"There is no model folder {source.folder}.", f"Check {source.option}."
            )
        check_complete(source.folder)
        return ModelFiles(source.name, "", source.folder)
    wanted = replace(source, revision=commit) if commit else source
    cached = cached_snapshot(wanted) or cached_snapshot(source)
    if cached is not None:
        return cached
    if offline or _hub_is_off():
        raise not_here(wanted, "and the network is switched off")
    from .download import download

    download(wanted, note, progress, check)
    cached = cached_snapshot(wanted)
    if cached is None:
        raise not_here(wanted, "although a download ended well")
    return cached


def check_complete(folder: Path) -> tuple[Path, ...]:
    """Weight files of a usable model folder; raises ModelError that names what is missing."""
    weights = weight_files(folder)
    missing = [name for name in (CONFIG_FILE, TOKENIZER_FILE) if not (folder / name).is_file()]
    if not any((folder / name).is_file() for name in PROCESSOR_FILES):
        missing.append(PROCESSOR_FILES[0])
    if missing:
        raise ModelError(
            f"{folder} lacks {', '.join(missing)}.",
            "Copy the whole repository of the model into this folder.",
        )
    return weights


def cached_snapshot(source: ModelSource) -> ModelFiles | None:
    """A complete snapshot in the hub's cache, found without network; None when not there."""
    repo = cached_repository(source)
    try:
        commit = (repo / "refs" / source.revision).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        commit = source.revision
    folder = repo / "snapshots" / commit
    if not re.fullmatch(r"[\w.-]+", commit) or not folder.is_dir():
        return None
    try:
        check_complete(folder)
    except ModelError:
        return None
    return ModelFiles(source.name, commit, folder)


def model_status(source: ModelSource, commit: str = "") -> ModelStatus:
    """Present or not, where and how large; never touches the network."""
    try:
        files = find_files(source, commit=commit, offline=True)
        weights = check_complete(files.folder)
    except ModelError as error:
        return ModelStatus(source.name, False, source.folder, "", 0, error.message)
    size_bytes = sum(path.stat().st_size for path in weights)
    return ModelStatus(source.name, True, files.folder, files.revision, size_bytes, "")


def _hub_is_off() -> bool:
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)
