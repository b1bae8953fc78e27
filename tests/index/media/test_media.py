"""The one door: what is opened, what is refused, and how pictures are made upright."""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import threading
from fractions import Fraction
from pathlib import Path

import av
import media_factory as make
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import MediaError
from index.media.container import open_output, open_video, upright

TASKS = Path("/proc/self/task")
"""Linux lists a process's threads there; elsewhere nothing is counted."""

SHOTS = [("red", 1.0), ("blue", 1.0)]


def first_picture(path: Path):
    with open_video(path) as video:
        return video.upright(video.first), video.info


def refusal(path: Path) -> str:
    with pytest.raises(MediaError) as caught, open_video(path):
        pass
    assert str(path) in caught.value.message
    assert caught.value.remedy
    return caught.value.message.removeprefix(f"{path}: ")


def test_facts_of_an_ordinary_file(tmp_path: Path) -> None:
    path = make.colour_video(tmp_path / "a.mp4", SHOTS, tone=True)
    with open_video(os.fsencode(path)) as video:
        info = video.info
        assert video.path == path
        assert make.nearest_colour(video.upright(video.first)) == "red"
    assert (info.width, info.height, info.fps, info.rotation) == (64, 48, 25.0, 0)
    assert (info.codec, info.container, info.has_audio) == ("h264", "mov", True)
    assert info.duration_s == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("codec", make.ENCODERS)
def test_every_codec_opens(tmp_path: Path, codec: str) -> None:
    path = make.colour_video(tmp_path / "a.mkv", SHOTS, codec=codec)
    picture, info = first_picture(path)
    assert make.nearest_colour(picture) == "red"
    assert info.codec == {"mpeg2": "mpeg2video"}.get(codec, codec)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_rotation_is_undone(tmp_path: Path, degrees: int) -> None:
    picture, info = first_picture(make.rotated_video(tmp_path / "a.mp4", degrees))
    assert make.corner_colours(picture) == make.CORNERS
    assert info.rotation == (360 - degrees) % 360
    assert (info.height, info.width) == picture.shape[:2] == (48, 64)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
@pytest.mark.parametrize("aspect", [Fraction(2), Fraction(1, 2)])
def test_pixels_become_square(tmp_path: Path, name: str, aspect: Fraction) -> None:
    picture, info = first_picture(make.anamorphic_video(tmp_path / name, aspect))
    shape = (48, 128) if aspect > 1 else (96, 64)
    assert picture.shape[:2] == (info.height, info.width) == shape
    assert make.corner_colours(picture) == make.CORNERS


@pytest.mark.parametrize("codec", ["hevc", "h264"])
def test_ten_bits_become_eight(tmp_path: Path, codec: str) -> None:
    picture, _ = first_picture(make.ten_bit_video(tmp_path / "a.mp4", codec))
    assert picture.dtype == "uint8"
    assert make.corner_colours(picture) == make.CORNERS


def test_interlaced_pictures_show_one_field(tmp_path: Path) -> None:
    with open_video(make.interlaced_video(tmp_path / "a.mp4")) as video:
        assert video.first.interlaced_frame
        picture = video.upright(video.first)
    assert picture.shape == (48, 64, 3)
    assert make.nearest_colour(picture) == "red"
    assert make.nearest_colour(picture[1::2]) == "red"


def test_pictures_start_no_threads(tmp_path: Path) -> None:
    """A thread for each frame used up the memory that one file may take, after an hour of it."""
    path = make.colour_video(tmp_path / "a.mp4", SHOTS)
    with open_video(path) as video, av.open(str(path)) as other:
        frames = list(other.decode(video=0))
        before = sorted(TASKS.glob("*"))
        for frame in frames:
            video.upright(frame)
        assert sorted(TASKS.glob("*")) == before


def test_frames_are_let_go_once_they_are_pictures(tmp_path: Path) -> None:
    """Frames in cycles kept their pictures until the collector ran, video after video."""
    path = make.colour_video(tmp_path / "a.mp4", SHOTS)
    gc.collect()
    gc.disable()
    try:
        with open_video(path) as video, av.open(str(path)) as other:
            for frame in other.decode(video=0):
                video.upright(frame)
            alive = sum(type(each) is av.VideoFrame for each in gc.get_objects())
    finally:
        gc.enable()
    assert alive <= 6


def test_odd_sizes_are_kept(tmp_path: Path) -> None:
    picture, info = first_picture(make.odd_size_video(tmp_path / "a.mp4"))
    assert picture.shape == (47, 63, 3)
    assert (info.width, info.height) == (63, 47)
    assert make.corner_colours(picture) == make.CORNERS


@pytest.mark.parametrize("pixels", ["gray", "rgb24", "yuv444p", "yuva420p", "nv12", "gbrp"])
def test_any_pixel_format_becomes_rgb(pixels: str) -> None:
    frame = av.VideoFrame.from_ndarray(make.corner_picture(), format="rgb24")
    picture = upright(frame.reformat(format=pixels))
    assert picture.shape == (48, 64, 3)
    assert picture.dtype == "uint8"
    if pixels != "gray":
        assert make.corner_colours(picture) == make.CORNERS


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_the_main_stream_is_shown(tmp_path: Path, name: str) -> None:
    picture, info = first_picture(make.two_stream_video(tmp_path / name))
    assert make.nearest_colour(picture) == "red"
    assert (info.width, info.height) == make.SIZE


def test_cover_art_is_not_the_video(tmp_path: Path) -> None:
    picture, _ = first_picture(make.cover_art_file(tmp_path / "a.mp4", with_video=True))
    assert make.nearest_colour(picture) == "red"
    assert refusal(make.cover_art_file(tmp_path / "b.mp4", with_video=False)) == (
        "only a cover picture"
    )


