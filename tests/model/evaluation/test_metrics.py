"""The official protocol on cases small enough to work out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from index.errors import UsageError
from model.evaluation.metrics import (
    clip_saliency,
    evaluate_submission,
    highlight_average_precision,
    iou_matrix,
    moment_average_precision,
)


def truth(qid=1, windows=((10, 20),), clips=(5,), scores=((4, 3, 2),), duration=150):
    return {
        "qid": qid,
        "query": "a dog runs",
        "vid": f"v{qid}",
        "duration": duration,
        "relevant_windows": [list(w) for w in windows],
        "relevant_clip_ids": list(clips),
        "saliency_scores": [list(s) for s in scores],
    }


def guess(qid=1, windows=((10, 20, 1.0),), saliency=None):
    row = {"qid": qid, "pred_relevant_windows": [list(w) for w in windows]}
    if saliency is not None:
        row["pred_saliency_scores"] = list(saliency)
    return row


def test_iou_matrix_by_hand():
    got = iou_matrix(np.array([[0.0, 10.0], [5.0, 5.0]]), np.array([[5.0, 15.0], [20.0, 30.0]]))
    np.testing.assert_allclose(got, [[5 / 15, 0.0], [0.0, 0.0]])


def test_a_perfect_answer_scores_everything():
    saliency = np.zeros(75)
    saliency[5] = 1.0
    report = evaluate_submission([guess(saliency=saliency)], [truth(scores=((4, 4, 4),))])
    assert report["brief"]["MR-full-R1@0.7"] == 100.0
    assert report["brief"]["MR-full-mAP"] == 100.0
    assert report["brief"]["HL-min-VeryGood-mAP"] == 100.0
    assert report["brief"]["HL-min-VeryGood-Hit1"] == 100.0
    assert report["short"]["MR-mAP"]["average"] == 100.0
    assert report["long"]["MR-mAP"]["average"] == 0.0


def test_the_nesting_is_the_official_one():
    report = evaluate_submission([guess(saliency=[0.0] * 75)], [truth()])
    assert list(report) == [
        "brief",
        "HL-min-Fair",
        "HL-min-Good",
        "HL-min-VeryGood",
        "full",
        "long",
        "middle",
        "short",
    ]
    assert set(report["full"]["MR-mAP"]) - set(report["full"]["MR-R1"]) == {"average"}
    assert len(report["brief"]) == 14


def test_r1_takes_the_first_listed_window_not_the_best_scored():
    listed = [(40, 50, 0.1), (10, 20, 0.9)]
    report = evaluate_submission([guess(windows=listed)], [truth()])
    assert report["brief"]["MR-full-R1@0.5"] == 0.0
    assert report["brief"]["MR-full-mAP@0.5"] == 100.0


def test_the_threshold_itself_counts():
    report = evaluate_submission([guess(windows=[(10, 15, 1)])], [truth()])
    assert report["full"]["MR-R1"]["0.5"] == 100.0
    assert report["full"]["MR-R1"]["0.55"] == 0.0


def test_the_eleventh_window_is_not_seen():
    misses = [(100 + i, 101 + i, 0.9) for i in range(10)]
    report = evaluate_submission([guess(windows=[*misses, (10, 20, 1.0)])], [truth()])
    assert report["brief"]["MR-full-mAP"] == 0.0


def test_any_true_window_counts_for_r1_and_each_is_matched_once():
    windows = [(0, 10), (50, 60)]
    twice = [(50, 60, 0.9), (50, 60, 0.8), (0, 10, 0.7)]
    report = evaluate_submission([guess(windows=twice)], [truth(windows=windows)])
    assert report["brief"]["MR-full-R1@0.7"] == 100.0
    # Precision 1 up to recall 1/2, then 2/3 up to recall 1.
    assert report["full"]["MR-mAP"]["0.5"] == pytest.approx(83.33)


def test_precision_of_one_hit_in_second_place():
    ap = moment_average_precision(
        np.array([[40.0, 50.0, 0.9], [10.0, 20.0, 0.5]]), np.array([[10.0, 20.0]]), [0.5]
    )
    assert ap[0] == pytest.approx(0.5)


def test_length_ranges_drop_true_windows_but_never_predictions():
    row = truth(windows=[(0, 8), (50, 100)])
    report = evaluate_submission([guess(windows=[(50, 100, 0.9), (0, 8, 0.1)])], [row])
    assert report["long"]["MR-R1"]["0.5"] == 100.0
    assert report["short"]["MR-R1"]["0.5"] == 0.0
    assert report["short"]["MR-mAP"]["average"] == 50.0


def test_a_window_of_ten_seconds_is_short():
    report = evaluate_submission([guess()], [truth()])
    assert report["short"]["MR-R1"]["0.95"] == 100.0
    assert report["middle"]["MR-R1"]["0.95"] == 0.0


def test_an_empty_answer_is_a_miss():
    rows = [guess(1, windows=[]), guess(2)]
    report = evaluate_submission(rows, [truth(1), truth(2)])
    assert report["brief"]["MR-full-R1@0.5"] == 50.0
    assert report["brief"]["MR-full-mAP"] == 50.0


def test_windows_without_a_score_rank_as_listed():
    report = evaluate_submission([guess(windows=[(10, 20), (40, 50)])], [truth()])
    assert report["brief"]["MR-full-mAP@0.5"] == 100.0


def test_highlight_precision_by_hand():
    relevant = np.array([True, False, True, False])
    # Ranks 1 and 3 are relevant: precision 1 and 2/3.
    assert highlight_average_precision(relevant, np.array([4.0, 3.0, 2.0, 1.0])) == pytest.approx(
        (1 + 2 / 3) / 2
    )
    assert highlight_average_precision(relevant, np.zeros(4)) == pytest.approx(0.5)
    assert highlight_average_precision(np.zeros(4, bool), np.arange(4.0)) == 0.0
    assert highlight_average_precision(np.ones(4, bool), np.arange(4.0)) == 1.0


def test_annotators_without_a_positive_count_as_zero():
    saliency = np.zeros(75)
    saliency[5] = 1.0
    report = evaluate_submission([guess(saliency=saliency)], [truth(scores=((4, 3, 2),))])
    assert report["HL-min-VeryGood"]["HL-mAP"] == pytest.approx(33.33)
    assert report["HL-min-Good"]["HL-mAP"] == pytest.approx(66.67)
    assert report["HL-min-VeryGood"]["HL-Hit1"] == 100.0


@pytest.mark.parametrize("clips", [60, 75, 90])
def test_saliency_of_another_length_is_cut_or_padded(clips):
    saliency = np.linspace(1.0, 0.5, clips)
    saliency[5] = 2.0
    report = evaluate_submission([guess(saliency=saliency)], [truth(scores=((4, 4, 4),))])
    assert report["HL-min-VeryGood"]["HL-mAP"] == 100.0


def test_clip_saliency_ignores_clips_past_the_end():
    table = clip_saliency(truth(clips=(4, 5), scores=((1, 1, 1), (2, 2, 2)), duration=10.0))
    assert table.shape == (5, 3)
    assert table[4].tolist() == [1, 1, 1]
    assert table.sum() == 3


def test_scores_do_not_depend_on_the_order_of_queries():
    rng = np.random.default_rng(0)
    rows, answers = [], []
    for qid in range(12):
        start = float(rng.integers(0, 100))
        rows.append(truth(qid, windows=[(start, start + float(rng.integers(4, 40)))]))
        spans = np.sort(rng.uniform(0, 150, (12, 2)), axis=1)
        answers.append(
            guess(qid, [(*map(float, s), float(rng.random())) for s in spans], rng.random(75))
        )
    once = evaluate_submission(answers, rows)
    again = evaluate_submission(answers[::-1], rows[::-1])
    assert once == again
    for limits in ("full", "long", "middle", "short"):
        recalls = list(once[limits]["MR-R1"].values())
        assert recalls == sorted(recalls, reverse=True)


def test_doubled_missing_and_unknown_queries_are_named():
    with pytest.raises(UsageError, match="twice"):
        evaluate_submission([guess(), guess()], [truth()])
    with pytest.raises(UsageError, match="1 queries without a prediction"):
        evaluate_submission([guess(1)], [truth(1), truth(2)])
    with pytest.raises(UsageError, match="share no query"):
        evaluate_submission([guess(1)], [truth(2)], match=False)
    with pytest.raises(UsageError, match="neither"):
        evaluate_submission([{"qid": 1}], [truth(1)])
    shared = evaluate_submission([guess(1)], [truth(1), truth(2)], match=False)
    assert shared["brief"]["MR-full-R1@0.5"] == 100.0
