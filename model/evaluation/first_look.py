"""A model's first contact with pictures: does it see, read, and bring both together?

Weights meet this program for the first time on the machine of whoever uses it. A tokenizer
of another model, colours in another order or another normalisation raise no error: they
only make every search worse. So a model is asked to match drawings with their sentences,
and where it cannot, the likely causes are tried one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from index.types import Picture, Vectors
from index.vectors.everyday import LEAST_STD, RIVALS, Yardstick, middle_and_spread

from ..siglip.encoder import SiglipEncoder
from ..siglip.route import AGREEMENT
from .drawings import Drawing

Floats = npt.NDArray[np.float32]

FEW = 6
"""Drawings of a short look."""
_POOR, _STRANGE = 0.5, 0.25
"""Shares of drawings and sentences that find each other: below the first a model is worse than
any that is known to work, below the second it does hardly better than chance."""
_ALIKE = 0.98
"""Mean cosine among all pictures, or all sentences, above which they are not told apart."""
_PIECES_A_WORD = 2.5
"""Plain words come out as one or two pieces of the tokenizer that a model was trained with."""


@dataclass(frozen=True)
class Trouble:
    """Something that is wrong with a model."""

    kind: str
    """``numbers``, ``normalisation``, ``channels``, ``tokenizer``, ``pictures``, ``sentences``,
    ``strangers``, ``poor`` or ``form``."""
    words: str
    """What it is, for people."""


@dataclass(frozen=True)
class Matches:
    """How well sentences and pictures of the same number fit together."""

    cosines: Floats
    """float32 [N, N], a row for each sentence."""

    @property
    def sentences_found(self) -> int:
        """Sentences that are nearest to their own picture."""
        return int((self.cosines.argmax(axis=1) == np.arange(len(self.cosines))).sum())

    @property
    def pictures_found(self) -> int:
        """Pictures that are nearest to their own sentence."""
        return int((self.cosines.argmax(axis=0) == np.arange(len(self.cosines))).sum())

    @property
    def share(self) -> float:
        """Share of sentences and pictures that find each other, 0 to 1."""
        return (self.sentences_found + self.pictures_found) / (2 * len(self.cosines))

    @property
    def right(self) -> Floats:
        """Cosines of the pairs that belong together, float32 [N]."""
        return np.diagonal(self.cosines)

    @property
    def wrong(self) -> Floats:
        """Cosines of all other pairs, float32 [N * (N - 1)]."""
        return self.cosines[~np.eye(len(self.cosines), dtype=bool)]

    @property
    def gap(self) -> float:
        """How much nearer the right pairs are, on average."""
        return float(self.right.mean() - self.wrong.mean())


@dataclass(frozen=True)
class Usual:
    """How the best of all pictures answers sentences that are about none of them, and right ones.

    Median and spread each, in standard deviations of a sentence's scores over the pictures;
    scores are compared with everyday sentences, as a search compares them.
    """

    together: tuple[float, float]
    """Everyday sentences several at once: what a search takes for the usual best."""
    alone: tuple[float, float]
    """The same everyday sentences one at a time."""
    right: tuple[float, float]
    """The pictures' own sentences."""


@dataclass(frozen=True)
class Look:
    """What a look at a model showed."""

    matches: Matches
    query: str
    """The sentence whose tokens are shown."""
    pieces: tuple[str, ...]
    """Its tokens."""
    length: int
    """Tokens that the text tower is given, padding included."""
    form: str
    """Form of the vision tower that ran; empty where this machine remembers none."""
    agreement: float
    """Least cosine between that form's vectors and those of plain float32."""
    usual: Usual | None
    """None where there is no bank of everyday sentences."""
    troubles: tuple[Trouble, ...]
    """What is wrong, the likeliest cause first."""


def look(
    encoder: SiglipEncoder,
    drawings: Sequence[Drawing],
    bank: Vectors | None = None,
    *,
    thorough: bool = True,
) -> Look:
    """Lets a model match drawings with their sentences.

    Args:
        encoder: The model.
        drawings: At least two.
        bank: Everyday sentences, as `encode_everyday` returns them.
        thorough: Compares the form that runs with plain float32 on the drawings, and tries
            causes where the model does badly.

    Raises:
        ModelError: A tower cannot be loaded, for example because its head is missing, or a
            sentence gets a vector that is no number.
    """
    pictures = [encoder.preprocess(drawing.picture) for drawing in drawings]
    sentences: Vectors = np.stack([encoder.encode_sentence(d.query).pooled for d in drawings])
    seen = encoder.encode_pictures(pictures)
    form = encoder.form
    agreement = 1.0 if form is None else form.agreement
    if thorough and np.isfinite(seen).all():
        few = encoder.plain().encode_pictures(pictures[:FEW])
        agreement = float((few * seen[:FEW]).sum(axis=1).min())
    query = drawings[0].query
    return Look(
        matches=Matches(sentences @ seen.T),
        query=query,
        pieces=encoder.tokenizer.pieces(query),
        length=encoder.tokenizer.max_length,
        form="" if form is None else form.name,
        agreement=agreement,
        usual=_usual(bank, sentences, seen),
        troubles=_troubles(encoder, drawings, pictures, sentences, seen, thorough, agreement),
    )


