"""Reads videos in worker processes, so that a bad file costs itself and nothing else.

Each worker is a fresh process with one decoder thread. A thread of this process
stands behind each worker: it hands it one video at a time, collects what it
sends, and replaces it when it dies, hangs or outgrows its memory. Pictures wait
in a short queue; when nobody takes them, the workers wait too.
"""

from __future__ import annotations

import functools
import os
import pickle
import queue
import signal
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

from ..types import Preprocess, VideoInfo
from .jobs import DecodeJob, DecodeLimits, Job
from .patience import waited_for
from .worker import Message, Shots, Task, describe_failure, receive, serve, work


@dataclass(frozen=True)
class Opened:
    """The file is a video."""

    key: int
    info: VideoInfo


@dataclass(frozen=True)
class Frames:
    """Some of its samples, in order of time."""

    key: int
    times_s: list[float]
    pictures: Shots
    """None where a sample looks like the last one that has a picture."""
    readable: Shots = field(default_factory=list)
    """Where the job wants them, larger pictures of the same times; None where nothing that could
    be read has changed since the last one."""


@dataclass(frozen=True)
class Finished:
    """The job is done; of a video that was sampled, all samples were sent."""

    key: int
    report: Any
    """What the task has to say: a `SamplingReport` of sampling."""


@dataclass(frozen=True)
class Failed:
    """The job ended early; samples sent before are good."""

    key: int
    reason: str
    """For people, without the path."""
    kind: str
    """``unreadable``, ``device`` (the drive went away), ``memory``, ``crash``, ``hang``,
    ``stuck`` (the worker was waited for too long, but did nothing wrong) or ``ended`` (somebody
    ended it)."""

    @property
    def lethal(self) -> bool:
        """Whether the file cost a decoder, and may cost the next one."""
        return self.kind in ("memory", "crash", "hang")

    @property
    def innocent(self) -> bool:
        """Whether the job ended early through nothing that the file did."""
        return self.kind in ("stuck", "ended")


_FROM_OUTSIDE = ("SIGINT", "SIGTERM", "SIGHUP")
_WAITED_IN_VAIN = {
    "hang": "the decoder hangs on it",
    "stuck": "nothing could be read of it for a very long time; its drive may not answer",
}
_DYING_S = 60.0

DecodeEvent = Opened | Frames | Finished | Failed


def decode(
    jobs: Iterable[DecodeJob],
    preprocess: Preprocess,
    *,
    workers: int,
    limits: DecodeLimits | None = None,
) -> Generator[DecodeEvent, None, None]:
    """Samples videos side by side.

    Args:
        jobs: Pulled one at a time, in the caller's thread, just before each starts.
        preprocess: Shrinks a picture; runs in the worker, so it must be picklable.
        workers: Processes; 0 decodes in this one, without its protection.
        limits: What a worker may use.

    Yields:
        For each job ``Opened``, any number of ``Frames``, then ``Finished``; or
        ``Failed`` at any point. Events of different jobs mix.
    """
    task = functools.partial(serve, preprocess=preprocess)
    yield from run_jobs(jobs, task, workers=workers, limits=limits)


def run_jobs(
    jobs: Iterable[Job], task: Task, *, workers: int, limits: DecodeLimits | None = None
) -> Generator[DecodeEvent, None, None]:
    """Does something with files side by side, each in a process that it may ruin.

    Args:
        jobs: Pulled one at a time, in the caller's thread, just before each starts.
        task: What a worker does with a job; must be picklable.
        workers: Processes; 0 works in this one, without its protection.
        limits: What a worker may use.

    Yields:
        What the task sends, then ``Finished``; or ``Failed`` at any point.
    """
    limits = limits or DecodeLimits()
    if workers == 0:
        for job in jobs:
            yield from _run_here(job, task, limits)
        return
    pool = _Pool(workers, task, limits)
    try:
        yield from pool.run(iter(jobs))
    finally:
        pool.close()


def _run_here(job: Job, task: Task, limits: DecodeLimits) -> Iterator[DecodeEvent]:
    try:
        for message, pictures in task(job, limits=limits, heartbeat=lambda: None):
            yield _event(job.key, message, pictures)
    except Exception as error:
        yield _event(job.key, describe_failure(error, job.path), [])


def _event(key: int, message: Message, pictures: Shots) -> DecodeEvent:
    kind, body = message
    if kind == "opened":
        return Opened(key, body)
    if kind == "frames":
        return Frames(key, body, pictures[: len(body)], pictures[len(body) :])
    if kind == "finished":
        return Finished(key, body)
    return Failed(key, *body)


