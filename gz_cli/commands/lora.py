"""The second half of ``gz train --lora``: the backbone's last blocks learn too."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from index.errors import UsageError

from ..views.render import Progress, Screen
from .extraction import videos_by_name

if TYPE_CHECKING:
    from index.types import Picture, Preprocess
    from model.grounding.checkpoint import Checkpoint

    from .train_data import TrainingData

ADAPTER = "adapter"


class _View:
    """Implements model.training.finetune.FinetuneObserver with a moving line."""

    def __init__(self, progress: Progress, epochs: int) -> None:
        self._progress, self._epochs = progress, epochs

    def step(self, epoch: int, step: int, steps: int, loss: float, left_s: float) -> None:
        """Moves the line on."""
        share = (epoch * steps + step) / (self._epochs * steps)
        self._progress.update(
            share, f"adapter: epoch {epoch + 1}/{self._epochs}  step {step}/{steps}  {loss:.3f}"
        )


def adapt(
    screen: Screen,
    start: Checkpoint,
    videos: Path,
    data: TrainingData,
    out: Path,
    model: str,
    epochs: int,
    seed: int,
    device: str | None,
) -> Checkpoint:
    """Trains an adapter into ``out/adapter`` and the grounding model that fits it into ``out``.

    Args:
        screen: Shows progress.
        start: What training on the frozen backbone's features gave.
        videos: Folder of the annotated videos.
        data: What is learned and checked, with features of the frozen backbone.
        out: The model folder.
        model: The backbone.
        epochs: Passes over the moments.
        seed: Of every random choice.
        device: Where it runs.
    """
    from model.hardware.devices import best_device
    from model.hub.files import find_files
    from model.siglip.backbone import Backbone, source_of
    from model.training.finetune import (
        AdaptedFeatures,
        AdaptedTower,
        FinetuneConfig,
        StateCache,
        finetune,
    )
    from model.training.finishing import finish, official_metrics

    where = device or best_device()
    files = find_files(source_of(model))
    backbone = Backbone(files)
    tower = AdaptedTower(backbone, where)
    pictures = _Pictures(videos_by_name(videos, [*data.learn, *data.check]), backbone.preprocess)
    config = FinetuneConfig(epochs=epochs, seed=seed)
    cache = StateCache(out / "features" / "states", tower, pictures.read, config.cache_bytes)
    with screen.progress() as progress:
        grounder = finetune(
            start, tower, cache, data.learn, data.source, config, _View(progress, epochs), where
        )
    tower.save(out / ADAPTER)
    space = Backbone(files, out / ADAPTER).space
    adapted = AdaptedFeatures(data.source, tower.eval(), cache)
    metrics = official_metrics(grounder, data.check, adapted, start.grid_s, where)
    before = start.training["metrics"]
    training = {**start.training, "metrics": metrics, "metrics_without_adapter": before}
    return finish(
        out, grounder, data.check, adapted,
        space=space, grid_s=start.grid_s, training=training, device=where,
        learned=data.learn,
    )  # fmt: skip


class _Pictures:
    """Pictures of a video by its name, one a second, as the backbone wants them."""

    def __init__(self, paths: Mapping[str, Path], preprocess: Preprocess) -> None:
        self._preprocess = preprocess
        self._paths = paths

    def read(self, name: str) -> list[Picture]:
        """uint8 pictures in order.

        Raises:
            UsageError: There is no such video.
            MediaError: It cannot be read.
        """
        from index.media.container import open_video
        from index.sampling.sampler import sample

        if name not in self._paths:
            raise UsageError(f"no video {name} in the folder", "check --videos")
        with open_video(self._paths[name]) as video:
            return [self._preprocess(picture) for _, picture in sample(video, 1.0)]
