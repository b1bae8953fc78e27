"""Times as people read them: H:MM:SS and its relatives."""

from __future__ import annotations

import math


def clock(seconds: float) -> str:
    """``H:MM:SS`` of the second that has begun."""
    whole = max(0, math.floor(seconds))
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def clock_ms(seconds: float) -> str:
    """``H:MM:SS.mmm``, rounded to the millisecond."""
    ms = max(0, round(seconds * 1000))
    return f"{clock(ms // 1000)}.{ms % 1000:03d}"


def clock_range(start_s: float, end_s: float) -> str:
    """``H:MM:SS.t - H:MM:SS.t`` in whole tenths that contain the span."""
    # Edges that differ from a whole tenth by rounding noise alone stay on it.
    start = math.floor(start_s * 10 + 1e-5)
    end = max(start + 1, math.ceil(end_s * 10 - 1e-5))
    return f"{_clock_tenths(start)} - {_clock_tenths(end)}"


def _clock_tenths(tenths: int) -> str:
    return f"{clock(tenths // 10)}.{tenths % 10}"


def spoken_length(seconds: float) -> str:
    """A length for people: ``40 s``, ``12 min``, ``3.4 h``."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    if seconds < 99.5 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:,.1f} h"