def _usual(bank: Vectors | None, sentences: Vectors, seen: Vectors) -> Usual | None:
    if bank is None or not len(bank) or not np.isfinite(seen).all():
        return None
    yardstick = Yardstick(bank)
    _, together = yardstick.measure(seen)
    alone, right = (
        np.stack([yardstick.rivals.scores(seen, sentence) for sentence in some], axis=1)
        for some in (bank[RIVALS:], sentences)
    )
    return Usual(*(_best_of(scores) for scores in (together, alone, right)))


def _best_of(scores: Floats) -> tuple[float, float]:
    """Of each question's best picture, from float32 [pictures, questions]."""
    spread = np.maximum(scores.std(axis=0), LEAST_STD)
    return middle_and_spread((scores.max(axis=0) - scores.mean(axis=0)) / spread)


def _troubles(
    encoder: SiglipEncoder,
    drawings: Sequence[Drawing],
    pictures: list[Picture],
    sentences: Vectors,
    seen: Vectors,
    thorough: bool,
    agreement: float,
) -> tuple[Trouble, ...]:
    if not np.isfinite(seen).all():
        return (Trouble("numbers", "Its pictures get vectors that are no numbers."),)
    matches = Matches(sentences @ seen.T)
    found: list[Trouble | None] = []
    if thorough:
        found += [
            _normalisation(encoder, pictures, sentences, matches),
            _channels(encoder, pictures, sentences, matches),
        ]
    if not any(found) and matches.share < _POOR:
        found += [
            _tokenizer(encoder, [drawing.query for drawing in drawings]),
            _alike("pictures", seen),
            _alike("sentences", sentences),
        ]
        found += [None if any(found) else _unfit(matches)]
    if agreement < AGREEMENT:
        words = f"The form that runs here agrees with plain float32 only to {agreement:.4f}."
        found.append(Trouble("form", words))
    return tuple(trouble for trouble in found if trouble is not None)


def _normalisation(
    encoder: SiglipEncoder, pictures: list[Picture], sentences: Vectors, matches: Matches
) -> Trouble | None:
    if encoder.normalises_as_usual:
        return None
    usual = Matches(sentences @ encoder.usual().encode_pictures(pictures).T)
    if not (usual.share >= _POOR and usual.gap > matches.gap):
        return None
    return Trouble(
        "normalisation",
        f"Its folder says how pictures are normalised ({encoder.space.preprocessing}), and with "
        "the mean and spread of 0.5 that SigLIP models are trained with it matches better: "
        "preprocessor_config.json belongs to another model.",
    )


def _channels(
    encoder: SiglipEncoder, pictures: list[Picture], sentences: Vectors, matches: Matches
) -> Trouble | None:
    if matches.share == 1.0:
        return None
    turned = [np.ascontiguousarray(picture[..., ::-1]) for picture in pictures]
    swapped = Matches(sentences @ encoder.encode_pictures(turned).T)
    # A model that fits neither way finds a little more now this way, now that.
    works = swapped.share >= _POOR and swapped.share > matches.share
    if not (works and swapped.gap > matches.gap):
        return None
    return Trouble(
        "channels",
        "Red and blue are swapped: with the channels of each picture turned round it matches "
        f"better ({swapped.share:.0%} instead of {matches.share:.0%}).",
    )


def _tokenizer(encoder: SiglipEncoder, queries: Sequence[str]) -> Trouble | None:
    tokenizer, known = encoder.tokenizer, encoder.words_known
    words = sum(len(query.split()) for query in queries)
    pieces = sum(len(tokenizer.pieces(query)) for query in queries)
    if pieces > _PIECES_A_WORD * words:
        why = f"it breaks plain words into {pieces / words:.1f} pieces each"
    elif tokenizer.words < 0.9 * known:
        why = f"it has {tokenizer.words:,} words, the text tower {known:,}"
    elif strange := [query for query in queries if tokenizer(query).unread]:
        why = f"it cannot read {strange[0]!r}"
    else:
        return None
    return Trouble("tokenizer", f"Its tokenizer.json belongs to another model: {why}.")


def _alike(what: str, vectors: Vectors) -> Trouble | None:
    if float(Matches(vectors @ vectors.T).wrong.mean()) < _ALIKE:
        return None
    return Trouble(what, f"All {what} look alike to it: the weights that tell them apart are off.")


def _unfit(matches: Matches) -> Trouble:
    if matches.share < _STRANGE:
        return Trouble(
            "strangers",
            "Its sentences and its pictures mean nothing to each other: tokenizer.json or the "
            "weights of one tower belong to another model, or were never trained.",
        )
    return Trouble(
        "poor",
        f"Only {matches.share:.0%} of drawings and sentences find each other: it knows another "
        "world than these drawings, or finds little.",
    )
