"""The picture that a decode worker hands over is the one that the model's own processor sees."""

import multiprocessing
import pickle

import numpy as np
import pytest
from PIL import Image
from tiny_siglip import picture

from model.siglip.preprocess import ResizePicture

SIZES = [(720, 1280), (1280, 720), (37, 53), (48, 48), (1, 1), (3, 400), (383, 385), (1081, 7)]
PILLOW = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("resample", ["bilinear", "bicubic"])
@pytest.mark.parametrize("side", [48, 384])
def test_equals_pillow_up_to_rounding(size: tuple[int, int], resample: str, side: int) -> None:
    before = picture(*size)
    expected = np.asarray(Image.fromarray(before).resize((side, side), PILLOW[resample]))

    after = ResizePicture(side, side, resample)(before)

    difference = np.abs(after.astype(int) - expected.astype(int))
    assert after.shape == (side, side, 3)
    # Some versions of Pillow turn tall pictures before wide ones: whole numbers are then
    # rounded in another order, and bicubic overshoots at edges make that visible.
    wide = size[0] <= size[1]
    assert difference.max() <= (1 if resample == "bilinear" else 2 if wide else 16)
    assert difference.mean() < (0.02 if wide else 0.3)


def test_result_is_fresh_contiguous_and_writable() -> None:
    before = picture(48, 48)
    for source in (before, before[::-1], np.asfortranarray(before)):
        after = ResizePicture(48, 48)(source)
        assert after.flags.c_contiguous
        assert after.flags.writeable
        assert not np.shares_memory(after, source)
        np.testing.assert_array_equal(after, source)


def test_views_and_read_only_pictures_are_taken_as_they_are() -> None:
    before = picture(100, 160)
    frozen = before.copy()
    frozen.flags.writeable = False
    shrink = ResizePicture(48, 48)

    np.testing.assert_array_equal(shrink(frozen), shrink(before))
    np.testing.assert_array_equal(shrink(before[:, ::-1]), shrink(before[:, ::-1].copy()))
    np.testing.assert_array_equal(before, picture(100, 160))


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 3), np.float32),
    ],
)
def test_anything_but_an_rgb_picture_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected uint8"):
        ResizePicture(48, 48)(wrong)


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="bilinear or bicubic"):
        ResizePicture(48, 48, "nearest")
    with pytest.raises(ValueError, match="positive"):
        ResizePicture(0, 48)


def _in_worker(shrink: ResizePicture, before: np.ndarray) -> tuple[np.ndarray, int]:
    import torch

    return shrink(before), torch.get_num_threads()


def test_a_spawned_worker_gives_the_same_picture_on_one_thread() -> None:
    shrink = ResizePicture(48, 48, "bicubic")
    before = picture(90, 120)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        after, threads = pool.apply(_in_worker, (shrink, before))

    np.testing.assert_array_equal(after, shrink(before))
    assert threads == 1
    assert pickle.loads(pickle.dumps(shrink)) == shrink
