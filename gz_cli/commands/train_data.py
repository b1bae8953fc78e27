"""What ``gz train`` learns from: checked records with their features, split where asked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from index.errors import UsageError

from ..views.render import Screen
from .answers import with_features
from .eval import feature_dirs, read_records

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
    model: str | None
    adapter: Path | None
    dataset: str
    classes: Path | None
    skip_bad_rows: bool
    seed: int
    device: str | None
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
    if (options.val is None) == (options.split is None):
        raise UsageError("give either --val FILE or --split 70/15/15", "see gz train --help")
    if (options.features is None) == (options.videos is None):
        raise UsageError(
            "give either --features and --text-features, or --videos", "see gz train --help"
        )
    parts = _parts(screen, options)
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

    if options.videos is not None:
        from .extraction import extract

        cache = options.out / "features"
        return extract(
            screen, options.videos, records, cache, options.model, options.adapter, options.device
        )
    if options.features is None or options.text_features is None:
        raise UsageError("--features needs --text-features", "see gz train --help")
    text = options.text_features
    source = FeatureFolders(feature_dirs(options.features), text)
    fine = options.fine_features
    return source, None if fine is None else FeatureFolders([fine], text), None


def _write_split(
    folder: Path, parts: dict[str, tuple[Record, ...]], source: FeatureFolders
) -> None:
    from index.files import atomic_write

    folder.mkdir(parents=True, exist_ok=True)
    for name, part in parts.items():
        rows = [
            record
            if record.duration_s
            else replace(record, duration_s=float(len(source.video(record.video))))
            for record in part
        ]
        text = "".join(json.dumps(record.official()) + "\n" for record in rows)
        atomic_write(folder / f"{name}.jsonl", text.encode())
