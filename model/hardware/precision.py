"""Mixed precision: bfloat16 where the hardware multiplies it faster, float32 elsewhere."""

from __future__ import annotations

from functools import cache

import torch


def autocast(device: torch.device | str) -> torch.autocast:
    """A context in which matrix products run in bfloat16 where that pays."""
    kind = torch.device(device).type
    return torch.autocast(kind, torch.bfloat16, enabled=pays(kind))


@cache
def pays(kind: str) -> bool:
    """Whether a kind of device multiplies bfloat16 faster than float32."""
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if kind == "cpu":
        known = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
        return bool(known.get("avx512_bf16") or known.get("amx_bf16"))
    return False
