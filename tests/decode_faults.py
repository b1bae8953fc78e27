"""Preprocessing that misbehaves on blue pictures, loaded in decode workers by name; and worse."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from fakes import shrink
from media_factory import nearest_colour

from index.sampling.jobs import DecodeJob
from index.sampling.workers import DecodeEvent, Failed, decode
from index.store.library import Library
from index.types import Picture, Preprocess


def die_on_blue(picture: Picture) -> Picture:
    if nearest_colour(picture) == "blue":
        os.kill(os.getpid(), signal.SIGSEGV)
    return shrink(picture)


def hang_on_blue(picture: Picture) -> Picture:
    while nearest_colour(picture) == "blue":
        time.sleep(60)
    return shrink(picture)


def spin_on_blue(picture: Picture) -> Picture:
    while nearest_colour(picture) == "blue":
        pass
    return shrink(picture)


def eat_memory_on_blue(picture: Picture) -> Picture:
    if nearest_colour(picture) == "blue":
        return np.ones((40_000, 40_000, 3), np.uint8)
    return shrink(picture)


def dying_on(
    name: bytes,
    library: Path,
    reason: str = "the decoder died on it (SIGSEGV)",
    kind: str = "crash",
) -> Callable[..., Iterator[DecodeEvent]]:
    """Stands in for ``decode``: the decoder dies on the video of that name, whatever the pass."""

    def dying(
        jobs: Iterable[DecodeJob], preprocess: Preprocess, *, workers: int
    ) -> Iterator[DecodeEvent]:
        for event in decode(jobs, preprocess, workers=0):
            with Library.open_readonly(library) as opened:
                row = opened.video(event.key)
            if row is not None and row.path.endswith(name):
                yield Failed(event.key, reason, kind)
            else:
                yield event

    return dying


def raise_on_blue(picture: Picture) -> Picture:
    if nearest_colour(picture) == "blue":
        raise RuntimeError("blue is too much")
    return shrink(picture)


def slow(picture: Picture) -> Picture:
    time.sleep(0.3)
    return shrink(picture)


def tell_process(picture: Picture) -> Picture:
    """The worker's process id, and whether it has loaded torch."""
    known = [os.getpid() >> 16 & 255, os.getpid() >> 8 & 255, os.getpid() & 255]
    return np.array([[known, [0, 0, "torch" in sys.modules]]], np.uint8)


def process_in(picture: Picture) -> int:
    high, middle, low = (int(value) for value in picture[0, 0])
    return high << 16 | middle << 8 | low


class Counting:
    """Passes pictures on whole and writes one byte per picture into a file."""

    def __init__(self, log: Path) -> None:
        self.log = log

    def __call__(self, picture: Picture) -> Picture:
        with self.log.open("ab") as file:
            file.write(b".")
        return picture


class Unloadable:
    """Travels to a worker and cannot be made there."""

    def __call__(self, picture: Picture) -> Picture:
        return picture

    def __reduce__(self) -> tuple[object, ...]:
        return (_refuse, ())


def _refuse() -> None:
    raise ImportError("no such model here")
