"""What cutting costs and how exact it is: each way of cutting, in one run, on one machine.

    python tests/benchmarks/bench_clips.py [--seconds 40] [--size 640x360] [--json]

Sources are numbered frames over moving noise, so every cut is identified by the
frames in it. CPU time is that of the whole process and its children, as a share of
what encoding again without any check costs. The ffmpeg program is measured beside it
where there is one.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import av  # noqa: E402
import numpy as np  # noqa: E402
from numbered import number_of, picture  # noqa: E402

from index.clips.export import ClipRequest, ExportOptions, export_clips  # noqa: E402

FPS = 25
CLIP_S = 12.0
STARTS_S = (3.32, 21.08)
"""On frame boundaries, where all tools mean the same frame."""
Way = Callable[[Path, float, Path], Path]


def make(path: Path, seconds: int, width: int, height: int, gop: int) -> Path:
    """A video that is neither trivial to code nor the same twice."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 50, (height, width * 2, 1), np.uint8)
    with av.open(str(path), "w") as output:
        video = output.add_stream(
            "libx264", rate=FPS, options={"preset": "veryfast", "crf": "18", "g": str(gop)}
        )
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        for number in range(seconds * FPS):
            shift = number * 3 % width
            rgb = picture(number % 1024, width, height) // 2 + noise[:, shift : shift + width] + 30
            frame = av.VideoFrame.from_ndarray(rgb.astype(np.uint8), "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
    return path


def ours(**options: object) -> Way:
    """A way of cutting of our own."""

    def way(source: Path, start_s: float, out: Path) -> Path:
        request = ClipRequest(os.fsencode(source), start_s, start_s + CLIP_S, "clip")
        chosen = ExportOptions(out, hash_source=False, **options)  # type: ignore[arg-type]
        (result,) = export_clips([request], chosen)
        if result.failure is not None:
            raise result.failure
        assert result.path is not None
        return result.path

    return way


def ffmpeg(*codec: str) -> Way:
    """The ffmpeg program, as people use it."""

    def way(source: Path, start_s: float, out: Path) -> Path:
        out.mkdir(exist_ok=True)
        target = out / "ffmpeg.mp4"
        command = ["ffmpeg", "-v", "error", "-y", "-ss", str(start_s), "-i", str(source)]
        subprocess.run([*command, "-t", str(CLIP_S), *codec, str(target)], check=True)
        return target

    return way


def frames(path: Path, **options: str) -> list[int]:
    """Numbers of the frames that a player shows; -1 for a picture that is broken."""
    with av.open(str(path), options=options) as container:
        return [
            _number(frame.to_ndarray(format="rgb24", width=320, height=192))
            for frame in container.decode(video=0)
        ]


def _number(rgb: np.ndarray) -> int:
    try:
        return number_of(rgb)
    except AssertionError:
        return -1


def cpu_s() -> float:
    """Seconds of CPU of this process and of children that ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def measure(way: Way, source: Path, folder: Path) -> dict[str, float]:
    """CPU seconds and errors in frames, worst of all starts."""
    spent, first, last, raw, broken = [], [], [], [], []
    for start_s in STARTS_S:
        before = cpu_s()
        clip = way(source, start_s, folder)
        spent.append(cpu_s() - before)
        want_first = int(start_s * FPS + 0.02)
        want_last = int((start_s + CLIP_S) * FPS - 0.02)
        got = frames(clip)
        first.append(abs(got[0] - want_first))
        last.append(abs(got[-1] - want_last))
        raw.append(abs(frames(clip, ignore_editlist="1")[0] - want_first))
        broken.append(got.count(-1))
        clip.unlink()
    return {
        "cpu_s": statistics.mean(spent),
        "first_frame_error": max(first),
        "last_frame_error": max(last),
        "first_frame_error_without_edit_list": max(raw),
        "broken_pictures": max(broken),
    }


def ways() -> dict[str, Way]:
    """Everything that is compared; the first one is the unit."""
    found = {
        "exact, unchecked": ours(mode="exact", verify=False),
        "exact": ours(mode="exact"),
        "copy, unchecked": ours(mode="copy", verify=False),
        "copy": ours(mode="copy"),
    }
    if shutil.which("ffmpeg"):
        found["ffmpeg -c copy"] = ffmpeg("-c", "copy")
        found["ffmpeg veryfast crf 18"] = ffmpeg("-preset", "veryfast", "-crf", "18")
    return found


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=int, default=40)
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for gop in (250, 25):
            source = make(Path(folder, f"{gop}.mp4"), arguments.seconds, width, height, gop)
            unit = None
            for name, way in ways().items():
                row = {"gop": gop, "way": name, **measure(way, source, Path(folder, "out"))}
                unit = unit or row["cpu_s"]
                rows.append({**row, "share": row["cpu_s"] / unit})
    if arguments.json:
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
        return
    line = "{:>4}  {:24} {:>8} {:>7} {:>10} {:>10} {:>13} {:>7}\n"
    head = ("GOP", "way", "CPU s", "share", "first err", "last err", "no edit list", "broken")
    sys.stdout.write(line.format(*head))
    for row in rows:
        share, spent = f"{row['share']:.3f}", f"{row['cpu_s']:.2f}"
        errors = [f"{row[key]} fr" for key in row if "error" in key]
        sys.stdout.write(
            line.format(row["gop"], row["way"], spent, share, *errors, row["broken_pictures"])
        )


if __name__ == "__main__":
    main()
