"""OpenDVT, read whole, and refused where it asks for what no transcript needs."""

from __future__ import annotations

import random

import pytest
from testimony_factory import damaged, dvt, printed_lines

from index.errors import TextError
from index.passages import Place
from index.text.belonging import VideoFacts, recording_of
from index.text.depositions import Placing, track_of
from index.text.dvt import is_dvt, read_dvt

LINES = printed_lines(pages=5)
SPOKEN = [line for line in LINES if line.page > 1]
STARTS = {(line.page, line.line): 1000 + 2500 * at for at, line in enumerate(SPOKEN)}


@pytest.mark.parametrize("version", ["1.3", "1.4", "2.0"])
@pytest.mark.parametrize("encoding", ["ISO-8859-1", "utf-8", "windows-1252", "utf-16"])
def test_every_line_comes_back(version: str, encoding: str) -> None:
    data = dvt(LINES, STARTS, version=version, encoding=encoding)
    assert is_dvt(data[:4096])
    read = read_dvt(data)
    assert [(row.place.page, row.place.line, row.body, row.speaker) for row in read.lines] == [
        (row.page, row.line, row.body, row.speaker) for row in LINES
    ]
    assert read.encoding == encoding.lower()
    facts = read.testimony
    assert (facts.witness, facts.volume, facts.taken_on) == ("Smith", "2", "05/04/2024")
    assert (read.recordings[0].name, read.recordings[0].duration_s) == ("smith.mpg", 600.0)


def test_a_line_runs_to_the_next_one_that_has_a_time() -> None:
    read = read_dvt(dvt(LINES, STARTS))
    track = track_of(read, b"/a/smith.dvt", "0", Placing(duration_s=600.0, shift_s=-0.5))
    assert len(track.passages) == len(SPOKEN)
    for at, passage in enumerate(track.passages[:-1]):
        assert passage.start_s == pytest.approx(0.5 + 2.5 * at, abs=1e-9)
        assert passage.end_s == track.passages[at + 1].start_s
        assert passage.quality == "exact"
        assert passage.first == passage.last
    assert track.passages[-1].end_s == 599.5
    assert track.notes == ("5 of 105 lines have no time in this video",)


def test_lines_between_two_times_share_them_by_their_letters() -> None:
    few = {at: ms for number, (at, ms) in enumerate(STARTS.items()) if number % 4 == 0}
    track = track_of(read_dvt(dvt(LINES, few)), b"s.dvt", "0", Placing(600.0))
    kinds = [passage.quality for passage in track.passages]
    assert kinds[:5] == ["exact", "interpolated", "interpolated", "interpolated", "exact"]
    starts = [passage.start_s for passage in track.passages]
    assert starts == sorted(starts)
    # What follows a timed line was said after it began and before the next one did.
    for passage, line in zip(track.passages, SPOKEN[:96], strict=False):
        assert abs(passage.start_s - STARTS[line.page, line.line] / 1000) < 3.0


def test_each_video_gets_the_lines_of_its_own_stream() -> None:
    streams = [("smith_v1.mpg", 5000, 300_000), ("smith_v2.mpg", 6000, 310_000)]
    second = {at: 1 for at in STARTS if at[0] > 3}
    starts = {at: ms - (125_000 if at in second else 0) for at, ms in STARTS.items()}
    read = read_dvt(dvt(LINES, starts, streams, second))
    for path, size, length_s, wanted in (
        (b"/x/SMITH_V1.MPG", 1, 1.0, "0"),
        (b"/x/smith_v2.mp4", 1, 1.0, "1"),
        (b"/x/renamed.mpg", 6000, 1.0, "1"),
        (b"/x/renamed.mp4", 1, 300.2, "0"),
        (b"/x/other.mp4", 1, 1.0, None),
    ):
        assert recording_of(read, b"/x/s.dvt", VideoFacts(path, size, length_s)) == wanted
    pages = [
        {passage.first.page for passage in track_of(read, b"s", id, Placing(300.0)).passages}
        for id in ("0", "1")
    ]
    assert pages == [{2, 3}, {4, 5}]
    with pytest.raises(TextError, match=r"2 recordings \(smith_v1.mpg, 300 s, smith_v2.mpg, 310 s"):
        recording_of(read, b"/x/s.dvt", VideoFacts(b"/x/o.mp4", 1, 1.0), chosen=True)
    with pytest.raises(TextError, match="cannot be told"):
        recording_of(read, b"/x/o.dvt", VideoFacts(b"/x/o.mp4", 1, 1.0))


