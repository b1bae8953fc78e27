"""Subtitle files as people have them, each of which some reader gets wrong; exact to 1 ms."""

from __future__ import annotations

import pytest

from index.passages import TextTrack
from index.text.reading import read_sidecar

Row = tuple[float, float, str, str]
"""Start, end, speaker, words."""


def track_of(name: str, data: str | bytes, **how: object) -> TextTrack:
    raw = data.encode() if isinstance(data, str) else data
    (track,) = read_sidecar(b"/v/" + name.encode(), raw, duration_s=100.0, **how)
    return track


def rows_of(track: TextTrack) -> list[Row]:
    return [(p.start_s, p.end_s, p.speaker, p.body) for p in track.passages]


PLAIN = "1\n00:00:01,000 --> 00:00:02,500\nHello\nthere\n\n2\n00:00:03,000 --> 00:00:04,000\nBye\n"
PLAIN_ROWS = [(1.0, 2.5, "", "Hello\nthere"), (3.0, 4.0, "", "Bye")]

FILES: dict[str, tuple[str, str | bytes, list[Row]]] = {
    "plain": ("a.srt", PLAIN, PLAIN_ROWS),
    "no blank line between cues": (
        "a.srt",
        "1\n00:00:01,000 --> 00:00:02,500\nHello\nthere\n2\n00:00:03,000 --> 00:00:04,000\nBye",
        PLAIN_ROWS,
    ),
    "dots and short fields": (
        "a.srt",
        "1\n0:00:01.5 --> 0:00:03.25\nHello\n\n2\n0:00:03.5 --> 0:00:04\nBye\n",
        [(1.5, 3.25, "", "Hello"), (3.5, 4.0, "", "Bye")],
    ),
    "a mark and CRLF": (
        "a.srt",
        b"\xef\xbb\xbf" + PLAIN.replace("\n", "\r\n").encode(),
        PLAIN_ROWS,
    ),
    "no numbers": (
        "a.srt",
        "00:00:01,000 --> 00:00:02,500\nHello\nthere\n\n00:00:03,000 --> 00:00:04,000\nBye\n",
        PLAIN_ROWS,
    ),
    "cut off in its last cue": ("a.srt", PLAIN + "\n3\n00:00:05,000 --> 00:0", PLAIN_ROWS),
    "cut off after a number": ("a.srt", PLAIN + "\n3\n", PLAIN_ROWS),
    "windows-1252": (
        "a.srt",
        "1\n00:00:01,000 --> 00:00:02,000\nA naïve “café”…\n".encode("cp1252"),
        [(1.0, 2.0, "", "A naïve “café”…")],
    ),
    "rolling captions": (
        "a.en.vtt",
        "WEBVTT\nKind: captions\nLanguage: en\n\n"
        "00:00:01.000 --> 00:00:03.000 align:start position:0%\n \n"
        "hello<00:00:01.500><c> and</c><00:00:02.000><c> welcome</c>\n\n"
        "00:00:03.000 --> 00:00:03.010 align:start position:0%\nhello and welcome\n \n\n"
        "00:00:03.010 --> 00:00:05.000 align:start position:0%\nhello and welcome\n"
        "to<00:00:03.500><c> the</c><00:00:04.000><c> show</c>\n\n"
        "00:00:05.000 --> 00:00:05.010 align:start position:0%\nto the show\n \n\n",
        [(1.0, 3.0, "", "hello and welcome"), (3.01, 5.0, "", "to the show")],
    ),
    "names of cues and voices": (
        "a.vtt",
        "WEBVTT\n\nNOTE from a meeting\n\n"
        "3f2b8a1c-9f0e-4d2a-8c1b-000000000000/12-0\n00:00:01.000 --> 00:00:02.000\n"
        "<v Jane Doe>Research &amp; development</v>\n\n"
        "3f2b8a1c-9f0e-4d2a-8c1b-000000000000/13-0\n00:00:02.000 --> 00:00:03.000\n"
        "<v Bob>We&#39;re late</v>\n",
        [(1.0, 2.0, "Jane Doe", "Research & development"), (2.0, 3.0, "Bob", "We're late")],
    ),
    "no header": (
        "a.vtt",
        "00:01.000 --> 00:02.000\n<v Jane>Hello\n\n00:03.000 --> 00:04.000\n<b>Bye</b>\n",
        [(1.0, 2.0, "Jane", "Hello"), (3.0, 4.0, "", "Bye")],
    ),
    "drawings": (
        "a.ass",
        "[Script Info]\nScriptType: v4.00+\n\n[Events]\n"
        "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
        "Comment: 0,0:00:00.00,0:00:09.00,Default,,0,0,0,,never shown\n"
        r"Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,{\p1}m 0 0 l 100 0 100 100{\p0}"
        "\n"
        r"Dialogue: 0,0:00:01.00,0:00:02.50,Default,Jane,0,0,0,,{\i1}Hello{\i0}, you\Nthere"
        "\n"
        r"Dialogue: 1,0:00:01.00,0:00:02.50,Shadow,Jane,0,0,0,,{\blur3}Hello, you\Nthere"
        "\n",
        [(1.0, 2.5, "Jane", "Hello, you\nthere")],
    ),
    "an end before its start": (
        "a.srt",
        "1\n00:00:05,000 --> 00:00:01,000\nHello\n\n2\n00:00:06,000 --> 00:00:07,000\nBye\n",
        [(5.0, 6.0, "", "Hello"), (6.0, 7.0, "", "Bye")],
    ),
    "Shift-JIS": (
        "a.ja.srt",
        "1\n00:00:01,000 --> 00:00:02,000\n今日は東京へ行きます。\nありがとうございます。\n".encode(
            "shift_jis"
        ),
        [(1.0, 2.0, "", "今日は東京へ行きます。\nありがとうございます。")],
    ),
    "UTF-16": ("a.srt", PLAIN.encode("utf-16"), PLAIN_ROWS),
    "UTF-16 without its mark": ("a.srt", PLAIN.encode("utf-16-le"), PLAIN_ROWS),
    "names before words": (
        "a.vtt",
        "WEBVTT\n\n1\n00:00:01.000 --> 00:00:02.000\nJane Doe: Hello\n\n"
        "2\n00:00:02.000 --> 00:00:03.000\nBob: Re: the contract\n\n"
        "3\n00:00:03.000 --> 00:00:04.000\nJane Doe: Yes\n\n"
        "4\n00:00:04.000 --> 00:00:05.000\nBob: No\n\n"
        "5\n00:00:05.000 --> 00:00:06.000\nRe: the contract\n",
        [
            (1.0, 2.0, "Jane Doe", "Hello"),
            (2.0, 3.0, "Bob", "Re: the contract"),
            (3.0, 4.0, "Jane Doe", "Yes"),
            (4.0, 5.0, "Bob", "No"),
            (5.0, 6.0, "", "Re: the contract"),
        ],
    ),
    "an empty line inside a cue": (
        "a.srt",
        PLAIN.replace("Hello\n", "Hello\n\n"),
        PLAIN_ROWS,
    ),
    "a number that is said": (
        "a.srt",
        "1\n00:00:01,000 --> 00:00:02,000\nIn which year?\n\n2\n00:00:02,000 --> 00:00:03,000\n1984"
        "\n\n3\n00:00:03,000 --> 00:00:04,000\nI see\n",
        [(1.0, 2.0, "", "In which year?"), (2.0, 3.0, "", "1984"), (3.0, 4.0, "", "I see")],
    ),
    "out of order": (
        "a.srt",
        "2\n00:00:03,000 --> 00:00:04,000\nBye\n\n1\n00:00:01,000 --> 00:00:02,500\nHello\nthere\n",
        PLAIN_ROWS,
    ),
    "tags, entities and signs that are neither": (
        "a.srt",
        '1\n00:00:01,000 --> 00:00:02,000\n{\\an8}<font color="#fff">a < b &amp; c > d</font>\n'
        "<i>AT&T</i> says &lt;hi&gt;\n",
        [(1.0, 2.0, "", "a < b & c > d\nAT&T says <hi>")],
    ),
    "what an editor exports": (
        "a.sbv",
        "0:00:01.000,0:00:02.500\nHello\nthere\n\n0:00:03.000,0:00:04.000\nBye\n",
        PLAIN_ROWS,
    ),
    "old line ends": ("a.srt", PLAIN.replace("\n", "\r"), PLAIN_ROWS),
    "a cue outside the video": (
        "a.srt",
        PLAIN
        + "\n3\n00:01:38,000 --> 00:02:00,000\nLast\n\n4\n00:02:00,000 --> 00:02:01,000\nNo\n",
        [*PLAIN_ROWS, (98.0, 100.0, "", "Last")],
    ),
}


