"""Times as people write them: seconds, M:SS, H:MM:SS."""

from __future__ import annotations

import re

_LONGEST_TEXT = 40
"""Characters of a time: a number of a thousand digits is none, and takes long to read."""
_CLOCK = re.compile(r"(?:(?:(\d+):)?(\d{1,2}):)?(\d+(?:\.\d*)?|\.\d+)", re.ASCII)


def parse_time(text: str) -> float:
    """Seconds from ``75``, ``75.5``, ``1:15``, ``1:15.5`` or ``0:01:15``.

    Raises:
        ValueError: The text is not a time.
    """
    match = _CLOCK.fullmatch(text.strip()) if len(text) <= _LONGEST_TEXT else None
    if match is None:
        raise ValueError(f"'{text:.{_LONGEST_TEXT}}' is not a time; write seconds, M:SS or H:MM:SS")
    hours, minutes, seconds = match.groups()
    if minutes is not None and float(seconds) >= 60:
        raise ValueError(f"'{text}' is not a time: seconds after a colon stay under 60")
    if hours is not None and int(minutes) >= 60:
        raise ValueError(f"'{text}' is not a time: minutes after a colon stay under 60")
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds)
