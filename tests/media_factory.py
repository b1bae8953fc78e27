"""Real media for tests, made with PyAV in milliseconds: ordinary files and every odd one.

Pictures are small and plain, so that what must be seen is known: solid colours
at known instants, a moving bar, or four coloured corners. Every function
returns the path that it wrote.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from fakes import COLOURS

SIZE = (64, 48)
"""Width and height of the pictures."""
CORNERS = ("red", "green", "blue", "yellow")
"""Top left, top right, bottom left, bottom right of ``corner_picture``."""
FORMATS = {".mp4": "mp4", ".mkv": "matroska", ".ts": "mpegts", ".avi": "avi", ".mov": "mov"}
FORMATS |= {".h264": "h264", ".mpg": "mpeg", ".webm": "webm", ".flv": "flv"}
ENCODERS = {
    "h264": "libx264",
    "hevc": "libx265",
    "vp8": "libvpx",
    "vp9": "libvpx-vp9",
    "av1": "libsvtav1",
    "mpeg4": "mpeg4",
    "mpeg2": "mpeg2video",
    "mjpeg": "mjpeg",
}
"""What PyAV's wheels encode with; a missing one makes the test fail."""


def solid(colour: str, size: tuple[int, int] = SIZE) -> np.ndarray:
    """One colour, uint8 [H, W, 3]."""
    return np.full((size[1], size[0], 3), COLOURS[colour], np.uint8)


def corner_picture(size: tuple[int, int] = SIZE) -> np.ndarray:
    """Four quarters in the colours of CORNERS."""
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    rows, columns = size[1] // 2, size[0] // 2
    for at, name in enumerate(CORNERS):
        top, left = at // 2, at % 2
        picture[top * rows : (top + 1) * rows or None, left * columns :] = COLOURS[name]
    return picture


