"""How the processor's cores are shared between decoding and the vision tower."""

from __future__ import annotations

import math
import os

_DECODE_S = 0.03
"""Processor seconds for one frame a second of 720p video, of 250-frame groups."""
_GFLOPS_PER_S = 400.0
"""What a core multiplies in a second in bfloat16; with fewer, the tower's share only grows."""
_MOST_ON_CARD = 16
_FEW_CORES = 4


def cores() -> int:
    """Processor cores that this process may use."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return usable or 1


def idle_cores() -> int:
    """Cores that nothing kept busy during the last minute, at least one.

    For a tower beside which this program decodes nothing. Another program may: on two
    cores, one of them busy, two threads were measured far slower than one.
    """
    try:
        load = os.getloadavg()[0]
    except (AttributeError, OSError):
        load = 0.0
    return max(1, cores() - round(load))


def decode_workers(device: str, gflops: float) -> int:
    """Decoder processes beside a tower.

    A graphics card leaves all cores but one to decoding. On a processor each side gets
    cores by the work that a frame gives it, and decoding a quarter more: its processes
    give way to the tower, and wait for nothing while it has enough to do.

    Args:
        device: Where the tower runs.
        gflops: Its work for one picture, in 10^9 floating-point operations.
    """
    if not device.startswith("cpu"):
        return max(1, min(_MOST_ON_CARD, cores() - 1))
    return max(1, min(cores(), math.ceil(1.25 * cores() * _decoding_share(gflops))))


def tower_threads(device: str, gflops: float) -> int:
    """Threads of a tower that runs beside those decoders.

    They leave decoding its cores: waiting for a busy one stalls every product. Only where
    decoding would leave its core idle more than half of the time does the tower take all
    of the few there are: what the machine did a minute ago says nothing about a long run.
    """
    if not device.startswith("cpu"):
        return max(1, cores() - decode_workers(device, gflops))
    decoding = cores() * _decoding_share(gflops)
    if decoding < 0.5 and cores() <= _FEW_CORES:
        return cores()
    return max(1, cores() - max(1, round(decoding)))


def _decoding_share(gflops: float) -> float:
    return _DECODE_S / (_DECODE_S + gflops / _GFLOPS_PER_S)
