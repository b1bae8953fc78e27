"""Mixed precision: bfloat16 where the hardware multiplies it faster, float32 elsewhere."""

from __future__ import annotations

from functools import cache

import torch


def autocast(device: torch.device | str) -> torch.autocast:
    """A context in which matrix products run in bfloat16 where that pays."""
    kind = torch.device(device).type
    return torch.autocast(kind, torch.bfloat16, enabled=_pays(kind))


@cache
def _pays(kind: str) -> bool:
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if kind == "cpu":
        known = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
        return bool(known.get("avx512_bf16") or known.get("amx_bf16"))
    return False
