"""The words that every module shares: frozen data and the two model protocols.

Seconds count from the first presented frame of a video. A span is
``[start_s, end_s)`` with ``0 <= start_s < end_s <= duration_s``. Shapes use
``T`` frames, ``L`` query tokens, ``D`` channels, ``N`` items.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from .passages import Quote
from .rivals import Null as Null
from .rivals import Rivals as Rivals

Picture = npt.NDArray[np.uint8]
"""One upright RGB picture, uint8 [H, W, 3]."""
Vectors = npt.NDArray[np.float32]
"""L2-normalised embeddings, float32 [N, D] (or [D] for one)."""
Times = npt.NDArray[np.float64]
"""Presentation times in seconds, float64 [N], strictly rising within a video."""
Preprocess = Callable[[Picture], Picture]
"""Shrinks an upright picture to what the model sees; picklable, used in decode workers."""


@dataclass(frozen=True)
class EmbeddingSpace:
    """Identity of the vectors in a library: vectors compare only within one space."""

    backbone: str
    """Hub id, preset folder or ``demo``."""
    revision: str
    """Digest of the model's weights, configuration and tokenizer; in libraries made before there
    was one, the commit of a hub snapshot."""
    preprocessing: str
    """What is done to a picture before the vision tower, in words that are compared."""
    adapter: str
    """Digest of the LoRA adapter, empty without one."""
    dim: int
    """Channels of a vector."""
    logit_scale: float = field(default=1.0, compare=False)
    """SigLIP's own scale, already exponentiated: logit = scale * cosine + bias."""
    logit_bias: float = field(default=0.0, compare=False)
    """SigLIP's own bias."""
    commit: str = field(default="", compare=False)
    """Commit of the hub snapshot that was used; empty for a folder. Two may hold the same model."""

    @property
    def id(self) -> str:
        """Sixteen hex digits that are equal exactly when two spaces are."""
        words = [self.backbone, self.revision, self.preprocessing, self.adapter, str(self.dim)]
        return hashlib.blake2b("\0".join(words).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class Span:
    """A stretch of one video, ``[start_s, end_s)``."""

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        if not 0 <= self.start_s < self.end_s:
            raise ValueError(
                f"span must satisfy 0 <= start < end, not {self.start_s}, {self.end_s}"
            )

    @property
    def length_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s

    def overlap_s(self, other: Span) -> float:
        """Seconds that two spans of one video share."""
        return max(0.0, min(self.end_s, other.end_s) - max(self.start_s, other.start_s))

    def iou(self, other: Span) -> float:
        """Intersection over union of two spans of one video, 0 to 1."""
        inter = self.overlap_s(other)
        return inter / (self.length_s + other.length_s - inter)


@dataclass(frozen=True)
class Evidence:
    """Which part of the query a stretch of video answers, and by what."""

    text: str
    span: Span
    presence: float
    channel: Literal["sight", "speech", "screen", "chapter"] = "sight"
    """Where it was found: in the pictures, or in one kind of text."""
    quote: Quote | None = None
    """The words; None for pictures."""


@dataclass(frozen=True)
class ScoredSpan:
    """A proposed moment."""

    span: Span
    score: float
    """Ranks proposals of one query over the whole library; higher is better."""
    presence: float
    """Calibrated probability, 0 to 1, that the described event is in this span."""
    witnesses: tuple[Evidence, ...] = ()
    """What it rests on where words do; empty where pictures alone do."""


@dataclass(frozen=True)
class Sentence:
    """Words through the text tower: a query, or a part of one."""

    text: str
    pooled: Vectors
    """float32 [D], L2-normalised, comparable with frame vectors."""
    tokens: Vectors
    """float32 [L, D], word-level tokens in the same space, valid ones only."""
    unread: str = ""
    """What of the text the model could not take in, for people; empty when it read all."""


@dataclass(frozen=True)
class Window:
    """Consecutive sampled frames of one video."""

    times_s: Times
    """float64 [T], true presentation times."""
    vectors: Vectors
    """float32 [T, D], L2-normalised."""
    step_s: float
    """Nominal spacing of the samples: 1.0 at 1 fps, 0.25 at 4 fps."""
    duration_s: float
    """Length of the whole video; no span may end later."""

    def __post_init__(self) -> None:
        if len(self.times_s) != len(self.vectors):
            raise ValueError(f"{len(self.times_s)} times for {len(self.vectors)} vectors")


@dataclass(frozen=True)
class Background:
    """How a sentence scores against the library as a whole (a fixed random sample of it)."""

    mean: float
    """Mean score of the library's frames: their cosine, or `Rivals.scores` where there are
    rivals."""
    std: float
    """Standard deviation of those scores."""
    frames: int
    """Frames in the library."""
    center: Vectors
    """float32 [D], mean frame vector of the library, not normalised."""
    logit_scale: float = 1.0
    """SigLIP's scale of this embedding space."""
    logit_bias: float = 0.0
    """SigLIP's bias of this embedding space."""
    rivals: Rivals | None = None
    """What a frame's score is compared with; None takes cosines as they are."""
    null: Null | None = None
    """What a best score is worth; None where nobody can say."""

    def scores(self, vectors: Vectors, pooled: Vectors) -> npt.NDArray[np.float32]:
        """Scores of frames, float32 [T], whose mean and deviation are given here."""
        if self.rivals is None:
            return np.asarray(vectors @ pooled, np.float32)
        return self.rivals.scores(vectors, pooled)


@dataclass(frozen=True)
class Localization:
    """What a localizer says about one window."""

    spans: tuple[ScoredSpan, ...]
    """Best first, already without near-duplicates; may be empty."""
    saliency: npt.NDArray[np.float32]
    """float32 [T], how well each frame fits the sentence."""


class Encoder(Protocol):
    """Frames to vectors, sentence to vectors. Loads weights only when first asked to encode."""

    @property
    def space(self) -> EmbeddingSpace:
        """Identity of the vectors; cheap: reads configuration, never weights."""
        ...

    @property
    def preprocess(self) -> Preprocess:
        """Picklable preprocessing that runs beside the decoder."""
        ...

    @property
    def batch_size(self) -> int:
        """Pictures per call that keep the device busy."""
        ...

    @property
    def decode_workers(self) -> int:
        """Decoder processes that keep it busy without taking its own cores."""
        ...

    def encode_pictures(self, pictures: Sequence[Picture]) -> Vectors:
        """Preprocessed pictures to float32 [N, D], L2-normalised, finite."""
        ...

    def encode_sentence(self, text: str) -> Sentence:
        """A sentence through the text tower (which loads without the vision tower)."""
        ...

    def encode_sentences(
        self, texts: Sequence[str], watch: Callable[[float], None] = ...
    ) -> list[Sentence]:
        """Many sentences at once, faster; near to `encode_sentence`, not the same to the last bit.

        `watch` is told the share that is done, 0 to 1.
        """
        ...


class Localizer(Protocol):
    """The vectors of one window and a sentence to scored spans."""

    @property
    def name(self) -> str:
        """Shown to people and written to results: ``training-free`` or a checkpoint's name."""
        ...

    @property
    def window_s(self) -> float:
        """Length of the windows it wants, in seconds."""
        ...

    @property
    def knows_model(self) -> bool:
        """True where its presence was fitted to this very model's cosines, as they are."""
        ...

    def localize(self, window: Window, sentence: Sentence, background: Background) -> Localization:
        """Proposes moments inside the window."""
        ...

    def localize_all(
        self, windows: Sequence[Window], sentence: Sentence, background: Background
    ) -> list[Localization]:
        """The same of many windows, which may be faster at once."""
        ...

    def tighten(
        self, proposal: ScoredSpan, window: Window, sentence: Sentence, background: Background
    ) -> ScoredSpan:
        """The same moment with edges placed on a finer window (4 fps) that surrounds it."""
        ...


@dataclass(frozen=True)
class VideoInfo:
    """Facts that a container declares or that opening it shows."""

    duration_s: float | None
    """Declared length; None when the container does not say. Never trusted for spans."""
    width: int
    """Pixels as shown, rotation and pixel aspect applied."""
    height: int
    """Pixels as shown, rotation and pixel aspect applied."""
    fps: float | None
    """Average frame rate where known."""
    codec: str
    container: str
    rotation: int
    """Degrees that the picture is turned for display: 0, 90, 180 or 270."""
    has_audio: bool


@dataclass(frozen=True)
class SamplingReport:
    """What sampling a video to its end showed."""

    duration_s: float
    """True end: last presented frame plus its own duration."""
    damaged_packets: int
    """Packets the decoder refused and that were skipped."""
    approximate_times: bool
    """True when presentation times were missing and the frame rate had to stand in."""
    note: str = ""
    """For people, e.g. ``truncated: 2.0 of 4.0 s readable``; empty when all is well."""


@dataclass(frozen=True)
class VideoRow:
    """One video as the library knows it."""

    id: int
    path: bytes
    """Absolute path as the file system spells it."""
    fingerprint: str
    status: str
    """``indexed``, ``waiting``, ``failed`` or ``set aside``."""
    reason: str
    """Why it failed, or a note such as a truncation; empty when all is well."""
    attempts: int
    absent: bool
    """True while the file cannot be found; its vectors are kept but not searched."""
    size_bytes: int
    mtime_ns: int
    duration_s: float
    width: int
    height: int
    fps: float | None
    codec: str
    container: str
    frames: int
    approximate_times: bool
    coarse: bool = False
    """Only key frames are indexed so far; frames are seconds apart."""
    also_at: tuple[bytes, ...] = ()
    """Other files with the same content; filled in by a search."""


@dataclass(frozen=True)
class Hit:
    """A moment found."""

    rank: int
    path: bytes
    fingerprint: str
    span: Span
    presence: float
    """Calibrated probability, 0 to 1."""
    score: float
    duration_s: float
    """Length of the video."""
    refined: bool
    """Edges were placed at 4 fps."""
    evidence: tuple[Evidence, ...]
    """One entry for each part of an order query; one for a plain query; more where words and
    pictures answer one part together."""
    coarse: bool = False
    """Found among key frames alone: its video is not indexed at the full rate yet."""
    also_at: tuple[bytes, ...] = ()
    """Other files with the same content."""


@dataclass(frozen=True)
class FindRequest:
    """What a person asks."""

    query: str
    """A sentence that says what is to be seen or heard, with or without fields."""
    limit: int = 10
    within: tuple[str, ...] = ()
    """Folders, files or globs; empty searches everything."""
    after_s: float | None = None
    before_s: float | None = None
    refine: bool = True
    threshold: float = 0.5
    """Hits whose presence is lower are not reported as found."""
    at: str = ""
    """What a clock burnt into the picture is to show: ``22:00-23:00``, ``2024-03-05 14:15``."""


@dataclass(frozen=True)
class FindResult:
    """Hits, best first, or an honest nothing."""

    request: FindRequest
    hits: tuple[Hit, ...]
    """Above the threshold; empty means not found."""
    best_guess: Hit | None
    """The best moment below the threshold when nothing was found."""
    searched_videos: int
    searched_frames: int
    searched_s: float
    """Seconds of video searched."""
    localizer: str
    space_id: str
    notes: tuple[str, ...] = ()
    """For people: what of the query pictures cannot answer, a source that could not be refined."""
    uncalibrated: str = ""
    """Why presences are no probabilities here, for people; empty where they are."""
    searched_channels: Mapping[str, int] = field(default_factory=dict)
    """Videos that were searched in their pictures (``sight``), in what is said (``speech``) and in
    what stands on the screen (``screen``), of these the channels that the query asks."""
    undecided: tuple[bytes, ...] = ()
    """Videos of which nobody can tell, because they lack what the query asks of them."""
