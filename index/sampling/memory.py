"""How much memory a decode worker may take for one file.

A few bytes of a damaged header can claim tables of gigabytes, so what opening may
take grows with the file. Pictures need what they need however small the file
is: the floor for decoding is twice what 8K video of 10 bits was seen to take.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from .jobs import DecodeLimits

_OPENING_BYTES = 384 << 20
_DECODING_BYTES = 2 << 30
_PER_FILE_BYTE = 16
"""Tables of a whole file take less, even where each frame is only a few bytes long."""
_FIRST_TO_GO = 500


class Allowance:
    """The address space that one file may add to this process; only Linux counts it."""

    def __init__(self, path: bytes, limits: DecodeLimits) -> None:
        """Notes what the process has before the file is opened."""
        self._most = limits.memory_bytes
        self._file_bytes = 0
        with contextlib.suppress(OSError):
            self._file_bytes = Path(os.fsdecode(path)).stat().st_size
        self._before = _address_space()

    def for_opening(self) -> None:
        """Limits what follows to the tables of a file of this size."""
        self._limit(_OPENING_BYTES)

    def for_decoding(self) -> None:
        """Limits what follows to these tables and the largest pictures that are decoded."""
        self._limit(_DECODING_BYTES)

    def _limit(self, floor: int) -> None:
        if self._before is None:
            return
        import resource

        growth = min(self._most, floor + _PER_FILE_BYTE * self._file_bytes)
        soft = self._before + growth
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        if hard == resource.RLIM_INFINITY or soft < hard:
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def offer_first() -> None:
    """Makes a system that runs out of memory end this process before the one that started it."""
    score = Path("/proc/self/oom_score_adj")
    with contextlib.suppress(OSError, ValueError):
        if int(score.read_text()) < _FIRST_TO_GO:
            score.write_text(str(_FIRST_TO_GO))


def _address_space() -> int | None:
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (ImportError, OSError):
        return None
    return pages * resource.getpagesize()
