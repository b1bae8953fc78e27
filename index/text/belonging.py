"""Which recording of a transcript a video is, if any."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from ..errors import TextError
from ..files import shown
from .testimony import Recording, Transcript

_SAME_LENGTH_S = 0.5
"""Two encodings of one recording differ by less."""


@dataclass(frozen=True)
class VideoFacts:
    """What tells a video from the others that a transcript may speak of."""

    path: bytes
    size_bytes: int
    duration_s: float


def recording_of(
    transcript: Transcript, path: bytes, video: VideoFacts, *, chosen: bool = False
) -> str | None:
    """The id of the recording that a video is.

    By the name of the file that the transcript gives, then by its size, then by its
    length; what fits two recordings alike tells nothing. A transcript of one recording
    also belongs to the video that it is named after.

    Args:
        transcript: What was read.
        path: The transcript's own file.
        video: A video that it may speak of.
        chosen: A person said that they belong together.

    Returns:
        The id, ``""`` where the transcript does not tell recordings apart, and None when
        it speaks of other videos.

    Raises:
        TextError: They belong together, and it cannot be told which recording the video is.
    """
    recordings = transcript.recordings or _unnamed(transcript)
    named = chosen or _stem(path) == _stem(video.path)
    found = _matching(recordings, video)
    if found is not None:
        return found.id
    if not named:
        return None
    if len(recordings) == 1:
        return recordings[0].id
    told = ", ".join(_told(recording) for recording in recordings)
    raise TextError(
        f"it speaks of {len(recordings)} recordings ({told}), and it cannot be told which of them "
        f"{shown(_name(video.path))} is.",
        "Give the video the file name of its recording and index it again.",
    )


def _matching(recordings: Sequence[Recording], video: VideoFacts) -> Recording | None:
    name = os.fsdecode(_name(video.path)).casefold()
    stem = _stem(video.path)
    ways: tuple[Callable[[Recording], bool], ...] = (
        lambda recording: recording.name.casefold() == name,
        lambda recording: bool(recording.name) and _stem(recording.name.encode()) == stem,
        lambda recording: recording.size_bytes == video.size_bytes,
        lambda recording: _as_long(recording, video),
    )
    left = list(recordings)
    for way in ways:
        fitting = [recording for recording in left if way(recording)]
        if len(fitting) == 1:
            return fitting[0]
        # Of two files of one name the size or the length may tell which.
        left = fitting or left
    return None


def _as_long(recording: Recording, video: VideoFacts) -> bool:
    known = recording.duration_s
    return known is not None and abs(known - video.duration_s) < _SAME_LENGTH_S


def _unnamed(transcript: Transcript) -> tuple[Recording, ...]:
    """Recordings that the lines count and no list names."""
    ids = dict.fromkeys(line.recording for line in transcript.lines if line.start_s is not None)
    return tuple(Recording(id, "") for id in ids) or (Recording("", ""),)


def _name(path: bytes) -> bytes:
    return path.rpartition(b"/")[2]


def _stem(path: bytes) -> str:
    return PurePosixPath(os.fsdecode(_name(path))).stem.casefold()


def _told(recording: Recording) -> str:
    name = recording.name or f"recording {recording.id}"
    return f"{name}, {recording.duration_s:.0f} s" if recording.duration_s else name
