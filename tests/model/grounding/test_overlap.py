"""Overlap is told alike for single spans, for arrays and on the device of the loss."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from index.types import Span
from model.grounding.overlap import iou_matrix, suppress
from model.grounding.span import span_iou

SPANS = st.lists(
    st.tuples(st.integers(0, 40), st.integers(1, 20)).map(lambda s: (s[0] / 4, (s[0] + s[1]) / 4)),
    min_size=1,
    max_size=8,
)


@given(SPANS, SPANS)
def test_every_way_to_tell_overlap_agrees(spans, others):
    matrix = iou_matrix(np.array(spans), np.array(others))
    one_by_one = [[Span(*span).iou(Span(*other)) for other in others] for span in spans]
    np.testing.assert_array_equal(matrix, one_by_one)
    valid = torch.ones(1, len(others), dtype=torch.bool)
    best = span_iou(torch.tensor([spans]), torch.tensor([others]), valid)
    np.testing.assert_allclose(best[0], matrix.max(1), atol=1e-6)


@given(SPANS)
def test_suppression_keeps_the_best_and_nothing_that_overlaps_it(spans):
    array, scores = np.array(spans), np.arange(len(spans), dtype=np.float64) % 3
    kept = suppress(array, scores, 0.5, 5)
    assert kept[0] == int(np.argmax(scores))
    assert len(kept) <= 5
    assert (np.triu(iou_matrix(array[kept], array[kept]), 1) <= 0.5).all()
    assert (np.diff(scores[kept]) <= 0).all()
    if len(kept) < 5:
        assert (iou_matrix(array, array[kept]).max(1) > 0.5)[
            np.setdiff1d(np.arange(len(spans)), kept)
        ].all()


def test_suppression_keeps_so_many_at_most():
    spans = np.array([[0.0, 10.0], [0.5, 10.0], [20.0, 30.0]])
    assert suppress(spans, np.array([0.5, 0.9, 0.1]), 0.7, 10).tolist() == [1, 2]
    assert suppress(spans, np.array([0.5, 0.9, 0.1]), 0.7, 1).tolist() == [1]
    assert suppress(spans[:0], np.zeros(0), 0.7, 1).tolist() == []
