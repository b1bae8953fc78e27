"""A trained model as a localizer: spans in real time, calibrated, finer edges, its space."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from index.errors import ModelError
from index.types import Background, EmbeddingSpace, Null, ScoredSpan, Sentence, Span, Window
from model.datasets.windows import Sample, collate
from model.grounding.calibration import Temperature
from model.grounding.checkpoint import Checkpoint, save_checkpoint
from model.grounding.frame_edges import edges_at_frames
from model.grounding.grounder import Grounder, GrounderConfig
from model.grounding.localizer import TrainedLocalizer, finer_grid
from model.training.losses import LossConfig, grounding_loss

DIM = 16
SPACE = EmbeddingSpace("demo", "r1", "resize 64", "", DIM)
NOWHERE = Background(0.0, 1.0, 100, np.zeros(DIM, np.float32))


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def scene(rng, seconds, start_s, end_s, step_s, asked):
    """A video whose content changes to what is asked exactly at two moments."""
    times_s = np.arange(round(seconds / step_s)) * step_s
    inside = (times_s >= start_s) & (times_s < end_s)
    before, after = unit(rng.normal(size=(2, DIM)))
    frames = np.where(times_s[:, None] < start_s, before, after)
    frames[inside] = asked
    return times_s, unit(frames + 0.15 * rng.normal(size=frames.shape)), inside


def training_sample(seed, step_s):
    rng = np.random.default_rng(seed)
    asked = unit(rng.normal(size=DIM))
    start_s = float(rng.integers(8, 60)) / 4 + 4
    end_s = start_s + float(rng.integers(16, 48)) / 4
    _, frames, inside = scene(rng, 36, start_s, end_s, step_s, asked)
    absent = seed % 4 == 0
    if absent:
        asked = unit(rng.normal(size=DIM))
    return Sample(
        qid=seed,
        frames=frames,
        step_s=step_s,
        tokens=asked + 0.1 * rng.normal(size=(4, DIM)).astype(np.float32),
        pooled=asked,
        edges=[] if absent else [(start_s / step_s, end_s / step_s)],
        saliency=np.zeros(len(frames), np.float32) if absent else inside.astype(np.float32),
        rated=False,
    )


@pytest.fixture(scope="module")
def localizer():
    """A small model that has learned scenes at 1 fps and at 4 fps."""
    torch.manual_seed(0)
    grounder = Grounder(
        GrounderConfig(DIM, DIM, width=32, heads=2, span_width=16, dropout=0.0, input_dropout=0.0)
    )
    optimizer = torch.optim.AdamW(grounder.parameters(), lr=3e-3)
    config = LossConfig(proposed=16, jittered=8, random=8)
    for step in range(90):
        step_s = (1.0, 0.25)[step % 2]
        batch = collate([training_sample(16 * step + k, step_s) for k in range(16)])
        out = grounder(
            batch.frames, batch.frame_mask, batch.tokens, batch.token_mask, batch.pooled, step_s
        )
        terms = grounding_loss(grounder, out, batch, config)
        optimizer.zero_grad()
        terms["total"].backward()
        optimizer.step()
    return TrainedLocalizer(Checkpoint(grounder.eval(), Temperature(1.0, 0.0), SPACE, name="mine"))


def asked_window(seed=100_001, start_s=12.5, end_s=20.75, offset_s=0.0, step_s=1.0):
    rng = np.random.default_rng(seed)
    asked = unit(rng.normal(size=DIM))
    times_s, frames, _ = scene(rng, 36, start_s, end_s, step_s, asked)
    window = Window(times_s + offset_s, frames, step_s, 36.0 + offset_s)
    tokens = unit(asked + 0.1 * rng.normal(size=(4, DIM)))
    return window, Sentence("a thing happens", asked, tokens)


def test_it_finds_the_moment_where_it_is(localizer):
    for seed, offset_s in ((100_001, 0.0), (100_002, 1000.0)):
        window, sentence = asked_window(seed, offset_s=offset_s)
        found = localizer.localize(window, sentence, NOWHERE)
        best = found.spans[0]
        assert best.span.iou(Span(12.5 + offset_s, 20.75 + offset_s)) > 0.7
        assert all(0 <= s.presence <= 1 for s in found.spans)
        assert [s.score for s in found.spans] == sorted(
            (s.score for s in found.spans), reverse=True
        )
        assert found.saliency.shape == (36,)
        assert found.saliency[13:20].mean() > found.saliency[:10].mean()
    assert localizer.name == "mine"
    assert localizer.window_s == 150.0


def test_it_says_what_is_not_there(localizer):
    here, absent = [], []
    for seed in range(200_000, 200_012):
        window, sentence = asked_window(seed)
        _, other = asked_window(seed + 500)
        here.append(localizer.localize(window, sentence, NOWHERE).spans[0].presence)
        absent.append(localizer.localize(window, other, NOWHERE).spans[0].presence)
    assert np.median(here) > 0.6 > 0.4 > np.median(absent)


def test_finer_frames_give_finer_edges(localizer):
    coarse, fine = [], []
    for seed in range(300_000, 300_010):
        start_s, end_s = 10.0 + (seed % 4) / 4, 19.0 + (seed % 3) / 4
        window, sentence = asked_window(seed, start_s, end_s)
        dense, _ = asked_window(seed, start_s, end_s, step_s=0.25)
        best = localizer.localize(window, sentence, NOWHERE).spans[0]
        tight = localizer.tighten(best, dense, sentence, NOWHERE)
        assert tight.presence == best.presence
        for errors, span in ((coarse, best.span), (fine, tight.span)):
            errors += [abs(span.start_s - start_s), abs(span.end_s - end_s)]
    assert np.mean(fine) < np.mean(coarse)
    assert np.median(fine) <= 0.25


def test_empty_short_and_late_windows(localizer):
    window, sentence = asked_window()
    empty = Window(window.times_s[:0], window.vectors[:0], 1.0, 36.0)
    assert localizer.localize(empty, sentence, NOWHERE).spans == ()
    proposal = ScoredSpan(Span(1.0, 2.0), 0.0, 0.5)
    assert localizer.tighten(proposal, empty, sentence, NOWHERE) == proposal
    for frames in (1, 2, 3):
        short = Window(window.times_s[:frames], window.vectors[:frames], 1.0, frames - 0.4)
        for proposed in localizer.localize(short, sentence, NOWHERE).spans:
            assert 0 <= proposed.span.start_s < proposed.span.end_s <= frames - 0.4
    late = Window(window.times_s, window.vectors, 1.0, 30.0)
    for proposed in localizer.localize(late, sentence, NOWHERE).spans:
        assert proposed.span.end_s <= 30.0


def test_a_sentence_without_words_still_gets_an_answer(localizer):
    window, sentence = asked_window()
    bare = replace(sentence, tokens=np.zeros((0, DIM), np.float32))
    assert np.isfinite(localizer.localize(window, bare, NOWHERE).saliency).all()


def test_the_answer_is_the_same_every_time(localizer):
    window, sentence = asked_window()
    once = localizer.localize(window, sentence, NOWHERE)
    again = localizer.localize(window, sentence, NOWHERE)
    assert once.spans == again.spans


def test_edges_follow_the_true_times():
    times_s = np.array([10.0, 11.1, 11.9, 13.0])
    window = Window(times_s, np.zeros((4, DIM), np.float32), 1.0, 13.6)
    np.testing.assert_allclose(edges_at_frames(window), [10.0, 11.1, 11.9, 13.0, 13.6])
    start = Window(np.array([0.3, 1.0]), np.zeros((2, DIM), np.float32), 1.0, 50.0)
    np.testing.assert_allclose(edges_at_frames(start), [0.0, 1.0, 2.0])


def test_coarse_frames_stand_for_the_finer_ones_they_cover():
    times_s = np.array([0.0, 1.0, 2.0, 2.25, 2.5, 2.75, 3.0, 4.0])
    vectors = np.arange(8, dtype=np.float32)[:, None].repeat(DIM, 1)
    grid_s, frames = finer_grid(Window(times_s, vectors, 0.25, 5.0), 0.5, 3.6)
    np.testing.assert_allclose(grid_s, np.arange(0.5, 3.51, 0.25))
    assert frames[:, 0].tolist() == [0, 0, 1, 1, 1, 1, 2, 3, 4, 5, 6, 6, 6]


def test_a_model_of_another_space_is_refused(tmp_path):
    small = Grounder(GrounderConfig(DIM, DIM, width=16, heads=2, layers=2, span_width=8))
    save_checkpoint(tmp_path / "known", Checkpoint(small, space=SPACE))
    save_checkpoint(tmp_path / "unknown", Checkpoint(small))
    assert TrainedLocalizer.open(tmp_path / "known", SPACE).name == "known"
    with pytest.raises(ModelError, match="demo"):
        TrainedLocalizer.open(tmp_path / "known", replace(SPACE, revision="r2"))
    with pytest.raises(ModelError, match="not recorded"):
        TrainedLocalizer.open(tmp_path / "unknown", SPACE)


def test_in_a_library_its_own_word_counts_as_far_as_it_is_trusted(localizer):
    library = replace(NOWHERE, std=0.25, null=Null(3.0, 0.4))
    there, sentence = asked_window(100_001)
    elsewhere, _ = asked_window(100_002)
    said = [
        max(claim.said for claim in claims)
        for claims in localizer.claims([there, elsewhere], sentence, library)
    ]
    assert said[0] > said[1]
    unheard = localizer.localize_all([there, elsewhere], sentence, library)
    trusted = replace(localizer.standing, trust=1.0, usual=sum(said) / 2)
    hearing = TrainedLocalizer(localizer._checkpoint, standing=trusted)
    heard = hearing.localize_all([there, elsewhere], sentence, library)
    assert heard[0].spans[0].score > unheard[0].spans[0].score
    assert heard[0].spans[0].presence > unheard[0].spans[0].presence
    assert heard[1].spans[0].score < unheard[1].spans[0].score
    assert heard[1].spans[0].presence < unheard[1].spans[0].presence
    assert [s.span for s in heard[0].spans] == [s.span for s in unheard[0].spans]
