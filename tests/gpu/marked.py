"""Every test that is marked ``gpu``, in a run that fails where there is no card."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys

from ground import ROOT, Findings, Ground, Lacking


def check(ground: Ground, findings: Findings) -> None:
    if importlib.util.find_spec("pytest") is None:
        raise Lacking("pytest is not installed here")
    files = [
        path
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        if re.search(r"mark\.gpu\b", path.read_text("utf-8"))
    ]
    if not files:
        raise Lacking("no test is marked gpu")
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider"]
    command += ["--collect-only"] if ground.tiny else []
    ran = subprocess.run(
        [*command, *map(str, files)],
        capture_output=True,
        text=True,
        timeout=max(20.0, ground.left_s),
        cwd=ROOT,
        env=os.environ | ({"GZ_REQUIRE_GPU": "1"} if ground.on_card else {}),
        check=False,
    )
    summary = (ran.stdout.strip().splitlines() or [ran.stderr[-300:]])[-1]
    findings.holds(f"tests marked gpu, of {len(files)} files", ran.returncode == 0, summary)
    for line in ran.stdout.splitlines():
        if line.startswith(("FAILED", "ERROR")):
            findings.holds(line[:160], False)
