"""What ``--model`` can name, what a model's folder consists of, and where the hub's cache lies."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from index.errors import ModelError, UsageError

CONFIG_FILE = "config.json"
TOKENIZER_FILE = "tokenizer.json"
PROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")

Note = Callable[[str], None]
Progress = Callable[[int, int], None]
Check = Callable[["ModelFiles"], object]


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


def hub_source(spec: str) -> ModelSource:
    """Reads ``org/name`` or ``org/name@revision``; raises UsageError for anything else."""
    name, _, revision = spec.partition("@")
    if not _HUB_ID.fullmatch(name) or ".." in name:
        raise UsageError(
            f"{spec!r} is neither a preset, nor a folder, nor a hub id.",
            "Use so400m, large, base16, base, demo, a folder, or an id such as "
            "google/siglip2-base-patch16-224.",
        )
    return ModelSource(name, revision or "main", None)


def cached_repository(source: ModelSource) -> Path:
    """Folder of one repository in that cache."""
    return cache_folder() / ("models--" + source.name.replace("/", "--"))


def cache_folder() -> Path:
    """Where the hub's client keeps what it fetched."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def not_here(source: ModelSource, why: str) -> ModelError:
    """The error for a model that is neither here nor can be fetched."""
    version = "" if source.revision == "main" else f" --revision {source.revision}"
    return ModelError(
        f"{source.name} is not on this machine, {why}.",
        f"With a network run 'hf download {source.name}{version}', or put its files into a folder "
        "and give --model FOLDER; --model demo needs no download.",
    )
