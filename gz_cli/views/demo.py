"""What a person, or a program, sees of the demo: every answer beside the truth."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .find import sureness
from .render import Screen, shell_quoted
from .results import hit_fields
from .timecode import clock, spoken_length

if TYPE_CHECKING:
    from index.clips.export import ClipResult
    from index.indexing.progress import IndexSummary
    from index.types import FindResult, Hit, Span
    from model.demo.archive import DemoArchive, DemoQuery, DemoScores
    from model.demo.spoken import SpokenScores


@dataclass(frozen=True)
class Way:
    """A way of searching that the demo compares with the others."""

    trained: bool
    """With the grounder that comes with the model, not with the training-free localizer."""
    refine: bool
    """Looking again at 4 fps."""
    fitted: bool = True
    """With the calibration that was fitted to the demo's model; no other model has one."""


WAYS = tuple(Way(trained, refine) for trained in (False, True) for refine in (False, True))
"""The ways that are shown side by side; the last one is what `gz find` does here."""
ANY_OTHER = Way(trained=False, refine=True, fitted=False)
"""What `gz find` does with any other model before anything is trained on it."""


@dataclass(frozen=True)
class DemoOutcome:
    """Everything that a run of the demo showed."""

    archive: DemoArchive
    summary: IndexSummary
    answers: dict[DemoQuery, FindResult]
    """Those of the last of `WAYS`, to queries about pictures and about words."""
    scores: dict[Way, DemoScores]
    """How each way of searching did, those of `WAYS` and `ANY_OTHER`."""
    spoken: SpokenScores
    """How the last of `WAYS` did where words are asked for."""
    clips: tuple[ClipResult, ...]
    seconds: dict[str, float]
    """Wall time of each step."""


def show_intro(screen: Screen, seed: int) -> None:
    """Says plainly what this is and what it is not."""
    for line in (
        "A small invented world: rooms, coloured things that come, meet and go, slides",
        "with words. The demo model was trained from scratch on it and knows nothing",
        "else: it shows how gz works, not how well the real models see. Nothing is",
        f"downloaded, and it takes a minute. (Archive {seed}; --seed makes others.)",
    ):
        screen.note(line)


def show_outcome(
    screen: Screen, outcome: DemoOutcome, seed: int, keep: Path | None, every: bool
) -> None:
    """The scores over all queries, some answers beside the truth, and what else was done."""
    if screen.as_json:
        screen.json("demo", _fields(outcome, seed))
        return
    _show_scores(screen, outcome)
    _show_answers(screen, outcome, every)
    verified = sum(clip.verified for clip in outcome.clips)
    clips = len(outcome.clips)
    screen.note(f"{clips} clips were cut; decoding them again showed {verified} to be as asked.")
    steps = ", ".join(f"{name} {spoken_length(s)}" for name, s in outcome.seconds.items())
    screen.note(f"Time: {steps}.")
    if keep is not None:
        library = shell_quoted(str(keep.expanduser().absolute() / "library"))
        query = next(iter(outcome.answers)).text
        screen.note(f'To try more: gz find --library {library} "{query}"')


def _show_scores(screen: Screen, outcome: DemoOutcome) -> None:
    """A column for each way of searching; the last one is what `gz find` does."""
    titles = ["", *(_title(way) for way in WAYS)]
    measures: dict[str, Callable[[DemoScores], str]] = {
        "first hit right (IoU >= 0.5)": lambda scores: f"{scores.r1_50:.0%}",
        "first hit tight (IoU >= 0.7)": lambda scores: f"{scores.r1_70:.0%}",
        "mean error of an edge": lambda scores: f"{scores.edge_error_s:.2f} s",
        "absent events not found": lambda scores: f"{scores.rejected:.0%}",
        "present events lost": lambda scores: f"{scores.lost:.0%}",
    }
    rows = [[screen.styled(title, "bold") for title in titles]]
    rows += [
        [name, *(words(outcome.scores[way]) for way in WAYS)] for name, words in measures.items()
    ]
    screen.result()
    screen.table(rows)
    scores = outcome.scores[ANY_OTHER]
    screen.note(
        f"{scores.queries} queries are about what happens, {scores.absent} about what does not. "
        "The last column is"
    )
    screen.note("what gz find does: a trained model that looks again at the edges it finds.")
    for line in (
        "All columns use a calibration that was fitted to the demo's model. As any other",
        "model, which has none, is searched (training-free, + 4 fps): first hit right",
        f"{scores.r1_50:.0%}, tight {scores.r1_70:.0%}, absent events not found "
        f"{scores.rejected:.0%}, present events lost {scores.lost:.0%}.",
        "In a library as small as this, gz then shows words in place of percentages.",
    ):
        screen.note(line)
    _show_spoken(screen, outcome)
    screen.result()


