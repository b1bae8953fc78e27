"""What is said and shown in words: passages of text with their times, and who makes them.

Seconds count from the first presented frame of the video, as everywhere outside
`index.media`. A passage is a cue, a line of testimony, a spoken sentence, a line on
the screen or a chapter; a track is everything that one source says about one video.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

Channel = Literal["speech", "screen", "chapter"]
"""What was said, what stood on the screen, what a stretch of video is called."""
Kind = Literal["sidecar", "embedded", "dvt", "pageline", "chapters", "transcribed", "read"]
"""Where a text comes from: a file beside the video, a stream in it, a synchronised deposition,
page:line text, chapters, our own transcription, our own reading of the screen."""
Origin = Literal["person", "automatic", "machine"]
"""Who wrote it: a person, somebody else's machine (automatic captions), or this program."""
TimeQuality = Literal["exact", "cue", "aligned", "interpolated"]
"""How well the times of a passage are known: to the word or line, to the cue, by alignment with
what was heard, or between two such."""


@dataclass(frozen=True)
class Word:
    """A word of a passage whose time is known by itself."""

    first: int
    """Where it begins in the passage's ``body``, in characters."""
    length: int
    """Characters."""
    start_s: float
    end_s: float
    confidence: float = 1.0
    """0 to 1; 1 where a person wrote it."""


@dataclass(frozen=True, order=True)
class Place:
    """A line of a printed transcript."""

    page: int
    line: int


@dataclass(frozen=True)
class Passage:
    """Words that belong together, with their time ``[start_s, end_s)``."""

    start_s: float
    end_s: float
    body: str
    """Plain text without markup; may hold several lines."""
    speaker: str = ""
    """Who speaks, as the source names them; ``Q`` and ``A`` in testimony without names."""
    confidence: float = 1.0
    words: tuple[Word, ...] = ()
    first: Place | None = None
    """First printed line of it, in testimony alone."""
    last: Place | None = None
    """Last printed line of it."""
    quality: TimeQuality = "cue"
    box: tuple[float, float, float, float] | None = None
    """Left, top, right and bottom as shares of the picture, for text on the screen."""
    language: str = ""
    """As a model heard it, where it tells; it is kept of a whole text, not of each passage."""


@dataclass(frozen=True)
class Testimony:
    """What a deposition's transcript says about itself."""

    witness: str
    """Last name, as citations give it: ``Smith``."""
    volume: str = ""
    taken_on: str = ""
    """Date as the transcript spells it."""
    lines_per_page: int = 25


@dataclass(frozen=True)
class TextSource:
    """Which text this is. Two tracks of one video with equal sources replace one another."""

    channel: Channel
    kind: Kind
    origin: Origin
    path: bytes = b""
    """File that it was read from; empty for what is in the video or made by ourselves."""
    stream: int | None = None
    """Stream of the container, for embedded text."""
    language: str = ""
    """As the source says it: ``en``, ``pt-BR``; empty when unknown."""
    engine: str = ""
    """Model that transcribed or read it, with its revision."""

    @property
    def key(self) -> str:
        """Tells the texts of one video apart; the same for a newer reading of the same source."""
        place = self.path.hex() if self.path else "" if self.stream is None else str(self.stream)
        return f"{self.channel}/{self.kind}/{place}"


@dataclass(frozen=True)
class TextTrack:
    """Everything that one source says about one video, in order of time."""

    source: TextSource
    passages: tuple[Passage, ...]
    covered_s: float
    """Seconds of the video that the source speaks for: all of it for a file that a person made."""
    encoding: str = ""
    """How the bytes were read, for people: ``utf-8``, ``windows-1252 (guessed)``."""
    testimony: Testimony | None = None
    notes: tuple[str, ...] = ()
    """For people: what was left out, and why."""
    changes_s: tuple[float, ...] = ()
    """For the screen: times at which a picture was read."""
    clock: tuple[tuple[float, str], ...] = ()
    """For the screen: a clock burnt into the picture, as (time, ISO 8601 local time)."""


@dataclass(frozen=True)
class Quote:
    """Words of a video that answer a query."""

    body: str
    """What is said or written there, in one line, cut where it is long."""
    matched: tuple[tuple[int, int], ...]
    """First character and length of each word of it that was asked for."""
    speaker: str
    source: TextSource
    quality: TimeQuality
    citation: str
    """Page and line in testimony, ``Smith 14:15-16:1``; empty for anything else."""


Sound = npt.NDArray[np.float32]
"""One channel at 16,000 samples a second, float32 [N], -1 to 1."""


@dataclass(frozen=True)
class Speech:
    """A stretch of sound in which somebody speaks."""

    start_s: float
    end_s: float


class Transcriber(Protocol):
    """Sound to words. Loads weights only when first asked to transcribe."""

    @property
    def engine(self) -> str:
        """Model and revision, as it is written to the library."""
        ...

    def languages(self) -> frozenset[str]:
        """Two-letter codes that it can write; empty when it may be any."""
        ...

    def speech(self, sound: Sound) -> tuple[Speech, ...]:
        """Where somebody speaks in a piece of sound, in seconds of that piece."""
        ...

    def transcribe(self, pieces: list[Sound], language: str) -> list[tuple[Passage, ...]]:
        """What is said in each piece, times in seconds of the piece; ``""`` lets it decide."""
        ...


@dataclass(frozen=True)
class ReadLine:
    """A line of text that was read in one picture."""

    body: str
    confidence: float
    box: tuple[float, float, float, float]
    """Left, top, right and bottom as shares of the picture."""


class ScreenReader(Protocol):
    """Pictures to lines of text. Loads its model only when first asked to read."""

    @property
    def engine(self) -> str:
        """Model and version, as it is written to the library."""
        ...

    def read(self, picture: npt.NDArray[np.uint8]) -> tuple[ReadLine, ...]:
        """Lines of one upright RGB picture, uint8 [H, W, 3], from top to bottom."""
        ...


SoundPieces = Callable[[], Iterator[tuple[float, Sound]]]
"""Pieces of a video's sound with the time at which each begins."""
