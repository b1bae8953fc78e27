"""What every check of a graphics card stands on: where it runs, and what it leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
for _place in (ROOT / "tests" / "benchmarks", ROOT / "tests", ROOT):
    if str(_place) not in sys.path:
        sys.path.insert(0, str(_place))

GZ = (sys.executable, str(ROOT / "tests/gpu/gz_with_trouble.py"))
"""``gz`` from the source beside this file, installed or not; options, ``--``, arguments."""


class Lacking(Exception):
    """This machine lacks what a check needs, which says nothing about the program."""


@dataclass(frozen=True)
class Ground:
    """Where checks run.

    Attributes:
        device: ``cuda``, or ``cpu`` for the tiny form.
        tiny: Seconds instead of minutes: small models, few repetitions, no goals of speed.
        scratch: Folder of this run; models made for one check are there for the next.
        seconds: What this check may take; long repetitions are cut to it.
    """

    device: str
    tiny: bool
    scratch: Path
    seconds: float
    began: float = field(default_factory=time.monotonic)

    @property
    def on_card(self) -> bool:
        return self.device.startswith("cuda")

    @property
    def left_s(self) -> float:
        return self.seconds - (time.monotonic() - self.began)

    def model(self, name: str) -> Path:
        """A model folder of full size with random weights; a toy of the same form when tiny."""
        folder = self.scratch / "models" / ("tiny" if self.tiny else name)
        if not (folder / "model.safetensors").exists():
            folder.mkdir(parents=True, exist_ok=True)
            if self.tiny:
                from tiny_siglip import make_model

                make_model(folder)
            else:
                from bench_encoding import SIZES, make_folder

                make_folder(name if name in SIZES else "base-p16-256", folder)
        return folder

    def gz(
        self, *arguments: str, trouble: tuple[str, ...] = (), **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Runs ``gz`` as a program of its own, which is killed when the check's time is over."""
        return subprocess.run(
            [*GZ, *trouble, "--", *arguments],
            capture_output=True,
            text=True,
            timeout=max(20.0, self.left_s),
            env=os.environ | env,
            check=False,
        )


@dataclass(frozen=True)
class Finding:
    """One thing that was seen, beside what was hoped for."""

    what: str
    found: float | str
    unit: str = ""
    goal: str = ""
    ok: bool | None = None
    """None where there is no goal."""

    @property
    def line(self) -> str:
        mark = {True: "ok", False: "FAILS", None: ""}[self.ok]
        value = self.found if isinstance(self.found, str) else f"{self.found:.5g}"
        goal = f"(goal {self.goal})" if self.goal else ""
        return " ".join(part for part in (f"  {self.what}:", value, self.unit, goal, mark) if part)


@dataclass
class Findings:
    """What a check found, in order; shown as it is found, kept even when the check fails later."""

    ground: Ground
    kept: list[Finding] = field(default_factory=list)
    tell: Callable[[Findings], None] = lambda findings: None

    def add(
        self,
        what: str,
        found: float | str,
        unit: str = "",
        *,
        least: float | None = None,
        most: float | None = None,
        speed: bool = False,
    ) -> None:
        """Adds a figure.

        Args:
            what: What it is, with the model's name.
            found: The figure, or words.
            unit: Its unit.
            least: The goal is at least this.
            most: The goal is at most this.
            speed: The goal is one of a card at full size; in the tiny form it is not judged.
        """
        goal, ok = "", None
        judged = not (speed and (self.ground.tiny or not self.ground.on_card))
        if judged and not isinstance(found, str) and (least is not None or most is not None):
            goal = f">= {least:g}" if least is not None else f"<= {most:g}"
            ok = (least is None or found >= least) and (most is None or found <= most)
        self._keep(Finding(what, found, unit, goal, ok))

    def holds(self, what: str, ok: bool, seen: str = "", goal: str = "yes") -> None:
        """Adds something that is so or is not."""
        self._keep(Finding(what, seen or ("yes" if ok else "no"), "", goal, ok))

    def _keep(self, finding: Finding) -> None:
        self.kept.append(finding)
        print(finding.line, flush=True)
        self.tell(self)

    def as_json(self) -> list[dict[str, Any]]:
        return [asdict(each) for each in self.kept]


def wait_for(device: str) -> None:
    """Waits until the card has done what it was asked."""
    import torch

    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def fastest_s(work: Callable[[], object], device: str, rounds: int = 3) -> float:
    """Wall seconds of the quickest of some rounds, after one that warms up."""
    best = float("inf")
    for number in range(rounds + 1):
        wait_for(device)
        began = time.perf_counter()
        work()
        wait_for(device)
        if number:
            best = min(best, time.perf_counter() - began)
    return best


def card_name(ground: Ground) -> str:
    """What the card is called; empty without one."""
    import torch

    return str(torch.cuda.get_device_name(ground.device)) if ground.on_card else ""


def card_memory_gb(device: str) -> float:
    """Memory of the card that anything holds, by the driver; 0 without a card."""
    import torch

    if not device.startswith("cuda"):
        return 0.0
    free, whole = torch.cuda.mem_get_info(device)
    return (whole - free) / 1e9


class Busy:
    """Share of the time in which the card computed anything, by its driver's own count."""

    def __init__(self) -> None:
        self.shares: list[float] = []

    @property
    def share(self) -> float | None:
        """0 to 1; None where the driver's tool gave no figure."""
        return sum(self.shares) / len(self.shares) if self.shares else None


@contextmanager
def watched_card(ground: Ground) -> Iterator[Busy]:
    """Asks ``nvidia-smi`` five times a second while the block runs."""
    busy = Busy()
    command = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
    try:
        process = (
            subprocess.Popen(
                [*command, "-i", "0", "-lms", "200"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            if ground.on_card
            else None
        )
    except OSError:
        process = None
    if process is None or process.stdout is None:
        yield busy
        return
    lines = process.stdout

    def read() -> None:
        for line in lines:
            if line.strip().isdecimal():
                busy.shares.append(int(line) / 100)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield busy
    finally:
        process.kill()
        process.wait()
        reader.join(5)
