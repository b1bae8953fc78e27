"""What a person, or a program, sees of the demo: every answer beside the truth."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .find import sureness
from .render import Screen, shell_quoted
from .results import hit_fields
from .timecode import clock, spoken_length

if TYPE_CHECKING:
    from index.clips.export import ClipResult
    from index.indexing.progress import IndexSummary
    from index.types import FindResult, Span
    from model.demo.archive import DemoArchive, DemoQuery, DemoScores


@dataclass(frozen=True)
class Way:
    """A way of searching that the demo compares with the others."""

    trained: bool
    """With the grounder that comes with the model, not with the training-free localizer."""
    refine: bool
    """Looking again at 4 fps."""


WAYS = tuple(Way(trained, refine) for trained in (False, True) for refine in (False, True))


@dataclass(frozen=True)
class DemoOutcome:
    """Everything that a run of the demo showed."""

    archive: DemoArchive
    summary: IndexSummary
    answers: dict[DemoQuery, FindResult]
    scores: dict[Way, DemoScores]
    """How each way of searching did; `answers` are those of the last one."""
    clips: tuple[ClipResult, ...]
    seconds: dict[str, float]
    """Wall time of each step."""


def show_intro(screen: Screen, seed: int) -> None:
    """Says plainly what this is and what it is not."""
    for line in (
        "A small invented world: rooms, coloured things that come, meet and go, slides with words.",
        "The demo model was trained from scratch on it and knows nothing else: it shows how gz",
        f"works, not how well the real models see. Nothing is downloaded. (Archive {seed}.)",
    ):
        screen.note(line)


def show_answers(screen: Screen, outcome: DemoOutcome) -> None:
    """A line for each query: the best hit, the truth, and how they overlap."""
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
        return [query.text, screen.styled(found, style), "never happens", "", sure]
    truth = _place(bytes(query.path), query.spans[0])
    if len(query.spans) > 1:
        truth += f" (+{len(query.spans) - 1})"
    if hit is None:
        return [query.text, screen.styled("not found", "red"), truth, "", ""]
    same_file = hit.path == bytes(query.path)
    overlap = max(hit.span.iou(span) for span in query.spans) if same_file else 0.0
    style = "green" if overlap >= 0.5 else "red"
    return [
        query.text,
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
    _show_scores(screen, outcome)
    verified = sum(clip.verified for clip in outcome.clips)
    screen.note(
        f"{len(outcome.clips)} clips cut; {verified} verified by decoding them: "
        "first and last frame are those asked for."
    )
    steps = ", ".join(f"{name} {spoken_length(s)}" for name, s in outcome.seconds.items())
    screen.note(f"Time: {steps}.")
    if keep is not None:
        library = shell_quoted(str(keep.expanduser().absolute() / "library"))
        query = next(iter(outcome.answers)).text
        screen.note(f'Try more: gz find --library {library} "{query}"')


def _show_scores(screen: Screen, outcome: DemoOutcome) -> None:
    """A column for each way of searching; the last one is what `gz find` does."""
    titles = ["measure"]
    for way in outcome.scores:
        titles.append(("trained" if way.trained else "training-free") + ", 4 fps" * way.refine)
    measures: dict[str, Callable[[DemoScores], str]] = {
        "first hit right (IoU >= 0.5)": lambda scores: f"{scores.r1_50:.0%}",
        "first hit tight (IoU >= 0.7)": lambda scores: f"{scores.r1_70:.0%}",
        "mean error of an edge": lambda scores: f"{scores.edge_error_s:.2f} s",
        "absent events not found": lambda scores: f"{scores.rejected:.0%}",
        "present events lost": lambda scores: f"{scores.lost:.0%}",
    }
    rows = [[screen.styled(title, "bold") for title in titles]]
    rows += [
        [name, *(words(scores) for scores in outcome.scores.values())]
        for name, words in measures.items()
    ]
    screen.table(rows)
    scores = next(iter(outcome.scores.values()))
    screen.note(
        f"{scores.queries} queries about what happens, {scores.absent} about what does not."
    )


def _fields(outcome: DemoOutcome, seed: int) -> dict[str, Any]:
    return {
        "seed": seed,
        "scores": _scores([*outcome.scores.values()][-1]),
        "compared": [
            {"trained": way.trained, "refined": way.refine, **_scores(scores)}
            for way, scores in outcome.scores.items()
        ],
        "seconds": outcome.seconds,
        "clips": len(outcome.clips),
        "clips_verified": sum(clip.verified for clip in outcome.clips),
        "queries": [
            {
                "query": query.text,
                "sentence": query.text,
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
