"""Where a model's files are: a folder, the hub's cache, or one download that was asked for.

A model that is complete in the cache is used without any network. Only JSON and
safetensors files are ever fetched.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index.errors import ModelError, NoSpaceError, UsageError
from index.files import is_no_space

from .weights import PICKLE_ENDINGS, SHARD_LIST, SINGLE_FILE, weight_files

CONFIG_FILE = "config.json"
TOKENIZER_FILE = "tokenizer.json"
PROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json")
DOWNLOADED = (
    CONFIG_FILE,
    *PROCESSOR_FILES,
    TOKENIZER_FILE,
    "tokenizer_config.json",
    "special_tokens_map.json",
    SINGLE_FILE,
    SHARD_LIST,
    "model-*-of-*.safetensors",
)
"""All that is ever fetched from a repository."""

ANSWER_WITHIN_S = 2.5
"""The hub has this long to answer at all; its client alone would retry for 23 s."""

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")

Note = Callable[[str], None]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ModelSource:
    """What ``--model`` names, before anything is looked up."""

    name: str
    """Hub id, or the word by which a folder is known."""
    revision: str
    """Branch, tag or commit of a hub id; empty for a folder."""
    folder: Path | None
    """The folder, None for a hub id."""


@dataclass(frozen=True)
class ModelFiles:
    """A complete model folder."""

    name: str
    revision: str
    """Resolved commit of a hub snapshot; empty for a plain folder."""
    folder: Path


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


def hub_source(spec: str) -> ModelSource:
    """Reads ``org/name`` or ``org/name@revision``; raises UsageError for anything else."""
    name, _, revision = spec.partition("@")
    if not _HUB_ID.fullmatch(name) or ".." in name:
        raise UsageError(
            f"{spec!r} is neither a preset, nor a folder, nor a hub id.",
            "Use so400m, base, demo, a folder, or an id such as google/siglip2-base-patch16-224.",
        )
    return ModelSource(name, revision or "main", None)


def find_files(
    source: ModelSource,
    *,
    offline: bool = False,
    note: Note | None = None,
    progress: Progress | None = None,
) -> ModelFiles:
    """The model's folder, downloaded only when it is not there yet.

    Args:
        source: What to look for.
        offline: Never touch the network.
        note: Receives one line before a download starts.
        progress: Receives bytes so far and bytes in all while a download runs.

    Raises:
        ModelError: The folder is incomplete, or the hub cannot be reached (within 5 s).
        NoSpaceError: The disk is too full for the download.
    """
    if source.folder is not None:
        if not source.folder.is_dir():
            raise ModelError(f"There is no model folder {source.folder}.", "Check --model.")
        check_complete(source.folder)
        return ModelFiles(source.name, "", source.folder)
    cached = cached_snapshot(source)
    if cached is not None:
        return cached
    if offline or _hub_is_off():
        raise _not_here(source, "and the network is switched off")
    _download(source, note, progress)
    cached = cached_snapshot(source)
    if cached is None:
        raise ModelError(
            f"{source.name} lacks files that GroundZero needs.",
            "It must hold config.json, preprocessor_config.json, tokenizer.json and safetensors.",
        )
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
    repo = _cache_folder() / ("models--" + source.name.replace("/", "--"))
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


def model_status(source: ModelSource) -> ModelStatus:
    """Present or not, where and how large; never touches the network."""
    try:
        files = find_files(source, offline=True)
        weights = check_complete(files.folder)
    except ModelError as error:
        return ModelStatus(source.name, False, source.folder, "", 0, error.message)
    size_bytes = sum(path.stat().st_size for path in weights)
    return ModelStatus(source.name, True, files.folder, files.revision, size_bytes, "")


def _cache_folder() -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def _hub_is_off() -> bool:
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def _download(source: ModelSource, note: Note | None, progress: Progress | None) -> None:
    info = _ask_hub(source)
    sizes = _wanted_sizes(source, info)
    total_bytes = sum(sizes.values())
    if note is not None:
        note(f"Downloading {source.name} ({total_bytes / 1e9:.1f} GB) to {_cache_folder()}")
    from huggingface_hub import snapshot_download

    try:
        with _reported(source, total_bytes, progress):
            # Fetched by branch or tag, so that the cache remembers which commit that was.
            snapshot_download(source.name, revision=source.revision, allow_patterns=[*sizes])
    except OSError as error:
        if is_no_space(error):
            raise NoSpaceError(
                f"No space for {source.name} ({total_bytes / 1e9:.1f} GB) in {_cache_folder()}.",
                "Free some space, or set HF_HOME to a larger disk.",
            ) from error
        raise _interrupted(source, error) from error
    except Exception as error:  # the HTTP client's own family, which is not part of any contract
        raise _interrupted(source, error) from error


def _wanted_sizes(source: ModelSource, info: Any) -> dict[str, int]:
    """Names and bytes of what will be fetched; refuses a repository without safetensors."""
    from fnmatch import fnmatch

    files = {file.rfilename: int(file.size or 0) for file in info.siblings or ()}
    wanted = {
        name: size
        for name, size in files.items()
        if any(fnmatch(name, pattern) for pattern in DOWNLOADED)
    }
    if SINGLE_FILE in wanted:
        wanted = {n: s for n, s in wanted.items() if n == SINGLE_FILE or "safetensors" not in n}
    if any(name.endswith(".safetensors") for name in wanted):
        return wanted
    pickles = [name for name in files if name.endswith(PICKLE_ENDINGS)]
    raise ModelError(
        f"{source.name} has no safetensors weights"
        + (f", only {pickles[0]}, a kind of file that can run code." if pickles else "."),
        "Use a model that has them, such as google/siglip2-base-patch16-224.",
    )


def _ask_hub(source: ModelSource) -> Any:
    """The repository's list of files, or an error within five seconds."""
    answer: list[Any] = []
    failure: list[BaseException] = []

    def ask() -> None:
        from huggingface_hub import HfApi

        try:
            answer.append(
                HfApi().model_info(
                    source.name,
                    revision=source.revision,
                    files_metadata=True,
                    timeout=ANSWER_WITHIN_S,
                )
            )
        except BaseException as error:  # handed over to the waiting thread
            failure.append(error)

    # A thread, because no timeout of the client covers a name server that never answers.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(ANSWER_WITHIN_S)
    if answer:
        return answer[0]
    raise _refusal(source, failure[0]) if failure else _not_here(source, "and the hub is silent")


