"""What a decode worker does to a picture before the vision tower sees it.

It reproduces the model's own image processor: one antialiased resize in whole numbers.
Scaling to floats and normalising happen later, on the encoder's device, so that workers
hand over small uint8 pictures.
"""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass

import numpy as np

from index.types import Picture

RESAMPLING = {2: "bilinear", 3: "bicubic"}
"""Names of Pillow's resampling numbers that image processors of this family use."""


@dataclass(frozen=True)
class ResizePicture:
    """Stretches an upright picture to the model's size; picklable.

    Calling it turns uint8 [H, W, 3] into uint8 [height, width, 3].
    """

    height: int
    width: int
    resample: str = "bilinear"

    def __post_init__(self) -> None:
        if self.resample not in RESAMPLING.values():
            raise ValueError(f"resample must be bilinear or bicubic, not {self.resample}")
        if self.height < 1 or self.width < 1:
            raise ValueError(f"size must be positive, not {self.height} x {self.width}")

    def __call__(self, picture: Picture) -> Picture:
        """One picture at the model's size, always a fresh, contiguous array."""
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
            raise ValueError(f"expected uint8 [H, W, 3], not {picture.dtype} {picture.shape}")
        if picture.shape[:2] == (self.height, self.width):
            return np.array(picture, order="C")
        return self._resized(picture)

    def _resized(self, picture: Picture) -> Picture:
        import torch
        from torch.nn.functional import interpolate

        if multiprocessing.parent_process() is not None and torch.get_num_threads() != 1:
            # A decode worker owns one core; more threads would fight the encoder for its own.
            torch.set_num_threads(1)
        if not picture.flags.writeable or not picture.flags.c_contiguous:
            picture = np.array(picture, order="C")
        pixels = torch.from_numpy(picture).permute(2, 0, 1)[None]  # [1, 3, H, W], channels last
        small = interpolate(
            pixels, size=(self.height, self.width), mode=self.resample, antialias=True
        )
        return np.ascontiguousarray(small[0].permute(1, 2, 0).numpy())
