"""Videos in which every frame carries its number, and sound that beeps at known times.

The number is ten stripes, bright for one, with the complement below, so that it
survives lossy coding and a wrongly turned picture is not mistaken for another frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

BITS = 10
RATE = 48_000
BEEP_S = 0.04
CLOCK = Fraction(1, 90_000)


@dataclass
class Recipe:
    frames: int = 100
    fps: int = 25
    times: Sequence[Fraction] | None = None
    codec: str = "libx264"
    options: dict[str, str] = field(default_factory=lambda: {"g": "250", "bf": "3"})
    pix_fmt: str = "yuv420p"
    width: int = 160
    height: int = 96
    rotation: int = 0
    aspect: Fraction = Fraction(1)
    flags: int = 0
    color_range: int = 0
    format: str | None = None
    clock: Fraction = CLOCK
    shift_s: Fraction = Fraction(0)
    sound: str | None = "aac"
    sound_from_s: Fraction = Fraction(0)
    sound_to_s: Fraction | None = None
    tracks: int = 1

    def start(self, number: int) -> Fraction:
        return self.times[number] if self.times else Fraction(number, self.fps)


def picture(number: int, width: int = 160, height: int = 96) -> np.ndarray:
    """RGB picture of a number."""
    canvas = np.zeros((height, width, 3), np.uint8)
    stripe = width // BITS
    for bit in range(BITS):
        bright = number >> bit & 1
        canvas[: height // 2, bit * stripe : (bit + 1) * stripe] = 220 if bright else 35
        canvas[height // 2 :, bit * stripe : (bit + 1) * stripe] = 35 if bright else 220
    return canvas


def number_of(rgb: np.ndarray) -> int:
    """The number in a picture; an AssertionError where none can be read."""
    height, width = rgb.shape[:2]
    grey = rgb.mean(axis=2)
    stripe = width / BITS
    columns = [int((bit + 0.5) * stripe) for bit in range(BITS)]
    above = [grey[height // 4, column] > 128 for column in columns]
    below = [grey[height * 3 // 4, column] > 128 for column in columns]
    assert all(a != b for a, b in zip(above, below, strict=True)), "not a numbered picture"
    return sum(1 << bit for bit, bright in enumerate(above) if bright)


def write(path: Path, recipe: Recipe) -> Path:
    """Makes the video."""
    with av.open(str(path), "w", format=recipe.format) as output:
        video = output.add_stream(recipe.codec, rate=recipe.fps, options=dict(recipe.options))
        turned = recipe.rotation % 180 != 0
        size = (recipe.height, recipe.width) if turned else (recipe.width, recipe.height)
        video.width, video.height = size
        video.pix_fmt = recipe.pix_fmt
        video.codec_context.time_base = recipe.clock
        video.codec_context.flags |= recipe.flags
        video.codec_context.sample_aspect_ratio = recipe.aspect
        if recipe.color_range:
            video.codec_context.color_range = recipe.color_range
        if recipe.rotation:
            video.set_display_rotation(-recipe.rotation)
        tracks = recipe.tracks if recipe.sound else 0
        sounds = [output.add_stream(recipe.sound, rate=RATE) for _ in range(tracks)]
        end = recipe.start(recipe.frames - 1) + Fraction(1, recipe.fps)
        beeps = [_Beeps(stream, recipe, end, output) for stream in sounds]
        for number in range(recipe.frames):
            rgb = np.rot90(picture(number, recipe.width, recipe.height), recipe.rotation // 90)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), "rgb24")
            kwargs = {"dst_color_range": recipe.color_range} if recipe.color_range else {}
            frame = frame.reformat(format=recipe.pix_fmt, **kwargs)
            frame.time_base = recipe.clock
            frame.pts = round((recipe.start(number) + recipe.shift_s) / recipe.clock)
            output.mux(video.encode(frame))
            for track in beeps:
                track.write_until(recipe.start(number))
        output.mux(video.encode(None))
        for track in beeps:
            track.finish()
    return path


class _Beeps:
    """A short tone at every whole second."""

    def __init__(self, stream, recipe: Recipe, end: Fraction, output) -> None:
        self.stream, self.output = stream, output
        self.at = int(recipe.sound_from_s * RATE)
        self.end = int((end if recipe.sound_to_s is None else recipe.sound_to_s) * RATE)
        self.shift = int(recipe.shift_s * RATE)

    def write_until(self, time: Fraction) -> None:
        while self.at < min(self.end, int(time * RATE) + 1024):
            at = np.arange(self.at, min(self.at + 1024, self.end))
            tone = np.sin(at * 2 * np.pi * 1000 / RATE) * (at % RATE < BEEP_S * RATE) * 0.5
            frame = av.AudioFrame.from_ndarray(
                np.stack([tone, tone]).astype(np.float32), "fltp", "stereo"
            )
            frame.sample_rate, frame.pts = RATE, self.at + self.shift
            frame.time_base = Fraction(1, RATE)
            self.output.mux(self.stream.encode(frame))
            self.at += len(at)

    def finish(self) -> None:
        self.write_until(Fraction(self.end, RATE) + 1)
        self.output.mux(self.stream.encode(None))


def read(path: Path, options: dict[str, str] | None = None) -> list[tuple[int, float]]:
    """Number and time of every frame, as a player shows them."""
    with av.open(str(path), options=options or {}) as container:
        return [
            (number_of(frame.to_ndarray(format="rgb24")), float(frame.time))
            for frame in container.decode(video=0)
        ]


def beeps(path: Path, track: int = 0, options: dict[str, str] | None = None) -> list[float]:
    """When tones begin, in seconds of the file."""
    with av.open(str(path), options=options or {}) as container:
        frames = list(container.decode(audio=track))
    start = float(frames[0].time)
    rate = frames[0].sample_rate
    wave = np.abs(np.concatenate([_left(frame) for frame in frames]))
    loud = np.flatnonzero(wave > 0.1)
    onsets = loud[np.flatnonzero(np.diff(loud, prepend=-rate) > rate // 10)]
    return [start + onset / rate for onset in onsets]


def _left(frame: av.AudioFrame) -> np.ndarray:
    samples = frame.to_ndarray()
    left = samples[0] if frame.format.is_planar else samples[0][:: frame.layout.nb_channels]
    return left / (np.iinfo(left.dtype).max if left.dtype.kind == "i" else 1)


def sound_length(path: Path, track: int = 0) -> float:
    """Seconds of decoded sound."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=track))
    return sum(frame.samples for frame in frames) / frames[0].sample_rate
