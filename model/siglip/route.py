"""Which form of the vision tower runs: device, number type and layout.

It is the fastest form that the device has itself and that agrees with the float32 reference
on the model's own weights; the verdict is remembered, so that later runs load that form alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..hardware.device_errors import device_failure, is_out_of_memory
from .backbone import Backbone
from .cores import tower_threads
from .memory import recall, remember
from .vision import PackedTower, ReferenceTower, VisionTower, normalised

if TYPE_CHECKING:
    import torch

AGREEMENT = 0.999
"""Smallest cosine to the reference that a faster form must reach on every trial picture."""

_REFERENCE = "reference float32"


@dataclass(frozen=True)
class Form:
    """The form of the tower that was chosen for a model on a device."""

    name: str
    """Layout and number type, such as ``packed bfloat16``."""
    agreement: float
    """Least cosine to the float32 reference over the trial pictures; 1 for the reference."""


def load_vision_tower(backbone: Backbone, device: str, threads: int | None) -> VisionTower:
    """The vision tower, ready to run on a device.

    Raises:
        ModelError: Its weights are missing, damaged or of the wrong shape.
    """
    import torch

    backbone.check_vision()
    torch.set_num_threads(threads or tower_threads(device, backbone.vision.gflops))
    candidates = _candidates(backbone, device)
    known = _known(backbone, device, candidates)
    if known is not None and known.name in candidates:
        return candidates[known.name]()
    reference = load_reference(backbone, device)
    if known is not None:
        return reference
    return _agreeing(backbone, device, candidates, reference)


def load_reference(backbone: Backbone, device: str) -> VisionTower:
    """The tower in plain float32, which every other form has to agree with."""
    import torch

    return ReferenceTower(backbone.read, backbone.vision, torch.float32, device)


def known_form(backbone: Backbone, device: str) -> Form | None:
    """The form that was chosen here before; None where this model never ran on this device."""
    return _known(backbone, device, _candidates(backbone, device))


def _agreeing(
    backbone: Backbone,
    device: str,
    candidates: Mapping[str, Callable[[], VisionTower]],
    reference: VisionTower,
) -> VisionTower:
    """The first candidate that agrees with the reference, the reference when none does."""
    key = _key(backbone, device, candidates)
    trial = _trial(backbone, device)
    expected = _vectors(reference, trial)
    for name, build in candidates.items():
        tower, agreement = _tried(build, trial, expected)
        # Not a number compares as false, so such a form is turned down as well.
        if tower is not None and agreement >= AGREEMENT:
            remember("routes", key, [name, agreement])
            return tower
    remember("routes", key, [_REFERENCE, 1.0])
    return reference


def _known(
    backbone: Backbone, device: str, candidates: Mapping[str, Callable[[], VisionTower]]
) -> Form | None:
    match recall("routes", _key(backbone, device, candidates)):
        case [str(name), float(agreement)] if name in candidates or name == _REFERENCE:
            return Form(name, agreement)
    return None


def _key(backbone: Backbone, device: str, names: Mapping[str, object]) -> str:
    import torch

    where = device
    if device.startswith("cuda"):
        where = f"cuda {torch.cuda.get_device_name(device)}"
    return f"{backbone.space.id} torch {torch.__version__} {where} {' | '.join(names)}"


def _candidates(backbone: Backbone, device: str) -> dict[str, Callable[[], VisionTower]]:
    """Forms worth trying, fastest first; which is fastest was measured, see the benchmark."""
    import torch

    read, config = backbone.read, backbone.vision

    forms: dict[str, Callable[[], VisionTower]] = {}

    def reference(dtype: torch.dtype) -> Callable[[], VisionTower]:
        return lambda: ReferenceTower(read, config, dtype, device)

    if device.startswith("cuda"):
        # Cards without it emulate bfloat16, slower than float32.
        if torch.cuda.is_bf16_supported(including_emulation=False):
            forms["reference bfloat16"] = reference(torch.bfloat16)
        forms["reference float16"] = reference(torch.float16)
        return forms
    packs = device == "cpu" and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if device == "mps" or cpu_has_bfloat16():
        if packs:
            forms["packed bfloat16"] = lambda: PackedTower(read, config, torch.bfloat16)
        forms["reference bfloat16"] = reference(torch.bfloat16)
    if packs:
        forms["packed float32"] = lambda: PackedTower(read, config, torch.float32)
    return forms


def cpu_has_bfloat16() -> bool:
    """True where the processor multiplies bfloat16 itself; elsewhere it is slower than float32."""
    import torch

    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported", "_is_arm_bf16_supported")
    return any(bool(getattr(torch.cpu, probe, lambda: False)()) for probe in probes)


def _tried(
    build: Callable[[], VisionTower], trial: torch.Tensor, expected: torch.Tensor
) -> tuple[VisionTower | None, float]:
    """A form and its least cosine to the reference; no form where this machine lacks it."""
    from torch.nn.functional import cosine_similarity

    try:
        tower = build()
        cosines = cosine_similarity(_vectors(tower, trial), expected, dim=-1)
    except (RuntimeError, NotImplementedError, AttributeError, TypeError) as error:
        if is_out_of_memory(error) or device_failure(error) is not None:
            raise  # says nothing of the form, and would be remembered against it
        # This torch or this processor lacks the kernel; the next form may have it.
        return None, 0.0
    return tower, float(cosines.min())


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
