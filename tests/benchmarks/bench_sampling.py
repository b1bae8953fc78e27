"""Times sampling at 1 fps against decoding everything and against other tools.

Every figure is user plus system CPU time of a whole process, one decoder
thread each, as a share of the ffmpeg program's ``-vf fps=1`` on the same file in
the same run (of decoding everything where ffmpeg is not installed). Rounds are
interleaved and the quickest counts.

    python tests/benchmarks/bench_sampling.py [--seconds 60] [--rounds 3] [FILE ...]
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import numpy as np  # noqa: E402
from av import VideoFrame  # noqa: E402

METHODS = {
    "gz": "{python} {me} --child choose {file}",
    "gz, every frame": "{python} {me} --child everything {file}",
    "ffmpeg fps=1": "ffmpeg -v error -threads 1 -i {file} -map 0:v:0 -vf fps=1,scale=384:384"
    " -pix_fmt rgb24 -f rawvideo -y /dev/null",
    "OpenCV": "{python} {me} --child opencv {file}",
    "torchcodec": "{python} {me} --child torchcodec {file}",
}
_RATE = {"options": {"b": "2300000"}}
"""Bits a second of ordinary 720p; without it a quick encoder spends far fewer."""
CLIPS = {
    "H.264, 250-frame groups": ("a.mp4", {"codec": "h264", "gop": 250, "b_frames": 3} | _RATE),
    "H.264, 48-frame groups": ("b.mp4", {"codec": "h264", "gop": 48, "b_frames": 3} | _RATE),
    "H.264, 25-frame groups": ("c.mp4", {"codec": "h264", "gop": 25, "b_frames": 3} | _RATE),
    "H.264, no B-frames": ("d.mp4", {"codec": "h264", "gop": 100, "b_frames": 0} | _RATE),
    "H.264, uneven times": (
        "e.mkv",
        {"codec": "h264", "gop": 250, "b_frames": 3, "vfr": True} | _RATE,
    ),
    "H.264 in AVI": ("f.avi", {"codec": "h264", "gop": 250, "b_frames": 3} | _RATE),
    "HEVC, 250-frame groups": ("g.mp4", {"codec": "hevc", "gop": 250, "b_frames": 4} | _RATE),
    "VP9": ("h.webm", {"codec": "vp9", "gop": 128} | _RATE),
    "AV1": ("i.mp4", {"codec": "av1", "gop": 128} | _RATE),
    "MPEG-2 in TS": ("j.ts", {"codec": "mpeg2", "gop": 12}),
    "MPEG-4": ("k.mp4", {"codec": "mpeg4", "gop": 100}),
    "Motion JPEG": ("l.mov", {"codec": "mjpeg"}),
}


def scenery(seconds: float, size: tuple[int, int]) -> Iterator[np.ndarray]:
    """A camera that wanders over soft and fine texture, with sensor noise, 25 pictures a second."""
    chance = np.random.default_rng(0)
    wide, high = size[0] + 120, size[1] + 120
    texture = np.zeros((high, wide, 3), np.float32)
    for scale, weight in ((160, 0.55), (40, 0.3), (10, 0.15)):
        rough = chance.integers(0, 255, (high // scale + 2, wide // scale + 2, 3), np.uint8)
        frame = VideoFrame.from_ndarray(rough, format="rgb24")
        texture += weight * frame.to_ndarray(format="rgb24", width=wide, height=high)
    noise = chance.normal(0, 3.5, (16, size[1], size[0], 1)).astype(np.int16)
    picture = texture.astype(np.int16)
    for number in range(round(seconds * 25)):
        x, y = 60 + int(58 * np.sin(number / 40)), 60 + int(58 * np.cos(number / 55))
        view = picture[y : y + size[1], x : x + size[0]] + noise[number * 7 % 16]
        yield np.clip(view, 0, 255).astype(np.uint8)


def make_clips(folder: Path, seconds: float) -> dict[str, Path]:
    """Every clip of CLIPS at 1280 x 720."""
    from media_factory import write_video

    made = {}
    for name, (file, given) in CLIPS.items():
        how = dict(given)
        pictures, times = scenery(seconds, (1280, 720)), None
        if how.pop("vfr", False):
            kept = np.random.default_rng(1).random(round(seconds * 25)) > 0.35
            kept[0] = True
            times = [n / 25 for n in np.flatnonzero(kept)]
            pictures = (p for p, keep in zip(pictures, kept, strict=True) if keep)
        print(f"making {file}", file=sys.stderr)
        made[name] = write_video(folder / file, pictures, times_s=times, **how)
    return made


def child(method: str, file: str) -> None:
    """One run of a Python method; what the parent times."""
    if method in ("choose", "everything"):
        from index.media.container import open_video
        from index.sampling.sampler import Sampler

        with open_video(file) as video:
            frames = Sampler(video, 1.0, everything=method == "everything").frames()
            for _, frame in frames:
                video.converter.reformat(frame, 384, 384, "rgb24", threads=1).to_ndarray()
    elif method == "opencv":
        import cv2

        cv2.setNumThreads(1)
        video = cv2.VideoCapture(file, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
        number, rate = 0, video.get(cv2.CAP_PROP_FPS)
        while video.grab():
            if number == round(round(number / rate) * rate):
                cv2.resize(video.retrieve()[1], (384, 384))
            number += 1
        if not number:
            raise SystemExit("OpenCV cannot read it")
    else:
        from torchcodec.decoders import VideoDecoder

        decoder = VideoDecoder(file, num_ffmpeg_threads=1)
        end = int(decoder.metadata.duration_seconds)
        decoder.get_frames_played_at([float(second) for second in range(end)])


def cpu_seconds(command: str) -> float:
    """User plus system seconds of a whole process; NaN when it fails."""
    with subprocess.Popen(command.split(), stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime if process.returncode == 0 else float("nan")


def installed() -> dict[str, str]:
    """Methods that can run here; the others are named on stderr."""
    needs = {"ffmpeg fps=1": "ffmpeg", "OpenCV": "cv2", "torchcodec": "torchcodec"}
    found = {}
    for name, command in METHODS.items():
        need = needs.get(name)
        if need and not shutil.which(need) and not importlib.util.find_spec(need):
            print(f"{name}: not installed", file=sys.stderr)
        else:
            found[name] = command
    return found


def measure(file: Path, methods: dict[str, str], rounds: int) -> dict[str, float]:
    """The quickest of some interleaved rounds, seconds by method."""
    best = dict.fromkeys(methods, float("inf"))
    for _ in range(rounds):
        for name, command in methods.items():
            line = command.format(python=sys.executable, me=__file__, file=file)
            best[name] = min(best[name], cpu_seconds(line))
    return best


def start_up(methods: dict[str, str], folder: Path, rounds: int) -> dict[str, float]:
    """Seconds that each method needs to start, from a video of one frame."""
    from media_factory import one_frame_video

    return measure(one_frame_video(folder / "one.mp4"), methods, rounds)


def main() -> None:
    """Prints one markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the made clips")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="part of a clip's name")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("files", nargs="*", type=Path, help="own files instead of made clips")
    asked = parser.parse_args()
    if asked.child:
        child(*asked.child)
        return
    methods = installed()
    anchor = "ffmpeg fps=1" if "ffmpeg fps=1" in methods else "gz, every frame"
    with tempfile.TemporaryDirectory() as folder:
        clips = {file.name: file for file in asked.files}
        if not clips:
            wanted = [name for name in CLIPS if asked.only in name]
            for name in [name for name in CLIPS if name not in wanted]:
                del CLIPS[name]
            clips = make_clips(Path(folder), asked.seconds)
        idle = start_up(methods, Path(folder), asked.rounds)
        if not asked.json:
            print(f"| CPU time, {anchor} = 1 | " + " | ".join(methods) + " |")
            print("|---" * (len(methods) + 1) + "|")
        shares: dict[str, dict[str, float | None]] = {}
        for name, file in clips.items():
            spent = measure(file, methods, asked.rounds)
            work = {method: spent[method] - idle[method] for method in methods}
            shares[name] = {
                method: work[method] / work[anchor] if math.isfinite(work[method]) else None
                for method in methods
            }
            cells = " | ".join(
                "cannot" if share is None else f"{share:.2f}" for share in shares[name].values()
            )
            if not asked.json:
                print(f"| {name} | {cells} |", flush=True)
        if asked.json:
            print(json.dumps(shares))


if __name__ == "__main__":
    main()
