"""An archive of simulated videos, and the encoder that goes with it.

A folder holds ``videos.npz`` (``name`` [V], ``frames`` int64 [V]), ``vectors.npy`` (float16
[frames, D], the videos one after the other, at 1 fps, frame i at i + 0.5 s),
``sentences.npz`` (``qid`` [Q], ``pooled`` [Q, D], ``offsets`` [Q + 1], ``tokens`` [sum, D]),
``queries.jsonl`` (``qid``, ``query``, ``present``, ``moments``) and ``space.json``
(``logit_scale``, ``logit_bias``, ``dim``; ``world`` where it is known).

The language is a file of sentences in a smaller space (``qid`` [S], ``pooled`` [S, E],
``offsets`` [S + 1], ``tokens`` [sum, E]), some of which the archive asks.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from index.search.query import parse
from index.types import EmbeddingSpace, Picture, Preprocess, Sentence, Vectors

HELD_OUT = 5
"""Of so many asked sentences one is held out to check the map from the language."""


def unit(vectors: npt.NDArray[Any]) -> Vectors:
    wide = np.asarray(vectors, np.float32)
    return wide / np.linalg.norm(wide, axis=-1, keepdims=True)


@dataclass(frozen=True)
class Video:
    """One video and where its frames lie in the archive."""

    name: str
    first_frame: int
    frames: int


@dataclass(frozen=True)
class Archive:
    """What a folder holds, its frame vectors not read yet."""

    folder: Path
    videos: tuple[Video, ...]
    vectors: npt.NDArray[np.float16]
    queries: tuple[dict[str, Any], ...]
    space: EmbeddingSpace

    @classmethod
    def open(cls, folder: Path) -> Archive:
        facts = json.loads((folder / "space.json").read_text("utf-8"))
        with np.load(folder / "videos.npz") as listed:
            names, frames = listed["name"].tolist(), listed["frames"].tolist()
        firsts = np.cumsum([0, *frames]).tolist()
        lines = (folder / "queries.jsonl").read_text("utf-8").splitlines()
        return cls(
            folder,
            tuple(Video(*row) for row in zip(names, firsts[:-1], frames, strict=True)),
            np.load(folder / "vectors.npy", mmap_mode="r"),
            tuple(json.loads(line) for line in lines),
            EmbeddingSpace(
                backbone="simulated",
                revision=str(facts.get("world", folder.resolve().name)),
                preprocessing="none",
                adapter="",
                dim=facts["dim"],
                logit_scale=facts["logit_scale"],
                logit_bias=facts["logit_bias"],
            ),
        )

    @property
    def frames(self) -> int:
        return sum(video.frames for video in self.videos)


class Language:
    """Sentences in a space of their own, without what all of them share."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as file:
            self.qid, self._offsets = file["qid"].tolist(), file["offsets"]
            self._pooled, self._tokens = file["pooled"], file["tokens"]
        self._mean = self._pooled.astype(np.float32).mean(axis=0)
        self.place = {qid: place for place, qid in enumerate(self.qid)}

    def sentence(self, place: int) -> Vectors:
        """float32 [1 + L, E]: the whole sentence, then its words."""
        first, last = self._offsets[place : place + 2]
        rows = np.concatenate([self._pooled[place][None], self._tokens[first:last]])
        return unit(rows.astype(np.float32) - self._mean)


class AskedSentences:
    """The archive's own sentences, float32 [1 + L, D] each: whole, then its words."""

    def __init__(self, archive: Archive) -> None:
        with np.load(archive.folder / "sentences.npz") as file:
            self.qid = [int(qid) for qid in file["qid"]]
            pooled, tokens, offsets = file["pooled"], file["tokens"], file["offsets"]
        self.rows = {
            qid: unit(np.concatenate([pooled[k][None], tokens[offsets[k] : offsets[k + 1]]]))
            for k, qid in enumerate(self.qid)
        }


