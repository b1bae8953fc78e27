"""Clips of sources whose pictures or sound are unusual look and sound right."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.codec.context import Flags
from numbered import Recipe, beeps, number_of, picture, read, sound_length, write
from single_clip import export_clip

from index.clips.export import ClipRequest, ClipResult, ExportOptions
from index.media.container import open_video, upright

JPEG = 2


def cut(path: Path, start_s: float, end_s: float, out: Path, **options) -> ClipResult:
    wanted = ClipRequest(os.fsencode(path), start_s, end_s, path.stem)
    result = export_clip(wanted, ExportOptions(out, **options))
    assert result.ok, result.failure
    assert result.verified, result.notes
    return result


def shown(path: Path) -> list[np.ndarray]:
    """Pictures as a player shows them that honours rotation."""
    with open_video(path) as video:
        video.rewind()
        return [upright(frame) for frame in video.container.decode(video.stream)]


def facts(path: Path) -> tuple[int, int, str, Fraction]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return stream.width, stream.height, stream.pix_fmt, stream.sample_aspect_ratio


@pytest.mark.parametrize("rotation", [90, 180, 270])
@pytest.mark.parametrize("mode", ["exact", "copy"])
def test_turned_pictures_stay_upright(tmp_path, rotation, mode):
    source = write(tmp_path / "turned.mp4", Recipe(frames=40, rotation=rotation))
    assert [number_of(rgb) for rgb in shown(source)] == list(range(40))
    result = cut(source, 0.4, 1.2, tmp_path, mode=mode)
    assert [number_of(rgb) for rgb in shown(result.path)] == list(range(10, 30))
    if mode == "exact":
        # Turned for good: a player that ignores rotation shows it upright too.
        assert facts(result.path)[:2] == (160, 96)
        assert [number for number, _ in read(result.path)] == list(range(10, 30))


@pytest.mark.parametrize("turn", [0, 90])
def test_anamorphic_pictures_keep_their_shape(tmp_path, turn):
    recipe = Recipe(frames=30, aspect=Fraction(4, 3), rotation=turn)
    source = write(tmp_path / "wide.mp4", recipe)
    result = cut(source, 0.4, 1.0, tmp_path)
    assert facts(result.path)[3] == (Fraction(3, 4) if turn else Fraction(4, 3))


@pytest.mark.parametrize("size", [(161, 97), (160, 97), (161, 96)])
def test_odd_sizes_lose_no_pixel(tmp_path, size):
    width, height = size
    recipe = Recipe(
        frames=30, width=width, height=height, codec="ffv1", pix_fmt="yuv444p", options={}
    )
    source = write(tmp_path / "odd.mkv", recipe)
    result = cut(source, 0.4, 1.0, tmp_path)
    even = (width + width % 2, height + height % 2)
    assert facts(result.path)[:3] == (*even, "yuv420p")
    pictures = shown(result.path)
    for number, rgb in zip(range(10, 25), pictures, strict=True):
        want = picture(number, width, height)
        difference = np.abs(rgb[:height, :width].astype(int) - want)
        assert difference.mean() < 4
        # The added column is like its neighbour, not black.
        assert np.abs(rgb[:, -1].astype(int) - rgb[:, width - 1]).mean() < 4


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "suffix"),
    [
        ("libx264", "yuv420p10le", "mp4"),
        ("libx264", "yuv422p", "mp4"),
        ("prores", "yuv422p10le", "mov"),
        ("ffv1", "bgr0", "mkv"),
        ("mjpeg", "yuvj420p", "avi"),
    ],
)
def test_other_formats_become_plain_ones_with_the_same_look(tmp_path, codec, pix_fmt, suffix):
    clock = Fraction(1, 25)
    recipe = Recipe(frames=30, codec=codec, pix_fmt=pix_fmt, options={}, clock=clock, sound=None)
    if codec == "mjpeg":
        recipe.color_range = JPEG
    source = write(tmp_path / f"source.{suffix}", recipe)
    result = cut(source, 0.4, 1.0, tmp_path)
    assert facts(result.path)[2] == "yuv420p"
    pictures = shown(result.path)
    assert [number_of(rgb) for rgb in pictures] == list(range(10, 25))
    # Levels kept: neither washed out nor crushed by a wrong range.
    for number, rgb in zip(range(10, 25), pictures, strict=True):
        assert np.abs(rgb.astype(int) - picture(number)).mean() < 6


def test_many_bits_are_mentioned(tmp_path):
    recipe = Recipe(frames=30, pix_fmt="yuv420p10le", sound=None)
    result = cut(write(tmp_path / "deep.mp4", recipe), 0.4, 1.0, tmp_path)
    assert any("8 bits" in note for note in result.notes)


def test_interlaced_pictures_stay_interlaced(tmp_path):
    flags = Flags.interlaced_dct | Flags.interlaced_me
    recipe = Recipe(
        frames=40, codec="mpeg2video", options={"g": "12"}, clock=Fraction(1, 25), flags=flags
    )
    source = write(tmp_path / "fields.ts", recipe)
    result = cut(source, 0.4, 1.0, tmp_path)
    with av.open(str(result.path)) as container:
        frames = list(container.decode(video=0))
    assert [number_of(frame.to_ndarray(format="rgb24")) for frame in frames] == list(range(10, 25))


def test_colour_description_is_carried(tmp_path):
    source = tmp_path / "hdr.mp4"
    options = {
        "x265-params": "log-level=none:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc"
    }
    recipe = Recipe(frames=30, codec="libx265", options=options, pix_fmt="yuv420p10le", sound=None)
    result = cut(write(source, recipe), 0.4, 1.0, tmp_path)
    with av.open(str(result.path)) as container:
        frame = next(container.decode(video=0))
    assert (int(frame.color_primaries), int(frame.color_trc), int(frame.colorspace)) == (9, 16, 9)
    assert any("HDR" in note for note in result.notes)


def test_a_long_held_picture_is_cut_at_the_asked_points(tmp_path):
    times = [Fraction(0), Fraction(5), Fraction(10)]
    source = write(tmp_path / "slides.mp4", Recipe(frames=3, times=times, sound="aac"))
    result = cut(source, 3.0, 7.0, tmp_path)
    assert (result.start_s, result.end_s) == (3.0, 7.0)
    assert read(result.path) == [(0, 0.0), (1, 2.0)]
    assert beeps(result.path) == pytest.approx([0, 1, 2, 3], abs=0.003)


def test_one_moment_inside_one_held_picture(tmp_path):
    times = [Fraction(0), Fraction(8)]
    source = write(tmp_path / "slide.mp4", Recipe(frames=2, times=times))
    result = cut(source, 2.0, 4.0, tmp_path)
    assert (result.frames, result.start_s, result.end_s) == (1, 2.0, 4.0)
    with av.open(str(result.path)) as container:
        stream = container.streams.video[0]
        assert float(stream.duration * stream.time_base) == pytest.approx(2.0, abs=0.001)


@pytest.mark.parametrize("mode", ["exact", "copy"])
@pytest.mark.parametrize(("begin", "end"), [(2, None), (0, Fraction(3, 2)), (0, 9)])
def test_sound_that_starts_late_stops_early_or_goes_on(tmp_path, begin, end, mode):
    recipe = Recipe(sound_from_s=Fraction(begin), sound_to_s=end)
    source = write(tmp_path / "sound.mp4", recipe)
    result = cut(source, 0.5, 3.3, tmp_path, mode=mode)
    last = min(4, 4 if end is None else end)
    want = [second - 0.48 for second in range(max(1, begin), 4) if second < last]
    assert result.start_s == pytest.approx(0.48)
    assert beeps(result.path) == pytest.approx(want, abs=0.003)
    assert sound_length(result.path) < 2.95


def test_a_clip_where_the_sound_is_over_has_no_sound_track(tmp_path):
    source = write(tmp_path / "short.mp4", Recipe(sound_to_s=Fraction(1)))
    for mode in ("exact", "copy"):
        result = cut(source, 2.0, 3.0, tmp_path, mode=mode)
        with av.open(str(result.path)) as container:
            assert sum(1 for _ in container.demux(container.streams.video[0]) if _.size) >= 25


@pytest.mark.parametrize("mode", ["exact", "copy"])
def test_every_sound_track_comes_along(tmp_path, mode):
    source = write(tmp_path / "two.mkv", Recipe(tracks=2))
    result = cut(source, 0.5, 3.3, tmp_path, mode=mode)
    for track in (0, 1):
        assert beeps(result.path, track) == pytest.approx([0.52, 1.52, 2.52], abs=0.003)


@pytest.mark.parametrize("codec", ["libopus", "flac", "pcm_s16le", "mp2", "ac3"])
@pytest.mark.parametrize("mode", ["exact", "copy"])
def test_other_sound_codecs(tmp_path, codec, mode):
    source = write(tmp_path / "sound.mkv", Recipe(sound=codec))
    container = "mov" if codec == "pcm_s16le" and mode == "copy" else "mp4"
    result = cut(source, 0.5, 3.3, tmp_path, mode=mode, container=container)
    assert beeps(result.path) == pytest.approx([0.52, 1.52, 2.52], abs=0.003)


def test_times_go_on_where_recordings_were_joined(tmp_path):
    parts = [write(tmp_path / f"{n}.ts", Recipe(frames=n)) for n in (60, 80)]
    source = tmp_path / "joined.ts"
    source.write_bytes(b"".join(part.read_bytes() for part in parts))
    result = cut(source, 1.6, 4.2, tmp_path)
    assert [number for number, _ in read(result.path)] == [*range(40, 60), *range(45)]
    # Tones at 0, 1, 2 s of the first recording, which lasts 2.4 s, and again of the second.
    assert beeps(result.path) == pytest.approx([0.4, 0.8, 1.8], abs=0.03)
    refused = export_clip(
        ClipRequest(os.fsencode(source), 1.6, 4.2, "joined"), ExportOptions(tmp_path, mode="copy")
    )
    assert "joined" in str(refused.failure)
    assert "--mode exact" in refused.failure.remedy


@pytest.mark.parametrize(
    ("name", "recipe"),
    [
        ("old.avi", Recipe(codec="mpeg4", options={"g": "30", "bf": "2"}, sound="mp2")),
        ("odd.avi", Recipe(options={"g": "30", "bf": "3"}, sound=None)),
        ("disc.mpg", Recipe(codec="mpeg2video", options={"g": "12", "bf": "2"}, sound="mp2")),
        ("web.flv", Recipe(clock=Fraction(1, 1000))),
        ("raw.h264", Recipe(sound=None)),
    ],
)
def test_old_containers(tmp_path, name, recipe):
    if recipe.codec != "libx264" or name.endswith("avi"):
        recipe.clock = Fraction(1, 25)
    source = write(tmp_path / name, recipe)
    result = cut(source, 1.6, 3.2, tmp_path)
    assert [number for number, _ in read(result.path)] == list(range(40, 80))
    if recipe.sound:
        # AVI has no presentation times: players show its picture a frame late, too.
        assert beeps(result.path) == pytest.approx([0.4, 1.4], abs=0.05)


@pytest.mark.parametrize("suffix", ["mkv", "ts", "mp4"])
def test_a_damaged_or_cut_off_source_gives_what_can_be_read(tmp_path, suffix):
    source = write(tmp_path / f"damaged.{suffix}", Recipe(options={"g": "10", "bf": "2"}))
    content = bytearray(source.read_bytes())
    if suffix == "mp4":
        content[len(content) // 3 : len(content) // 3 + 200] = bytes(200)
    else:
        del content[len(content) // 2 :]
    source.write_bytes(content)
    wanted = ClipRequest(os.fsencode(source), 0.4, 3.6, "damaged")
    result = export_clip(wanted, ExportOptions(tmp_path / "out"))
    assert result.ok, result.failure
    with av.open(str(result.path)) as container:
        frames = sum(1 for _ in container.decode(video=0))
    assert frames == result.frames
    if suffix != "mp4":
        assert 15 < frames < 60
        assert any("nothing can be read after that" in note for note in result.notes)
