"""The command for machines with a card, in small on the processor, so that it cannot rot."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import time
import types
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "tests/gpu_check.py"


def loaded(name: str, path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def gpu_check(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(sys, "path", list(sys.path))
    return loaded("gpu_check", SCRIPT)


def run(*arguments: str, report: Path) -> tuple[subprocess.CompletedProcess[str], Any]:
    command = [sys.executable, str(SCRIPT), "--tiny", "--device", "cpu", "--json", str(report)]
    ran = subprocess.run(
        [*command, *arguments],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        timeout=590,
        check=False,
    )
    assert report.exists(), ran.stderr
    return ran, json.loads(report.read_text())


def test_every_check_runs_in_small_without_a_card(tmp_path: Path, gpu_check: Any) -> None:
    ran, whole = run("--here", report=tmp_path / "all.json")
    results = whole["checks"]
    assert list(results) == list(gpu_check.CHECKS)
    assert {name: r["why"] for name, r in results.items() if r["status"] != "passed"} == {}
    assert ran.returncode == 0, ran.stderr
    assert whole["tiny"] is True
    assert all(result["findings"] for result in results.values())
    report = loaded("report", ROOT / "tests/gpu/report.py")
    text = report.section(whole)
    assert "| what | found | goal |" in text
    assert "edges" in text
    assert str(tmp_path) not in text


def test_the_page_shows_the_run_that_was_kept() -> None:
    report = loaded("report", ROOT / "tests/gpu/report.py")
    page = (ROOT / "docs/benchmarks.md").read_text("utf-8")
    assert f"{report.BEGIN}{report.section(report.kept())}{report.END}" in page


def test_a_check_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    ran, whole = run("--only", "encoding", report=tmp_path / "one.json")
    assert ran.returncode == 0, ran.stderr
    assert list(whole["checks"]) == ["encoding"]
    assert whole["checks"]["encoding"]["status"] == "passed"


def test_a_check_that_raises_has_failed_and_keeps_what_it_found(
    gpu_check: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(ground: Any, findings: Any) -> None:
        findings.add("speed", 3.0, "pictures/s", least=1.0)
        raise RuntimeError("CUDA error: unspecified launch failure")

    monkeypatch.setitem(sys.modules, "encoding", types.SimpleNamespace(check=check))
    ground = gpu_check.Ground("cpu", True, tmp_path, 10.0)
    result = gpu_check.run("encoding", ground, 30.0, here=True)
    assert result["status"] == "failed"
    assert "unspecified launch failure" in result["why"]
    assert [each["what"] for each in result["findings"]] == ["speed"]


def test_a_goal_that_is_missed_fails_the_check(
    gpu_check: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(ground: Any, findings: Any) -> None:
        findings.add("cosine", 0.5, least=0.9999)
        findings.add("slow", 99.0, "s", most=1.0, speed=True)

    monkeypatch.setitem(sys.modules, "encoding", types.SimpleNamespace(check=check))
    ground = gpu_check.Ground("cpu", True, tmp_path, 10.0)
    result = gpu_check.run("encoding", ground, 30.0, here=True)
    assert (result["status"], result["why"]) == ("failed", "cosine")
    assert [each["ok"] for each in result["findings"]] == [False, None]


def test_a_package_that_is_missing_skips_its_checks_alone(
    gpu_check: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "faiss" else find(name)
    )
    assert gpu_check.lacking("agreement") == []
    ground = gpu_check.Ground("cpu", True, tmp_path, 10.0)
    result = gpu_check.run("finding", ground, 30.0, here=True)
    assert result["status"] == "skipped"
    assert "lacks faiss" in result["why"]
    assert "--wheels" in result["why"]


def test_wheels_bring_a_package_to_this_run_alone(
    gpu_check: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = "gz_gpu_extra-1.0.dist-info"
    (tmp_path / "wheels").mkdir()
    with zipfile.ZipFile(tmp_path / "wheels/gz_gpu_extra-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("gz_gpu_extra.py", "")
        wheel.writestr(
            f"{about}/METADATA", "Metadata-Version: 2.1\nName: gz-gpu-extra\nVersion: 1.0\n"
        )
        wheel.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{about}/RECORD", "")
    monkeypatch.setattr(gpu_check, "EVERYWHERE", ("gz_gpu_extra",))
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    assert gpu_check.lacking("encoding") == ["gz_gpu_extra"]
    gpu_check.add_wheels(tmp_path / "wheels", tmp_path)
    assert gpu_check.lacking("encoding") == []
    assert os.environ["PYTHONPATH"].split(os.pathsep) == [str(tmp_path / "site"), "/elsewhere"]


def test_a_check_that_takes_too_long_is_ended_with_all_that_it_started(
    gpu_check: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck = tmp_path / "stuck.py"
    stuck.write_text(
        "import subprocess, sys, time, pathlib\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(child.pid))\n"
        "time.sleep(600)\n"
    )
    monkeypatch.setattr(gpu_check, "__file__", str(stuck))
    ground = gpu_check.Ground("cpu", True, tmp_path, 10.0)
    why = gpu_check.run_apart("encoding", ground, tmp_path / "r.json", 6.0)
    assert "longer than 6 s" in why
    pid = int((tmp_path / "pid").read_text())
    for _ in range(100):
        status = Path(f"/proc/{pid}/status")
        if not status.exists() or "State:\tZ" in status.read_text():
            return
        time.sleep(0.1)
    pytest.fail("what it started still runs")


def test_the_page_lists_every_branch_that_is_for_a_card() -> None:
    """Lines move with every change; that a branch is there must not go unsaid."""
    branches = loaded("branches", ROOT / "tests/gpu/branches.py")
    page = (ROOT / "docs/gpu.md").read_text("utf-8")
    said = set(re.findall(r"^\| `([\w/.]+):[\d-]+` \| `([\w.]+)`", page, re.MULTILINE))
    assert said == {(each.file, each.function) for each in branches.branches()}, (
        "run python tests/gpu/branches.py --write"
    )
    assert "none" not in {each.check for each in branches.branches()}
