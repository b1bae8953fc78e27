"""The training-free localizer on videos whose truth is known."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import ModelError
from index.types import Background, ScoredSpan, Sentence, Span, Window
from model.grounding.edges import EdgeSettings, tighten
from model.grounding.frame_edges import edges_between_frames
from model.grounding.logistic import sigmoid
from model.grounding.presence import (
    CALIBRATION_NAME,
    PresenceCalibration,
    Witnesses,
    fit,
    frame_witnesses,
    span_witnesses,
)
from model.grounding.scenes import cut_positions, novelty, scene_means
from model.grounding.training_free import TrainingFreeLocalizer

DIM = 32
_RNG = np.random.default_rng(7)
SCENES = np.linalg.qr(_RNG.normal(size=(DIM, DIM)))[0]
STYLE = _RNG.normal(size=DIM) / np.sqrt(DIM)


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def footage(story, noise=0.15, seed=0, step_s=1.0, start_s=0.0):
    """Frames of a story [(scene number, seconds), ...] as a window, with style and noise."""
    rng = np.random.default_rng(seed)
    lengths = np.array([seconds for _, seconds in story])
    ends = np.cumsum(lengths)
    times_s = np.arange(0, ends[-1], step_s)
    scene = np.array([number for number, _ in story])[np.searchsorted(ends, times_s, "right")]
    clean = SCENES[scene] + STYLE
    vectors = unit(clean + noise * rng.normal(size=(len(times_s), DIM)) / np.sqrt(DIM) * 4)
    return Window(times_s + start_s, vectors, step_s, start_s + float(ends[-1]))


def asking_for(number):
    return Sentence(f"scene {number}", SCENES[number].astype(np.float32), SCENES[[number]])


def against(frames=1000, mean=0.0, std=0.15, scale=20.0, bias=-10.0):
    return Background(mean, std, frames, STYLE.astype(np.float32), scale, bias)


def test_a_moment_is_found_with_its_edges():
    window = footage([(1, 40), (2, 30), (3, 20), (1, 40)])
    best = TrainingFreeLocalizer().localize(window, asking_for(3), against()).spans[0]
    assert best.span.iou(Span(70, 90)) > 0.9
    assert best.presence > 0.8


def test_something_small_in_changing_rooms_is_found():
    rng = np.random.default_rng(3)
    room = np.repeat([10, 11, 12, 10], [40, 30, 40, 40])
    vectors = 3 * SCENES[room] + STYLE
    vectors[52:64] += SCENES[20]
    vectors += 0.5 * rng.normal(size=vectors.shape) / np.sqrt(DIM)
    window = Window(np.arange(150.0), unit(vectors), 1.0, 150.0)
    background = against(std=0.05)
    best = TrainingFreeLocalizer().localize(window, asking_for(20), background).spans[0]
    assert best.span.iou(Span(52, 64)) > 0.8


def test_several_moments_come_before_what_is_none():
    window = footage([(1, 30), (3, 15), (2, 40), (3, 12), (1, 40)])
    spans = TrainingFreeLocalizer().localize(window, asking_for(3), against()).spans
    for truth in (Span(30, 45), Span(85, 97)):
        assert max(found.span.iou(truth) for found in spans[:2]) > 0.8


def test_an_absent_event_is_not_believed():
    window = footage([(1, 50), (2, 40), (1, 50)])
    localizer = TrainingFreeLocalizer()
    present = localizer.localize(window, asking_for(2), against()).spans[0]
    absent = localizer.localize(window, asking_for(9), against()).spans[0]
    assert present.presence > 0.5 > absent.presence


def test_a_video_of_one_scene_is_answered_whole():
    window = footage([(4, 60)], noise=0.05)
    best = TrainingFreeLocalizer().localize(window, asking_for(4), against()).spans[0]
    assert best.span == Span(0, 60)


def test_a_window_inside_a_long_video_keeps_its_own_times():
    window = footage([(1, 60), (5, 20), (2, 70)], start_s=3600.0)
    best = TrainingFreeLocalizer().localize(window, asking_for(5), against()).spans[0]
    assert best.span.iou(Span(3660, 3680)) > 0.9


def test_four_frames_a_second_see_what_one_saw():
    story = [(1, 40), (2, 30), (3, 20), (1, 40)]
    localizer = TrainingFreeLocalizer()
    coarse = localizer.localize(footage(story), asking_for(3), against()).spans[0]
    fine = localizer.localize(footage(story, step_s=0.25), asking_for(3), against()).spans[0]
    assert coarse.span.iou(fine.span) > 0.9


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_a_tiny_video_is_one_moment(frames):
    window = footage([(6, frames)])
    answer = TrainingFreeLocalizer().localize(window, asking_for(6), against(frames))
    assert answer.spans[0].span == Span(0, frames)
    assert answer.saliency.shape == (frames,)


def test_an_empty_window_holds_nothing():
    window = Window(np.zeros(0), np.zeros((0, DIM), np.float32), 1.0, 10.0)
    answer = TrainingFreeLocalizer().localize(window, asking_for(1), against())
    assert answer.spans == ()
    assert answer.saliency.shape == (0,)


def test_identical_frames_break_nothing():
    window = Window(np.arange(50.0), np.tile(unit(STYLE), (50, 1)), 1.0, 50.0)
    answer = TrainingFreeLocalizer().localize(window, asking_for(1), against(50, std=0.0))
    assert answer.spans[0].span == Span(0, 50)
    assert np.isfinite(answer.saliency).all()


def test_saliency_is_highest_inside():
    window = footage([(1, 40), (3, 20), (2, 40)])
    saliency = TrainingFreeLocalizer().localize(window, asking_for(3), against()).saliency
    assert saliency[40:60].min() > max(saliency[:39].max(), saliency[61:].max())


@settings(max_examples=60, deadline=None)
@given(
    frames=st.integers(1, 60),
    step_s=st.sampled_from([0.25, 1.0, 2.5]),
    first_s=st.floats(0, 1000),
    tail_s=st.floats(0, 3),
    seed=st.integers(0, 2**16),
)
def test_spans_lie_inside_the_video_best_first(frames, step_s, first_s, tail_s, seed):
    rng = np.random.default_rng(seed)
    times_s = first_s + step_s * np.arange(frames)
    duration_s = float(times_s[-1] + max(tail_s, 0.01))
    window = Window(times_s, unit(rng.normal(size=(frames, DIM))), step_s, duration_s)
    localizer = TrainingFreeLocalizer()
    answer = localizer.localize(window, asking_for(0), against(frames))
    scores = [found.score for found in answer.spans]
    assert scores == sorted(scores, reverse=True)
    assert len(answer.saliency) == frames
    for found in answer.spans:
        assert 0 <= found.span.start_s < found.span.end_s <= duration_s
        assert 0 <= found.presence <= 1
        moved = localizer.tighten(found, window, asking_for(0), against(frames))
        assert 0 <= moved.span.start_s < moved.span.end_s <= duration_s
    for number, found in enumerate(answer.spans):
        assert all(found.span.iou(other.span) <= 0.5 + 1e-9 for other in answer.spans[:number])


@given(st.integers(2, 40), st.floats(0.1, 2.0))
def test_edges_lie_between_frames(frames, step_s):
    times_s = np.arange(frames) * step_s
    window = Window(times_s, unit(np.ones((frames, 4))), step_s, float(times_s[-1] + step_s))
    edges_s = edges_between_frames(window)
    assert edges_s[0] == 0
    assert edges_s[-1] == window.duration_s
    assert ((edges_s[:-1] <= times_s) & (times_s < edges_s[1:])).all()


def test_cuts_are_where_the_scene_changes():
    window = footage([(1, 20), (2, 25), (3, 15)], noise=0.05)
    vectors = window.vectors.astype(float)
    strength = novelty(vectors @ vectors.T, [1, 2, 4, 8])
    cuts = cut_positions(strength, 1.0, 2)
    assert {0, 20, 45, 60} <= set(cuts.tolist())
    assert sorted(np.argsort(-strength)[:2]) == [20, 45]


def test_scene_means_are_means():
    values = np.arange(12.0).reshape(6, 2)
    means = scene_means(values, np.array([0, 2, 6]))
    np.testing.assert_allclose(means, [values[:2].mean(0), values[2:].mean(0)])


def test_tightening_moves_an_edge_to_the_change():
    window = footage([(1, 10), (2, 8.25), (1, 10)], noise=0.05, step_s=0.25)
    span = tighten(Span(9.0, 19.5), window, EdgeSettings())
    assert abs(span.start_s - 10.0) <= 0.13
    assert abs(span.end_s - 18.25) <= 0.13


def test_tightening_leaves_an_edge_without_evidence():
    window = footage([(1, 30)], noise=0.3, step_s=0.25)
    for seed in range(20):
        window = footage([(1, 30)], noise=0.3, step_s=0.25, seed=seed)
        assert tighten(Span(9.0, 19.5), window, EdgeSettings()) == Span(9.0, 19.5)


def test_tightening_keeps_the_ends_of_the_video():
    window = footage([(2, 8), (1, 10)], noise=0.05, step_s=0.25)
    span = tighten(Span(0.0, 7.5), window, EdgeSettings())
    assert span.start_s == 0
    assert abs(span.end_s - 8.0) <= 0.13


def test_the_surplus_asks_more_of_a_larger_library():
    cosines = np.full(20, 0.6)
    small = frame_witnesses(cosines, 5, 15, against(frames=100))
    large = frame_witnesses(cosines, 5, 15, against(frames=3_600_000))
    assert small.surplus > large.surplus
    assert small.logit == large.logit


def test_witnesses_of_a_span_are_those_of_its_frames():
    window = footage([(1, 40), (3, 20), (2, 40)])
    found = span_witnesses(Span(40, 60), window, asking_for(3), against())
    cosines = window.vectors.astype(float) @ SCENES[3]
    assert astuple(found) == pytest.approx(
        astuple(frame_witnesses(cosines, 40, 60, against())), abs=1e-5
    )
    assert found.contrast > 1
    assert frame_witnesses(cosines, 0, 100, against()).contrast == 0


def test_a_fitted_calibration_separates_and_survives_its_file(tmp_path):
    rng = np.random.default_rng(1)
    present = rng.random(400) < 0.5
    logits = np.where(present, 2.0, -4.0) + rng.normal(size=400)
    others = np.where(present, 1.0, 0.0) + rng.normal(size=400)
    witnesses = [Witnesses(a, b, 0.0) for a, b in zip(logits, others, strict=True)]
    calibration = fit(witnesses, present)
    evidence = np.array([calibration.evidence(witness) for witness in witnesses])
    assert ((evidence > 0) == present).mean() > 0.97
    path = tmp_path / CALIBRATION_NAME
    path.write_text(calibration.to_json())
    assert PresenceCalibration.read(path) == calibration
    assert TrainingFreeLocalizer.beside(tmp_path).calibration == calibration
    assert TrainingFreeLocalizer.beside(tmp_path / "none").calibration == PresenceCalibration()


@pytest.mark.parametrize("text", ["", "[1]", '{"logit_weight": "x"}', '{"unknown": 1}', "{"])
def test_a_damaged_calibration_is_named(tmp_path, text):
    path = tmp_path / "calibration.json"
    path.write_text(text)
    with pytest.raises(ModelError, match=r"calibration\.json"):
        PresenceCalibration.read(path)


@given(st.floats(-1e6, 1e6))
def test_sigmoid_is_a_probability(evidence):
    assert 0 <= sigmoid(evidence) <= 1
    assert sigmoid(evidence) == pytest.approx(1 - sigmoid(-evidence))


@given(st.floats(0, 100), st.floats(0.01, 50), st.floats(0, 100), st.floats(0.01, 50))
def test_iou_is_bounded_and_symmetric(start, length, other_start, other_length):
    first = Span(start, start + length)
    second = Span(other_start, other_start + other_length)
    assert 0 <= first.iou(second) <= 1 + 1e-9
    assert first.iou(second) == second.iou(first)
    assert first.iou(first) == pytest.approx(1)


def test_a_tightened_proposal_keeps_its_presence():
    window = footage([(1, 10), (2, 8.25), (1, 10)], noise=0.05, step_s=0.25)
    proposal = ScoredSpan(Span(9.0, 19.5), 2.0, 0.9)
    moved = TrainingFreeLocalizer().tighten(proposal, window, asking_for(2), against())
    assert (moved.score, moved.presence) == (2.0, 0.9)
    assert moved.span != proposal.span
