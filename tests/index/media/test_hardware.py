"""Decoding on a card: the frames of the processor where there is one, a clear word where not."""

from __future__ import annotations

import os
from pathlib import Path

import media_factory as make
import numpy as np
import pytest
from av.codec.hwaccel import hwdevices_available
from terminal import run

from index.errors import UsageError
from index.media.container import open_video
from index.media.hardware import check_hwaccel
from index.sampling.keyframes import KeyFrameSampler
from index.sampling.sampler import Sampler
from index.types import Picture

Frames = list[tuple[float, Picture]]
CLIPS = {
    "a.mp4": {"codec": "h264", "gop": 50, "b_frames": 3},
    "b.mkv": {"codec": "hevc", "gop": 24, "b_frames": 4},
    "c.mp4": {"codec": "av1", "gop": 30},
    "d.avi": {"codec": "mpeg4", "gop": 15},
}


def working() -> list[str]:
    """Devices of this machine; a run that must have a card fails without one."""
    found = []
    for name in hwdevices_available():
        try:
            check_hwaccel(name)
        except UsageError:
            continue
        found.append(name)
    if os.environ.get("GZ_REQUIRE_GPU"):
        assert "cuda" in found
    return found


def sampled(path: Path, hwaccel: str) -> Frames:
    with open_video(path, hwaccel) as video:
        return list(Sampler(video, 0.25))


@pytest.mark.gpu
@pytest.mark.parametrize("name", CLIPS)
def test_every_device_gives_the_frames_of_the_processor(tmp_path: Path, name: str) -> None:
    path = make.moving_video(tmp_path / name, 4.0, size=(256, 192), **CLIPS[name])
    expected = sampled(path, "")
    # A device that FFmpeg knows but that cannot decode this leaves it to the processor.
    able = {*working(), *(each for each in hwdevices_available() if each in ("drm", "qsv", "amf"))}
    for device in able:
        seen = sampled(path, device)
        assert [time_s for time_s, _ in seen] == [time_s for time_s, _ in expected]
        for (_, ours), (_, wanted) in zip(seen, expected, strict=True):
            # Cards hand over another pixel format, whose way to RGB may round otherwise.
            assert np.abs(ours.astype(int) - wanted).max() <= 2
        with open_video(path, device) as video:
            times = [float(time) for time, _ in KeyFrameSampler(video, 0.9).frames()]
        with open_video(path) as video:
            assert times == [float(time) for time, _ in KeyFrameSampler(video, 0.9).frames()]


def test_an_unknown_device_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(UsageError, match="knows no decoding with 'steam'") as caught:
        check_hwaccel("steam")
    assert all(name in caught.value.remedy for name in hwdevices_available())


def test_a_device_that_is_not_in_the_machine_is_refused_before_any_work(tmp_path: Path) -> None:
    make.colour_video(tmp_path / "a.mp4", [("red", 2.0)])
    absent = sorted(set(hwdevices_available()) - set(working()))
    for name in absent[:2]:
        ran = run("index", tmp_path, "--hwaccel", name, "--model", "demo", library=tmp_path / "l")
        assert ran.code == UsageError.exit_code
        assert f"{name} cannot decode video on this machine" in ran.err
        assert not (tmp_path / "l" / "library.db").exists()
