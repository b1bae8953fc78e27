"""Tensors of a model folder, from safetensors only, mapped and never unpickled.

The safetensors library checks every file's header; the tensors are then mapped
copy-on-write, so that only the pages that are used are read. No torch here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from index.errors import ModelError

Array = npt.NDArray[np.float32]
Shape = tuple[int, ...]

SINGLE_FILE = "model.safetensors"
SHARD_LIST = "model.safetensors.index.json"
PICKLE_ENDINGS = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".msgpack", ".h5")
"""Weights that are never opened: reading them can run code or needs another framework."""

_DTYPES: dict[str, type[np.generic]] = {
    "F32": np.float32,
    "F16": np.float16,
    "F64": np.float64,
    "BF16": np.uint16,
}


@dataclass(frozen=True)
class _Entry:
    path: Path
    dtype: str
    shape: Shape
    offset_bytes: int


class Weights:
    """Names, shapes and values of the tensors in one folder's safetensors files."""

    def __init__(self, entries: Mapping[str, _Entry], paths: tuple[Path, ...]) -> None:
        self._entries = dict(entries)
        self.paths = paths

    @classmethod
    def open(cls, paths: tuple[Path, ...]) -> Weights:
        """Reads the headers of safetensors files; raises ModelError for a damaged one."""
        entries: dict[str, _Entry] = {}
        for path in paths:
            entries.update(_read_header(path))
        return cls(entries, paths)

    @property
    def names(self) -> tuple[str, ...]:
        """Every tensor's name, sorted."""
        return tuple(sorted(self._entries))

    def shape(self, name: str) -> Shape:
        """Shape of one tensor; raises ModelError when it is missing."""
        return self._entry(name).shape

    def require(self, shapes: Mapping[str, Shape], prefix: str) -> None:
        """Raises ModelError unless exactly these tensors stand under the prefix."""
        found = {name for name in self._entries if name.startswith(prefix)}
        # Older exporters stored this constant; it is not a weight.
        found = {name for name in found if not name.endswith(".position_ids")}
        missing = sorted(set(shapes) - found)
        unknown = sorted(found - set(shapes))
        if missing:
            what = f"{len(missing)} tensors are missing, first {missing[0]}"
            if all(name.startswith(f"{prefix}head.") for name in missing):
                what = f"the {prefix.partition('_')[0]} tower has no head; {what}"
            raise self._mismatch(what)
        if unknown:
            raise self._mismatch(f"{len(unknown)} unknown tensors, first {unknown[0]}")
        for name, shape in shapes.items():
            entry = self._entries[name]
            if entry.shape != shape:
                raise self._mismatch(
                    f"{name} is {list(entry.shape)}, its config.json says {list(shape)}"
                )

    def array(self, name: str) -> Array:
        """One tensor as float32, mapped without reading where the file holds float32."""
        return _as_float32(self._raw(name))

    def rows(self, name: str, rows: npt.NDArray[np.int64]) -> Array:
        """Chosen rows of one tensor as float32; the others are never read."""
        raw = self._raw(name)
        return _as_float32(raw[rows])

    def scalar(self, name: str) -> float:
        """The value of a tensor that holds one number."""
        entry = self._entry(name)
        if math.prod(entry.shape) != 1:
            raise self._mismatch(f"{name} should hold one number, not {list(entry.shape)}")
        value = float(self.array(name).reshape(()))
        if not math.isfinite(value):
            raise self._mismatch(f"{name} is {value}")
        return value

    def _entry(self, name: str) -> _Entry:
        entry = self._entries.get(name)
        if entry is None:
            raise self._mismatch(f"{name} is missing")
        return entry

    def _raw(self, name: str) -> npt.NDArray[Any]:
        entry = self._entry(name)
        dtype = _DTYPES.get(entry.dtype)
        if dtype is None:
            raise self._mismatch(f"{name} is stored as {entry.dtype}, which is not supported")
        if 0 in entry.shape:
            return np.zeros(entry.shape, dtype)
        try:
            mapped = np.memmap(
                entry.path, dtype, mode="c", offset=entry.offset_bytes, shape=entry.shape or (1,)
            )
            return np.require(mapped, requirements="A").reshape(entry.shape)
        except (OSError, ValueError) as error:
            raise damaged(entry.path, str(error)) from error

    def _mismatch(self, what: str) -> ModelError:
        return ModelError(
            f"The weights in {self.paths[0].parent} do not fit the model: {what}.",
            "Download the model again, or point --model at another folder.",
        )


def weight_files(folder: Path) -> tuple[Path, ...]:
    """The safetensors files that a model folder consists of.

    Raises ModelError, before any weight is read, when there are none: a folder that
    holds only pickled weights is refused by name.
    """
    if (folder / SINGLE_FILE).is_file():
        return (folder / SINGLE_FILE,)
    if (folder / SHARD_LIST).is_file():
        return _shards(folder / SHARD_LIST)
    pickles = sorted(p.name for p in folder.iterdir() if p.suffix.lower() in PICKLE_ENDINGS)
    if pickles:
        raise ModelError(
            f"{folder} holds its weights only as {pickles[0]}, a kind of file that can run code.",
            "GroundZero reads safetensors only: convert the weights, or use a model that has them.",
        )
    raise ModelError(
        f"{folder} has no {SINGLE_FILE}.", "Finish the download, or point --model elsewhere."
    )


def damaged(path: Path, why: str) -> ModelError:
    """The error for a file whose content is broken."""
    return ModelError(
        f"{path} is damaged or incomplete: {why}.",
        "Delete this file and download the model again.",
    )


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a model folder; raises ModelError when it is none."""
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise ModelError(
            f"{path} is missing.", "Finish the download, or point --model elsewhere."
        ) from error
    except (OSError, ValueError) as error:
        raise damaged(path, str(error)) from error
    if not isinstance(content, dict):
        raise damaged(path, "not a JSON object")
    return content


def _shards(listing: Path) -> tuple[Path, ...]:
    weight_map = read_json(listing).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise damaged(listing, "no weight_map")
    names = sorted({str(name) for name in weight_map.values()})
    for name in names:
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise damaged(listing, f"{name!r} is not a safetensors file of this folder")
        if not (listing.parent / name).is_file():
            raise ModelError(
                f"{listing.parent / name} is missing.",
                "Finish the download, or point --model elsewhere.",
            )
    return tuple(listing.parent / name for name in names)


def _read_header(path: Path) -> dict[str, _Entry]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy"):  # the library's own checks of the whole header
            pass
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length))
    except (SafetensorError, OSError, ValueError) as error:
        raise damaged(path, str(error)) from error
    return {
        name: _Entry(
            path, str(entry["dtype"]), tuple(entry["shape"]), 8 + length + entry["data_offsets"][0]
        )
        for name, entry in header.items()
        if name != "__metadata__"
    }


def _as_float32(raw: npt.NDArray[Any]) -> Array:
    if raw.dtype == np.uint16:  # bfloat16 is the upper half of a float32
        return (raw.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return raw if raw.dtype == np.float32 else raw.astype(np.float32)
