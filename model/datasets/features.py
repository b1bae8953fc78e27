"""Cached features in the field's own layout: one archive per video, one per sentence.

``{video}.npz`` holds ``features`` [T, D]; ``qid{qid}.npz`` holds ``last_hidden_state``
[L, D] and ``pooler_output`` [D]. Several video folders are joined channel by channel.
"""

from __future__ import annotations

import zipfile
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from index.errors import UsageError

from .records import Record

Array = npt.NDArray[np.float32]
ALMOST = "-almost"
"""Stands between a sentence's id and the number of one that is almost right."""
_STEPS_S = (0.1, 0.125, 0.2, 0.25, 0.5, 1.0, 2.0, 4.0)


class Features(Protocol):
    """Vectors of videos and of sentences by name."""

    def video(self, name: str) -> Array:
        """Frames of a video, float32 [T, D]."""
        ...

    def sentence(self, qid: int | str) -> tuple[Array, Array]:
        """Tokens float32 [L, D] and the pooled sentence [D]."""
        ...

    def almost_right(self, qid: int | str) -> Sequence[str]:
        """Ids of sentences that differ from this one in a word or in their order."""
        ...


def with_durations(records: Sequence[Record], features: Features) -> tuple[Record, ...]:
    """The same records; where none is given, a second of video for each frame."""
    return tuple(
        record
        if record.duration_s
        else replace(record, duration_s=float(len(features.video(record.video))))
        for record in records
    )


class FeatureFolders:
    """Reads features of videos and sentences, keeping what fits in memory.

    Args:
        video_dirs: Folders of ``{video}.npz`` or ``.npy``; each folder's frames are
            L2-normalised, then all are joined and normalised again.
        text_dir: Folder of ``qid{qid}.npz``.
        memory_bytes: What may be kept between reads.
    """

    def __init__(
        self, video_dirs: Sequence[Path], text_dir: Path, memory_bytes: int = 4 << 30
    ) -> None:
        for folder in (*video_dirs, text_dir):
            if not folder.is_dir():
                raise UsageError(f"no feature folder {folder}", "check the path")
        self._video_dirs = tuple(video_dirs)
        self._text_dir = text_dir
        self._room = memory_bytes
        self._almost: dict[str, list[str]] | None = None
        self._widths: dict[str, tuple[int, Path]] = {}
        self._kept: OrderedDict[str, tuple[npt.NDArray[np.float16], ...]] = OrderedDict()

    def video(self, name: str) -> Array:
        """Frames of a video, float32 [T, D], L2-normalised.

        Raises:
            UsageError: The file is missing, damaged or of another shape.
        """
        kept = self._kept.get(f"v{name}")
        if kept is None:
            parts = []
            for folder in self._video_dirs:
                path = _video_path(folder, name)
                frames_here = _frames(path)
                self._check_width(str(folder), frames_here.shape[1], path)
                parts.append(_unit(frames_here))
            frames = min(len(part) for part in parts)
            joined = np.concatenate([part[:frames] for part in parts], axis=1)
            kept = (_unit(joined).astype(np.float16),)
            self._keep(f"v{name}", kept)
        return kept[0].astype(np.float32)

    def sentence(self, qid: int | str) -> tuple[Array, Array]:
        """Tokens float32 [L, D] as they are, and the pooled sentence [D], L2-normalised.

        Raises:
            UsageError: The file is missing, damaged or of another shape.
        """
        kept = self._kept.get(f"t{qid}")
        if kept is None:
            path = self._text_dir / f"qid{qid}.npz"
            kept = _text(path)
            self._check_width("text", kept[1].shape[0], path)
            self._keep(f"t{qid}", kept)
        return kept[0].astype(np.float32), kept[1].astype(np.float32)

    def almost_right(self, qid: int | str) -> Sequence[str]:
        """Ids of sentences that the text folder holds as ``qid{qid}-almost{k}.npz``."""
        if self._almost is None:
            self._almost = {}
            for path in sorted(self._text_dir.glob("qid*-almost*.npz")):
                whole = path.stem.removeprefix("qid")
                self._almost.setdefault(whole.rsplit(ALMOST, 1)[0], []).append(whole)
        return self._almost.get(str(qid), ())

    def has_video(self, name: str) -> bool:
        """Every folder holds this video."""
        return all(_video_path(folder, name).is_file() for folder in self._video_dirs)

    def has_sentence(self, qid: int | str) -> bool:
        """The text folder holds this sentence."""
        return (self._text_dir / f"qid{qid}.npz").is_file()

    def missing(self, names: Iterable[str]) -> list[str]:
        """Names without features, each once, in order."""
        return [name for name in dict.fromkeys(names) if not self.has_video(name)]

    def _check_width(self, kind: str, width: int, path: Path) -> None:
        """Features of one kind come from one model, so they have as many channels."""
        first, other = self._widths.setdefault(kind, (width, path))
        if width != first:
            raise UsageError(
                f"{path} has {width} channels, but {other} has {first}",
                "extract both with the same model",
            )

    def _keep(self, key: str, arrays: tuple[npt.NDArray[np.float16], ...]) -> None:
        size = sum(array.nbytes for array in arrays)
        if size <= self._room:
            self._room -= size
            self._kept[key] = arrays


