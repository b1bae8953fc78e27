"""A small annotated world as features: in some stretch each video looks like its sentence."""

from __future__ import annotations

import json

import numpy as np

DIM = 12


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def write_world(folder, name, count, first_qid=0):
    """Writes ``{name}.jsonl``, ``video/`` and ``text/``: QVHighlights rows and their features."""
    rng = np.random.default_rng(first_qid + 1)
    (folder / "video").mkdir(exist_ok=True)
    (folder / "text").mkdir(exist_ok=True)
    rows = []
    for qid in range(first_qid, first_qid + count):
        asked = unit(rng.normal(size=DIM))
        frames = rng.normal(size=(40, DIM)) * 0.4 + rng.normal(size=DIM) * 0.3
        start = 2 * int(rng.integers(0, 15))
        end = min(40, start + 2 * int(rng.integers(2, 8)))
        frames[start:end] += 1.5 * asked
        np.savez(folder / "video" / f"v{qid}.npz", features=unit(frames).astype(np.float16))
        np.savez(
            folder / "text" / f"qid{qid}.npz",
            last_hidden_state=(asked + 0.1 * rng.normal(size=(5, DIM))).astype(np.float16),
            pooler_output=asked.astype(np.float16),
        )
        rows.append(
            {
                "qid": qid,
                "query": f"thing {qid} happens",
                "vid": f"v{qid}",
                "duration": 40,
                "relevant_windows": [[start, end]],
                "relevant_clip_ids": list(range(start // 2, end // 2)),
                "saliency_scores": [[3, 4, 2]] * ((end - start) // 2),
            }
        )
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