def test_files_without_a_picture_say_why(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    assert refusal(tmp_path / "empty.mp4") == "the file is empty"
    assert refusal(make.audio_only(tmp_path / "sound.mp4")) == "no video stream"
    noise = refusal(make.random_bytes(tmp_path / "noise.mp4"))
    assert noise == "not a video container, or its header is damaged or cut off"
    source = make.colour_video(tmp_path / "a.mp4", SHOTS)
    assert refusal(make.truncated(tmp_path / "cut.mp4", source, 0.3)) == noise
    assert refusal(tmp_path / "missing.mp4") == "No such file or directory"
    header = make.truncated(tmp_path / "header.mkv", make.moving_video(tmp_path / "b.mkv"), 0.02)
    assert refusal(header) in (noise, "no picture in it could be decoded", "no video stream")


def test_pictures_without_end_are_refused_before_decoding(tmp_path: Path) -> None:
    path = make.huge_picture(tmp_path / "a.mp4", side=12000)
    assert refusal(path) == "its pictures are too large (12000x12000, 144 MP)"


def test_only_regular_files_are_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make.colour_video(tmp_path / "a.mp4", SHOTS)
    link = tmp_path / "link.mp4"
    link.symlink_to(source)
    assert refusal(link) == "not a regular file"
    assert refusal(make.fifo(tmp_path / "pipe.mp4")) == "not a regular file"
    assert refusal(tmp_path) == "not a regular file"
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(tmp_path)  # socket names are short
        listener.bind("s.mp4")
        assert refusal(tmp_path / "s.mp4") == "not a regular file"
    assert refusal(Path("/dev/null")) == "not a regular file"


@pytest.mark.parametrize("kind", ["ffconcat", "hls", "hls-file", "sdp", "dash", "dash-file"])
@pytest.mark.parametrize("ending", [".mp4", ".m3u8", ".ffconcat", ".mpd", ".sdp", ".ts"])
def test_scripts_reach_neither_files_nor_the_network(
    tmp_path: Path, kind: str, ending: str
) -> None:
    secret = make.colour_video(tmp_path / "secret.ts", SHOTS)
    calls = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def listen() -> None:
            with contextlib.suppress(OSError):
                calls.append(server.accept()[0].close())

        listener = threading.Thread(target=listen)
        listener.start()
        address = f"http://127.0.0.1:{port}/secret.ts"
        path = tmp_path / f"script{ending}"
        if kind == "ffconcat":
            make.concat_script(path, secret)
        elif kind.startswith("hls"):
            make.hls_playlist(path, secret.name if kind == "hls-file" else address)
        elif kind == "sdp":
            make.sdp_session(path, port)
        else:
            make.dash_manifest(path, secret.name if kind == "dash-file" else address)
        reason = refusal(path)
        server.shutdown(socket.SHUT_RDWR)
        listener.join()
    assert reason == "not a video container, or its header is damaged or cut off"
    assert not calls


@pytest.mark.parametrize("name", ["a.mkv", "a.avi"])
def test_tags_in_another_encoding_do_no_harm(tmp_path: Path, name: str) -> None:
    picture, _ = first_picture(make.foreign_tag_video(tmp_path / name, SHOTS))
    assert make.nearest_colour(picture) == "red"


@pytest.mark.parametrize(
    "name",
    [
        "-x.mp4",
        "concat:a|b.mp4",
        "cache:x.mp4",
        "new\nline.mp4",
        "\x1b[31m.mp4",
        "[b].mp4",
        "%d.mp4",
    ],
)
def test_names_are_never_addresses(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make.colour_video(tmp_path / "a.mp4", SHOTS)
    monkeypatch.chdir(tmp_path)
    source.rename(tmp_path / name)
    picture, _ = first_picture(Path(name))
    assert make.nearest_colour(picture) == "red"


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    source = make.colour_video(tmp_path / "a.mp4", SHOTS)
    name = os.fsencode(tmp_path) + b"/\xff\xfe.mp4"
    source.rename(os.fsdecode(name))
    with open_video(name) as video:
        assert make.nearest_colour(video.upright(video.first)) == "red"


def test_rewinding_starts_over(tmp_path: Path) -> None:
    with open_video(make.colour_video(tmp_path / "a.mp4", SHOTS)) as video:
        before = [(p.pts, p.size) for p in [*video.head, *video.packets()]]
        video.rewind()
        assert [(p.pts, p.size) for p in [*video.head, *video.packets()]] == before


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    with open_output(path, "matroska") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height = make.SIZE
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(make.solid("green"), format="rgb24")
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    picture, info = first_picture(path)
    assert make.nearest_colour(picture) == "green"
    assert info.container == "matroska"


@settings(max_examples=150, deadline=None)
@given(
    flips=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=12
    ),
    name=st.sampled_from(["a.mp4", "a.mkv", "a.ts", "a.avi"]),
)
def test_damage_never_raises_anything_else(
    sources: Path, flips: list[tuple[float, int]], name: str
) -> None:
    data = bytearray((sources / name).read_bytes())
    for where, change in flips:
        data[int(where * len(data))] ^= change
    damaged = sources / f"damaged-{name}"
    damaged.write_bytes(bytes(data))
    with contextlib.suppress(MediaError), open_video(damaged) as video:
        assert video.upright(video.first).dtype == "uint8"


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    for name in ("a.mp4", "a.mkv", "a.ts", "a.avi"):
        make.moving_video(folder / name, 0.6, tags={"title": "a title"})
    return folder
