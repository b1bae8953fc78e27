"""Files that were damaged or made to harm: no crash, no hang, nothing wrong shown."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from subtitle_damage import LENGTH_S, WHOLE, check_tracks, damaged

from index.errors import TextError
from index.text.events import said_in_packets
from index.text.fitting import fit
from index.text.reading import read_sidecar

MOST_PROCESSOR_S = 20.0
"""What a worker that hangs may take is three times as much."""


def read(name: str, data: bytes) -> None:
    refused = ""
    try:
        check_tracks(read_sidecar(b"/v/" + name.encode(), data, shift_s=-0.08, duration_s=LENGTH_S))
    except TextError as error:
        refused = error.message
    assert refused.isprintable()


@pytest.mark.parametrize("name", WHOLE)
def test_damaged_files_harm_nobody(name: str) -> None:
    rng = random.Random(name)
    for _ in range(60):
        read(name, damaged(WHOLE[name], rng))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.sampled_from(sorted(WHOLE)), st.binary(max_size=400))
def test_any_bytes_are_read_or_left(name: str, data: bytes) -> None:
    read(name, data)


CUE_TEXT = st.text(
    st.characters(codec="utf-8") | st.sampled_from("<>{}&:;\\/v0123456789.,- \n\r\t"), max_size=40
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 70_000), st.integers(-500, 5000), CUE_TEXT), max_size=6))
def test_any_cues_are_read(cues: list[tuple[int, int, str]]) -> None:
    def clock(ms: int) -> str:
        return f"00:{ms // 60_000:02}:{ms // 1000 % 60:02}.{ms % 1000:03}"

    text = "WEBVTT\n\n" + "\n\n".join(
        f"{clock(start)} --> {clock(max(0, start + length))}\n{words}"
        for start, length, words in cues
    )
    for name in ("a.vtt", "a.srt"):
        read(name, text.encode())


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.sampled_from(["subrip", "webvtt", "ass", "mov_text", "eia_608"]),
    st.lists(st.binary(max_size=60), max_size=5),
)
def test_any_packets_are_read(codec: str, packets: list[bytes]) -> None:
    events = [
        (Fraction(n * 2), None if n % 2 else Fraction(n * 2 + 1), p) for n, p in enumerate(packets)
    ]
    said, _, _ = said_in_packets(events, codec)
    fitted = fit(said, shift_s=0.0, duration_s=LENGTH_S)
    for passage in fitted.passages:
        assert 0.0 <= passage.start_s < passage.end_s <= LENGTH_S


def many(count: int) -> Iterator[tuple[str, bytes]]:
    """Files that a careless reader takes hours over."""
    times = b"00:00:01,000 --> 00:00:02,000\n"
    yield "open brackets.srt", times + b"<" * count
    yield "open braces.srt", times + b"{" * count
    yield (
        "open braces.ass",
        b"[Events]\nDialogue: 0,0:00:01.00,0:00:02.00,,,,,,," + b"{\\p1" * (count // 4),
    )
    yield "voices.vtt", b"WEBVTT\n\n" + times.replace(b",", b".") + b"<v a>" * (count // 5)
    yield (
        "stamps.vtt",
        b"WEBVTT\n\n" + times.replace(b",", b".") + b"<00:00:01.500>a" * (count // 15),
    )
    yield "ampersands.srt", times + b"&" * count
    yield "spaces.srt", b" " * count + times + b" " * count + b"x" + b" " * count
    yield "arrows.srt", b"00:00:01,000 --> " * (count // 17)
    yield "empty lines.srt", times + b"\n" * count
    yield "empty cues.srt", times * (count // 30)
    yield "one moment.srt", (b"00:00:01,000 --> 00:00:01,000\nHello\n") * (count // 36)
    yield "letters.srt", times + b"\xe9" * count
    yield "names.srt", (times + b"A B C D: x\n") * (count // 40)
    yield "colons.srt", times + b"a:" * (count // 2)
    yield "tags.srt", times + b"<font " * (count // 6)
    yield (
        "layers.ass",
        b"[Events]\n" + b"Dialogue: 0,0:00:01.00,0:00:02.00,,,,,,,x\n" * (count // 42),
    )


FILES = dict(many(200_000))


@pytest.mark.parametrize("name", FILES)
def test_no_file_takes_its_reader_for_ever(name: str) -> None:
    before = time.process_time()
    read(name, FILES[name])
    assert time.process_time() - before < MOST_PROCESSOR_S


def test_too_many_cues_are_refused() -> None:
    with pytest.raises(TextError, match="more than 300,000 cues"):
        read_sidecar(b"a.srt", b"00:01.000 --> 00:02.000\nx\n" * 300_001, duration_s=LENGTH_S)


def test_too_large_a_file_is_refused() -> None:
    with pytest.raises(TextError, match="larger than 64 MiB"):
        read_sidecar(b"a.srt", bytes((64 << 20) + 1), duration_s=LENGTH_S)
