"""What ``gz eval`` says beyond the official keys, and its page."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest

from model.datasets.records import Record
from model.evaluation import charts
from model.evaluation.evaluate import (
    baselines,
    best_ious,
    confidence_report,
    full_report,
    presence_report,
    recall_table,
)
from model.evaluation.report import write_report
from model.evaluation.retrieval_recall import video_recall
from model.evaluation.untrained import training_free_rows
from model.grounding.calibration import (
    Judged,
    expected_calibration_error,
    fit_temperature,
    halves,
)


def truth(qid, query="a dog runs", windows=((10, 20),)):
    return {
        "qid": qid,
        "query": query,
        "vid": f"v{qid}",
        "duration": 60.0,
        "relevant_windows": [list(w) for w in windows],
    }


def guess(qid, *windows):
    return {"qid": qid, "pred_relevant_windows": [list(w) for w in windows]}


def test_recall_at_one_and_five_and_mean_iou():
    pairs = [
        (guess(1, (10, 20, 0.9)), truth(1)),
        (guess(2, (30, 40, 0.9), (10, 16, 0.5)), truth(2)),
        (guess(3), truth(3)),
    ]
    table = recall_table(pairs)
    assert table["R1@0.5"] == pytest.approx(33.33)
    assert table["R5@0.5"] == pytest.approx(66.67)
    assert table["R5@0.7"] == pytest.approx(33.33)
    assert table["mIoU"] == pytest.approx(33.33)
    assert best_ious(*pairs[1]) == (0.0, 0.6)


def test_breakdowns_cover_every_query_once():
    annotations = [
        truth(1, "dog"),
        truth(2, "a dog runs to the other side of it", ((0, 30), (40, 55))),
        truth(3, "word " * 20, ((0, 31), (32, 40), (41, 50))),
    ]
    report = full_report([guess(q, (10, 20, 1)) for q in (1, 2, 3)], annotations)
    ours = report["groundzero"]
    for name in ("by_query_length", "by_moment_length", "by_window_count"):
        assert sum(row["queries"] for row in ours[name].values()) == 3
    assert ours["by_window_count"]["1 window"]["R1@0.7"] == 100.0
    assert "HL-min-Fair" not in report


def test_presence_by_hand():
    judged = Judged(
        np.array([2.0, 3.0, 4.0, -2.0, -3.0]), np.arange(5) < 3, ("a", "b", "c", "a", "b")
    )
    report = presence_report(judged)
    assert report["auroc"] == 1.0
    assert report["rejection_at_95_recall"] == 1.0


def test_a_calibration_is_measured_on_queries_that_it_was_not_fitted_on():
    # Presence says nothing here. What is fitted on the rows themselves follows their noise, so
    # only its own error seems small, and the smaller the fewer the rows.
    seemed, measured = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        logits, outcome = rng.normal(0, 1, 40), np.arange(40) % 2 == 0
        fitted = fit_temperature(logits, outcome)
        seemed.append(expected_calibration_error(fitted.probability(logits), outcome))
        judged = Judged(logits, outcome, tuple(f"{k // 2}" for k in range(40)))
        measured.append(presence_report(judged)["ece"])
    assert np.mean(measured) > 1.2 * np.mean(seemed)


def test_rows_of_one_query_never_stand_on_both_sides():
    queries = [f"query {k % 7}" for k in range(50)]
    first = halves(queries)
    sides = {query: {bool(first[k]) for k in range(50) if queries[k] == query} for query in queries}
    assert all(len(side) == 1 for side in sides.values())
    assert sum(side == {True} for side in sides.values()) == 3
    assert halves(queries[::-1]).tolist() == first[::-1].tolist()
    logits = np.random.default_rng(1).normal(0, 1, 50)
    judged = Judged(logits, logits + np.random.default_rng(2).normal(0, 1, 50) > 0, tuple(queries))
    fitted = fit_temperature(logits[~first], judged.outcome[~first])
    assert judged.cross_fitted()[first].tolist() == fitted.probability(logits[first]).tolist()


def test_with_one_query_there_is_no_calibration_to_measure():
    judged = Judged(np.array([1.0, -1.0]), np.array([True, False]), ("a", "a"))
    assert np.isnan(presence_report(judged)["ece"])


def test_the_surest_answers_are_right_more_often():
    pairs = [(guess(q, (10, 20, 0.9)), truth(q)) for q in range(4)]
    pairs += [(guess(q, (30, 40, 0.1)), truth(q)) for q in range(4, 8)]
    report = confidence_report(pairs)
    assert report["auroc_correct"] == 1.0
    assert report["R1@0.5 of the surest 50%"] == 100.0
    assert report["R1@0.5 of the surest 100%"] == 50.0


def test_simple_baselines_look_at_nothing():
    rows = baselines([truth(1), truth(2)])
    assert rows["whole video"][0]["pred_relevant_windows"] == [[0.0, 60.0, 1.0]]
    assert rows["centre"][1]["pred_relevant_windows"] == [[15.0, 45.0, 1.0]]
    assert len(rows["random"][0]["pred_relevant_windows"]) == 10


class Plain:
    """Videos of two scenes each; the sentence is the second scene."""

    def __init__(self, count):
        rng = np.random.default_rng(0)
        self.scenes = rng.normal(size=(count, 2, 32)).astype(np.float32)
        self.scenes /= np.linalg.norm(self.scenes, axis=-1, keepdims=True)

    def video(self, name):
        first, second = self.scenes[int(name)]
        noise = np.random.default_rng(int(name)).normal(size=(40, 32)) * 0.05
        frames = np.concatenate([np.tile(first, (25, 1)), np.tile(second, (15, 1))]) + noise
        return (frames / np.linalg.norm(frames, axis=1, keepdims=True)).astype(np.float32)

    def sentence(self, qid):
        asked = self.scenes[int(qid), 1]
        return asked[None], asked

    def almost_right(self, qid):
        return ()


def records(count):
    return [Record(str(k), str(k), "a thing", ((25.0, 40.0),), 40.0) for k in range(count)]


def test_the_untrained_localizer_is_measured_like_any_other():
    rows = training_free_rows(records(6), Plain(6))
    table = recall_table([(r, x.official()) for r, x in zip(rows, records(6), strict=True)])
    assert table["R1@0.7"] >= 80
    assert all(len(row["pred_saliency_scores"]) == 20 for row in rows)
    on_grid = training_free_rows(records(1), Plain(6), grid_s=2.0)
    assert all(edge % 2 == 0 for w in on_grid[0]["pred_relevant_windows"] for edge in w[:2])


def test_retrieval_is_that_of_the_grounder_which_is_measured():
    asked = []

    def sure_of_the_right_one(questions):
        asked.extend(questions)
        return [float(record.video == record.qid) for record in questions]

    right = video_recall(records(12), Plain(12), sure_of_the_right_one)
    assert right == {
        "videos": 12.0, "queries": 12.0, "recall@1": 100.0, "recall@5": 100.0, "recall@10": 100.0,
    }  # fmt: skip
    assert len(asked) == 12 * 10
    assert {record.duration_s for record in asked} == {40.0}
    wrong = video_recall(records(12), Plain(12), lambda qs: [float(q.video != q.qid) for q in qs])
    assert (wrong["recall@1"], wrong["recall@5"], wrong["recall@10"]) == (0.0, 0.0, 100.0)


def test_retrieval_of_a_large_data_set_asks_a_part_of_its_sentences():
    many = [record for record in records(3) for _ in range(150)]
    found = video_recall(many, Plain(3), lambda questions: [0.0] * len(questions))
    assert (found["videos"], found["queries"], found["recall@1"]) == (3.0, 150.0, 100.0)


def test_the_page_is_one_file_with_safe_text(tmp_path):
    annotations = [truth(q, "a <script>alert(1)</script> dog") for q in range(5)]
    predictions = [guess(q, (10 + q, 20 + q, 0.9 - q / 10)) for q in range(5)]
    history = [
        {"epoch": e, "losses": {"total": 3.0 / e}, "metrics": {"MR-full-R1@0.5": 10.0 * e}}
        for e in (1, 2, 3)
    ]
    result = full_report(predictions, annotations)
    page = write_report(tmp_path / "page", result, predictions, annotations, history).read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert not re.search(r"""(?:src|href)=["'](?!#)""", page)
    assert "http" not in page
    assert page.count("<figure>") == 8
    assert page.count('class="timeline"') == 10
    assert "nan" not in page
    assert "whole video" in page
    again = write_report(tmp_path / "again", result, predictions, annotations, history)
    assert again.read_text() == page


