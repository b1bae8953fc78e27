"""What names a model, what its folder consists of, and where the hub's cache lies."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from index.errors import ModelError, UsageError

CONFIG_FILE = "config.json"
TOKENIZER_FILE = "tokenizer.json"
GENERATION_FILE = "generation_config.json"
"""How a model that writes text goes about it."""
PROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")

Note = Callable[[str], None]
Progress = Callable[[int, int], None]
Check = Callable[["ModelFiles"], object]


@dataclass(frozen=True)
class ModelSource:
    """What an option names, before anything is looked up."""

    name: str
    """Hub id, or the word by which a folder is known."""
    revision: str
    """Branch, tag or commit of a hub id; empty for a folder."""
    folder: Path | None
    """The folder, None for a hub id."""
    option: str = "--model"
    """Option of the command line that named it."""
    example: str = "google/siglip2-base-patch16-224"
    """A model of use in its place."""
    presets: str = "so400m, large, base16, base, demo"
    """Words that the option takes."""
    without: str = "--model demo needs no download"
    """What people without a network can do."""


@dataclass(frozen=True)
class ModelFiles:
    """A complete model folder."""

    name: str
    revision: str
    """Resolved commit of a hub snapshot; empty for a plain folder."""
    folder: Path


IMAGE_MODEL = ModelSource("", "", None)
"""What ``--model`` takes."""


def hub_source(spec: str, like: ModelSource = IMAGE_MODEL) -> ModelSource:
    """Reads ``org/name`` or ``org/name@revision``; raises UsageError for anything else.

    Args:
        spec: What a person wrote.
        like: Says which option it was given to, and what else that takes.
    """
    name, _, revision = spec.partition("@")
    if not _HUB_ID.fullmatch(name) or ".." in name:
        raise UsageError(
            f"{spec!r} is neither a preset, nor a folder, nor a hub id.",
            f"Use {like.presets}, a folder, or an id such as {like.example}.",
        )
    return replace(like, name=name, revision=revision or "main", folder=None)


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
        f"and give {source.option} FOLDER; {source.without}.",
    )
