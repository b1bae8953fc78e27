"""Encoding speed against a plain transformers loop, at full size, with random weights.

    python tests/benchmarks/bench_encoding.py --model base --frames 32
    python tests/benchmarks/bench_encoding.py --model so400m --frames 4

Writes a model folder with random weights once (so400m: 4.5 GB), then runs every form in a
process of its own, so that peak memory is that form's alone, and prints Markdown. Times are
processor time of the best of three passes, because the machine may be shared; ratios are
within this run.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

LARGE = {"hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27}
LARGE |= {"num_attention_heads": 16}
MIDDLE = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24}
MIDDLE |= {"num_attention_heads": 16}
SIZES: dict[str, tuple[dict[str, int], dict[str, int]]] = {
    "so400m": (LARGE | {"image_size": 384, "patch_size": 14}, LARGE),
    "large": (MIDDLE | {"image_size": 256, "patch_size": 16}, MIDDLE),
    "base16": ({"image_size": 256, "patch_size": 16}, {}),
    "base": ({"image_size": 256, "patch_size": 32}, {}),
    "base-p16-224": ({"image_size": 224, "patch_size": 16}, {}),
    "base-p16-384": ({"image_size": 384, "patch_size": 16}, {}),
}
SENTENCE = "man eats before interview"
PASSES = 3
FORMS = ("plain", "reference float32", "reference bfloat16", "packed float32", "packed bfloat16")


def make_folder(name: str, folder: Path) -> None:
    """A model folder of full size; values are drawn so that no layer dies or explodes."""
    import torch
    from safetensors.torch import save_file
    from tiny_siglip import make_tokenizer

    from model.siglip.text import TextConfig
    from model.siglip.vision import VisionConfig

    vision, text = SIZES[name]
    text = text | {"vocab_size": 256000}
    text["projection_size"] = text.get("hidden_size", 768)
    shapes = TextConfig(**text).shapes() | VisionConfig(**vision).shapes()
    generator = torch.Generator().manual_seed(0)
    state = {"logit_scale": torch.tensor([4.7]), "logit_bias": torch.tensor([-16.5])}
    for tensor, shape in shapes.items():
        fan_in = shape[-1] if len(shape) > 1 else 1
        spread = 0.02 if len(shape) == 1 or "embedding" in tensor else fan_in**-0.5
        state[tensor] = torch.randn(shape, generator=generator) * spread
        if "norm" in tensor and tensor.endswith("weight"):
            state[tensor] += 1
    save_file(state, folder / "model.safetensors")
    parts = {"text_config": text, "vision_config": vision, "model_type": "siglip"}
    (folder / "config.json").write_text(json.dumps(parts))
    side = vision["image_size"]
    processor = {"image_processor_type": "SiglipImageProcessor", "resample": 2}
    processor |= {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "rescale_factor": 1 / 255}
    processor |= {"size": {"height": side, "width": side}}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    make_tokenizer(folder)


def timed(work: Callable[[], np.ndarray], passes: int = PASSES) -> dict[str, Any]:
    """Best processor seconds of a few passes, after one that warms up."""
    vectors = work()
    seconds = []
    for _ in range(passes):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return {"cpu_s": min(seconds), "vectors": vectors.tolist()}


def run_plain(folder: Path, pictures: list[np.ndarray], batch: int) -> dict[str, Any]:
    """What a careful script does: the model's processor and model, batches, no gradients."""
    import torch
    from transformers import AutoImageProcessor, SiglipModel

    processor = AutoImageProcessor.from_pretrained(folder)
    model = SiglipModel.from_pretrained(folder).eval()

    def work() -> np.ndarray:
        parts = []
        for first in range(0, len(pictures), batch):
            inputs = processor(images=pictures[first : first + batch], return_tensors="pt")
            with torch.inference_mode():
                parts.append(model.get_image_features(**inputs).pooler_output)
        return torch.nn.functional.normalize(torch.cat(parts), dim=-1).numpy()

    return timed(work)


def run_form(name: str, folder: Path, pictures: list[np.ndarray], batch: int) -> dict[str, Any]:
    """Our own preprocessing and encoder with one form of the tower."""
    import torch

    from model.hub.files import find_files
    from model.siglip.backbone import Backbone, source_of
    from model.siglip.encoder import SiglipEncoder
    from model.siglip.vision import PackedTower, ReferenceTower

    backbone = Backbone(find_files(source_of(str(folder))))
    encoder = SiglipEncoder(backbone, device="cpu")
    dtype = torch.bfloat16 if name.endswith("bfloat16") else torch.float32
    read, config = backbone.read, backbone.vision
    if name.startswith("packed"):
        encoder._vision = PackedTower(read, config, dtype)
    else:
        encoder._vision = ReferenceTower(read, config, dtype, "cpu")
    encoder._batch_size = batch

    def work() -> np.ndarray:
        return encoder.encode_pictures([encoder.preprocess(each) for each in pictures])

    return timed(work)


