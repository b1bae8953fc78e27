"""What the search says about the order of two events of a simulated archive.

    python tests/benchmarks/bench_order.py ARCHIVE --text text128.npz [--grounder DIR]
        [--keep FOLDER] [--each N] [--json]

From the archive (see simulated_archive.py) queries are composed, half of them "A before B" and
half "A then B": of events that happen in that order in one video, near enough for the search
(``right``); of two that happen in one video, but only the other way round (``turned``); and of
two that no video has together (``apart``): of some both happen, of some one, of some none. N of
each kind are asked through ``index.search.find.find``, the sentences in quotes, with threshold
0 and without refinement. ``--keep`` leaves the library in a folder and uses it again.

Told are, of the first: how many first hits are right (IoU of 0.5 with A where "before" asks for
it, with all from A to B for "then") and how many are lost (below the bar); of the others, how
many are said to be found; AUROC of the first presence, right against the rest, and its expected
calibration error against the first hit's being right, ten equal bins.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(Path(__file__).parent)]

import numpy as np  # noqa: E402
from bench_archive import BAR, as_row, build, localizer  # noqa: E402
from simulated_archive import Archive, SimulatedEncoder  # noqa: E402

from index.search.find import find  # noqa: E402
from index.search.moments import OrderPrior  # noqa: E402
from index.store.library import Library  # noqa: E402
from index.types import FindRequest, Localizer, Span  # noqa: E402
from index.vectors.cache import VectorCache  # noqa: E402
from index.vectors.everyday import encode_everyday  # noqa: E402

KINDS = ("right", "turned", "apart")
_APART = ("both happen", "one happens", "none happens")
LEAST_IOU = 0.5
Happening = tuple[str, Span]


@dataclass(frozen=True)
class OrderQuery:
    """Two sentences in an order, and the moments that answer it."""

    kind: str
    query: str
    moments: tuple[Happening, ...]


def happenings(row: dict[str, Any]) -> list[Happening]:
    return [(m["video"], Span(m["start_s"], m["end_s"])) for m in row["moments"]]


def in_order(
    first: Sequence[Happening], second: Sequence[Happening], most_s: float
) -> Iterator[tuple[str, Span, Span]]:
    """Every two happenings of one video of which the second follows, within so long."""
    for (video, a), (other, b) in itertools.product(first, second):
        if video == other and a.end_s <= b.start_s <= a.end_s + most_s:
            yield video, a, b


def composed(rows: Sequence[dict[str, Any]], each: int, seed: int = 0) -> list[OrderQuery]:
    """As many queries of each kind, half of them "before" and half "then"."""
    rng, prior = np.random.default_rng(seed), OrderPrior()
    made: list[OrderQuery] = []
    for word, most_s in (("before", prior.most_wait_s), ("then", prior.most_gap_s)):
        pools: dict[str, list[OrderQuery]] = {kind: [] for kind in ("right", "turned", *_APART)}
        for one, other in itertools.permutations(rows, 2):
            found, moments = _found(happenings(one), happenings(other), word, most_s)
            if found in pools:
                quoted = [row["query"].replace('"', "'") for row in (one, other)]
                kind = "apart" if found in _APART else found
                query = f'"{quoted[0]}" {word} "{quoted[1]}"'
                pools[found].append(OrderQuery(kind, query, moments))
        for found, pool in pools.items():
            count = each // 2
            made += _some(pool, math.ceil(count / len(_APART)) if found in _APART else count, rng)
    return made


def _found(
    first: Sequence[Happening], second: Sequence[Happening], word: str, most_s: float
) -> tuple[str, tuple[Happening, ...]]:
    """How two sentences stand to each other, and what answers "first before second"."""
    if not first or not second:
        return ("one happens" if first or second else "none happens"), ()
    pairs = list(in_order(first, second, most_s))
    if pairs:
        spans = [(v, a if word == "before" else Span(a.start_s, b.end_s)) for v, a, b in pairs]
        return "right", tuple(spans)
    if not {video for video, _ in first} & {video for video, _ in second}:
        return "both happen", ()
    never = not any(in_order(first, second, float("inf")))
    return ("turned" if never and any(in_order(second, first, most_s)) else "too far"), ()


def _some(pool: Sequence[OrderQuery], count: int, rng: np.random.Generator) -> list[OrderQuery]:
    picked = rng.permutation(len(pool))[:count]
    return [pool[place] for place in picked]


def ask(
    folder: Path, encoder: SimulatedEncoder, with_localizer: Localizer, asked: Sequence[OrderQuery]
) -> list[list[dict[str, Any]]]:
    """The hits of every query, best first."""
    with Library.open_readonly(folder) as library:
        cache = VectorCache.load(library, everyday=lambda: encode_everyday(encoder))
        requests = (FindRequest(q.query, limit=5, refine=False, threshold=0.0) for q in asked)
        return [
            [as_row(hit) for hit in find(library, cache, encoder, with_localizer, request).hits]
            for request in requests
        ]


def is_right(hit: dict[str, Any], moments: Sequence[Happening]) -> bool:
    span = Span(hit["start_s"], hit["end_s"])
    return any(hit["video"] == video and span.iou(true) >= LEAST_IOU for video, true in moments)


def figures(asked: Sequence[OrderQuery], answers: Sequence[list[dict[str, Any]]]) -> dict[str, Any]:
    first = np.array([hits[0]["presence"] if hits else 0.0 for hits in answers])
    right = np.array(
        [
            bool(hits) and is_right(hits[0], query.moments)
            for query, hits in zip(asked, answers, strict=True)
        ]
    )
    kinds = np.array([query.kind for query in asked])
    is_there = kinds == "right"
    more = first[is_there][:, None] - first[~is_there][None, :]
    bins = np.minimum(9, (10 * first).astype(int))
    off = [abs((first - right)[bins == number].sum()) for number in range(10)]
    told = {f"queries_{kind}": int((kinds == kind).sum()) for kind in KINDS}
    told |= {
        "right_first": _percent(right[is_there]),
        "right_lost": _percent(first[is_there] < BAR),
        "turned_found": _percent(first[kinds == "turned"] >= BAR),
        "apart_found": _percent(first[kinds == "apart"] >= BAR),
        "auroc": _percent((more > 0) + 0.5 * (more == 0)),
        "ece": round(100 * sum(off) / len(first), 2),
    }
    return told


def _percent(values: Any) -> float:
    return round(100 * float(np.mean(values)), 1) if np.size(values) else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("archive", type=Path)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--grounder", type=Path)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--each", type=int, default=40)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    archive = Archive.open(options.archive)
    encoder = SimulatedEncoder(archive, options.text)
    asked = composed(archive.queries, options.each)
    with tempfile.TemporaryDirectory() as name:
        folder = options.keep or Path(name)
        build(folder, archive, encoder)
        with localizer(options.grounder, archive) as with_localizer:
            answers = ask(folder, encoder, with_localizer, asked)
    told = figures(asked, answers)
    if options.json:
        print(json.dumps({"archive": str(options.archive), **told}))
        return
    for key, value in told.items():
        print(f"{value:8}  {key}")


if __name__ == "__main__":
    main()