def _refusal(source: ModelSource, error: BaseException) -> ModelError:
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return ModelError(
            f"{source.name} is only given to people who accepted its terms.",
            f"Accept them on its page on the hub, run 'hf auth login', and try again ({error}).",
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return ModelError(f"{source.name} has no revision {source.revision}.", "Check --model.")
    if isinstance(error, errors.RepositoryNotFoundError):
        return ModelError(
            f"The hub knows no model {source.name}.",
            "Check --model; for a private one run 'hf auth login' first.",
        )
    return _not_here(source, f"and the hub cannot be reached ({type(error).__name__})")


def _not_here(source: ModelSource, why: str) -> ModelError:
    version = "" if source.revision == "main" else f" --revision {source.revision}"
    return ModelError(
        f"{source.name} is not on this machine, {why}.",
        f"With a network run 'hf download {source.name}{version}', or put its files into a folder "
        "and give --model FOLDER; --model demo needs no download.",
    )


def _interrupted(source: ModelSource, error: BaseException) -> ModelError:
    return ModelError(
        f"The download of {source.name} broke off: {error}.",
        "Run the same command again; it goes on where it stopped.",
    )


@contextmanager
def _reported(source: ModelSource, total_bytes: int, progress: Progress | None) -> Iterator[None]:
    """Tells how far a download is, by what has reached the disk; otherwise stays silent."""
    from huggingface_hub.utils.tqdm import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    done = threading.Event()
    blobs = _cache_folder() / ("models--" + source.name.replace("/", "--")) / "blobs"

    def watch() -> None:
        while not done.wait(0.5):
            if progress is not None:
                progress(min(_bytes_in(blobs), total_bytes), total_bytes)

    were_disabled = are_progress_bars_disabled()
    disable_progress_bars()
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
        if progress is not None:
            progress(total_bytes, total_bytes)
    finally:
        done.set()
        watcher.join()
        if not were_disabled:
            enable_progress_bars()


def _bytes_in(folder: Path) -> int:
    try:
        with os.scandir(folder) as entries:
            return sum(entry.stat().st_size for entry in entries if entry.is_file())
    except OSError:
        return 0
