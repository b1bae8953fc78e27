"""Everything an interrupted training needs to go on as if nothing had happened."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from index.errors import ModelError

from ..grounding.checkpoint import read_tensors, write_tensors

TRAINING = "training"
"""Folder inside the model folder for what only training needs."""
STATE = "state.safetensors"
_PROGRESS = "progress"


@dataclass
class Progress:
    """Where a training stands after a whole epoch."""

    epoch: int = 0
    """Epochs finished."""
    step: int = 0
    best: float = float("-inf")
    best_epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    """One row per epoch: losses, rate, metrics."""


class MovingAverage:
    """Exponential moving average of a module's parameters, warmed up from the first step.

    Args:
        module: What is averaged.
        decay: Share of the old average that each step keeps.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self._decay = decay
        self.tensors = {name: p.detach().clone() for name, p in module.named_parameters()}

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Moves the average towards the parameters after this many steps."""
        share = 1.0 - min(self._decay, (1 + step) / (10 + step))
        own, new = [], []
        for name, parameter in module.named_parameters():
            own.append(self.tensors[name])
            new.append(parameter.detach())
        torch._foreach_lerp_(own, new, share)


def save_state(
    folder: Path,
    module: nn.Module,
    average: MovingAverage,
    optimizer: torch.optim.Optimizer,
    best: dict[str, Tensor],
    progress: Progress,
) -> None:
    """Writes one file with all of it, atomically."""
    tensors: dict[str, Tensor] = {f"weights.{k}": v for k, v in module.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in average.tensors.items()}
    tensors |= {f"best.{k}": v for k, v in best.items()}
    for number, slots in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{k}": torch.as_tensor(v) for k, v in slots.items()}
    folder.mkdir(parents=True, exist_ok=True)
    # Shared storage is refused by safetensors; the copies are small.
    copies = {name: tensor.clone() for name, tensor in tensors.items()}
    write_tensors(folder / STATE, copies, {_PROGRESS: json.dumps(progress.__dict__)})


def read_history(model_folder: Path) -> list[dict[str, Any]]:
    """One row per finished epoch of the training in a model folder; empty without one."""
    path = model_folder / TRAINING / STATE
    if not path.is_file():
        return []
    _, notes = read_tensors(path)
    history: list[dict[str, Any]] = json.loads(notes.get(_PROGRESS, "{}")).get("history", [])
    return history


def load_state(
    folder: Path,
    module: nn.Module,
    average: MovingAverage,
    optimizer: torch.optim.Optimizer,
) -> tuple[Progress, dict[str, Tensor]]:
    """Puts everything back and returns the progress and the best weights so far.

    Raises:
        ModelError: The file is damaged or belongs to another training.
    """
    tensors, notes = read_tensors(folder / STATE)
    parts: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        part, rest = name.split(".", 1)
        parts.setdefault(part, {})[rest] = tensor
    try:
        module.load_state_dict(parts["weights"])
        for name, tensor in average.tensors.items():
            tensor.copy_(parts["average"][name])
        slots: dict[int, dict[str, Tensor]] = {}
        for name, tensor in parts.get("optimizer", {}).items():
            number, slot = name.split(".", 1)
            slots.setdefault(int(number), {})[slot] = tensor
        optimizer.load_state_dict({**optimizer.state_dict(), "state": slots})
        progress = Progress(**json.loads(notes[_PROGRESS]))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"the training state in {folder} belongs to another training",
            "train into a fresh folder with --out",
        ) from error
    return progress, parts.get("best", {})
