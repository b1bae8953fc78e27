"""Searching a large library: how long a warm search takes, what it misses, what it holds.

    python tests/benchmarks/bench_find.py [--frames 400000] [--dim 768] [--probes 256 1024]

The library is made up like real ones: every video keeps to a few scenes, frames of a
scene differ little, all pictures share a strong common direction and sentences lie off
that cone, so that their cosines are low and close to each other. It is written by the
store itself. Recall is the share of the best 100 frames of an exact search, in float16
from the store, that the index finds. Peak memory is that of a process that only opens
the library and searches. A whole search is ``index.search.find.find`` without refinement, the
sentence's vector given: frames, windows, localizer, answer; with scores that are compared with
everyday sentences, as `gz find` does it, and by cosine alone, by turns. ``--frames`` above 1.5
million shows what such a library gets; below, ``--lists`` asks for the same kind of index.

    python tests/benchmarks/bench_find.py --quick --frames 3600000

times only the whole search, by processor time, on a library that is made in minutes: one video
in ten is new, the others repeat it, and there are a quarter as many lists, of which the same
share is looked into.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(Path(__file__).parent)]

import numpy as np  # noqa: E402
from full_size import tell  # noqa: E402
from library_factory import INFO, STAT  # noqa: E402

from index.files import WriterLock  # noqa: E402
from index.search.find import find  # noqa: E402
from index.search.settings import FindSettings  # noqa: E402
from index.store.library import Library  # noqa: E402
from index.types import (  # noqa: E402
    EmbeddingSpace,
    FindRequest,
    SamplingReport,
    Sentence,
    Vectors,
)
from index.vectors.cache import IndexPlan, VectorCache  # noqa: E402
from index.vectors.everyday import RIVALS, STRANGERS  # noqa: E402
from model.grounding.training_free import TrainingFreeLocalizer  # noqa: E402

VIDEO_FRAMES, SCENE_FRAMES, CONCEPTS, QUERIES = 3600, 40, 2000, 24
EXACT_FRAMES = 400_000


def unit(vectors: Vectors) -> Vectors:
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / norms).astype(np.float32)


class World:
    """Concepts that scenes are mixtures of, and the directions of pictures and of sentences."""

    def __init__(self, dim: int) -> None:
        rng = np.random.default_rng(0)
        self.dim = dim
        self.concepts = unit(rng.standard_normal((CONCEPTS, dim)))
        self.pictures, self.sentences = unit(rng.standard_normal((2, dim)))

    def video(self, number: int, frames: int) -> Vectors:
        """float32 [frames, D]: scenes of three concepts, drifting, with noise of their own."""
        rng = np.random.default_rng(number + 1)
        topics = rng.integers(0, CONCEPTS, 12)
        rows = []
        for first in range(0, frames, SCENE_FRAMES):
            count = min(SCENE_FRAMES, frames - first)
            scene = self.concepts[rng.choice(topics, 3)].sum(axis=0) * 0.45
            own = unit(rng.standard_normal((2, self.dim))) * 0.35
            drift = np.linspace(0, 1, count)[:, None]
            noise = unit(rng.standard_normal((count, self.dim))) * 0.25
            rows.append(0.8 * self.pictures + scene + own[0] * (1 - drift) + own[1] * drift + noise)
        return unit(np.concatenate(rows))

    def sentence(self, number: int) -> Vectors:
        """float32 [D]: one or two concepts seen from the side of language."""
        rng = np.random.default_rng(10_000_000 + number)
        meant = self.concepts[rng.integers(0, CONCEPTS, 1 + number % 2)].sum(axis=0)
        return unit(0.9 * self.sentences + 0.35 * meant + 0.3 * unit(rng.standard_normal(self.dim)))

    def everyday(self) -> Vectors:
        """float32 [RIVALS + STRANGERS, D]: sentences that nobody asks."""
        return np.stack([self.sentence(10_000 + k) for k in range(RIVALS + STRANGERS)])


def build(folder: Path, world: World, frames: int, plan: IndexPlan, each: int = 1) -> float:
    """Writes the library and its index; seconds that the index took.

    Of every `each` videos in a row only the first is new.
    """
    vectors = world.video(0, VIDEO_FRAMES)
    with WriterLock(folder), Library.create_or_open(folder) as library:
        library.set_space(EmbeddingSpace("made up", "r", "p", "", world.dim), "none")
        for number in range(-(-frames // VIDEO_FRAMES)):
            count = min(VIDEO_FRAMES, frames - number * VIDEO_FRAMES)
            video_id = library.begin_attempt(b"/v%06d" % number, f"fp{number}", STAT)
            if number and number % each == 0:
                vectors = world.video(number, VIDEO_FRAMES)
            library.stage_chunk(video_id, np.arange(count, dtype=np.float64), vectors[:count])
            library.commit_video(video_id, SamplingReport(count, 0, False), INFO)
        began = time.perf_counter()
        VectorCache.load(library, lambda text: None, plan, world.everyday).save()
        return time.perf_counter() - began


def exact(library: Library, queries: Vectors, limit: int) -> list[set[tuple[int, float]]]:
    """The best frames of each query by comparing with every stored vector."""
    best: list[list[tuple[float, int, float]]] = [[] for _ in queries]
    for video in library.videos(searchable=True):
        times, vectors = library.read_vectors(video.id)
        cosines = vectors @ queries.T
        for k in range(len(queries)):
            top = np.argsort(-cosines[:, k])[:limit]
            best[k] += [(float(cosines[t, k]), video.id, float(times[t])) for t in top]
            if len(best[k]) > 50 * limit:
                best[k] = sorted(best[k], reverse=True)[:limit]
    return [{(v, t) for _, v, t in sorted(rows, reverse=True)[:limit]} for rows in best]


def measured(folder: Path, world: World, plan: IndexPlan, probes: list[int]) -> Iterator[dict]:
    """One row for each number of probes."""
    queries = np.stack([world.sentence(k) for k in range(QUERIES)])
    with Library.open_readonly(folder) as library:
        truth = exact(library, queries, 100)
        for count in probes:
            cache = VectorCache.load(
                library, print, IndexPlan(plan.flat_frames, probes=count, probe_share=0.0)
            )
            walls, cpus, found = [], [], []
            for round_ in range(2):
                for query, wanted in zip(queries, truth, strict=True):
                    wall, cpu = time.perf_counter(), time.process_time()
                    hits = cache.search(query, 100)
                    if round_:
                        walls.append(time.perf_counter() - wall)
                        cpus.append(time.process_time() - cpu)
                        found.append(len({(m.video_id, m.time_s) for m in hits} & wanted) / 100)
            yield {
                "probes": count,
                "median_ms": 1000 * statistics.median(walls),
                "slowest_ms": 1000 * max(walls),
                "cpu_ms": 1000 * statistics.median(cpus),
                "recall_at_100": statistics.mean(found),
                "least_recall": min(found),
            }


def exact_float32_ms(library: Library, world: World) -> float:
    """Median milliseconds of FAISS's exact float32 index over all frames.

    Its time is proportional to the frames, so that of a large library is told from some.
    """
    import faiss

    index, total = faiss.IndexFlatIP(world.dim), 0
    for video in library.videos(searchable=True):
        total += video.frames
        if index.ntotal < EXACT_FRAMES:
            index.add(library.read_vectors(video.id)[1])
    walls = []
    for number in range(10):
        query = world.sentence(number)[None]
        began = time.perf_counter()
        index.search(query, 100)
        walls.append(time.perf_counter() - began)
    return 1000 * statistics.median(walls) * total / index.ntotal


class Given:
    """The part of an Encoder that a search without refinement uses; its sentences are numbers."""

    def __init__(self, world: World, space: EmbeddingSpace) -> None:
        self.world, self.space = world, space

    def encode_sentence(self, text: str) -> Sentence:
        pooled = self.world.sentence(int(text))
        return Sentence(text, pooled, pooled[None])


def whole_search_ms(
    folder: Path, world: World, plan: IndexPlan, now: Callable[[], float] = time.perf_counter
) -> tuple[float, float]:
    """Median milliseconds of a warm search from the sentence's vector to its answer.

    Returns:
        As `gz find` searches, and by cosine alone, each query asked both ways in turn.
    """
    ways = (FindSettings(), FindSettings(least_calibrated_frames=sys.maxsize))
    walls: list[list[float]] = [[], []]
    with Library.open_readonly(folder) as library:
        cache = VectorCache.load(library, print, plan)
        encoder = Given(world, library.space)
        for number in [*range(4), *range(QUERIES)]:
            request = FindRequest(str(number), refine=False)
            for way, settings in enumerate(ways):
                began = now()
                find(library, cache, encoder, TrainingFreeLocalizer(), request, settings=settings)
                walls[way].append(now() - began)
    compared, plain = (1000 * statistics.median(some[4:]) for some in walls)
    return compared, plain


def quick(folder: Path, world: World, frames: int) -> dict[str, float]:
    """Only the whole search, of a library that is made in minutes."""
    few = IndexPlan(flat_frames=0, lists_per_root=1.0, probes=1, train_frames_per_list=8)
    if not (folder / "library.db").exists():
        build(folder, world, frames, few, each=10)
    compared, plain = whole_search_ms(folder, world, few, time.process_time)
    return {"frames": frames, "whole_search_ms": compared, "by_cosine_alone_ms": plain}


def peak_memory_mb(folder: Path, dim: int, plan: IndexPlan) -> tuple[float, float]:
    """Of a process that opens the library and searches: before it and after some searches."""
    code = f"""