def step_seconds(frames: int, duration_s: float) -> float:
    """Spacing of features that cover a video of this length, snapped to a usual one."""
    raw = duration_s / max(frames, 1)
    nearest = min(_STEPS_S, key=lambda step: abs(np.log(step / raw)))
    return nearest if abs(nearest - raw) <= max(0.1 * nearest, nearest / max(frames, 1)) else raw


def _video_path(folder: Path, name: str) -> Path:
    path = folder / f"{name}.npz"
    return path if path.is_file() else folder / f"{name}.npy"


def _load(path: Path) -> dict[str, npt.NDArray[np.float32]]:
    try:
        loaded = np.load(path, mmap_mode="r", allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {"features": loaded.astype(np.float32)}
        with loaded:
            return {key: loaded[key].astype(np.float32) for key in loaded.files}
    except FileNotFoundError as error:
        raise UsageError(f"no features {path}", "extract them, or check the folder") from error
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise UsageError(f"damaged features {path}: {error}", "extract them again") from error


def _frames(path: Path) -> Array:
    arrays = _load(path)
    frames = arrays.get("features")
    if frames is None and len(arrays) == 1:
        frames = next(iter(arrays.values()))
    if frames is None or frames.ndim != 2 or not len(frames) or not np.isfinite(frames).all():
        raise UsageError(
            f"{path} holds no finite array 'features' of frames by channels",
            "extract it again",
        )
    return frames


def _text(path: Path) -> tuple[npt.NDArray[np.float16], ...]:
    arrays = _load(path)
    tokens = arrays.get("last_hidden_state")
    if tokens is None or tokens.ndim != 2 or not np.isfinite(tokens).all():
        raise UsageError(
            f"{path} holds no finite array 'last_hidden_state' of tokens by channels",
            "extract it again",
        )
    pooled = arrays.get("pooler_output")
    if pooled is None:
        pooled = tokens.mean(0) if len(tokens) else np.zeros(tokens.shape[1], np.float32)
    if pooled.size != tokens.shape[1] or not np.isfinite(pooled).all():
        raise UsageError(
            f"{path} holds no finite 'pooler_output' of {tokens.shape[1]} channels, "
            "as many as its tokens have",
            "extract it again",
        )
    return tokens.astype(np.float16), _unit(pooled.reshape(1, -1))[0].astype(np.float16)


def _unit(vectors: Array) -> Array:
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: Array = (vectors / np.maximum(norms, 1e-6)).astype(np.float32)
    return unit
