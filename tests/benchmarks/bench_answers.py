"""What a person waits for: help, a first answer, further answers, tight edges.

    python tests/benchmarks/bench_answers.py [--model base] [--rounds 3]

Indexes some minutes of 720p with a full-size model of random weights, then measures in one
run: ``gz --help`` beside a bare typer program (processor time) and a cold
``gz find --no-refine`` beside a plain script (transformers for the sentence, one matrix
product over the same vectors), whole programs, rounds interleaved, the least counting, a new
sentence each time; the wall time of answers of a warm ``gz shell``; and, in one warm process, a
search of five moments with and without edges tightened at 4 fps.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(Path(__file__).parent)]

import numpy as np  # noqa: E402
from bench_encoding import SIZES  # noqa: E402
from bench_index import make_videos  # noqa: E402
from full_size import model_spec, tell  # noqa: E402

from index.search.find import find  # noqa: E402
from index.store.library import Library  # noqa: E402
from index.types import FindRequest  # noqa: E402
from index.vectors.cache import VectorCache  # noqa: E402
from model.grounding.training_free import TrainingFreeLocalizer  # noqa: E402
from model.siglip.cores import cores  # noqa: E402
from model.siglip.encoder import load_encoder  # noqa: E402

GZ = str(Path(sys.executable).parent / "gz")
BARE = """
import typer
app = typer.Typer()
@app.command()
def index(path: str, quiet: bool = typer.Option(False, help="Say less.")):
    "Make videos searchable."
@app.command()
def find(sentence: str, limit: int = typer.Option(10, help="Hits at most.")):
    "Find moments."
app()
"""
PLAIN = """
import sys
import numpy as np
import torch
from transformers import AutoTokenizer, SiglipModel
folder, vectors, sentence = sys.argv[1:]
tokenizer, model = AutoTokenizer.from_pretrained(folder), SiglipModel.from_pretrained(folder)
inputs = tokenizer(sentence, padding="max_length", max_length=64, return_tensors="pt")
with torch.inference_mode():
    pooled = model.get_text_features(input_ids=inputs["input_ids"]).pooler_output[0].numpy()
print(np.argsort(-(np.load(vectors) @ pooled))[:10])
"""
_numbers = itertools.count()


def sentence() -> str:
    """One that nobody has asked before."""
    return f"a man in coat number {next(_numbers)} opens the door"


def seconds(command: list[str]) -> tuple[float, float]:
    """Wall and processor seconds of a whole program that ends well (or finds nothing)."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        raise SystemExit(f"{command} ended with {process.returncode}")
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime


def programs(model: Path, library: Path, rounds: int) -> dict[str, tuple[float, float]]:
    """Wall and processor seconds of whole programs, the least of each."""
    vectors = library / "plain.npy"
    with Library.open_readonly(library) as opened:
        rows = [opened.read_vectors(video.id)[1] for video in opened.videos(searchable=True)]
    np.save(vectors, np.concatenate(rows))
    best = dict.fromkeys(("bare", "help", "plain", "find"), (float("inf"), float("inf")))
    for _ in range(rounds):
        commands = {
            "bare": [sys.executable, "-c", BARE, "--help"],
            "help": [GZ, "--help"],
            "plain": [sys.executable, "-c", PLAIN, str(model), str(vectors), sentence()],
            "find": [GZ, "find", sentence(), "--no-refine", "--library", str(library)],
        }
        for name, command in commands.items():
            wall_s, cpu_s = seconds(command)
            best[name] = min(best[name][0], wall_s), min(best[name][1], cpu_s)
    return best


def shell_ms(library: Path, questions: int = 12) -> float:
    """Median wall milliseconds of an answer of a warm shell, edges left alone."""
    walls = []
    with subprocess.Popen(
        [GZ, "shell", "--json", "--library", str(library)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(questions + 2):
            began = time.perf_counter()
            asked = {"id": number, "sentence": sentence(), "refine": False}
            process.stdin.write(json.dumps(asked) + "\n")
            process.stdin.flush()
            process.stdout.readline()
            walls.append(time.perf_counter() - began)
        process.stdin.close()
    return 1000 * statistics.median(walls[2:])


def refinement(model: Path, library: Path, rounds: int) -> dict[str, float]:
    """Wall seconds of one search of five moments, as it is and with its edges tightened."""
    encoder = load_encoder(str(model), device="cpu", threads=cores())
    best = {"search_s": float("inf"), "refined_s": float("inf")}
    with Library.open_readonly(library) as opened:
        cache = VectorCache.load(opened)
        for _ in range(rounds + 1):
            text = sentence()
            for name, refine in (("search_s", False), ("refined_s", True)):
                request = FindRequest(text, limit=5, refine=refine, threshold=0.0)
                began = time.perf_counter()
                result = find(opened, cache, encoder, TrainingFreeLocalizer(), request)
                best[name] = min(best[name], time.perf_counter() - began)
                assert len(result.hits) == 5
                assert result.hits[0].refined is refine
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", choices=SIZES, default="base")
    parser.add_argument("--videos", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="keep the random model here")
    parser.add_argument("--footage", type=Path, help="keep the made videos here")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        os.environ["XDG_CACHE_HOME"] = temporary
        model = Path(model_spec(asked.model, asked.folder, scratch))
        footage = asked.footage or scratch / "videos"
        footage.mkdir(parents=True, exist_ok=True)
        if not any(footage.iterdir()):
            make_videos(footage, asked.videos, asked.seconds)
        library = scratch / "library"
        command = [GZ, "index", str(footage), "--model", str(model), "--library", str(library)]
        subprocess.run([*command, "--every-frame", "--quiet"], check=True)
        spent = programs(model, library, asked.rounds)
        facts = {
            "model": asked.model,
            "help_times_bare": spent["help"][1] / spent["bare"][1],
            "cold_find_of_plain": spent["find"][0] / spent["plain"][0],
            "cold_find_of_plain_cpu": spent["find"][1] / spent["plain"][1],
            "cold_find_s": spent["find"][0],
            "shell_answer_ms": shell_ms(library),
            **refinement(model, library, asked.rounds),
        }
    facts["refinement_times_search"] = facts["refined_s"] / facts["search_s"] - 1
    tell(facts, as_json=asked.json)


if __name__ == "__main__":
    main()
