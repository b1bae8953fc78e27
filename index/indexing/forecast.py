"""What an index run would read, and how long it would take: looked at and measured, not done.

Nothing is written. A few files are opened, a few seconds of the largest are decoded and a few
pictures go through the model; the rest is arithmetic.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..files import FileStat
from ..media.fingerprint import WHOLE_BYTES, fingerprint
from ..sampling.jobs import DecodeJob
from ..sampling.workers import Failed, Finished, Frames, Opened, decode
from ..store.library import Library
from ..types import Encoder, Picture
from .absence import missing, prunable
from .kinds import sounds_by_name
from .progress import IndexOptions
from .scan import Candidate, Problem, scan
from .sound_files import with_sounds

_OPENED = 12
"""Most files that are opened to learn how long they are."""
_TIMED = 2
"""Of those, how many are decoded for a while: the largest."""
_STRETCH_S = 4.0
_TIME_BYTES = 8
"""Of a frame's time in the library, beside its float16 vector."""
_EMPTY_BYTES = 300_000
"""Of a library before its first frame."""
_QUICK_S = 0.1
"""A picture that takes longer than this on its own is not measured in batches."""


@dataclass(frozen=True)
class Workload:
    """The files of a run, by what would become of them."""

    to_read: tuple[Candidate, ...]
    new: int = 0
    changed: int = 0
    """Written to since they were indexed, or waiting for another try."""
    unchanged: int = 0
    failed_before: int = 0
    known_content: int = 0
    """Moved here, or the duplicate of a file that is indexed: compared, not decoded."""
    skipped: int = 0
    forgotten: tuple[bytes, ...] = ()
    """Videos that pruning would forget: their files are gone, and did not only move."""
    problems: tuple[Problem, ...] = ()
    sounds: tuple[Candidate, ...] = ()
    """Files of sound alone that would be read too."""
    unchanged_paths: frozenset[bytes] = frozenset()

    @property
    def size_bytes(self) -> int:
        """Of all videos that would be read."""
        return sum(candidate.stat.size_bytes for candidate in self.to_read)


@dataclass(frozen=True)
class Forecast:
    """What a run over a workload would take on this machine; None where nobody can tell."""

    video_s: float | None
    """Seconds of video; an estimate by size unless all files were opened."""
    opened: int
    """Files that were opened for it."""
    frames: int | None
    decode_s: float | None
    encode_s: float | None
    """At most: frames that show nothing new are not encoded."""
    disk_bytes: int | None
    """Library and search index."""

    @property
    def takes_s(self) -> float | None:
        """Decoding and encoding go on side by side; the slower one decides."""
        if self.decode_s is None or self.encode_s is None:
            return None
        return max(self.decode_s, self.encode_s)


def workload(
    library: Library | None,
    paths: Sequence[Path],
    options: IndexOptions,
    *,
    transcribes: bool = False,
) -> Workload:
    """Which files a run would read.

    Args:
        library: Open for reading; None where there is none yet.
        paths: Folders and files.
        options: Of the run.
        transcribes: Whether it writes down what is said.
    """
    settled = {} if library is None else library.settled_files()
    videos = [] if library is None else library.videos()
    failed = {
        video.path
        for video in videos
        if video.status in ("failed", "set aside") or (video.status == "indexed" and video.coarse)
    }
    if options.retry:
        settled = {path: stat for path, stat in settled.items() if path not in failed}
    found = scan(
        paths,
        options.exclude,
        lambda path, stat: path in settled and settled[path].same_content_as(stat),
    )
    found = with_sounds(found, library, options, transcribes=transcribes)
    known = {video.path for video in videos} | set(settled)
    sizes = {video.size_bytes for video in videos}
    counts: Counter[str] = Counter()
    to_read: list[Candidate] = []
    met: set[int] = set()
    unchanged: set[bytes] = set()
    for candidate in found.candidates:
        path, stat = candidate.path, candidate.stat
        if path in settled and settled[path].same_content_as(stat):
            counts["failed_before" if path in failed else "unchanged"] += 1
            unchanged.add(path)
        elif options.retry and path in failed:
            counts["changed"] += 1
            to_read.append(candidate)
        elif stat.size_bytes in sizes and (twins := _twins(library, path, stat)):
            met |= twins
            counts["failed_before" if path in failed else "known_content"] += 1
        else:
            counts["changed" if path in known else "new"] += 1
            to_read.append(candidate)
    skipped = sum(found.skipped.values())
    forgotten: list[bytes] = []
    if library is not None and options.prune:
        given_up = [os.path.realpath(os.fsencode(path)) for path in paths]
        absence = missing(library, found.roots, found.unreadable, given_up)
        gone = [video for video in absence.gone if video.id not in met]
        forgotten = [video.path for video in prunable(library, gone, absence.gone_copies)]
    return Workload(
        tuple(file for file in to_read if not sounds_by_name(file.path)),
        **counts,
        skipped=skipped,
        forgotten=tuple(sorted(forgotten)),
        problems=found.problems,
        sounds=tuple(file for file in to_read if sounds_by_name(file.path)),
        unchanged_paths=frozenset(unchanged),
    )