def _show_spoken(screen: Screen, outcome: DemoOutcome) -> None:
    """What is said in the videos, asked for alone and beside a picture."""
    spoken = outcome.spoken
    rows = [
        [screen.styled("what is said (subtitles beside the videos)", "bold"), ""],
        ["somebody's words: first hit right", f"{spoken.words:.0%}"],
        ["words beside a picture: first hit right", f"{spoken.both:.0%}"],
        ["right words beside the wrong picture, not found", f"{spoken.half_right:.0%}"],
        ["words that nobody says, not found", f"{spoken.unsaid:.0%}"],
    ]
    screen.result()
    screen.table(rows)


def _title(way: Way) -> str:
    if way.refine:
        return "+ 4 fps"
    return "trained" if way.trained else "training-free"


_STYLES = {
    "right": "green",
    "rightly not found": "green",
    "wrong": "red",
    "lost": "red",
    "found, but never happens": "red",
}
"""Verdicts on an answer, and how they look."""


def _show_answers(screen: Screen, outcome: DemoOutcome, every: bool) -> None:
    """Queries with their answers and the truth: all, or the first of every kind."""
    shown = list(outcome.answers.items())
    if not every:
        telling: dict[tuple[str, str], tuple[DemoQuery, FindResult]] = {}
        for query, result in shown:
            telling.setdefault((query.kind, _verdict(query, result)), (query, result))
        shown = list(telling.values())
    for query, result in shown:
        verdict = _verdict(query, result)
        first, *rest = textwrap.wrap(f"{verdict}: {query.text}", _WIDTH, subsequent_indent="  ")
        screen.result(screen.styled(verdict, _STYLES[verdict]) + first.removeprefix(verdict))
        for line in [*rest, *_answer(query, result)]:
            screen.result(screen.styled(line, "dim") if line.startswith("    ") else line)
    screen.result()
    if not every:
        screen.note(f"These are {len(shown)} of {len(outcome.answers)} answers; --all shows all.")


_WIDTH = 78


def _verdict(query: DemoQuery, result: FindResult) -> str:
    hit = result.hits[0] if result.hits else None
    if query.path is None:
        return "rightly not found" if hit is None else "found, but never happens"
    if hit is None:
        return "lost"
    return "right" if _overlap(query, hit) >= 0.5 else "wrong"


def _overlap(query: DemoQuery, hit: Hit) -> float:
    if query.path is None or hit.path != bytes(query.path):
        return 0.0
    return max(hit.span.iou(span) for span in query.spans)


def _answer(query: DemoQuery, result: FindResult) -> list[str]:
    """What was found and what is true; nothing where both are nothing."""
    hit = result.hits[0] if result.hits else None
    told = [] if hit is None else [f"{_place(hit.path, hit.span)}, {sureness(hit.presence)}"]
    if query.path is not None:
        near = max(query.spans, key=lambda span: 0.0 if hit is None else hit.span.iou(span))
        if hit is not None and hit.path == bytes(query.path):
            told.append(f"truth {_times(near)}, IoU {_overlap(query, hit):.2f}")
        else:
            told.append(f"truth {_place(bytes(query.path), near)}")
    whole = "    " + "; ".join(told)
    if len(whole) <= _WIDTH:
        return [whole] if told else []
    return [f"    {part}" for part in told]


def _place(path: bytes, span: Span) -> str:
    return f"{Path(os.fsdecode(path)).name} {_times(span)}"


def _times(span: Span) -> str:
    return f"{_tenths(span.start_s)}-{_tenths(span.end_s)}"


def _tenths(seconds: float) -> str:
    tenths = round(seconds * 10)
    return f"{clock(tenths // 10)[2:]}.{tenths % 10}"


def _fields(outcome: DemoOutcome, seed: int) -> dict[str, Any]:
    return {
        "seed": seed,
        "scores": _scores(outcome.scores[WAYS[-1]]),
        "compared": [
            {"trained": way.trained, "refined": way.refine, **_scores(outcome.scores[way])}
            for way in WAYS
        ],
        "as_any_other_model": _scores(outcome.scores[ANY_OTHER]),
        "spoken": asdict(outcome.spoken),
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
                "verdict": _verdict(query, result),
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
