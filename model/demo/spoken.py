"""What is said in an archive of the small world: subtitles beside its videos, and questions.

Three people talk about papers that have nothing to do with the pictures. Many sentences
share their words, so that the same words in another order, or beside another picture, are
there to be confused with what is asked.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from index.types import FindResult, Span

from .questions import DemoQuery, QuestionKind

_NAMES = ("Anna", "Ben", "Clara")
_THINGS = ("contract", "invoice", "letter", "report", "ticket", "budget", "recipe", "licence",
           "diary", "passport")  # fmt: skip
_DONE = ("signed", "paid", "copied", "lost", "found", "burned", "translated", "stamped")
_HOW = ("on Monday", "in March", "by the lawyer", "in a hurry", "twice", "by mistake",
        "at the airport", "at noon")  # fmt: skip
_CUES = 9
"""Sentences in each video, besides those that are said where something is to be seen."""
_SAID, _BOTH, _HALF_RIGHT, _UNSAID = 8, 6, 10, 8
_GAP_S = 0.5
_LENGTH_S = (2.2, 3.6)


@dataclass(frozen=True)
class Cue:
    """A sentence of a video's subtitles."""

    span: Span
    speaker: str
    words: str


@dataclass(frozen=True)
class SpokenScores:
    """How well the answers to questions about words fit the truth; shares from 0 to 1."""

    words: float
    """What somebody says: the first hit is in the right file and overlaps it by half."""
    both: float
    """The same for what is said while something is to be seen."""
    half_right: float
    """The right words beside the wrong picture: nothing was reported."""
    unsaid: float
    """What nobody says: nothing was reported."""


def speak(
    rng: random.Random, lengths_s: Mapping[Path, float], shown: Sequence[DemoQuery]
) -> tuple[dict[Path, tuple[Cue, ...]], tuple[DemoQuery, ...]]:
    """Subtitles of an archive, and what can be asked about them.

    Args:
        rng: Source of every choice.
        lengths_s: Length of each video.
        shown: Queries about pictures that are answered by one video.

    Returns:
        Cues of each video in order of time, and about thirty queries.
    """
    sentences = [
        f"the {thing} was {done} {how}"
        for thing, done, how in itertools.product(_THINGS, _DONE, _HOW)
    ]
    rng.shuffle(sentences)
    told = iter(sentences)
    cues: dict[Path, list[Cue]] = {path: [] for path in lengths_s}
    beside = [(query, *_cue_inside(rng, query, cues, told)) for query in _askable(rng, shown)]
    for path, length_s in lengths_s.items():
        while len(cues[path]) < _CUES + sum(query.path == path for query, *_ in beside):
            start_s = round(rng.uniform(1.0, length_s - 5.0), 1)
            _place(rng, cues[path], start_s, next(told))
        cues[path].sort(key=lambda cue: cue.span.start_s)
    queries = [
        *_said_queries(rng, cues, {cue.words for _, _, cue in beside}),
        *(
            replace(query, text=f'say:"{cue.words}" while {query.text}', kind="both")
            for query, _, cue in beside[:_BOTH]
        ),
        *_half_right_queries(rng, cues, shown),
        *(
            _nothing(f"{rng.choice(_NAMES)} says that {words}", "unsaid")
            for words in itertools.islice(told, _UNSAID)
        ),
    ]  # fmt: skip
    return {path: tuple(said) for path, said in cues.items()}, tuple(queries)


def _nothing(text: str, kind: QuestionKind) -> DemoQuery:
    return DemoQuery(text, None, (), kind)


def _askable(rng: random.Random, shown: Sequence[DemoQuery]) -> list[DemoQuery]:
    """Pictures that are there once and long enough to say a sentence beside them."""
    long = [
        query
        for query in shown
        if query.kind == "plain" and len(query.spans) == 1 and query.spans[0].length_s >= 5
    ]
    return rng.sample(long, min(_BOTH, len(long)))


