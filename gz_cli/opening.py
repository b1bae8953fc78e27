"""Opens what a command works with: the library, the model, the localizer.

The one place where the command line chooses implementations. Heavy imports
happen inside the functions, so that ``gz --help`` pays for none of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from index.errors import ModelError, NothingIndexedError

from .calibration import Judge, judge_of, kept_calibration, kept_calibrations
from .views.render import Screen, shell_quoted, size_text

if TYPE_CHECKING:
    from index.passages import ScreenReader
    from index.store.library import Library
    from index.types import EmbeddingSpace, Encoder, Localizer
    from model.grounding.localizer import TrainedLocalizer
    from model.grounding.standing import Standing
    from model.grounding.training_free import TrainingFreeLocalizer
    from model.siglip.encoder import SiglipEncoder


UNTRAINED = "training-free"
"""What ``--grounder`` names where no trained model is wanted."""
CARRIED = "grounder"
"""Folder inside a model's folder with a grounding model trained on its vectors."""
_MOST_READING = 4
"""Threads that read the screen at most: the pictures are small, more wait for each other."""


def open_library(library_dir: Path) -> Library:
    """The library, for reading only.

    Raises:
        NothingIndexedError: There is none in this folder.
        LibraryError: It is damaged or was made by a newer version.
    """
    from index.store.library import Library

    return Library.open_readonly(library_dir)


def open_encoder(
    screen: Screen,
    spec: str | None,
    adapter: Path | None,
    device: str | None,
    *,
    alone: bool = False,
    known: EmbeddingSpace | None = None,
) -> SiglipEncoder:
    """The model by its preset, folder or hub id; weights load when it first encodes.

    Args:
        screen: Shows a download.
        spec: Which model; None chooses by the hardware.
        adapter: A LoRA folder.
        device: Where it computes; None chooses.
        alone: Nothing is decoded while it encodes, so that it may take every idle core.
        known: The space of the library that it is for, whose commit of a hub model is kept.

    Raises:
        ModelError: It is missing, damaged, or not a model of this kind.
    """
    calm_libraries(screen)
    from model.siglip.cores import idle_cores
    from model.siglip.encoder import load_encoder

    with screen.progress() as progress:
        progress.update(None, "opening the model")
        return load_encoder(
            spec,
            adapter,
            device,
            threads=idle_cores() if alone else None,
            known=known,
            note=screen.note,
            progress=lambda done, total: progress.update(
                done / max(1, total), f"downloading {size_text(done)} of {size_text(total)}"
            ),
        )


def default_spec() -> str:
    """The model for this machine when nobody named one."""
    from model.siglip.backbone import default_preset

    return default_preset()


def open_encoder_of(screen: Screen, library: Library, device: str | None) -> Encoder:
    """The model that made this library, checked to be still the same.

    Raises:
        NothingIndexedError: The library holds no video yet.
        ModelError: The model is missing, or has changed since.
    """
    if library.space is None:
        raise NothingIndexedError(
            f"The library in {library.folder} holds no video yet.", "Add some with: gz index FOLDER"
        )
    adapter = Path(library.adapter) if library.adapter else None
    encoder = open_encoder(
        screen, library.model_spec, adapter, device, alone=True, known=library.space
    )
    require_same_space(library, encoder)
    return encoder


def require_same_space(library: Library, encoder: Encoder) -> None:
    """Returns when the vectors of a model compare with those of a library.

    Raises:
        ModelError: They do not; the message names both and what mends it.
    """
    if library.space is not None and encoder.space != library.space:
        raise ModelError(
            f"The library was indexed with {space_name(library.space)}, "
            f"but {library.model_spec} is now {space_name(encoder.space)}.",
            f"{_way_back(library.space, encoder.space)}, or index anew with: "
            f"gz index --rebuild --library {shell_quoted(str(library.folder))}",
        )


def open_screen_reader() -> ScreenReader:
    """What reads the screen, with a share of the processor that leaves the rest its own.

    Raises:
        ModelError: The packages that read are not installed.
    """
    from model.screen.reader import RapidReader
    from model.siglip.cores import cores

    wanted = os.environ.get("OMP_NUM_THREADS", "")
    most = int(wanted) if wanted.isdecimal() and int(wanted) else _MOST_READING
    return RapidReader(threads=max(1, min(most, _MOST_READING, cores() - 1)))


def _way_back(space: EmbeddingSpace, now: EmbeddingSpace) -> str:
    commit = space.commit or space.revision
    if space.backbone != now.backbone or commit == now.commit or not now.commit:
        return "Put the earlier model back"
    return f"Fetch the earlier model: hf download {space.backbone} --revision {commit}"


