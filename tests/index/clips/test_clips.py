"""Clips cut from numbered videos: every frame, every beep, every file in its place."""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from numbered import Recipe, beeps, read, sound_length, write
from single_clip import export_clip

from index import failpoints
from index.clips.export import ClipRequest, ClipResult, ExportOptions
from index.errors import UsageError

VFR = [Fraction(n, 25) + (Fraction(n % 3, 90) if n % 5 else 0) for n in range(100)]
SOURCES = {
    "long-gop.mp4": Recipe(),
    "short-gop.mp4": Recipe(options={"g": "12", "bf": "3"}),
    "open-gop.mkv": Recipe(options={"g": "24", "bf": "3", "x264-params": "open-gop=1"}),
    "vfr.mp4": Recipe(times=VFR),
    "vfr.mkv": Recipe(times=VFR, options={"g": "30", "bf": "3"}),
    "ntsc.mov": Recipe(times=[Fraction(n * 1001, 30000) for n in range(100)], fps=30),
    "stream.ts": Recipe(options={"g": "30", "bf": "3"}, shift_s=Fraction(10)),
    "mpeg2.ts": Recipe(codec="mpeg2video", options={"g": "12", "bf": "2"}, clock=Fraction(1, 25)),
    "late.mp4": Recipe(shift_s=Fraction(7, 2)),
    "piped.mkv": Recipe(options={"g": "30", "bf": "3"}),
    "hevc.mp4": Recipe(codec="libx265", options={"g": "40", "x265-params": "log-level=none"}),
    "vp9.mkv": Recipe(codec="libvpx-vp9", options={"g": "40", "deadline": "realtime"}),
    "silent.mp4": Recipe(sound=None),
}
SPANS = [(1.23, 2.5), (0.0, 0.2), (3.3, 9.0), (2.04, 2.08)]


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    for name, recipe in SOURCES.items():
        write(folder / name, recipe)
    return folder


@pytest.fixture(autouse=True)
def _disarmed():
    yield
    failpoints.disarm()


def request(path: Path, start_s: float, end_s: float, **more) -> ClipRequest:
    return ClipRequest(os.fsencode(path), start_s, end_s, path.stem, **more)


def cut(path: Path, start_s: float, end_s: float, out: Path, **options) -> ClipResult:
    result = export_clip(request(path, start_s, end_s), ExportOptions(out, **options))
    assert result.ok, result.failure
    return result


def expected(path: Path, start_s: float, end_s: float) -> list[tuple[int, float]]:
    """The frames on screen in the span, by decoding everything; times of the source from zero."""
    frames = read(path)
    frames = [(number, time - frames[0][1]) for number, time in frames]
    first = max(n for n, (_, time) in enumerate(frames) if time <= start_s + 0.0006)
    return [frame for frame in frames[first:] if frame[1] < end_s - 0.0006]


def assert_frames(got: list[tuple[int, float]], want: list[tuple[int, float]]) -> None:
    assert [number for number, _ in got] == [number for number, _ in want]
    for (_, time), (_, source_time) in zip(got, want, strict=True):
        assert time - got[0][1] == pytest.approx(source_time - want[0][1], abs=0.0012)


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("mode", ["exact", "copy"])
def test_holds_exactly_the_frames_on_screen(media, tmp_path, name, mode):
    for start_s, end_s in SPANS:
        result = cut(media / name, start_s, end_s, tmp_path, mode=mode)
        want = expected(media / name, start_s, end_s)
        got = read(result.path)
        assert_frames(got, want)
        assert got[0][1] == 0
        assert result.verified, result.notes
        assert result.frames == len(want)
        assert result.start_s == pytest.approx(want[0][1], abs=1e-6)
        assert 0 < result.end_s - want[-1][1] < 0.1


