"""Opens what a command works with: the library, the model, the localizer.

The one place where the command line chooses implementations. Heavy imports
happen inside the functions, so that ``gz --help`` pays for none of them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from index.errors import ModelError, NothingIndexedError

from .render import Screen, shell_quoted

if TYPE_CHECKING:
    from index.store import Library

    from index.types import EmbeddingSpace, Encoder, Localizer


def open_library(library_dir: Path) -> Library:
    """The library, for reading only.

    Raises:
        NothingIndexedError: There is none in this folder.
        LibraryError: It is damaged or was made by a newer version.
    """
    from index.store import LIBRARY_FILE, Library

    if not (library_dir / LIBRARY_FILE).exists():
        raise NothingIndexedError(
            f"there is no library in {library_dir}",
            "make one: gz index FOLDER; or name another: --library DIR",
        )
    return Library.open_readonly(library_dir)


def open_encoder(
    screen: Screen, spec: str | None, adapter: Path | None, device: str | None
) -> Encoder:
    """The model by its preset, folder or hub id; weights load when it first encodes.

    Raises:
        ModelError: It is missing, damaged, or not a model of this kind.
    """
    _calm_libraries(screen)
    from model.encoder import load_encoder

    return load_encoder(spec, adapter, device)


def open_encoder_of(
    screen: Screen, library: Library, library_dir: Path, device: str | None
) -> Encoder:
    """The model that made this library, checked to be still the same.

    Raises:
        NothingIndexedError: The library holds no video yet.
        ModelError: The model is missing, or has changed since.
    """
    space = library.space
    if space is None:
        raise NothingIndexedError(
            f"the library in {library_dir} holds no video yet", "add some: gz index FOLDER"
        )
    adapter = Path(library.adapter) if library.adapter else None
    encoder = open_encoder(screen, library.model_spec, adapter, device)
    require_same_space(space, encoder.space, library_dir, library.model_spec, adapter)
    return encoder


def require_same_space(
    ours: EmbeddingSpace,
    theirs: EmbeddingSpace,
    library_dir: Path,
    spec: str | None,
    adapter: Path | None,
) -> None:
    """Returns when the vectors of a model compare with those of the library.

    Raises:
        ModelError: They do not; the message names both and the command that mends it.
    """
    if ours == theirs:
        return
    words = ["gz", "index", "--rebuild", "--library", shell_quoted(str(library_dir))]
    words += ["--model", shell_quoted(spec)] if spec else []
    words += ["--adapter", shell_quoted(str(adapter))] if adapter else []
    raise ModelError(
        f"the library was indexed with {_named(ours)}, but the model here is {_named(theirs)}",
        "leave --model and --adapter out to go on with the library's own model, "
        f"or index anew:\n{' '.join(words)} PATH...",
    )


def _named(space: EmbeddingSpace) -> str:
    adapter = f" with adapter {space.adapter[:12]}" if space.adapter else ""
    return f"{space.backbone}@{space.revision[:12]}{adapter} (space {space.id})"


def open_localizer() -> Localizer:
    """What turns vectors and a sentence into spans."""
    from model.training_free import TrainingFreeLocalizer

    return TrainingFreeLocalizer()


def _calm_libraries(screen: Screen) -> None:
    """Keeps progress bars and advice of other libraries off a stream nobody watches."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    if screen.quiet or not screen.error_look.animated:
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
