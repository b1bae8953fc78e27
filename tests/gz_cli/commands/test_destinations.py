"""What may be written to is told before anything slow begins, and nothing is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from gz_cli.commands.destinations import require_file, require_folder, require_model_folder
from index.errors import UsageError


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_a_fresh_place_is_fine_and_stays_as_it_is(tmp_path):
    require_folder(tmp_path / "a" / "b", "--report")
    require_file(tmp_path / "a.jsonl", "--write-predictions")
    require_model_folder(tmp_path / "model", resume=True)
    assert list(tmp_path.iterdir()) == []


def test_files_and_folders_are_told_apart(tmp_path):
    file = touch(tmp_path / "file")
    with pytest.raises(UsageError, match=r"--report .*file is a file"):
        require_folder(file, "--report")
    with pytest.raises(UsageError, match=r"--report .* cannot be written: Not a directory"):
        require_folder(file / "below", "--report")
    with pytest.raises(UsageError, match="is a folder"):
        require_file(tmp_path, "--write-predictions")
    with pytest.raises(UsageError, match="there is no folder"):
        require_file(tmp_path / "none" / "p.jsonl", "--write-predictions")


def test_a_training_goes_on_in_its_own_folder(tmp_path):
    touch(tmp_path / "features" / "text" / "qid1.npz")
    touch(tmp_path / ".DS_Store")
    require_model_folder(tmp_path, resume=True)
    touch(tmp_path / "training" / "state.safetensors")
    touch(tmp_path / "model.safetensors")
    require_model_folder(tmp_path, resume=True)
    with pytest.raises(UsageError, match="holds a training already"):
        require_model_folder(tmp_path, resume=False)


def test_nothing_of_others_is_written_over(tmp_path):
    touch(tmp_path / "videos" / "holiday.mp4")
    with pytest.raises(UsageError, match=r"holds other things already: holiday\.mp4"):
        require_model_folder(tmp_path / "videos", resume=True)
    touch(tmp_path / "model" / "model.safetensors")
    with pytest.raises(UsageError, match="holds a model already, but no training"):
        require_model_folder(tmp_path / "model", resume=True)
