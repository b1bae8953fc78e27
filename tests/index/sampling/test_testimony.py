"""Depositions beside real videos: whose they are, where their lines lie, what is refused."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import media_factory as make
import pytest
from testimony_factory import ascii_transcript, dvt, printed_lines

from index.sampling.text_jobs import TextJob, TextRead
from index.sampling.texts import read_texts
from index.text.alignment import HeardWord
from index.text.sidecars import Sidecar, sidecars_of

LENGTH_S = 8.0
LINES = printed_lines(pages=3)
SPOKEN = [line for line in LINES if line.page > 1 and line.body][:8]


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return make.colour_video(tmp_path / "smith 1.mp4", [("red", LENGTH_S)])


def read(video: Path, heard: tuple[HeardWord, ...] = (), **how: object) -> TextRead:
    names = [os.fsencode(entry.name) for entry in video.parent.iterdir()]
    sidecars = tuple(replace(s, **how) for s in sidecars_of(os.fsencode(video), names))
    (found,) = read_texts(
        [TextJob(1, os.fsencode(video), LENGTH_S, sidecars, heard=heard)], workers=0
    )
    assert isinstance(found, TextRead), found
    return found


def test_a_deposition_finds_its_video_by_what_stands_inside(video: Path) -> None:
    starts_ms = {(line.page, line.line): 900 * n for n, line in enumerate(SPOKEN)}
    streams = [(f"D:\\case\\{video.name}", 0, 8000)]
    (video.parent / "deposition.dvt").write_bytes(dvt(LINES, starts_ms, streams))
    (track,) = read(video).tracks
    assert (track.source.kind, track.source.origin) == ("dvt", "person")
    first = track.passages[0]
    assert (first.start_s, first.body, first.speaker) == (0.0, SPOKEN[0].body, SPOKEN[0].speaker)
    assert first.first is not None
    assert (first.first.page, first.first.line) == (SPOKEN[0].page, SPOKEN[0].line)


@pytest.mark.parametrize("data", [b"<OpenDVT><Lines>", dvt(LINES, {(2, 1): 0}, [("x.mpg", 9, 9)])])
def test_a_deposition_of_other_videos_is_none_of_this_one(video: Path, data: bytes) -> None:
    (video.parent / "deposition.dvt").write_bytes(data)
    found = read(video)
    assert (found.tracks, found.failures) == ((), ())
    assert [file.path.rpartition(b"/")[2] for file in found.files] == [b"deposition.dvt"]


def test_a_transcript_without_times_waits_for_what_is_heard(video: Path) -> None:
    video.with_suffix(".txt").write_text(ascii_transcript(LINES, "amicus"))
    (failure,) = read(video).failures
    assert failure.waits
    assert "cannot be placed in the video yet. Transcribe the video with gz index" in failure.reason
    words = " ".join(line.body for line in SPOKEN).split()
    each_s = LENGTH_S / len(words)
    heard = tuple(HeardWord(w, n * each_s, (n + 1) * each_s) for n, w in enumerate(words))
    found = read(video, heard)
    (track,) = found.tracks
    assert [passage.body for passage in track.passages] == [line.body for line in SPOKEN]
    assert not found.failures


def test_what_a_person_says_of_the_start_places_its_lines(video: Path) -> None:
    clocks = {(line.page, line.line): f"09:31:{n:02}" for n, line in enumerate(SPOKEN)}
    video.with_suffix(".txt").write_text(ascii_transcript(LINES, "amicus", clocks))
    (track,) = read(video, starts_at_s=9 * 3600 + 30 * 60 + 59.0).tracks
    starts = {passage.body: passage.start_s for passage in track.passages}
    assert starts[SPOKEN[0].body] == 1.0
    (later,) = read(video, starts_at_s=9 * 3600 + 30 * 60 + 59.0, offset_s=0.5).tracks
    assert {p.body: p.start_s for p in later.passages}[SPOKEN[0].body] == 1.5


def test_a_file_that_a_person_gives_need_not_be_called_like_the_video(
    video: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere.dvt"
    starts_ms = {(line.page, line.line): 900 * n for n, line in enumerate(SPOKEN)}
    elsewhere.write_bytes(dvt(LINES, starts_ms, [("a.mpg", 1, 1)]))
    given = Sidecar(os.fsencode(elsewhere), given=True, offset_s=0.25)
    (found,) = read_texts([TextJob(1, os.fsencode(video), LENGTH_S, (given,))], workers=0)
    assert found.tracks[0].passages[0].start_s == 0.25


def test_closed_formats_are_refused_by_name(video: Path) -> None:
    video.with_suffix(".ptx").write_bytes(b"\0\x01\x02" * 100)
    (failure,) = read(video).failures
    assert "RealLegal E-Transcript" in failure.reason
    assert "ask the reporter for ASCII and DVT" in failure.reason
    assert not failure.waits
