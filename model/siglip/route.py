"""Which form of the vision tower runs: device, number type and layout.

On a GPU it is the transformers tower in bfloat16. On a CPU it is the fastest form that the
processor has and that agrees with the float32 reference on the model's own weights; the
verdict is remembered, so that later runs load that form alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from index.errors import UsageError

from .backbone import Backbone
from .cores import tower_threads
from .memory import recall, remember
from .vision import PackedTower, ReferenceTower, VisionTower, normalised

if TYPE_CHECKING:
    import torch

AGREEMENT = 0.999
"""Smallest cosine to the reference that a faster form must reach on every trial picture."""

_DEVICES = ("cpu", "cuda", "mps")
_REFERENCE = "reference float32"


def check_device(device: str | None) -> None:
    """Raises UsageError for a device that has no meaning or is not in this machine."""
    if device is None or device == "cpu":
        return
    kind, _, number = device.partition(":")
    if kind not in _DEVICES or (number and not (kind == "cuda" and number.isdecimal())):
        raise UsageError(f"There is no device {device!r}.", "Use cpu, cuda, cuda:1 or mps.")
    import torch

    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise UsageError(f"This machine, or its torch, has no {device}.", "Use --device cpu.")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise UsageError("This machine, or its torch, has no Metal device.", "Use --device cpu.")


def best_device() -> str:
    """``cuda`` where it works, else ``mps``, else ``cpu``."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def load_vision_tower(backbone: Backbone, device: str, threads: int | None) -> VisionTower:
    """The vision tower, ready to run on a device.

    Raises:
        ModelError: Its weights are missing, damaged or of the wrong shape.
    """
    import torch

    backbone.check_vision()
    torch.set_num_threads(threads or tower_threads(device, backbone.vision.gflops))
    if device.startswith("cuda"):
        return ReferenceTower(backbone.read_vision, backbone.vision, torch.bfloat16, device)
    return _agreeing(backbone, device)


def _agreeing(backbone: Backbone, device: str) -> VisionTower:
    """The first candidate that agrees with the reference, the reference when none does."""
    import torch

    candidates = _candidates(backbone, device)
    key = f"{backbone.space.id} torch {torch.__version__} {device} {' | '.join(candidates)}"
    known = recall("routes", key)
    if known in candidates:
        return candidates[known]()
    reference = ReferenceTower(backbone.read_vision, backbone.vision, torch.float32, device)
    if known == _REFERENCE or not candidates:
        return reference
    trial = _trial(backbone, device)
    expected = _vectors(reference, trial)
    for name, build in candidates.items():
        tower = _if_agreeing(build, trial, expected)
        if tower is not None:
            remember("routes", key, name)
            return tower
    remember("routes", key, _REFERENCE)
    return reference


def _candidates(backbone: Backbone, device: str) -> dict[str, Callable[[], VisionTower]]:
    """Forms worth trying, fastest first; which is fastest was measured, see the benchmark."""
    import torch

    read, config = backbone.read_vision, backbone.vision
    forms: dict[str, Callable[[], VisionTower]] = {}
    packs = device == "cpu" and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if device == "mps" or _cpu_has_bfloat16():
        if packs:
            forms["packed bfloat16"] = lambda: PackedTower(read, config, torch.bfloat16)
        forms["reference bfloat16"] = lambda: ReferenceTower(read, config, torch.bfloat16, device)
    if packs:
        forms["packed float32"] = lambda: PackedTower(read, config, torch.float32)
    return forms


def _cpu_has_bfloat16() -> bool:
    """True where the processor multiplies bfloat16 itself; elsewhere it is slower than float32."""
    import torch

    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported", "_is_arm_bf16_supported")
    return any(bool(getattr(torch.cpu, probe, lambda: False)()) for probe in probes)


def _if_agreeing(
    build: Callable[[], VisionTower], trial: torch.Tensor, expected: torch.Tensor
) -> VisionTower | None:
    from torch.nn.functional import cosine_similarity

    try:
        tower = build()
        cosines = cosine_similarity(_vectors(tower, trial), expected, dim=-1)
    except (RuntimeError, NotImplementedError, AttributeError, TypeError):
        # This torch or this processor lacks the kernel; the next form may have it.
        return None
    # Not a number compares as false, so such a form is turned down as well.
    return tower if bool((cosines >= AGREEMENT).all()) else None


def _vectors(tower: VisionTower, pixels: torch.Tensor) -> torch.Tensor:
    import torch

    with torch.inference_mode():
        return tower(pixels).float()


def _trial(backbone: Backbone, device: str) -> torch.Tensor:
    """Four pictures, the same every time, from smooth patches of colour to fine noise."""
    import torch

    pictures = backbone.pictures
    random = np.random.default_rng(0)
    trial = []
    for cell in (64, 16, 4, 1):
        rows, columns = -(-pictures.height // cell), -(-pictures.width // cell)
        coarse = random.integers(0, 256, (rows, columns, 3), np.uint8)
        fine = coarse.repeat(cell, axis=0).repeat(cell, axis=1)
        trial.append(fine[: pictures.height, : pictures.width])
    batch = torch.from_numpy(np.stack(trial)).to(device)
    return normalised(batch, pictures.mean, pictures.std, pictures.rescale)
