"""A few dozen of the mutants of `stress/mutants.py`; the script tries hundreds."""

from __future__ import annotations

from pathlib import Path

import pytest
from stress import mutants


def test_one_damaged_byte_never_gives_another_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    tally = mutants.run(42, 1, tmp_path)
    assert tally.bad == []
    assert tally.count("refused with 6") >= 3
    assert tally.count("mended") >= 3
