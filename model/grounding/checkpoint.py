"""Model folders: weights as safetensors, everything else as JSON; wholly there or not at all."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from index.errors import ModelError
from index.files import atomic_path, atomic_write
from index.types import EmbeddingSpace

from .calibration import Temperature, calibrator_from_json
from .grounder import Grounder, GrounderConfig
from .standing import Standing, standing_from_json

FORMAT = 1
KIND = "groundzero-grounder"
WEIGHTS = "model.safetensors"
CONFIG = "config.json"


@dataclass(frozen=True)
class Checkpoint:
    """A trained grounding model and what is needed to use it rightly."""

    grounder: Grounder
    calibrator: Temperature = field(default_factory=Temperature)
    """Turns presence logits into probabilities."""
    space: EmbeddingSpace | None = None
    """Where its features come from; None when they came from elsewhere."""
    grid_s: float = 0.0
    """Annotated windows lie on multiples of this; 0 without such a grid."""
    training: dict[str, Any] = field(default_factory=dict)
    """How it was trained and what it scored, for people."""
    name: str = ""
    standing: Standing = field(default_factory=Standing)
    """Turns what a whole library says, and those logits, into probabilities."""


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Writes a model folder; readers see the old one or the new one.

    Raises:
        NoSpaceError: The disk is full; the folder is as it was.
    """
    folder.mkdir(parents=True, exist_ok=True)
    values = {
        "format": FORMAT,
        "kind": KIND,
        "name": checkpoint.name or folder.resolve().name,
        "grounder": checkpoint.grounder.config.to_json(),
        "presence": checkpoint.calibrator.to_json(),
        "standing": checkpoint.standing.to_json(),
        "space": None if checkpoint.space is None else asdict(checkpoint.space),
        "grid_s": checkpoint.grid_s,
        "training": checkpoint.training,
    }
    text = json.dumps(values, indent=2) + "\n"
    # The weights carry the configuration too, so the two can never be a mixed pair.
    write_tensors(folder / WEIGHTS, checkpoint.grounder.state_dict(), {CONFIG: text})
    atomic_write(folder / CONFIG, text.encode())


def load_checkpoint(folder: Path) -> Checkpoint:
    """Reads a model folder.

    Raises:
        ModelError: It is missing, damaged, of another kind or from a newer version.
    """
    path = folder / WEIGHTS
    if not path.is_file():
        raise ModelError(f"no grounding model in {folder}", "train one: gz train --out FOLDER")
    tensors, notes = read_tensors(path)
    try:
        values = json.loads(notes[CONFIG])
        known = values["kind"] == KIND and values["format"] <= FORMAT
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path} is not a grounding model", "check the folder") from error
    if not known:
        raise ModelError(
            f"{path} is {values['kind']} format {values['format']}", "update GroundZero"
        )
    grounder = Grounder(GrounderConfig.from_json(values["grounder"]))
    try:
        grounder.load_state_dict(tensors)
    except RuntimeError as error:
        raise ModelError(
            f"{path} does not fit its own configuration", "get the folder again"
        ) from error
    space = values["space"]
    return Checkpoint(
        grounder.eval(),
        calibrator_from_json(values["presence"]),
        None if space is None else EmbeddingSpace(**space),
        float(values["grid_s"]),
        values["training"],
        str(values.get("name") or folder.resolve().name),
        standing_from_json(values["standing"]) if "standing" in values else Standing(),
    )


def write_tensors(path: Path, tensors: dict[str, Tensor], notes: dict[str, str]) -> None:
    """Writes tensors and notes as one safetensors file, atomically."""
    ready = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic_path(path) as temporary:
        save_file(ready, temporary, metadata=notes)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and notes that `write_tensors` wrote.

    Raises:
        ModelError: The file is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            notes = dict(file.metadata() or {})
        return load_file(path), notes
    except (SafetensorError, OSError) as error:
        raise ModelError(f"damaged weights {path}: {error}", "get or train them again") from error
