"""What benchmarks of whole runs share: the model that they use, and how they tell their facts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from bench_encoding import make_folder


def model_spec(name: str, kept: Path | None, scratch: Path) -> str:
    """What ``--model`` is given: a folder of random weights, made where there is none, or demo.

    Args:
        name: A size of ``bench_encoding.SIZES``, or ``demo``.
        kept: Where the folder stays between runs; None makes it anew.
        scratch: Where it is made then.
    """
    if name == "demo":
        return name
    folder = kept or scratch / "model"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "model.safetensors").exists():
        make_folder(name, folder)
    return str(folder)


def tell(facts: Mapping[str, object], *, as_json: bool) -> None:
    """Prints facts, for programs in one line."""
    if as_json:
        print(json.dumps(facts))
        return
    for name, value in facts.items():
        print(f"{name}: {value:.3f}" if isinstance(value, float) else f"{name}: {value}")
