"""Writes down what is said in videos of which nobody else has written it.

It comes last and touches nothing that can be searched already: pictures stay, whatever
happens here. Each ten minutes are one commit, so that a run that ends anywhere goes on there.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import NoSpaceError
from ..failpoints import reached
from ..passages import Passage, Sound, TextSource, TextTrack, Transcriber
from ..sampling.sounds import SoundError, SoundSource
from ..store.library import Library
from ..store.text_rows import TextRow
from ..types import VideoRow
from .kinds import is_sound
from .progress import IndexObserver, IndexOptions, IndexProgress
from .scan import Candidate, Problem
from .speech_windows import LONGEST_S, RATE, spoken, windows

_COMMIT_S = 600.0
"""Seconds of sound between two commits."""
_AT_ONCE = 8
"""Windows that the model gets together."""
_JOINED_S = 0.02
"""Pieces of sound that lie closer are one."""
_INNOCENT = ("device", "stuck", "ended")
"""Ends of a worker that no file is to blame for."""
_FAULTS = (RuntimeError, ValueError, IndexError, ArithmeticError)
"""What a model raises that a piece of sound is too much for."""


@dataclass
class SpeechCounts:
    """What became of the videos so far."""

    videos: int = 0
    passages: int = 0
    sound_s: float = 0.0
    failed: int = 0
    silent: int = 0
    """Of the videos, those in which nobody speaks."""
    sounds: int = 0
    """Of the videos, those that are sound alone."""


@dataclass
class _Piece:
    """Sound without a hole, with the time at which it begins."""

    start_s: float
    sounds: list[Sound] = field(default_factory=list)
    samples: int = 0

    @property
    def end_s(self) -> float:
        return self.start_s + self.samples / RATE

    def add(self, sound: Sound) -> None:
        self.sounds.append(sound)
        self.samples += len(sound)

    def taken(self) -> Sound:
        return np.concatenate(self.sounds) if self.sounds else np.zeros(0, np.float32)


class SpeechPass:
    """Speech of one run's videos; `counts` is right at every moment.

    Args:
        library: Open for writing.
        transcriber: Sound to words.
        options: Of the run.
        observer: Told about progress.
        report_problem: Told of sound that cannot be used.
    """

    def __init__(
        self,
        library: Library,
        transcriber: Transcriber,
        options: IndexOptions,
        observer: IndexObserver,
        report_problem: Callable[[Problem], None],
    ) -> None:
        self.counts = SpeechCounts()
        self._library, self._transcriber = library, transcriber
        self._language = options.language
        self._options, self._observer = options, observer
        self._report_problem = report_problem
        self._started_s = time.monotonic()
        self._heard: Counter[str] = Counter()
        """Letters in each language, of the video that is being transcribed."""

    def run(self, here: Iterable[Candidate]) -> None:
        """Transcribes all videos of the run that can be searched and have no words of speech.

        Args:
            here: Files that the run met.

        Raises:
            ModelError: The transcriber cannot be used.
            NoSpaceError: The disk is full; what was written before is kept.
        """
        work = self._work({candidate.path for candidate in here})
        if not work:
            return
        workers = 1 if self._options.workers is None else min(1, self._options.workers)
        with SoundSource(workers) as source:
            for number, video in enumerate(work):
                self._tell(video, 0.0, number, len(work))
                try:
                    self._transcribe(video, source, number, len(work))
                except SoundError as error:
                    self._give_up(video, error)
                except NoSpaceError:
                    raise
                except _FAULTS as error:
                    self._fail(video, f"the speech model failed on it ({error})")

    def _work(self, here: set[bytes]) -> list[VideoRow]:
        copies: dict[int, list[bytes]] = {}
        for copy in self._library.copies():
            copies.setdefault(copy.video_id, []).append(copy.path)
        return [
            video
            for video in self._library.videos(searchable=True)
            if not here.isdisjoint([video.path, *copies.get(video.id, [])]) and self._wanted(video)
        ]

    def _wanted(self, video: VideoRow) -> bool:
        for text in self._library.text_rows(video.id):
            if text.source.channel != "speech":
                continue
            if text.source.origin != "machine" and text.state == "visible" and text.passages:
                return False  # somebody has written it down already
            if self._is_current(text, video):
                return text.state == "failed" and self._options.retry
        return True

    def _is_current(self, text: TextRow, video: VideoRow) -> bool:
        # The language that a model heard is known only afterwards.
        source = replace(text.source, language=self._source.language)
        made = (source, text.settings, text.fingerprint)
        return text.state != "staged" and made == (
            self._source,
            self._settings,
            video.fingerprint,
        )

    @property
    def _source(self) -> TextSource:
        known = self._transcriber.languages()
        language = self._language or (next(iter(known)) if len(known) == 1 else "")
        return TextSource(
            "speech",
            "transcribed",
            "machine",
            language=language,
            engine=self._transcriber.engine,
        )

    @property
    def _settings(self) -> str:
        return f"language {self._language or 'heard'}"

    def _transcribe(self, video: VideoRow, source: SoundSource, number: int, total: int) -> None:
        text = self._library.stage_text(video.id, self._source, self._settings)
        self._heard.clear()
        heard = text.passages
        covered_s = begun_s = text.covered_s
        for piece, is_last in self._long_pieces(source.pieces(video.path, covered_s)):
            passages, covered_s = self._passages(piece, is_last)
            self._library.append_passages(text.id, "speech", passages, covered_s)
            reached("after_speech_commit")
            heard += len(passages)
            self.counts.sound_s += max(0.0, covered_s - begun_s)
            begun_s = covered_s
            self._tell(video, covered_s, number, total)
        end_s = max(covered_s, video.duration_s)
        spoken = self._source.language or next((code for code, _ in self._heard.most_common(1)), "")
        told = replace(self._source, language=spoken)
        self._library.publish_text(text.id, TextTrack(told, (), end_s))
        self.counts.videos += 1
        self.counts.passages += heard
        self.counts.silent += not heard
        self.counts.sounds += is_sound(video)

    def _long_pieces(self, pieces: Iterator[tuple[float, Sound]]) -> Iterator[tuple[_Piece, bool]]:
        """About ten minutes each; what a piece leaves of its sound begins the next one.

        Yields:
            A piece, and whether its end is the end of the sound, or a hole in it.
        """
        current: _Piece | None = None
        for start_s, sound in pieces:
            if current is not None and abs(start_s - current.end_s) > _JOINED_S:
                yield current, True
                current = None
            current = _Piece(start_s) if current is None else current
            current.add(sound)
            if current.end_s - current.start_s >= _COMMIT_S:
                yield current, False
        if current is not None and current.samples:
            yield current, True

    def _passages(self, piece: _Piece, is_last: bool) -> tuple[list[Passage], float]:
        """What is said in a piece, and up to when; a sentence at its end waits for the rest."""
        sound = piece.taken()
        length_s = len(sound) / RATE
        speech = self._transcriber.speech(sound)
        cut = windows(speech, sound)
        done_s = length_s
        if not is_last and cut and cut[-1].end_s > length_s - LONGEST_S:
            done_s = cut.pop().start_s
        found: list[Passage] = []
        for first in range(0, len(cut), _AT_ONCE):
            batch = cut[first : first + _AT_ONCE]
            written = self._transcriber.transcribe(
                [window.of(sound) for window in batch], self._language
            )
            for window, passages in zip(batch, written, strict=True):
                kept = spoken(passages, window.start_s, speech)
                found += [_shifted(passage, piece.start_s) for passage in kept]
        for passage in found:
            self._heard[passage.language] += len(passage.body)
        rest = sound[round(done_s * RATE) :]
        piece.start_s, piece.sounds, piece.samples = piece.start_s + done_s, [rest], len(rest)
        return found, piece.start_s

    def _give_up(self, video: VideoRow, error: SoundError) -> None:
        if error.failed.kind in _INNOCENT:
            reason = f"its sound could not be read: {error.failed.reason}"
            self.counts.failed += 1
            self._report_problem(Problem(video.path, f"{reason}; the next run tries once more"))
            return
        self._fail(video, error.failed.reason)

    def _fail(self, video: VideoRow, reason: str) -> None:
        self._library.fail_text(video.id, self._source, reason, settings=self._settings)
        self.counts.failed += 1
        what = f"its speech was not transcribed: {reason}; --retry tries again"
        self._report_problem(Problem(video.path, what))

    def _tell(self, video: VideoRow, covered_s: float, number: int, total: int) -> None:
        share = min(1.0, covered_s / video.duration_s) if video.duration_s > 0 else 0.0
        self._observer.progress(
            IndexProgress(
                files_done=number,
                files_total=total,
                video_s=self.counts.sound_s,
                share_done=(number + share) / total,
                frames=0,
                frames_encoded=0,
                elapsed_s=time.monotonic() - self._started_s,
                current=video.path,
                speech=True,
            )
        )


def _shifted(passage: Passage, by_s: float) -> Passage:
    words = tuple(
        replace(word, start_s=word.start_s + by_s, end_s=word.end_s + by_s)
        for word in passage.words
    )
    return replace(passage, start_s=passage.start_s + by_s, end_s=passage.end_s + by_s, words=words)