def test_one_recording_belongs_to_the_video_of_its_name_or_of_a_persons_choice() -> None:
    read = read_dvt(dvt(LINES, STARTS))
    other = VideoFacts(b"/x/other.mp4", 1, 1.0)
    assert recording_of(read, b"/x/other.dvt", other) == "0"
    assert recording_of(read, b"/x/s.dvt", other) is None
    assert recording_of(read, b"/x/s.dvt", other, chosen=True) == "0"


LAUGHS = """<?xml version="1.0"?><!DOCTYPE OpenDVT [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;">]><OpenDVT><Lines><Line ID="0"><PageNo>1</PageNo><LineNo>1</LineNo>
<Text>&c;</Text></Line></Lines></OpenDVT>"""
OUTSIDE = """<?xml version="1.0"?><!DOCTYPE OpenDVT SYSTEM "file:///etc/passwd">
<OpenDVT><Lines/></OpenDVT>"""
ENTITY = """<!DOCTYPE OpenDVT [<!ENTITY x SYSTEM "file:///etc/passwd">]><OpenDVT><Lines><Line>
<PageNo>1</PageNo><LineNo>1</LineNo><Text>&x;</Text></Line></Lines></OpenDVT>"""


@pytest.mark.parametrize("text", [LAUGHS, OUTSIDE, ENTITY])
def test_xml_that_declares_anything_is_refused(text: str) -> None:
    with pytest.raises(TextError, match="document type or entities"):
        read_dvt(text.encode())


def test_what_is_too_deep_or_too_long_is_refused() -> None:
    with pytest.raises(TextError, match="too deeply"):
        read_dvt(b"<OpenDVT>" + b"<a>" * 100 + b"</a>" * 100 + b"</OpenDVT>")
    long = b"<OpenDVT><Lines><Line><Text>" + b"x" * 20_000
    with pytest.raises(TextError, match="too much text"):
        read_dvt(long)
    with pytest.raises(TextError, match="without a line"):
        read_dvt(b"<OpenDVT><Lines></Lines></OpenDVT>")
    with pytest.raises(TextError, match="damaged"):
        read_dvt(dvt(LINES, STARTS)[:-40])


def test_named_blanks_windows_quotes_and_lying_encodings_are_read() -> None:
    data = dvt(LINES[25:30], STARTS).replace(b"\xa0", b"&nbsp;", 3)
    data = data.replace(b"<Text>", b"<Text>\x93caf\xe9\x94 ")
    assert read_dvt(data).lines[0].body.startswith("“café”")
    lying = read_dvt(data.replace(b"ISO-8859-1", b"utf-8"))
    assert lying.lines[0].body.startswith("“café”")
    assert lying.encoding == "windows-1252 (guessed)"


def other_values(whole: bytes, rng: random.Random) -> bytes:
    """Sound XML in which some elements hold something else."""
    odd = [b"", b"-5", b"0", b"1e9", b"99999999999999999999", b"&#x202e;x", b"&#9;", b"7", b"\xff"]
    parts = whole.split(b"<")
    for at in rng.sample(range(40, len(parts)), rng.randint(1, 8)):
        tag, _, _ = parts[at].partition(b">")
        parts[at] = tag + b">" + rng.choice(odd)
    return b"<".join(parts)


def test_a_line_out_of_order_is_not_cited() -> None:
    data = dvt(LINES[25:50], STARTS)
    read = read_dvt(data.replace(b"<LineNo>12</LineNo>", b"<LineNo>21</LineNo>"))
    assert [line.place.line for line in read.lines] == [*range(1, 12), *range(13, 26)]
    assert read.notes[0].startswith("1 of 25 lines have no page and line number, or stand out")


def test_damaged_files_neither_crash_nor_show_what_is_hidden() -> None:
    rng = random.Random(4)
    whole = dvt(LINES[:60], STARTS)
    read_well = 0
    for number in range(250):
        data = damaged(whole, rng) if number % 2 else other_values(whole, rng)
        try:
            read = read_dvt(data)
            track = track_of(read, b"s.dvt", "0", Placing(600.0))
        except TextError:
            continue
        read_well += 1
        for passage in track.passages:
            assert 0 <= passage.start_s < passage.end_s <= 600.0
            assert passage.first is not None
            assert passage.first.page > 0
        places = [line.place for line in read.lines]
        assert places == sorted(set(places))
        for passage in track.passages:
            assert (passage.body + passage.speaker).isprintable()
    assert read_well > 30


def test_a_cover_that_is_timed_with_nothing_is_not_spoken() -> None:
    starts = {(line.page, line.line): 0 for line in LINES if line.page == 1} | STARTS
    starts[2, 1] = 0
    track = track_of(read_dvt(dvt(LINES, starts)), b"s.dvt", "0", Placing(600.0))
    first = track.passages[0]
    assert (first.first, first.start_s) == (Place(2, 1), 0.0)
    assert len(track.passages) == len(SPOKEN)
