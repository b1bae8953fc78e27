"""Rolling captions: as many words come out as were spoken."""

from __future__ import annotations

import random

import pytest
from rolling_captions import WORD_S, rolling_srt, rolling_vtt

from index.passages import TextTrack
from index.text.reading import read_sidecar

VOICE = ["so", "we", "then", "the", "no", "yes", "yes", "okay", "[Music]", "it", "is", "it", "is"]


def words_like_speech(count: int, seed: int) -> list[str]:
    return random.Random(seed).choices(VOICE, k=count)


def track_of(name: bytes, text: str) -> TextTrack:
    (track,) = read_sidecar(name, text.encode(), duration_s=3600.0)
    return track


def words_out(track: TextTrack) -> list[str]:
    return " ".join(passage.body for passage in track.passages).split()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("per_line", [2, 5, 9])
def test_words_out_are_words_in(seed: int, per_line: int) -> None:
    words = words_like_speech(400, seed)
    track = track_of(b"a.en.vtt", rolling_vtt(words, per_line))
    assert words_out(track) == words
    assert track.source.origin == "automatic"
    times = [word.start_s for passage in track.passages for word in passage.words]
    assert times == pytest.approx([n * WORD_S for n in range(len(words))], abs=1e-6)


@pytest.mark.parametrize("holds", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_words_out_are_words_in_without_times(seed: int, holds: bool) -> None:
    words = words_like_speech(400, seed)
    assert words_out(track_of(b"a.en.srt", rolling_srt(words, 7, holds))) == words


def test_each_line_is_said_when_it_is_new() -> None:
    track = track_of(b"a.srt", rolling_srt([f"w{n}" for n in range(20)], 5, holds=False))
    assert [passage.start_s for passage in track.passages] == [0.0, 1.25, 2.5, 3.75]
    assert [passage.end_s for passage in track.passages][:3] == [1.25, 2.5, 3.75]


def test_what_a_person_repeats_is_kept() -> None:
    cues = ["No.", "No.", "No.\nI said no.", "I said no.\nReally.", "Well.", "Fine.", "Good."]
    text = "\n\n".join(
        f"{n}\n00:00:{n:02},000 --> 00:00:{n:02},900\n{cue}" for n, cue in enumerate(cues, 1)
    )
    track = track_of(b"a.srt", text)
    assert [passage.body for passage in track.passages] == cues
    assert track.source.origin == "person"
