"""``gz`` on a card that gives trouble: what ``--after`` batches bring, the arguments after ``--``.

    python tests/gpu/gz_with_trouble.py --after 3 --kind broken -- index ~/videos

``broken`` makes a real CUDA error between two batches, after which no call of this process
reaches the card; without a card the same error is raised by hand. ``full`` takes every byte
that the card has left, so that no batch of any size fits. ``no-bf16`` has the card say that it
cannot multiply bfloat16. Without ``--kind`` it is plain ``gz`` from this source.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

KINDS = ("none", "broken", "full", "no-bf16")


def broken() -> None:
    """A CUDA error; does not return."""
    import torch

    if torch.cuda.is_available():
        # An index past the end fails on the card, some time after the call.
        torch.zeros(8, device="cuda")[torch.tensor([99], device="cuda")].cpu()
    raise RuntimeError("CUDA error: unspecified launch failure")


class _Full:
    """Holds all memory of the card from the moment it is called."""

    def __init__(self) -> None:
        self._held: list[Any] = []

    def __call__(self) -> None:
        import torch

        if not torch.cuda.is_available():
            raise torch.OutOfMemoryError("CUDA out of memory")
        size = 1 << 30
        while size >= 1 << 12:
            try:
                self._held.append(torch.empty(size, dtype=torch.uint8, device="cuda"))
            except torch.OutOfMemoryError:
                size //= 2


def arm(kind: str, after: int) -> None:
    """Lets a number of batches pass, then gives the trouble."""
    import torch

    from model.siglip.encoder import SiglipEncoder

    if kind == "no-bf16":
        torch.cuda.is_bf16_supported = lambda *_, **__: False
        return
    trouble = broken if kind == "broken" else _Full()
    plain = SiglipEncoder._encode_batch
    passed = 0

    def encode(self: Any, tower: Any, pictures: Sequence[Any]) -> Any:
        nonlocal passed
        passed += 1
        if passed > after:
            trouble()
        return plain(self, tower, pictures)

    SiglipEncoder._encode_batch = encode  # type: ignore[method-assign]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--after", type=int, default=1)
    parser.add_argument("--kind", choices=KINDS, default="none")
    parser.add_argument("arguments", nargs="+")
    asked = parser.parse_args()
    if asked.kind != "none":
        arm(asked.kind, asked.after)
    from gz_cli.app import main as gz

    sys.argv = ["gz", *asked.arguments]
    gz()


if __name__ == "__main__":
    main()
