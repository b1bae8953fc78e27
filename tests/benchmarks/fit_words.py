"""Fits and checks how sure a match of words makes one: see ``index.search.word_belief``.

    python tests/benchmarks/fit_words.py [--fit]

Talks are made up (`spoken_world`), every second one as a machine hears it. Queries are
quotes and loose words of talks that are in the library, over the borders of passages too,
and as many that are not: of talks on the same subjects that the library does not hold, such
with some words exchanged, and quotes with a negation put in or taken out. A match is right
where what was really said there, within a few words, holds the query: word for word where it
was quoted, else most of its weight and its negation. Without ``--fit`` it prints the reliability
error of the shipped weights on other seeds than those that they were fitted to.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(Path(__file__).parent)]

import numpy as np  # noqa: E402
from library_factory import add_video, open_library  # noqa: E402
from spoken_world import FUNCTION, WORD_S, SpokenWorld, Talk  # noqa: E402

from index.passages import TextSource, TextTrack  # noqa: E402
from index.search.candidates import MOST_TERMS, places_of  # noqa: E402
from index.search.matching import match  # noqa: E402
from index.search.word_belief import FEATURES, WordBelief, features  # noqa: E402
from index.search.wording import NEGATIONS, terms_of  # noqa: E402
from index.store.library import Library  # noqa: E402
from model.grounding.logistic import fit_logistic, sigmoid  # noqa: E402

FITTED, QUOTED_SEEDS = (11, 12, 13, 14, 15, 16), (21, 22, 23, 24)
SIZES = ((2, 300), (8, 1200), (24, 2400))
"""Talks of a library, and words of each; with every seed one of each size is made."""
QUERIES, ERROR = 150, 0.15


@dataclass(frozen=True)
class Case:
    """The best match of one query, and whether it is right."""

    values: tuple[float, ...]
    right: bool
    kind: str


def asked(world: SpokenWorld, talks: list[Talk], elsewhere: list[Talk]) -> Iterator[tuple]:
    """Words, whether they are quoted, and what kind of query they make."""
    rng, most = world.rng, len(talks[0].said)
    for number in range(QUERIES):
        present = number % 2 == 0
        quoted = bool(rng.random() < 0.5)
        talk = talks[rng.integers(len(talks))]
        begin, length = int(rng.integers(0, most - 14)), int(rng.integers(1, 9))
        words = list(talk.said[begin : begin + length])
        if all(word in FUNCTION for word in words):
            words = list(talk.said[begin : begin + 10])
        if present and quoted:
            yield words, True, "quote"
        elif present:
            wide = list(talk.said[begin : begin + 12])
            words = [w for w in wide if w not in FUNCTION][:4] if rng.random() < 0.4 else words
            kept = [word for word in words if rng.random() < 0.8] or words or wide
            if len(kept) > 2 and rng.random() < 0.4:
                rng.shuffle(kept)
            yield kept, False, "loose"
        elif rng.random() < 0.35:
            there = [k for k, word in enumerate(words) if word in NEGATIONS]
            if there:
                words.pop(there[0])
            else:
                words.insert(int(rng.integers(0, len(words))), str(rng.choice(["never", "not"])))
            yield words or ["never"], quoted, "negated"
        elif rng.random() < 0.4:
            content = [k for k, word in enumerate(words) if word not in FUNCTION] or [0]
            other = elsewhere[rng.integers(len(elsewhere))].said
            for k in rng.choice(content, max(1, len(content) // 2), replace=False):
                words[k] = other[int(rng.integers(len(other)))]
            yield words, quoted, "exchanged"
        else:
            other = elsewhere[rng.integers(len(elsewhere))].said
            yield list(other[begin : begin + max(2, length)]), quoted, "elsewhere"


def is_right(words: list[str], quoted: bool, said: tuple[str, ...], start_s: float, end_s: float,
             weight: dict[str, float]) -> bool:  # fmt: skip
    low = max(0, round(start_s / WORD_S) - 1)
    window = said[low : round(end_s / WORD_S) + 1]
    if quoted:
        longer = said[max(0, low - 3) : low + len(window) + 3]
        count = len(words)
        return any(list(longer[k : k + count]) == words for k in range(len(longer) - count + 1))
    wide = set(said[max(0, low - 3) : low + len(window) + 3])
    if bool(set(words) & NEGATIONS) != bool(set(window) & NEGATIONS):
        return False
    total = sum(weight[word] for word in words)
    return sum(weight[word] for word in words if word in wide) >= 0.8 * total


def cases(seed: int) -> list[Case]:
    return [case for size in SIZES for case in cases_of(seed, *size)]


def cases_of(seed: int, count: int, length: int) -> list[Case]:
    world = SpokenWorld(1000 * seed + count)
    rng = world.rng
    topics = [world.topic() for _ in range(6)]
    world.topic = lambda: topics[int(rng.integers(6))]  # type: ignore[method-assign]
    talks = [world.talk(length, ERROR if k % 2 else 0.0, timed=k % 4 < 2) for k in range(count)]
    elsewhere = [world.talk(length) for _ in range(8)]
    with tempfile.TemporaryDirectory() as folder, open_library(Path(folder)) as library:
        for k, talk in enumerate(talks):
            video_id = add_video(library, b"/v%d.mp4" % k, frames=2, seed=k)
            origin, kind = ("machine", "transcribed") if k % 2 else ("person", "sidecar")
            source = TextSource("speech", kind, origin, path=b"/v%d" % k)
            library.write_text(video_id, TextTrack(source, talk.heard, 3600.0))
        return list(judged(library, world, talks, elsewhere))


def judged(
    library: Library, world: SpokenWorld, talks: list[Talk], elsewhere: list[Talk]
) -> Iterator[Case]:
    texts = {text.id: text for text in library.searched_texts()}
    number_of = {text.id: k for k, text in enumerate(sorted(texts.values(), key=lambda t: t.id))}
    total = sum(text.passages for text in texts.values())
    belief = WordBelief()
    for words, quoted, kind in asked(world, talks, elsewhere):
        terms = terms_of(" ".join(words), MOST_TERMS)
        sought, places = places_of(library, terms, texts, total)
        matches = [m for place in places if (m := match(sought, place)) is not None]
        if not matches:
            continue
        weight = dict(zip(words, sought.weights, strict=False))
        best = max(matches, key=lambda m: belief.log_odds(m, quoted, m.place.text.source.origin))
        talk = talks[number_of[best.place.text.id]]
        right = is_right(words, quoted, talk.said, best.start_s, best.end_s, weight)
        yield Case(features(best, quoted, best.place.text.source.origin), right, kind)


def reliability(chances: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error in points, over bins of equal width."""
    number = np.minimum((chances * bins).astype(int), bins - 1)
    return 100 * sum(
        abs(chances[number == k].mean() - right[number == k].mean()) * (number == k).mean()
        for k in range(bins)
        if (number == k).any()
    )


