"""The grounding model: shapes, masks, time, learning, and its file."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from index.errors import ModelError
from model.datasets.augment import gaps, paste, pieces, roll
from model.datasets.windows import Sample, collate
from model.grounding.calibration import (
    Temperature,
    auroc,
    calibrator_from_json,
    expected_calibration_error,
    fit_temperature,
    rejection_at_recall,
    risk_coverage,
)
from model.grounding.checkpoint import CONFIG, WEIGHTS, Checkpoint, load_checkpoint, save_checkpoint
from model.grounding.decoding import DecodeConfig, decode
from model.grounding.fusion import ChannelDropout
from model.grounding.grounder import Grounder, GrounderConfig
from model.grounding.span import (
    FrameScores,
    PresenceHead,
    SpanHead,
    SpanPooling,
    propose,
    span_iou,
)
from model.grounding.temporal import SecondsEncoding, TemporalContext
from model.training.losses import LossConfig, candidates, grounding_loss

DIM = 16
SMALL = GrounderConfig(
    dim=DIM, text_dim=DIM, width=32, heads=2, span_width=16, background_tokens=2, dropout=0.0,
    input_dropout=0.0,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def unit(rng, *shape):
    vectors = rng.normal(size=shape).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def sample(seed=0, frames=40, edges=((10.0, 20.0),), words=5, step_s=1.0):
    rng = np.random.default_rng(seed)
    asked = unit(rng, DIM)
    video = unit(rng, frames, DIM) * 0.4
    for start, end in edges:
        video[int(start) : int(end)] += asked
    video /= np.linalg.norm(video, axis=1, keepdims=True)
    inside = np.zeros(frames, np.float32)
    for start, end in edges:
        inside[int(start) : int(end)] = 1
    return Sample(
        qid=seed,
        frames=video,
        step_s=step_s,
        tokens=asked + 0.2 * unit(rng, words, DIM),
        pooled=asked,
        edges=list(edges),
        saliency=inside,
        rated=False,
    )


def ground(grounder, batch):
    return grounder(
        batch.frames,
        batch.frame_mask,
        batch.tokens,
        batch.token_mask,
        batch.pooled,
        batch.step_s,
    )


def test_shapes_and_size():
    batch = collate([sample(0), sample(1, frames=25, edges=((0.0, 3.0), (22.0, 25.0)))])
    grounder = Grounder(SMALL).eval()
    out = ground(grounder, batch)
    assert out.scores.start.shape == (2, 40)
    assert out.presence.shape == (2,)
    assert (out.scores.inside[1, 25:] < -1000).all()
    spans = propose(out.scores, out.mask, 12)
    assert spans.shape == (2, 12, 2)
    assert grounder.expected_iou(out, spans).shape == (2, 12)


def test_the_default_model_is_light():
    weights = sum(p.numel() for p in Grounder(GrounderConfig(1152, 1152)).parameters())
    assert 3e6 < weights < 15e6


@pytest.mark.parametrize("step_s", [1.0, 0.25])
def test_no_frame_beyond_the_receptive_field_reaches_another(step_s):
    context = TemporalContext(8, GrounderConfig(DIM, DIM).dilations_s, 0.0).eval()
    frames = round(90 / step_s)
    states = torch.randn(1, frames, 8, requires_grad=True)
    mask = torch.ones(1, frames, dtype=torch.bool)
    middle = frames // 2
    context(states, mask, step_s)[0, middle].sum().backward()
    reached = torch.nonzero(states.grad[0].abs().sum(-1)).flatten()
    assert (reached.max() - reached.min()) * step_s == 60.0
    assert middle - reached.min() == reached.max() - middle


def test_the_same_weights_see_the_same_seconds_at_four_frames_a_second():
    context = TemporalContext(8, (1.0, 2.0, 4.0, 8.0), 0.0).eval()
    slow = torch.randn(1, 60, 8)
    fast = slow.repeat_interleave(4, dim=1)
    with torch.no_grad():
        at_1 = context(slow, torch.ones(1, 60, dtype=torch.bool), 1.0)
        at_4 = context(fast, torch.ones(1, 240, dtype=torch.bool), 0.25)
    for phase in range(4):
        torch.testing.assert_close(at_4[:, phase::4], at_1)


@pytest.mark.parametrize("seconds", [1, 2, 40])
def test_presence_weighs_the_same_seconds_at_four_frames_a_second(seconds):
    head = PresenceHead(8).eval()
    match = torch.randn(2, seconds, 2)

    def held(times):
        frames = seconds * times
        nothing = FrameScores(*torch.zeros(4, 2, frames))
        mask = torch.ones(2, frames, dtype=torch.bool)
        seen = match.repeat_interleave(times, dim=1)
        with torch.no_grad():
            return head(
                torch.zeros(2, frames, 8), torch.zeros(2, 8), nothing, seen, mask, 1 / times
            )

    torch.testing.assert_close(held(4), held(1))


@pytest.mark.parametrize("frames", [40, 160])
def test_an_edge_is_judged_by_the_frames_right_beside_it(frames):
    """At 4 fps too: taps a second apart cannot tell which quarter of a second it was."""
    head = SpanHead(8, 0.0).eval()
    states = torch.randn(1, frames, 8, requires_grad=True)
    head(states, torch.ones(1, frames, dtype=torch.bool)).start[0, 20].backward()
    assert torch.nonzero(states.grad[0].abs().sum(-1)).flatten().tolist() == [19, 20, 21]


def test_positions_are_seconds_not_frames():
    encoding = SecondsEncoding(16)
    at_1 = encoding(torch.arange(10) * 1.0)
    at_4 = encoding(torch.arange(40) * 0.25)
    torch.testing.assert_close(at_4[::4], at_1)
    assert not torch.allclose(at_4[1], at_1[0])


def test_padding_changes_nothing():
    grounder = Grounder(SMALL).eval()
    short, long = sample(0, frames=30), sample(1, frames=60, words=9)
    with torch.no_grad():
        alone = ground(grounder, collate([short]))
        padded = ground(grounder, collate([short, long]))
    torch.testing.assert_close(padded.presence[:1], alone.presence, atol=1e-4, rtol=1e-4)
    for name in ("start", "end", "inside", "saliency"):
        torch.testing.assert_close(
            getattr(padded.scores, name)[:1, :30],
            getattr(alone.scores, name),
            atol=1e-4,
            rtol=1e-4,
        )
    spans = torch.tensor([[[3.0, 9.0], [0.0, 30.0]]])
    with torch.no_grad():
        torch.testing.assert_close(
            grounder.expected_iou(padded, spans.expand(2, -1, -1))[:1],
            grounder.expected_iou(alone, spans),
            atol=1e-4,
            rtol=1e-4,
        )


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_very_short_windows_are_answered(frames):
    grounder = Grounder(SMALL).eval()
    batch = collate([sample(0, frames=frames, edges=((0.0, float(frames)),))])
    with torch.no_grad():
        (answer,) = decode(grounder, ground(grounder, batch), DecodeConfig())
    assert len(answer.spans)
    assert (answer.spans[:, 0] < answer.spans[:, 1]).all()
    assert answer.spans.min() >= 0
    assert answer.spans.max() <= frames


def test_a_sentence_without_words_is_answered():
    grounder = Grounder(SMALL).eval()
    empty = replace(sample(0), tokens=np.zeros((0, DIM), np.float32))
    with torch.no_grad():
        out = ground(grounder, collate([empty]))
    assert torch.isfinite(out.scores.start).all()
    assert torch.isfinite(out.presence).all()


def test_words_beyond_the_text_tower_are_not_seen():
    grounder = Grounder(SMALL).eval()
    long = sample(0, words=80)
    cut = replace(long, tokens=long.tokens[:64])
    with torch.no_grad():
        torch.testing.assert_close(
            ground(grounder, collate([long])).presence, ground(grounder, collate([cut])).presence
        )


def test_every_weight_gets_a_gradient():
    grounder = Grounder(SMALL)
    batch = collate([sample(0), sample(1, edges=((5.0, 9.0), (20.0, 31.0)))])
    grounding_loss(grounder, ground(grounder, batch), batch, LossConfig())["total"].backward()
    for name, parameter in grounder.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


def test_a_batch_without_any_moment_has_a_finite_loss():
    grounder = Grounder(SMALL)
    batch = collate([sample(0, edges=()), sample(1, edges=())])
    terms = grounding_loss(grounder, ground(grounder, batch), batch, LossConfig())
    terms["total"].backward()
    assert torch.isfinite(terms["total"])


def test_it_learns_eight_samples_by_heart():
    rng = np.random.default_rng(3)
    samples = []
    for seed in range(8):
        start = float(rng.integers(0, 28))
        samples.append(sample(seed, edges=((start, start + float(rng.integers(3, 12))),)))
    batch = collate(samples)
    grounder = Grounder(SMALL)
    optimizer = torch.optim.AdamW(grounder.parameters(), lr=3e-3)
    for _ in range(60):
        terms = grounding_loss(grounder, ground(grounder, batch), batch, LossConfig())
        optimizer.zero_grad()
        terms["total"].backward()
        optimizer.step()
    grounder.eval()
    with torch.no_grad():
        answers = decode(grounder, ground(grounder, batch), DecodeConfig())
    for answer, asked in zip(answers, samples, strict=True):
        np.testing.assert_allclose(answer.spans[0], asked.edges[0], atol=1.0)


def test_pooling_by_hand():
    frames = torch.arange(10.0).view(1, 10, 1)
    mask = torch.ones(1, 10, dtype=torch.bool)
    pooled = SpanPooling(context_s=2.0)(frames, torch.tensor([[[2.0, 8.0], [0.5, 1.5]]]), mask, 1.0)
    # before 0-1, head 2-3, whole 2-7, tail 6-7, after 8-9
    torch.testing.assert_close(pooled[0, 0, :, 0], torch.tensor([0.5, 2.5, 4.5, 6.5, 8.5]))
    torch.testing.assert_close(pooled[0, 1, 2, 0], torch.tensor(0.5))


def test_proposals_are_valid_and_include_the_obvious_one():
    start = torch.full((1, 30), -5.0)
    end, inside = start.clone(), start.clone()
    start[0, 7] = end[0, 15] = 5.0
    inside[0, 7:16] = 5.0
    mask = torch.ones(1, 30, dtype=torch.bool)
    spans = propose(FrameScores(start, end, inside, inside), mask, 50)
    assert spans[0, 0].tolist() == [7.0, 16.0]
    assert (spans[..., 0] < spans[..., 1]).all()
    assert spans.max() <= 30


def test_span_iou_ignores_padding():
    spans = torch.tensor([[[0.0, 10.0]]])
    truth = torch.tensor([[[5.0, 15.0], [0.0, 10.0]]])
    valid = torch.tensor([[True, False]])
    assert span_iou(spans, truth, valid).item() == pytest.approx(1 / 3)


def test_candidates_stay_inside_their_window():
    batch = collate([sample(0, frames=12, edges=((0.0, 1.0),)), sample(1, frames=40)])
    out = ground(Grounder(SMALL), batch)
    spans = candidates(out, batch, LossConfig())
    lengths = batch.frame_mask.sum(1).view(-1, 1)
    assert (spans[..., 0] >= 0).all()
    assert (spans[..., 1] <= lengths).all()
    assert (spans[..., 1] > spans[..., 0]).all()


def test_channel_dropout_keeps_the_mean_and_rests_in_evaluation():
    drop = ChannelDropout(0.5)
    states = torch.ones(200, 3, 50)
    dropped = drop(states)
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.05)
    assert torch.equal(dropped[:, 0], dropped[:, 2])
    assert torch.equal(drop.eval()(states), states)


def test_saved_and_loaded_is_the_same(tmp_path):
    grounder = Grounder(SMALL).eval()
    save_checkpoint(
        tmp_path, Checkpoint(grounder, Temperature(2.0, -0.5), grid_s=2.0, training={"epochs": 1})
    )
    loaded = load_checkpoint(tmp_path)
    batch = collate([sample(0)])
    with torch.no_grad():
        before, after = ground(grounder, batch), ground(loaded.grounder, batch)
    assert torch.equal(before.scores.start, after.scores.start)
    assert torch.equal(before.presence, after.presence)
    assert loaded.calibrator == Temperature(2.0, -0.5)
    assert loaded.grid_s == 2.0
    assert json.loads((tmp_path / CONFIG).read_text())["training"] == {"epochs": 1}


def test_bad_model_folders_are_refused(tmp_path):
    with pytest.raises(ModelError, match="no grounding model"):
        load_checkpoint(tmp_path)
    save_checkpoint(tmp_path, Checkpoint(Grounder(SMALL)))
    whole = (tmp_path / WEIGHTS).read_bytes()
    (tmp_path / WEIGHTS).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match="damaged"):
        load_checkpoint(tmp_path)
    with pytest.raises(ModelError, match="unknown keys"):
        GrounderConfig.from_json({**SMALL.to_json(), "novel": 1})


def test_pasted_pieces_take_on_the_style_of_the_host():
    rng = np.random.default_rng(0)
    host, donor = unit(rng, 40, DIM) + 2.0, unit(rng, 60, DIM) - 3.0
    out = paste(host / 10, [(5, 15)], donor, rng)
    assert np.array_equal(out[:5], (host / 10)[:5])
    assert (out[5:15].mean(0) > 0).all()


def test_gaps_and_pieces_cover_what_no_moment_touches():
    assert gaps([(2.0, 4.5)], 10) == [(0, 2), (5, 10)]
    cut = pieces((5, 40), np.random.default_rng(0), 4)
    assert cut[0][0] == 5
    assert cut[-1][1] == 40
    assert all(a[1] == b[0] for a, b in pairwise(cut))


def test_rolling_moves_frames_and_moments_together():
    for seed in range(20):
        frames = np.arange(30, dtype=np.float32)[:, None]
        marks = np.zeros(30, np.float32)
        marks[4:9] = marks[20:25] = 1
        moved, edges, saliency = roll(
            frames, [(4.0, 9.0), (20.0, 25.0)], marks, np.random.default_rng(seed)
        )
        for start, end in edges:
            assert saliency[int(start) : int(end)].all()
            assert moved[int(start), 0] in (4, 20)
        assert saliency.sum() == 10


def test_auroc_ties_and_order():
    assert auroc(np.array([1.0, 2.0, 3.0]), np.array([False, True, True])) == 1.0
    assert auroc(np.array([1.0, 1.0]), np.array([False, True])) == 0.5
    assert np.isnan(auroc(np.array([1.0]), np.array([True])))


def test_calibration_by_hand():
    stated = np.array([0.9] * 10)
    happened = np.array([True] * 9 + [False])
    assert expected_calibration_error(stated, happened) == pytest.approx(0.0)
    assert expected_calibration_error(stated, ~happened) == pytest.approx(0.8)


def test_temperature_recovers_the_scale_of_overconfident_logits():
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 1.5, 4000)
    happened = rng.random(4000) < 1 / (1 + np.exp(-honest))
    fitted = fit_temperature(honest * 5 + 2, happened)
    assert fitted.temperature == pytest.approx(5.0, rel=0.15)
    stated = fitted.probability(honest * 5 + 2)
    assert expected_calibration_error(stated, happened) < 0.03
    assert calibrator_from_json(json.loads(json.dumps(fitted.to_json()))) == fitted


def test_rejection_and_risk():
    scores = np.array([0.9, 0.8, 0.7, 0.1, 0.2])
    there = np.array([True, True, True, False, False])
    assert rejection_at_recall(scores, there, 0.95) == 1.0
    coverage, risk = risk_coverage(np.array([0.9, 0.5, 0.1]), np.array([True, False, True]))
    np.testing.assert_allclose(coverage, [1 / 3, 2 / 3, 1])
    np.testing.assert_allclose(risk, [0, 1 / 2, 1 / 3])
