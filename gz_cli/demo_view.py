"""What a person, or a program, sees of the demo: every answer beside the truth."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .find_view import sureness
from .render import Screen, shell_quoted
from .results import hit_fields
from .timecode import clock, spoken_length

if TYPE_CHECKING:
    from index.types import FindResult, Span
    from model.demo.archive import DemoQuery, DemoScores

    from .demo_cmd import DemoOutcome


def show_intro(screen: Screen, seed: int) -> None:
    """Says plainly what this is and what it is not."""
    for line in (
        "A small invented world: rooms, coloured things that come, meet and go, slides with words.",
        "The demo model was trained from scratch on it and knows nothing else: it shows how gz",
        f"works, not how well the real models see. Nothing is downloaded. (Archive {seed}.)",
    ):
        screen.note(line)


def show_answers(screen: Screen, outcome: DemoOutcome) -> None:
    """A line for each query: the sentence, the best hit, the truth, and how they overlap."""
    rows = [
        [screen.styled(title, "bold") for title in ("asked for", "found", "truth", "IoU", "sure")]
    ]
    rows += [_row(screen, query, result) for query, result in outcome.answers.items()]
    screen.table(rows)
    screen.result()


def _row(screen: Screen, query: DemoQuery, result: FindResult) -> list[str]:
    hit = result.hits[0] if result.hits else None
    if query.path is None:
        found = "not found" if hit is None else _place(hit.path, hit.span)
        style = "green" if hit is None else "red"
        sure = sureness(hit.presence) if hit else ""
        return [query.sentence, screen.styled(found, style), "never happens", "", sure]
    truth = _place(bytes(query.path), query.spans[0])
    if len(query.spans) > 1:
        truth += f" (+{len(query.spans) - 1})"
    if hit is None:
        return [query.sentence, screen.styled("not found", "red"), truth, "", ""]
    same_file = hit.path == bytes(query.path)
    overlap = max(hit.span.iou(span) for span in query.spans) if same_file else 0.0
    style = "green" if overlap >= 0.5 else "red"
    return [
        query.sentence,
        screen.styled(_place(hit.path, hit.span), style),
        truth,
        f"{overlap:.2f}",
        sureness(hit.presence),
    ]


def _place(path: bytes, span: Span) -> str:
    name = Path(os.fsdecode(path)).name
    return f"{name} {_tenths(span.start_s)}-{_tenths(span.end_s)}"


def _tenths(seconds: float) -> str:
    tenths = round(seconds * 10)
    return f"{clock(tenths // 10)[2:]}.{tenths % 10}"


def show_outcome(screen: Screen, outcome: DemoOutcome, seed: int, keep: Path | None) -> None:
    """The scores over all queries, the clips that were cut, and how long each step took."""
    if screen.as_json:
        screen.json("demo", _fields(outcome, seed))
        return
    scores, coarse = outcome.scores, outcome.coarse_scores
    screen.table(
        [
            [screen.styled(title, "bold") for title in ("measure", "1 fps", "with 4 fps")],
            ["first hit right (IoU >= 0.5)", f"{coarse.r1_50:.0%}", f"{scores.r1_50:.0%}"],
            ["first hit tight (IoU >= 0.7)", f"{coarse.r1_70:.0%}", f"{scores.r1_70:.0%}"],
            [
                "mean error of an edge",
                f"{coarse.edge_error_s:.2f} s",
                f"{scores.edge_error_s:.2f} s",
            ],
            ["absent events not found", f"{coarse.rejected:.0%}", f"{scores.rejected:.0%}"],
            ["present events lost", f"{coarse.lost:.0%}", f"{scores.lost:.0%}"],
        ]
    )
    screen.note(
        f"{scores.queries} queries about what happens, {scores.absent} about what does not."
    )
    verified = sum(clip.verified for clip in outcome.clips)
    screen.note(
        f"{len(outcome.clips)} clips cut; {verified} verified by decoding them: "
        "first and last frame are those asked for."
    )
    steps = ", ".join(f"{name} {spoken_length(s)}" for name, s in outcome.seconds.items())
    screen.note(f"Time: {steps}.")
    if keep is not None:
        library = shell_quoted(str(keep.expanduser().absolute() / "library"))
        sentence = next(iter(outcome.answers)).sentence
        screen.note(f'Try more: gz find --library {library} "{sentence}"')


def _fields(outcome: DemoOutcome, seed: int) -> dict[str, Any]:
    return {
        "seed": seed,
        "scores": _scores(outcome.scores),
        "scores_without_refinement": _scores(outcome.coarse_scores),
        "seconds": outcome.seconds,
        "clips": len(outcome.clips),
        "clips_verified": sum(clip.verified for clip in outcome.clips),
        "queries": [
            {
                "sentence": query.sentence,
                "kind": query.kind,
                "video": query.path.name if query.path else None,
                "truth_s": [[span.start_s, span.end_s] for span in query.spans],
                "found": bool(result.hits),
                "hits": [hit_fields(hit) for hit in result.hits],
            }
            for query, result in outcome.answers.items()
        ],
    }


def _scores(scores: DemoScores) -> dict[str, float | None]:
    return {
        "queries": scores.queries,
        "absent": scores.absent,
        "R1@0.5": scores.r1_50,
        "R1@0.7": scores.r1_70,
        "order_R1@0.5": scores.order_r1_50,
        "rejected": scores.rejected,
        "lost": scores.lost,
        "edge_error_s": None if scores.edge_error_s != scores.edge_error_s else scores.edge_error_s,
    }
