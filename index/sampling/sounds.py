"""The sound of files, decoded in a process that a broken one may ruin."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType

import numpy as np

from ..errors import MediaError
from ..media.sound import sound_pieces
from ..media.sound_facts import sound_facts
from ..passages import Sound
from ..types import SamplingReport, VideoInfo
from .jobs import DecodeLimits
from .memory import Allowance
from .worker import Message, Shots
from .workers import Failed, Finished, Frames, run_jobs


@dataclass(frozen=True)
class SoundJob:
    """One file to listen to."""

    key: int
    path: bytes
    start_s: float = 0.0
    """Where an interrupted run got to."""


class SoundError(MediaError):
    """The sound of a file cannot be used; its pictures can.

    Attributes:
        failed: What the worker said.
    """

    def __init__(self, failed: Failed) -> None:
        super().__init__(failed.reason)
        self.failed = failed


def hear(
    job: SoundJob,
    *,
    limits: DecodeLimits,
    heartbeat: Callable[[], None],
    allowance: Allowance | None = None,
) -> Iterator[tuple[Message, Shots]]:
    """What a worker does with one file: pieces of its sound as bytes, each with its time."""
    opened = (lambda: None) if allowance is None else allowance.for_decoding
    if allowance is not None:
        allowance.for_opening()
    for start_s, sound in sound_pieces(job.path, job.start_s, heartbeat, opened):
        yield ("frames", [start_s]), [sound.view(np.uint8)]
    yield ("finished", None), []


def measure(
    job: SoundJob,
    *,
    limits: DecodeLimits,
    heartbeat: Callable[[], None],
    allowance: Allowance | None = None,
) -> Iterator[tuple[Message, Shots]]:
    """What a worker does with a file of sound alone: what it is, and how long."""
    opened = (lambda: None) if allowance is None else allowance.for_decoding
    if allowance is not None:
        allowance.for_opening()
    yield ("finished", sound_facts(job.path, heartbeat, opened)), []


def measured(
    jobs: Iterable[SoundJob], *, workers: int = 1, limits: DecodeLimits | None = None
) -> Generator[tuple[int, tuple[VideoInfo, SamplingReport] | Failed], None, None]:
    """What files of sound alone are, each read in a process that a broken one may ruin.

    Args:
        jobs: Pulled one at a time, just before each starts.
        workers: Processes; 0 reads in this one, without its protection.
        limits: What a worker may use.

    Yields:
        The job's key with the file's facts, or with why there are none.
    """
    for event in run_jobs(jobs, measure, workers=workers, limits=limits):
        if isinstance(event, Finished):
            yield event.key, event.report
        elif isinstance(event, Failed):
            yield event.key, event


class SoundSource:
    """One worker that decodes sound, a file after the other; closed at the end of a block.

    Args:
        workers: 1, or 0 to decode in this process without its protection.
        limits: What the worker may use.
    """

    def __init__(self, workers: int = 1, limits: DecodeLimits | None = None) -> None:
        self._waiting: deque[SoundJob] = deque()
        jobs = iter(self._next_job, None)
        self._events = run_jobs(jobs, hear, workers=workers, limits=limits)

    def __enter__(self) -> SoundSource:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._events.close()

    def pieces(self, path: bytes, start_s: float = 0.0) -> Iterator[tuple[float, Sound]]:
        """Pieces of a file's sound with the time at which each begins; read to the end.

        Raises:
            SoundError: It ended early, through its own fault or not.
        """
        self._waiting.append(SoundJob(0, path, start_s))
        for event in self._events:
            if isinstance(event, Frames):
                for time_s, samples in zip(event.times_s, event.pictures, strict=True):
                    if samples is not None:
                        yield time_s, samples.view(np.float32)
            elif isinstance(event, Failed):
                raise SoundError(event)
            elif isinstance(event, Finished):
                return

    def _next_job(self) -> SoundJob | None:
        return self._waiting.popleft() if self._waiting else None
