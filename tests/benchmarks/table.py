"""Runs the benchmarks and writes what they measured into docs/benchmarks.md and the README.

    python tests/benchmarks/table.py                  # the quick ones, about a quarter of an hour
    python tests/benchmarks/table.py find-1000-hours  # some by name
    python tests/benchmarks/table.py --all            # also those that take long
    python tests/benchmarks/table.py --keep           # run nothing, write the tables anew

What was measured is kept in ``results.json`` beside this file, with the machine; a benchmark
that runs again replaces its own figures and no others. The page has every row, the README
those that tell most.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
README = HERE.parents[1] / "README.md"
PAGE = HERE.parents[1] / "docs" / "benchmarks.md"
RESULTS = HERE / "results.json"
BEGIN, END = "<!-- benchmarks -->", "<!-- /benchmarks -->"

Facts = Any
Row = tuple[str, str, str, str]
"""What, this tool, beside, and the ratio of the two."""


@dataclass(frozen=True)
class Benchmark:
    """One command and how its facts read as rows."""

    command: str
    rows: Callable[[Facts], Iterator[Row]]
    long: bool = False


def sampling(facts: Facts) -> Iterator[Row]:
    for clip, shares in facts.items():
        peers = [
            f"{name} {'cannot' if share is None else f'{share:.2f}'}"
            for name, share in shares.items()
            if not name.startswith("gz")
        ]
        own = f"{shares['gz']:.2f}"
        what = f"sampling at 1 fps, processor time: {clip}"
        yield what, own, ", ".join(peers), f"{own} of ffmpeg"


def encoding(name: str) -> Callable[[Facts], Iterator[Row]]:
    def rows(facts: Facts) -> Iterator[Row]:
        own, plain = facts["packed bfloat16"], facts["plain"]
        what = f"encoding 720p frames, `{name}`, frames a core-second (peak memory)"
        yield (
            what,
            f"{own['per_core_s']:.2f} ({own['peak_gb']:.2f} GB)",
            f"a plain transformers loop {plain['per_core_s']:.2f} ({plain['peak_gb']:.2f} GB)",
            f"{own['times_plain']:.2f}x, cosine {own['least_cosine']:.4f}",
        )
        times = facts["sentence ours"]["times_plain"]
        what = f"first sentence of a fresh process, `{name}`, processor time"
        yield what, f"{1 / times:.2f}", "transformers 1", f"{times:.1f}x"

    return rows


def sizes(facts: Facts) -> Iterator[Row]:
    least = facts["base"]["per_core_s"]
    for name, fact in facts.items():
        yield (
            f"encoding 720p frames by size, `{name}`, frames a core-second (peak memory)",
            f"{fact['per_core_s']:.2f} ({fact['peak_gb']:.2f} GB)",
            f"`base` {least:.2f}",
            f"{least / fact['per_core_s']:.3g}x the work",
        )


def index(facts: Facts) -> Iterator[Row]:
    model = facts["model"]
    parts = f"decoding alone {facts['decode_frames_per_s']:.1f}, "
    parts += f"encoding alone {facts['encode_frames_per_s']:.1f}, each on its own cores"
    yield (
        f"`gz index` of 720p, `{model}`, every frame encoded, frames a second",
        f"{facts['index_frames_per_s']:.3g}",
        parts,
        f"{facts['overlap']:.0%} of the slower",
    )
    if "times_plain" in facts:
        own = f"{facts['times_plain']:.2f}x"
        what = f"`gz index` from file to vectors, `{model}`"
        yield what, own, "a plain loop (PyAV, transformers) 1", own


def answers(facts: Facts) -> Iterator[Row]:
    model = facts["model"]
    yield (
        "`gz --help`, processor time",
        f"{facts['help_times_bare']:.2f}",
        "a bare typer program 1",
        f"{facts['help_times_bare']:.2f}x",
    )
    yield (
        f"cold `gz find --no-refine`, `{model}`",
        f"{facts['cold_find_s']:.2f} s",
        "a plain script with transformers",
        f"{facts['cold_find_of_plain']:.2f} of it",
    )
    yield (
        f"a new sentence to a warm `gz shell`, `{model}`",
        f"{facts['shell_answer_ms']:.0f} ms",
        "",
        "",
    )
    yield (
        f"edges of five moments at 4 fps, `{model}`",
        f"{facts['refined_s'] - facts['search_s']:.1f} s",
        f"the search itself {facts['search_s']:.2f} s",
        f"{facts['refinement_times_search']:.0f}x",
    )


def memory(facts: Facts) -> Iterator[Row]:
    hours = f"{facts['hours']:g}-hour"
    yield (
        f"peak memory of `gz index`, `{facts['model']}`, a {hours} file (each decoder); "
        f"{facts['weights_gb']:.2f} GB of it weights",
        f"{facts['long_gb']:.2f} GB ({facts['long_worker_gb']:.2f})",
        f"a 1-minute file {facts['short_gb']:.2f} GB ({facts['short_worker_gb']:.2f})",
        f"{facts['long_gb'] / facts['short_gb']:.2f}x",
    )


def find(facts: Facts) -> Iterator[Row]:
    library = f"{facts['frames']:,} frames of {facts['dim']} channels"
    exact = facts["exact_float32_ms"]
    for row in facts["rows"]:
        yield (
            f"nearest 100 of {library}, {row['probes']} probes",
            f"{row['median_ms']:.0f} ms",
            f"FAISS exact float32 {exact:,.0f} ms",
            f"{row['median_ms'] / exact:.3f}, recall {row['recall_at_100']:.3f}",
        )
    yield (
        f"a whole warm search of {library}, edges left alone",
        f"{facts['whole_search_ms']:.0f} ms",
        "",
        "",
    )
    yield (
        f"peak memory of a process that searches {library}",
        f"{facts['peak_mb'] / 1000:.2f} GB",
        f"raw float32 {facts['raw_float32_mb'] / 1000:.1f} GB",
        f"{facts['peak_mb'] / facts['raw_float32_mb']:.2f}",
    )


def clips(facts: Facts) -> Iterator[Row]:
    spent = {(row["gop"], row["way"]): row["cpu_s"] for row in facts}
    for gop in sorted({gop for gop, _ in spent}, reverse=True):
        exact, copy = spent[gop, "exact, unchecked"], spent[gop, "copy, unchecked"]
        yield (
            f"cutting a lossless clip, {gop}-frame groups, processor time",
            f"{copy / exact:.3f}",
            "encoding it anew 1",
            f"{exact / copy:.0f}x",
        )


def screens(facts: Facts) -> Iterator[Row]:
    for name, fact in facts.items():
        yield (
            f"reading the screen: words found of rendered slides, {name} (peak memory)",
            f"{fact['word_recall']:.1%} ({fact['peak_mb']:.0f} MB)",
            f"{fact['reads']} readings of {fact['slides']} slides, {fact['read_s']:.2f} s each",
            f"{fact['times_real_time']:.0f}x real time a core",
        )


def speech(facts: Facts) -> Iterator[Row]:
    for name, fact in facts.items():
        yield (
            f"transcribing speech, `{name}`, one core (peak memory)",
            f"{fact['times_real_time']:.3g}x real time ({fact['memory_mb'] / 1000:.1f} GB)",
            f"finding where somebody speaks {fact['detector_times_real_time']:,.0f}x",
            "",
        )


BENCHMARKS = {
    "sampling": Benchmark("bench_sampling.py --rounds 2", sampling),
    "encoding": Benchmark("bench_encoding.py --frames 32", encoding("base")),
    "encoding-so400m": Benchmark(
        "bench_encoding.py --model so400m --frames 4", encoding("so400m"), long=True
    ),
    "sizes": Benchmark("bench_sizes.py", sizes, long=True),
    "index": Benchmark("bench_index.py --videos 16", index),
    "index-so400m": Benchmark(
        "bench_index.py --model so400m --videos 1 --seconds 24 --rounds 1", index, long=True
    ),
    "memory": Benchmark("bench_memory.py", memory),
    "answers": Benchmark("bench_answers.py", answers),
    "find": Benchmark("bench_find.py --lists --probes 256 1024", find),
    "find-1000-hours": Benchmark(
        "bench_find.py --frames 3600000 --probes 256 948", find, long=True
    ),
    "find-1000-hours-1152": Benchmark(
        "bench_find.py --frames 3600000 --dim 1152 --probes 256 948", find, long=True
    ),
    "clips": Benchmark("bench_clips.py", clips),
    "screens": Benchmark("bench_screen.py", screens),
    "speech": Benchmark("bench_speech.py", speech, long=True),
}


TELLING = (
    ("sampling", 0),
    ("index", 1),
    ("memory", 0),
    ("answers", 1),
    ("find-1000-hours", -2),
)
"""Benchmarks and the number of their row that the README quotes."""


def machine() -> str:
    """Cores, processor and card, as briefly as they can be told apart."""
    processor = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                processor = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} cores, {processor}"


def run(command: str, more: list[str]) -> Facts:
    """Facts of one benchmark; what it says meanwhile goes to stderr."""
    script, *arguments = command.split()
    done = subprocess.run(
        [sys.executable, str(HERE / script), *arguments, *more, "--json"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def kept() -> dict[str, Any]:
    """What was measured so far, by benchmark."""
    results: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    return results


def table(results: dict[str, Any]) -> str:
    """Markdown of everything measured so far."""
    lines = ["| what | gz | beside | ratio | machine | by |", "|---|---|---|---|---|---|"]
    for name, benchmark in BENCHMARKS.items():
        if name not in results:
            continue
        by = f"`{benchmark.command}`"
        for what, own, beside, ratio in benchmark.rows(results[name]["facts"]):
            lines.append(f"| {what} | {own} | {beside} | {ratio} | {results[name]['on']} | {by} |")
            by = ""
    return "\n".join(lines)


def telling(results: dict[str, Any]) -> str:
    """Markdown of the rows that tell most."""
    lines = ["| what | gz | beside | ratio |", "|---|---|---|---|"]
    for name, number in TELLING:
        if name in results:
            what, own, beside, ratio = list(BENCHMARKS[name].rows(results[name]["facts"]))[number]
            lines.append(f"| {what} | {own} | {beside} | {ratio} |")
    return "\n".join(lines)


def write(page: Path, rows: str) -> None:
    """Puts a table between its marks in a page."""
    text = page.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{page} has lost its marks {BEGIN} and {END}")
    page.write_text(f"{before}{BEGIN}\n{rows}\n{END}{after}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--all", action="store_true", help="also those that take long")
    parser.add_argument("--keep", action="store_true", help="run nothing")
    parser.add_argument("--with", dest="more", default="", help="further options of a benchmark")
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(BENCHMARKS):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    wanted = asked.names or [n for n, b in BENCHMARKS.items() if asked.all or not b.long]
    for name in [] if asked.keep else wanted:
        print(f"== {name}: {BENCHMARKS[name].command}", file=sys.stderr, flush=True)
        facts = run(BENCHMARKS[name].command, asked.more.split())
        results = kept()
        results[name] = {"on": machine(), "facts": facts}
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    write(PAGE, table(kept()))
    write(README, telling(kept()))


if __name__ == "__main__":
    main()
