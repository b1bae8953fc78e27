"""Presets of SigLIP 2 side by side, at full size, with random weights: what does each cost?

    python tests/benchmarks/bench_sizes.py

Each runs in the form that a processor with bfloat16 gets, in a process of its own. Writes up
to 4.5 GB of weights at a time, and removes them. Times are processor time of the best of
three passes; read the ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench_encoding import measure

FRAMES = {"base": 32, "base16": 8, "large": 4, "so400m": 2}
"""Frames that each encodes: a few seconds of work."""
FORM = "packed bfloat16"


def measured(name: str, frames: int) -> dict[str, Any]:
    """Frames a core-second, peak memory and size on disk of one preset."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.environ["XDG_CACHE_HOME"] = temporary
        arguments = argparse.Namespace(frames=frames, batch=min(frames, 8))
        measure(f"make {name}", arguments, folder)
        ran = measure(FORM, arguments, folder)
        weights_bytes = (folder / "model.safetensors").stat().st_size
    return {
        "per_core_s": frames / ran["cpu_s"],
        "peak_gb": ran["peak_gb"],
        "weights_gb": weights_bytes / 1e9,
    }


def main() -> None:
    """Prints one line for each preset."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    facts = {name: measured(name, frames) for name, frames in FRAMES.items()}
    if arguments.json:
        sys.stdout.write(json.dumps(facts) + "\n")
        return
    for name, fact in facts.items():
        print(name, *(f"{key} {value:.2f}" for key, value in fact.items()))


if __name__ == "__main__":
    main()