def run_sentence_plain(folder: Path) -> dict[str, Any]:
    """The first sentence of a fresh process through transformers."""
    import torch
    from transformers import AutoTokenizer, SiglipModel

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = SiglipModel.from_pretrained(folder).eval()
    inputs = tokenizer(SENTENCE, padding="max_length", max_length=64, return_tensors="pt")
    with torch.inference_mode():
        pooled = model.get_text_features(input_ids=inputs["input_ids"]).pooler_output
    return {"vectors": torch.nn.functional.normalize(pooled, dim=-1).tolist()}


def run_sentence_ours(folder: Path) -> dict[str, Any]:
    """The first sentence of a fresh process through our encoder."""
    from model.siglip.encoder import load_encoder

    encoder = load_encoder(str(folder), device="cpu")
    return {"vectors": encoder.encode_sentence(SENTENCE).pooled[None].tolist()}


def child(name: str, folder: Path, frames: int, batch: int) -> None:
    """One measurement in a process of its own, as JSON on stdout."""
    if name.startswith("make "):
        make_folder(name.removeprefix("make "), folder)
        result: dict[str, Any] = {}
    elif name.startswith("sentence"):
        run = run_sentence_plain if name.endswith("plain") else run_sentence_ours
        result = run(folder)
        result["cpu_s"] = time.process_time()
    else:
        from tiny_siglip import picture

        pictures = [picture(720, 1280, seed) for seed in range(frames)]
        run_any = run_plain if name == "plain" else lambda *rest: run_form(name, *rest)
        result = run_any(folder, pictures, batch)
    result["peak_gb"] = peak_gb()
    sys.stdout.write(json.dumps(result))


def peak_gb() -> float:
    """Largest resident size of this process; where Linux tells, without its parent's."""
    try:
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1e6
    except (OSError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def measure(name: str, arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Runs a child and reads what it says."""
    command = [sys.executable, __file__, "--child", name, "--folder", str(folder)]
    command += ["--frames", str(arguments.frames), "--batch", str(arguments.batch)]
    env = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=True)
    return dict(json.loads(done.stdout))


def compared(
    names: tuple[str, ...], arguments: argparse.Namespace, folder: Path
) -> dict[str, dict[str, float]]:
    """Facts of each form, the first being what the others are compared with."""
    facts: dict[str, dict[str, float]] = {}
    first: dict[str, Any] = {}
    for name in names:
        result = measure(name, arguments, folder)
        first = first or result
        cosines = (np.array(result["vectors"]) * np.array(first["vectors"])).sum(axis=1)
        count = 1 if name.startswith("sentence") else arguments.frames
        facts[name] = {
            "per_core_s": count / result["cpu_s"],
            "times_plain": first["cpu_s"] / result["cpu_s"],
            "least_cosine": float(cosines.min()),
            "peak_gb": result["peak_gb"],
        }
        sys.stderr.write(f"{_row(name, facts[name])}\n")
    return facts


def _row(name: str, facts: dict[str, float]) -> str:
    return (
        f"| {name} | {facts['per_core_s']:.2f} | {facts['times_plain']:.2f}x "
        f"| {facts['least_cosine']:.6f} | {facts['peak_gb']:.2f} |"
    )


def main() -> None:
    """Prints one table for frames and one for the first sentence of a fresh process."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", choices=SIZES, default="base")
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--folder", type=Path, help="keep the random model here")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child, arguments.folder, arguments.frames, arguments.batch)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "model.safetensors").exists():
            measure(f"make {arguments.model}", arguments, folder)
        os.environ["XDG_CACHE_HOME"] = temporary
        frames = compared(FORMS, arguments, folder)
        sentences = compared(("sentence plain", "sentence ours"), arguments, folder)
    if arguments.json:
        sys.stdout.write(json.dumps(frames | sentences) + "\n")
        return
    lines = [
        f"{arguments.model}, {arguments.frames} frames of 1280x720, 1 thread, batch "
        f"{arguments.batch}, preprocessing included",
        "",
        "| form | frames per core-second | ratio | least cosine | peak GB |",
        "|---|---|---|---|---|",
        *(_row(name, facts) for name, facts in frames.items()),
        "",
        "| first sentence of a process | per core-second | ratio | cosine | peak GB |",
        "|---|---|---|---|---|",
        *(_row(name, facts) for name, facts in sentences.items()),
    ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
