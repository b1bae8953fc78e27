"""Choosing frames before decoding gives the same frames and times as decoding everything."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import av.error
import media_factory as make
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sampled import CASES, Samples, samples

from index.media.container import open_video
from index.media.gop import promises
from index.media.timeline import Chooser, Clock
from index.sampling.sampler import Sampler, sample_range
from index.types import SamplingReport


def assert_same(path: Path, step_s: float) -> Samples:
    fast, fast_report = samples(path, step_s)
    plain, plain_report = samples(path, step_s, everything=True)
    assert [t for t, _ in fast] == [t for t, _ in plain]
    assert fast == plain
    assert fast_report == plain_report
    return fast


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("clips")
    made = {}
    for name, (ending, how) in CASES.items():
        made[name] = make.moving_video(folder / f"{name}{ending}", 5.0, size=(96, 64), **how)
    return made


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("step_s", [1.0, 0.25, 0.73])
def test_same_frames_as_decoding_everything(
    clips: dict[str, Path], name: str, step_s: float
) -> None:
    taken = assert_same(clips[name], step_s)
    assert len(taken) in (len(range(0, 500, round(step_s * 100))),)
    for number, (time_s, _) in enumerate(taken):
        assert abs(time_s - number * step_s) <= 0.0201


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("span_s", [(2.5, 4.0), (3.9, None), (0.3, 0.9), (4.8, 9.0)])
def test_a_range_gives_the_frames_of_the_whole(
    clips: dict[str, Path], name: str, span_s: tuple[float, float | None]
) -> None:
    start_s, end_s = span_s
    whole, _ = samples(clips[name], 0.25, everything=True)
    part, _ = samples(clips[name], 0.25, start_s, end_s)
    first = -(-start_s // 0.25)
    wanted = [
        taken
        for number, taken in enumerate(whole)
        if number >= first and (end_s is None or number * 0.25 < end_s)
    ]
    assert part == wanted


@pytest.mark.parametrize(
    "name", ["h264-mp4", "hevc-open-gop-mp4", "mpeg2-ts", "mjpeg-mov", "vp9", "av1-mp4"]
)
def test_trusted_streams_are_not_decoded_whole(clips: dict[str, Path], name: str) -> None:
    read: list[int] = []
    with open_video(clips[name]) as video:
        assert promises(video)
        sampler = Sampler(video, 1.0)
        sampler._decoded = None  # type: ignore[assignment] # the plain way cannot run
        read.extend(1 for _ in sampler.frames())
    assert len(read) == 5


def test_a_group_without_a_sample_is_never_decoded(tmp_path: Path) -> None:
    path = make.moving_video(tmp_path / "a.mp4", 4.0, gop=5, b_frames=0)
    sent = []
    with open_video(path) as video:
        sampler = Sampler(video, 1.0)
        decode = sampler._decode_or_doubt

        def count(packet, gop):
            sent.append(packet)
            return decode(packet, gop)

        sampler._decode_or_doubt = count  # type: ignore[method-assign]
        assert len(list(sampler.frames())) == 4
    assert sum(packet is not None for packet in sent) == 4


@pytest.mark.parametrize("codec", ["h264", "hevc", "mpeg4", "vp9", "av1"])
@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
@pytest.mark.parametrize("seed", [1, 2])
def test_uneven_times(tmp_path: Path, codec: str, ending: str, seed: int) -> None:
    shots = [("red", 1.5), ("blue", 1.5), ("green", 1.0)]
    path = make.vfr_video(tmp_path / f"a{ending}", shots, seed, codec=codec, gop=20)
    for step_s in (1.0, 0.25):
        assert_same(path, step_s)
    with open_video(path) as video:
        for time_s, picture in Sampler(video, 0.25):
            wanted = "red" if time_s < 1.4999 else "blue" if time_s < 2.9999 else "green"
            assert make.nearest_colour(picture) == wanted


@settings(max_examples=25, deadline=None)
@given(
    gaps=st.lists(st.integers(1, 40), min_size=1, max_size=60),
    gop=st.integers(1, 20),
    b_frames=st.integers(0, 4),
    step=st.sampled_from([1.0, 0.25, 0.4]),
    start_s=st.sampled_from([0.0, 7.5]),
    open_gop=st.booleans(),
)
def test_any_times_and_groups(
    tmp_path_factory: pytest.TempPathFactory,
    gaps: list[int],
    gop: int,
    b_frames: int,
    step: float,
    start_s: float,
    open_gop: bool,
) -> None:
    path = tmp_path_factory.mktemp("any") / "a.mkv"
    times = [sum(gaps[:n]) / 25 for n in range(len(gaps))]
    make.write_video(
        path,
        (make.moving_picture(n) for n in range(len(gaps))),
        times_s=times,
        gop=gop,
        b_frames=b_frames,
        start_s=start_s,
        options={"x264-params": f"scenecut=0:threads=1:open-gop={int(open_gop)}"},
    )
    taken = assert_same(path, step)
    chosen = [t for t, _ in taken]
    assert chosen == sorted(set(chosen))
    for number in range(int(times[-1] / step) + 1):
        best = min(abs(t - number * step) for t in times)
        assert min(abs(t - number * step) for t in chosen) <= best + 0.0011


@pytest.mark.parametrize("skip_s", [0.48, 1.0, 2.2])
def test_edit_lists_hide_frames(tmp_path: Path, skip_s: float) -> None:
    source = make.colour_video(tmp_path / "a.mp4", [("red", 2.0), ("blue", 2.0)], gop=50)
    path = make.edited_video(tmp_path / "b.mp4", source, skip_s)
    for step_s in (1.0, 0.25):
        assert_same(path, step_s)
    with open_video(path) as video:
        sampler = Sampler(video, 0.25)
        for time_s, picture in sampler:
            wanted = "red" if time_s + skip_s < 1.999 else "blue"
            assert make.nearest_colour(picture) == wanted
        assert sampler.report().duration_s == pytest.approx(4.0 - skip_s, abs=0.041)
        assert sampler.report().note == ""


@pytest.mark.parametrize("codec", ["h264", "hevc", "mpeg4", "mpeg2", "vp9"])
@pytest.mark.parametrize("ending", [".mkv", ".ts"])
@pytest.mark.parametrize("seed", range(4))
def test_damage_gives_the_same_frames_both_ways(
    tmp_path: Path, codec: str, ending: str, seed: int
) -> None:
    if codec == "vp9":
        ending = ".webm"
    source = make.moving_video(
        tmp_path / f"a{ending}", 6.0, size=(128, 96), codec=codec, gop=12, b_frames=2
    )
    path = make.flipped(tmp_path / f"b{ending}", source, flips=12, seed=seed)
    for step_s in (1.0, 0.25):
        fast, fast_report = samples(path, step_s)
        plain, plain_report = samples(path, step_s, everything=True)
        assert [t for t, _ in fast] == [t for t, _ in plain]
        assert fast_report.duration_s == plain_report.duration_s
        # What a decoder invents for lost blocks depends on the memory it happens to reuse.
        guessed = guessed_times(path)
        for quick, slow in zip(fast, plain, strict=True):
            assert quick == slow or any(a <= quick[0] < b for a, b in guessed)


def guessed_times(path: Path) -> list[tuple[float, float]]:
    """Stretches from a damaged frame and its group to the next key frame, in seconds."""
    with open_video(path) as video:
        start = video.first.time
        video.rewind()
        flags = []
        for packet in [*video.packets(), None]:
            try:
                frames = video.stream.codec_context.decode(packet)
            except (av.error.FFmpegError, LookupError):
                continue
            base = float(video.stream.time_base)
            flags += [(f.pts * base - start, f.key_frame, f.is_corrupt) for f in frames]
    keys = [time for time, key, _ in flags if key]
    stretches = []
    for time, _, corrupt in flags:
        if corrupt:
            low = max([key for key in keys if key <= time], default=0.0)
            stretches.append((low - 0.5, [*(k for k in keys if k > time), 1e9, 1e9][0]))
    return stretches


def test_damage_inside_costs_few_frames(tmp_path: Path) -> None:
    source = make.moving_video(tmp_path / "a.mp4", 8.0, size=(128, 96), gop=25)
    path = make.flipped(tmp_path / "b.mp4", source, flips=10, seed=3, spare=0.15)
    whole, _ = samples(source, 0.25)
    kept, report = samples(path, 0.25)
    assert len(kept) >= 0.9 * len(whole)
    assert report.duration_s == pytest.approx(8.0, abs=0.5)


def test_a_cut_tail_is_said_and_the_rest_is_used(tmp_path: Path) -> None:
    source = make.moving_video(tmp_path / "a.mkv", 4.0, gop=12)
    path = make.truncated(tmp_path / "b.mkv", source, 0.5)
    taken, report = samples(path, 0.25)
    assert taken
    assert report.duration_s < 3.0
    assert report.note == f"truncated: {report.duration_s:.1f} of 4.0 s readable"
    faststart = make.moving_video(
        tmp_path / "c.mp4", 4.0, container_options={"movflags": "faststart"}
    )
    taken, report = samples(make.truncated(tmp_path / "d.mp4", faststart, 0.6), 1.0)
    assert 1 < len(taken) < 4
    assert report.note.startswith("truncated: ")


def test_joined_recordings_go_on_where_the_first_ended(tmp_path: Path) -> None:
    first = make.colour_video(tmp_path / "a.ts", [("red", 2.0), ("blue", 2.0)])
    second = make.colour_video(tmp_path / "b.ts", [("green", 4.0)])
    path = make.joined_ts(tmp_path / "c.ts", first, second)
    assert_same(path, 1.0)
    with open_video(path) as video:
        sampler = Sampler(video, 0.5)
        seen = [(t, make.nearest_colour(picture)) for t, picture in sampler]
    assert len(seen) == 16
    for time_s, colour in seen:
        assert colour == ("red" if time_s < 1.99 else "blue" if time_s < 3.99 else "green")
    assert sampler.report().duration_s == pytest.approx(8.0, abs=0.1)


@pytest.mark.parametrize("kind", ["offset.mkv", "offset.mp4", "offset.ts", "wrap.ts", "pipe.mkv"])
def test_time_zero_is_the_first_frame(tmp_path: Path, kind: str) -> None:
    shots = [("red", 2.0), ("blue", 2.0)]
    path = tmp_path / kind
    if kind == "wrap.ts":
        make.wrapping_ts(path, shots)
    elif kind == "pipe.mkv":
        make.no_duration_video(path, shots)
    else:
        make.colour_video(path, shots, start_s=10.0)
    assert_same(path, 0.25)
    with open_video(path) as video:
        assert (video.info.duration_s is None) == (kind == "pipe.mkv")
        if kind == "wrap.ts":
            assert video.first.pts is not None
            assert video.first.pts < 0
        sampler = Sampler(video, 0.25)
        seen = [(t, make.nearest_colour(picture)) for t, picture in sampler]
    assert seen[0] == (0.0, "red")
    assert len(seen) == 16
    for time_s, colour in seen:
        assert colour == ("red" if time_s < 1.99 else "blue")
    assert sampler.report().duration_s == pytest.approx(4.0, abs=0.05)
    assert sampler.report().note == ""


def test_a_stream_that_appears_later_does_no_harm(tmp_path: Path) -> None:
    first = make.colour_video(tmp_path / "a.ts", [("red", 2.0)])
    second = make.colour_video(tmp_path / "b.ts", [("blue", 30.0)], tone=True)
    path = make.joined_ts(tmp_path / "c.ts", first, second)
    taken = assert_same(path, 1.0)
    assert len(taken) == 32
    assert samples(path, 1.0)[1].damaged_packets == 0


def test_one_open_video_can_be_sampled_again(clips: dict[str, Path]) -> None:
    for name in ("h264-mp4", "hevc-open-gop-mkv", "mpeg2-ts", "h264-avi"):
        with open_video(clips[name]) as video:
            once = [t for t, _ in Sampler(video, 0.25).frames()]
            part = [t for t, _ in Sampler(video, 0.25, 3.0, 4.0).frames()]
            again = [t for t, _ in Sampler(video, 0.25).frames()]
        assert once == again
        assert part == once[12:16]


def test_missing_times_use_the_frame_rate_and_say_so(tmp_path: Path) -> None:
    path = make.colour_video(tmp_path / "a.h264", [("red", 2.0), ("blue", 2.0)])
    with open_video(path) as video:
        sampler = Sampler(video, 0.25)
        for time_s, picture in sampler:
            assert make.nearest_colour(picture) == ("red" if time_s < 1.99 else "blue")
        assert sampler.report() == SamplingReport(4.0, 0, True)


def test_one_frame_gives_one_sample(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.mkv", "a.avi"):
        path = make.one_frame_video(tmp_path / name)
        taken = assert_same(path, 1.0)
        assert [t for t, _ in taken] == [0.0]


def test_sound_does_not_disturb(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.mkv", "a.ts"):
        path = make.moving_video(tmp_path / name, 3.0, tone=True)
        assert len(assert_same(path, 1.0)) == 3
        assert samples(path, 1.0)[1].note == ""


def test_resuming_goes_on_without_a_gap_or_a_repeat(clips: dict[str, Path]) -> None:
    for name in ("h264-mp4", "hevc-open-gop-mkv", "h264-avi", "mpeg2-ts"):
        whole, _ = samples(clips[name], 0.25)
        for at in (0, 7, len(whole) - 1):
            last = whole[at][0]
            rest, _ = samples(clips[name], 0.25, last)
            assert whole[: at + 1] + [s for s in rest if s[0] > last] == whole


def test_sample_range_preprocesses(tmp_path: Path) -> None:
    path = make.colour_video(tmp_path / "a.mp4", [("red", 2.0), ("blue", 2.0)])
    times, pictures = sample_range(path, 1.5, 2.5, 0.25, lambda picture: picture[:1, :1])
    assert times == pytest.approx([1.5, 1.75, 2.0, 2.25], abs=0.021)
    assert [picture.shape for picture in pictures] == [(1, 1, 3)] * 4
    assert [make.nearest_colour(picture) for picture in pictures] == ["red"] * 2 + ["blue"] * 2


def test_an_endless_step_is_refused(tmp_path: Path) -> None:
    path = make.one_frame_video(tmp_path / "a.mp4")
    with open_video(path) as video, pytest.raises(ValueError, match="positive"):
        Sampler(video, 0.0)


@given(
    stamps=st.lists(st.one_of(st.none(), st.integers(-(2**62), 2**62)), min_size=1, max_size=50),
    small=st.lists(st.integers(-5000, 5000), max_size=50),
)
def test_times_never_fall_whatever_the_stamps(stamps: list[int | None], small: list[int]) -> None:
    for line in (stamps, [s for pair in zip(stamps, small, strict=False) for s in pair], small):
        clock = Clock(Fraction(1, 1000), Fraction(1, 25), Fraction(3600))
        times = [clock.read(stamp, 40) for stamp in line]
        assert times == sorted(times)
        assert all(time >= 0 for time in times)
        assert not times or times[0] == 0
        assert not times or clock.end > times[-1]


@given(
    gaps=st.lists(st.integers(1, 10**6), min_size=1, max_size=40),
    step=st.sampled_from([Fraction(1), Fraction(1, 4), Fraction(7, 3)]),
    tail=st.integers(1, 10**5),
)
def test_the_nearest_frame_is_chosen_once(gaps: list[int], step: Fraction, tail: int) -> None:
    times = [Fraction(sum(gaps[:n]), 1000) for n in range(len(gaps))]
    end = times[-1] + Fraction(tail, 1000)
    chooser = Chooser[int](step, 0)
    chosen = [c for n, t in enumerate(times) for c in chooser.feed(t, n)]
    chosen += list(chooser.finish(end))
    picked = [c.item for c in chosen]
    assert picked == sorted(set(picked))
    wanted = set()
    for n, time in enumerate(times):
        later = times[n + 1] if n + 1 < len(times) else None
        low = (times[n - 1] + time) / 2 if n else Fraction(-1)
        high = (time + later) / 2 if later is not None else None
        first = low // step + 1
        inside = first * step <= high if high is not None else first * step < end
        if inside:
            wanted.add(n)
    assert set(picked) == wanted
