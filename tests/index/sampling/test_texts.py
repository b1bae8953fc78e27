"""The words of real videos: streams, chapters and side files, through a worker or without."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import av
import media_factory as make
import pytest
from subtitled_video import Texts, add_texts

from index.files import FileStat, digest_file
from index.passages import TextTrack
from index.sampling.jobs import DecodeLimits
from index.sampling.text_jobs import TextFailed, TextJob, TextRead
from index.sampling.texts import read_texts
from index.text.sidecars import sidecars_of

LENGTH_S = 8.0
FRAME_S = 0.04
SAID = [(0.52, 1.48, b"One"), (2.0, 3.0, b"Two <i>words</i>")]
ROWS = [(0.52, 1.48, "", "One"), (2.0, 3.0, "", "Two words")]
SRT = "1\n00:00:01,000 --> 00:00:02,000\nHello\n\n2\n00:00:03,000 --> 00:00:04,000\nBye\n"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("videos") / "plain.mp4"
    return make.colour_video(path, [("red", 4.0), ("blue", 4.0)])


def read(path: Path, *names: str, workers: int = 0, encoding: str = "") -> TextRead:
    found_by_name = sidecars_of(os.fsencode(path), [os.fsencode(n) for n in (path.name, *names)])
    sidecars = tuple(replace(sidecar, encoding=encoding) for sidecar in found_by_name)
    job = TextJob(7, os.fsencode(path), LENGTH_S, sidecars, encoding=encoding)
    (found,) = read_texts([job], workers=workers)
    assert isinstance(found, TextRead), found
    assert found.key == 7
    return found


def rows_of(track: TextTrack) -> list[tuple[float, float, str, str]]:
    return [(p.start_s, p.end_s, p.speaker, p.body) for p in track.passages]


def approximately(rows: list[tuple[float, float, str, str]]) -> list[object]:
    return [
        (pytest.approx(start, abs=FRAME_S), pytest.approx(end, abs=FRAME_S), *rest)
        for start, end, *rest in rows
    ]


@pytest.mark.parametrize(
    ("name", "codec", "how"),
    [
        ("a.mp4", "mov_text", {}),
        ("a.mov", "mov_text", {}),
        ("late.mp4", "mov_text", {"later_s": 2.5}),
        ("cut.mp4", "mov_text", {"cut_s": 1.0}),
        ("a.mkv", "subrip", {}),
        ("late.mkv", "subrip", {"later_s": 2.5}),
        ("a.mkv", "webvtt", {"later_s": 1.0}),
    ],
)
def test_streams_count_from_the_first_picture(
    plain: Path, tmp_path: Path, name: str, codec: str, how: dict[str, float]
) -> None:
    path = add_texts(tmp_path / name, plain, [Texts(codec, SAID, "eng")], **how)
    (track,) = read(path).tracks
    assert rows_of(track) == approximately(ROWS)
    source = track.source
    assert (source.channel, source.kind, source.origin) == ("speech", "embedded", "person")
    assert (source.stream, source.language) == (1, "en")
    assert (track.covered_s, track.encoding) == (LENGTH_S, "utf-8")


def test_voices_and_word_times_of_a_stream_are_kept(plain: Path, tmp_path: Path) -> None:
    said = b"<v Jane>Never <00:00:01.250>signed</v>"
    streams = [
        Texts("webvtt", [(1.0, 2.0, said)]),
        Texts("webvtt", [(1.0, 2.0, said.replace(b"00:00:01.250", b"00:00:00.250"))]),
        Texts("ass", [(1.0, 2.0, rb"0,0,Default,Bob,0,0,0,,{\i1}Not{\i0}\Nsigned")]),
    ]
    tracks = read(add_texts(tmp_path / "a.mkv", plain, streams)).tracks
    for track in tracks[:2]:
        assert rows_of(track) == [(1.0, 2.0, "Jane", "Never signed")]
        words = [(word.start_s, word.end_s) for word in track.passages[0].words]
        assert words == [(1.0, 1.25), (1.25, 2.0)]
    assert rows_of(tracks[2]) == [(1.0, 2.0, "Bob", "Not\nsigned")]


def test_a_stream_in_an_old_encoding_is_read(plain: Path, tmp_path: Path) -> None:
    stream = Texts(
        "subrip", [(1.0, 2.0, "Ein schöner Tag für Müßiggänger".encode("cp1252"))], "ger"
    )
    (track,) = read(add_texts(tmp_path / "a.mkv", plain, [stream])).tracks
    assert rows_of(track) == [(1.0, 2.0, "", "Ein schöner Tag für Müßiggänger")]
    assert track.encoding == "windows-1252 (guessed)"


def test_pictures_of_text_are_said_and_not_read(plain: Path, tmp_path: Path) -> None:
    streams = [Texts("hdmv_pgs_subtitle", [(1.0, 2.0, b"\x16\0\0")], "fre"), Texts("subrip", SAID)]
    found = read(add_texts(tmp_path / "a.mkv", plain, streams))
    assert found.notes == ("Stream 1 (fr) holds pictures of subtitles, which are not read.",)
    assert [track.source.stream for track in found.tracks] == [2]
    assert found.failures == ()


def test_forced_streams_speak_only_for_their_own_words(plain: Path, tmp_path: Path) -> None:
    path = add_texts(tmp_path / "a.mkv", plain, [Texts("subrip", SAID, forced=True)])
    (track,) = read(path).tracks
    assert track.covered_s == pytest.approx(1.96)


def test_chapters_with_names_are_a_channel(plain: Path, tmp_path: Path) -> None:
    chapters = [(0.0, 2.0, "Opening"), (2.0, 4.0, "Chapter 2"), (4.0, 9.0, "The vote")]
    (track,) = read(add_texts(tmp_path / "a.mkv", plain, [], chapters, later_s=1.5)).tracks
    assert rows_of(track) == [(0.0, 2.0, "", "Opening"), (4.0, 8.0, "", "The vote")]
    assert (track.source.channel, track.source.kind) == ("chapter", "chapters")
    assert track.covered_s == 6.0


def test_side_files_count_from_the_start_of_the_container(tmp_path: Path) -> None:
    """Players show the first second of sound before the picture, and count from there."""
    path = tmp_path / "a.mkv"
    silent = make.colour_video(tmp_path / "silent.mp4", [("red", 4.0)])
    with av.open(str(silent)) as given, av.open(str(path), "w", format="matroska") as out:
        copy = out.add_stream_from_template(given.streams.video[0])
        sound = out.add_stream("aac", rate=16000, layout="mono")
        make._add_tone(out, sound, 5.0)
        for packet in given.demux(video=0):
            if packet.dts is not None:
                second = round(1 / packet.time_base)
                packet.pts, packet.dts = packet.pts + second, packet.dts + second
                packet.stream = copy
                out.mux(packet)
        out.mux(sound.encode(None))
    (tmp_path / "a.srt").write_text(SRT)
    (track,) = read(path, "a.srt").tracks
    assert rows_of(track) == approximately([(0.0, 1.0, "", "Hello"), (2.0, 3.0, "", "Bye")])


def test_a_joined_recording_keeps_its_side_file(tmp_path: Path) -> None:
    first = make.colour_video(tmp_path / "1.ts", [("red", 4.0)])
    path = make.joined_ts(tmp_path / "a.ts", first, first)
    (tmp_path / "a.srt").write_text(SRT)
    (track,) = read(path, "a.srt").tracks
    assert rows_of(track) == approximately([(1.0, 2.0, "", "Hello"), (3.0, 4.0, "", "Bye")])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.sub", "{25}{50}Hello|there\n{75}{100}Bye\n"),
        ("a.sub", "{1}{1}50\n{50}{100}Hello|there\n{150}{200}Bye\n"),
        ("a.txt", "[10][20]Hello|there\n[30][40]Bye\n"),
        (
            "a.smi",
            "<SAMI><BODY><SYNC Start=1000><P Class=ENCC>Hello<br>there<SYNC Start=2000><P>&nbsp;"
            "<SYNC Start=3000><P Class=ENCC>Bye<SYNC Start=4000><P>&nbsp;</BODY></SAMI>",
        ),
    ],
)
def test_rare_formats_are_read(plain: Path, tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(plain.read_bytes())
    (tmp_path / name).write_text(text)
    (track,) = read(path, name).tracks
    assert rows_of(track) == approximately([(1.0, 2.0, "", "Hello\nthere"), (3.0, 4.0, "", "Bye")])


def test_a_bad_file_costs_itself_alone(plain: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(plain.read_bytes())
    (tmp_path / "a.en.srt").write_text(SRT)
    (tmp_path / "a.de.srt").mkdir()
    (tmp_path / "a.fr.sub").write_bytes(b"\0\0\x01\xba" + bytes(100))
    (tmp_path / "a.txt").write_text("Notes on the weather.\n")
    names = sorted(entry.name for entry in tmp_path.iterdir())
    found = read(path, *names, "a.it.srt", workers=1)
    assert [track.source.language for track in found.tracks] == ["en"]
    assert [(failure.path.rpartition(b"/")[2], failure.reason) for failure in found.failures] == [
        (b"a.de.srt", "not a regular file"),
        (b"a.fr.sub", "it holds pictures of subtitles, and these are not read"),
        (b"a.it.srt", "No such file or directory"),
    ]
    english = next(file for file in found.files if file.path.endswith(b"a.en.srt"))
    assert english.digest == digest_file(tmp_path / "a.en.srt")
    assert english.stat == FileStat.read(tmp_path / "a.en.srt")


def test_a_file_that_ruins_its_worker_costs_itself_alone(plain: Path, tmp_path: Path) -> None:
    path = add_texts(tmp_path / "a.mkv", plain, [Texts("subrip", SAID)])
    (tmp_path / "a.en.srt").write_text(SRT)
    (tmp_path / "a.de.srt").write_text(
        SRT + "\n3\n00:00:05,000 --> 00:00:06,000\n" + "x" * 50_000_000
    )
    sidecars = sidecars_of(os.fsencode(path), [b"a.mkv", b"a.en.srt", b"a.de.srt"])
    job = TextJob(1, os.fsencode(path), LENGTH_S, sidecars)
    limits = DecodeLimits(memory_bytes=80 << 20)
    (found,) = read_texts([job], workers=1, limits=limits)
    assert isinstance(found, TextRead)
    assert {track.source.kind for track in found.tracks} == {"embedded", "sidecar"}
    (failure,) = found.failures
    assert failure.path.endswith(b"a.de.srt")
    assert failure.reason == "it needs more memory than one file may take"


def test_a_file_that_is_no_video_is_told(tmp_path: Path) -> None:
    path = make.random_bytes(tmp_path / "a.mp4")
    (failed,) = read_texts([TextJob(3, os.fsencode(path), 1.0)], workers=0)
    assert isinstance(failed, TextFailed)
    assert failed.key == 3
    assert failed.reason.startswith("not a video container")


def test_sound_alone_has_side_files_too(tmp_path: Path) -> None:
    path = make.audio_only(tmp_path / "a.mp4")
    (tmp_path / "a.srt").write_text(SRT)
    (track,) = read(path, "a.srt").tracks
    assert rows_of(track) == [(1.0, 2.0, "", "Hello"), (3.0, 4.0, "", "Bye")]


def test_a_person_may_name_the_encoding(plain: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(plain.read_bytes())
    (tmp_path / "a.srt").write_bytes(SRT.replace("Hello", "Привет").encode("cp1251"))
    (track,) = read(path, "a.srt", encoding="windows-1251").tracks
    assert track.passages[0].body == "Привет"
    assert track.encoding == "windows-1251"
    (failure,) = read(path, "a.srt", encoding="utf-8").failures
    assert failure.reason == "it is not written in utf-8"
    (failure,) = read(path, "a.srt", encoding="klingon").failures
    assert failure.reason == "there is no encoding called 'klingon'"


def test_many_videos_are_read_side_by_side(plain: Path, tmp_path: Path) -> None:
    path = add_texts(tmp_path / "a.mkv", plain, [Texts("subrip", SAID)])
    jobs = [TextJob(number, os.fsencode(path), LENGTH_S) for number in range(5)]
    found = list(read_texts(jobs, workers=2))
    assert sorted(read.key for read in found) == list(range(5))
    assert all(isinstance(read, TextRead) and len(read.tracks) == 1 for read in found)
