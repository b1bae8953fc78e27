"""Reads rendered slides, encoded as video, and counts words, processor time and memory.

Slides of many looks (light, dark, serif, code, small print, over noise) stand for twenty
seconds each; they are encoded at both sizes, decoded by the program's own decoder and read
by its own reader. A word counts as found when it stands, letter by letter, in a passage that
overlaps its slide. Figures are of one process with one thread, of which reading is a part.

    python tests/benchmarks/bench_screen.py [--slides 12] [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import numpy as np  # noqa: E402

STANDS_S = 20
SIZES = {"720p": (1280, 720), "360p": (640, 360)}
WORDS = (  # noqa: SIM905
    "contract lease tenant exhibit witness deposition signed payment interest account balance "
    "quarter revenue market customer invoice theorem lemma proof integral matrix vector "
    "entropy gradient neuron synapse protein enzyme membrane kidney artery voltage current "
    "resistor quantum photon galaxy orbit velocity pressure turbine bridge concrete harbour "
    "railway Zurich Lisbon Nairobi Toronto Jefferson Okafor Lindqvist Moreau Tanaka Abbott "
    "harvest wheat export tariff treaty senate ballot census museum sculpture violin concerto "
    "chorus "
).split()
LOOKS = (
    ("DejaVuSans.ttf", (25, 25, 40), (246, 246, 242)),
    ("DejaVuSerif.ttf", (15, 15, 15), (255, 255, 255)),
    ("DejaVuSansMono.ttf", (210, 225, 210), (28, 30, 38)),
    ("DejaVuSans-Bold.ttf", (255, 255, 255), (20, 60, 120)),
    ("STIXGeneral.ttf", (40, 20, 20), (240, 235, 220)),
    ("DejaVuSans.ttf", (225, 225, 225), (70, 74, 78)),
)


def slide(number: int) -> tuple[list[tuple[str, int, int, int]], set[str]]:
    """What stands on a slide of 1280 x 720, and its words."""
    chance = np.random.default_rng(number)

    def some(count: int) -> str:
        return " ".join(chance.choice(WORDS, count, replace=False))

    words = [(some(3).title(), 70, 50, 46)]
    for line in range(6):
        figure = f" {chance.integers(10, 9999):,}" if line % 2 else ""
        words.append((some(5) + figure, 100, 160 + 72 * line, 30 if number % 3 else 25))
    words.append((f"{number + 1} of 48", 90, 670, 20))
    return words, {word for text, *_ in words for word in text.split()}


def make_video(path: Path, size: tuple[int, int], slides: int) -> None:
    from media_factory import write_video
    from PIL import Image
    from rendered import written

    def pictures():
        chance = np.random.default_rng(0)
        for number in range(slides):
            font, ink, paper = LOOKS[number % len(LOOKS)]
            words, _ = slide(number)
            picture = written(words, ink=ink, paper=paper, font=font)
            if number % 4 == 3:
                noise = chance.normal(0, 6, picture.shape)
                picture = np.clip(picture + noise, 0, 255).astype(np.uint8)
            shown = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))
            for _ in range(STANDS_S):
                yield shown

    write_video(path, pictures(), fps=1, gop=30, options={"crf": "28"})


def read(path: Path, slides: int) -> dict[str, float]:
    """Recall, speed and memory; run in a process of its own."""
    import resource

    from index.sampling.jobs import DecodeJob
    from index.sampling.readable import as_it_is
    from index.sampling.workers import Finished, Frames, decode
    from index.text.screen_reading import ScreenReading
    from model.screen.reader import RapidReader

    reader = RapidReader(threads=1)
    reader.read(np.zeros((64, 64, 3), np.uint8))  # loaded once, for however many videos
    began, reads, read_s = time.process_time(), 0, 0.0

    class Counting:
        engine = reader.engine

        def read(self, picture):
            nonlocal reads, read_s
            start_s = time.process_time()
            lines = reader.read(picture)
            reads, read_s = reads + 1, read_s + time.process_time() - start_s
            return lines

    reading, duration_s = ScreenReading(Counting()), 0.0
    job = DecodeJob(1, os.fsencode(path), 1.0, read_px=1280, only_read=True)
    for event in decode([job], as_it_is, workers=0):
        if isinstance(event, Frames):
            for time_s, picture in zip(event.times_s, event.readable, strict=True):
                reading.see(time_s, picture)
        elif isinstance(event, Finished):
            duration_s = event.report.duration_s
    passages = reading.track(duration_s).passages
    used_s = time.process_time() - began
    found = wanted = 0
    missed: list[str] = []
    for number in range(slides):
        start_s, words = number * STANDS_S, slide(number)[1]
        there = {
            word
            for passage in passages
            if passage.start_s < start_s + STANDS_S - 1 and passage.end_s > start_s + 1
            for word in passage.body.split()
        }
        found, wanted = found + len(words & there), wanted + len(words)
        missed += sorted(words - there)
    print("missed:", *missed, file=sys.stderr)
    return {
        "word_recall": found / wanted,
        "times_real_time": duration_s / used_s,
        "reads": reads,
        "slides": slides,
        "read_s": read_s / max(1, reads),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slides", type=int, default=12)
    parser.add_argument("--keep", type=Path, help="folder for the videos")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="as it always writes")
    given = parser.parse_args()
    if given.child:
        print(json.dumps(read(given.child, given.slides)))
        return
    facts = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, size in SIZES.items():
            path = (given.keep or Path(folder)) / f"{name}.mp4"
            make_video(path, size, given.slides)
            ran = subprocess.run(
                [sys.executable, __file__, "--slides", str(given.slides), "--child", str(path)],
                capture_output=True,
                text=True,
                check=True,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
            print(f"{name} {ran.stderr.strip()}", file=sys.stderr)
            facts[name] = json.loads(ran.stdout)
    print(json.dumps(facts, indent=1))


if __name__ == "__main__":
    main()
