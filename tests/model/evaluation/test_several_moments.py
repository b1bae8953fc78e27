"""Several moments or none: both published protocols, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from index.errors import UsageError
from model.evaluation.evaluate import full_report
from model.evaluation.report import write_report
from model.evaluation.several_moments import several_moments

FIRST, SECOND, THIRD, FOURTH = [0, 10], [20, 30], [40, 50], [60, 70]


def truth(qid, *windows):
    return {
        "qid": qid, "query": "a dog runs", "vid": f"v{qid}", "duration": 100.0,
        "relevant_windows": list(windows),
    }  # fmt: skip


def guess(qid, *windows, presence=None):
    scored = [[*window, 0.9 - rank / 10] for rank, window in enumerate(windows)]
    row = {"qid": qid, "pred_relevant_windows": scored}
    return row if presence is None else {**row, "pred_presence": presence}


def asked(*queries):
    """Pairs of (true windows, answers) or (true windows, answers, presence)."""
    return [
        (guess(qid, *query[1], presence=(*query, None)[2]), truth(qid, *query[0]))
        for qid, query in enumerate(queries)
    ]


HALF_OF_TWO = ([FIRST, SECOND], [FIRST, THIRD, [20, 26]])
"""IoU 1 with the first moment, nothing, and 0.6 with the second."""
ALL_OF_THREE = ([FIRST, SECOND, THIRD], [FIRST, SECOND, THIRD])
ONE_OF_FOUR = ([FIRST, SECOND, THIRD, FOURTH], [FIRST])


@pytest.fixture
def multi():
    pairs = asked(([FIRST], [FIRST]), HALF_OF_TWO, ALL_OF_THREE, ALL_OF_THREE, ONE_OF_FOUR)
    return several_moments(pairs)["multi_moment"]


def test_precision_by_the_number_of_moments(multi):
    assert multi["mAP@1_tgt"] == 100.0
    # At IoU 0.5, 0.55 and 0.6 found first and third, 0.5 * 1 + 0.5 * 2/3; at seven others 0.5.
    assert multi["mAP@2_tgt"] == 60.0
    # Three moments: 1, and four: 0.25; each number of moments weighs the same.
    assert multi["mAP@3+tgt"] == 62.5
    assert multi["G-mAP"] == 77.0  # (1 + 0.6 + 1 + 1 + 0.25) / 5


def test_recall_and_overlap_of_the_first_k_among_queries_with_k_moments(multi):
    assert multi["mR@1"] == 100.0
    # One of two, twice two of two, and one of two where a single answer was given.
    assert multi["mR@2"] == 75.0
    assert multi["mR@3"] == 77.78  # (3 + 3 + 1) / 9
    assert multi["mIoU@2"] == 75.0  # (1 + 0 + 2 + 2 + 1) / 8


def test_recall_is_the_mean_over_fourteen_thresholds():
    table = several_moments(asked(([FIRST, SECOND], [[0, 6]])))["multi_moment"]
    assert table["mR@1"] == 50.0  # IoU 0.6 reaches 0.3, 0.35, ... 0.6: seven of them
    assert table["mIoU@1"] == 60.0
    assert "mAP@1_tgt" not in table
    assert "mR@3" not in table


def test_a_moment_is_found_once():
    table = several_moments(asked(([FIRST, SECOND], [FIRST, FIRST])))["multi_moment"]
    assert table["mR@2"] == 50.0


@pytest.fixture
def general():
    pairs = asked(
        ([FIRST], [FIRST], 0.9),
        ([FIRST, SECOND], [FIRST, [20, 26], THIRD], 0.8),
        (*ALL_OF_THREE, 0.4),
        ([], [FIRST], 0.2),
        ([], [FIRST], 0.7),
        ([], [FIRST], 0.1),
        ([], [FIRST], 0.3),
    )
    return several_moments(pairs)


def test_null_sets_are_rejected_or_not(general):
    assert general["queries"] == {"none": 4, "one": 1, "several": 2}
    table = general["generalised"]
    assert table["AUROC"] == 91.67  # 4 + 4 + 3 of 12 pairs in order
    assert table["Rej-F1"] == 75.0  # three of four said empty are, three of four empty are said
    assert table["Acc"] == 71.43  # five of seven


def test_the_rest_is_localised_whatever_presence_was_said(general):
    table = general["generalised"]
    assert table["mAP"] == 88.33  # (1 + 0.65 + 1) / 3
    assert table["mR@1"] == 61.11  # (1 + 1/2 + 1/3) / 3
    assert table["mR@3"] == 88.33  # the second: both at three thresholds of ten, else one
    assert table["mR+@3"] == 65.0  # (0.3 + 1) / 2
    assert table["mIoU@1"] == 100.0
    assert table["mIoU@3"] == 93.33  # (1 + (1 + 0.6) / 2 + 1) / 3
    assert table["mIoU+@3"] == 80.0  # (0.6 + 1) / 2
    assert "mR+@1" not in table


def test_both_together(general):
    table = general["generalised"]
    # 1, 1 / (1 + 2 - 1), wrongly empty 0, and three of four empty sets said.
    assert table["G-mIoU@1"] == 64.29
    # The second query: (1 + 0.6) / (3 windows + 2 moments - 2 pairs).
    assert table["G-mIoU@3"] == 64.76


def test_without_a_presence_only_an_empty_list_says_that_nothing_is_there():
    queries = ([FIRST], [FIRST]), ([FIRST], []), ([], []), ([], [SECOND])
    table = several_moments(asked(*queries))["generalised"]
    assert table["Acc"] == 50.0
    assert table["Rej-F1"] == 50.0
    assert table["AUROC"] == 50.0  # the pairs: equal, right, wrong, equal
    assert table["G-mIoU@1"] == 50.0
    theirs = asked(*queries)
    theirs = [({**guess, "pred_exist_score": 0.1}, truth) for guess, truth in theirs]
    assert several_moments(theirs)["generalised"]["Rej-F1"] == 66.67


def test_one_moment_each_is_the_official_protocol_alone():
    pairs = asked(([FIRST], [FIRST]), ([SECOND], [THIRD]))
    assert several_moments(pairs) == {}
    report = full_report(*zip(*pairs, strict=True))
    assert "several_moments" not in report["groundzero"]


def test_the_official_numbers_do_not_see_queries_without_a_moment():
    with_none = asked(([FIRST], [FIRST]), HALF_OF_TWO, ([], [FIRST], 0.2))
    with_none = [({**g, "pred_presence": 0.9, "pred_saliency_scores": [1.0] * 50}, t)
                 for g, t in with_none]  # fmt: skip
    rated = {"relevant_clip_ids": [1], "saliency_scores": [[4, 4, 4]]}
    with_none = [(g, {**t, **rated} if t["relevant_windows"] else t) for g, t in with_none]
    without = with_none[:2]
    seen = full_report(*zip(*with_none, strict=True))
    official = full_report(*zip(*without, strict=True))
    assert "HL-min-VeryGood-mAP" in official["brief"]
    assert {k: v for k, v in seen.items() if k != "groundzero"} == {
        k: v for k, v in official.items() if k != "groundzero"
    }
    ours = dict(seen["groundzero"])
    assert ours.pop("several_moments")["queries"]["none"] == 1
    assert ours == {k: v for k, v in official["groundzero"].items() if k != "several_moments"}


def test_a_query_without_a_moment_needs_its_answer_too():
    pairs = asked(([FIRST], [FIRST]), ([], []))
    predictions, annotations = zip(*pairs, strict=True)
    with pytest.raises(UsageError, match="1 queries without a prediction"):
        full_report(predictions[:1], annotations)


@pytest.mark.parametrize("queries", [[([FIRST], [FIRST]), ([], [SECOND])], [([], [])]])
def test_the_page_tells_of_them_and_draws_the_others(tmp_path, queries):
    predictions, annotations = zip(*asked(*queries), strict=True)
    result = full_report(predictions, annotations)
    page = write_report(tmp_path, result, predictions, annotations, (), {"other": predictions})
    text = page.read_text()
    assert "Several moments, or none" in text
    assert "G-mIoU@1" in text
    assert "nan" not in text
    assert np.isfinite(result["groundzero"]["several_moments"]["generalised"]["G-mIoU@1"])
