"""Indexing end to end: beside its own parts alone, and beside a plain loop.

    python tests/benchmarks/bench_index.py [--model base] [--videos 6] [--seconds 60]

Writes 720p videos and a full-size model with random weights, then measures wall time in one
run, rounds interleaved, the quickest of each counting: decoding alone on the cores that the
tower leaves, the encoder alone on its own with the same pictures, both through
``index_paths`` (every frame encoded, the tower loaded), and a plain loop: every frame decoded
by PyAV, one a second kept as a PIL picture, the model's own processor and transformers model
in batches, default threads. Overlap is the rate end to end over the slower of the parts
alone. At last ``gz index`` runs as a program, for its peak memory and, with ``--profile``, for
where the processor time of its process goes.
"""

from __future__ import annotations

import argparse
import cProfile
import io
import os
import pstats
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(Path(__file__).parent)]

import av  # noqa: E402
import numpy as np  # noqa: E402
from bench_encoding import SIZES  # noqa: E402
from bench_sampling import scenery  # noqa: E402
from full_size import model_spec, tell  # noqa: E402
from media_factory import write_video  # noqa: E402

from index.indexing.indexer import index_paths  # noqa: E402
from index.indexing.progress import IndexOptions, IndexProgress, Problem  # noqa: E402
from index.sampling.jobs import DecodeJob  # noqa: E402
from index.sampling.workers import Frames, decode  # noqa: E402
from index.types import Encoder, Picture  # noqa: E402
from model.siglip.cores import cores  # noqa: E402
from model.siglip.encoder import load_encoder  # noqa: E402


class Quiet:
    """Implements IndexObserver by saying nothing."""

    def scanned(self, files: int, size_bytes: int) -> None: ...
    def progress(self, progress: IndexProgress) -> None: ...
    def preparing(self, share: float, text: str) -> None: ...
    def problem(self, problem: Problem) -> None: ...
    def note(self, text: str) -> None: ...


def make_videos(folder: Path, count: int, seconds: float) -> list[Path]:
    """The same 2.3 Mb/s of 720p under different tags, so that no file repeats another."""
    first = folder / "0.mp4"
    write_video(first, scenery(seconds, (1280, 720)), gop=250, b_frames=3, options={"b": "2300000"})
    paths = [first]
    for number in range(1, count):
        paths.append(folder / f"{number}.mp4")
        with av.open(str(first)) as source, av.open(str(paths[-1]), "w") as copy:
            copy.metadata["title"] = f"number {number}"
            stream = copy.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(video=0):
                if packet.dts is not None:
                    packet.stream = stream
                    copy.mux(packet)
    return paths


def decoded(videos: list[Path], encoder: Encoder, threads: int) -> list[Picture]:
    """By as many workers as the tower leaves cores."""
    jobs = [DecodeJob(n, os.fsencode(path), 1.0) for n, path in enumerate(videos)]
    workers = max(1, cores() - threads)
    events = decode(jobs, encoder.preprocess, workers=workers)
    return [p for e in events if isinstance(e, Frames) for p in e.pictures if p is not None]


def indexed(videos: list[Path], encoder: Encoder, workers: int | None = None) -> int:
    with tempfile.TemporaryDirectory() as library:
        options = IndexOptions(every_frame=True, coarse_first=False, workers=workers)
        return index_paths(Path(library), videos, encoder, options, Quiet()).frames


def plain(videos: list[Path], model: Path) -> int:
    """What a careful script does; the model is loaded before the clock starts."""
    import torch

    processor, tower = plain_model(model)
    pictures, vectors = [], []

    def flush() -> None:
        inputs = processor(images=pictures, return_tensors="pt")
        with torch.inference_mode():
            vectors.append(tower.get_image_features(**inputs).pooler_output.numpy())
        pictures.clear()

    for path in videos:
        with av.open(str(path)) as container:
            second = 0
            for frame in container.decode(video=0):
                if frame.time is not None and frame.time >= second:
                    pictures.append(frame.to_image())
                    second += 1
                    if len(pictures) == 8:
                        flush()
    if pictures:
        flush()
    return len(np.concatenate(vectors))


_PLAIN: dict[Path, tuple] = {}


def plain_model(folder: Path) -> tuple:
    from transformers import AutoImageProcessor, SiglipModel

    if folder not in _PLAIN:
        model = SiglipModel.from_pretrained(folder).eval()
        _PLAIN[folder] = AutoImageProcessor.from_pretrained(folder), model
    return _PLAIN[folder]


