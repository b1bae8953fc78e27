"""What a container sounds like, and when: real files of every kind."""

from __future__ import annotations

import itertools
from pathlib import Path

import av
import numpy as np
import pytest
from media_factory import colour_video, joined_ts, random_bytes
from spoken import write_sound

from index.errors import MediaError
from index.media.sound import RATE, sound_pieces

LENGTH_S = 4.0


def click(at_s: float, length_s: float = LENGTH_S, hertz: float = 600) -> np.ndarray:
    """Silence with a tone of a fifth of a second."""
    times = np.arange(int(length_s * RATE)) / RATE
    inside = (times >= at_s) & (times < at_s + 0.2)
    return (0.5 * np.sin(2 * np.pi * hertz * times) * inside).astype(np.float32)


def begins(path: Path, start_s: float = 0.0) -> list[float]:
    """Where tones begin."""
    found: list[float] = []
    for time_s, sound in sound_pieces(bytes(path), start_s):
        assert sound.dtype == np.float32
        loud = np.flatnonzero(np.abs(sound) > 0.2)
        for first in loud[np.diff(loud, prepend=-RATE) > RATE // 20]:
            found.append(time_s + first / RATE)
    return found


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.avi", "a.mov"])
def test_sound_lies_where_the_picture_has_it(tmp_path: Path, name: str) -> None:
    codec = "mp3" if name.endswith("avi") else ""
    path = write_sound(tmp_path / name, [(0.0, click(2.0))], picture_s=LENGTH_S, codec=codec)
    assert begins(path) == [pytest.approx(2.0, abs=0.04)]


@pytest.mark.parametrize("name", ["a.mp3", "a.m4a", "a.wav", "a.flac", "a.ogg", "a.opus"])
def test_a_file_of_sound_alone_counts_from_its_beginning(tmp_path: Path, name: str) -> None:
    path = write_sound(tmp_path / name, [(0.0, click(2.0))])
    assert begins(path) == [pytest.approx(2.0, abs=0.04)]


def test_sound_that_begins_late_keeps_its_time(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "late.mkv", [(4.0, click(1.0))], picture_s=9)
    assert begins(path) == [pytest.approx(5.0, abs=0.04)]
    assert next(iter(sound_pieces(bytes(path))))[0] == pytest.approx(4.0, abs=0.04)


def test_seconds_count_from_the_first_picture(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.mkv", [(0.0, click(3.0))], picture_s=5, picture_start_s=1.6)
    # What is heard before the first picture is no part of the video.
    assert begins(path) == [pytest.approx(1.4, abs=0.04)]
    assert next(iter(sound_pieces(bytes(path))))[0] == pytest.approx(0.0, abs=1e-4)


def test_a_hole_shifts_nothing(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.mkv", tmp_path / "cut.mkv"
    write_sound(whole, [(0.0, click(1.0, 10) + click(8.0, 10))], picture_s=10)
    with av.open(str(whole)) as source, av.open(str(cut), "w", format="matroska") as out:
        streams = {s.index: out.add_stream_from_template(s) for s in source.streams}
        for packet in source.demux():
            lost = packet.stream.type == "audio" and 3 < float(packet.pts * packet.time_base) < 6 \
                if packet.pts is not None else True  # fmt: skip
            if not lost:
                packet.stream = streams[packet.stream.index]
                out.mux(packet)
    assert begins(cut) == [pytest.approx(1.0, abs=0.04), pytest.approx(8.0, abs=0.06)]
    starts = [time_s for time_s, _ in sound_pieces(bytes(cut))]
    assert len(starts) == 2


def test_the_stream_that_players_choose_is_heard(tmp_path: Path) -> None:
    tracks = [(0.0, click(1.0)), (0.0, click(3.0))]
    path = write_sound(tmp_path / "two.mkv", tracks, picture_s=LENGTH_S, default=1)
    assert begins(path) == [pytest.approx(3.0, abs=0.04)]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.mp3", "a.flac"])
def test_an_interrupted_pass_goes_on_where_it_stood(tmp_path: Path, name: str) -> None:
    tones = sum(click(at, 40) for at in (5.0, 20.0, 36.0))
    picture_s = 40 if name[2:] in ("mp4", "mkv", "ts") else 0
    path = write_sound(tmp_path / name, [(0.0, tones)], picture_s=picture_s)
    after = [time_s for time_s in begins(path) if time_s >= 19.5]
    assert begins(path, 19.5) == pytest.approx(after, abs=0.03)
    assert next(iter(sound_pieces(bytes(path), 19.5)))[0] == pytest.approx(19.5, abs=0.03)
    assert begins(path, 60.0) == []


def test_joined_recordings_go_on_over_the_joint(tmp_path: Path) -> None:
    one = write_sound(tmp_path / "one.ts", [(0.0, click(2.0))], picture_s=LENGTH_S)
    two = write_sound(tmp_path / "two.ts", [(0.0, click(1.0))], picture_s=LENGTH_S)
    path = joined_ts(tmp_path / "joined.ts", one, two)
    assert begins(path) == [pytest.approx(2.0, abs=0.05), pytest.approx(5.0, abs=0.15)]


def test_pieces_are_half_a_minute_and_lose_nothing(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.flac", [(0.0, click(1.0, 95.0))], rate=44_100)
    pieces = [*sound_pieces(bytes(path))]
    assert len(pieces) == 4
    assert sum(len(sound) for _, sound in pieces) == pytest.approx(95 * RATE, abs=50)
    for (time_s, sound), (following_s, _) in itertools.pairwise(pieces):
        assert time_s + len(sound) / RATE == pytest.approx(following_s, abs=1e-6)


def test_a_video_without_sound_has_no_pieces(tmp_path: Path) -> None:
    path = colour_video(tmp_path / "mute.mp4", [("red", 1.0)])
    assert [*sound_pieces(bytes(path))] == []


def test_damaged_sound_is_a_clear_failure(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.mkv", [(0.0, click(1.0))], picture_s=LENGTH_S)
    broken = tmp_path / "broken.mkv"
    with av.open(str(path)) as source, av.open(str(broken), "w", format="matroska") as out:
        streams = {s.index: out.add_stream_from_template(s) for s in source.streams}
        for packet in source.demux():
            if packet.pts is None:
                continue
            stream, pts, dts = streams[packet.stream.index], packet.pts, packet.dts
            base = packet.time_base
            if packet.stream.type == "audio":
                packet = av.Packet(b"\xff\x00\xaa" * 40)
                packet.pts, packet.dts, packet.time_base = pts, dts, base
            packet.stream = stream
            out.mux(packet)
    with pytest.raises(MediaError, match="its sound is damaged"):
        list(sound_pieces(bytes(broken)))


def test_what_is_no_container_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaError):
        list(sound_pieces(bytes(random_bytes(tmp_path / "a.mp3"))))
