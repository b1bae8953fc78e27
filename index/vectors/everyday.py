"""What everyday sentences say about a library's frames: the yardstick for a query.

A cosine means little by itself. Some frames are near every sentence, and every sentence is
near to something in a large library. So a fixed bank of everyday sentences is asked too:
a frame's score is how much better the query fits it than the bank's best, and the best
score that the library gives to sentences which are about none of it says what a query's
best score is worth.

Sources: the subtraction of the nearest bank sentences follows nearest neighbour
normalisation (Chowdhury et al., 2024, arXiv:2410.24114); the mean sentence is taken off as
in distribution normalisation (Zhou et al., 2023, arXiv:2302.11084).
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Callable
from importlib.resources import files

import numpy as np
import numpy.typing as npt
from platformdirs import user_cache_path

from ..errors import GzError
from ..files import atomic_write
from ..types import Encoder, Null, Rivals, Vectors

Floats = npt.NDArray[np.float32]
_Wide = npt.NDArray[np.float64]

RIVALS = 128
"""Sentences that compete with a query for every frame."""
STRANGERS = 64
"""Further sentences, three of which at once make a question that no scene answers. Two at once
are half answered by scenes of a large archive that show one of them."""
AT_ONCE = 3
QUESTIONS = 256
NEAREST = 6
"""Best rivals of a frame that count: one in twenty."""
WEIGHT = 0.75
"""Share of their mean that is taken off a frame's score."""
_MOST_ALIKE = 0.25
"""Share of the bank that may coincide with another of its sentences; a model that reads so
few of them says nothing by the rest."""
_SAME = 0.999
_SHORT = 0.15
"""Deviations by which three sentences at once fall short of one that is absent: 0.10 (0.07)
over eight simulated archives of two to a hundred hours, and a little for caution."""
_NORMAL_80 = 2.563
"""Standard deviations between the first and the last tenth of a normal distribution."""
LEAST_STD = 1e-4
"""Least deviation of scores that counts: pictures that are all alike differ by rounding alone."""
_DIGEST_BYTES = 16


@functools.cache
def everyday_sentences() -> tuple[str, ...]:
    """The bank, rivals first; always in the same order."""
    text = (files(__package__) / "everyday.txt").read_text(encoding="utf-8")
    return tuple(text.splitlines()[: RIVALS + STRANGERS])


@functools.cache
def bank_digest() -> str:
    """Sixteen hex digits that change when the bank or what is made of it does."""
    said = [*everyday_sentences(), f"{RIVALS} {STRANGERS} {AT_ONCE} {QUESTIONS} {NEAREST} {WEIGHT}"]
    return hashlib.blake2b("\n".join(said).encode(), digest_size=8).hexdigest()


def encode_everyday(encoder: Encoder, watch: Callable[[float], None] = lambda _: None) -> Vectors:
    """The bank through a model's text tower.

    Args:
        encoder: The model.
        watch: Told the share that is done, 0 to 1.

    Returns:
        float32 [N, D]; no rows where the model cannot read enough of the sentences, or does
        not tell them apart.
    """
    sentences = encoder.encode_sentences(everyday_sentences(), watch)
    vectors = np.stack([sentence.pooled for sentence in sentences]).astype(np.float32)
    alike = vectors @ vectors.T - np.eye(len(vectors), dtype=np.float32)
    useless = np.array([bool(s.unread) for s in sentences]) | (alike.max(axis=1) > _SAME)
    return vectors[:0] if useless.mean() > _MOST_ALIKE else vectors


def everyday_of(
    encoder: Encoder, note: Callable[[str], None], watch: Callable[[float, str], None]
) -> Vectors:
    """The bank of a model, encoded once per embedding space and kept in the user's cache.

    Args:
        encoder: Its text tower is loaded where the bank is not there yet.
        note: Told, for people, what takes a while.
        watch: Told how far that is, 0 to 1, and what it is.

    Returns:
        As `encode_everyday`.
    """
    space = encoder.space
    path = user_cache_path("groundzero", appauthor=False) / "everyday"
    path = path / f"{space.id}-{bank_digest()}.bank"
    kept = b""
    with contextlib.suppress(OSError):
        kept = path.read_bytes()
    if kept and kept[:_DIGEST_BYTES] == _digest_of(kept[_DIGEST_BYTES:]):
        return np.frombuffer(kept, "<f4", offset=_DIGEST_BYTES).reshape(-1, space.dim)
    note("Asking the model about everyday sentences; this is done once for each model.")
    bank = encode_everyday(encoder, lambda share: watch(share, "asking about everyday sentences"))
    data = np.ascontiguousarray(bank, "<f4").tobytes()
    with contextlib.suppress(OSError, GzError):
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, _digest_of(data) + data)
    return bank


def _digest_of(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest()


class Yardstick:
    """Scores of the bank's sentences, made ready for many frames.

    Args:
        bank: float32 [RIVALS + STRANGERS, D], as `encode_everyday` returned it; or no rows.
    """

    def __init__(self, bank: Vectors) -> None:
        self.bank = bank
        if not len(bank):
            return
        rivals, strangers = bank[:RIVALS], bank[RIVALS:]
        center = rivals.mean(axis=0)
        draw = np.random.default_rng(0)
        picked = [draw.choice(len(strangers), AT_ONCE, False) for _ in range(QUESTIONS)]
        together = unit(strangers[picked].sum(axis=1))
        self.rivals = Rivals(center, unit(rivals - center), NEAREST, WEIGHT)
        self._asked = np.concatenate([self.rivals.directions, unit(together - center)])

    def __bool__(self) -> bool:
        return bool(len(self.bank))

    @property
    def questions(self) -> int:
        """Questions that no scene answers."""
        return len(self._asked) - RIVALS if self else 0

    def measure(self, vectors: Vectors) -> tuple[Floats, Floats]:
        """What the bank says about frames, float32 [N, D].

        Returns:
            The rivals' share of each frame, float32 [N], and the scores of the questions
            that no scene answers, float32 [N, questions].
        """
        if not self:
            return np.zeros(len(vectors), np.float32), np.zeros((len(vectors), 0), np.float32)
        scores = vectors @ self._asked.T
        share = self.rivals.share(scores[:, :RIVALS])
        return share, scores[:, RIVALS:] - share[:, None]


def unit(vectors: Vectors) -> Vectors:
    """Rows of unit length; zeros stay zeros."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: Vectors = (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
    return scaled


def null_of(best: Floats, mean: _Wide, std: _Wide) -> Null | None:
    """How the questions that no scene answers score in some videos.

    Args:
        best: float32 [questions], of the searched videos.
        mean: float64 [questions], over the whole library.
        std: float64 [questions], likewise.

    Returns:
        None where there are no such questions.
    """
    if not len(best):
        return None
    middle, spread = middle_and_spread((best - mean) / np.maximum(std, LEAST_STD))
    return Null(middle + _SHORT, max(spread, 1e-3 / _NORMAL_80))


def middle_and_spread(scores: Floats | _Wide) -> tuple[float, float]:
    """Median, and standard deviation as the middle four fifths tell it."""
    low, middle, high = np.quantile(scores, [0.1, 0.5, 0.9])
    return float(middle), float(high - low) / _NORMAL_80
