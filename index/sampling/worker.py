"""What runs inside a decode worker: one video at a time, watched by the process that asked.

Messages go over one pipe: a pickled head, then the bytes of each picture, so
that pictures are never copied through pickle. A worker whose parent is gone
ends itself, even in the middle of a decode.
"""

from __future__ import annotations

import gc
import os
import pickle
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..errors import MediaError
from ..media.container import open_video
from ..media.packets import drive_error
from ..types import Picture, Preprocess
from .jobs import DecodeJob, DecodeLimits, Job
from .keyframes import KeyFrameSampler
from .memory import Allowance, offer_first
from .readable import ReadablePictures
from .sampler import Sampler
from .stillness import StillnessDetector

Message = tuple[str, Any]
"""Kind of the message and its body."""
Shots = list[Picture | None]
"""Pictures of samples; None where one looks like the last before it."""


class Task(Protocol):
    """What a worker does with each job; must be picklable."""

    def __call__(
        self,
        job: Any,
        *,
        limits: DecodeLimits,
        heartbeat: Callable[[], None],
        allowance: Allowance | None = None,
    ) -> Iterator[tuple[Message, Shots]]:
        """Messages of one job, ``finished`` the last; raises what ails its file."""
        ...


_ALIVE_S = 1.0
_MOST_TIMES = 128
"""Samples in one message, however few of them have pictures."""


def serve(
    job: DecodeJob,
    *,
    preprocess: Preprocess,
    limits: DecodeLimits,
    heartbeat: Callable[[], None],
    allowance: Allowance | None = None,
) -> Iterator[tuple[Message, Shots]]:
    """Samples one video.

    Args:
        job: What to sample.
        preprocess: Shrinks a picture.
        limits: What may be used.
        heartbeat: Called now and then, to show that work goes on.
        allowance: Limits the memory of this process; None leaves it alone.

    Yields:
        ``opened`` with its facts, ``frames`` with times and pictures (and after those of all
        times, where the job wants them, the larger ones), and ``finished`` with the report.

    Raises:
        MediaError: When the file cannot be used.
    """
    start_s = max(job.start_s, job.after_s or 0.0)
    if job.hwaccel:  # drivers of devices reserve address space by the terabyte
        allowance = None
    if allowance is not None:
        allowance.for_opening()
    opened = None if allowance is None else allowance.for_decoding
    with open_video(job.path, job.hwaccel, opened) as video:
        yield ("opened", video.info), []
        sampler: Sampler | KeyFrameSampler
        if job.key_frames_s is not None:
            sampler = KeyFrameSampler(video, job.key_frames_s, heartbeat)
        else:
            sampler = Sampler(video, job.step_s, start_s, job.end_s, heartbeat=heartbeat)
        detector = StillnessDetector() if job.skip_still else None
        readable = ReadablePictures(video, job.read_px) if job.read_px else None
        times: list[float] = []
        pictures: Shots = []
        larger: Shots = []
        size_bytes = shown = 0
        for exact, frame in sampler.frames():
            time_s = float(exact)
            if job.after_s is not None and time_s <= job.after_s:
                continue
            times.append(time_s)
            if readable is not None:
                picture = readable.of(frame)
                larger.append(picture)
                if picture is not None:
                    size_bytes, shown = size_bytes + picture.nbytes, shown + 1
            if job.only_read or (detector is not None and detector.repeats(time_s, frame)):
                pictures.append(None)
            else:
                picture = np.ascontiguousarray(preprocess(video.upright(frame)))
                pictures.append(picture)
                size_bytes, shown = size_bytes + picture.nbytes, shown + 1
            heartbeat()
            full = shown >= limits.chunk_pictures or len(times) >= _MOST_TIMES
            if full or size_bytes >= limits.chunk_bytes:
                yield ("frames", times), [*pictures, *larger]
                times, pictures, larger, size_bytes, shown = [], [], [], 0, 0
        if times:
            yield ("frames", times), [*pictures, *larger]
        yield ("finished", sampler.report()), []


def describe_failure(error: Exception, path: bytes) -> Message:
    """What went wrong with one file: the reason for people, and its kind."""
    cause = error.__cause__ or error
    if isinstance(error, MediaError):
        place = f"{Path(os.fsdecode(path)).absolute()}: "
        reason = error.message.removeprefix(place)
    else:
        reason = str(error) or type(error).__name__
    if drive_error(Path(os.fsdecode(path)), cause) is not None:
        return "failed", (reason, "device")
    if isinstance(cause, MemoryError):
        return "failed", ("it needs more memory than one file may take", "memory")
    return "failed", (reason, "unreadable")


def work(connection: Connection[Any, Any], task: bytes, limits: DecodeLimits) -> None:
    """Main function of a worker: serves jobs until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The encoder goes first; decoders then fill what it leaves, and may outnumber their cores.
    os.nice(10)
    offer_first()
    jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(connection, jobs), daemon=True).start()
    try:
        serve_job: Task = pickle.loads(task)  # noqa: S301 (made by our own parent)
    except Exception as error:
        _send(connection, ("broken", f"{type(error).__name__}: {error}"), [])
        return
    _send(connection, ("ready", None), [])
    beat = _Heartbeat(connection)
    while True:
        job = jobs.get()
        allowance = Allowance(job.path, limits)
        try:
            for message, pictures in serve_job(
                job, limits=limits, heartbeat=beat, allowance=allowance
            ):
                _send(connection, message, pictures)
        except BrokenPipeError:
            return
        except Exception as error:  # any damage in a file, whatever it makes a library raise
            _send(connection, describe_failure(error, job.path), [])
        # A video's first frame sits in a cycle with its side data; pictures are large.
        gc.collect()
        if not gc.get_freeze_count():
            gc.freeze()


def receive(connection: Connection[Any, Any]) -> tuple[Message, Shots]:
    """The next message and its pictures; the other end of ``work``."""
    kind, body, shapes = connection.recv()
    pictures: Shots = []
    for shape in shapes:
        if shape is None:
            pictures.append(None)
            continue
        picture = np.empty(shape, np.uint8)
        connection.recv_bytes_into(picture.reshape(-1).data)
        pictures.append(picture)
    return (kind, body), pictures


def _send(connection: Connection[Any, Any], message: Message, pictures: Shots) -> None:
    shapes = [None if picture is None else picture.shape for picture in pictures]
    connection.send((*message, shapes))
    for picture in pictures:
        if picture is not None:
            connection.send_bytes(picture.reshape(-1).data)


class _Heartbeat:
    """Says now and then that work goes on."""

    def __init__(self, connection: Connection[Any, Any]) -> None:
        self._connection = connection
        self._last = time.monotonic()

    def __call__(self) -> None:
        now = time.monotonic()
        if now - self._last >= _ALIVE_S:
            self._last = now
            _send(self._connection, ("alive", None), [])


def _listen(connection: Connection[Any, Any], jobs: queue.SimpleQueue[Job]) -> None:
    try:
        while True:
            jobs.put(connection.recv())
    except (EOFError, OSError):
        os._exit(0)
