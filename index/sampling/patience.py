"""How long a silent worker is waited for: by its own work, not by the clock.

A worker that computes and computes without a result hangs. One that gets no
processor, because the machine is busy or asleep, does not, and neither does one
that waits for a slow drive; for those there is only a long limit by the clock.
"""

from __future__ import annotations

import os
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from .jobs import DecodeLimits

_LOOK_S = 1.0
_NICE_SHARE = 10
"""How much less processor a worker gets than others that want it, being nice to them."""


def waited_for(connection: Connection[Any, Any], pid: int, limits: DecodeLimits) -> str:
    """Waits for a worker's next message.

    Args:
        connection: To the worker.
        pid: The worker's process.
        limits: How long it may be silent.

    Returns:
        Empty once there is something to receive, else why it was given up: ``hang``
        or ``stuck`` (it did nothing at all for a very long time).
    """
    looked_s = time.monotonic()
    silent_s = worked_s = 0.0
    before_s: float | None = None
    while not connection.poll(min(_LOOK_S, limits.no_progress_s / 4)):
        now_s = time.monotonic()
        processor_s = _processor_s(pid)
        if processor_s is None or before_s is None:
            worked_s += (now_s - looked_s) * _share() if processor_s is None else 0.0
        else:
            worked_s += processor_s - before_s
        # This process may have been stopped itself, with the worker.
        silent_s += min(now_s - looked_s, 10 * _LOOK_S)
        before_s, looked_s = processor_s, now_s
        if worked_s >= limits.no_progress_s:
            return "hang"
        if silent_s >= limits.silence_s:
            return "stuck"
    return ""


def _processor_s(pid: int) -> float | None:
    """Seconds of processor that all threads of a process have used; None where nobody says."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None


def _share() -> float:
    """A low guess at the part of a processor that a worker gets, from how busy the machine is."""
    try:
        waiting = os.getloadavg()[0] / (os.cpu_count() or 1)
    except OSError:
        return 1.0 / _NICE_SHARE
    return 1.0 if waiting < 1.0 else 1.0 / (_NICE_SHARE * waiting)
