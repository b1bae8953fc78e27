"""Batches beside a graphics card: made in processes of their own, so that it does not wait."""

from __future__ import annotations

import shutil
import sys
from typing import Any

import torch
from torch.utils.data import DataLoader, Sampler

from ..datasets.windows import JoinedDataset, Sample, collate
from ..siglip.cores import cores

_MOST_WORKERS = 8
_ROOM_BYTES = 2 << 30
"""Shared memory below which batches of several processes may not fit; a container has 64 MB
unless it is given more, and a process that finds none is killed."""


def loading_processes(device: torch.device) -> int:
    """How many processes make batches; 0 makes them between the steps.

    On a processor they would take the cores that learn. A step on a card is shorter than
    the making of its batch.
    """
    if device.type != "cuda" or not sys.platform.startswith("linux"):
        return 0
    try:
        room_bytes = shutil.disk_usage("/dev/shm").free  # noqa: S108 - asked for its size only
    except OSError:
        return 0
    return min(_MOST_WORKERS, cores() - 1) if room_bytes >= _ROOM_BYTES else 0


def batches_of(
    data: JoinedDataset, sampler: Sampler[list[int]], device: torch.device, workers: int
) -> DataLoader[Sample]:
    """Batches in the order of a sampler.

    Args:
        data: The samples.
        sampler: Numbers of each batch.
        device: Where the batches will go.
        workers: Processes that make them; they live as long as the loader.
    """
    settings: dict[str, Any] = {}
    if workers:
        # Forked, they share the features; started anew, each would need them sent.
        settings = {"multiprocessing_context": "fork", "persistent_workers": True}
        data.read_ahead()
    loader: DataLoader[Sample] = DataLoader(
        data,
        batch_sampler=sampler,
        collate_fn=collate,
        num_workers=workers,
        pin_memory=device.type == "cuda",
        **settings,
    )
    return loader
