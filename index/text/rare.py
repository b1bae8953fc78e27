"""Side files of formats that are rare now, and left to FFmpeg to read."""

from __future__ import annotations

import re

_FRAMES = re.compile(r"\s*\{\d{1,9}\}\{\d{0,9}\}", re.ASCII)
_RATE = re.compile(r"\s*\{1\}\{1\}\s*\d", re.ASCII)
_TENTHS = re.compile(r"\s*\[\d{1,9}\]\[\d{0,9}\]", re.ASCII)


def rare_format(text: str) -> str:
    """FFmpeg's name of a rare format; empty for everything else.

    Args:
        text: The whole file.
    """
    head = text[:2000]
    if _FRAMES.match(head):
        return "microdvd"
    if _TENTHS.match(head):
        return "mpl2"
    return "sami" if "<sami" in head.lower() else ""


def with_rate(text: str, frames_per_s: float | None) -> str:
    """A MicroDVD file that says its frame rate; one that does not was made for its video.

    Args:
        text: The whole file.
        frames_per_s: Of the video; None where it is unknown.
    """
    if frames_per_s is None or _RATE.match(text):
        return text
    return f"{{1}}{{1}}{frames_per_s:.6f}\n{text}"
