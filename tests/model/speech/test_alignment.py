"""Which sound each piece of text was heard in."""

from __future__ import annotations

import numpy as np
import pytest

from model.speech.alignment import first_frames


def looked(begins: list[int], frames: int, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    """Attention of two heads that look where each piece was said."""
    chance = np.random.default_rng(seed)
    found = np.full((2, len(begins), frames), 1e-4, np.float32)
    for row, (first, last) in enumerate(zip(begins, [*begins[1:], frames], strict=True)):
        found[:, row, first:last] = 1 / (last - first)
    return (found + noise * chance.random(found.shape)).astype(np.float32)


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_pieces_begin_where_the_heads_began_to_look(noise: float) -> None:
    begins = [0, 30, 55, 56 + 20, 140, 200]
    found = first_frames(looked(begins, 260, noise))
    assert np.abs(found - begins).max() <= 3


def test_times_never_fall_and_stay_inside_the_sound() -> None:
    chance = np.random.default_rng(3)
    found = first_frames(chance.random((4, 40, 100)).astype(np.float32))
    assert (np.diff(found) >= 0).all()
    assert found[0] == 0
    assert found[-1] < 100


@pytest.mark.parametrize(("tokens", "frames"), [(1, 1), (5, 1), (1, 50), (9, 3)])
def test_short_texts_and_short_sounds_are_aligned_too(tokens: int, frames: int) -> None:
    found = first_frames(np.ones((2, tokens, frames), np.float32))
    assert found.shape == (tokens,)
    assert 0 <= found.min() <= found.max() < frames


def test_the_walk_is_that_of_transformers() -> None:
    import torch
    from transformers.models.whisper.generation_whisper import _dynamic_time_warping, _median_filter

    attention = np.random.default_rng(5).random((3, 20, 130)).astype(np.float32)
    looks = torch.from_numpy(attention)[None]
    looks = (looks - looks.mean(-2, keepdim=True)) / looks.std(-2, keepdim=True, unbiased=False)
    matrix = _median_filter(looks, 7).mean(1)[0]
    tokens, frames = _dynamic_time_warping(-matrix.double().numpy())
    begins = frames[np.pad(np.diff(tokens), (1, 0), constant_values=1).astype(bool)]
    assert first_frames(attention).tolist() == begins.tolist()
