"""Features of annotated videos, made by the same code as ``gz index`` and cached."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from index.errors import UsageError

from ..views.render import Screen

if TYPE_CHECKING:
    from index.types import EmbeddingSpace, Encoder
    from model.datasets.features import FeatureFolders
    from model.datasets.records import Record

FINE_STEP_S = 0.25


def extract(
    screen: Screen,
    videos: Path,
    records: Sequence[Record],
    cache: Path,
    model: str | None,
    adapter: Path | None,
    device: str | None,
) -> tuple[FeatureFolders, FeatureFolders, EmbeddingSpace]:
    """Vectors of all annotated videos and sentences, at 1 fps and at 4 fps.

    What is cached is not made again; an interrupted extraction goes on where it was.

    Args:
        screen: Shows progress and what could not be read.
        videos: Folder of videos, searched with its subfolders.
        records: What is annotated.
        cache: Folder for the features.
        model: Backbone; the default one without.
        adapter: LoRA adapter folder for it.
        device: Where it computes.

    Returns:
        Features at 1 fps, the same at 4 fps, and their embedding space.
    """
    from model.datasets.features import FeatureFolders

    from ..opening import default_spec, open_encoder

    if not videos.is_dir():
        raise UsageError(f"no folder {videos}", "check --videos")
    cache.mkdir(parents=True, exist_ok=True)
    spec = model or default_spec()
    encoder = open_encoder(screen, spec, adapter, device)
    names = {record.video for record in records}
    for folder, step_s in (("video", 1.0), ("video-4fps", FINE_STEP_S)):
        _index(screen, videos, cache / f"library-{folder}", encoder, spec, adapter, step_s)
        _export(cache / f"library-{folder}", cache / folder, names)
    _sentences(screen, encoder, records, cache / "text")
    text = cache / "text"
    return (
        FeatureFolders([cache / "video"], text),
        FeatureFolders([cache / "video-4fps"], text),
        encoder.space,
    )


def distinct(records: Sequence[Record], part: str) -> tuple[Record, ...]:
    """The same records under ids that no other part of the data uses."""
    return tuple(replace(record, qid=f"{part}-{record.qid}") for record in records)


def _index(
    screen: Screen,
    videos: Path,
    library: Path,
    encoder: Encoder,
    spec: str,
    adapter: Path | None,
    step_s: float,
) -> None:
    from index.indexing.indexer import index_paths
    from index.indexing.progress import IndexOptions

    from ..views.index import IndexView

    plain = Screen(quiet=screen.quiet)
    options = IndexOptions(step_s=step_s, model_spec=spec, adapter=str(adapter or ""))
    with plain.progress() as progress:
        summary = index_paths(
            library, [videos.absolute()], encoder, options, IndexView(plain, progress)
        )
    if summary.interrupted:
        raise KeyboardInterrupt("interrupted; the features made so far are kept")


def _export(library_dir: Path, out: Path, names: set[str]) -> None:
    import numpy as np

    from index.files import atomic_path
    from index.store.library import Library
    from model.datasets.annotations import video_name

    out.mkdir(parents=True, exist_ok=True)
    with Library.open_readonly(library_dir) as library:
        for video in library.videos(searchable=True):
            name = video_name(os.fsdecode(video.path))
            path = out / f"{name}.npz"
            if name not in names:
                continue
            _, vectors = library.read_vectors(video.id)
            with atomic_path(path) as temporary:
                np.savez(temporary, features=vectors.astype(np.float16))


def _sentences(screen: Screen, encoder: Encoder, records: Sequence[Record], out: Path) -> None:
    import numpy as np

    from index.files import atomic_path
    from model.datasets.features import ALMOST
    from model.datasets.negatives import HardNegatives

    out.mkdir(parents=True, exist_ok=True)
    almost = HardNegatives([record.query for record in records])
    with screen.progress() as progress:
        for number, record in enumerate(records, 1):
            progress.update(number / len(records), f"sentence {number} of {len(records)}")
            texts = {str(record.qid): record.query}
            for k, changed in enumerate(almost.of(record.query)):
                texts[f"{record.qid}{ALMOST}{k}"] = changed
            for key, text in texts.items():
                sentence = encoder.encode_sentence(text)
                with atomic_path(out / f"qid{key}.npz") as temporary:
                    np.savez(
                        temporary,
                        last_hidden_state=sentence.tokens.astype(np.float16),
                        pooler_output=sentence.pooled.astype(np.float16),
                    )