def drawn(figure):
    """The texts of a figure, and that its elements are well formed."""
    return [element.text for element in ElementTree.fromstring(figure).iter("text")]


def test_figures_have_round_ticks_and_take_the_colours_of_the_page():
    places = [(3.7, 10.0), (18.3, 20.129), (9.1, 7.7)]
    cloud = charts.cloud(places, "Lengths", ("true length, s", "predicted length, s"))
    assert [text for text in drawn(cloud) if text[0].isdigit()] == ["0", "5", "10", "15", "20"] * 2
    bars = charts.bars([0.0, 0.77, 0.3], "Error", "seconds late", (-20, 20))
    assert {"−20", "0", "20", "seconds late", "queries, percent"} <= set(drawn(bars))
    line = charts.lines({"a": [(0, 1), (1, 3)], "<b>": [(0, 2), (1, 1)]}, "T", ("x", "y"),
                        (0, 1), (0, 3))  # fmt: skip
    assert {"a", "<b>"} <= set(drawn(line))
    sure = charts.reliability([(0.1, 0.0), (0.9, 1.0)], [1, 5], "Reliability")
    assert {"stated, percent", "first answer right, percent"} <= set(drawn(sure))
    when = charts.timeline(75.0, [[10, 20]], [[11, 19]], [0.1, 0.9])
    for figure in (cloud, bars, line, sure, when):
        assert not re.search(r"#[0-9a-f]{6}\b", figure)
        assert "var(--ink)" in figure or "var(--soft)" in figure
        assert set(re.findall(r"url\(#(\w+)\)", figure)) <= set(re.findall(r' id="(\w+)"', figure))


