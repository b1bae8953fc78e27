"""LoRA adapters: made for training by peft, applied to a frozen backbone by addition.

An adapter folder is read from JSON and safetensors only. Applying it changes the weights
on their way in, so an adapted tower costs no more than a plain one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index.errors import ModelError
from index.files import digest_file

from ..hub.weights import PICKLE_ENDINGS, Array, Shape, Weights, read_json
from . import text as siglip_text
from . import vision as siglip_vision

CONFIG_FILE = "adapter_config.json"
WEIGHTS_FILE = "adapter_model.safetensors"

_UNSUPPORTED = ("use_dora", "modules_to_save", "layer_replication", "lora_bias", "fan_in_fan_out")
_TOWER_CLASSES = {
    "SiglipVisionModel": siglip_vision.PREFIX,
    "SiglipVisionTransformer": siglip_vision.PREFIX,
    "SiglipTextModel": siglip_text.PREFIX,
    "SiglipTextTransformer": siglip_text.PREFIX,
}
_KEY = re.compile(r"(?:base_model\.model\.)?(?P<module>.+)\.lora_(?P<half>[AB])\.weight")


@dataclass(frozen=True)
class _Change:
    """``scale * second @ first`` is added to one weight."""

    first: str
    second: str
    scale: float


class Adapter:
    """A LoRA adapter that fits a backbone."""

    def __init__(self, weights: Weights, changes: Mapping[str, _Change], digest: str) -> None:
        self._weights = weights
        self._changes = dict(changes)
        self.digest = digest
        """Digest of the adapter's two files, 64 hex digits."""

    def applied(self, name: str, values: Array) -> Array:
        """One weight of the backbone with the adapter's change added."""
        change = self._changes.get(name)
        if change is None:
            return values
        update = self._weights.array(change.second) @ self._weights.array(change.first)
        return values + update.reshape(values.shape) * values.dtype.type(change.scale)


def open_adapter(folder: Path, base: str, shapes: Mapping[str, Shape]) -> Adapter:
    """Reads an adapter folder and checks that it fits.

    Args:
        folder: Holds adapter_config.json and adapter_model.safetensors.
        base: Name of the backbone; a hub id is compared with the one recorded in the adapter.
        shapes: Shape of every weight of the backbone.

    Raises:
        ModelError: Not a safe LoRA adapter, damaged, or made for another backbone.
    """
    path = _weights_path(folder)
    config = read_json(folder / CONFIG_FILE)
    _check_kind(folder, config)
    recorded = config.get("base_model_name_or_path") or ""
    if "/" in base and _is_hub_id(recorded) and recorded != base:
        raise ModelError(
            f"The adapter in {folder} was trained for {recorded}, not for {base}.",
            f"Use --model {recorded}, or another adapter.",
        )
    weights = Weights.open((path,))
    changes = _changes(folder, config, weights, shapes)
    digest = digest_file(folder / CONFIG_FILE) + digest_file(path)
    return Adapter(weights, changes, _short(digest))


def add_lora(model: Any, blocks: int = 4, r: int = 8) -> Any:
    """A peft model that trains only the last vision blocks' queries and values.

    Args:
        model: A transformers SiglipModel or SiglipVisionModel.
        blocks: How many blocks, counted from the top.
        r: Rank of the change.

    Returns:
        The wrapped model; ``save_pretrained`` writes a folder that `open_adapter` reads.
    """
    import warnings

    from peft import LoraConfig, get_peft_model

    config = getattr(model.config, "vision_config", model.config)
    layers = range(config.num_hidden_layers - blocks, config.num_hidden_layers)
    chosen = "|".join(str(layer) for layer in layers)
    # A pattern is matched against whole names; "vision_model." is there in the whole model only.
    whole = hasattr(model, "vision_model") and hasattr(model, "text_model")
    front = r"vision_model\." if whole else r"(?:vision_model\.)?"
    targets = rf"{front}encoder\.layers\.(?:{chosen})\.self_attn\.(?:q|v)_proj"
    settings = LoraConfig(r=r, lora_alpha=2 * r, lora_dropout=0.0, target_modules=targets)
    with warnings.catch_warnings():
        # peft asks transformers for a property by the name that it had in earlier versions.
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        return get_peft_model(model, settings)


