"""A first look at key frames alone shows the frames that decoding everything shows."""

from __future__ import annotations

import zlib
from itertools import pairwise
from pathlib import Path

import media_factory as make
import pytest
from sampled import CASES, Samples, samples

from index.media.container import open_video
from index.media.gop import promises
from index.sampling.keyframes import KeyFrameSampler

APART_S = 0.9


def key_frames(path: Path, apart_s: float = APART_S) -> tuple[Samples, float]:
    with open_video(path) as video:
        sampler = KeyFrameSampler(video, apart_s)
        taken = [
            (float(time), zlib.crc32(video.upright(frame).tobytes()))
            for time, frame in sampler.frames()
        ]
        return taken, sampler.report().duration_s


@pytest.mark.parametrize("name", CASES)
def test_key_frames_are_those_of_decoding_everything(tmp_path: Path, name: str) -> None:
    ending, how = CASES[name]
    path = make.moving_video(tmp_path / f"a{ending}", 5.0, size=(96, 64), **how)
    taken, duration_s = key_frames(path)
    everything = dict(samples(path, 0.02, everything=True)[0])
    with open_video(path) as video:
        trusted = promises(video)
    if not trusted:
        assert taken == []
        return
    assert taken[0][0] == 0.0
    assert all(b - a >= APART_S for (a, _), (b, _) in pairwise(taken))
    for time_s, digest in taken:
        assert everything[time_s] == digest
    group_s = how.get("gop", 1) / 25
    if name != "h264-intra-refresh":  # whose later groups have no frame that stands alone
        least_s = max(group_s, APART_S)
        assert len(taken) >= 5.0 / (least_s + group_s)
    assert duration_s == pytest.approx(5.0, abs=0.1)


def test_an_mp4_is_not_read_between_its_key_frames(tmp_path: Path) -> None:
    path = make.moving_video(tmp_path / "a.mp4", 20.0, size=(96, 64), gop=25, b_frames=3)
    read = 0

    def count() -> None:
        nonlocal read
        read += 1

    with open_video(path) as video:
        times = [float(time) for time, _ in KeyFrameSampler(video, 4.0, count).frames()]
    assert times == [0.0, 4.0, 8.0, 12.0, 16.0]
    assert read == 5


@pytest.mark.parametrize("skip_s", [0.48, 2.2])
def test_edit_lists_move_no_time(tmp_path: Path, skip_s: float) -> None:
    source = make.moving_video(tmp_path / "a.mp4", 6.0, size=(96, 64), gop=25, b_frames=3)
    path = make.edited_video(tmp_path / "b.mp4", source, skip_s)
    everything = dict(samples(path, 0.02, everything=True)[0])
    taken, _ = key_frames(path)
    assert len(taken) >= 3
    assert all(everything[time_s] == digest for time_s, digest in taken)


@pytest.mark.parametrize("ending", [".mp4", ".ts"])
def test_damage_costs_frames_and_never_invents_one(tmp_path: Path, ending: str) -> None:
    source = make.moving_video(tmp_path / f"a{ending}", 8.0, size=(128, 96), gop=25)
    path = make.flipped(tmp_path / f"b{ending}", source, flips=10, seed=3, spare=0.15)
    whole, kept = dict(key_frames(source)[0]), key_frames(path)[0]
    assert 3 <= len(kept) <= len(whole)
    assert {time_s for time_s, _ in kept} <= set(whole)


def test_a_clock_that_starts_anew_ends_the_look(tmp_path: Path) -> None:
    first = make.colour_video(tmp_path / "a.ts", [("red", 30.0)])
    second = make.colour_video(tmp_path / "b.ts", [("blue", 3.0)])
    joined = tmp_path / "c.ts"
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    taken, duration_s = key_frames(joined)
    assert taken == key_frames(first)[0]
    assert duration_s == pytest.approx(30.0, abs=0.1)
