"""Named recipes: the measured best, and the design that the project started from."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from index.errors import UsageError

from ..datasets.augment import AugmentConfig
from ..grounding.grounder import GrounderConfig
from .losses import LossConfig
from .trainer import TrainConfig

LEAST_STEPS, MOST_EPOCHS = 1000, 200


@dataclass(frozen=True)
class Preset:
    """A model's shape and how it is trained."""

    shape: GrounderConfig
    config: TrainConfig


def preset(name: str, dim: int, text_dim: int) -> Preset:
    """A recipe by name for features of this many channels.

    ``default`` is what the ablations favour. ``small`` is the same at a quarter of the
    weights. ``seed`` is the starting design exactly: the pooled sentence only, the hull
    of all windows as the one target, hard start and end targets, spans ranked by start
    and end alone, presence from swapped sentences, no augmentation.

    Raises:
        UsageError: There is no such recipe.
    """
    if name == "default":
        return Preset(GrounderConfig(dim, text_dim), TrainConfig())
    if name == "small":
        return Preset(GrounderConfig(dim, text_dim, width=128, span_width=64), TrainConfig())
    if name == "seed":
        shape = GrounderConfig(
            dim,
            text_dim,
            background_tokens=0,
            words=False,
            centred=False,
            matched=False,
            scored_spans=False,
            input_dropout=0.1,
        )
        loss = LossConfig(
            inside=0.0,
            edges=1.0,
            saliency=0.0,
            quality=0.0,
            ranking=0.0,
            contrast=0.0,
            presence=0.5,
            edge_sigma_s=0.0,
        )
        augment = AugmentConfig(background=0.0, roll=0.0, absent=0.2, by_sentence=1.0, hard=0.0)
        return Preset(shape, TrainConfig(loss=loss, augment=augment, hull=True, rate=1e-4))
    raise UsageError(f"unknown preset {name!r}", f"one of {', '.join(PRESETS)}")


def for_size(recipe: Preset, records: int) -> Preset:
    """The recipe with enough epochs for a small data set.

    Fifty marked clips fill two batches; so few steps an epoch teach nothing in the
    epochs that suffice for thousands.

    Args:
        recipe: Made for thousands of records.
        records: How many there are.
    """
    config = recipe.config
    steps = max(1, records // config.batch_size)
    epochs = min(MOST_EPOCHS, max(config.epochs, math.ceil(LEAST_STEPS / steps)))
    patience = math.ceil(config.patience * epochs / config.epochs)
    return replace(recipe, config=replace(config, epochs=epochs, patience=patience))


PRESETS = ("default", "small", "seed")
"""What --preset takes."""
