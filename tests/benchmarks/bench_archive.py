"""What the search says about a simulated archive: every query, asked as a person would ask it.

    python tests/benchmarks/bench_archive.py ARCHIVE --answers FILE [--grounder DIR]
        [--score score.py] [--text text128.npz] [--keep FOLDER] [--queries N] [--json]

The archive (see simulated_archive.py) is written into a library by the store itself, and every
query goes through ``index.search.find.find`` with threshold 0 and without refinement. FILE gets
a line for each: {"qid", "hits": [{"video", "start_s", "end_s", "presence"}, ...]}, best first.
``--score`` names a file with ``score(queries, answers, bar)``, by default score.py in the
archive or beside it; its figures are printed. ``--text`` names the sentences of the simulated
language, by default ../qvh_sim/text128.npz as seen from score.py: they stand for any sentence
that the search itself may want encoded. ``--keep`` leaves the library in a folder and uses it
again; ``--queries N`` asks only N, evenly spread over the file.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(Path(__file__).parent)]

import numpy as np  # noqa: E402
from library_factory import INFO, STAT  # noqa: E402
from simulated_archive import (  # noqa: E402
    Archive,
    SimulatedEncoder,
    least_agreement,
    pieces,
    whole,
)

from index.files import WriterLock  # noqa: E402
from index.search.find import find  # noqa: E402
from index.store.library import Library  # noqa: E402
from index.types import FindRequest, Hit, Localizer, SamplingReport  # noqa: E402
from index.vectors.cache import VectorCache  # noqa: E402
from index.vectors.everyday import encode_everyday  # noqa: E402
from model.grounding.training_free import TrainingFreeLocalizer  # noqa: E402

PIECE_FRAMES = 512
LIMIT, BAR = 10, 0.5


def build(folder: Path, archive: Archive, encoder: SimulatedEncoder) -> float:
    """Completes the library and its index; seconds that it took."""
    began = time.perf_counter()
    with WriterLock(folder), Library.create_or_open(folder) as library:
        library.set_space(archive.space, "none")
        there = {video.path: video.frames for video in library.videos(searchable=True)}
        for video in archive.videos:
            path = path_of(video.name)
            if there.pop(path, None) == video.frames:
                continue
            video_id = library.begin_attempt(path, f"{archive.folder.name}-{video.name}", STAT)
            staged_s = library.staged_until_s(video_id)
            first = 0 if staged_s is None else int(staged_s) + 1
            for times_s, vectors in pieces(archive, video, PIECE_FRAMES, first):
                library.stage_chunk(video_id, times_s, vectors)
            duration_s = float(video.frames)
            library.commit_video(
                video_id, SamplingReport(duration_s, 0, False), replace(INFO, duration_s=duration_s)
            )
        if there:
            raise SystemExit(f"{folder} holds videos that are not in {archive.folder}")
        VectorCache.load(library, everyday=lambda: encode_everyday(encoder)).save()
    return time.perf_counter() - began


def path_of(name: str) -> bytes:
    return b"/" + name.encode()


@contextmanager
def localizer(grounder: Path | None, archive: Archive) -> Iterator[Localizer]:
    """What the search localizes with; features of a simulation carry no space of their own."""
    if grounder is None:
        yield TrainingFreeLocalizer()
        return
    from model.grounding.checkpoint import load_checkpoint, save_checkpoint
    from model.grounding.localizer import TrainedLocalizer

    checkpoint = load_checkpoint(grounder)
    with tempfile.TemporaryDirectory() as name:
        if checkpoint.space is None or checkpoint.space.backbone == archive.space.backbone:
            # Opened like any other, with all that lies beside it.
            fitting = shutil.copytree(grounder, Path(name) / grounder.resolve().name)
            save_checkpoint(fitting, replace(checkpoint, space=archive.space))
            grounder = fitting
        yield TrainedLocalizer.open(grounder, archive.space, "cpu")


def chosen(queries: Sequence[dict[str, Any]], count: int | None) -> list[dict[str, Any]]:
    if count is None or count >= len(queries):
        return list(queries)
    return [queries[k] for k in np.linspace(0, len(queries) - 1, count).round().astype(int)]


def ask(
    folder: Path,
    encoder: SimulatedEncoder,
    with_localizer: Localizer,
    queries: Sequence[dict[str, Any]],
) -> tuple[list[dict[str, Any]], list[float]]:
    """The answers, and the seconds that each took."""
    rows, seconds = [], []
    with Library.open_readonly(folder) as library:
        cache = VectorCache.load(library, everyday=lambda: encode_everyday(encoder))

        def hits(query: str) -> tuple[Hit, ...]:
            request = FindRequest(whole(query), limit=LIMIT, refine=False, threshold=0.0)
            return find(library, cache, encoder, with_localizer, request).hits

        # What is read or encoded once is no part of what a query takes.
        hits(queries[0]["query"])
        for query in queries:
            began = time.perf_counter()
            found = hits(query["query"])
            seconds.append(time.perf_counter() - began)
            rows.append({"qid": query["qid"], "hits": [as_row(hit) for hit in found]})
    return rows, seconds


def as_row(hit: Hit) -> dict[str, Any]:
    return {
        "video": hit.path.decode().lstrip("/"),
        "start_s": hit.span.start_s,
        "end_s": hit.span.end_s,
        "presence": hit.presence,
    }


def score_file(archive: Path, named: Path | None) -> Path | None:
    if named is not None:
        return named
    places = (archive / "score.py", archive.resolve().parent / "score.py")
    return next((place for place in places if place.exists()), None)


def scorer(path: Path) -> Callable[..., dict[str, float]]:
    spec = importlib.util.spec_from_file_location("score", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} is no Python file")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded.score


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("archive", type=Path)
    parser.add_argument("--answers", type=Path, required=True)
    parser.add_argument("--grounder", type=Path)
    parser.add_argument("--score", type=Path)
    parser.add_argument("--text", type=Path)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--queries", type=int)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    archive = Archive.open(options.archive)
    score = score_file(options.archive, options.score)
    text = options.text
    if text is None and score is not None:
        beside = score.resolve().parent.parent / "qvh_sim" / "text128.npz"
        text = beside if beside.exists() else None
    encoder = SimulatedEncoder(archive, text)
    queries = chosen(archive.queries, options.queries)
    with tempfile.TemporaryDirectory() as name:
        folder = options.keep or Path(name)
        built_s = build(folder, archive, encoder)
        with localizer(options.grounder, archive) as with_localizer:
            rows, seconds = ask(folder, encoder, with_localizer, queries)
    options.answers.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    figures = {}
    if score is not None:
        figures = scorer(score)(queries, {row["qid"]: row["hits"] for row in rows}, BAR)
    facts = {
        "archive": str(options.archive),
        "hours": archive.frames / 3600,
        "videos": len(archive.videos),
        "queries": len(queries),
        "asked_as_one_whole": sum(whole(row["query"]) != row["query"] for row in queries),
        "localizer": with_localizer.name,
        "built_s": built_s,
        "query_s": statistics.median(seconds),
        "slowest_query_s": max(seconds),
        "language_agrees": None
        if text is None
        else least_agreement(encoder.language, encoder.asked),
        "score": figures,
    }
    if options.json:
        print(json.dumps(facts))
        return
    print(
        f"{facts['hours']:,.1f} h in {len(archive.videos):,} videos, library ready in "
        f"{built_s:,.0f} s; {len(queries)} queries, {facts['localizer']}: "
        f"{facts['query_s']:.3f} s a query (median), {facts['slowest_query_s']:.3f} s the slowest"
    )
    if facts["language_agrees"] is not None:
        print(f"sentences of the language agree with the archive's: {facts['language_agrees']:.5f}")
    for key, value in figures.items():
        print(f"{value:8}  {key}")


if __name__ == "__main__":
    main()
