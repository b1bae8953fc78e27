"""Frames and sentences to vectors: `SiglipEncoder`, which implements index.types.Encoder.

Nothing is loaded before it is needed: the embedding space comes from configuration, a
sentence loads the text tower alone, pictures load the vision tower alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from index.errors import ModelError
from index.types import EmbeddingSpace, Picture, Sentence, Vectors

from ..hardware.device_errors import device_failure, is_out_of_memory
from ..hub.files import ModelStatus, find_files
from ..hub.files import model_status as status_of_source
from ..hub.sources import ModelSource, Note, Progress
from ..hub.weights import Array
from .backbone import Backbone, default_preset, source_of
from .cores import decode_workers
from .preprocess import ResizePicture
from .text import TextTower
from .tokens import SentenceTokenizer, Tokens
from .vision import VisionTower, normalised

if TYPE_CHECKING:
    from .route import Form

_COMMIT = re.compile(r"[0-9a-f]{40}")
_BATCH_SIZES = {"cuda": 128, "mps": 16, "cpu": 8}


def load_encoder(
    spec: str | None = None,
    adapter: Path | None = None,
    device: str | None = None,
    *,
    offline: bool = False,
    threads: int | None = None,
    known: EmbeddingSpace | None = None,
    note: Note | None = None,
    progress: Progress | None = None,
) -> SiglipEncoder:
    """An encoder for a model; finds (or once downloads) its files, loads no weights.

    Args:
        spec: ``so400m``, ``large``, ``base16``, ``base``, ``demo``, a folder, or a hub id with
            an optional ``@revision``; None chooses by the hardware.
        adapter: A peft LoRA folder.
        device: ``cpu``, ``cuda`` (or ``cuda:1``) or ``mps``; None takes the best there is.
        offline: Never touch the network.
        threads: CPU threads for the vision tower; None takes those that decoding beside it
            leaves. Where this program decodes nothing beside it, take `cores.idle_cores`.
        known: The space of a library that the model is for. Its commit is taken rather than
            the newest one, as long as it can be had.
        note: Receives a line when a download starts.
        progress: Receives bytes so far and in all during a download.

    Raises:
        UsageError: The model or device makes no sense.
        ModelError: The model or adapter is missing, unsafe, damaged or does not fit.
    """
    source = source_of(spec or default_preset())
    files = find_files(
        source,
        commit=_recorded_commit(source, known),
        offline=offline,
        note=note,
        progress=progress,
        check=lambda files: Backbone(files).tokenizer(),
    )
    return SiglipEncoder(Backbone(files, adapter, known), device=device, threads=threads)


def _recorded_commit(source: ModelSource, known: EmbeddingSpace | None) -> str:
    """The commit that a library recorded of this model, unless the spec itself names one."""
    if known is None or known.backbone != source.name or source.revision != "main":
        return ""
    commit = known.commit or known.revision  # libraries from before the digest have it there
    return commit if _COMMIT.fullmatch(commit) else ""


def model_status(spec: str, known: EmbeddingSpace | None = None) -> ModelStatus:
    """Whether a model is on this machine, where and how large, without any network.

    Args:
        spec: As for `load_encoder`.
        known: The space of a library that the model is for.
    """
    source = source_of(spec)
    return status_of_source(source, _recorded_commit(source, known))


class SiglipEncoder:
    """Implements index.types.Encoder on one SigLIP or SigLIP 2 backbone."""

    def __init__(
        self, backbone: Backbone, *, device: str | None = None, threads: int | None = None
    ) -> None:
        from ..hardware.devices import check_device

        check_device(device)
        self._backbone = backbone
        self._wanted_device = device
        self._threads = threads
        self._text: tuple[SentenceTokenizer, TextTower] | None = None
        self._vision: VisionTower | None = None
        self._batch_size = 0
        # Checked now, so that an adapter that does not fit is refused before any work.
        _ = backbone.adapter

    @property
    def space(self) -> EmbeddingSpace:
        """Identity of the vectors."""
        return self._backbone.space

    @property
    def preprocess(self) -> ResizePicture:
        """Picklable preprocessing for decode workers."""
        return self._backbone.preprocess

    @property
    def device(self) -> str:
        """Where pictures are encoded; imports torch when it has to choose."""
        if self._wanted_device is None:
            from ..hardware.devices import best_device

            self._wanted_device = best_device()
        return self._wanted_device

    @property
    def batch_size(self) -> int:
        """Pictures per call that keep the device busy; shrinks where memory was too small."""
        if not self._batch_size:
            self._batch_size = _BATCH_SIZES[self.device.partition(":")[0]]
        return self._batch_size

    @property
    def decode_workers(self) -> int:
        """Decoder processes that keep the device busy without taking the tower's cores."""
        return decode_workers(self.device, self._backbone.vision.gflops)

    @property
    def form(self) -> Form | None:
        """The form of the vision tower that this machine chose; None before it first ran."""
        from .route import known_form

        return known_form(self._backbone, self.device)

    @property
    def tokenizer(self) -> SentenceTokenizer:
        """What turns its sentences into token numbers."""
        return self._text_parts()[0]

    @property
    def words_known(self) -> int:
        """Token numbers that the text tower has a vector for."""
        return self._backbone.text.vocab_size

    @property
    def normalises_as_usual(self) -> bool:
        """True where its folder normalises pictures as all SigLIP models were trained."""
        return self._backbone.pictures.usual == self._backbone.pictures

    def usual(self) -> SiglipEncoder:
        """The same towers under the family's own normalisation, for a trial."""
        other = copy(self)
        other._vision = self._tower()
        other._backbone = copy(self._backbone)
        other._backbone.pictures = self._backbone.pictures.usual
        return other

    def plain(self) -> SiglipEncoder:
        """The same model in plain float32, by which every faster form is measured."""
        from .route import load_reference

        other = copy(self)
        other._vision = load_reference(self._backbone, self.device)
        return other

    def encode_pictures(self, pictures: Sequence[Picture]) -> Vectors:
        """Preprocessed pictures, uint8 [height, width, 3] each, to float32 [N, D], unit length.

        A row that the model gets wrong (NaN, infinite or zero) comes back as NaN, so that
        it costs its own video and not the others of the batch.

        Raises:
            ModelError: The model cannot be loaded, or one picture alone does not fit into
                memory.
        """
        if not pictures:
            return np.zeros((0, self.space.dim), np.float32)
        parts: list[Vectors] = []
        done = 0
        while done < len(pictures):
            batch = pictures[done : done + self.batch_size]
            vectors = self._if_it_fits(batch)
            if vectors is None:
                self._halve(len(batch))
                continue
            parts.append(vectors)
            done += len(batch)
        return np.concatenate(parts)

    def encode_sentence(self, text: str) -> Sentence:
        """A sentence to its pooled vector and its tokens, all of unit length.

        The tokens are the text tower's last states through the tower's own head, one per
        piece of a word and one for the end of the sentence, so that each can be compared
        with frames.

        Raises:
            UsageError: The sentence is empty.
            ModelError: The text tower cannot be loaded, or gives no numbers.
        """
        tokenizer, tower = self._text_parts()
        tokens = tokenizer(text)
        return _sentence(text, tokens, tower(tokens.ids)[1])

    def encode_sentences(
        self, texts: Sequence[str], watch: Callable[[float], None] = lambda _: None
    ) -> list[Sentence]:
        """Many sentences, several times as fast as one by one.

        They may be computed in bfloat16: a vector then points where that of `encode_sentence`
        does (their cosine was measured as 0.9999), but is not the same to the last bit.

        Args:
            texts: The sentences.
            watch: Told the share that is done, 0 to 1.

        Raises:
            UsageError: A sentence is empty.
            ModelError: The text tower cannot be loaded, or gives no numbers.
        """
        from .many_sentences import states_of_many

        tokenizer, tower = self._text_parts()
        tokens = [tokenizer(text) for text in texts]
        ids = np.stack([each.ids for each in tokens])
        states = states_of_many(self._backbone, tower, ids, self._threads, watch)
        return [_sentence(*each) for each in zip(texts, tokens, states, strict=True)]

    def _text_parts(self) -> tuple[SentenceTokenizer, TextTower]:
        if self._text is None:
            self._text = self._backbone.tokenizer(), self._backbone.text_tower()
        return self._text

    def _tower(self) -> VisionTower:
        if self._vision is None:
            from .route import load_vision_tower

            self._vision = load_vision_tower(self._backbone, self.device, self._threads)
        return self._vision

    def _if_it_fits(self, pictures: Sequence[Picture]) -> Vectors | None:
        """Vectors of one batch; None where memory is too small for so many pictures.

        The error ends with this call: what it holds on to would keep the memory taken.

        Raises:
            ModelError: The tower alone does not fit, or the card failed.
        """
        tower = self._loaded()
        try:
            return self._encode_batch(tower, pictures)
        except (MemoryError, RuntimeError) as error:
            if is_out_of_memory(error):
                return None
            if (failure := device_failure(error)) is not None:
                raise failure from error
            raise

    def _loaded(self) -> VisionTower:
        try:
            return self._tower()
        except (MemoryError, RuntimeError) as error:
            if is_out_of_memory(error):
                raise ModelError(
                    f"There is not enough memory on {self.device} for the model.",
                    "Close other programs, use --device cpu, or a smaller --model.",
                ) from error
            if (failure := device_failure(error)) is not None:
                raise failure from error
            raise

    def _encode_batch(self, tower: VisionTower, pictures: Sequence[Picture]) -> Vectors:
        import torch

        config = self._backbone.pictures
        shape, on_card = (config.height, config.width, 3), self.device.startswith("cuda")
        for picture in pictures:
            if picture.dtype != np.uint8 or picture.shape != shape:
                raise ValueError(f"expected preprocessed pictures, not {list(picture.shape)}")
        # A card fetches pinned memory by itself.
        batch = torch.empty((len(pictures), *shape), dtype=torch.uint8, pin_memory=on_card)
        np.stack(pictures, out=batch.numpy())
        with torch.inference_mode():
            pixels = normalised(
                batch.to(self.device, non_blocking=on_card), config.mean, config.std, config.rescale
            )
            vectors: Array = tower(pixels).float().cpu().numpy()
        return _unit(vectors)

    def _halve(self, size: int) -> None:
        import torch

        if torch.cuda.is_available():
            torch.cuda.empty_cache()  # what other programs may be short of
        if size <= 1:
            raise ModelError(
                f"There is not enough memory on {self.device} to encode a single picture.",
                "Close other programs, use --device cpu, or a smaller --model.",
            )
        self._batch_size = size // 2


def _sentence(text: str, tokens: Tokens, states: Array) -> Sentence:
    """A sentence of its tokens' last states, float32 [L, D]; the last of them is the pooled one.

    Raises:
        ModelError: They are no numbers.
    """
    pooled, words = _unit(states[-1:])[0], _unit(states[: tokens.valid])
    if not (np.isfinite(pooled).all() and np.isfinite(words).all()):
        raise ModelError(
            "The model gave a vector that is no number (NaN, infinite or zero).",
            "Check the model with 'gz doctor'.",
        )
    return Sentence(text, pooled, words, tokens.unread)


def _unit(vectors: Array) -> Vectors:
    """Rows of length one; NaN where a row has no finite length above zero."""
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        result: Vectors = (vectors / lengths).astype(np.float32)
    result[~np.isfinite(lengths[..., 0])] = np.nan
    return result
