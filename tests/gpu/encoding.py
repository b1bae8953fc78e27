"""How fast a card encodes, against what it reaches in a large product, and what may be gained."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from ground import Findings, Ground, card_memory_gb, fastest_s, wait_for

MODELS = ("so400m", "base16", "base")
BATCHES = (8, 32, 64, 128, 256, 512)


def check(ground: Ground, findings: Findings) -> None:
    peak = product_tflops(ground)
    findings.add("a large bfloat16 product", peak, "TFLOP/s")
    for name in MODELS[:1] if ground.tiny else MODELS:
        measure(name, ground, findings, peak)


def product_tflops(ground: Ground) -> float:
    """10^12 operations a second of one square product of random numbers."""
    import torch

    side = 128 if ground.tiny else 8192
    a, b = (torch.randn(side, side, device=ground.device).to(torch.bfloat16) for _ in range(2))
    rounds = 10
    seconds = fastest_s(lambda: [a @ b for _ in range(rounds)], ground.device)
    return 2 * side**3 * rounds / seconds / 1e12


def measure(name: str, ground: Ground, findings: Findings, peak: float) -> None:
    import torch

    from model.siglip.encoder import load_encoder

    before = card_memory_gb(ground.device)
    began = time.perf_counter()
    encoder: Any = load_encoder(str(ground.model(name)), device=ground.device)
    side = encoder.preprocess.height
    random = np.random.default_rng(0)
    pictures = list(random.integers(0, 256, (512, side, side, 3), np.uint8))
    encoder.encode_pictures(pictures[: encoder.batch_size])
    findings.add(f"{name}: from nothing to the first batch", time.perf_counter() - began, "s")
    gflops = encoder._backbone.vision.gflops
    chosen, rates = encoder.batch_size, {}
    for size in (2, 4) if ground.tiny else BATCHES:
        encoder._batch_size = size
        if ground.on_card:
            torch.cuda.reset_peak_memory_stats()
        some = pictures[: max(size, 4 if ground.tiny else 256)]
        rates[size] = len(some) / fastest_s(
            lambda: encoder.encode_pictures(some),  # noqa: B023
            ground.device,
        )
        used = torch.cuda.max_memory_allocated() / 1e9 if ground.on_card else 0.0
        findings.add(f"{name}: batches of {size}", rates[size], f"pictures/s, {used:.2f} GB")
        if encoder._batch_size != size:
            findings.add(f"{name}: memory ended at batches of", float(encoder._batch_size))
            break
    encoder._batch_size = chosen
    tower_rate = tower_alone(encoder, pictures[:chosen], ground)
    findings.add(f"{name}: the tower alone", tower_rate, "pictures/s")
    share = tower_rate * gflops / 1e3 / peak
    least = 0.5 if name == "so400m" else None
    findings.add(f"{name}: share of the large product", share, least=least, speed=True)
    whole = rates.get(chosen, max(rates.values()))
    findings.add(f"{name}: stacking, upload and download take", 1 - whole / tower_rate, "of it")
    findings.add(f"{name}: card memory in all", card_memory_gb(ground.device) - before, "GB")
    if ground.on_card:
        uploads(encoder, pictures[:chosen], ground, findings)
        if ground.left_s > 60:
            other_forms(name, encoder, pictures[:chosen], ground, findings)
    encoder._vision = None
    if ground.on_card:
        torch.cuda.empty_cache()


def pixels_of(encoder: Any, pictures: list[Any], ground: Ground) -> Any:
    """Normalised pictures that lie on the device already."""
    import torch

    from model.siglip.vision import normalised

    config = encoder._backbone.pictures
    batch = torch.from_numpy(np.stack(pictures)).to(ground.device)
    return normalised(batch, config.mean, config.std, config.rescale)


def tower_alone(encoder: Any, pictures: list[Any], ground: Ground) -> float:
    """Pictures a second without anything around the tower."""
    import torch

    pixels = pixels_of(encoder, pictures, ground)
    with torch.inference_mode():
        return len(pictures) / fastest_s(lambda: encoder._vision(pixels), ground.device)


def uploads(encoder: Any, pictures: list[Any], ground: Ground, findings: Findings) -> None:
    """What pinning gains on the way to the card."""
    import torch

    plain = torch.from_numpy(np.stack(pictures))
    pinned = plain.pin_memory()
    gigabytes = plain.numel() / 1e9
    rates = [
        gigabytes / fastest_s(lambda: each.to(ground.device, non_blocking=True), ground.device)  # noqa: B023
        for each in (plain, pinned)
    ]
    findings.add("uploads, plain", rates[0], "GB/s")
    findings.add("uploads, pinned", rates[1], "GB/s", least=rates[0], speed=True)


def other_forms(
    name: str, encoder: Any, pictures: list[Any], ground: Ground, findings: Findings
) -> None:
    """Whether a compiled or a padded tower would pay for itself within an hour of video."""
    import torch

    pixels = pixels_of(encoder, pictures, ground).to(encoder._vision.dtype)
    module = encoder._vision._module
    with torch.inference_mode():
        plain_s = fastest_s(lambda: module(pixel_values=pixels), ground.device)
        for form, build in (("padded", padded), ("compiled", torch.compile)):
            began = time.perf_counter()
            try:
                other = build(module)
                other(pixel_values=pixels)
                wait_for(ground.device)
            except Exception as error:  # a compiler that is not there, or any of its own faults
                findings.add(f"{name}: {form}", f"does not run here: {type(error).__name__}")
                continue
            made_s = time.perf_counter() - began
            seconds = fastest_s(lambda: other(pixel_values=pixels), ground.device)  # noqa: B023
            saved_s = 3600 / len(pictures) * (plain_s - seconds) - made_s
            verdict = "pays" if saved_s > 0 else "does not pay"
            findings.add(
                f"{name}: {form}",
                f"{plain_s / seconds:.2f}x, made in {made_s:.1f} s, {verdict} within an hour "
                f"of video ({saved_s:+.1f} s)",
            )


def padded(module: Any) -> Any:
    """The tower with its inner channels filled up with zeros to a multiple of 128: same vectors."""
    import copy

    from torch.nn.functional import pad

    wider = copy.deepcopy(module)
    for part in wider.modules():
        first, second = getattr(part, "fc1", None), getattr(part, "fc2", None)
        if first is None or second is None:
            continue
        more = -first.out_features % 128
        first.weight.data = pad(first.weight.data, (0, 0, 0, more))
        first.bias.data = pad(first.bias.data, (0, more))
        second.weight.data = pad(second.weight.data, (0, more))
    return wider
