"""What an index run would listen to and read, and about how long that would take.

Estimates from above: silence is skipped, and a screen that stands still is read once.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..passages import ScreenReader
from ..sampling.jobs import DecodeJob
from ..sampling.readable import as_it_is
from ..sampling.sounds import SoundJob, measured
from ..sampling.workers import Failed, Frames, decode
from ..store.library import Library
from ..text.screen_reading import Budget
from ..types import VideoRow
from .forecast import Workload
from .kinds import is_sound
from .progress import IndexOptions
from .scan import Candidate
from .screen_pass import without_screen_text
from .screen_queue import READ_PX
from .sound_files import TextsBeside

_MEASURED = 4
"""Most sound files that are read to learn how long they are."""
_LOOKED_AT = 2
"""Most videos of which a picture is read to learn how long reading takes."""


@dataclass(frozen=True)
class Speed:
    """How fast a model transcribes."""

    times_real_time: float | None
    """On this machine, about; None where that was never measured."""

    def takes_s(self, sound_s: float) -> float | None:
        """Seconds for so much sound."""
        return None if not self.times_real_time else sound_s / self.times_real_time


@dataclass(frozen=True)
class WordsAhead:
    """What a run would take for words; None where nobody can tell."""

    sound_s: float | None = 0.0
    """Seconds of the files of sound alone that are new."""
    speech_s: float | None = 0.0
    """Seconds of sound that would be listened to."""
    listen_s: float | None = 0.0
    """How long that takes, at most."""
    screen_s: float | None = 0.0
    """Seconds of video whose screen would be read."""
    read_s: float | None = 0.0
    """How long that takes, at most."""


def words_ahead(
    library: Library | None,
    work: Workload,
    video_s: float | None,
    options: IndexOptions,
    *,
    speech: Speed | None,
    reader: ScreenReader | None,
) -> WordsAhead:
    """Works out what a run does about words.

    Args:
        library: Open for reading; None where there is none yet.
        work: What it would read.
        video_s: Seconds of new video; None where nobody can tell.
        options: Of the run.
        speech: How fast speech is transcribed; None where it is not.
        reader: Reads the screen; None where nobody does.
    """
    known = [] if library is None else library.videos(searchable=True)
    here = [video for video in known if video.path in work.unchanged_paths]
    sound_s = _sound_s(work.sounds)
    speech_s: float | None = 0.0
    listen_s: float | None = 0.0
    if speech is not None:
        silent = sum(video.duration_s for video in _unheard(library, here))
        new_s = None if video_s is None or sound_s is None else video_s + sound_s
        share = _share_without_texts((*work.to_read, *work.sounds), options)
        speech_s = None if new_s is None else silent + share * new_s
        listen_s = None if speech_s is None else speech.takes_s(speech_s)
    screen_s: float | None = 0.0
    read_s: float | None = 0.0
    if reader is not None:
        pictured = [video for video in here if not is_sound(video) and not video.coarse]
        unread = [] if library is None else without_screen_text(library, pictured, options.retry)
        screen_s = None
        if video_s is not None:
            screen_s = video_s + sum(video.duration_s for video in unread)
        paths = [file.path for file in work.to_read] + [video.path for video in unread]
        one_s = _one_reading_s(reader, paths) if screen_s else 0.0
        read_s = None
        if screen_s is not None and one_s is not None:
            read_s = screen_s / Budget.EVERY_S * one_s
    return WordsAhead(sound_s, speech_s, listen_s, screen_s, read_s)


def _sound_s(sounds: Sequence[Candidate]) -> float | None:
    """Seconds of all sound files, by their size as far as they were not read."""
    if not sounds:
        return 0.0
    largest = sorted(sounds, key=lambda file: -file.stat.size_bytes)
    every = max(1, -(-len(largest) // _MEASURED))
    sample = largest[::every]
    jobs = [SoundJob(number, file.path) for number, file in enumerate(sample)]
    length_s, size_bytes = 0.0, 0
    for number, facts in measured(jobs):
        if not isinstance(facts, Failed):
            length_s += facts[1].duration_s
            size_bytes += sample[number].stat.size_bytes
    if not size_bytes:
        return None
    return length_s * sum(file.stat.size_bytes for file in sounds) / size_bytes


def _unheard(library: Library | None, videos: Iterable[VideoRow]) -> list[VideoRow]:
    """Videos of which nobody has written down what is said."""
    if library is None:
        return []
    heard = {
        text.video_id
        for text in library.text_rows()
        if text.source.channel == "speech"
        and text.state in ("visible", "failed")
        and (text.source.kind == "transcribed" or (text.state == "visible" and text.passages))
    }
    return [video for video in videos if video.id not in heard]


def _share_without_texts(files: Sequence[Candidate], options: IndexOptions) -> float:
    """How much of the new files, by size, has no text with times beside it."""
    size_bytes = sum(file.stat.size_bytes for file in files)
    if not size_bytes or not options.texts:
        return 1.0
    beside = TextsBeside(options, files)
    told = sum(file.stat.size_bytes for file in files if beside.has_text(file.path, named=False))
    return 1 - told / size_bytes


def _one_reading_s(reader: ScreenReader, paths: Sequence[bytes]) -> float | None:
    """Seconds that reading a picture takes, of some of these videos."""
    jobs = [
        DecodeJob(number, path, 1.0, end_s=0.5, read_px=READ_PX, only_read=True)
        for number, path in enumerate(paths[:_LOOKED_AT])
    ]
    pictures = [
        picture
        for event in decode(jobs, as_it_is, workers=1)
        if isinstance(event, Frames)
        for picture in event.readable
        if picture is not None
    ]
    if not pictures:
        return None
    reader.read(pictures[0])  # loads the model, which is not to be measured
    started_s = time.monotonic()
    for picture in pictures:
        reader.read(picture)
    return (time.monotonic() - started_s) / len(pictures)
