"""What a person sees of a training: loss, metric, time left."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from .render import Progress, Screen
from .timecode import clock

_SHOWN = ("MR-full-R1@0.5", "MR-full-R1@0.7", "MR-full-mAP")


class TrainView:
    """Implements ``TrainObserver`` for a terminal, for programs and for TensorBoard."""

    def __init__(self, screen: Screen, progress: Progress, epochs: int, out: Path) -> None:
        self._screen = screen
        self._progress = progress
        self._epochs = epochs
        self._first = first_process()
        self._writer = _board(screen, out / "training" / "tensorboard") if self._first else None

    def step(self, epoch: int, step: int, steps: int, loss: float, left_s: float) -> None:
        """Moves the line on."""
        if not self._first:
            return
        share = (epoch * steps + step) / (self._epochs * steps)
        self._progress.update(
            share,
            f"epoch {epoch + 1}/{self._epochs}  step {step}/{steps}  "
            f"loss {loss:.3f}  {clock(left_s)} left",
        )

    def epoch(self, row: dict[str, Any]) -> None:
        """One line of result, and curves."""
        if not self._first:
            return
        metrics = row["metrics"]
        if self._screen.as_json:
            self._screen.json("epoch", {key: row[key] for key in row if key != "config"})
        else:
            shown = "  ".join(f"{key[8:]} {metrics[key]:.2f}" for key in _SHOWN if key in metrics)
            self._screen.note(
                f"epoch {row['epoch']:>3}  loss {row['losses']['total']:.3f}  {shown}  "
                f"{row['seconds']:.0f} s"
            )
        if self._writer is not None:
            for group in ("losses", "metrics"):
                for name, value in row[group].items():
                    self._writer.add_scalar(f"{group}/{name}", value, row["epoch"])
            self._writer.add_scalar("rate", row["rate"], row["epoch"])
            self._writer.flush()

    def close(self) -> None:
        """Ends the curves."""
        if self._writer is not None:
            self._writer.close()


def first_process() -> bool:
    """False in the others of several processes that train together, which say nothing."""
    return os.environ.get("RANK", "0") == "0"


def _board(screen: Screen, folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        screen.note(
            "TensorBoard is not installed, so no curves are written for it. To have them: "
            "pip install 'groundzero-video[train]'"
        )
        return None
    return SummaryWriter(folder)
