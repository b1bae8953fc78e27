"""A library that is filled with colours, whose truth is known."""

from __future__ import annotations

import os
from pathlib import Path

import av
import numpy as np
from fakes import COLOURS, DIM, FakeEncoder, colour_vector

from index.files import FileStat
from index.media.fingerprint import fingerprint
from index.sampling.sampler import sample_range
from index.search.find import find
from index.store.library import Library
from index.types import FindRequest, SamplingReport, VideoInfo
from index.vectors.cache import VectorCache
from model.grounding.training_free import TrainingFreeLocalizer

FPS = 8


class Archive:
    """A library that is filled with colours."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.encoder = FakeEncoder()
        self.library = Library.create_or_open(folder / "library")
        self.library.set_space(self.encoder.space, "fake", "")

    def add(self, name: str, story, *, noise: float = 0.02, seed: int = 0) -> bytes:
        """Vectors of a video that exists only in the library."""
        rng = np.random.default_rng(seed)
        words = [word for word, seconds in story for _ in range(seconds)]
        vectors = np.stack([colour_vector(word) for word in words]) + noise * np.abs(
            rng.normal(size=(len(words), DIM))
        )
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        path = os.fsencode(self.folder / name)
        stat = FileStat(1, 1, 1, 1, 1)
        self._commit(path, name, stat, np.arange(len(words), dtype=float), vectors, len(words))
        return path

    def film(self, name: str, story) -> bytes:
        """A real video, indexed at 1 fps."""
        path = self.folder / name
        write_film(path, story)
        duration_s = sum(seconds for _, seconds in story)
        times_s, pictures = sample_range(path, 0, duration_s, 1.0, self.encoder.preprocess)
        vectors = self.encoder.encode_pictures(pictures)
        self.encoder.pictures_encoded = 0
        raw = os.fsencode(path)
        times = np.array(times_s)
        self._commit(raw, fingerprint(raw), FileStat.read(raw), times, vectors, duration_s)
        return raw

    def _commit(self, path, identity, stat, times_s, vectors, duration_s) -> None:
        info = VideoInfo(duration_s, 64, 48, float(FPS), "h264", "mp4", 0, False)
        video_id = self.library.begin_attempt(path, identity, stat, info)
        self.library.stage_chunk(video_id, times_s, vectors.astype(np.float32))
        report = SamplingReport(float(duration_s), 0, False)
        self.library.commit_video(video_id, report, info)

    def find(self, sentence: str, *, refine: bool = False, observer=None, sentences=None, **asked):
        cache = VectorCache.load(self.library)
        request = FindRequest(sentence, refine=refine, **asked)
        localizer = TrainingFreeLocalizer()
        return find(self.library, cache, self.encoder, localizer, request, sentences, observer)


def name(path: bytes) -> str:
    return Path(os.fsdecode(path)).name


def write_film(path: Path, story) -> None:
    """An H.264 file of plain colours."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=FPS, options={"g": "16"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for word, seconds in story:
            picture = np.full((48, 64, 3), COLOURS[word], np.uint8)
            for _ in range(round(seconds * FPS)):
                output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        output.mux(stream.encode(None))
