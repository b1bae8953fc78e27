"""``gz demo`` as a stranger runs it: what it prints, how well it scores, what it leaves."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

GZ = Path(sys.executable).parent / "gz"


def run_gz(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(GZ), *map(str, arguments)], capture_output=True, text=True, timeout=580
    )


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], str]:
    """The folder that one run leaves, its result, and what it said meanwhile."""
    folder = tmp_path_factory.mktemp("demo") / "kept"
    done = run_gz("demo", "--keep", folder, "--json")
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout), done.stderr


def test_the_demo_scores_no_worse_than_its_readme_says(
    kept: tuple[Path, dict[str, Any], str],
) -> None:
    scores = kept[1]["scores"]
    assert scores["queries"] >= 40
    assert scores["absent"] >= 15
    assert scores["R1@0.5"] >= 0.85
    assert scores["rejected"] >= 0.85
    assert scores["lost"] <= 0.09


def test_looking_again_brings_edges_nearer(kept: tuple[Path, dict[str, Any], str]) -> None:
    plain, plain_fine, trained, trained_fine = kept[1]["compared"]
    assert plain_fine["edge_error_s"] < plain["edge_error_s"]
    assert trained_fine["edge_error_s"] < trained["edge_error_s"]


def test_training_pays(kept: tuple[Path, dict[str, Any], str]) -> None:
    ways = {(way["trained"], way["refined"]): way for way in kept[1]["compared"]}
    assert ways[True, True]["R1@0.7"] > ways[False, True]["R1@0.7"]
    assert ways[True, True] == {"trained": True, "refined": True, **kept[1]["scores"]}


def test_what_any_other_model_would_get_is_shown_beside(
    kept: tuple[Path, dict[str, Any], str],
) -> None:
    other = kept[1]["as_any_other_model"]
    assert other["R1@0.5"] >= 0.6
    assert other["lost"] <= 0.1


def test_what_is_said_is_found_and_the_wrong_picture_beside_it_is_not(
    kept: tuple[Path, dict[str, Any], str],
) -> None:
    spoken = kept[1]["spoken"]
    assert spoken["words"] >= 0.85
    assert spoken["both"] >= 0.6
    assert spoken["half_right"] >= 0.85
    assert spoken["unsaid"] >= 0.85


def test_its_clips_are_cut_and_verified(kept: tuple[Path, dict[str, Any], str]) -> None:
    folder, result, _ = kept
    assert result["clips"] == result["clips_verified"] == 3
    assert len(list((folder / "clips").glob("*.mp4"))) == 3
    assert (folder / "clips" / "manifest.json").exists()


def test_it_says_plainly_what_its_model_is(kept: tuple[Path, dict[str, Any], str]) -> None:
    assert "knows nothing else" in " ".join(kept[2].split())


def test_its_library_answers_the_real_commands(kept: tuple[Path, dict[str, Any], str]) -> None:
    folder, result, _ = kept
    known = next(query for query in result["queries"] if query["found"])
    found = run_gz("find", "--library", folder / "library", known["sentence"], "--json")
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)["hits"][0]["path"] == known["hits"][0]["path"]
    again = run_gz("index", "--library", folder / "library", folder / "videos", "--json")
    summary = json.loads(again.stdout.splitlines()[-1])
    assert (summary["indexed"], summary["unchanged"]) == (0, 6)


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    done = run_gz("demo", "--keep", tmp_path)
    assert done.returncode == 2
    assert "not empty" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
