"""What the demo shows: the summary first, then a few telling answers, in 80 columns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from gz_cli.views.demo import ANY_OTHER, WAYS, DemoOutcome, show_intro, show_outcome
from gz_cli.views.render import Screen
from index.types import FindRequest, FindResult, Hit, Span
from model.demo.archive import DemoQuery, DemoScores
from model.demo.spoken import SpokenScores

SCORES = DemoScores(47, 20, 0.94, 0.94, 1.0, 0.9, 0.06, 0.14)
OTHER = DemoScores(47, 20, 0.72, 0.61, 1.0, 0.43, 0.02, 0.3)
LONG = "on the right is a white cone on the seaside after a purple box side by side with the cone"
TRUTH = Path("/demo/videos/lobby-camera.mp4")


def answer(query: DemoQuery, *found: tuple[str, Span]) -> FindResult:
    hits = tuple(
        Hit(1, f"/demo/videos/{name}".encode(), "f", span, 0.97, 2.0, 180.0, True, ())
        for name, span in found
    )
    return FindResult(FindRequest(query.text), hits, None, 6, 1056, 1080.0, "trained", "s")


def outcome() -> DemoOutcome:
    answers: dict[DemoQuery, FindResult] = {}
    span, other = Span(61.2, 69.3), Span(150.0, 160.0)
    for number in range(4):
        right = DemoQuery(f"a star moves {number}", TRUTH, (other, span), "plain")
        answers[right] = answer(right, (TRUTH.name, span))
        order = DemoQuery(f"{LONG} {number}", TRUTH, (span,), "order")
        answers[order] = answer(order, ("rehearsal.mkv", other))
        lost = DemoQuery(f"a lost thing {number}", TRUTH, (span,), "plain")
        answers[lost] = answer(lost)
        absent = DemoQuery(f"a green egg {number}", None, (), "absent")
        answers[absent] = answer(absent)
    invented = DemoQuery("a blue egg", None, (), "absent")
    answers[invented] = answer(invented, (TRUTH.name, span))
    scores = dict.fromkeys(WAYS, SCORES) | {ANY_OTHER: OTHER}
    spoken = SpokenScores(1.0, 0.83, 0.9, 0.88)
    steps = {"find": 40.0}
    return DemoOutcome(cast(Any, None), cast(Any, None), answers, scores, spoken, (), steps)


@pytest.mark.parametrize("every", [False, True])
def test_the_summary_comes_first_and_all_fits_into_80_columns(
    capfd: pytest.CaptureFixture[str], every: bool
) -> None:
    show_intro(Screen(), 7)
    show_outcome(Screen(), outcome(), 7, None, every)
    shown = capfd.readouterr()
    lines = [*shown.out.splitlines(), *shown.err.splitlines()]
    assert max(map(len, lines)) < 80
    assert not any("\\n" in line for line in lines)
    assert shown.out.index("first hit right") < shown.out.index("right: a star moves 0")
    assert ("a star moves 3" in shown.out) == every
    assert ("--all shows all" in shown.err) != every
    assert shown.out.count("lobby-camera.mp4 01:01.2-01:09.3") == (13 if every else 4)


def test_what_any_other_model_gets_is_said_apart(capfd: pytest.CaptureFixture[str]) -> None:
    show_outcome(Screen(), outcome(), 7, None, False)
    shown = capfd.readouterr()
    assert "72%" not in shown.out
    said = " ".join(shown.err.split())
    assert "As any other model" in said
    assert "first hit right 72%, tight 61%, absent events not found 43%" in said
    show_outcome(Screen(as_json=True), outcome(), 7, None, False)
    fields = json.loads(capfd.readouterr().out)
    assert [way["R1@0.5"] for way in fields["compared"]] == [0.94] * 4
    assert fields["scores"]["R1@0.5"] == 0.94
    assert fields["as_any_other_model"]["R1@0.5"] == 0.72


def test_every_kind_of_answer_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    show_outcome(Screen(), outcome(), 7, None, False)
    shown = capfd.readouterr().out
    for verdict in ("right: a", "wrong: on", "lost: a", "rightly not found: a", "never happens: a"):
        assert shown.count(f"\n{verdict}") + shown.count(f"but {verdict}") == 1, verdict
    assert "truth 01:01.2-01:09.3, IoU 1.00" in shown


def test_a_row_for_programs_says_its_verdict(capfd: pytest.CaptureFixture[str]) -> None:
    show_outcome(Screen(as_json=True), outcome(), 7, None, False)
    rows = json.loads(capfd.readouterr().out)["queries"]
    assert len(rows) == 17
    assert [row["verdict"] for row in rows[:4]] == ["right", "wrong", "lost", "rightly not found"]