def test_a_timeline_counts_minutes_and_names_its_rows():
    figure = charts.timeline(150.0, [[10, 20]], [[11, 19]], [0.1, 0.9])
    assert drawn(figure) == ["0:00", "0:30", "1:00", "1:30", "2:00", "2:30",
                             "answer", "saliency", "truth"]  # fmt: skip
    assert "saliency" not in drawn(charts.timeline(150.0, [[10, 20]], [[11, 19]]))


def test_of_very_many_queries_some_are_drawn_and_the_figure_says_so():
    places = [(float(k % 60), float(k % 50)) for k in range(5000)]
    figure = charts.cloud(places, "Lengths", ("x", "y"))
    assert figure.count("<use ") < 2100
    assert "Lengths (one query in 3)" in figure


def test_somebodys_own_settings_do_not_change_the_figures():
    before = charts.cloud([(1.0, 2.0)], "T", ("x", "y"))
    with mpl.rc_context({"font.size": 30, "svg.fonttype": "path", "axes.grid": False}):
        assert charts.cloud([(1.0, 2.0)], "T", ("x", "y")) == before
        assert mpl.rcParams["font.size"] == 30


def test_an_evaluation_of_nothing_found_has_its_figures_too(tmp_path):
    predictions, annotations = [guess(1)], [truth(1)]
    result = full_report(predictions, annotations)
    page = write_report(tmp_path, result, predictions, annotations).read_text()
    assert page.count("<figure>") >= 5