def moving_picture(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A grey ramp with a bar that moves, different for every number."""
    across = np.linspace(0, 150, size[0]).astype(np.uint8)
    picture = np.repeat(np.tile(across, (size[1], 1))[:, :, None], 3, axis=2)
    at = number * 5 % size[0]
    picture[:, at : at + 8] = (230, (number * 37) % 200, (number * 11) % 200)
    down = number % size[1]
    picture[down : down + 4] = (20, 200, (number * 53) % 256)
    return picture


def nearest_colour(picture: np.ndarray) -> str:
    """The colour word that a picture's mean is nearest to."""
    mean = picture.reshape(-1, 3).mean(axis=0)
    return min(COLOURS, key=lambda name: float(np.abs(mean - COLOURS[name]).sum()))


def corner_colours(picture: np.ndarray) -> tuple[str, ...]:
    """Colour words of the four corners: top left, top right, bottom left, bottom right."""
    height, width = picture.shape[:2]
    rows = (slice(0, height // 4), slice(-(height // 4), None))
    columns = (slice(0, width // 4), slice(-(width // 4), None))
    return tuple(nearest_colour(picture[r, c]) for r in rows for c in columns)


def write_video(
    path: Path,
    pictures: Sequence[np.ndarray] | Iterator[np.ndarray],
    *,
    fps: Fraction | float = 25,
    codec: str = "h264",
    gop: int = 12,
    b_frames: int = 2,
    times_s: Sequence[float] | None = None,
    start_s: float = 0.0,
    pix_fmt: str | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    format: str | None = None,
    tone: bool = False,
    tags: dict[str, str] | None = None,
    prepare: Callable[[Any], None] | None = None,
    alter: Callable[[av.VideoFrame], None] | None = None,
) -> Path:
    """Encodes pictures into a file.

    Args:
        path: File to write; its ending chooses the container.
        pictures: RGB uint8 [H, W, 3] each.
        fps: Frame rate.
        codec: A key of ENCODERS, or the name of an encoder.
        gop: Frames between key frames.
        b_frames: Most B-frames in a row, for codecs that have them.
        times_s: Presentation time of each picture; None is a steady rate.
        start_s: Time of the first picture.
        pix_fmt: Pixel format of the stream.
        options: Encoder options on top of quick ones.
        container_options: Muxer options.
        format: Muxer, when the ending does not say.
        tone: Adds a sound track with a 440 Hz tone, as long as the picture.
        tags: Container metadata.
        prepare: Called with the stream before encoding.
        alter: Called with each frame before encoding.
    """
    rate = Fraction(fps).limit_denominator(1001)
    shots = iter(pictures)
    first = next(shots)
    with av.open(
        str(path), "w", format=format or FORMATS[path.suffix], options=container_options or {}
    ) as out:
        out.metadata.update(tags or {})
        stream = _stream(out, codec, rate, first, gop, b_frames, pix_fmt, options)
        if prepare is not None:
            prepare(stream)
        sound = out.add_stream("aac", rate=16000, layout="mono") if tone else None
        base = Fraction(1, 90000) if times_s is not None or start_s else 1 / rate
        count = 0
        for number, picture in enumerate(_again(first, shots)):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            at = times_s[number] if times_s is not None else number / rate
            frame.pts = round((Fraction(at) + Fraction(start_s)) / base)
            frame.time_base = base
            if alter is not None:
                alter(frame)
            out.mux(stream.encode(frame))
            count = number + 1
        length = times_s[-1] + float(1 / rate) if times_s is not None else count / float(rate)
        if sound is not None:
            _add_tone(out, sound, length)
        out.mux(stream.encode(None))
        if sound is not None:
            out.mux(sound.encode(None))
    return path


def _again(first: np.ndarray, rest: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    yield first
    yield from rest


def _stream(
    out: Any,
    codec: str,
    rate: Fraction,
    first: np.ndarray,
    gop: int,
    b_frames: int,
    pix_fmt: str | None,
    options: dict[str, str] | None,
) -> Any:
    encoder = ENCODERS.get(codec, codec)
    os.environ.setdefault("SVT_LOG", "1")  # its banner goes to stderr
    quick = {
        "libx264": {"preset": "veryfast", "x264-params": "scenecut=0:keyint_min=1:threads=1"},
        "libx265": {
            "preset": "ultrafast",
            "x265-params": f"log-level=none:pools=none:frame-threads=1:scenecut=0:keyint={gop}"
            f":min-keyint={gop}:bframes={b_frames}:b-adapt=0:open-gop=1",
        },
        "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
        "libsvtav1": {"preset": "12", "svtav1-params": f"keyint={gop}:lp=1"},
    }
    stream = out.add_stream(
        encoder, rate=rate, options={**quick.get(encoder, {}), **(options or {})}
    )
    stream.height, stream.width = first.shape[:2]
    stream.pix_fmt = pix_fmt or ("yuvj420p" if encoder == "mjpeg" else "yuv420p")
    stream.codec_context.gop_size = gop
    stream.codec_context.thread_count = 1
    if encoder in ("libx264", "libx265", "mpeg4", "mpeg2video"):
        stream.codec_context.max_b_frames = b_frames
    if encoder in ("mpeg4", "mpeg2video", "mjpeg"):
        stream.codec_context.bit_rate = 2_000_000
    return stream


def _add_tone(out: Any, stream: Any, length_s: float) -> None:
    samples = np.arange(round(length_s * 16000))
    wave = (np.sin(samples * 2 * np.pi * 440 / 16000) * 8000).astype(np.int16)
    for at in range(0, len(wave), 1024):
        frame = av.AudioFrame.from_ndarray(wave[None, at : at + 1024], "s16", "mono")
        frame.sample_rate, frame.pts = 16000, at
        frame.time_base = Fraction(1, 16000)
        out.mux(stream.encode(frame))


def colour_pictures(
    shots: Sequence[tuple[str, float]], fps: Fraction | float = 25, size: tuple[int, int] = SIZE
) -> Iterator[np.ndarray]:
    """Frames of solid colours, each colour for the given seconds."""
    number, end = 0, Fraction(0)
    for name, seconds in shots:
        end += Fraction(seconds)
        while number < round(end * Fraction(fps)):
            yield solid(name, size)
            number += 1


def colour_video(
    path: Path,
    shots: Sequence[tuple[str, float]],
    *,
    fps: Fraction | float = 25,
    size: tuple[int, int] = SIZE,
    **how: Any,
) -> Path:
    """A video of solid colours: ``[("red", 2.0), ("blue", 3.0)]`` turns blue at 2.0 s.

    Args:
        path: File to write; its ending chooses the container.
        shots: Colour words of fakes.COLOURS and the seconds each is shown.
        fps: Frame rate.
        size: Width and height.
        how: Anything that ``write_video`` takes: codec, gop, tone, start_s, ...
    """
    return write_video(path, colour_pictures(shots, fps, size), fps=fps, **how)


def moving_video(
    path: Path, seconds: float = 4.0, *, fps: float = 25, size: tuple[int, int] = SIZE, **how: Any
) -> Path:
    """A video in which every frame differs; takes what ``write_video`` takes."""
    frames = (moving_picture(number, size) for number in range(round(seconds * fps)))
    return write_video(path, frames, fps=fps, **how)


def vfr_video(path: Path, shots: Sequence[tuple[str, float]], seed: int = 0, **how: Any) -> Path:
    """Solid colours whose frames come at uneven times, about a third of 25 fps left out."""
    drop = np.random.default_rng(seed)
    times, pictures = [], []
    for number, picture in enumerate(colour_pictures(shots)):
        new = not pictures or not np.array_equal(picture, pictures[-1])
        if new or drop.random() > 0.35:
            times.append(number / 25)
            pictures.append(picture)
    return write_video(path, pictures, times_s=times, **how)


def rotated_video(path: Path, degrees: int) -> Path:
    """Corners that are upright once the display matrix (``degrees`` to the left) is applied."""
    turned = np.rot90(corner_picture(), -degrees // 90)
    return write_video(
        path, [turned] * 5, prepare=lambda stream: stream.set_display_rotation(degrees)
    )


def anamorphic_video(path: Path, aspect: Fraction = Fraction(2)) -> Path:
    """Corners in pixels that are wider than high."""

    def widen(stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = aspect

    return write_video(path, [corner_picture()] * 5, prepare=widen)


def ten_bit_video(path: Path, codec: str = "hevc") -> Path:
    """Corners in ten bits a sample."""
    return write_video(path, [corner_picture()] * 5, codec=codec, pix_fmt="yuv420p10le")


def interlaced_video(path: Path) -> Path:
    """Red in one field, blue in the other: a progressive reader sees a comb."""
    comb = np.empty((SIZE[1], SIZE[0], 3), np.uint8)
    comb[0::2], comb[1::2] = COLOURS["red"], COLOURS["blue"]
    return write_video(
        path,
        [comb] * 25,
        pix_fmt="yuv422p",
        options={"x264-params": "tff=1:scenecut=0:threads=1"},
    )


def odd_size_video(path: Path) -> Path:
    """Corners in a picture of 63 x 47."""
    return write_video(path, [corner_picture((63, 47))] * 5, pix_fmt="yuv444p")


def two_stream_video(path: Path) -> Path:
    """A small blue stream first, the main red one second, marked as the default."""
    with av.open(str(path), "w", format=FORMATS[path.suffix]) as out:
        streams = []
        for colour, size in (("blue", (32, 24)), ("red", SIZE)):
            stream = _stream(out, "h264", Fraction(25), solid(colour, size), 12, 0, None, None)
            streams.append((stream, solid(colour, size)))
        streams[0][0].disposition = 0
        streams[1][0].disposition = av.stream.Disposition.default
        for number in range(50):
            for stream, picture in streams:
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 25)
                out.mux(stream.encode(frame))
        for stream, _ in streams:
            out.mux(stream.encode(None))
    return path


def cover_art_file(path: Path, with_video: bool) -> Path:
    """A sound file with a cover picture; with_video adds a real red picture after it."""
    with av.open(str(path), "w", format="mp4") as out:
        cover = _stream(out, "mjpeg", Fraction(25), solid("green"), 1, 0, None, None)
        cover.disposition = av.stream.Disposition.attached_pic
        main = None
        if with_video:
            main = _stream(out, "h264", Fraction(25), solid("red"), 12, 0, None, None)
        sound = out.add_stream("aac", rate=16000, layout="mono")
        picture = av.VideoFrame.from_ndarray(solid("green"), format="rgb24")
        picture.pts, picture.time_base = 0, Fraction(1, 25)
        out.mux([*cover.encode(picture), *cover.encode(None)])
        for number in range(25 if main else 0):
            frame = av.VideoFrame.from_ndarray(solid("red"), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(main.encode(frame))
        _add_tone(out, sound, 1.0)
        if main:
            out.mux(main.encode(None))
        out.mux(sound.encode(None))
    return path


def audio_only(path: Path) -> Path:
    """Sound and no picture."""
    with av.open(str(path), "w", format=FORMATS[path.suffix]) as out:
        sound = out.add_stream("aac", rate=16000, layout="mono")
        _add_tone(out, sound, 1.0)
        out.mux(sound.encode(None))
    return path


def no_duration_video(path: Path, shots: Sequence[tuple[str, float]]) -> Path:
    """A Matroska file as a pipe leaves it: no duration, no index."""
    return colour_video(path, shots, format="matroska", container_options={"live": "1"})


def joined_ts(path: Path, first: Path, second: Path) -> Path:
    """Two transport streams one after the other; the clock starts again in the middle."""
    path.write_bytes(first.read_bytes() + second.read_bytes())
    return path


def wrapping_ts(path: Path, shots: Sequence[tuple[str, float]], lead_s: float = 2.3) -> Path:
    """A transport stream whose 33-bit clock wraps ``lead_s`` after the start."""
    start = Fraction(2**33, 90000) - Fraction(lead_s)
    return colour_video(path, shots, start_s=start, container_options={"mpegts_copyts": "1"})


def edited_video(path: Path, source: Path, skip_s: float) -> Path:
    """An MP4 copied without re-encoding whose edit list hides the first ``skip_s`` seconds."""
    with av.open(str(source)) as given, av.open(str(path), "w", format="mp4") as out:
        stream = given.streams.video[0]
        copy = out.add_stream_from_template(stream)
        shift = round(Fraction(skip_s) / stream.time_base)
        for packet in given.demux(stream):
            if packet.dts is None:
                continue
            packet.pts -= shift
            packet.dts -= shift
            packet.stream = copy
            out.mux(packet)
    return path


def truncated(path: Path, source: Path, keep: float = 0.5) -> Path:
    """The first part of a file."""
    data = source.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    return path


def flipped(path: Path, source: Path, flips: int = 20, seed: int = 0, spare: float = 0.1) -> Path:
    """A copy with some bytes changed, none in the first and last ``spare`` of the file."""
    data = bytearray(source.read_bytes())
    chance = np.random.default_rng(seed)
    low, high = int(len(data) * spare), int(len(data) * (1 - spare))
    for at in chance.integers(low, high, flips):
        data[at] ^= int(chance.integers(1, 256))
    path.write_bytes(bytes(data))
    return path


def concat_script(path: Path, target: Path) -> Path:
    """A script that makes FFmpeg read another file."""
    path.write_text(f"ffconcat version 1.0\nfile '{target.name}'\n")
    return path


def hls_playlist(path: Path, address: str) -> Path:
    """A playlist that makes FFmpeg fetch an address or another file."""
    path.write_text(
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n"
        f"#EXTINF:4.0,\n{address}\n#EXT-X-ENDLIST\n"
    )
    return path


def sdp_session(path: Path, port: int) -> Path:
    """A session description that makes FFmpeg listen to the network."""
    path.write_text(
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
        f"m=video {port} RTP/AVP 96\na=rtpmap:96 H264/90000\n"
    )
    return path


def dash_manifest(path: Path, address: str) -> Path:
    """A manifest that makes FFmpeg fetch an address."""
    path.write_text(
        '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"'
        ' mediaPresentationDuration="PT4S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011">'
        '<Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1000"'
        f' codecs="avc1.42c00a"><BaseURL>{address}</BaseURL></Representation></AdaptationSet>'
        "</Period></MPD>\n"
    )
    return path


def huge_picture(path: Path, side: int = 12000) -> Path:
    """A small file with an enormous picture."""
    with av.open(str(path), "w", format="mp4") as out:
        stream = out.add_stream("mjpeg", rate=25)
        stream.width = stream.height = side
        stream.pix_fmt = "yuvj420p"
        stream.codec_context.thread_count = 1
        frame = av.VideoFrame(side, side, "yuvj420p")
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        out.mux([*stream.encode(frame), *stream.encode(None)])
    return path


def claiming_video(path: Path, samples: int = 60_000_000) -> Path:
    """A small MP4 whose header claims so many samples, all of one size."""
    colour_video(path, [("red", 1.0)])
    data = bytearray(path.read_bytes())
    at = data.index(b"stsz") + 8  # after name, version and flags
    data[at : at + 8] = struct.pack(">II", 1, samples)
    at = data.index(b"stsc") + 8
    (entries,) = struct.unpack_from(">I", data, at)
    for entry in range(entries):
        struct.pack_into(">I", data, at + 8 + 12 * entry, samples)
    at = data.index(b"stts") + 8
    struct.pack_into(">II", data, at, 1, samples)
    path.write_bytes(data)
    return path


def fifo(path: Path) -> Path:
    """A named pipe that nobody writes to."""
    os.mkfifo(path)
    return path


def foreign_tag_video(path: Path, shots: Sequence[tuple[str, float]]) -> Path:
    """A title tag in Windows-1251, which is not UTF-8."""
    marker = "TITLE-TO-REPLACE"
    colour_video(path, shots, tags={"title": marker})
    data = path.read_bytes()
    title = "Привет, мир, ура".encode("cp1251")
    assert len(title) == len(marker)
    assert marker.encode() in data
    path.write_bytes(data.replace(marker.encode(), title))
    return path


def random_bytes(path: Path, size: int = 50_000, seed: int = 0) -> Path:
    """Noise."""
    path.write_bytes(np.random.default_rng(seed).bytes(size))
    return path


def one_frame_video(path: Path) -> Path:
    """A single red picture."""
    return write_video(path, [solid("red")], b_frames=0)