def _cue_inside(
    rng: random.Random, query: DemoQuery, cues: dict[Path, list[Cue]], told: Iterable[str]
) -> tuple[Path, Cue]:
    """A sentence that is said while a picture is to be seen."""
    assert query.path is not None  # noqa: S101 - a plain query has one
    (span,) = query.spans
    words = next(iter(told))
    for _ in range(50):
        start_s = round(rng.uniform(span.start_s + 0.5, span.end_s - _LENGTH_S[1] - 0.5), 1)
        if _place(rng, cues[query.path], start_s, words):
            break
    return query.path, cues[query.path][-1]


def _place(rng: random.Random, cues: list[Cue], start_s: float, words: str) -> bool:
    """Adds a cue unless somebody speaks already."""
    span = Span(start_s, round(start_s + rng.uniform(*_LENGTH_S), 1))
    if any(
        span.start_s < cue.span.end_s + _GAP_S and cue.span.start_s < span.end_s + _GAP_S
        for cue in cues
    ):
        return False
    cues.append(Cue(span, rng.choice(_NAMES), words))
    return True


def _said_queries(
    rng: random.Random, cues: Mapping[Path, Sequence[Cue]], taken: set[str]
) -> list[DemoQuery]:
    """What somebody says, asked in three ways."""
    said = [(path, cue) for path, some in cues.items() for cue in some if cue.words not in taken]
    forms = ('say:"{words}"', "{name} says that {words}", "somebody mentions that {words}")
    return [
        DemoQuery(
            forms[number % len(forms)].format(words=cue.words, name=cue.speaker),
            path,
            (cue.span,),
            "words",
        )
        for number, (path, cue) in enumerate(rng.sample(said, min(_SAID, len(said))))
    ]


def _half_right_queries(
    rng: random.Random, cues: Mapping[Path, Sequence[Cue]], shown: Sequence[DemoQuery]
) -> list[DemoQuery]:
    """Words that are said and a picture that is shown, minutes apart or in different videos."""
    said = [(path, cue) for path, some in cues.items() for cue in some]
    rng.shuffle(said)
    plain = [query for query in shown if query.kind == "plain"]
    made = []
    for (path, cue), query in zip(said, itertools.cycle(rng.sample(plain, len(plain)))):
        if query.path != path or all(_apart(cue.span, span) for span in query.spans):
            made.append(_nothing(f'say:"{cue.words}" while {query.text}', "half-right"))
        if len(made) == _HALF_RIGHT:
            break
    return made


def _apart(one: Span, other: Span) -> bool:
    return one.start_s > other.end_s + 20 or other.start_s > one.end_s + 20


def write_subtitles(path: Path, cues: Sequence[Cue]) -> None:
    """Writes the SRT file beside a video."""
    blocks = [
        f"{number}\n{_clock(cue.span.start_s)} --> {_clock(cue.span.end_s)}\n"
        f"{cue.speaker}: {cue.words}\n"
        for number, cue in enumerate(cues, 1)
    ]
    path.with_suffix(".srt").write_text("\n".join(blocks), encoding="utf-8")


def _clock(time_s: float) -> str:
    whole, thousandths = divmod(round(time_s * 1000), 1000)
    minutes, seconds = divmod(whole, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02},{thousandths:03}"


def score_spoken(results: Mapping[DemoQuery, FindResult]) -> SpokenScores:
    """Compares the answers to questions about words with the truth."""

    def right(kind: str) -> float:
        return _share(_is_right(q, r) for q, r in results.items() if q.kind == kind)

    def silent(kind: str) -> float:
        return _share(not r.hits for q, r in results.items() if q.kind == kind)

    return SpokenScores(right("words"), right("both"), silent("half-right"), silent("unsaid"))


def _is_right(query: DemoQuery, result: FindResult) -> bool:
    if not result.hits or query.path is None:
        return False
    hit = result.hits[0]
    return hit.path == bytes(query.path) and any(hit.span.iou(s) >= 0.5 for s in query.spans)


def _share(answers: Iterable[bool]) -> float:
    counted = list(answers)
    return sum(counted) / len(counted) if counted else 0.0
