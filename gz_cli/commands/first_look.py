"""A look at a model: all of it for ``gz doctor --try-model``, a short one before it indexes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from index.errors import ModelError, NothingIndexedError

from ..opening import default_spec, open_encoder, open_library
from ..views.first_look import form_words, show_look
from ..views.render import Screen, shell_quoted

if TYPE_CHECKING:
    from index.types import EmbeddingSpace
    from model.evaluation.drawings import Drawing
    from model.siglip.encoder import SiglipEncoder

_NOTEBOOK = "looks"
"""Where it is remembered which models were looked at on this machine."""


def try_model(screen: Screen, library_dir: Path, name: str | None, device: str | None) -> None:
    """Lets a model match drawings with sentences, and says what that showed.

    Args:
        screen: Shows it.
        library_dir: Its model is taken where none is named.
        name: Preset, folder or hub id; downloaded where it is not here.
        device: Where it computes.
    """
    from index.vectors.everyday import everyday_of
    from model.evaluation.first_look import look

    spec, adapter, known = _asked(library_dir, name)
    encoder = open_encoder(screen, spec, adapter, device, alone=True, known=known)
    if encoder.device == "cpu":
        screen.note(f"Looking at {spec}; on a processor a large model takes minutes.")
    with screen.progress() as progress:
        bank = everyday_of(encoder, screen.note, progress.update)
    seen = look(encoder, _drawings(spec), bank)
    show_look(screen, spec, encoder.space, seen)
    if seen.troubles:
        raise typer.Exit(ModelError.exit_code)


def look_once(screen: Screen, spec: str, encoder: SiglipEncoder, device: str | None) -> None:
    """Looks shortly at a model that this machine never ran, and says one line.

    A model that does badly is warned of, because it may know another world than drawings.

    Args:
        screen: Shows it.
        spec: What the model is called.
        encoder: The model; loaded only where it is new here.
        device: Where it was asked to compute.

    Raises:
        ModelError: Its vectors are no numbers, or it cannot be loaded.
    """
    from model.siglip.memory import recall, remember

    key = f"{encoder.space.id} {device or 'best'}"
    if recall(_NOTEBOOK, key) is not None:
        return
    from model.evaluation.first_look import FEW, look

    seen = look(encoder, _drawings(spec)[:FEW], thorough=False)
    command = f"gz doctor --try-model {shell_quoted(spec)}"
    if any(trouble.kind == "numbers" for trouble in seen.troubles):
        raise ModelError(
            f"{spec} gives pictures vectors that are no numbers",
            f"download it again, or see what is wrong: {command}",
        )
    remember(_NOTEBOOK, key, {"works": not seen.troubles, "agreement": seen.agreement})
    if seen.troubles:
        screen.warning(f"{spec} may not work here. {seen.troubles[0].words} See: {command}")
    else:
        screen.note(
            f"First look at {spec}: {seen.matches.sentences_found} of {FEW} queries find their "
            f"drawing; {form_words(seen)}."
        )


def _asked(library_dir: Path, name: str | None) -> tuple[str, Path | None, EmbeddingSpace | None]:
    """The model that was named, else the library's with its adapter, else the machine's."""
    if name:
        return name, None, None
    try:
        with open_library(library_dir) as library:
            adapter = Path(library.adapter) if library.adapter else None
            return library.model_spec or default_spec(), adapter, library.space
    except NothingIndexedError:
        return default_spec(), None, None


def _drawings(spec: str) -> list[Drawing]:
    from model.evaluation.drawings import Drawing, drawings

    if spec != "demo":
        return drawings()
    from model.demo.examples import examples

    return [Drawing(query, picture) for query, picture in examples()]
