"""What is said in the made-up world: subtitles, and questions that are what they claim to be."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import pytest

from index.text.reading import read_sidecar
from index.types import Span
from model.demo.questions import DemoQuery
from model.demo.spoken import Cue, speak, write_subtitles

LENGTHS_S = {Path(f"/v/{name}.mp4"): 170.0 for name in ("a", "b", "c")}


def shown() -> list[DemoQuery]:
    return [
        DemoQuery(f"a red ball {k}", path, (Span(start_s, start_s + 12.0),), "plain")
        for k, (path, start_s) in enumerate(
            (path, start_s) for path in LENGTHS_S for start_s in (10.0, 60.0, 120.0)
        )
    ]


@pytest.mark.parametrize("seed", range(5))
def test_questions_are_what_they_claim_to_be(seed: int) -> None:
    cues, queries = speak(random.Random(seed), LENGTHS_S, shown())
    said = {cue.words: (path, cue) for path, some in cues.items() for cue in some}
    for some in cues.values():
        assert all(one.span.end_s < two.span.start_s for one, two in pairwise(some))
    kinds = [query.kind for query in queries]
    assert [kinds.count(kind) for kind in ("words", "both", "half-right", "unsaid")] == [
        8,
        6,
        10,
        8,
    ]
    pictures = {query.text: query for query in shown()}
    for query in queries:
        words = [text for text in said if text in query.text]
        if query.kind == "unsaid":
            assert not words
            continue
        (path, cue) = said[max(words, key=len)]
        picture = pictures.get(query.text.rpartition(" while ")[2])
        if query.kind == "words":
            assert (query.path, query.spans) == (path, (cue.span,))
        elif query.kind == "both":
            assert picture is not None
            assert (query.path, query.spans) == (picture.path, picture.spans)
            assert path == query.path
            assert picture.spans[0].overlap_s(cue.span) == pytest.approx(cue.span.length_s)
        else:
            assert picture is not None
            assert query.path is None
            apart = max(
                cue.span.start_s - picture.spans[0].end_s, picture.spans[0].start_s - cue.span.end_s
            )
            assert picture.path != path or apart > 20


def test_subtitles_are_read_as_they_were_said(tmp_path: Path) -> None:
    cues = (Cue(Span(1.2, 3.4), "Anna", "the ticket was paid"), Cue(Span(65.0, 68.1), "Ben", "no"))
    write_subtitles(tmp_path / "a.mp4", cues)
    path = tmp_path / "a.srt"
    (track,) = read_sidecar(bytes(path), path.read_bytes(), duration_s=100.0)
    assert [(p.start_s, p.end_s) for p in track.passages] == [(1.2, 3.4), (65.0, 68.1)]
    assert "the ticket was paid" in track.passages[0].body
