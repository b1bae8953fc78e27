"""Files to vectors: decoding beside encoding, an hour of video, decoding on the card."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from footage import footage
from ground import Findings, Ground, card_name, fastest_s, wait_for, watched_card


def check(ground: Ground, findings: Findings) -> None:
    from bench_index import decoded

    from model.siglip.cores import cores
    from model.siglip.encoder import load_encoder

    model = ground.model("so400m")
    hours = 0.002 if ground.tiny else 0.5
    files = 2 if ground.tiny else max(2, 2 * cores())
    videos = footage(ground, "half_hour", files, 3600 * hours / files)
    encoder: Any = load_encoder(str(model), device=ground.device)
    findings.add("decoders", float(encoder.decode_workers), f"on {cores()} cores")
    warm(encoder)

    began = time.perf_counter()
    pictures = decoded(videos, encoder, cores() - encoder.decode_workers)
    decode_rate = len(pictures) / (time.perf_counter() - began)
    some = pictures[: 8 if ground.tiny else 1024]
    encode_rate = len(some) / fastest_s(lambda: encoder.encode_pictures(some), ground.device, 1)
    del pictures
    findings.add("decoding alone", decode_rate, "frames/s")
    findings.add("encoding alone", encode_rate, "frames/s")

    with watched_card(ground) as busy:
        rate = index_rate(ground, videos, encoder)
    findings.add("indexing, tower loaded", rate, "frames/s")
    overlap = rate / min(decode_rate, encode_rate)
    findings.add("of the slower of both", overlap, least=0.9, speed=True)
    if busy.share is not None:
        findings.add("the card is idle", 1 - busy.share, "of the time")

    took_s = program_s(ground, videos, model)
    large = "H200" in card_name(ground) and cores() >= 16
    findings.add(
        "gz index, an hour of 1080p video", took_s / hours, "s", most=15.0 if large else None,
        speed=True,
    )  # fmt: skip
    on_the_card(ground, findings, videos, encoder, rate)


def warm(encoder: Any) -> None:
    shape = (encoder.preprocess.height, encoder.preprocess.width, 3)
    encoder.encode_pictures([np.zeros(shape, np.uint8)] * encoder.batch_size)


def index_rate(ground: Ground, videos: list[Path], encoder: Any, hwaccel: str = "") -> float:
    """Frames a second of one run with every frame encoded."""
    from bench_index import Quiet

    from index.indexing.indexer import index_paths
    from index.indexing.progress import IndexOptions

    options = IndexOptions(every_frame=True, coarse_first=False, hwaccel=hwaccel)
    with tempfile.TemporaryDirectory(dir=ground.scratch) as library:
        wait_for(ground.device)
        began = time.perf_counter()
        summary = index_paths(Path(library), videos, encoder, options, Quiet())
        return summary.frames / (time.perf_counter() - began)


def program_s(ground: Ground, videos: list[Path], model: Path) -> float:
    """Wall seconds of ``gz index`` as a person starts it."""
    with tempfile.TemporaryDirectory(dir=ground.scratch) as library:
        began = time.perf_counter()
        ran = ground.gz(
            "index", str(videos[0].parent), "--model", str(model), "--library", library,
            "--device", ground.device, "--no-coarse-first", "--every-frame", "--quiet",
        )  # fmt: skip
        if ran.returncode:
            raise RuntimeError(f"gz index ended with {ran.returncode}: {ran.stderr[-500:]}")
        return time.perf_counter() - began


def on_the_card(
    ground: Ground, findings: Findings, videos: list[Path], encoder: Any, cores_rate: float
) -> None:
    """The same frames from the card's own decoder, and which of both is faster."""
    from index.errors import UsageError
    from index.media.hardware import check_hwaccel

    try:
        check_hwaccel("cuda")
    except UsageError as error:
        findings.add("decoding with --hwaccel cuda", f"not offered here: {error.message}")
        return
    apart, pictures = difference(videos[0])
    findings.add("most levels between both decoders", apart, f"of 255, {pictures} frames", most=2)
    if ground.left_s < 1.5 * 1800 / cores_rate:
        findings.add("indexing with --hwaccel cuda", "left out for lack of time")
        return
    rate = index_rate(ground, videos, encoder, "cuda")
    findings.add("indexing with --hwaccel cuda", rate, "frames/s")
    # gz leaves decoding to the cores unless it is asked; that must be the faster way.
    findings.add("of indexing with the cores", rate / cores_rate, most=1.1)


def difference(path: Path, most: int = 40) -> tuple[float, int]:
    """Largest difference of a sampled frame's colours, in levels, and how many were compared."""
    from itertools import islice

    from index.media.container import open_video
    from index.sampling.sampler import sample

    with open_video(path) as plain, open_video(path, "cuda") as card:
        pairs = zip(sample(plain, 1.0), sample(card, 1.0), strict=True)
        apart, count = 0, 0
        for (time_s, ours), (card_time_s, theirs) in islice(pairs, most):
            if time_s != card_time_s:
                return 255.0, count
            apart = max(apart, int(np.abs(ours.astype(int) - theirs).max()))
            count += 1
    return float(apart), count
