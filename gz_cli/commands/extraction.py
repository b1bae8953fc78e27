"""Features of annotated videos, made by the same code as ``gz index`` and cached."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from index.errors import UsageError
from index.files import shown

from ..views.render import Screen
from .video_model import VideoModel

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
    model: VideoModel,
) -> tuple[FeatureFolders, FeatureFolders, EmbeddingSpace]:
    """Vectors of all annotated videos and sentences, at 1 fps and at 4 fps.

    What is cached is not made again; an interrupted extraction goes on where it was.

    Args:
        screen: Shows progress and what could not be read.
        videos: Folder of videos, searched with its subfolders.
        records: What is annotated.
        cache: Folder for the features.
        model: What encodes them.

    Returns:
        Features at 1 fps, the same at 4 fps, and their embedding space.
    """
    from model.datasets.features import FeatureFolders

    cache.mkdir(parents=True, exist_ok=True)
    names = {record.video for record in records}
    for folder, step_s in (("video", 1.0), ("video-4fps", FINE_STEP_S)):
        _index(screen, videos, cache / f"library-{folder}", model, step_s)
        _export(cache / f"library-{folder}", cache / folder, names)
    _sentences(screen, model.encoder, records, cache / "text")
    text = cache / "text"
    return (
        FeatureFolders([cache / "video"], text),
        FeatureFolders([cache / "video-4fps"], text),
        model.encoder.space,
    )


def videos_by_name(folder: Path, records: Sequence[Record]) -> dict[str, Path]:
    """The files in a folder that the annotations speak of, by the names they use.

    Raises:
        UsageError: The folder is missing, holds none of them, or two of one name.
    """
    from model.datasets.annotations import FEATURE_SUFFIXES, video_name

    if not folder.is_dir():
        raise UsageError(f"there is no folder {shown(folder)}", "check --videos")
    wanted = {record.video for record in records}
    found: dict[str, Path] = {}
    for place, _, files in os.walk(folder):
        for file in sorted(files):
            name, path = video_name(file), Path(place, file)
            if name not in wanted or path.suffix.lower() in FEATURE_SUFFIXES:
                continue
            if name in found:
                raise UsageError(
                    f"two files are called {name}: {shown(found[name])} and {shown(path)}",
                    "rename one of them, in the annotations too",
                )
            found[name] = path
    if not found:
        some = ", ".join(sorted(wanted)[:3]) + (", ..." if len(wanted) > 3 else "")
        raise UsageError(
            f"no annotated video is in {shown(folder)}; the annotations name {some}",
            "check --videos and the names in the annotations",
        )
    return found


def distinct(records: Sequence[Record], part: str) -> tuple[Record, ...]:
    """The same records under ids that no other part of the data uses."""
    return tuple(replace(record, qid=f"{part}-{record.qid}") for record in records)


def _index(
    screen: Screen,
    videos: Path,
    library: Path,
    model: VideoModel,
    step_s: float,
) -> None:
    from index.indexing.indexer import index_paths
    from index.indexing.progress import IndexOptions

    from ..views.index import IndexView

    plain = Screen(quiet=screen.quiet)
    options = IndexOptions(step_s=step_s, model_spec=model.spec, adapter=str(model.adapter or ""))
    with plain.progress() as progress:
        summary = index_paths(
            library, [videos.absolute()], model.encoder, options, IndexView(plain, progress)
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
            if name not in names or not video.frames:
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
