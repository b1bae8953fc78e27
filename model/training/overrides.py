"""Single settings changed by name, so that every row of an ablation is one command."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from index.errors import UsageError

from ..evaluation.metrics import METRICS
from .presets import Preset

_PARTS = ("shape", "train", "loss", "augment")


def changed(preset: Preset, settings: Sequence[str]) -> Preset:
    """A preset with settings like ``loss.contrast=0`` or ``shape.words=false``.

    Args:
        preset: What is changed.
        settings: ``PART.NAME=VALUE``, the value as JSON; parts are the model's
            ``shape``, ``train`` (rates, epochs), ``loss`` and ``augment``.

    Raises:
        UsageError: There is no such setting, or the value does not fit.
    """
    for setting in settings:
        preset = _with(preset, setting)
    return preset


def checked(preset: Preset) -> Preset:
    """The same preset, whose every number makes sense.

    Raises:
        UsageError: One does not; it is named.
    """
    shape, config = preset.shape, preset.config
    positive: dict[str, float] = {
        "shape.width": shape.width,
        "shape.heads": shape.heads,
        "shape.layers": shape.layers,
        "shape.expansion": shape.expansion,
        "shape.span_width": shape.span_width,
        "shape.window_s": shape.window_s,
        "train.epochs": config.epochs,
        "train.batch_size": config.batch_size,
        "train.clip": config.clip,
        "loss.rank_temperature": config.loss.rank_temperature,
        "shape.dilations_s": min(shape.dilations_s, default=1.0),
    }
    shares = {
        "shape.dropout": shape.dropout,
        "shape.input_dropout": shape.input_dropout,
        "train.average": config.average,
    }
    for name, value in positive.items():
        if value <= 0:
            raise UsageError(f"{name} is {value:g}, and must be above 0")
    for name, value in shares.items():
        if not 0 <= value < 1:
            raise UsageError(f"{name} is {value:g}, and must be a share from 0 to below 1")
    for part, owner in (("shape", shape), ("train", config), ("loss", config.loss)):
        for field in fields(owner):
            value = getattr(owner, field.name)
            if isinstance(value, int | float) and value < 0 and field.name != "seed":
                raise UsageError(f"{part}.{field.name} is {value:g}, and must not be negative")
    if shape.width % (2 * shape.heads):
        raise UsageError(
            f"shape.width is {shape.width}, and must be a multiple of twice shape.heads, "
            f"which is {shape.heads}"
        )
    if config.metric not in METRICS:
        raise UsageError(
            f"there is no metric {config.metric!r}", f"--metric is one of {', '.join(METRICS)}"
        )
    return preset


def _with(preset: Preset, setting: str) -> Preset:
    path, equals, text = setting.partition("=")
    part, dot, name = path.strip().partition(".")
    if not (equals and dot) or part not in _PARTS:
        raise UsageError(
            f"--set {setting!r} is not PART.NAME=VALUE", f"parts are {', '.join(_PARTS)}"
        )
    config = preset.config
    owners = {
        "shape": preset.shape,
        "train": config,
        "loss": config.loss,
        "augment": config.augment,
    }
    owner: Any = owners[part]
    known = {field.name for field in fields(owner)} if owner is not None else set()
    known -= {"dim", "text_dim", "loss", "augment"}
    if name not in known:
        raise UsageError(f"--set: {part} has no {name!r}", f"it has {', '.join(sorted(known))}")
    new: Any = replace(owner, **{name: _value(text, getattr(owner, name), setting)})
    if part == "shape":
        return replace(preset, shape=new)
    if part == "train":
        return replace(preset, config=new)
    return replace(preset, config=replace(config, **{part: new}))


def _value(text: str, old: Any, setting: str) -> Any:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        value = text
    if isinstance(old, tuple) and isinstance(value, list):
        numbers = [v for v in value if isinstance(v, int | float) and not isinstance(v, bool)]
        if len(numbers) == len(value) and all(map(math.isfinite, numbers)):
            return tuple(float(v) for v in numbers)
    elif isinstance(old, float) and isinstance(value, int | float) and not isinstance(value, bool):
        if math.isfinite(value):
            return float(value)
    elif type(value) is type(old):
        return value
    raise UsageError(
        f"--set {setting!r}: expected {_KINDS.get(type(old), type(old).__name__)}",
        f"it is {json.dumps(old)} without --set",
    )


_KINDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a word",
    tuple: "a list of numbers like [1, 2, 4, 8]",
}
