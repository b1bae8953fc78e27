"""What a decode worker is asked to do, and what it may use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Job(Protocol):
    """What any worker of this kind can be given."""

    @property
    def key(self) -> int:
        """The caller's own number; comes back with every event."""
        ...

    @property
    def path(self) -> bytes:
        """The video."""
        ...


@dataclass(frozen=True)
class DecodeJob:
    """One video, or a stretch of it, to sample."""

    key: int
    """The caller's own number; comes back with every event."""
    path: bytes
    step_s: float
    start_s: float = 0.0
    end_s: float | None = None
    after_s: float | None = None
    """Frames at or before this time are left out: where an interrupted run got to."""
    skip_still: bool = False
    """Send no picture of a sample that shows nothing new beside the last one sent."""
    key_frames_s: float | None = None
    """Take key frames at least this far apart instead of sampling at ``step_s``."""
    read_px: int = 0
    """Longer side of a second picture, for reading, of samples that look new close up; 0 for
    none."""
    only_read: bool = False
    """Send no other pictures than those."""
    hwaccel: str = ""
    """Device that decodes, see `hardware`; empty for the processor."""


@dataclass(frozen=True)
class DecodeLimits:
    """What a worker may use before it is stopped."""

    no_progress_s: float = 60.0
    """Seconds of processor used without a packet read or a picture sent."""
    start_s: float = 120.0
    """Seconds of processor used before a worker is ready."""
    silence_s: float = 1800.0
    """Seconds by the clock without a packet read or a picture sent, whatever the worker did."""
    memory_bytes: int = 4 << 30
    """Address space that decoding one file may add at most, however large the file."""
    chunk_pictures: int = 16
    """Most pictures in one ``Frames`` event."""
    chunk_bytes: int = 8 << 20
    """Most bytes of pictures in one ``Frames`` event, except for one larger picture."""
    waiting_chunks: int = 2
    """Chunks per worker that wait to be taken."""