def space_name(space: EmbeddingSpace) -> str:
    """An embedding space for people: the model, its revision, its adapter."""
    adapter = f" with adapter {space.adapter[:12]}" if space.adapter else ""
    return f"{space.backbone}@{space.revision[:12]}{adapter} (space {space.id})"


def open_localizer(
    library: Library | None = None,
    grounder: str | None = None,
    device: str | None = None,
    note: Callable[[str], None] = lambda _: None,
) -> Localizer:
    """What turns vectors and a query into spans.

    Args:
        library: May remember a trained model; without one nothing is remembered.
        grounder: A trained model's folder or hub id for this run, or ``training-free``; wins
            over what is remembered.
        device: Where a trained model computes.
        note: Told when the model's own grounder does not fit this library.

    Raises:
        ModelError: The folder is no grounding model, or one for other vectors.
    """
    return open_judging(library, grounder, device, note).localizer


@dataclass(frozen=True)
class Judging:
    """A localizer, and how its answers are calibrated."""

    localizer: TrainingFreeLocalizer | TrainedLocalizer
    shipped: Standing
    """What it came with; the library may have put a refit in its place."""
    judge: Callable[[], Judge]
    """Whom a refit would belong to."""


def open_judging(
    library: Library | None,
    grounder: str | None = None,
    device: str | None = None,
    note: Callable[[str], None] = lambda _: None,
) -> Judging:
    """The localizer as `open_localizer` opens it, with what it came with.

    Raises:
        ModelError: The folder is no grounding model, or one for other vectors.
    """
    from .grounding import remembered_grounder

    remembered = None if library is None else remembered_grounder(library.folder)
    chosen = grounder or (None if remembered is None else str(remembered))
    if library is None or library.space is None or chosen == UNTRAINED:
        return _training_free(library)
    if chosen is None:
        return _carried(library, library.space, device, note) or _training_free(library)
    from model.training.card import fetch

    return _trained(library, library.space, fetch(chosen), device)


def _trained(library: Library, space: EmbeddingSpace, folder: Path, device: str | None) -> Judging:
    from model.grounding.localizer import TrainedLocalizer

    localizer = TrainedLocalizer.open(folder, space, device or "cpu")
    return _calibrated(library, localizer, lambda: judge_of(localizer.name, folder, space.id))


def _carried(
    library: Library, space: EmbeddingSpace, device: str | None, note: Callable[[str], None]
) -> Judging | None:
    """The grounding model that the library's model brings along, where it fits."""
    from model.siglip.encoder import model_status

    folder = model_status(library.model_spec, space).folder if library.model_spec else None
    if folder is None or not (folder / CARRIED / "model.safetensors").is_file():
        return None
    from model.grounding.beside import calibration_beside

    # A damaged calibration is an error; only a grounder that does not fit is passed over.
    calibration_beside(folder / CARRIED)
    kept_calibrations(library.folder)
    try:
        return _trained(library, space, folder / CARRIED, device)
    except ModelError as error:
        note(
            "The grounding that the model brings along is not used, because "
            f"{error.message[:1].lower()}{error.message[1:].rstrip('.')}."
        )
        return None


def open_training_free(library: Library | None) -> Localizer:
    """The untrained localizer, with the calibration of the library or of its model, if any."""
    return _training_free(library).localizer


def _training_free(library: Library | None) -> Judging:
    from model.grounding.training_free import TrainingFreeLocalizer
    from model.siglip.encoder import model_status

    folder = None
    if library is not None and library.model_spec:
        folder = model_status(library.model_spec, library.space).folder
    localizer = TrainingFreeLocalizer() if folder is None else TrainingFreeLocalizer.beside(folder)
    space_id = library.space.id if library is not None and library.space is not None else ""
    return _calibrated(library, localizer, lambda: judge_of(localizer.name, None, space_id))


def _calibrated(
    library: Library | None,
    localizer: TrainingFreeLocalizer | TrainedLocalizer,
    judge: Callable[[], Judge],
) -> Judging:
    """The localizer as the library judges by it: a refit of its own wins over what it came with."""
    shipped = localizer.standing
    kept = None if library is None else kept_calibration(library.folder, judge)
    if kept is not None:
        localizer.standing = kept.standing
    return Judging(localizer, shipped, judge)


def calm_libraries(screen: Screen) -> None:
    """Keeps progress bars and advice of other libraries off a stream nobody watches."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    if screen.quiet or not screen.error_look.animated:
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
