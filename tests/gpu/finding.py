"""A search on a machine with a card: cold, warm, edges tightened, and FAISS on the card."""

from __future__ import annotations

import itertools
import json
import shutil
import statistics
import subprocess
import time
from pathlib import Path
from typing import Any

from footage import footage
from ground import GZ, Findings, Ground, card_memory_gb

_numbers = itertools.count()


def sentence() -> str:
    """One that nobody has asked before."""
    return f"a man in coat number {next(_numbers)} opens the door"


def check(ground: Ground, findings: Findings) -> None:
    library = ground.scratch / "library"
    shutil.rmtree(library, ignore_errors=True)
    videos = footage(ground, "search", *((2, 10) if ground.tiny else (6, 60)))
    asked = ("--library", str(library), "--device", ground.device)
    ran = ground.gz(
        "index", str(videos[0].parent), "--model", str(ground.model("so400m")),
        "--every-frame", "--quiet", *asked,
    )  # fmt: skip
    if ran.returncode:
        raise RuntimeError(f"gz index ended with {ran.returncode}: {ran.stderr[-500:]}")
    began = time.perf_counter()
    ran = ground.gz("find", sentence(), "--threshold", "0", "--quiet", *asked)
    findings.add("a cold gz find, edges tightened", time.perf_counter() - began, "s")
    findings.holds("it ends well", ran.returncode in (0, 1), f"exit status {ran.returncode}")
    if not ground.tiny:
        findings.add("a new sentence to a warm gz shell", shell_ms(ground, library), "ms")
    tightened(ground, findings, library)
    faiss_on_card(ground, findings)


def shell_ms(ground: Ground, library: Path, questions: int = 10) -> float:
    """Median wall milliseconds of an answer without tightened edges."""
    walls = []
    command = [*GZ, "--", "shell", "--json", "--library", str(library), "--device", ground.device]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as shell:
        assert shell.stdin is not None
        assert shell.stdout is not None
        for number in range(questions + 2):
            text = sentence()
            asked = {"id": number, "query": text, "refine": False}
            began = time.perf_counter()
            shell.stdin.write(json.dumps(asked) + "\n")
            shell.stdin.flush()
            shell.stdout.readline()
            walls.append(time.perf_counter() - began)
        shell.stdin.close()
    return 1000 * statistics.median(walls[2:])


def tightened(ground: Ground, findings: Findings, library: Path) -> None:
    """Seconds that tight edges of five moments take, in a warm process."""
    from index.search.find import find
    from index.store.library import Library
    from index.types import FindRequest
    from index.vectors.cache import IndexPlan, VectorCache
    from model.grounding.training_free import TrainingFreeLocalizer
    from model.siglip.encoder import load_encoder

    encoder = load_encoder(str(ground.model("so400m")), device=ground.device)
    best = {True: float("inf"), False: float("inf")}
    with Library.open_readonly(library) as opened:
        cache = VectorCache.load(opened)
        for _ in range(2 if ground.tiny else 4):
            text = sentence()
            for refine in best:
                request = FindRequest(text, limit=5, refine=refine, threshold=0.0)
                began = time.perf_counter()
                result = find(opened, cache, encoder, TrainingFreeLocalizer(), request)
                best[refine] = min(best[refine], time.perf_counter() - began)
        request = FindRequest(text, limit=5, refine=False, threshold=0.0)
        expected = find(opened, cache, encoder, TrainingFreeLocalizer(), request)
        at_once = VectorCache.load(opened, plan=IndexPlan(card_searches=0))
        found = find(opened, at_once, encoder, TrainingFreeLocalizer(), request)
    findings.holds("the card finds the same moments", found.hits == expected.hits)
    findings.add("a warm search", 1000 * best[False], "ms")
    what = f"tight edges of {len(result.hits)} moments"
    findings.add(what, best[True] - best[False], "s", most=1.0, speed=True)


def faiss_on_card(ground: Ground, findings: Findings) -> None:
    """The exact index of a thousand hours on the card and on the processor."""
    import faiss
    import numpy as np
    import torch

    from index.vectors.card import cards, on_card, train_lists
    from index.vectors.index_plan import IndexPlan
    from index.vectors.shelves import installed

    findings.add("FAISS", installed())
    if ground.on_card and not cards(faiss):
        findings.add("FAISS on the card", "this build of FAISS knows no card (see docs/gpu.md)")
        return
    count, dim = (4_000, 64) if ground.tiny else (3_600_000, 1152)
    if not ground.tiny and ground.left_s < 45:
        count //= 4
    index = faiss.IndexScalarQuantizer(
        dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
    )
    generator = torch.Generator(ground.device).manual_seed(0)
    for first in range(0, count, 100_000):
        rows = min(100_000, count - first)
        made = torch.randn(rows, dim, device=ground.device, generator=generator)
        index.add(torch.nn.functional.normalize(made, dim=-1).cpu().numpy())
    random = np.random.default_rng(1)
    queries = random.standard_normal((4, dim)).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    walls, found = searched(index, queries)
    findings.add(f"FAISS, {count:,} frames, the processor", 1000 * walls, "ms")
    before, began = card_memory_gb(ground.device), time.perf_counter()
    notes: list[str] = []
    copy: Any = on_card(faiss, index, notes.append) if ground.on_card else index
    copied_s = time.perf_counter() - began
    if copy is None:
        findings.holds("FAISS, a copy on the card", False, "; ".join(notes))
        return
    card_walls, card_found = searched(copy, queries)
    same = [len(set(a) & set(b)) / len(a) for a, b in zip(card_found, found, strict=True)]
    findings.add("FAISS, the card", 1000 * card_walls, "ms")
    findings.add("FAISS, recall of the card", sum(same) / len(same), least=0.99)
    lists = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(dim), dim, 16 if ground.tiny else 1024,
        faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT,
    )  # fmt: skip
    began = time.perf_counter()
    train_lists(faiss, lists, index.reconstruct_n(0, count // 80), notes.append)
    findings.add("FAISS, lists trained", time.perf_counter() - began, "s")
    findings.holds("and nothing of them is left on the card", not lists.clustering_index)
    findings.holds("the card did all of it", not notes, "; ".join(notes))
    used = card_memory_gb(ground.device) - before
    findings.add("FAISS, memory taken from the model", used, f"GB, copied in {copied_s:.1f} s")
    gained = walls - card_walls
    pays = copied_s / gained if gained > 0 else float("inf")
    findings.add(
        f"FAISS, searches until the copy has paid (gz copies after {IndexPlan().card_searches})",
        pays, most=100.0, speed=True,
    )  # fmt: skip


def searched(index: Any, queries: Any) -> tuple[float, list[Any]]:
    """Median seconds of a search for 100 frames, and the rows of each."""
    walls, found = [], []
    index.search(queries[:1], 100)
    for query in queries:
        began = time.perf_counter()
        _, rows = index.search(query[None], 100)
        walls.append(time.perf_counter() - began)
        found.append(rows[0].tolist())
    return statistics.median(walls), found
