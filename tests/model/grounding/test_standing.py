"""What a score is worth among those that a library gives to questions about none of it."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import ModelError
from index.types import Null
from model.grounding.standing import Standing, standing_from_json

NULLS = st.builds(Null, st.floats(2.5, 5.0), st.floats(0.2, 0.6))
SCORES = st.floats(-2.0, 12.0)


@given(null=NULLS, scores=st.lists(SCORES, min_size=2, max_size=8))
def test_a_higher_score_is_never_less_sure(null, scores):
    standing = Standing()
    sure = [standing.presence(score, null) for score in sorted(scores)]
    assert all(0 <= presence <= 1 for presence in sure)
    assert all(after >= before - 1e-6 for before, after in pairwise(sure))


@given(null=NULLS, scores=st.lists(SCORES, min_size=2, max_size=8, unique=True))
def test_a_higher_score_never_ranks_lower(null, scores):
    ranks = [Standing().ranking(score, null) for score in sorted(scores)]
    assert ranks == sorted(ranks)


@given(score=st.floats(4.8, 7.0), middle=st.floats(3.5, 4.5), spread=st.floats(0.25, 0.45))
def test_the_same_score_is_worth_less_in_a_larger_library(score, middle, spread):
    here, larger = Null(middle, spread), Null(middle + 0.5, spread)
    assert Standing().presence(score, larger) <= Standing().presence(score, here) + 1e-6


def test_what_absent_questions_reach_is_not_believed_and_what_scenes_reach_is():
    null = Null(4.0, 0.38)
    assert Standing().presence(4.0, null) < 0.3
    assert Standing().presence(5.6, null) > 0.7


@given(score=SCORES, null=NULLS, said=st.floats(-50, 50))
def test_a_model_that_earned_no_trust_is_not_heard(score, null, said):
    assert Standing().presence(score, null, said) == Standing().presence(score, null)
    assert Standing().ranking(score, null, said) == Standing().ranking(score, null)


@given(score=SCORES, null=NULLS, said=st.lists(st.floats(-50, 50), min_size=2, max_size=2))
def test_a_model_with_trust_is_heard_and_cannot_shout(score, null, said):
    standing = Standing(trust=0.5, usual=1.0, varies=3.0)
    less, more = sorted(said)
    assert standing.presence(score, null, less) <= standing.presence(score, null, more)
    assert standing.ranking(score, null, less) <= standing.ranking(score, null, more)
    apart = standing.ranking(score, null, more) - standing.ranking(score, null, less)
    assert apart <= 2 * standing.bound * standing.trust + 1e-9
    assert standing.ranking(score, null, 1.0) == standing.ranking(score, null)


@given(
    st.builds(
        Standing,
        middle=st.floats(3, 7),
        spread=st.floats(0.1, 2),
        share=st.floats(0.1, 0.9),
        slope=st.floats(0.1, 3),
        shift=st.floats(-3, 3),
        trust=st.floats(0, 2),
        usual=st.floats(-5, 5),
        varies=st.floats(0.1, 5),
    )
)
def test_a_calibration_is_read_as_it_was_written(standing):
    assert standing_from_json(json.loads(json.dumps(standing.to_json()))) == standing


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "another"},
        {"kind": None},
        {"spread": 0.0},
        {"slope": -1.0},
        {"share": 1.0},
        {"share": 0.0},
        {"shift": float("nan")},
        {"trust": -0.1},
        {"varies": 0.0},
        {"middle": float("inf")},
        {"middle": "high"},
        {"middle": None},
        {"middle": [5.0]},
        {"another": 1.0},
    ],
    ids=str,
)
def test_a_damaged_calibration_is_refused(change):
    with pytest.raises(ModelError, match="damaged calibration"):
        standing_from_json(Standing().to_json() | change)


@pytest.mark.parametrize("values", [None, [], "standing", 3, {}], ids=str)
def test_what_is_no_calibration_is_refused(values):
    with pytest.raises(ModelError) as caught:
        standing_from_json(values)
    assert "gz calibrate" in caught.value.remedy
