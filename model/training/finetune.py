"""End to end: LoRA on the last vision blocks, trained together with the grounding model.

The blocks below never change, so what they make of a frame is kept where there is
room; only the last blocks run again, with their activations recomputed backwards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from index.files import atomic_path
from index.types import Picture

from ..datasets.augment import AugmentConfig
from ..datasets.features import Array, Features
from ..datasets.records import Record
from ..datasets.windows import MomentDataset, collate
from ..grounding.checkpoint import Checkpoint
from ..grounding.grounder import Grounder
from ..hardware.precision import autocast
from ..siglip.backbone import Backbone, add_lora
from ..siglip.vision import normalised, transformers_tower
from .losses import LossConfig, grounding_loss

LORA_BLOCKS = 4
LORA_RANK = 8
CHUNK = 16
"""Frames that go through the last blocks at once."""


@dataclass(frozen=True)
class FinetuneConfig:
    """How the adapter is found."""

    epochs: int = 3
    batch_size: int = 4
    rate: float = 1e-4
    clip: float = 1.0
    seed: int = 0
    cache_bytes: int = 20 << 30
    """Room on disk for what the frozen blocks make of frames; beyond it they run again."""
    loss: LossConfig = field(default_factory=LossConfig)


class FinetuneObserver(Protocol):
    """Told how the fine-tuning goes."""

    def step(self, epoch: int, step: int, steps: int, loss: float, left_s: float) -> None:
        """A step of an epoch is done."""
        ...


class AdaptedTower(nn.Module):
    """A vision tower in two parts: frozen blocks, and the last ones with LoRA.

    Args:
        backbone: Its weights, without an adapter.
        device: Where it runs.
        blocks: How many blocks are adapted, counted from the top.
        rank: Rank of the change.
    """

    def __init__(
        self,
        backbone: Backbone,
        device: torch.device | str = "cpu",
        blocks: int = LORA_BLOCKS,
        rank: int = LORA_RANK,
    ) -> None:
        super().__init__()
        self._pictures = backbone.pictures
        self._name = backbone.files.name
        tower = transformers_tower(backbone.read, backbone.vision)
        self.adapted = add_lora(tower, blocks=blocks, r=rank).to(device)
        self._device = device
        self._split = backbone.vision.num_hidden_layers - blocks

    @property
    def tower(self) -> Any:
        """The transformers module inside."""
        return self.adapted.base_model.model

    @torch.no_grad()
    def trunk(self, pictures: Sequence[Picture]) -> npt.NDArray[np.float16]:
        """uint8 pictures to the states before the adapted blocks, float16 [N, P, D]."""
        config, parts = self._pictures, []
        for first in range(0, len(pictures), CHUNK):
            batch = torch.from_numpy(np.stack(pictures[first : first + CHUNK]))
            pixels = normalised(batch.to(self._device), config.mean, config.std, config.rescale)
            with autocast(self._device):
                states = self.tower.embeddings(pixels)
                for layer in self.tower.encoder.layers[: self._split]:
                    states = _first(layer(states, attention_mask=None))
            parts.append(states.to(torch.float16).cpu().numpy())
        return np.concatenate(parts)

    def forward(self, states: Tensor) -> Tensor:
        """float16 [N, P, D] from `trunk` to unit vectors, float32 [N, D], with gradients."""
        parts = []
        for chunk in torch.split(states, CHUNK):
            moved = chunk.to(self._device, torch.float32)
            parts.append(checkpoint(self._top, moved, use_reentrant=False))
        return functional.normalize(torch.cat(parts).float(), dim=-1)

    def save(self, folder: Path) -> None:
        """Writes the adapter as a peft folder of JSON and safetensors."""
        self.adapted.peft_config["default"].base_model_name_or_path = self._name
        # Otherwise peft asks the hub whether the vocabulary has changed.
        self.adapted.save_pretrained(str(folder), save_embedding_layers=False)

    def _top(self, states: Tensor) -> Tensor:
        for layer in self.tower.encoder.layers[self._split :]:
            states = _first(layer(states, attention_mask=None))
        pooled: Tensor = self.tower.head(self.tower.post_layernorm(states))
        return pooled


class StateCache:
    """What the frozen blocks make of each video's frames, on disk while there is room.

    Args:
        folder: Where it is kept.
        tower: Makes what is not there.
        read: Pictures of a video by its name, one a second.
        room_bytes: Room on disk.
    """

    def __init__(
        self,
        folder: Path,
        tower: AdaptedTower,
        read: Callable[[str], Sequence[Picture]],
        room_bytes: int,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._tower, self._read = folder, tower, read
        self._room = room_bytes - sum(path.stat().st_size for path in folder.glob("*.npy"))

    def states(self, video: str) -> npt.NDArray[np.float16]:
        """float16 [T, P, D]; a map of the file where it is kept."""
        path = self._folder / f"{video}.npy"
        if path.is_file():
            kept: npt.NDArray[np.float16] = np.load(path, mmap_mode="r", allow_pickle=False)
            return kept
        made = self._tower.trunk(self._read(video))
        if made.nbytes <= self._room:
            self._room -= made.nbytes
            with atomic_path(path) as temporary:
                np.save(temporary, made)
        return made


class FrameNumbers:
    """Implements Features with numbers of frames in place of vectors, so that crops show."""

    def __init__(self, features: Features) -> None:
        self._features = features

    def video(self, name: str) -> Array:
        """0, 1, 2, ... float32 [T, 1]."""
        return np.arange(len(self._features.video(name)), dtype=np.float32)[:, None]

    def sentence(self, qid: int | str) -> tuple[Array, Array]:
        """As the features give it."""
        return self._features.sentence(qid)

    def almost_right(self, qid: int | str) -> Sequence[str]:
        """As the features give them."""
        return self._features.almost_right(qid)


class AdaptedFeatures:
    """Implements Features with vectors of the adapted tower, each made once."""

    def __init__(self, features: Features, tower: AdaptedTower, cache: StateCache) -> None:
        self._features, self._tower, self._cache = features, tower, cache
        self._kept: dict[str, Array] = {}

    def video(self, name: str) -> Array:
        """float32 [T, D], L2-normalised."""
        if name not in self._kept:
            with torch.no_grad(), autocast(self._tower._device):
                vectors = self._tower(torch.from_numpy(np.array(self._cache.states(name))))
            self._kept[name] = vectors.float().cpu().numpy()
        return self._kept[name]

    def sentence(self, qid: int | str) -> tuple[Array, Array]:
        """As the features give it: the text tower is not adapted."""
        return self._features.sentence(qid)

    def almost_right(self, qid: int | str) -> Sequence[str]:
        """As the features give them."""
        return self._features.almost_right(qid)


def finetune(
    start: Checkpoint,
    tower: AdaptedTower,
    cache: StateCache,
    records: Sequence[Record],
    features: Features,
    config: FinetuneConfig,
    observer: FinetuneObserver,
    device: torch.device | str = "cpu",
) -> Grounder:
    """Trains the adapter and the grounding model together.

    Args:
        start: A grounding model trained on the frozen backbone's features.
        tower: Its adapter is trained in place.
        cache: States of the annotated videos.
        records: What is learned.
        features: Sentences, and how many frames each video has.
        config: How it is trained.
        observer: Told how it goes.
        device: Where everything runs.

    Returns:
        The grounding model that fits the adapted vectors.
    """
    torch.manual_seed(config.seed)
    grounder = Grounder(start.grounder.config)
    grounder.load_state_dict(start.grounder.state_dict())
    grounder = grounder.to(device).train()
    absent = AugmentConfig(background=0.0, roll=0.3, absent=0.2, by_sentence=1.0)
    data = MomentDataset(
        records, FrameNumbers(features), grounder.config.window_s, absent, config.seed
    )
    learned = [p for p in (*tower.parameters(), *grounder.parameters()) if p.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=config.rate, weight_decay=0.01)
    groups = data.by_step()
    for epoch in range(config.epochs):
        data.redraw(epoch)
        batches = _batches(groups, config, epoch)
        for number, chosen in enumerate(batches, 1):
            batch = collate([data[k] for k in chosen]).to(device)
            with autocast(device):
                vectors = [
                    tower(_picked(cache.states(records[k].video), row[mask, 0]))
                    for k, row, mask in zip(chosen, batch.frames, batch.frame_mask, strict=True)
                ]
                batch = replace(batch, frames=nn.utils.rnn.pad_sequence(vectors, batch_first=True))
                grounding = grounder(
                    batch.frames,
                    batch.frame_mask,
                    batch.tokens,
                    batch.token_mask,
                    batch.pooled,
                    batch.step_s,
                )
                total = grounding_loss(grounder, grounding, batch, config.loss)["total"]
            optimizer.zero_grad()
            torch.autograd.backward(total)
            nn.utils.clip_grad_norm_(learned, config.clip)
            optimizer.step()
            observer.step(epoch, number, len(batches), float(total.detach()), 0.0)
    return grounder.eval()


def _picked(states: npt.NDArray[np.float16], numbers: Tensor) -> Tensor:
    return torch.from_numpy(np.array(states[numbers.long().cpu().numpy()]))


def _batches(
    groups: Sequence[Sequence[int]], config: FinetuneConfig, epoch: int
) -> list[list[int]]:
    rng = np.random.default_rng([config.seed, epoch])
    batches = []
    for group in groups:
        order = rng.permutation(np.array(group)).tolist()
        batches += [
            order[k : k + config.batch_size] for k in range(0, len(order), config.batch_size)
        ]
    return [batches[k] for k in rng.permutation(len(batches))]


def _first(output: Any) -> Tensor:
    """A block's states; some versions of transformers put them in a tuple."""
    states: Tensor = output[0] if isinstance(output, tuple) else output
    return states
