"""A few rounds of `tests/stress/kills.py`, which runs hundreds when asked."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from stress.kills import Tally, make_world, one_round


@pytest.mark.parametrize("name", ["fresh", "coarse"])
def test_whatever_ended_the_runs_before_a_plain_run_puts_all_right(
    name: str, tmp_path: Path
) -> None:
    world, tally = make_world(name, tmp_path / name), Tally()
    one_round(world, tmp_path / "round", random.Random(name), tally)
    assert tally.faults == []
