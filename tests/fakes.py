"""A fake encoder whose answers are known exactly: it sees the mean colour of a picture.

A sentence is the colour words in it; any other sentence points nowhere that a
picture does. Vectors lie in a small space, so a test of indexing or retrieval
takes milliseconds and needs no weights.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from index.types import EmbeddingSpace, Picture, Preprocess, Sentence, Vectors

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (220, 30, 30),
    "green": (30, 200, 30),
    "blue": (30, 30, 220),
    "yellow": (220, 220, 30),
    "magenta": (220, 30, 220),
    "cyan": (30, 220, 220),
    "white": (235, 235, 235),
    "black": (16, 16, 16),
    "grey": (128, 128, 128),
}
DIM = 16
_WORDS = list(COLOURS)
_PALETTE = np.array([COLOURS[w] for w in _WORDS], np.float32)


def shrink(picture: Picture) -> Picture:
    """The mean colour as one pixel, uint8 [1, 1, 3]."""
    return picture.reshape(-1, 3).mean(axis=0).round().astype(np.uint8).reshape(1, 1, 3)


def _unit(vectors: np.ndarray) -> Vectors:
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / norms).astype(np.float32)


def colour_vector(word: str) -> Vectors:
    """The vector of a colour word, float32 [DIM]."""
    vector = np.zeros(DIM, np.float32)
    vector[_WORDS.index(word)] = 1.0
    return vector


@dataclass
class FakeEncoder:
    """Implements index.types.Encoder; counts its calls."""

    name: str = "fake"
    dim: int = DIM
    batch_size: int = 8
    decode_workers: int = 1
    pictures_encoded: int = 0
    sentences_encoded: int = 0
    seen: list[int] = field(default_factory=list)

    @property
    def space(self) -> EmbeddingSpace:
        return EmbeddingSpace(self.name, "r1", "mean colour", "", self.dim, 20.0, -10.0)

    @property
    def preprocess(self) -> Preprocess:
        return shrink

    def encode_pictures(self, pictures: Sequence[Picture]) -> Vectors:
        self.pictures_encoded += len(pictures)
        self.seen.append(len(pictures))
        colours = np.stack([p.reshape(-1, 3).mean(axis=0) for p in pictures]).astype(np.float32)
        distance = np.linalg.norm(colours[:, None] - _PALETTE[None], axis=-1)
        vectors = np.full((len(pictures), self.dim), 0.02, np.float32)
        vectors[:, : len(_WORDS)] += np.exp(-((distance / 60.0) ** 2))
        return _unit(vectors)

    def encode_sentence(self, text: str) -> Sentence:
        self.sentences_encoded += 1
        words = [w for w in re.findall(r"[a-z]+", text.lower()) if w in COLOURS]
        tokens = np.zeros((max(1, len(words)), self.dim), np.float32)
        for row, word in enumerate(words):
            tokens[row, _WORDS.index(word)] = 1.0
        if not words:
            tokens[0, DIM - 1] = 1.0
        return Sentence(text, _unit(tokens.sum(axis=0)), tokens)

    def encode_sentences(
        self, texts: Sequence[str], watch: Callable[[float], None] = lambda _: None
    ) -> list[Sentence]:
        return [self.encode_sentence(text) for text in texts]
