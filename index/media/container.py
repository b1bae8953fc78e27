"""The one door for media: every container that is read or written is opened here.

A file must be a regular file with the content of a video container. Only its
own bytes are ever read: playlists and scripts that name other files or
addresses are refused whatever their file is called.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import Any, cast

import av
import av.error
from av.codec.context import ThreadType
from av.container import InputContainer, OutputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from ..errors import MediaError
from ..types import Picture, VideoInfo
from .hardware import accelerator
from .packets import DECODE_ERRORS, DEVICE_GONE, VideoPacket, drive_error, read_packets
from .picture import orientation as orientation
from .picture import shown_size
from .picture import upright as upright

CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,mxf,"
    "mxf_opatom,rm,dv,nut,wtv,gxf,ivf,obu,h264,hevc,m4v,vc1,mjpeg,yuv4mpegpipe"
)
"""Demuxers that read one file and nothing else."""
SOUND_CONTAINERS = CONTAINERS + ",mp3,wav,w64,flac,aac,aiff"
"""With those that hold sound alone."""
MAX_PIXELS = 100_000_000
"""Larger pictures are refused before their memory is asked for; 8K is 33 million."""
_HEAD_PACKETS = 600
COVER = Disposition.attached_pic | Disposition.timed_thumbnails
"""Pictures that stand for a file and are no video."""
_SECONDARY = Disposition.dependent | Disposition.visual_impaired | Disposition.still_image


def _remedy() -> str:
    return "Play it in a video player to see whether it is whole, or leave it out."


@dataclass
class OpenVideo:
    """A video that has shown its first picture; valid inside ``open_video``.

    Attributes:
        path: Absolute path.
        container: The open container, positioned after ``head``.
        stream: The main video stream, one decoder thread.
        info: What the container declares and the first picture shows.
        head: Packets of the stream that opening has read and decoded.
        first: The first presented frame.
        read_on: Whether packets after ``head`` were read.
        converter: Turns frames into RGB.
        orientations: How frames are turned, as far as met.
        hwaccel: Device that decodes; empty for the processor.
    """

    path: Path
    container: InputContainer
    stream: VideoStream
    info: VideoInfo
    head: list[VideoPacket]
    first: VideoFrame
    read_on: bool = False
    converter: VideoReformatter = field(default_factory=VideoReformatter)
    orientations: dict[float, tuple[int, bool]] = field(default_factory=dict)
    hwaccel: str = ""

    @property
    def format(self) -> str:
        """Short name of the container format, ``mov``, ``matroska``, ``avi``."""
        return self.container.format.name.split(",")[0]

    def upright(self, frame: VideoFrame) -> Picture:
        """A decoded frame as people see it: RGB uint8 [H, W, 3]."""
        aspect = self.stream.sample_aspect_ratio
        return upright(frame, aspect, self.converter, self.orientations)

    def upright_within(self, frame: VideoFrame, longest_px: int, by: VideoReformatter) -> Picture:
        """The same with so many pixels at most on its longer side, shrunk by a converter."""
        aspect = self.stream.sample_aspect_ratio
        return upright(frame, aspect, by, self.orientations, longest_px)

    def packets(self) -> Iterator[VideoPacket]:
        """Packets of the main stream that are not read yet; damage is stepped over.

        Raises:
            OSError: When the drive that holds the file goes away.
        """
        self.read_on = True
        return read_packets(self.container, self.stream)

    def rewind(self) -> None:
        """Starts over at the first byte, with a fresh decoder."""
        self.container.close()
        self.container = open_container(self.path, self.hwaccel)
        self.stream = _prepare(_main_stream(self.container, self.path), self.path)
        self.head = []
        self.read_on = False


def check_regular(path: bytes | str | Path) -> Path:
    """The absolute path of a regular, non-empty file.

    Raises:
        MediaError: For a link, pipe, socket, device or folder, an empty file,
            or a file that cannot be looked at.
    """
    absolute = Path(os.fsdecode(path)).absolute()
    try:
        status = absolute.lstat()
    except OSError as error:
        raise MediaError(
            f"{absolute}: {error.strerror or error}", "Check the path and its permissions."
        ) from error
    if not stat.S_ISREG(status.st_mode):
        raise MediaError(
            f"{absolute}: not a regular file", "Links, pipes and devices are never opened."
        )
    if status.st_size == 0:
        raise MediaError(f"{absolute}: the file is empty", "Copy it again from its source.")
    return absolute


def _unusable(path: Path, error: BaseException) -> MediaError:
    if isinstance(error, MediaError):
        return error
    cause: BaseException = error
    reason = "not a video container, or its header is damaged or cut off"
    if isinstance(error, MemoryError):
        reason = "not enough memory to open it"
    elif isinstance(error, OSError):
        gone = drive_error(path, error)
        if gone is not None or error.errno not in DEVICE_GONE:
            cause = gone or error
            reason = f"cannot be read: {os.strerror(cause.errno or 0)}"
    media_error = MediaError(f"{path}: {reason}", _remedy())
    media_error.__cause__ = cause
    return media_error


def open_container(
    path: bytes | str | Path, hwaccel: str = "", formats: str = CONTAINERS
) -> InputContainer:
    """An open input container; the caller closes it.

    Args:
        path: A regular file.
        hwaccel: Device that decodes its video, see `hardware`; empty for the processor.
        formats: Demuxers that may read it.

    Raises:
        MediaError: When the file is not a video container or cannot be read.
    """
    absolute = check_regular(path)
    options: dict[str, Any] = {}
    if hwaccel:
        options["hwaccel"] = accelerator(hwaccel)
    if int(av.__version__.split(".")[0]) < 19:
        options["metadata_errors"] = "replace"
    try:
        container = av.open(
            str(absolute),
            mode="r",
            container_options={"format_whitelist": formats, "protocol_whitelist": "file"},
            **options,
        )
    except Exception as error:  # damaged input raises far more than FFmpegError
        raise _unusable(absolute, error)  # noqa: B904 (it carries its own cause)
    return cast(InputContainer, container)


SIDE_TEXTS = ("microdvd", "sami", "mpl2")
"""Demuxers of side files that are left to FFmpeg: rare, and simple."""


def open_side_text(text: str, format: str) -> InputContainer:
    """A side file of a rare format, already read and decoded; the caller closes it.

    Args:
        text: The whole file.
        format: One of `SIDE_TEXTS`.

    Raises:
        MediaError: It is not of that format.
    """
    try:
        return av.open(
            io.BytesIO(text.encode()),
            mode="r",
            format=format,
            container_options={"format_whitelist": ",".join(SIDE_TEXTS)},
        )
    except Exception as error:  # damaged input raises far more than FFmpegError
        raise MediaError("it cannot be read, although it begins like a subtitle file") from error


def open_output(path: Path, format: str, options: dict[str, str] | None = None) -> OutputContainer:
    """A container to write; the caller closes it.

    Args:
        path: File to write; it is overwritten.
        format: Container format, ``mp4``, ``matroska``, ``mov``.
        options: Options of the muxer.

    Raises:
        OSError: When the file cannot be created.
    """
    return av.open(str(path.absolute()), mode="w", format=format, container_options=options or {})


def _main_stream(container: InputContainer, path: Path) -> VideoStream:
    streams = [s for s in container.streams.video if not s.disposition & COVER]
    if not streams:
        what = "only a cover picture" if container.streams.video else "no video stream"
        raise MediaError(f"{path}: {what}", "Nothing to see in it; leave it out.")

    def rank(stream: VideoStream) -> tuple[bool, bool, bool, int, int]:
        shown = stream.disposition
        context = stream.codec_context  # None for a codec that FFmpeg does not know
        area = context.width * context.height if context is not None else 0
        return (
            area > 0,
            not shown & _SECONDARY,
            bool(shown & Disposition.default),
            area,
            -stream.index,
        )

    return max(streams, key=rank)


def _prepare(stream: VideoStream, path: Path) -> VideoStream:
    context = stream.codec_context
    if context is None:
        raise MediaError(f"{path}: its video codec is not supported", _remedy())
    pixels = (context.width or 0) * (context.height or 0)
    if pixels > MAX_PIXELS:
        raise _too_large(path, context.width, context.height)
    context.options = {**context.options, "max_pixels": str(MAX_PIXELS)}
    stream.thread_type = ThreadType.NONE
    context.thread_count = 1
    return stream


def _too_large(path: Path, width: int, height: int) -> MediaError:
    megapixels = round(width * height / 1e6)
    return MediaError(
        f"{path}: its pictures are too large ({width}x{height}, {megapixels} MP)",
        f"Pictures of up to {MAX_PIXELS // 1_000_000} MP are read.",
    )


def _first_frame(
    container: InputContainer, stream: VideoStream, path: Path
) -> tuple[list[VideoPacket], VideoFrame]:
    head: list[VideoPacket] = []
    packets = read_packets(container, stream)
    for packet in chain(islice(packets, _HEAD_PACKETS), [None]):
        if packet is not None:
            head.append(packet)
        try:
            frames = stream.codec_context.decode(packet)
        except MemoryError:
            raise
        except DECODE_ERRORS:
            continue
        if frames:
            return head, frames[0]
    raise MediaError(f"{path}: no picture in it could be decoded", _remedy())


@contextmanager
def open_video(
    path: bytes | str | Path, hwaccel: str = "", opened: Callable[[], None] | None = None
) -> Iterator[OpenVideo]:
    """Opens a video and decodes its first picture.

    Args:
        path: A regular file.
        hwaccel: Device that decodes it, see `hardware`; empty for the processor.
        opened: Called between reading its tables and decoding its first picture.

    Yields:
        The open video; it is closed at the end of the block.

    Raises:
        MediaError: When the file is not regular, not a video container, has no
            video stream, is too large, or not one picture can be decoded.
    """
    absolute = check_regular(path)
    container = open_container(absolute, hwaccel)
    if opened is not None:
        opened()
    try:
        video = _prime(container, absolute)
        video.hwaccel = hwaccel
    except Exception as error:
        container.close()
        raise _unusable(absolute, error)  # noqa: B904 (it carries its own cause)
    try:
        yield video
    finally:
        video.container.close()


def _prime(container: InputContainer, path: Path) -> OpenVideo:
    stream = _prepare(_main_stream(container, path), path)
    head, first = _first_frame(container, stream, path)
    info = _describe(container, stream, first)
    return OpenVideo(path, container, stream, info, head, first)


def declared_duration(container: InputContainer, stream: VideoStream) -> Fraction | None:
    """Length of the picture in seconds as the container declares it, None when it does not."""
    if stream.duration is not None and stream.duration > 0 and stream.time_base is not None:
        return stream.duration * stream.time_base
    if container.duration is None or container.duration <= 0:
        return None
    declared = Fraction(container.duration, 1_000_000)
    if container.format.name.startswith("matroska") and stream.start_time and stream.time_base:
        declared -= stream.start_time * stream.time_base
    return declared if declared > 0 else None


def _describe(container: InputContainer, stream: VideoStream, first: VideoFrame) -> VideoInfo:
    turn, _ = orientation(first)
    width, height = shown_size(first.width, first.height, stream.sample_aspect_ratio)
    if turn % 2:
        width, height = height, width
    duration = declared_duration(container, stream)
    rate = stream.average_rate or stream.guessed_rate
    return VideoInfo(
        duration_s=float(duration) if duration is not None else None,
        width=width,
        height=height,
        fps=float(rate) if rate else None,
        codec=stream.codec_context.codec.canonical_name,
        container=container.format.name.split(",")[0],
        rotation=turn * 90,
        has_audio=bool(container.streams.audio),
    )
