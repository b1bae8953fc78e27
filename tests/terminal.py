"""``gz`` as a person or a script meets it: a subprocess with a library of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GZ = str(Path(sys.executable).parent / "gz")


@dataclass
class Archive:
    """A folder of videos, a model folder and a library."""

    folder: Path
    videos: Path
    model: Path
    library: Path

    def run(self, *arguments: str | bytes | Path, **options: Any) -> Ran:
        return run(*arguments, library=self.library, **options)


@dataclass
class Ran:
    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode("utf-8")

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


def environment(library: Path, **more: str) -> dict[str, str]:
    dropped = ("GZ_", "XDG_DATA", "XDG_STATE", "NO_COLOR")
    keep = {k: v for k, v in os.environ.items() if not k.startswith(dropped)}
    return keep | {
        "GZ_LIBRARY": str(library),
        "XDG_STATE_HOME": str(library.parent / "state"),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "100",
        **more,
    }


def run(
    *arguments: str | bytes | Path, library: Path, stdin: bytes | None = None, **env: str
) -> Ran:
    ran = subprocess.run(
        [GZ, *arguments],
        capture_output=True,
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        timeout=600,
        env=environment(library, **env),
        cwd=library.parent,
        check=False,
    )
    err = ran.stderr.decode("utf-8")
    assert "Traceback" not in err, err
    return Ran(ran.returncode, ran.stdout, err)
