"""One download from the hub, which somebody asked for.

Only JSON and safetensors files are ever fetched: first the small ones, which say whether the
model is of use at all, then the gigabytes.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from index.errors import ModelError, NoSpaceError
from index.files import is_no_space

from .sources import (
    CONFIG_FILE,
    GENERATION_FILE,
    PROCESSOR_FILES,
    TOKENIZER_FILE,
    Check,
    ModelFiles,
    ModelSource,
    Note,
    Progress,
    cache_folder,
    cached_repository,
    not_here,
)
from .weights import PICKLE_ENDINGS, SHARD_LIST, SINGLE_FILE

DOWNLOADED = (
    CONFIG_FILE,
    *PROCESSOR_FILES,
    TOKENIZER_FILE,
    GENERATION_FILE,
    "tokenizer_config.json",
    "special_tokens_map.json",
    SINGLE_FILE,
    SHARD_LIST,
    "model-*-of-*.safetensors",
)
"""All that is ever fetched from a repository."""

ANSWER_WITHIN_S = 10.0
"""The hub has this long to answer at all; its client alone would retry for longer."""
SILENT_AFTER_S = 1.5
"""Whoever waits longer than this is told for what."""


def download(
    source: ModelSource, note: Note | None, progress: Progress | None, check: Check | None
) -> None:
    """Brings a model into the hub's cache.

    Args:
        source: A hub id.
        note: Receives a line while the hub keeps silent, and one before the weights.
        progress: Receives bytes so far and in all.
        check: Called with the folder before the weights are fetched.

    Raises:
        ModelError: The hub does not answer, or the model is not of use.
        NoSpaceError: The disk is too full.
    """
    sizes = _wanted_sizes(source, _ask_hub(source, note))
    small = {name: size for name, size in sizes.items() if not name.endswith(".safetensors")}
    files = _fetch(source, small, None)
    if check is not None:
        check(files)
    if note is not None:
        total_bytes = sum(sizes.values())
        note(f"Downloading {source.name} ({total_bytes / 1e9:.1f} GB) to {cache_folder()}")
    _fetch(source, sizes, progress)


def _fetch(source: ModelSource, sizes: dict[str, int], progress: Progress | None) -> ModelFiles:
    from huggingface_hub import snapshot_download

    total_bytes = sum(sizes.values())
    try:
        with _reported(source, total_bytes, progress):
            # Fetched by branch or tag, so that the cache remembers which commit that was.
            folder = Path(
                snapshot_download(source.name, revision=source.revision, allow_patterns=[*sizes])
            )
    except OSError as error:
        if is_no_space(error):
            raise NoSpaceError(
                f"No space for {source.name} ({total_bytes / 1e9:.1f} GB) in {cache_folder()}.",
                "Free some space, or set HF_HOME to a larger disk.",
            ) from error
        raise _interrupted(source, error) from error
    except Exception as error:  # the HTTP client's own family, which is not part of any contract
        raise _interrupted(source, error) from error
    return ModelFiles(source.name, folder.name, folder)


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
        _require_small_files(source, wanted)
        return wanted
    pickles = [name for name in files if name.endswith(PICKLE_ENDINGS)]
    raise ModelError(
        f"{source.name} has no safetensors weights"
        + (f", only {pickles[0]}, a kind of file that can run code." if pickles else "."),
        f"Use a model that has them, such as {source.example}.",
    )


def _require_small_files(source: ModelSource, wanted: dict[str, int]) -> None:
    missing = [name for name in (CONFIG_FILE, TOKENIZER_FILE) if name not in wanted]
    if not any(name in wanted for name in PROCESSOR_FILES):
        missing.append(PROCESSOR_FILES[0])
    if missing:
        raise ModelError(
            f"{source.name} lacks {', '.join(missing)}; its weights were not fetched.",
            f"Use a model that has them, such as {source.example}.",
        )


def _ask_hub(source: ModelSource, note: Note | None) -> Any:
    """The repository's list of files; raises ModelError where the hub keeps silent."""
    from huggingface_hub import HfApi

    answer: list[Any] = []
    failure: list[BaseException] = []

    def ask() -> None:
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
    first_s = min(SILENT_AFTER_S, ANSWER_WITHIN_S)
    asking.join(first_s)
    if asking.is_alive() and note is not None:
        note(f"Waiting up to {ANSWER_WITHIN_S:.0f} s for the hub to answer about {source.name}")
    asking.join(ANSWER_WITHIN_S - first_s)
    if answer:
        return answer[0]
    if failure:
        raise _refusal(source, failure[0])
    raise not_here(source, "and the hub does not answer")


def _refusal(source: ModelSource, error: BaseException) -> ModelError:
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return ModelError(
            f"{source.name} is only given to people who accepted its terms.",
            f"Accept them on its page on the hub, run 'hf auth login', and try again ({error}).",
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return ModelError(
            f"{source.name} has no revision {source.revision}.",
            f"Check {source.option}; where a library recorded it, index anew: gz index --rebuild.",
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return ModelError(
            f"The hub knows no model {source.name}.",
            f"Check {source.option}; for a private one run 'hf auth login' first.",
        )
    return not_here(source, f"and the hub cannot be reached ({type(error).__name__})")


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
    blobs = cached_repository(source) / "blobs"

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
