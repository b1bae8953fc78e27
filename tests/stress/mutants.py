"""One damaged byte in a library: is the answer the same, or said to be impossible?

A small library is made from real videos, with everything that lies beside it. Each mutant
is a copy with one byte changed, asked the same queries as a fresh ``gz find`` would be.
Another answer with status 0 is the one thing that must never happen; a refusal (6 or 7)
must say what to do, and doing it must bring the answer back.

    python tests/stress/mutants.py --mutants 500 --seed 1
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import traceback
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from fakes import COLOURS, FakeEncoder  # noqa: E402
from index_runs import Home  # noqa: E402
from media_factory import colour_video  # noqa: E402

from gz_cli import opening  # noqa: E402
from gz_cli.grounding import REMEMBERED, keep_grounder, remembered_grounder  # noqa: E402
from gz_cli.searcher import Searcher  # noqa: E402
from gz_cli.views.render import Screen  # noqa: E402
from gz_cli.views.results import find_fields  # noqa: E402
from index.errors import GzError, LibraryError, ModelError  # noqa: E402
from index.indexing.check import check  # noqa: E402
from index.types import FindRequest  # noqa: E402
from model.grounding.training_free import TrainingFreeLocalizer  # noqa: E402

QUERIES = ("red", "a blue thing then a green thing", "yellow", "nothing of the kind")
TARGETS = ("library", "library alone", "cache.db", "vectors.json", "vectors-*", REMEMBERED)
"""``library alone`` has no search index beside it, so that it is built from what is there."""


@dataclass
class Tally:
    """What became of the mutants."""

    outcomes: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    bad: list[str] = field(default_factory=list)

    def add(self, target: str, outcome: str, story: str = "") -> None:
        self.outcomes[target][outcome] += 1
        if outcome in ("WRONG", "UNFORESEEN", "NOT MENDED"):
            self.bad.append(f"{outcome}: {story}")

    def count(self, outcome: str) -> int:
        return sum(found[outcome] for found in self.outcomes.values())


@contextmanager
def stand_ins(grounder: Path) -> Iterator[None]:
    """The doors of ``gz find``, with an encoder and a localizer that need no weights."""

    def encoder_of(screen: Screen, library: Any, device: str | None) -> FakeEncoder:
        encoder = FakeEncoder()
        opening.require_same_space(library, encoder)
        return encoder

    def localizer(library: Any, *_: object) -> TrainingFreeLocalizer:
        chosen = remembered_grounder(library.folder)
        if chosen not in (None, grounder):
            raise AssertionError(f"another grounder is used: {chosen}")
        return TrainingFreeLocalizer()

    with (
        mock.patch.object(opening, "open_encoder_of", encoder_of),
        mock.patch.object(opening, "open_localizer", localizer),
    ):
        yield


def make_home(folder: Path, videos: int = 6) -> Home:
    """Videos, a library of them, and all that a search leaves beside it."""
    home = Home(folder / "videos", folder / "library")
    home.videos.mkdir(parents=True)
    words = sorted(COLOURS)
    for number in range(videos):
        story = [(words[(number * 2 + step) % len(words)], 6.0 + number) for step in range(4)]
        colour_video(home.videos / f"video {number}.mp4", story, fps=4)
    home.index()
    keep_grounder(home.library, folder / "grounder")
    return home


def answers(library: Path) -> str:
    """What a fresh process would answer, as text that can be compared."""
    screen = Screen(quiet=True, as_json=True)
    found = []
    with Searcher(screen, library) as searcher:
        for query in QUERIES:
            result = searcher.ask(FindRequest(query, limit=10, threshold=0.0, refine=False))
            found.append(find_fields(result))
    return json.dumps(found, sort_keys=True)


def mutate(path: Path, generator: random.Random) -> str:
    """Changes one byte of a file; bytes that say something half of the time."""
    data = bytearray(path.read_bytes())
    if generator.random() < 0.5:
        place = generator.randrange(len(data))
    else:
        place = generator.choice([number for number, byte in enumerate(data) if byte])
    change = (
        1 << generator.randrange(8) if generator.random() < 0.5 else generator.randrange(1, 256)
    )
    data[place] ^= change
    path.write_bytes(data)
    return f"{path.name} byte {place} ^ {change:#x}"


def try_mutant(home: Home, target: str, scratch: Path, truth: str, seed: str, tally: Tally) -> None:
    """Makes one mutant, asks it, and counts what happened."""
    generator = random.Random(seed)
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(home.library, scratch)
    if target == "library alone":
        for path in scratch.glob("vectors*"):
            path.unlink()
    name = "library.db" if target.startswith("library") else target
    what = f"{seed}, {mutate(generator.choice(sorted(scratch.glob(name))), generator)}"
    before = sorted(path.name for path in scratch.glob("vectors*"))
    try:
        same = answers(scratch) == truth
    except (LibraryError, ModelError) as error:
        tally.add(target, f"refused with {error.exit_code}")
        if not error.remedy:
            tally.add(target, "UNFORESEEN", f"{what}: no remedy in {error.message}")
        if isinstance(error, LibraryError):
            tally.add(target, *_mended(home, scratch, truth, what))
        return
    except Exception:
        tally.add(target, "UNFORESEEN", f"{what}\n{traceback.format_exc()}")
        return
    if not same:
        tally.add(target, "WRONG", what)
        return
    rebuilt = before and sorted(path.name for path in scratch.glob("vectors*")) != before
    tally.add(target, "thrown away and made anew" if rebuilt else "same answer")


def _mended(home: Home, scratch: Path, truth: str, what: str) -> tuple[str, str]:
    """Whether ``gz doctor --repair`` and ``gz index`` bring the answer back."""
    copy = Home(home.videos, scratch)
    try:
        findings = check(scratch, repair=True)
        if not all(finding.repaired or finding.harmless for finding in findings):
            if any("newer gz" in finding.what for finding in findings):
                return "taken for a newer library's", what
            needs = [finding for finding in findings if "--rebuild" in finding.remedy]
            return ("needs --rebuild" if needs else "NOT MENDED", f"{what}: {findings}")
        left = check(scratch)
        copy.index()
        same = _without_ids(answers(scratch)) == _without_ids(truth)
        return ("mended" if same and not left else "NOT MENDED", f"{what}: {findings}; {left}")
    except GzError as error:
        return "NOT MENDED", f"{what}: {error.message}"
    except Exception:
        return "NOT MENDED", f"{what}\n{traceback.format_exc()}"


def _without_ids(text: str) -> str:
    """Answers up to the last digits: a video that was read again has another number."""
    return json.dumps(json.loads(text, parse_float=lambda digits: round(float(digits), 5)))


def run(mutants: int, seed: int, folder: Path, targets: tuple[str, ...] = TARGETS) -> Tally:
    """Tries so many mutants, in turn of every kind of file."""
    os.environ["XDG_STATE_HOME"] = str(folder / "state")
    tally = Tally()
    with stand_ins(folder / "grounder"):
        home = make_home(folder)
        answers(home.library)
        truth = answers(home.library)
        for number in range(mutants):
            target = targets[number % len(targets)]
            try_mutant(home, target, folder / "mutant", truth, f"{seed}-{number}", tally)
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutants", type=int, default=500, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=TARGETS, help="one kind of file alone")
    arguments = parser.parse_args()
    targets = (arguments.only,) if arguments.only else TARGETS
    with tempfile.TemporaryDirectory() as folder:
        tally = run(arguments.mutants, arguments.seed, Path(folder), targets)
    for story in tally.bad:
        print(story)
    for target, found in tally.outcomes.items():
        print(f"{target:15}", ", ".join(f"{number} {what}" for what, number in found.most_common()))
    print(f"{tally.count('WRONG')} wrong, {tally.count('UNFORESEEN')} unforeseen, "
          f"{tally.count('NOT MENDED')} not mended, of {arguments.mutants} mutants")  # fmt: skip
    return bool(tally.bad)


if __name__ == "__main__":
    sys.exit(main())