def report(found: list[Case], weights: np.ndarray, most: float) -> dict[str, object]:
    chances = most * sigmoid(np.array([case.values for case in found]) @ weights)
    right = np.array([case.right for case in found])
    kinds = np.array([case.kind for case in found])
    bar = chances >= 0.5
    return {
        "queries": len(found),
        "reliability_points": round(reliability(chances, right), 2),
        "right_when_found": round(float(right[bar].mean()), 3),
        "found_of_right": round(float(bar[right].mean()), 3),
        "wrongly_found": {
            kind: round(float((bar & ~right)[kinds == kind].mean()), 3)
            for kind in sorted(set(kinds))
        },
    }


def unfielded(found: list[Case], weights: np.ndarray, most: float) -> tuple[float, float]:
    """Shift and slope of the log-odds of words that answer a query which names no channel.

    Three of four such queries mean pictures; to these, words that match are accidents.
    """
    chances = most * sigmoid(np.array([case.values for case in found]) @ weights)
    odds = np.log(chances / (1 - chances))
    meant = np.array([case.kind in ("quote", "loose") for case in found])
    right = np.array([case.right for case in found]) & meant
    rows = np.concatenate([np.flatnonzero(meant), *[np.flatnonzero(~meant)] * 3])
    design = np.stack([np.ones(len(rows)), odds[rows]], axis=1)
    shift, slope = fit_logistic(design, right[rows].astype(float), np.array([0.5, 0.5]))
    return float(shift), float(slope)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fit", action="store_true")
    fit = parser.parse_args().fit
    belief = WordBelief()
    weights = np.array(belief.weights)
    if fit:
        found = [case for seed in FITTED for case in cases(seed)]
        design = np.array([case.values for case in found])
        right = np.array([case.right for case in found], float)
        weights = fit_logistic(design, right, np.full(len(FEATURES), 0.5))
        print(", ".join(f"{weight:.2f}" for weight in weights))
        print(json.dumps(report(found, weights, belief.most)))
        print("words alone: {:.2f}, {:.2f}".format(*unfielded(found, weights, belief.most)))
    found = [case for seed in QUOTED_SEEDS for case in cases(seed)]
    print(json.dumps(report(found, weights, belief.most)))


if __name__ == "__main__":
    main()
