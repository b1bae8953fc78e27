"""Reads what belongs to videos in words, in worker processes that a bad file may ruin."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace

from .jobs import DecodeLimits
from .text_jobs import FileRead as FileRead
from .text_jobs import SourceFailed, TextFailed, TextJob, TextRead
from .text_worker import serve_texts
from .workers import Failed, Finished, run_jobs

_LIMITS = DecodeLimits()


def read_texts(
    jobs: Iterable[TextJob], *, workers: int = 1, limits: DecodeLimits = _LIMITS
) -> Generator[TextRead | TextFailed, None, None]:
    """Reads side files, text streams and chapters of videos.

    A source that ruins its worker is found by reading each source by itself afterwards.

    Args:
        jobs: Pulled one at a time, in the caller's thread, just before each starts.
        workers: Processes; 0 reads in this one, without its protection.
        limits: What a worker may use.

    Yields:
        One result for each job, in the order in which they are done.
    """
    started: dict[int, TextJob] = {}
    lethal: list[TextJob] = []
    for event in run_jobs(_noted(jobs, started), serve_texts, workers=workers, limits=limits):
        if isinstance(event, Finished):
            del started[event.key]
            yield event.report
        elif isinstance(event, Failed):
            job = started.pop(event.key)
            if event.lethal and len(_alone(job)) > 1:
                lethal.append(job)
            else:
                yield TextFailed(job.key, event.reason, event.kind)
    for job in lethal:
        yield _read_apart(job, workers, limits)


def _noted(jobs: Iterable[TextJob], started: dict[int, TextJob]) -> Iterator[TextJob]:
    for job in jobs:
        started[job.key] = job
        yield job


def _alone(job: TextJob) -> list[TextJob]:
    """The same job, one source at a time; the key is the number of the part."""
    parts = [replace(job, embedded=False, sidecars=(sidecar,)) for sidecar in job.sidecars]
    if job.embedded:
        parts.append(replace(job, sidecars=()))
    return [replace(part, key=number) for number, part in enumerate(parts)]


def _read_apart(job: TextJob, workers: int, limits: DecodeLimits) -> TextRead | TextFailed:
    parts = _alone(job)
    whole = TextRead(job.key, ())
    failed: TextFailed | None = None
    for event in run_jobs(parts, serve_texts, workers=min(1, workers), limits=limits):
        if isinstance(event, Finished):
            read: TextRead = event.report
            whole = replace(
                whole,
                tracks=whole.tracks + read.tracks,
                failures=whole.failures + read.failures,
                files=whole.files + read.files,
                notes=whole.notes + read.notes,
            )
        elif isinstance(event, Failed):
            failed = TextFailed(job.key, event.reason, event.kind)
            path = next((sidecar.path for sidecar in parts[event.key].sidecars), b"")
            failure = SourceFailed(event.reason, path)
            whole = replace(whole, failures=(*whole.failures, failure))
    return failed if failed is not None and len(whole.failures) == len(parts) else whole
