"""SigLIP 2: the only place that knows which models there are and how their folders are read.

`Backbone` joins what lies in a model folder (configuration, preprocessing, tokenizer,
weights, an adapter) and hands out the two towers, each loaded alone and only when asked
for. Up to there nothing imports torch or transformers.
"""

from __future__ import annotations

import math
from dataclasses import MISSING, asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from index.errors import ModelError
from index.types import EmbeddingSpace

from ..hub.files import check_complete
from ..hub.sources import CONFIG_FILE, PROCESSOR_FILES, ModelFiles, ModelSource, hub_source
from ..hub.weights import Array, Weights, damaged, read_json
from .adapter import Adapter, add_lora, open_adapter
from .identity import folder_digest, snapshot_digest
from .preprocess import RESAMPLING, ResizePicture
from .text import TextConfig, TextTower
from .tokens import SentenceTokenizer
from .vision import VisionConfig

__all__ = ["PRESETS", "Backbone", "add_lora", "default_preset", "lasting_spec", "source_of"]

PRESETS = {
    "so400m": "google/siglip2-so400m-patch14-384",
    "large": "google/siglip2-large-patch16-256",
    "base16": "google/siglip2-base-patch16-256",
    "base": "google/siglip2-base-patch32-256",
    "demo": "",
}
"""Words for ``--model``; ``demo`` is the small model that comes with the package."""

DEMO_FOLDER = Path(__file__).parents[1] / "demo" / "weights"

_HALVES = (0.5, 0.5, 0.5)
"""Mean and spread of the family's image processor where a folder names none."""

_TO_ONE = 1 / 255
"""Scale of its pixels where a folder names none."""

_Config = TypeVar("_Config", TextConfig, VisionConfig)


@dataclass(frozen=True)
class PictureConfig:
    """What the model's own image processor does to a picture."""

    height: int
    width: int
    resample: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    rescale: float

    @property
    def usual(self) -> PictureConfig:
        """The same with the normalisation that all models of the family were trained with."""
        return replace(self, mean=_HALVES, std=_HALVES, rescale=_TO_ONE)

    @property
    def words(self) -> str:
        """The same, for comparing two libraries."""
        mean, std = (",".join(f"{value:g}" for value in values) for values in (self.mean, self.std))
        return (
            f"{self.height}x{self.width} {self.resample} antialiased "
            f"scale {self.rescale:.6g} mean {mean} std {std}"
        )


def source_of(spec: str) -> ModelSource:
    """What a ``--model`` value names; raises UsageError when it can be nothing."""
    if spec == "demo":
        return ModelSource("demo", "", DEMO_FOLDER)
    if spec in PRESETS:
        return hub_source(PRESETS[spec])
    folder = Path(spec).expanduser()
    if folder.is_dir() or spec.startswith((".", "/", "~")):
        return ModelSource("local folder", "", folder.absolute())
    return hub_source(spec)


def lasting_spec(spec: str) -> str:
    """The ``--model`` value that names the same model from any working directory.

    A preset stays one even where a folder of that name lies about.
    """
    folder = source_of(spec).folder
    return spec if folder is None or spec in PRESETS else str(folder)


def default_preset() -> str:
    """``so400m`` where CUDA is there, else ``base``; imports torch to find out."""
    import torch

    return "so400m" if torch.cuda.is_available() else "base"