class LanguageMap:
    """From the language into the archive's space: affine, fitted on sentences known in both."""

    def __init__(self, language: Language, asked: AskedSentences, qids: Sequence[int]) -> None:
        known = [qid for qid in qids if qid in language.place]
        if not known:
            raise ValueError("the language has none of the sentences that the archive asks")
        theirs = np.concatenate([language.sentence(language.place[qid]) for qid in known])
        ours = np.concatenate([asked.rows[qid] for qid in known])
        self._weights = np.linalg.lstsq(_with_one(theirs), ours, rcond=None)[0]

    def __call__(self, rows: Vectors) -> Vectors:
        return unit(_with_one(rows) @ self._weights)


def _with_one(rows: Vectors) -> Vectors:
    return np.column_stack([rows, np.ones(len(rows), np.float32)])


def least_agreement(language: Language, asked: AskedSentences) -> float:
    """Least cosine of sentences with what a map makes of them that has not seen them."""
    known = [qid for qid in asked.qid if qid in language.place]
    held_out = known[::HELD_OUT]
    fitted = LanguageMap(language, asked, [qid for qid in known if qid not in set(held_out)])
    pairs = ((fitted(language.sentence(language.place[qid])), asked.rows[qid]) for qid in held_out)
    return min(float((made * true).sum(axis=1).min()) for made, true in pairs)


class SimulatedEncoder:
    """Implements index.types.Encoder for the sentences of an archive, and for any other text.

    A text that the archive does not ask gets a sentence of the language that it does not
    ask either, always the same one: the search may well encode sentences of its own.

    Args:
        archive: Whose sentences are known.
        language: File of the language; without it only the archive's sentences can be asked.
    """

    preprocess: Preprocess = staticmethod(lambda picture: picture)
    batch_size = 1
    decode_workers = 1

    def __init__(self, archive: Archive, language: Path | None = None) -> None:
        self.space = archive.space
        self.asked = AskedSentences(archive)
        self._language_path = language
        self._qid = {spoken(row["query"]): int(row["qid"]) for row in archive.queries}

    def encode_pictures(self, pictures: Sequence[Picture]) -> Vectors:
        raise RuntimeError("a simulated archive has no pictures")

    def encode_sentence(self, text: str) -> Sentence:
        qid = self._qid.get(spoken(text))
        rows = self._other(text) if qid is None else self.asked.rows[qid]
        return Sentence(text, rows[0], rows[1:])

    def encode_sentences(
        self, texts: Sequence[str], watch: Callable[[float], None] = lambda _: None
    ) -> list[Sentence]:
        return [self.encode_sentence(text) for text in texts]

    @cached_property
    def language(self) -> Language:
        if self._language_path is None:
            raise RuntimeError(
                "the search asks for a sentence that the archive does not know; "
                "name the file of the language with --text"
            )
        return Language(self._language_path)

    @cached_property
    def _map(self) -> LanguageMap:
        return LanguageMap(self.language, self.asked, self.asked.qid)

    @cached_property
    def _others(self) -> list[int]:
        asked = set(self.asked.qid)
        return [place for place, qid in enumerate(self.language.qid) if qid not in asked]

    def _other(self, text: str) -> Vectors:
        digest = hashlib.blake2b(spoken(text).encode(), digest_size=8).digest()
        place = self._others[int.from_bytes(digest, "big") % len(self._others)]
        return self._map(self.language.sentence(place))


def spoken(text: str) -> str:
    """The text without what the search may do to spaces and to quotes around all of it."""
    return " ".join(text.replace('"', "'").split()).strip("'")


def whole(query: str) -> str:
    """The query as it is asked so that no order of two events is read into it.

    The archive shows a sentence as one scene, and knows no parts of it.
    """
    if parse(query).relation == "single":
        return query
    return '"' + query.replace('"', "'") + '"'


def pieces(archive: Archive, video: Video, size: int, first: int = 0) -> Iterator[tuple]:
    """Times float64 [T] and vectors float32 [T, D] of a video from a frame on, in order."""
    for low in range(first, video.frames, size):
        high = min(low + size, video.frames)
        rows = archive.vectors[video.first_frame + low : video.first_frame + high]
        yield np.arange(low, high) + 0.5, unit(rows)
