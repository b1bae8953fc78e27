"""A model folder as others meet it: its card, and its way to a hub and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from index.errors import ModelError, UsageError
from index.files import atomic_write

from ..grounding.checkpoint import CONFIG, WEIGHTS, Checkpoint
from ..grounding.presence import CALIBRATION_NAME
from .state import read_history

CARD = "README.md"
CURVES = "training.svg"
SHARED = (CONFIG, WEIGHTS, CALIBRATION_NAME, CARD, CURVES)
"""All that leaves the machine, and all that is fetched."""

_KEYS = (
    "MR-full-R1@0.5",
    "MR-full-R1@0.7",
    "MR-full-mAP",
    "HL-min-VeryGood-mAP",
    "HL-min-VeryGood-Hit1",
)


def write_card(folder: Path, checkpoint: Checkpoint) -> Path:
    """Writes the card of a model folder and returns its path.

    Where matplotlib is installed and the folder holds the state of its training, the card
    shows its curves.
    """
    path = folder / CARD
    picture = _curves(folder)
    if picture:
        atomic_write(folder / CURVES, picture.encode())
    atomic_write(path, card(checkpoint, curves=bool(picture)).encode())
    return path


def _curves(folder: Path) -> str:
    history = read_history(folder)
    try:
        from ..evaluation.charts import training_picture
    except UsageError:
        return ""
    return training_picture(history)


def card(checkpoint: Checkpoint, curves: bool = False) -> str:
    """What the model is, what it was trained on, what it scores and how it is used.

    Args:
        checkpoint: The model.
        curves: A picture of its training lies beside the card.
    """
    training, space = checkpoint.training, checkpoint.space
    metrics: dict[str, float] = training.get("metrics", {})
    backbone = "features of unrecorded origin" if space is None else space.backbone
    revision = "" if space is None else f" at revision `{space.revision}`"
    config: dict[str, Any] = training.get("config", {})
    table = "\n".join(f"| {key} | {metrics[key]:.2f} |" for key in _KEYS if key in metrics)
    picture = f"\n![Loss and validation while training]({CURVES})\n" if curves else ""
    return f"""---
library_name: groundzero-video
tags: [video-moment-retrieval, temporal-grounding, highlight-detection]
---

# {checkpoint.name or "Grounding model"}

Finds the start and end of the moment that a sentence describes, in windows of up to
{checkpoint.grounder.config.window_s:g} s of frame embeddings.
It reads vectors of {backbone}{revision} and fits no others.

- Weights: {training.get("parameters", 0):,}
- Learned from {training.get("train_records", 0):,} moments, checked on \
{training.get("val_records", 0):,}
- Best epoch {training.get("best_epoch", 0)} of {training.get("epochs", 0)}, \
seed {config.get("seed", 0)}, batch {config.get("batch_size", 0)}, \
peak rate {config.get("rate", 0):g}

| official QVHighlights key, validation | percent |
|---|---|
{table}
{picture}
Presence is a calibrated probability: its temperature was fitted on the validation
videos, each asked its own sentence and another video's.{_calibration_error(training)}

    gz find "a dog jumps into the water" --grounder FOLDER
"""


def _calibration_error(training: dict[str, Any]) -> str:
    error = training.get("presence", {}).get("ece")
    if error is None:
        return ""
    return f"""
Fitted on one half of these sentences and measured on the other, both ways, the stated
probability is {100 * error:.1f} points from the observed frequency (ECE)."""


def push(folder: Path, repo: str, private: bool = True) -> str:
    """Uploads a model folder to a hub; training state and features stay here.

    Args:
        folder: What ``gz train`` wrote.
        repo: Hub id, made where it is missing.
        private: Nobody else sees a repository that is made now.

    Returns:
        Address of the upload.

    Raises:
        ModelError: The hub refused, or is out of reach.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    hub = HfApi()
    try:
        hub.create_repo(repo, private=private, exist_ok=True)
        done = hub.upload_folder(
            repo_id=repo,
            folder_path=folder,
            allow_patterns=list(SHARED),
            commit_message="Add a grounding model",
        )
    except (HfHubHTTPError, OSError) as error:
        raise ModelError(
            f"{folder} could not be uploaded to {repo}: {error}",
            "check the name and your access: hf auth login",
        ) from error
    return str(done)


def fetch(spec: str) -> Path:
    """The folder that a path or a hub id names, downloaded where it is neither here nor cached.

    Raises:
        ModelError: There is no such folder, or the hub does not give it.
    """
    folder = Path(spec).expanduser()
    if folder.is_dir() or spec.startswith((".", "/", "~")) or spec.count("/") != 1:
        return folder
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        try:
            return Path(snapshot_download(spec, allow_patterns=list(SHARED), local_files_only=True))
        except LocalEntryNotFoundError:
            return Path(snapshot_download(spec, allow_patterns=list(SHARED)))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        raise ModelError(
            f"no grounding model {spec}: not a folder, and the hub does not give it",
            "check the name and the network",
        ) from error