class _Pool:
    """Lanes and the queue that they fill."""

    def __init__(self, workers: int, task: Task, limits: DecodeLimits) -> None:
        packed = pickle.dumps(task)
        size = max(2, workers * limits.waiting_chunks)
        self.events: queue.Queue[tuple[_Lane, DecodeEvent | BaseException]] = queue.Queue(size)
        self.closing = threading.Event()
        self._lanes = [_Lane(self, packed, limits) for _ in range(workers)]

    def run(self, jobs: Iterator[Job]) -> Iterator[DecodeEvent]:
        idle, busy = list(reversed(self._lanes)), 0
        while True:
            while idle and (job := next(jobs, None)) is not None:
                idle.pop().start(job)
                busy += 1
            if not busy:
                return
            lane, event = self.events.get()
            if isinstance(event, BaseException):
                raise event
            if isinstance(event, Finished | Failed):
                idle.append(lane)
                busy -= 1
            yield event

    def put(self, lane: _Lane, event: DecodeEvent | BaseException) -> bool:
        """Waits for room; False when the pool closes meanwhile."""
        while not self.closing.is_set():
            try:
                self.events.put((lane, event), timeout=0.2)
            except queue.Full:
                continue
            return True
        return False

    def close(self) -> None:
        self.closing.set()
        for lane in self._lanes:
            lane.stop()
        for lane in self._lanes:
            lane.join()


class _Lane:
    """A thread with one worker process behind it."""

    def __init__(self, pool: _Pool, task: bytes, limits: DecodeLimits) -> None:
        self._pool = pool
        self._task = task
        self._limits = limits
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._process: SpawnProcess | None = None
        self._connection: Connection[Any, Any] | None = None
        self._thread = threading.Thread(target=self._work, name="gz-decode", daemon=True)
        self._thread.start()

    def start(self, job: Job) -> None:
        self._jobs.put(job)

    def stop(self) -> None:
        self._jobs.put(None)
        with self._lock:
            if self._process is not None:
                self._process.kill()

    def join(self) -> None:
        self._thread.join()

    def _work(self) -> None:
        # A worker inherits this mask: Ctrl-C is for the process that people see.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            while (job := self._jobs.get()) is not None and self._run(job):
                pass
        except BaseException as error:
            self._pool.put(self, error)
        finally:
            self._kill()

    def _run(self, job: Job) -> bool:
        """Decodes one job; False when the pool closes."""
        worker = self._worker()
        if worker is None:
            return False
        connection, pid = worker
        try:
            connection.send(job)
            while True:
                if why := waited_for(connection, pid, self._limits):
                    self._kill()
                    return self._fail(job, _WAITED_IN_VAIN[why], why)
                message, pictures = receive(connection)
                if message[0] == "alive":
                    continue
                if not self._pool.put(self, _event(job.key, message, pictures)):
                    return False
                if message[0] in ("finished", "failed"):
                    return True
        except (EOFError, OSError):
            return self._fail(job, *self._cause_of_death())

    def _fail(self, job: Job, reason: str, kind: str) -> bool:
        return self._pool.put(self, Failed(job.key, reason, kind))

    def _cause_of_death(self) -> tuple[str, str]:
        """Why the worker is gone, for people, and the kind of that."""
        process = self._process
        code = None
        if process is not None:
            process.join(_DYING_S)
            code = process.exitcode
        self._kill()
        if code is None or code >= 0:
            return f"the decoder died on it (exit status {code})", "crash"
        name = signal.Signals(-code).name
        if name in _FROM_OUTSIDE:
            return f"the decoder was ended from outside ({name})", "ended"
        if name == "SIGKILL":
            return "the decoder was killed on it (SIGKILL), perhaps for want of memory", "crash"
        return f"the decoder died on it ({name})", "crash"

    def _worker(self) -> tuple[Connection[Any, Any], int] | None:
        """A live worker, started anew where needed: connection and process; None when closing."""
        with self._lock:
            if self._pool.closing.is_set():
                return None
            process, connection = self._process, self._connection
            if process is not None and connection is not None and process.is_alive():
                return connection, process.pid or 0
        self._kill()
        with self._lock:
            if self._pool.closing.is_set():
                return None
            self._process, self._connection = _spawn(self._task, self._limits)
            connection, pid = self._connection, self._process.pid or 0
        starting = replace(self._limits, no_progress_s=self._limits.start_s)
        if waited_for(connection, pid, starting):
            raise TimeoutError("a decode worker did not start, although it was given the time")
        try:
            kind, body = receive(connection)[0]
        except (EOFError, OSError) as error:
            raise RuntimeError("a decode worker ended while it started") from error
        if kind == "broken":
            raise RuntimeError(f"the preprocessing cannot be loaded in a worker: {body}")
        return connection, pid

    def _kill(self) -> None:
        with self._lock:
            process, self._process = self._process, None
            connection, self._connection = self._connection, None
            if process is not None:
                process.kill()
                process.join(_DYING_S)
                if process.exitcode is not None:  # else a dead drive holds it
                    process.close()
            if connection is not None:
                connection.close()


_starting = threading.Lock()


@contextmanager
def _safe_path() -> Iterator[None]:
    """Keeps the current folder off the module path of a process started inside."""
    with _starting:
        before = os.environ.get("PYTHONSAFEPATH")
        os.environ["PYTHONSAFEPATH"] = "1"
        try:
            yield
        finally:
            if before is None:
                del os.environ["PYTHONSAFEPATH"]
            else:
                os.environ["PYTHONSAFEPATH"] = before


def _spawn(task: bytes, limits: DecodeLimits) -> tuple[SpawnProcess, Connection[Any, Any]]:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(theirs, task, limits), daemon=True)
    with _safe_path():
        process.start()
    theirs.close()
    return process, ours