def _weights_path(folder: Path) -> Path:
    path = folder / WEIGHTS_FILE
    if not folder.is_dir():
        raise ModelError(f"There is no adapter folder {folder}.", "Check --adapter.")
    if path.is_file():
        return path
    pickles = sorted(p.name for p in folder.iterdir() if p.suffix.lower() in PICKLE_ENDINGS)
    if pickles:
        raise ModelError(
            f"{folder} holds its adapter only as {pickles[0]}, a kind of file that can run code.",
            "GroundZero reads safetensors only: save the adapter again with peft's default format.",
        )
    raise ModelError(f"{folder} has no {WEIGHTS_FILE}.", "Point --adapter at a peft LoRA folder.")


def _check_kind(folder: Path, config: Mapping[str, Any]) -> None:
    kind = config.get("peft_type")
    extras = [name for name in _UNSUPPORTED if config.get(name)]
    if config.get("bias", "none") != "none":
        extras.append(f"bias={config['bias']}")
    if kind != "LORA" or extras:
        what = ", ".join(extras) if kind == "LORA" else f"type {kind}"
        raise ModelError(
            f"The adapter in {folder} is of a kind that is not supported ({what}).",
            "GroundZero applies plain LoRA adapters made with peft.",
        )


def _changes(
    folder: Path, config: Mapping[str, Any], weights: Weights, shapes: Mapping[str, Shape]
) -> dict[str, _Change]:
    mapping = config.get("auto_mapping") or {}
    front = _TOWER_CLASSES.get(str(mapping.get("base_model_class")), "")
    halves: dict[str, dict[str, str]] = {}
    for key in weights.names:
        match = _KEY.fullmatch(key)
        if match is None:
            raise _misfit(folder, f"{key} is not a LoRA weight")
        module = match["module"]
        if not module.startswith((siglip_text.PREFIX, siglip_vision.PREFIX)):
            module = front + module
        halves.setdefault(module, {})[match["half"]] = key
    changes = {}
    for module, pair in halves.items():
        target = f"{module}.weight"
        if target not in shapes:
            raise _misfit(folder, f"the backbone has no {target}")
        if set(pair) != {"A", "B"}:
            raise _misfit(folder, f"half of {module} is missing")
        rank = _check_ranks(folder, config, weights, pair, module, shapes[target])
        changes[target] = _Change(pair["A"], pair["B"], _scale(config, module, rank))
    if not changes:
        raise _misfit(folder, "it is empty")
    return changes


def _check_ranks(
    folder: Path,
    config: Mapping[str, Any],
    weights: Weights,
    pair: Mapping[str, str],
    module: str,
    shape: Shape,
) -> int:
    first, second = weights.shape(pair["A"]), weights.shape(pair["B"])
    rank = int(_patterned(config, "rank_pattern", module, config.get("r", 0)))
    expected = (rank, math.prod(shape[1:])), (shape[0], rank)
    if rank < 1 or (first, second) != expected:
        raise _misfit(
            folder,
            f"{module} is {list(second)} x {list(first)}, rank {rank} on {list(shape)} is expected",
        )
    return rank


def _scale(config: Mapping[str, Any], module: str, rank: int) -> float:
    alpha = float(_patterned(config, "alpha_pattern", module, config.get("lora_alpha", rank)))
    return alpha / math.sqrt(rank) if config.get("use_rslora") else alpha / rank


def _patterned(config: Mapping[str, Any], name: str, module: str, default: Any) -> Any:
    """peft lets single modules differ; a pattern matches the end of a module's name."""
    for pattern, value in (config.get(name) or {}).items():
        if re.fullmatch(rf"(?:.*\.)?(?:{pattern})", module):
            return value
    return default


def _is_hub_id(name: str) -> bool:
    return re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", name) is not None and not Path(name).exists()


def _short(digests: str) -> str:
    import hashlib

    return hashlib.blake2b(digests.encode(), digest_size=16).hexdigest()


def _misfit(folder: Path, what: str) -> ModelError:
    return ModelError(
        f"The adapter in {folder} does not fit this model: {what}.",
        "Use the model that it was trained for, or another adapter.",
    )