@pytest.mark.parametrize("what", FILES)
def test_every_word_is_read_at_its_time(what: str) -> None:
    name, data, rows = FILES[what]
    assert rows_of(track_of(name, data)) == rows


@pytest.mark.parametrize(
    ("what", "note"),
    [
        ("cut off in its last cue", "The file ends in the middle of a cue."),
        ("cut off after a number", "The file ends in the middle of a cue."),
        ("an end before its start", "1 cue ended before it began and was given a length."),
        ("a cue outside the video", "1 cue outside the video was left out."),
    ],
)
def test_what_was_mended_is_said(what: str, note: str) -> None:
    name, data, _ = FILES[what]
    assert note in track_of(name, data).notes


@pytest.mark.parametrize(
    ("what", "encoding"),
    [
        ("plain", "utf-8"),
        ("a mark and CRLF", "utf-8"),
        ("windows-1252", "windows-1252 (guessed)"),
        ("Shift-JIS", "cp932 (guessed)"),
        ("UTF-16", "utf-16"),
        ("UTF-16 without its mark", "utf-16-le (guessed)"),
    ],
)
def test_how_the_bytes_were_read_is_said(what: str, encoding: str) -> None:
    name, data, _ = FILES[what]
    assert track_of(name, data).encoding == encoding


def test_word_times_are_kept() -> None:
    name, data, _ = FILES["rolling captions"]
    track = track_of(name, data)
    words = [
        (p.body[w.first : w.first + w.length], w.start_s, w.end_s)
        for p in track.passages
        for w in p.words
    ]
    assert words == [
        ("hello", 1.0, 1.5),
        ("and", 1.5, 2.0),
        ("welcome", 2.0, 3.0),
        ("to", 3.01, 3.5),
        ("the", 3.5, 4.0),
        ("show", 4.0, 5.0),
    ]


@pytest.mark.parametrize(
    ("name", "what", "origin", "language"),
    [
        ("a.srt", "plain", "person", ""),
        ("a.de.auto.srt", "plain", "automatic", "de"),
        ("a.vtt", "rolling captions", "automatic", "en"),
        ("a.pt-BR.vtt", "rolling captions", "automatic", "pt-BR"),
    ],
)
def test_who_wrote_it_and_in_which_language(
    name: str, what: str, origin: str, language: str
) -> None:
    source = track_of(name, FILES[what][1]).source
    assert (source.origin, source.language, source.kind) == (origin, language, "sidecar")


def test_times_count_from_the_first_picture() -> None:
    track = track_of("a.srt", PLAIN, shift_s=-1.5)
    assert [(p.start_s, p.end_s) for p in track.passages] == [(0.0, 1.0), (1.5, 2.5)]


def test_forced_subtitles_speak_only_for_their_own_words() -> None:
    assert track_of("a.en.srt", PLAIN).covered_s == 100.0
    assert track_of("a.en.forced.srt", PLAIN).covered_s == 2.5