def timed(works: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The quickest wall seconds of each, rounds interleaved."""
    best = dict.fromkeys(works, float("inf"))
    for _ in range(rounds):
        for name, work in works.items():
            began = time.perf_counter()
            work()
            best[name] = min(best[name], time.perf_counter() - began)
    return best


def peak_gb(command: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Largest resident size of a program and of the largest of its children, in GB."""
    largest: dict[int, float] = {}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            for pid in [process.pid, *children(process.pid)]:
                try:
                    status = Path(f"/proc/{pid}/status").read_text()
                except OSError:
                    continue
                high = status.partition("VmHWM:")[2].split()
                largest[pid] = max(largest.get(pid, 0), int(high[0]) / 1e6 if high else 0)
            time.sleep(0.05)
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}")
    own = largest.pop(process.pid)
    return own, max(largest.values(), default=0.0)


def children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(word) for word in task.read_text().split()]
        except OSError:
            continue
    return found


def profile(videos: list[Path], encoder: Encoder) -> str:
    """Where this process's own time goes while it indexes; decoding is in another one."""
    recorder = cProfile.Profile()
    recorder.runcall(indexed, videos, encoder)
    out = io.StringIO()
    pstats.Stats(recorder, stream=out).sort_stats("tottime").print_stats(12)
    return out.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", choices=[*SIZES, "demo"], default="base")
    parser.add_argument("--videos", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="keep the random model here")
    parser.add_argument("--footage", type=Path, help="keep the made videos here")
    parser.add_argument("--device", help="cpu, cuda; the plain loop always runs on the CPU")
    parser.add_argument("--workers", type=int, nargs="+", help="also index with so many decoders")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        os.environ["XDG_CACHE_HOME"] = temporary
        spec = model_spec(asked.model, asked.folder, scratch)
        place = asked.footage or scratch / "videos"
        place.mkdir(exist_ok=True)
        videos = sorted(place.iterdir()) or make_videos(place, asked.videos, asked.seconds)
        facts = measured(asked, spec, videos)
    tell(facts, as_json=asked.json)


def measured(asked: argparse.Namespace, spec: str, videos: list[Path]) -> dict[str, object]:
    import torch

    encoder = load_encoder(spec, device=asked.device)
    encoder.encode_pictures(
        [np.zeros((encoder.preprocess.height, encoder.preprocess.width, 3), np.uint8)]
    )
    threads = torch.get_num_threads() if encoder.device == "cpu" else 1
    pictures = decoded(videos, encoder, threads)
    size = encoder.batch_size
    works: dict[str, Callable[[], object]] = {
        "decode": lambda: decoded(videos, encoder, threads),
        "encode": lambda: [
            encoder.encode_pictures(pictures[k : k + size]) for k in range(0, len(pictures), size)
        ],
        "index": lambda: indexed(videos, encoder),
    }
    for count in asked.workers or ():
        works[f"index_{count}_workers"] = lambda count=count: indexed(videos, encoder, count)
    seconds = timed(works, asked.rounds)
    frames = len(pictures)
    facts: dict[str, object] = {
        "model": asked.model,
        "frames": frames,
        "decode_frames_per_s": frames / seconds["decode"],
        "encode_frames_per_s": frames / seconds["encode"],
        "index_frames_per_s": frames / seconds["index"],
        "overlap": max(seconds["decode"], seconds["encode"]) / seconds["index"],
    }
    for count in asked.workers or ():
        facts[f"frames_per_s_{count}_workers"] = frames / seconds[f"index_{count}_workers"]
    if asked.model != "demo":
        facts |= beside_plain(videos, Path(spec), encoder, asked)
    if asked.profile:
        print(profile(videos, encoder), file=sys.stderr)
    with tempfile.TemporaryDirectory() as library:
        command = [str(Path(sys.executable).parent / "gz"), "index", str(videos[0].parent)]
        command += ["--model", spec, "--library", library, "--every-frame", "--quiet"]
        own, worker = peak_gb(command, dict(os.environ))
    return facts | {"index_peak_gb": own, "worker_peak_gb": worker}


def beside_plain(
    videos: list[Path], folder: Path, encoder: Encoder, asked: argparse.Namespace
) -> dict[str, object]:
    """The plain loop and an index run in turn, over some of the videos: it is slow."""
    import torch

    some = videos[: max(1, len(videos) // 3)]
    own_threads = torch.get_num_threads()

    def with_all_threads() -> None:
        torch.set_num_threads(len(os.sched_getaffinity(0)))
        plain(some, folder)
        torch.set_num_threads(own_threads)

    plain_model(folder)
    works: dict[str, Callable[[], object]] = {
        "plain": with_all_threads,
        "index": lambda: indexed(some, encoder),
    }
    seconds = timed(works, asked.rounds)
    return {"times_plain": seconds["plain"] / seconds["index"]}


if __name__ == "__main__":
    main()