@pytest.mark.parametrize("name", ["long-gop.mp4", "open-gop.mkv", "hevc.mp4", "stream.ts"])
def test_copies_any_span(media, tmp_path, name):
    chance = random.Random(name)
    frames = read(media / name)
    for _ in range(25):
        first, last = sorted(chance.sample(range(100), 2))
        start_s, end_s = first / 25 + chance.random() / 30, last / 25 + chance.random() / 30
        result = cut(media / name, start_s, end_s, tmp_path, mode="copy", verify=False)
        start = max(n for n in range(100) if n / 25 <= start_s + 0.0006)
        count = sum(start_s <= n / 25 < end_s - 0.0006 or n == start for n in range(start, 100))
        assert [n for n, _ in read(result.path)] == [n for n, _ in frames[start : start + count]]


def test_exact_clip_needs_no_edit_list(media, tmp_path):
    result = cut(media / "long-gop.mp4", 1.23, 2.5, tmp_path)
    assert read(result.path, {"ignore_editlist": "1"}) == read(result.path)


@pytest.mark.parametrize("container", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize("name", ["long-gop.mp4", "vfr.mkv", "stream.ts", "late.mp4", "ntsc.mov"])
@pytest.mark.parametrize("mode", ["exact", "copy"])
def test_sound_stays_in_step(media, tmp_path, name, mode, container):
    if mode == "copy" and container == "mkv":
        with pytest.raises(UsageError, match="key frames"):
            ExportOptions(tmp_path, mode="copy", container="mkv")
        return
    result = cut(media / name, 0.53, 3.2, tmp_path, mode=mode, container=container)
    heard = beeps(result.path)
    assert len(heard) == len(beeps(media / name)) - 1
    for second, time in enumerate(heard, start=1):
        assert time == pytest.approx(second - result.start_s, abs=0.003)
    assert sound_length(result.path) == pytest.approx(result.end_s - result.start_s, abs=0.05)


def boxes(content: bytes, at: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    """Boxes of an MP4 file by the letter of its specification, parents opened."""
    while at < end:
        size, kind = struct.unpack_from(">I4s", content, at)
        yield kind, content[at + 8 : at + size]
        if kind in (b"moov", b"trak", b"edts", b"mdia", b"minf", b"stbl"):
            yield from boxes(content, at + 8, at + size)
        at += size


def presented(path: Path) -> tuple[int, int, float]:
    """Pictures before the first edit, pictures in it, and its seconds: no FFmpeg involved."""
    found: dict[bytes, bytes] = {}
    for kind, content in boxes(path.read_bytes(), 0, path.stat().st_size):
        found.setdefault(kind, content)
    movie_scale = struct.unpack_from(">I", found[b"mvhd"], 12)[0]
    scale = struct.unpack_from(">I", found[b"mdhd"], 12)[0]
    entries, length, begin = struct.unpack_from(">IIi", found[b"elst"], 4)
    assert entries == 1
    runs = struct.iter_unpack(">II", found[b"stts"][8:])
    steps = [step for count, step in runs for _ in range(count)]
    decoded = [sum(steps[:n]) for n in range(len(steps))]
    runs = struct.iter_unpack(">Ii", found[b"ctts"][8:])
    delays = [delay for count, delay in runs for _ in range(count)]
    starts = sorted(time + delay for time, delay in zip(decoded, delays, strict=True))
    end = begin + length * scale / movie_scale
    shown = [start for start in starts if begin <= start < end]
    assert shown[0] == begin
    return sum(start < begin for start in starts), len(shown), length / movie_scale


@pytest.mark.parametrize("name", ["long-gop.mp4", "ntsc.mov", "stream.ts", "hevc.mp4"])
def test_the_edit_list_says_what_it_should_by_the_specification(media, tmp_path, name):
    for start_s, end_s in [(1.23, 2.5), (0.6, 0.68), (2.0, 3.1)]:
        result = cut(media / name, start_s, end_s, tmp_path, mode="copy")
        hidden, count, length_s = presented(result.path)
        assert count == result.frames
        assert length_s == pytest.approx(result.end_s - result.start_s, abs=0.001)
        assert hidden == 0 or any(f"{hidden} before" in note for note in result.notes)
