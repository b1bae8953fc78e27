"""The model that makes features of videos for ``gz train``: the library's own by default."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from index.errors import ModelError, NothingIndexedError
from index.files import shown

from ..opening import default_spec, open_encoder, open_library, require_same_space, space_name
from ..views.render import Screen, shell_quoted

if TYPE_CHECKING:
    from index.store.library import Library
    from index.types import Encoder


@dataclass(frozen=True)
class VideoModel:
    """A model, opened; its weights load when it first encodes."""

    spec: str
    adapter: Path | None
    encoder: Encoder


def open_video_model(
    screen: Screen,
    library_dir: Path,
    model: str | None,
    adapter: Path | None,
    device: str | None,
    *,
    use: bool,
    lora: bool,
) -> VideoModel:
    """The model that was asked for, else the library's, else the one for this machine.

    Args:
        screen: Shows a download, and which model is taken where nobody named one.
        library_dir: Folder of the library; there need be none.
        model: ``--model``.
        adapter: ``--adapter``.
        device: Where it computes.
        use: The library is to use what is trained, so its vectors must be of this model.
        lora: An adapter is to be trained, so the library's own is left out.

    Raises:
        NothingIndexedError: The library is to use the result, but holds no video.
        ModelError: It is missing, or makes other vectors than the library is to use.
    """
    with ExitStack() as opened:
        library = None
        if use or model is None:
            library = _library(library_dir, opened, required=use)
        spec, named = _spec(screen, library, model), model is not None or adapter is not None
        if library is not None and not (named or lora) and library.adapter:
            adapter = Path(library.adapter)
        encoder = open_encoder(screen, spec, adapter, device)
        if use and library is not None:
            _check(library, spec, encoder, named=named)
    return VideoModel(spec, adapter, encoder)


def _spec(screen: Screen, library: Library | None, model: str | None) -> str:
    from model.siglip.backbone import lasting_spec

    if model is not None:
        return lasting_spec(model)
    if library is None or not library.model_spec:
        return default_spec()
    screen.note(f"Training on vectors of {library.model_spec}, the library's model.")
    return library.model_spec


def _library(folder: Path, opened: ExitStack, *, required: bool) -> Library | None:
    """The library, where there is one with videos in it."""
    try:
        library = opened.enter_context(open_library(folder))
    except NothingIndexedError:
        library = None
    if library is not None and library.space is not None:
        return library
    if not required:
        return None
    raise NothingIndexedError(
        f"--use needs a library, and nothing is indexed yet in {shown(folder)}",
        "index first: gz index FOLDER; or leave --use out",
    )


def _check(library: Library, spec: str, encoder: Encoder, *, named: bool) -> None:
    if not named:
        require_same_space(library, encoder)
    elif library.space is not None and encoder.space != library.space:
        folder = shell_quoted(str(library.folder))
        raise ModelError(
            f"--use needs the library's own model: the library in {shown(library.folder)} holds "
            f"vectors of {space_name(library.space)}, and {spec} makes vectors of "
            f"{space_name(encoder.space)}",
            "leave --model and --adapter out to train on the library's model, or index anew "
            f"first: gz index --rebuild --model {shell_quoted(spec)} --library {folder}",
        )
