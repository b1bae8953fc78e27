"""Videos of the small world with their annotations, for training a grounder on it.

``python -P -m model.demo.annotated --out DIR`` makes those that the shipped one learned from.
"""

from __future__ import annotations

import argparse
import json
import random
from dataclasses import replace
from pathlib import Path

from .archive import frames_of, make_scripts, told_events, write_video
from .captions import sentence, spans, timeline
from .world import Script

SEED_BASE = 10_000_000
"""Keeps these videos apart from demo archives (small seeds) and from the lessons."""
_LEAST_S = 1.5


def annotation_rows(script: Script, name: str, rng: random.Random) -> list[dict[str, object]]:
    """Rows in the form of QVHighlights, one for each event that the video shows.

    Coming in and going away are among them: a grounder sees time, a frame does not.
    """
    states = timeline(script)
    events = told_events(script)
    events += [
        replace(event, kind=kind)
        for event in events
        if event.kind == "present"
        for kind in ("enter", "leave")
    ]
    rows: list[dict[str, object]] = []
    for event in events:
        found = spans(event, states)
        if found and min(span.length_s for span in found) >= _LEAST_S:
            rows.append(
                {
                    "qid": f"{name}-{len(rows)}",
                    "query": sentence(event, rng),
                    "vid": name,
                    "duration": script.duration_s,
                    "relevant_windows": [[span.start_s, span.end_s] for span in found],
                }
            )
    return rows


def make_annotated(folder: Path, seed: int, videos: int) -> Path:
    """Writes videos and ``annotations.jsonl`` to a folder.

    Args:
        folder: Made if it is not there.
        seed: Decides everything; no video is one of a demo archive.
        videos: How many; each lasts about three minutes.

    Returns:
        The annotation file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, object]] = []
    for number in range(videos):
        rng = random.Random(f"annotated/{SEED_BASE + seed}/{number}")
        name = f"world-{seed}-{number:03d}"
        (script,) = make_scripts(rng, 1)
        write_video(folder / f"{name}.mp4", frames_of(timeline(script)))
        rows += annotation_rows(script, name, rng)
    path = folder / "annotations.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def main() -> None:
    """Reads the options and writes the data set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--videos", type=int, default=120)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    make_annotated(chosen.out, chosen.seed, chosen.videos)


if __name__ == "__main__":
    main()
