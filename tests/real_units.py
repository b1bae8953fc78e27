"""Frames and sentences whose cosines are as large as those of Google's checkpoints.

Unrelated ones lie near -0.01 and spread by 0.028, what fits reaches 0.1 to 0.29. Frames and
sentences each share most of what they are, as the two halves of such a model do.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from index.files import FileStat
from index.store.library import Library
from index.types import EmbeddingSpace, Picture, Preprocess, Sentence, Vectors, VideoInfo
from index.types import SamplingReport as Report
from index.vectors.everyday import RIVALS, STRANGERS

CONTENT = 100
DIM = CONTENT + 2
LOGIT_SCALE, LOGIT_BIAS = 109.9, -15.9
SPACE = EmbeddingSpace("real units", "r1", "none", "", DIM, LOGIT_SCALE, LOGIT_BIAS)
_SHARE = 0.53
"""Length of the part in which frames differ, and sentences do."""
_GAP = -0.01
_COMMON = np.sqrt(1 - _SHARE**2)


def contents(count: int, seed: int) -> Vectors:
    """What unrelated frames or sentences are about, float32 [count, CONTENT], unit length."""
    drawn = np.random.default_rng(seed).standard_normal((count, CONTENT))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def frames_of(content: Vectors) -> Vectors:
    """Frame vectors, float32 [N, DIM]."""
    return _joined(content, 1.0, 0.0)


def sentences_of(content: Vectors) -> Vectors:
    """Sentence vectors, float32 [N, DIM]."""
    along = _GAP / _COMMON**2
    return _joined(content, along, np.sqrt(1 - along**2))


def _joined(content: Vectors, first: float, second: float) -> Vectors:
    common = np.broadcast_to(_COMMON * np.array([first, second]), (len(content), 2))
    return np.concatenate([common, _SHARE * content], axis=1).astype(np.float32)


def bank(seed: int = 1_000) -> Vectors:
    """Everyday sentences, as `encode_everyday` gives them."""
    return sentences_of(contents(RIVALS + STRANGERS, seed))


def footage(frames: int, seed: int, scene_s: int = 12, alike: float = 0.8) -> Vectors:
    """What the frames of a video are about: scenes whose frames resemble each other."""
    scenes = contents(-(-frames // scene_s), seed).repeat(scene_s, axis=0)[:frames]
    own = contents(frames, seed + 500_000)
    mixed = np.sqrt(alike) * scenes + np.sqrt(1 - alike) * own
    return (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)


def showing(content: Vectors, asked: Vectors, cosine: float) -> Vectors:
    """The same frames, of such a cosine with the sentence about `asked`, float32 [CONTENT]."""
    share = min((cosine - _GAP) / _SHARE**2, 1.0)
    rest = content - np.outer(content @ asked, asked)
    rest *= np.sqrt(1 - share**2) / np.linalg.norm(rest, axis=1, keepdims=True)
    return (rest + share * asked).astype(np.float32)


def open_library(folder: Path) -> Library:
    library = Library.create_or_open(folder)
    library.set_space(SPACE, "fake")
    return library


def add(library: Library, name: str, vectors: Vectors) -> int:
    """Adds a video of frames that are a second apart."""
    seconds = float(len(vectors))
    stat = FileStat(1000, 2, 3, 4, 5)
    video_id = library.begin_attempt(os.fsencode(f"/{name}"), f"{name} {vectors[0, 2]}", stat)
    library.stage_chunk(video_id, np.arange(seconds), vectors)
    info = VideoInfo(seconds, 640, 480, 25.0, "h264", "mp4", 0, False)
    library.commit_video(video_id, Report(seconds, 0, False), info)
    return video_id


@dataclass
class Reader:
    """Implements index.types.Encoder for sentences whose content was laid down."""

    known: dict[str, Vectors] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)
    space: EmbeddingSpace = SPACE
    batch_size: int = 1
    decode_workers: int = 1
    asked: int = 0

    @property
    def preprocess(self) -> Preprocess:
        raise NotImplementedError

    def encode_pictures(self, pictures: list[Picture]) -> Vectors:
        raise NotImplementedError

    def encode_sentence(self, text: str) -> Sentence:
        self.asked += 1
        vectors = sentences_of(self.known[text][None])
        return Sentence(text, vectors[0], vectors, "half of it" if text in self.unread else "")

    def encode_sentences(
        self, texts: Sequence[str], watch: Callable[[float], None] = lambda _: None
    ) -> list[Sentence]:
        made = []
        for number, text in enumerate(texts, 1):
            made.append(self.encode_sentence(text))
            watch(number / len(texts))
        return made
