"""Slope and shift fitted to labelled queries: what is true is found, and few cannot ruin it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from index.types import Span
from model.evaluation.archive import Answer, Asked, Moment
from model.evaluation.recalibration import recalibrate, refit
from model.grounding.logistic import fit_logistic, sigmoid
from model.grounding.standing import Standing

SHIPPED = Standing()


def outcomes(count, slope, shift, seed=0):
    """Evidence of answers and whether they are right, where slope and shift are the truth."""
    draw = np.random.default_rng(seed)
    there = draw.random(count) < 0.5
    evidence = np.where(there, draw.normal(2.5, 2.5, count), draw.normal(-3, 2, count))
    return evidence, draw.random(count) < SHIPPED.cut * sigmoid(slope * evidence + shift)


def told(standing, evidence):
    return standing.cut * sigmoid(standing.slope * evidence + standing.shift)


def asked_with(standing, evidence, right):
    """Queries whose first answers were told by a standing; each other of the wrong is absent."""
    rows = []
    for number, (presence, good) in enumerate(zip(told(standing, evidence), right, strict=True)):
        truth = (Moment("a", Span(0, 10)),) if good or number % 2 else ()
        answer = Answer(Moment("a" if good else "b", Span(0, 9)), float(presence))
        rows.append(Asked(f"query {number}", truth, (answer,)))
    return rows


@pytest.mark.parametrize(("slope", "shift"), [(1.0, 0.0), (0.4, -1.5), (1.6, 0.5), (1.0, -2.0)])
def test_what_is_true_is_found(slope, shift):
    fitted = refit(SHIPPED, *outcomes(4000, slope, shift))
    assert fitted.slope == pytest.approx(slope, abs=0.15)
    assert fitted.shift == pytest.approx(shift, abs=0.25)
    assert (fitted.middle, fitted.cut) == (SHIPPED.middle, SHIPPED.cut)


def test_twenty_queries_cannot_ruin_it():
    everywhere, _ = outcomes(2000, 1, 0, seed=999)
    off = []
    for seed in range(60):
        fitted = refit(SHIPPED, *outcomes(20, 1, 0, seed))
        off.append(np.mean((told(fitted, everywhere) - told(SHIPPED, everywhere)) ** 2) ** 0.5)
    assert np.mean(off) < 0.07
    assert np.max(off) < 0.2
    for all_alike in (True, False):
        evidence = np.linspace(-6, 6, 20)
        fitted = refit(SHIPPED, evidence, np.full(20, all_alike))
        assert 0 < fitted.slope < 1.5
        assert abs(fitted.shift) < 4


def test_evidence_that_misleads_never_turns_the_ranks_round():
    evidence, right = outcomes(500, 1, 0)
    fitted = refit(SHIPPED, evidence, ~right)
    assert 0 < fitted.slope < 0.1
    assert np.mean(told(fitted, evidence)) == pytest.approx(np.mean(~right), abs=0.1)


def test_before_and_after_are_measured_on_queries_that_no_fit_has_seen():
    evidence, right = outcomes(300, 0.4, -1.5)
    fitted = recalibrate(SHIPPED, SHIPPED, asked_with(SHIPPED, evidence, right))
    assert fitted.better
    assert fitted.refitted["ece"] < fitted.shipped["ece"] / 2
    assert fitted.refitted["absent_found"] < fitted.shipped["absent_found"]
    assert fitted.shipped["brier"] == pytest.approx(np.mean((told(SHIPPED, evidence) - right) ** 2))
    own = np.mean((told(fitted.standing, evidence) - right) ** 2)
    assert fitted.refitted["brier"] > own, "each half is judged by the other"


def test_an_earlier_refit_changes_nothing_of_a_later_one():
    evidence, right = outcomes(60, 0.5, -1)
    earlier = Standing(slope=0.3, shift=1.2)
    fresh = recalibrate(SHIPPED, SHIPPED, asked_with(SHIPPED, evidence, right))
    again = recalibrate(SHIPPED, earlier, asked_with(earlier, evidence, right))
    assert again.standing.slope == pytest.approx(fresh.standing.slope, abs=1e-6)
    assert again.standing.shift == pytest.approx(fresh.standing.shift, abs=1e-6)
    assert again.shipped["brier"] == pytest.approx(fresh.shipped["brier"])


def test_twenty_queries_are_dealt_evenly():
    evidence = np.concatenate([np.full(10, 2.0), np.full(10, -2.0)])
    rows = asked_with(SHIPPED, evidence, evidence > 0)
    rows = [
        replace(row, truth=row.truth if good else ())
        for row, good in zip(rows, evidence > 0, strict=True)
    ]
    measured = set()
    for names in ("abcdefghijklmnopqrst", "zyxwvutsrqponmlkjihg", "qwertyuiopasdfghjklz"):
        named = [replace(row, query=name) for row, name in zip(rows, names, strict=True)]
        measured.add(round(recalibrate(SHIPPED, SHIPPED, named).refitted["brier"], 9))
    assert len(measured) == 1, "each half teaches the other the same"


def test_what_says_nothing_new_is_not_better():
    draw = np.random.default_rng(3)
    evidence, _ = outcomes(2000, 1, 0)
    right = draw.random(2000) < told(SHIPPED, evidence)
    fitted = recalibrate(SHIPPED, SHIPPED, asked_with(SHIPPED, evidence, right))
    assert not fitted.better


def test_a_logistic_is_pulled_where_it_is_told():
    design = np.stack([np.linspace(-1, 1, 10), np.ones(10)], axis=1)
    outcome = design[:, 0] > 0
    strong = fit_logistic(design, outcome, np.full(2, 1e6), np.array([0.7, -0.3]))
    assert strong == pytest.approx([0.7, -0.3], abs=1e-3)
