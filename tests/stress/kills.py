"""Kills index runs at random times, again and again on the same videos, and looks what is left.

Usage: python tests/stress/kills.py [--rounds 200] [--seed 0] [--only prune rebuild]

Runs are those of `index_child`: real decode workers, the fake encoder. After each
round's kills (SIGKILL mostly, also SIGTERM, SIGHUP and SIGINT; to gz alone or to all its
processes) one plain run must bring the library to the very vectors of an undisturbed
one, with no file failed, set aside or left coarse, the check content, and no worker alive.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from index_runs import CHILD, run, stored
from media_factory import colour_video

from index.indexing.check import check
from index.store.library import Library

_LOOK_S = 0.02
SIGNALS = [signal.SIGKILL] * 7 + [signal.SIGTERM, signal.SIGHUP, signal.SIGINT]
SCENARIOS = {
    "fresh": (),
    "incremental": (),
    "coarse": ("coarse-first",),
    "prune": ("prune",),
    "rebuild": ("rebuild",),
}
"""Flags of the runs that are killed, by name."""


@dataclass
class World:
    """The videos and the library that a scenario's rounds start from."""

    videos: Path
    library: Path
    flags: tuple[str, ...]
    expected: dict[str, bytes] = field(default_factory=dict)
    """What an undisturbed run makes searchable."""
    processor_s: float = 0.0
    """Processor time of the undisturbed run: a measure of how far a run is, at any load."""


@dataclass
class Tally:
    """What became of the rounds of a scenario."""

    rounds: int = 0
    signals: Counter[str] = field(default_factory=Counter)
    too_late: int = 0
    """Runs that had ended before their signal came."""
    faults: list[str] = field(default_factory=list)

    def line(self, name: str) -> str:
        """The tally for people."""
        kills = ", ".join(f"{count} {which}" for which, count in sorted(self.signals.items()))
        return (
            f"{name}: {self.rounds} rounds, {self.signals.total()} runs ended early ({kills}), "
            f"{self.too_late} ended first, {len(self.faults)} faults"
        )


def make_world(name: str, folder: Path) -> World:
    """Media, a library in the state that the scenario begins with, and the right answer."""
    videos, library = folder / "videos", folder / "library"
    videos.mkdir(parents=True)
    library.mkdir()
    colour_video(videos / "a.mp4", [("red", 9.0), ("blue", 14.0)])
    colour_video(videos / "b.mkv", [("green", 7.0), ("cyan", 9.0)])
    if name in ("incremental", "prune", "rebuild"):
        _index(library, videos)
    if name != "rebuild":
        colour_video(videos / "c.mp4", [("white", 5.0), ("yellow", 16.0)])
        colour_video(videos / "d.mp4", [("grey", 3.0)])
    if name in ("incremental", "prune"):
        (videos / "a.mp4").rename(videos / "moved.mp4")
    if name == "prune":
        (videos / "b.mkv").unlink()
    world = World(videos, library, SCENARIOS[name])
    undisturbed = folder / "undisturbed"
    shutil.copytree(library, undisturbed)
    process = _started(undisturbed, world, world.flags)
    while process.poll() is None:
        world.processor_s = max(world.processor_s, _processor_s(process.pid))
        time.sleep(_LOOK_S)
    if process.returncode:
        raise RuntimeError(f"the undisturbed run ended with status {process.returncode}")
    world.expected = stored(undisturbed)
    return world


def _index(library: Path, videos: Path, *flags: str) -> None:
    ran = run(library, videos, *flags)
    if ran.returncode:
        raise RuntimeError(ran.stderr)


def one_round(world: World, folder: Path, chance: random.Random, tally: Tally) -> None:
    """Two to four runs that are ended at random, then a plain one that must put all right."""
    tally.rounds += 1
    library = folder / "library"
    shutil.copytree(world.library, library)
    for number in range(chance.randint(2, 4)):
        # Only the first run sets the old library aside; the others go on with the new one.
        flags = () if number and "rebuild" in world.flags else world.flags
        sent = _ended_run(library, world, flags, chance, tally)
        if sent is None:
            tally.too_late += 1
        else:
            tally.signals[sent] += 1
    again = run(library, world.videos)
    if again.returncode:
        tally.faults.append(f"exit status {again.returncode}: {again.stderr.strip()}")
    if findings := check(library):
        tally.faults.append(f"not sound: {findings[0].what}")
    if stored(library) != world.expected:
        tally.faults.append("other vectors than those of an undisturbed run")
    with Library.open_readonly(library) as opened:
        left = [row for row in opened.videos() if row.status != "indexed" or row.coarse]
        tally.faults += [f"{row.path!r} is {row.status}: {row.reason}" for row in left]
    shutil.rmtree(library)


def _ended_run(
    library: Path, world: World, flags: tuple[str, ...], chance: random.Random, tally: Tally
) -> str | None:
    """Ends a run at some time; the name of the signal, None when the run was done before."""
    process = _started(library, world, flags)
    until_s = chance.uniform(0.2, 0.95) * world.processor_s
    which = chance.choice(SIGNALS)
    send = os.killpg if chance.random() < 0.3 else os.kill
    while process.poll() is None and _processor_s(process.pid) < until_s:
        time.sleep(_LOOK_S)
    if process.poll() is not None:
        return None
    send(process.pid, which)
    code = process.wait(120)
    if code not in (130, 0, -which):
        tally.faults.append(f"exit status {code} after {which.name}")
    if alive := _alive_after(process.pid):
        tally.faults.append(f"processes {alive} outlived {which.name}")
    return which.name


def _started(library: Path, world: World, flags: tuple[str, ...]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, str(CHILD), str(library), str(world.videos), *flags],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _alive_after(session: int, patience_s: float = 60.0) -> list[int]:
    """Processes of a session that are there when they were given time to end."""
    deadline = time.monotonic() + patience_s
    while (alive := list(_session(session))) and time.monotonic() < deadline:
        time.sleep(0.05)
    return alive


def _processor_s(session: int) -> float:
    """Processor time that the processes of a session have used."""
    return sum(_session(session).values())


def _session(session: int) -> dict[int, float]:
    """Living processes of a session, with their processor time and that of their dead children."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] not in (b"Z", b"X"):
            ticks = sum(int(field) for field in fields[11:15])
            found[int(folder.name)] = ticks / os.sysconf("SC_CLK_TCK")
    return found


def main() -> int:
    """Runs the rounds; 1 when one of them went wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=200, help="over all scenarios")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=SCENARIOS, default=[*SCENARIOS])
    asked = parser.parse_args()
    # A shell makes what it runs in the background deaf to Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    faults = 0
    with tempfile.TemporaryDirectory() as folder:
        for number, name in enumerate(asked.only):
            world = make_world(name, Path(folder) / name)
            tally = Tally()
            for which in range(number, asked.rounds, len(asked.only)):
                chance = random.Random(f"{asked.seed} {which}")
                one_round(world, Path(folder) / f"{name}-{which}", chance, tally)
            print(tally.line(name), *tally.faults, sep="\n  ", flush=True)
            faults += len(tally.faults)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
