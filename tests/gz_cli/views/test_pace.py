"""Nothing is said about the time left before there is something to tell it from."""

from __future__ import annotations

import pytest

from gz_cli.views.pace import Pace
from index.indexing.progress import IndexProgress


def step(elapsed_s: float, video_s: float, share: float, *, coarse: bool = False) -> IndexProgress:
    return IndexProgress(0, 10, video_s, share, 0, 0, elapsed_s, b"/a.mp4", coarse)


def test_weights_that_load_do_not_count_as_slow_work() -> None:
    pace = Pace()
    for elapsed_s in (1.0, 5.0, 30.0):
        pace.update(step(elapsed_s, 0.0, 0.0))
        assert (pace.times_real_time, pace.left_s) == (None, None)
    pace.update(step(31.0, 3.0, 0.001))
    pace.update(step(33.0, 60.0, 0.021))
    assert (pace.times_real_time, pace.left_s) == (None, None), "two seconds tell little"
    pace.update(step(41.0, 303.0, 0.101))
    assert pace.times_real_time == pytest.approx(30)
    assert pace.left_s == pytest.approx(10 * 0.899 / 0.1)


def test_each_pass_has_a_pace_of_its_own() -> None:
    pace = Pace()
    for elapsed_s, share in ((1.0, 0.1), (9.0, 0.9)):
        pace.update(step(elapsed_s, share * 100, share, coarse=True))
    assert pace.left_s == pytest.approx(1)
    pace.update(step(2.0, 1.0, 0.01))
    assert pace.left_s is None


def test_a_run_that_stands_still_promises_nothing() -> None:
    pace = Pace()
    for elapsed_s in (1.0, 9.0):
        pace.update(step(elapsed_s, 5.0, 0.1))
    assert (pace.times_real_time, pace.left_s) == (None, None)
