"""Searching words: how long a warm query takes in a thousand hours of talk, and its index.

    python tests/benchmarks/bench_words.py [--hours 1000] [--keep FOLDER]

The talk is made up (`spoken_world`): 12,000 words an hour in passages of twelve. It is
written by the store itself. A query is timed from its words to spans with their quotes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(Path(__file__).parent)]

import numpy as np  # noqa: E402
from library_factory import INFO, STAT, open_library, unit_vectors  # noqa: E402
from spoken_world import PASSAGE_WORDS, WORD_S, SpokenWorld  # noqa: E402

from index.passages import Passage, TextSource, TextTrack  # noqa: E402
from index.search.fields import Clause  # noqa: E402
from index.search.said import Words  # noqa: E402
from index.search.scope import choose_videos  # noqa: E402
from index.store.library import Library  # noqa: E402
from index.types import FindRequest, SamplingReport  # noqa: E402

WORDS_AN_HOUR = 12_000


def build(folder: Path, hours: int) -> None:
    world = SpokenWorld(seed=1)
    with open_library(folder) as library:
        for number in range(hours):
            video_id = library.begin_attempt(b"/v%05d.mp4" % number, f"fp{number}", STAT)
            library.stage_chunk(video_id, np.arange(2.0), unit_vectors(2, number))
            library.commit_video(video_id, SamplingReport(3600.0, 0, False), INFO)
            drawn = world.words[world.numbers(WORDS_AN_HOUR, world.topic())]
            passages = tuple(
                Passage(
                    k * PASSAGE_WORDS * WORD_S,
                    (k + 1) * PASSAGE_WORDS * WORD_S,
                    " ".join(drawn[k * PASSAGE_WORDS : (k + 1) * PASSAGE_WORDS]),
                )
                for k in range(WORDS_AN_HOUR // PASSAGE_WORDS)
            )
            source = TextSource("speech", "sidecar", "person", path=b"/v%05d.srt" % number)
            library.write_text(video_id, TextTrack(source, passages, 3600.0))


def queries(library: Library) -> list[Clause]:
    """Quotes, loose words, phrases of frequent words, and what is said nowhere."""
    rng = np.random.default_rng(5)
    texts = library.searched_texts()
    asked = []
    for number in range(24):
        text = texts[int(rng.integers(len(texts)))]
        first, second = library.passages(text.id)[int(rng.integers(500)) :][:2]
        words = f"{first.body} {second.body}".split()
        begin = int(rng.integers(0, 14))
        words = words[begin : begin + 2 + number % 6]
        if number % 4 == 3:
            words = words[::2]
        asked.append(Clause("q", "q", " ".join(words), ("speech",), quoted=number % 2 == 0))
    for words in ("to be or not to be", "the of and to a", "it was never", "you know what"):
        asked.append(Clause("q", "q", words, ("speech",), quoted=True))
    return asked


def measured(library: Library, folder: Path) -> dict[str, float]:
    asked = queries(library)
    walls, cpus, found = [], [], 0
    for round_ in range(2):
        for clause in asked:
            wall, cpu = time.perf_counter(), time.process_time()
            scope = choose_videos(library, FindRequest(query="q"))
            proposals = Words(library, scope).found(clause, ("speech",))
            if round_:
                found += any(span.presence > 0.5 for p in proposals.values() for span in p)
                walls.append(1000 * (time.perf_counter() - wall))
                cpus.append(1000 * (time.process_time() - cpu))
    return {
        "passages": sum(text.passages for text in library.searched_texts()),
        "library_mb": sum(file.stat().st_size for file in folder.iterdir()) / 1e6,
        "found": found / len(asked),
        "median_ms": statistics.median(walls),
        "p95_ms": sorted(walls)[int(0.95 * len(walls))],
        "slowest_ms": max(walls),
        "cpu_median_ms": statistics.median(cpus),
        "cpu_p95_ms": sorted(cpus)[int(0.95 * len(cpus))],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=int, default=1000)
    parser.add_argument("--keep", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.keep or Path(temporary)
        if not (folder / "library.db").exists():
            build(folder, asked.hours)
        with Library.open_readonly(folder) as library:
            print(json.dumps(measured(library, folder)))


if __name__ == "__main__":
    main()
