"""Common video made on the spot: 1080p H.264 of some hours, from one short clip."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from ground import Ground


def footage(ground: Ground, name: str, files: int, seconds: float) -> list[Path]:
    """Files of 1080p H.264, 4 Mb/s, key frames ten seconds apart, each with a tag of its own.

    One clip is encoded; the files repeat its packets, so that an hour takes no longer to make
    than the clip.
    """
    folder = ground.scratch / "footage" / name
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:02d}.mp4" for number in range(files)]
    if all(path.exists() for path in paths):
        return paths
    clip = one_clip(ground)
    for number, path in enumerate(paths):
        repeat(clip, path, seconds, f"number {number}")
    return paths


def one_clip(ground: Ground) -> Path:
    from bench_sampling import scenery
    from media_factory import write_video

    path = ground.scratch / "footage" / "clip.mp4"
    if not path.exists():
        seconds, size = (2.0, (320, 180)) if ground.tiny else (10.0, (1920, 1080))
        gop, rate = (25, "200000") if ground.tiny else (250, "4000000")
        write_video(path, scenery(seconds, size), gop=gop, b_frames=3, options={"b": rate})
    return path


def repeat(clip: Path, path: Path, seconds: float, title: str) -> None:
    """Writes a clip's packets one after the other until a length is reached."""
    import av

    with av.open(str(clip)) as source, av.open(str(path), "w") as out:
        out.metadata["title"] = title
        stream = source.streams.video[0]
        assert stream.duration is not None
        assert stream.time_base is not None
        rounds = max(1, round(Fraction(seconds) / (stream.duration * stream.time_base)))
        copy = out.add_stream_from_template(stream)
        packets = [packet for packet in source.demux(stream) if packet.dts is not None]
        times = [(bytes(p), p.pts, p.dts, p.duration, p.is_keyframe) for p in packets]
        for number in range(rounds):
            shift = number * stream.duration
            for data, pts, dts, duration, key in times:
                packet = av.Packet(data)
                packet.pts, packet.dts, packet.duration = pts + shift, dts + shift, duration
                packet.time_base, packet.is_keyframe = stream.time_base, key
                packet.stream = copy
                out.mux(packet)
