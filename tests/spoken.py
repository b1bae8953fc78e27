"""Speech whose words and times are known, and media that carry it.

``spoken.ogg`` was made with espeak-ng, three voices, two languages.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
from media_factory import FORMATS, solid

RATE = 16_000
SENTENCES = (
    (0.5, 3.383, "She never signed the contract, and he knew that."),
    (4.133, 6.786, "The man opened the door before the interview began."),
    (7.536, 8.906, "Bitte nennen Sie Ihren Namen."),
    (9.656, 12.318, "The pump failed at a pressure of forty two bar."),
)
"""Where each sentence begins and ends in the file, and its words."""


@cache
def recording() -> np.ndarray:
    """All of the file, float32 [N], one channel at 16 kHz."""
    resampler = av.AudioResampler("flt", "mono", RATE)
    with av.open(str(Path(__file__).with_name("spoken.ogg"))) as source:
        frames = [*source.decode(audio=0)]
    parts = [new.to_ndarray()[0] for frame in [*frames, None] for new in resampler.resample(frame)]
    return np.concatenate(parts).astype(np.float32)


def sentence(number: int) -> np.ndarray:
    """One sentence without the silence around it."""
    start_s, end_s, _ = SENTENCES[number]
    return recording()[int(start_s * RATE) : int(end_s * RATE)]


def conversation(gaps_s: tuple[float, ...], last_s: float = 1.0) -> tuple[np.ndarray, list[Any]]:
    """Sentences after gaps of silence, and where each begins and ends."""
    parts, truth, at = [], [], 0
    for number, gap_s in enumerate(gaps_s):
        words = sentence(number % len(SENTENCES))
        at += int(gap_s * RATE)
        parts += [np.zeros(int(gap_s * RATE), np.float32), words]
        truth.append((at / RATE, (at + len(words)) / RATE, SENTENCES[number % 4][2]))
        at += len(words)
    parts.append(np.zeros(int(last_s * RATE), np.float32))
    return np.concatenate(parts), truth


def write_sound(
    path: Path,
    tracks: list[tuple[float, np.ndarray]],
    *,
    picture_s: float = 0.0,
    picture_start_s: float = 0.0,
    codec: str = "",
    rate: int = 48_000,
    default: int = 0,
) -> Path:
    """Writes sound, each track from its own time on, beside a picture that stands still.

    Args:
        path: File to write; its ending chooses the container.
        tracks: Time of the first sample and samples at 16 kHz, of each stream.
        picture_s: Seconds of picture; 0 for a file of sound alone.
        picture_start_s: Time of the first picture.
        codec: Encoder of the sound; empty chooses by the container.
        rate: Samples a second in the file.
        default: Which stream is the one that players choose.
    """
    kinds = {".mp3": "mp3", ".wav": "wav", ".flac": "flac", ".ogg": "ogg", ".opus": "ogg"}
    kinds |= {".m4a": "ipod"}
    codecs = {".mp3": "mp3", ".wav": "pcm_s16le", ".flac": "flac", ".ogg": "libopus"}
    codecs |= {".opus": "libopus"}
    kind = kinds.get(path.suffix) or FORMATS[path.suffix]
    with av.open(str(path), "w", format=kind) as out:
        video = None
        if picture_s:
            # AVI knows only the order of frames, so that B-frames would move its pictures.
            encoder = "mpeg4" if path.suffix == ".avi" else "libx264"
            video = out.add_stream(encoder, rate=5, width=64, height=48, pix_fmt="yuv420p")
        name = codec or codecs.get(path.suffix, "aac")
        streams = []
        for number, _ in enumerate(tracks):
            stream = out.add_stream(name, rate=rate)
            stream.codec_context.layout = "mono"
            if len(tracks) > 1:
                stream.disposition = av.stream.Disposition.default if number == default else 0
            streams.append(stream)
        for number in range(int(picture_s * 5)):
            frame = av.VideoFrame.from_ndarray(solid("red"), format="rgb24")
            frame.pts = round(picture_start_s * 5) + number
            frame.time_base = Fraction(1, 5)
            out.mux(video.encode(frame))
        if video is not None:
            out.mux(video.encode(None))
        for stream, (start_s, samples) in zip(streams, tracks, strict=True):
            _encode(out, stream, start_s, samples, rate)
    return path


def _encode(out: Any, stream: Any, start_s: float, samples: np.ndarray, rate: int) -> None:
    resampler = av.AudioResampler(stream.codec_context.format.name, "mono", rate)
    begin, size = round(start_s * rate), stream.codec_context.frame_size or 1024
    fifo = av.AudioFifo()
    source = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), "fltp", "mono")
    source.sample_rate = RATE
    for frame in [*resampler.resample(source), *resampler.resample(None)]:
        frame.pts = None
        fifo.write(frame)
    while (frame := fifo.read(size, partial=True)) is not None:
        frame.pts = begin
        frame.time_base = Fraction(1, rate)
        begin += frame.samples
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))
