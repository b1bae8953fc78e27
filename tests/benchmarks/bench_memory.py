"""Peak memory of ``gz index`` on a short and on a long file.

    python tests/benchmarks/bench_memory.py [--model base] [--hours 10]

One minute of small, mostly still video, and the same over and over for hours in one file,
are indexed as a person would; the largest resident size of the program and of its largest
decoder process are taken from the kernel while they run. With ``--model demo`` every frame
is encoded, so that as many vectors pass as in ten hours of action.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(Path(__file__).parent)]

import av  # noqa: E402
from bench_encoding import SIZES  # noqa: E402
from bench_index import peak_gb  # noqa: E402
from full_size import model_spec, tell  # noqa: E402
from media_factory import colour_video  # noqa: E402

from model.hub.files import find_files  # noqa: E402
from model.siglip.backbone import Backbone, source_of  # noqa: E402


def make_long(path: Path, minute: Path, minutes: int) -> None:
    """The packets of a video again and again, one after the other."""
    with av.open(str(path), "w") as out:
        stream = None
        for number in range(minutes):
            with av.open(str(minute)) as source:
                own = source.streams.video[0]
                stream = stream or out.add_stream_from_template(own)
                shift = round(60 * number / own.time_base)
                for packet in source.demux(own):
                    if packet.dts is None or packet.pts is None:
                        continue
                    packet.stream = stream
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    out.mux(packet)


def weights_gb(spec: str) -> float:
    """The vision tower in bfloat16."""
    shapes = Backbone(find_files(source_of(spec))).vision.shapes().values()
    return 2 * sum(math.prod(shape) for shape in shapes) / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", choices=[*SIZES, "demo"], default="base")
    parser.add_argument("--hours", type=float, default=10.0)
    parser.add_argument("--folder", type=Path, help="keep the random model here")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        spec = model_spec(asked.model, asked.folder, scratch)
        shots = [("red", 20.0), ("blue", 20.0), ("green", 20.0)]
        short = colour_video(scratch / "short.mp4", shots, fps=10, gop=50, size=(320, 180))
        make_long(scratch / "long.mp4", short, round(60 * asked.hours))
        environment = os.environ | {"XDG_CACHE_HOME": temporary}
        gz = [str(Path(sys.executable).parent / "gz"), "index", "--quiet", "--model", spec]
        gz += ["--every-frame"] if asked.model == "demo" else []
        peak_gb([*gz, str(short), "--library", str(scratch / "first")], environment)
        facts: dict[str, object] = {"model": asked.model, "hours": asked.hours}
        facts["weights_gb"] = weights_gb(spec)
        for name in ("short", "long"):
            command = [*gz, str(scratch / f"{name}.mp4"), "--library", str(scratch / name)]
            facts[f"{name}_gb"], facts[f"{name}_worker_gb"] = peak_gb(command, environment)
    tell(facts, as_json=asked.json)


if __name__ == "__main__":
    main()