import re, sys
sys.path[:0] = {[str(ROOT), str(ROOT / "tests"), str(Path(__file__).parent)]!r}
import bench_find
from pathlib import Path
def peak_mb():
    # Not getrusage: that begins with what the parent process held.
    return int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
print(peak_mb())
world = bench_find.World({dim})
with bench_find.Library.open_readonly(Path({str(folder)!r})) as library:
    cache = bench_find.VectorCache.load(library, print, bench_find.IndexPlan({plan.flat_frames}))
    for k in range(8):
        cache.search(world.sentence(k), 100)
print(peak_mb())
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, after = map(float, out.stdout.split())
    return before, after


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=400_000)
    parser.add_argument("--dim", type=int, default=768)
    parser.add_argument("--probes", type=int, nargs="+", default=[IndexPlan().probes])
    parser.add_argument("--lists", action="store_true", help="Lists also for a small library.")
    parser.add_argument("--folder", type=Path, help="Make the library here and keep it.")
    parser.add_argument("--quick", action="store_true", help="Only time the whole search.")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    plan = IndexPlan(flat_frames=0) if chosen.lists else IndexPlan()
    world = World(chosen.dim)
    with tempfile.TemporaryDirectory() as name:
        folder = chosen.folder or Path(name)
        if chosen.quick:
            tell(quick(folder, world, chosen.frames), as_json=chosen.json)
            return
        kept = (folder / "library.db").exists()
        built_s = None if kept else build(folder, world, chosen.frames, plan)
        size_mb = sum(p.stat().st_size for p in folder.glob("vectors-*.faiss")) / 1e6
        rows = list(measured(folder, world, plan, chosen.probes))
        whole_ms, plain_ms = whole_search_ms(folder, world, plan)
        with Library.open_readonly(folder) as library:
            exact_ms = exact_float32_ms(library, world)
        before, after = peak_memory_mb(folder, chosen.dim, plan)
    facts = {
        "frames": chosen.frames,
        "dim": chosen.dim,
        "index_s": built_s,
        "index_mb": size_mb,
        "raw_float32_mb": chosen.frames * chosen.dim * 4 / 1e6,
        "peak_mb": after,
        "of_it_program_mb": before,
        "whole_search_ms": whole_ms,
        "by_cosine_alone_ms": plain_ms,
        "exact_float32_ms": exact_ms,
        "rows": rows,
    }
    if chosen.json:
        print(json.dumps(facts))
        return
    built = "kept" if built_s is None else f"built in {built_s:,.0f} s"
    print(
        f"{chosen.frames:,} frames of {chosen.dim} channels: index of {size_mb:,.0f} MB {built}; "
        f"raw float32 {facts['raw_float32_mb']:,.0f} MB; a searching process "
        f"holds {after:,.0f} MB at its peak, {before:,.0f} MB of it the program; a whole "
        f"search, warm and without refinement, takes {whole_ms:,.0f} ms "
        f"({plain_ms:,.0f} ms by cosine alone); "
        f"FAISS's exact float32 search {exact_ms:,.0f} ms"
    )
    print("| probes | median | slowest | CPU | recall@100 | least |\n|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row['probes']} | {row['median_ms']:.0f} ms | {row['slowest_ms']:.0f} ms "
            f"| {row['cpu_ms']:.0f} ms | {row['recall_at_100']:.3f} | {row['least_recall']:.2f} |"
        )


if __name__ == "__main__":
    main()
