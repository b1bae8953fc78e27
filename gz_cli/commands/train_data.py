"""What ``gz train`` learns from: checked records with their features, split where asked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from index.errors import UsageError

from ..views.render import Screen
from .answers import with_features
from .eval import feature_dirs, read_records
from .video_model import VideoModel

if TYPE_CHECKING:
    from index.types import EmbeddingSpace
    from model.datasets.features import FeatureFolders
    from model.datasets.records import Record

PARTS = ("train", "val", "test")


@dataclass(frozen=True)
class DataOptions:
    """Where the data comes from, as the command line named it."""

    annotations: Path
    val: Path | None
    split: str | None
    features: str | None
    text_features: Path | None
    fine_features: Path | None
    videos: Path | None
    model: VideoModel | None
    """Makes the features of ``videos``, or made those that are there."""
    dataset: str
    classes: Path | None
    skip_bad_rows: bool
    seed: int
    out: Path


@dataclass(frozen=True)
class TrainingData:
    """Records that all have features."""

    learn: tuple[Record, ...]
    check: tuple[Record, ...]
    source: FeatureFolders
    fine: FeatureFolders | None
    """The same videos at 4 fps."""
    space: EmbeddingSpace | None
    """Embedding space of the features, where it is known."""


def gather(screen: Screen, options: DataOptions) -> TrainingData:
    """Reads annotations, splits them where asked, and finds or makes their features.

    With ``--split`` the parts are written to ``OUT/split``, so that the test part can
    be given to ``gz eval``.

    Raises:
        UsageError: Options exclude each other, a row is bad, or nothing has features.
    """
    parts = _parts(screen, options)
    if not parts["val"]:
        raise UsageError("no moment is left to choose the best epoch", "raise the second share")
    if options.videos is not None:
        from .extraction import distinct

        parts = {name: distinct(part, name) for name, part in parts.items()}
    everything = [record for part in parts.values() for record in part]
    source, fine, space = _features(screen, options, everything)
    kept = {
        name: with_features(screen, part, source) if part else () for name, part in parts.items()
    }
    if options.split is not None:
        _write_split(options.out / "split", kept, source)
    return TrainingData(kept["train"], kept["val"], source, fine, space)


def _parts(screen: Screen, options: DataOptions) -> dict[str, tuple[Record, ...]]:
    from model.datasets.records import parse_shares, split_by_video

    def read(path: Path) -> tuple[Record, ...]:
        return read_records(screen, path, options.dataset, options.classes, options.skip_bad_rows)

    if options.val is not None:
        return {"train": read(options.annotations), "val": read(options.val), "test": ()}
    shares = parse_shares(options.split or "")
    parts = split_by_video(read(options.annotations), shares, options.seed)
    learn, choose, test = (len(parts[name]) for name in PARTS)
    screen.note(f"{learn} moments to learn from, {choose} to choose by, {test} to test with.")
    return {name: parts[name] for name in PARTS}


def _features(
    screen: Screen, options: DataOptions, records: Sequence[Record]
) -> tuple[FeatureFolders, FeatureFolders | None, EmbeddingSpace | None]:
    """Vectors from archives, or from the videos themselves through a cache."""
    from model.datasets.features import FeatureFolders

    if options.videos is not None and options.model is not None:
        from .extraction import extract, videos_by_name

        videos_by_name(options.videos, records)
        return extract(screen, options.videos, records, options.out / "features", options.model)
    if options.features is None or options.text_features is None:
        raise UsageError("--features needs --text-features", "see gz train --help")
    text = options.text_features
    source = FeatureFolders(feature_dirs(options.features), text)
    space = None if options.model is None else options.model.encoder.space
    name = next((r.video for r in records if source.has_video(r.video)), "")
    if space is not None and name and source.video(name).shape[1] != space.dim:
        raise UsageError(
            f"features of {name} have {source.video(name).shape[1]} channels, "
            f"but {options.model.spec if options.model else ''} makes {space.dim}",
            "name the model that made them with --backbone",
        )
    if options.fine_features is None:
        return source, None, space
    fine = FeatureFolders([options.fine_features], text)
    name = next(
        (r.video for r in records if source.has_video(r.video) and fine.has_video(r.video)), ""
    )
    if name and fine.video(name).shape[1] != source.video(name).shape[1]:
        raise UsageError(
            f"features of {name} have {source.video(name).shape[1]} channels, "
            f"but at 4 fps {fine.video(name).shape[1]}",
            "extract both with the same model",
        )
    return source, fine, space


def _write_split(
    folder: Path, parts: dict[str, tuple[Record, ...]], source: FeatureFolders
) -> None:
    from index.files import atomic_write
    from model.datasets.features import with_durations

    folder.mkdir(parents=True, exist_ok=True)
    for name, part in parts.items():
        rows = with_durations(part, source)
        text = "".join(json.dumps(record.official()) + "\n" for record in rows)
        atomic_write(folder / f"{name}.jsonl", text.encode())
