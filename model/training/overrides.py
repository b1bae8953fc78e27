"""Single settings changed by name, so that every row of an ablation is one command."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from index.errors import UsageError

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
        return tuple(value)
    if isinstance(old, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not type(old):
        raise UsageError(
            f"--set {setting!r}: expected {type(old).__name__}", f"it is {old!r} without --set"
        )
    return value
