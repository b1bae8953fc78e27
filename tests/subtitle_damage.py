"""Accidents that happen to subtitle files, and the ones that somebody arranges."""

from __future__ import annotations

import random
import unicodedata

from rolling_captions import rolling_srt, rolling_vtt

from index.passages import TextTrack

SRT = (
    "1\r\n00:00:01,000 --> 00:00:02,500\r\n<i>Hello</i> {\\an8}there &amp; you\r\n\r\n"
    "2\r\n00:00:03,000 --> 00:00:04,000\r\nJANE: Bye\r\n\r\n"
    "3\r\n00:00:05,000 --> 00:00:06,000\r\nJANE: A naïve “café”\r\n"
)
VTT = (
    "WEBVTT\n\nSTYLE\n::cue { color: red }\n\nintro\n00:01.000 --> 00:02.000 line:0\n"
    "<v Jane Doe>Hi <00:00:01.500><c.red>you</c></v>\n\nNOTE x\n\n00:03.000 --> 00:04.000\n<b>Bye\n"
)
ASS = (
    "[Script Info]\nScriptType: v4.00+\n[Events]\nFormat: Layer, Start, End, Style, Name, Text\n"
    "Dialogue: 0,0:00:01.00,0:00:02.00,Default,Jane,{\\i1}Hello{\\p1}m 0 0{\\p0}\\NBye\n"
)
NOTES = '{"title": "x", "chapters": [{"start_time": 0.0, "end_time": 4.5, "title": "Opening"}]}'
WHOLE = {
    "a.srt": SRT.encode(),
    "b.srt": SRT.encode("cp1252"),
    "c.srt": SRT.encode("utf-16"),
    "a.vtt": VTT.encode(),
    "a.en.vtt": rolling_vtt([f"word{n % 7}" for n in range(40)]).encode(),
    "d.srt": rolling_srt([f"word{n % 7}" for n in range(40)]).encode(),
    "a.ass": ASS.encode(),
    "a.info.json": NOTES.encode(),
    "a.sub": b"{25}{50}Hello|there\n{75}{100}Bye\n",
    "a.smi": b"<SAMI><BODY><SYNC Start=1000><P>Hello<SYNC Start=2000><P>&nbsp;</BODY></SAMI>",
}
"""Files of every kind, by name."""
_PUT_IN = (
    b"\x1b[2J", b"\x1b]0;title\x07", b"\0", b"\x9b31m", b"\xe2\x80\xae", b"\xff\xfe",
    b"\xed\xa0\x80", b"-->", b" --> ", b"\n\n", b"99999999999", b"<" * 200, b"{" * 200,
    b"&#27;", b"&#x202e;", b"&#1114112;", b"<00:00:00.000>", b"00:00:01,000 --> 00:00:00,000\n",
    b"9999:59:59,999 --> ", b"<v ", b"{\\p1}", b"[[[[", b"\r", b"1e999", b"NaN",
)  # fmt: skip
LENGTH_S = 60.0
_TURNS = {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}


def check_tracks(tracks: tuple[TextTrack, ...], length_s: float = LENGTH_S) -> None:
    """Holds what was read to what everything that shows it relies on."""
    for track in tracks:
        assert track.passages
        assert 0.0 < track.covered_s <= length_s
        starts = [passage.start_s for passage in track.passages]
        assert starts == sorted(starts)
        for passage in track.passages:
            assert 0.0 <= passage.start_s < passage.end_s <= length_s
            for text in (passage.body, passage.speaker, *track.notes, track.encoding):
                text.encode()
                shown = set(text.replace("\n", ""))
                assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in shown), text
                assert not _TURNS & shown, text
            assert passage.body.strip() == passage.body != ""
            for word in passage.words:
                assert 0 <= word.first < word.first + word.length <= len(passage.body)
                assert passage.start_s <= word.start_s < word.end_s <= passage.end_s


def damaged(whole: bytes, rng: random.Random) -> bytes:
    """A file after a few accidents."""
    data = bytearray(whole)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(5)
        if kind == 0 and at < len(data):
            data[at] = rng.randrange(256)
        elif kind == 1:
            del data[at : at + rng.randint(1, 60)]
        elif kind == 2:
            data[at:at] = data[at : at + rng.randint(1, 200)]
        elif kind == 3:
            data[at:at] = rng.choice(_PUT_IN)
        else:
            other = rng.choice(list(WHOLE.values()))
            data[at:at] = other[: rng.randint(1, len(other))]
    return bytes(data[: rng.randrange(len(data) + 1)] if rng.random() < 0.1 else data)
