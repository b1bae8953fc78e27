"""What a search over a whole library is worth, against numbers made by hand."""

from __future__ import annotations

import math

import pytest

from index.types import Span
from model.evaluation.archive import Answer, Asked, Moment, archive_report


def moment(video, start_s, end_s):
    return Moment(video, Span(start_s, end_s))


def answers(*rows):
    return tuple(Answer(moment(*row[:3]), row[3]) for row in rows)


HIT = Asked("hit", (moment("a", 10, 20),), answers(("a", 10, 20, 0.95), ("b", 0, 5, 0.1)))
"""Right at once."""
LATE = Asked(
    "late",
    (moment("a", 10, 20), moment("c", 0, 10)),
    answers(("b", 10, 20, 0.65), ("c", 4, 10, 0.6), ("a", 30, 40, 0.2)),
)
"""The first answer has the right times in a wrong video, the second an IoU of 0.6."""
LOST = Asked("lost", (moment("b", 0, 10),), answers(("b", 6, 16, 0.25)))
"""The right video, an IoU of 0.25, below the bar."""
CALLED = Asked("called", (), answers(("a", 0, 5, 0.65), ("a", 7, 9, 0.3)))
REFUSED = Asked("refused", (), answers(("a", 0, 5, 0.05)))
SILENT = Asked("silent", (), ())


def test_every_figure_by_hand():
    report = archive_report([HIT, LATE, LOST, CALLED, REFUSED, SILENT])
    assert (report["queries"], report["present"], report["absent"]) == (6, 3, 3)
    assert (report["video@1"], report["video@5"], report["video@10"]) == (66.67, 100.0, 100.0)
    assert (report["R1@0.3"], report["R1@0.5"], report["R1@0.7"]) == (33.33, 33.33, 33.33)
    assert (report["R5@0.3"], report["R5@0.5"], report["R5@0.7"]) == (66.67, 66.67, 33.33)
    assert (report["absent_found"], report["present_lost"]) == (33.33, 33.33)
    # Present 0.95, 0.65, 0.25 against absent 0.65, 0.05, 0: 3 + 2.5 + 2 of 9 pairs.
    assert report["auroc"] == pytest.approx(7.5 / 9)
    # Bins: 0 holds 0.05 and 0, 2 holds 0.25, 6 holds 0.65 twice, 9 holds 0.95, which is right.
    assert report["ece"] == pytest.approx((0.05 + 0.25 + 1.30 + 0.05) / 6)
    squares = 0.05**2 + 0.65**2 + 0.25**2 + 0.65**2 + 0.05**2
    assert report["brier"] == pytest.approx(squares / 6)
    rows = {row["from"]: row for row in report["reliability"]}
    assert len(rows) == 10
    assert rows[0.6] == {"from": 0.6, "to": 0.7, "queries": 2, "stated": 0.65, "observed": 0.0}
    assert rows[0.9] == {"from": 0.9, "to": 1.0, "queries": 1, "stated": 0.95, "observed": 1.0}
    assert rows[0.0]["stated"] == pytest.approx(0.025)
    assert math.isnan(rows[0.3]["observed"])
    assert sum(row["queries"] for row in rows.values()) == 6


def test_the_bar_can_be_another():
    report = archive_report([HIT, LATE, LOST, CALLED, REFUSED], bar=0.7)
    assert (report["absent_found"], report["present_lost"], report["bar"]) == (0.0, 66.67, 0.7)


def test_what_cannot_be_said_is_no_number():
    report = archive_report([HIT])
    assert math.isnan(report["auroc"])
    assert math.isnan(report["absent_found"])
    assert report["R1@0.7"] == 100.0
    nothing = archive_report([SILENT])
    assert math.isnan(nothing["R1@0.5"])
    assert nothing["absent_found"] == 0.0
    assert archive_report([])["queries"] == 0