def _twins(library: Library | None, path: bytes, stat: FileStat) -> set[int]:
    """Videos with which a run would only compare the file, so far as it tells without reading."""
    if library is None:
        return set()
    try:
        identity = fingerprint(path)
    except OSError:
        return set()
    return {
        twin.id
        for twin in library.videos_by_fingerprint(identity)
        if twin.fingerprint == identity
        and (twin.status == "indexed" or (twin.path == path and twin.status != "waiting"))
        and (
            stat.size_bytes <= WHOLE_BYTES
            or stat.mtime_ns == twin.mtime_ns
            or bool(library.content_digest(twin.id))
        )
    }


def forecast(work: Workload, options: IndexOptions, encoder: Encoder | None, dim: int) -> Forecast:
    """Measures a little and works out the rest.

    Args:
        work: What would be read; its files are opened in a decoder process, as always.
        options: Of the run.
        encoder: The model; None where it is not on this machine.
        dim: Channels of a vector; 0 where that is not known.
    """
    if not work.to_read:
        return Forecast(0.0, 0, 0, 0.0, 0.0, 0)
    sample = _Sample(work.to_read, options, encoder)
    video_s = sample.video_s(work)
    frames = None if video_s is None else round(video_s / options.step_s)
    given = os.cpu_count() if encoder is None else encoder.decode_workers
    workers = options.workers or given or 1
    decode_s = sample.decode_s_per_video_s
    encode_s = None if encoder is None else _encode_s(encoder, sample.pictures)
    disk_bytes = None
    if frames is not None and dim:
        disk_bytes = _EMPTY_BYTES + frames * 2 * (2 * dim + _TIME_BYTES)
    return Forecast(
        video_s=video_s,
        opened=len(sample.lengths_s),
        frames=frames,
        decode_s=None if video_s is None or decode_s is None else video_s * decode_s / workers,
        encode_s=None if frames is None or encode_s is None else frames * encode_s,
        disk_bytes=disk_bytes,
    )


class _Sample:
    """A few of the files: how long they are, and what decoding some of them costs."""

    def __init__(
        self, files: Sequence[Candidate], options: IndexOptions, encoder: Encoder | None
    ) -> None:
        by_size = sorted(files, key=lambda file: -file.stat.size_bytes)
        every = max(1, -(-len(by_size) // _OPENED))
        self._files = by_size[::every]
        self.lengths_s: dict[int, float] = {}
        self.pictures: list[Picture] = []
        self._decoded_s = self._took_s = 0.0
        started_s = 0.0
        preprocess = _corner if encoder is None else encoder.preprocess
        for event in decode(self._jobs(options), preprocess, workers=1):
            timed = event.key >= len(self._files)
            if isinstance(event, Opened):
                started_s = time.monotonic()
                if event.info.duration_s and not timed:
                    self.lengths_s[event.key] = event.info.duration_s
            elif isinstance(event, Frames) and timed:
                self.pictures += [picture for picture in event.pictures if picture is not None]
            elif isinstance(event, Failed):
                self.lengths_s.pop(event.key, None)
            elif isinstance(event, Finished) and timed:
                length_s = self.lengths_s.get(event.key - len(self._files), _STRETCH_S)
                self._decoded_s += min(_STRETCH_S, length_s)
                self._took_s += time.monotonic() - started_s

    def _jobs(self, options: IndexOptions) -> Iterator[DecodeJob]:
        """A glance into every file, which warms the decoder up too; then the measured stretches."""
        step_s, hwaccel = options.step_s, options.hwaccel
        for number, file in enumerate(self._files):
            yield DecodeJob(number, file.path, step_s, end_s=step_s / 2, hwaccel=hwaccel)
        for number in list(self.lengths_s)[:_TIMED]:
            key, path = len(self._files) + number, self._files[number].path
            yield DecodeJob(key, path, step_s, end_s=_STRETCH_S, hwaccel=hwaccel)

    def video_s(self, work: Workload) -> float | None:
        """Seconds of video in all files, by their size as far as they were not opened."""
        if not self.lengths_s:
            return None
        size_bytes = sum(self._files[number].stat.size_bytes for number in self.lengths_s)
        length_s = sum(self.lengths_s.values())
        if len(self._files) == len(work.to_read):
            return length_s
        return work.size_bytes * length_s / max(1, size_bytes)

    @property
    def decode_s_per_video_s(self) -> float | None:
        """What one decoder takes for a second of video."""
        return self._took_s / self._decoded_s if self._decoded_s else None


def _encode_s(encoder: Encoder, pictures: Sequence[Picture]) -> float | None:
    """Seconds that the model takes for a picture."""
    if not pictures:
        return None
    encoder.encode_pictures(pictures[:1])  # loads the weights, which is not to be measured
    took_s = _timed(encoder, pictures[:1])
    if took_s > _QUICK_S:
        return took_s
    batch = [pictures[number % len(pictures)] for number in range(encoder.batch_size)]
    return _timed(encoder, batch) / len(batch)


def _timed(encoder: Encoder, pictures: Sequence[Picture]) -> float:
    started_s = time.monotonic()
    encoder.encode_pictures(pictures)
    return time.monotonic() - started_s


def _corner(picture: Picture) -> Picture:
    """Stands for the preprocessing of a model that is not here."""
    return picture[:1, :1]