class Backbone:
    """One model folder, checked as far as it is used.

    Args:
        files: Where it lies.
        adapter: A LoRA folder that is applied to it.
        known: The space that a library recorded for it.
    """

    def __init__(
        self, files: ModelFiles, adapter: Path | None = None, known: EmbeddingSpace | None = None
    ) -> None:
        self.files = files
        self._known = known
        config = read_json(files.folder / CONFIG_FILE)
        self._check_family(config)
        self.vision = _sizes(VisionConfig, config, "vision_config", files.folder)
        text = dict(config.get("text_config") or {})
        if text.get("projection_size") is None:
            text["projection_size"] = text.get("hidden_size", TextConfig.hidden_size)
        self.text = _sizes(TextConfig, {"text_config": text}, "text_config", files.folder)
        self.pictures = _picture_config(files.folder)
        self._check_sizes()
        self._adapter_folder = adapter

    @cached_property
    def weights(self) -> Weights:
        """Headers of the safetensors files; raises ModelError for damaged ones."""
        return Weights.open(check_complete(self.files.folder))

    @cached_property
    def adapter(self) -> Adapter | None:
        """The LoRA adapter, checked against this backbone."""
        if self._adapter_folder is None:
            return None
        shapes = self.text.shapes() | self.vision.shapes()
        return open_adapter(self._adapter_folder, self.files.name, shapes)

    @cached_property
    def space(self) -> EmbeddingSpace:
        """Identity of the vectors, from configuration, headers and two numbers."""
        own = EmbeddingSpace(
            backbone=self.files.name,
            revision=self._digest(),
            preprocessing=self.pictures.words,
            adapter="" if self.adapter is None else self.adapter.digest,
            dim=self.vision.hidden_size,
            logit_scale=math.exp(self.weights.scalar("logit_scale")),
            logit_bias=self.weights.scalar("logit_bias"),
            commit=self.files.revision,
        )
        known = self._known
        if known is None or known.revision != self.files.revision:
            return own
        # Libraries that are older than the digest recorded the commit in its place. The same
        # commit is the same model: it goes by the name that their vectors are kept under.
        named = replace(own, revision=known.revision)
        return named if named == known else own

    def _digest(self) -> str:
        if not self.files.revision:
            return folder_digest(self.files.folder)
        sizes = {"vision": asdict(self.vision), "text": asdict(self.text)}
        return snapshot_digest(self.files.folder, sizes)

    @property
    def preprocess(self) -> ResizePicture:
        """What decode workers do to a picture."""
        return ResizePicture(self.pictures.height, self.pictures.width, self.pictures.resample)

    def tokenizer(self) -> SentenceTokenizer:
        """Sentences to token numbers."""
        return SentenceTokenizer(
            self.files.folder, self.text.max_position_embeddings, self.text.vocab_size
        )

    def text_tower(self) -> TextTower:
        """The text tower; touches no weight of the vision tower."""
        return TextTower(self.weights, self.text, self._adapted)

    def read(self, name: str) -> Array:
        """One weight of either tower, adapter applied."""
        return self._adapted(name, self.weights.array(name))

    def check_vision(self) -> None:
        """Raises ModelError unless the vision tower's weights are all there and of right shape."""
        self.weights.require(self.vision.shapes(), "vision_model.")

    def _adapted(self, name: str, values: Array) -> Array:
        return values if self.adapter is None else self.adapter.applied(name, values)

    def _check_family(self, config: dict[str, Any]) -> None:
        kind = config.get("model_type")
        if kind == "siglip2":
            raise ModelError(
                f"{self.files.name} is a NaFlex model, whose pictures have no fixed size.",
                f"Use its fixed-size sister: --model {_fixed_sister(self.files.name)}",
            )
        if kind != "siglip":
            raise ModelError(
                f"{self.files.name} is a model of type {kind!r}, not SigLIP.",
                "Use a SigLIP or SigLIP 2 model, such as google/siglip2-base-patch16-224.",
            )

    def _check_sizes(self) -> None:
        if self.text.projection_size != self.vision.hidden_size:
            raise _unfit(
                self.files.folder,
                f"sentences have {self.text.projection_size} channels, "
                f"frames {self.vision.hidden_size}",
            )
        size = (self.vision.image_size, self.vision.image_size)
        if (self.pictures.height, self.pictures.width) != size:
            raise _unfit(
                self.files.folder,
                f"pictures are prepared at {self.pictures.height}x{self.pictures.width}, "
                f"the model expects {size[0]}x{size[1]}",
            )


def _sizes(kind: type[_Config], config: dict[str, Any], name: str, folder: Path) -> _Config:
    """One tower's sizes: what config.json leaves out has its class's default."""
    part = config.get(name) or {}
    for key, only in (("hidden_act", "gelu_pytorch_tanh"), ("vision_use_head", True)):
        if part.get(key, only) != only:
            raise _unfit(folder, f"{name}.{key} is {part[key]}, only {only} is supported")
    if part.get("num_channels", 3) != 3:
        raise _unfit(folder, f"{name}.num_channels is {part['num_channels']}, only 3 is supported")
    values: dict[str, Any] = {}
    for field in fields(kind):
        value = part.get(field.name, None if field.default is MISSING else field.default)
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            raise _unfit(folder, f"{name}.{field.name} is {value!r}")
        if isinstance(field.default, int) and not isinstance(value, int):
            raise _unfit(folder, f"{name}.{field.name} is {value!r}")
        values[field.name] = value
    if values["hidden_size"] % values["num_attention_heads"]:
        raise _unfit(folder, f"{name}.hidden_size is no multiple of its attention heads")
    return kind(**values)


def _picture_config(folder: Path) -> PictureConfig:
    path = next(folder / n for n in PROCESSOR_FILES if (folder / n).is_file())
    settings = read_json(path)
    settings = settings.get("image_processor", settings)
    try:
        size = settings["size"]
        config = PictureConfig(
            int(size["height"]),
            int(size["width"]),
            RESAMPLING[int(settings.get("resample", 3))],
            tuple(float(value) for value in settings.get("image_mean", _HALVES)),
            tuple(float(value) for value in settings.get("image_std", _HALVES)),
            float(settings.get("rescale_factor", _TO_ONE)),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(path, f"no usable picture settings ({error!r})") from error
    if len(config.mean) != 3 or len(config.std) != 3 or min(config.std) <= 0:
        raise damaged(path, "image_mean and image_std must be three numbers each")
    return config


def _fixed_sister(name: str) -> str:
    size = "384" if "so400m" in name else "256"
    sister = name.replace("naflex", size)
    return sister if sister != name else "google/siglip2-so400m-patch16-384"


def _unfit(folder: Path, what: str) -> ModelError:
    return ModelError(
        f"The model in {folder} cannot be used: {what}.",
        "Use a SigLIP or SigLIP 2 model, such as google/siglip2-base-patch16-224.",
    )
