"""Anybody's predictions: every row is read, and one that is none is named."""

from __future__ import annotations

import json

import pytest

from index.errors import UsageError
from model.evaluation.metrics import evaluate_submission
from model.evaluation.predictions import read_predictions

GOOD = {"qid": 1, "pred_relevant_windows": [[0, 10, 0.5], [3, 4]]}


def written(folder, *rows):
    text = "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)
    (folder / "p.jsonl").write_text(text + "\n", encoding="utf-8")
    return folder / "p.jsonl"


def test_rows_with_windows_with_and_without_a_score(tmp_path):
    assert read_predictions(written(tmp_path, GOOD, "")) == [GOOD]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("[1, 2]", "not a prediction"),
        ("{", "not JSON"),
        ({"pred_relevant_windows": []}, "needs a qid"),
        ({"qid": [1], "pred_relevant_windows": []}, "needs a qid"),
        ({"qid": 2, "pred_relevant_windows": None}, "must list [start_s, end_s]"),
        ({"qid": 2, "pred_relevant_windows": ["ab"]}, "must list [start_s, end_s]"),
        ({"qid": 2, "pred_relevant_windows": [["0", "1", 1]]}, "must list [start_s, end_s]"),
        ({"qid": 2, "pred_relevant_windows": [[float("nan"), 1]]}, "must list [start_s, end_s]"),
        ({**GOOD, "pred_saliency_scores": []}, "a number for each clip"),
        ({**GOOD, "pred_saliency_scores": ["x"]}, "a number for each clip"),
        ({**GOOD, "pred_presence": 1.5}, "must be a probability, from 0 to 1"),
        ({**GOOD, "pred_exist_score": "high"}, "must be a probability, from 0 to 1"),
        ({**GOOD, "pred_presence": 0.5}, "holds pred_presence and pred_relevant_windows, the"),
        ({"qid": 2}, "holds neither windows nor saliency scores, the first row"),
    ],
)
def test_the_row_that_is_none_is_named(tmp_path, row, said):
    with pytest.raises(UsageError) as refused:
        read_predictions(written(tmp_path, GOOD, row))
    assert "p.jsonl:2" in refused.value.message
    assert said in refused.value.message


def test_files_that_hold_no_prediction(tmp_path):
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    for path, said in (
        (written(tmp_path), "no prediction"),
        (tmp_path, "directory"),
        (tmp_path / "none", "No such file"),
        (tmp_path / "bytes", "not UTF-8"),
    ):
        with pytest.raises(UsageError, match=said):
            read_predictions(path)


def test_why_nothing_can_be_scored_is_told():
    truth = {"qid": 1, "query": "a dog", "relevant_windows": [[0, 10]], "duration": 20}
    with pytest.raises(UsageError, match="text in one of the two files"):
        evaluate_submission([{**GOOD, "qid": "1"}], [truth])
    with pytest.raises(UsageError, match="not every annotation is rated"):
        evaluate_submission([{"qid": 1, "pred_saliency_scores": [1.0] * 10}], [truth])
