"""``gz demo``: the main job on an invented archive, with no download and a known truth."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from index.errors import UsageError

from ..options import DebugOption, JsonOption, QuietOption, settings_of
from ..views.demo import ANY_OTHER, WAYS, DemoOutcome, Way, show_intro, show_outcome
from ..views.render import Screen

if TYPE_CHECKING:
    from index.clips.export import ClipResult
    from index.indexing.progress import IndexSummary
    from index.types import FindResult
    from model.demo.archive import DemoArchive, DemoQuery

_SEED = 7
_CLIPS = 3


def demo(
    ctx: typer.Context,
    keep: Annotated[
        Path | None,
        typer.Option(
            "--keep",
            metavar="DIR",
            help="Make the archive and its library in this new folder and leave them there.",
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option("--seed", min=0, metavar="N", help="Make another archive of the same world."),
    ] = _SEED,
    every: Annotated[
        bool, typer.Option("--all", help="Show the answers to all queries, not to a few.")
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Show index, find and export-clips on a small invented archive.

    Its model ships with gz, was trained from scratch on that small world and knows
    nothing else: nothing is downloaded, and every answer can be compared with the truth.
    """
    settings = settings_of(ctx)
    screen = Screen(quiet=settings.quiet, as_json=settings.as_json)
    show_intro(screen, seed)
    with _folder(keep) as folder:
        outcome = _run(screen, folder, seed)
        show_outcome(screen, outcome, seed, keep, every)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="gz-demo-") as name:
            yield Path(name)
        return
    folder = keep.expanduser().absolute()
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty.", "Name a new folder: gz demo --keep DIR")
    folder.mkdir(parents=True, exist_ok=True)
    yield folder


def _run(screen: Screen, folder: Path, seed: int) -> DemoOutcome:
    from model.demo.archive import score
    from model.demo.spoken import score_spoken

    seconds: dict[str, float] = {}
    with _timed(seconds, "render"):
        screen.note("Making six videos that the model has never seen ...")
        archive = _rendered(screen, folder, seed)
    with _timed(seconds, "index"):
        summary = _index(screen, folder, archive)
    with _timed(seconds, "find"):
        found, heard = _find_all(screen, folder, archive)
    with _timed(seconds, "export"):
        clips = _export(screen, folder, found[WAYS[-1]])
    scores = {way: score(answers) for way, answers in found.items()}
    answers = found[WAYS[-1]] | heard
    return DemoOutcome(archive, summary, answers, scores, score_spoken(heard), clips, seconds)


def _rendered(screen: Screen, folder: Path, seed: int) -> DemoArchive:
    from model.demo.archive import make_archive

    with screen.progress() as progress:

        def watch(done: int, total: int) -> None:
            progress.update(done / total, f"making video {min(done + 1, total)} of {total}")

        return make_archive(folder / "videos", seed, watch=watch)


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    started = time.monotonic()
    yield
    seconds[name] = time.monotonic() - started


def _index(screen: Screen, folder: Path, archive: DemoArchive) -> IndexSummary:
    from index.indexing.indexer import index_paths
    from index.indexing.progress import IndexOptions

    from ..opening import open_encoder
    from ..views.index import IndexView, show_summary

    encoder = open_encoder(screen, "demo", None, None)
    plain = Screen(quiet=screen.quiet)
    with plain.progress() as progress:
        progress.update(None, "indexing: opening the model")
        summary = index_paths(
            folder / "library",
            [archive.folder],
            encoder,
            IndexOptions(model_spec="demo"),
            IndexView(plain, progress),
        )
    show_summary(plain, summary)
    return summary


def _find_all(
    screen: Screen, folder: Path, archive: DemoArchive
) -> tuple[dict[Way, dict[DemoQuery, FindResult]], dict[DemoQuery, FindResult]]:
    """The answers to queries about pictures in every way, and to those about words in the last."""
    from index.search.find import find
    from index.store.sentences import SentenceCache
    from index.types import FindRequest
    from index.vectors.cache import VectorCache
    from index.vectors.everyday import everyday_of

    from ..opening import open_encoder_of, open_library, open_localizer, open_training_free

    ways = (*WAYS, ANY_OTHER)
    found: dict[Way, dict[DemoQuery, FindResult]] = {way: {} for way in ways}
    heard: dict[DemoQuery, FindResult] = {}
    asked = (*archive.queries, *archive.spoken)
    with open_library(folder / "library") as library, screen.progress() as progress:
        encoder = open_encoder_of(screen, library, None)
        cache = VectorCache.load(
            library, everyday=lambda: everyday_of(encoder, screen.note, progress.update)
        )
        sentences = SentenceCache(folder / "library")
        trained, untrained = open_localizer(library), open_training_free(library)
        unfitted = open_training_free(None)
        for number, query in enumerate(asked, 1):
            progress.update(
                (number - 1) / len(asked), f"finding {number} of {len(asked)}: {query.text}"
            )
            spoken = query in archive.spoken
            for way in WAYS[-1:] if spoken else ways:
                request = FindRequest(query.text, limit=5, refine=way.refine)
                localizer = (trained if way.trained else untrained) if way.fitted else unfitted
                answers = heard if spoken else found[way]
                answers[query] = find(library, cache, encoder, localizer, request, sentences)
    return found, heard


def _export(
    screen: Screen, folder: Path, answers: dict[DemoQuery, FindResult]
) -> tuple[ClipResult, ...]:
    """Cuts the first hits of the first queries that were found."""
    from index.clips.export import ClipRequest, ExportOptions, export_clips
    from index.clips.manifest import write_manifest

    requests = [
        ClipRequest(
            source=result.hits[0].path,
            start_s=result.hits[0].span.start_s,
            end_s=result.hits[0].span.end_s,
            stem=Path(os.fsdecode(result.hits[0].path)).stem,
            fingerprint=result.hits[0].fingerprint,
            query=query.text,
            presence=result.hits[0].presence,
        )
        for query, result in answers.items()
        if result.hits
    ][:_CLIPS]
    options = ExportOptions(out=folder / "clips")
    clips = tuple(export_clips(requests, options))
    write_manifest(clips, options)
    return clips
