"""The kinds of file that sampling is tried on, and what it takes from one."""

from __future__ import annotations

import zlib
from pathlib import Path

from index.media.container import open_video
from index.sampling.sampler import Sampler
from index.types import SamplingReport

Samples = list[tuple[float, int]]
"""Times and checksums of pictures."""

CASES = {
    "h264-mp4": (".mp4", {"codec": "h264", "gop": 50, "b_frames": 3}),
    "h264-pyramid-mkv": (
        ".mkv",
        {"codec": "h264", "gop": 40, "b_frames": 8, "options": {"bf": "8", "b-pyramid": "normal"}},
    ),
    "h264-strict-pyramid": (
        ".mp4",
        {"codec": "h264", "gop": 30, "b_frames": 5, "options": {"b-pyramid": "strict"}},
    ),
    "h264-open-gop-ts": (
        ".ts",
        {
            "codec": "h264",
            "gop": 13,
            "b_frames": 3,
            "options": {"x264-params": "open-gop=1:scenecut=0:threads=1:b-pyramid=normal"},
        },
    ),
    "h264-open-gop-mp4": (
        ".mp4",
        {
            "codec": "h264",
            "gop": 17,
            "b_frames": 4,
            "options": {"x264-params": "open-gop=1:scenecut=0:threads=1:bframes=4:b-adapt=0"},
        },
    ),
    "h264-intra-refresh": (
        ".mp4",
        {
            "codec": "h264",
            "gop": 25,
            "b_frames": 0,
            "options": {"x264-params": "intra-refresh=1:scenecut=0:threads=1"},
        },
    ),
    "h264-no-b": (".mp4", {"codec": "h264", "gop": 100, "b_frames": 0}),
    "h264-all-intra": (".mov", {"codec": "h264", "gop": 1, "b_frames": 0}),
    "h264-flv": (".flv", {"codec": "h264", "gop": 20}),
    "h264-avi": (".avi", {"codec": "h264", "gop": 20}),
    "h264-raw": (".h264", {"codec": "h264", "gop": 20}),
    "hevc-open-gop-mp4": (".mp4", {"codec": "hevc", "gop": 24, "b_frames": 4}),
    "hevc-open-gop-mkv": (".mkv", {"codec": "hevc", "gop": 11, "b_frames": 3}),
    "hevc-ts": (".ts", {"codec": "hevc", "gop": 30, "b_frames": 4}),
    "hevc-temporal-layers": (
        ".mp4",
        {
            "codec": "hevc",
            "gop": 24,
            "options": {
                "x265-params": "log-level=none:pools=none:frame-threads=1:temporal-layers=3"
                ":keyint=24:bframes=4:b-pyramid=1"
            },
        },
    ),
    "vp9": (".webm", {"codec": "vp9", "gop": 30}),
    "vp9-alt-ref": (
        ".mkv",
        {
            "codec": "vp9",
            "gop": 40,
            "options": {
                "deadline": "good",
                "cpu-used": "5",
                "auto-alt-ref": "1",
                "lag-in-frames": "12",
            },
        },
    ),
    "vp8-alt-ref": (
        ".webm",
        {
            "codec": "vp8",
            "gop": 40,
            "options": {
                "deadline": "good",
                "cpu-used": "5",
                "auto-alt-ref": "1",
                "lag-in-frames": "12",
            },
        },
    ),
    "av1-mp4": (".mp4", {"codec": "av1", "gop": 30}),
    "av1-mkv": (".mkv", {"codec": "av1", "gop": 16}),
    "mpeg4-mp4": (".mp4", {"codec": "mpeg4", "gop": 15}),
    "mpeg4-avi": (".avi", {"codec": "mpeg4", "gop": 15}),
    "mpeg2-ts": (".ts", {"codec": "mpeg2", "gop": 12}),
    "mpeg2-ps": (".mpg", {"codec": "mpeg2", "gop": 12}),
    "mpeg2-mkv": (".mkv", {"codec": "mpeg2", "gop": 18, "b_frames": 3}),
    "mjpeg-mov": (".mov", {"codec": "mjpeg"}),
    "mjpeg-avi": (".avi", {"codec": "mjpeg"}),
    "prores": (".mov", {"codec": "prores_ks", "pix_fmt": "yuv422p10le"}),
}


def samples(
    path: Path,
    step_s: float,
    start_s: float = 0.0,
    end_s: float | None = None,
    *,
    everything: bool = False,
) -> tuple[Samples, SamplingReport]:
    with open_video(path) as video:
        sampler = Sampler(video, step_s, start_s, end_s, everything=everything)
        taken = [(t, zlib.crc32(picture.tobytes())) for t, picture in sampler]
        return taken, sampler.report()
