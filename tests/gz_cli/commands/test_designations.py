"""``gz export-clips --designations`` as a paralegal meets it: lists in, clips and a report out."""

from __future__ import annotations

import csv
import io
import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pytest
from library_factory import SPACE, unit_vectors
from numbered import Recipe, read, write
from terminal import Ran, run
from testimony_factory import Line, ascii_transcript, dvt, printed_lines

from index.files import FileStat
from index.media.fingerprint import fingerprint
from index.store.library import Library
from index.text.depositions import Placing, track_of
from index.text.dvt import read_dvt
from index.text.pageline import read_pages
from index.types import SamplingReport, VideoInfo

LINES = [line for line in printed_lines(pages=4, lines_per_page=10) if line.page > 1]
STARTS_MS = {(line.page, line.line): 130 + 1290 * at for at, line in enumerate(LINES)}
LENGTH_S = 20.0


@dataclass
class Case:
    folder: Path

    @property
    def library(self) -> Path:
        return self.folder / "library"

    def export(self, text: str, *more: str | Path, stdin: bool = False) -> Ran:
        source = self.folder / "list.txt"
        source.write_text(text)
        given = "-" if stdin else source
        return run(
            "export-clips",
            "--designations",
            given,
            "--out",
            self.folder / "clips",
            *more,
            library=self.library,
            stdin=text.encode() if stdin else None,
        )

    def report(self, stem: str = "designations") -> list[dict[str, str]]:
        text = (self.folder / "clips" / f"{stem}.csv").read_text()
        return list(csv.DictReader(io.StringIO(text)))


def put(library: Library, path: Path, *tracks) -> None:
    name = os.fsencode(path)
    video = library.begin_attempt(name, fingerprint(name), FileStat.read(path))
    library.stage_chunk(video, unit_times(), unit_vectors(3, 1))
    info = VideoInfo(LENGTH_S, 160, 96, 25.0, "h264", "mp4", 0, True)
    library.commit_video(video, SamplingReport(LENGTH_S, 0, False), info)
    for track in tracks:
        library.write_text(video, track)


def unit_times():
    import numpy as np

    return np.arange(3, dtype=np.float64)


def deposition(lines: list[Line], recording: str = "0", name: str = "Smith", **how):
    data = dvt(lines, STARTS_MS, **how).replace(b"<LastName>Smith", f"<LastName>{name}".encode())
    return track_of(read_dvt(data), f"/t/{name}.dvt".encode(), recording, Placing(LENGTH_S))


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    for name in ("one.mp4", "two.mp4"):
        write(folder / name, Recipe(frames=500))
    return folder


@pytest.fixture
def case(tmp_path: Path, media: Path) -> Case:
    with Library.create_or_open(tmp_path / "library") as library:
        library.set_space(SPACE, "fake")
        put(library, media / "one.mp4", deposition(LINES[:15]))
    return Case(tmp_path)


def line_s(page: int, line: int) -> float:
    return STARTS_MS[page, line] / 1000


def test_clips_hold_whole_lines_to_the_frame(case: Case, media: Path) -> None:
    ran = case.export("2:3 - 2:5\n[ID=D4]\n00002:09 - 00003:02\n")
    assert ran.code == 0, ran.err
    frames = read(media / "one.mp4")
    wanted = {"Smith_2.3-2.5.mp4": ((2, 3), (2, 6)), "Smith_2.9-3.2.mp4": ((2, 9), (3, 3))}
    for (name, (first, after)), row in zip(wanted.items(), case.report(), strict=True):
        held = [number for number, _ in read(case.folder / "clips" / name)]
        start_s, end_s = line_s(*first), line_s(*after)
        # The frame on screen when the line begins, and every frame until the next begins.
        assert held == [n for n, s in frames if s > start_s - 0.04 and s < end_s]
        assert abs(float(row["start_s"]) - start_s) < 0.04
        assert abs(float(row["end_s"]) - end_s) < 0.04
        assert row["clip_file"] == name
    first, second = case.report()
    assert (first["witness"], first["volume"], first["taken_on"]) == ("Smith", "2", "05/04/2024")
    assert (first["range"], second["range"], second["id"]) == ("2:3-5", "2:9-3:2", "D4")
    quoted = first["testimony"].split("\n")
    assert [row.split("  ")[0] for row in quoted] == ["2:03", "2:04", "2:05"]
    assert all(line.body in row for line, row in zip(LINES[2:5], quoted, strict=True))
    assert first["times"] == "as synchronised"
    text = (case.folder / "clips" / "designations.txt").read_text()
    assert "1.  Smith 2:3-5, vol. 2, 05/04/2024\n" in text
    total_s = sum(float(row["length_s"]) for row in case.report())
    assert f"Total running time 0:00:{total_s:06.3f} (2 clips)." in text
    assert "2 clips cut, running time 0:00:0" in ran.err
    assert ran.err.count("designations.txt") == 1


def test_ranges_that_match_nothing_are_named_and_nothing_is_cut_for_them(case: Case) -> None:
    ran = case.export("2:3-5\n90:1 - 91:4\nJones 2:3-5\n")
    assert ran.code == 3
    clips = sorted(path.name for path in (case.folder / "clips").glob("*.mp4"))
    assert clips == ["Smith_2.3-2.5.mp4"]
    assert "no clip for 90:1-91:4 (line 2 of the list): no line of testimony" in ran.err
    assert "no clip for Jones 2:3-5 (line 3 of the list)" in ran.err
    assert "there are those of Smith, vol. 2" in ran.err
    assert [row["status"] for row in case.report()] == ["cut", "unmatched", "unmatched"]
    assert "(1 clip, 2 not cut)" in (case.folder / "clips" / "designations.txt").read_text()


def test_a_range_of_which_only_a_part_has_times_says_so(case: Case) -> None:
    ran = case.export("3:4 - 9:1\n")
    assert ran.code == 0
    assert "warning: Smith 3:4-9:1: only 3:4-5 of 3:4-9:1 has words with a time." in ran.err
    (row,) = case.report()
    assert (row["status"], row["reason"]) == ("cut", "only 3:4-5 of 3:4-9:1 has words with a time")
    text = (case.folder / "clips" / "designations.txt").read_text()
    assert "Note: only 3:4-5 of 3:4-9:1 has words with a time.\n" in text


def test_nothing_to_cut_leaves_nothing(case: Case) -> None:
    ran = case.export("90:1 - 91:4\n", "--json", stdin=True)
    assert ran.code == 1
    assert [line["type"] for line in ran.lines] == ["designation", "summary"]
    assert ran.lines[1]["unmatched"] == 1
    assert not (case.folder / "clips").exists()


def test_json_tells_of_every_designation(case: Case) -> None:
    ran = case.export("[transcript=Smith, John 2024-05-04]\n2:3-5\n2:6\n", "--json", "-k", "1")
    assert ran.code == 0, ran.err
    clip, told, summary = ran.lines
    assert (clip["type"], told["type"], summary["type"]) == ("clip", "designation", "summary")
    assert told["range"] == "2:3-5"
    assert told["status"] == "cut"
    assert summary["clips"] == 1
    assert summary["seconds"] == told["length_s"] == pytest.approx(3 * 1.29, abs=0.08)
    assert summary["report"].endswith("designations.txt")


def test_a_range_over_two_recordings_gives_a_clip_of_each(case: Case, media: Path) -> None:
    streams = [("one.mp4", 1, 20_000), ("two.mp4", 2, 20_000)]
    second = {(line.page, line.line): 1 for line in LINES[15:]}
    starts = {at: ms - 19_000 if at in second else ms for at, ms in STARTS_MS.items()}
    read_twice = read_dvt(dvt(LINES, starts, streams, second))
    with Library.create_or_open(case.library) as library:
        one = track_of(read_twice, b"/t/Smith.dvt", "0", Placing(LENGTH_S))
        library.write_text(library.videos()[0].id, one)
        put(
            library,
            media / "two.mp4",
            track_of(read_twice, b"/t/Smith.dvt", "1", Placing(LENGTH_S)),
        )
    ran = case.export("3:4 - 3:7\n")
    assert ran.code == 0, ran.err
    assert [row["clip_file"] for row in case.report()] == [
        "Smith_3.4-3.5.mp4",
        "Smith_3.6-3.7.mp4",
    ]
    assert [Path(row["video"]).name for row in case.report()] == ["one.mp4", "two.mp4"]


def test_what_may_be_meant_by_two_witnesses_is_asked_back(case: Case, media: Path) -> None:
    with Library.create_or_open(case.library) as library:
        put(library, media / "two.mp4", deposition(LINES[:15], name="Roe"))
    ran = case.export("2:3-5\nRoe 2:3-5\n")
    assert ran.code == 3
    assert "it is in the testimony of Smith, vol. 2 and Roe, vol. 2; write a name" in ran.err
    assert [row["clip_file"] for row in case.report()] == ["", "Roe_2.3-2.5.mp4"]


def test_the_synchronised_transcript_is_taken_before_the_printed_one(case: Case) -> None:
    text = ascii_transcript(
        LINES,
        "amicus",
        {at: f"09:00:{ms // 1000:02}" for at, ms in STARTS_MS.items() if ms < 20_000},
    )
    printed = track_of(
        read_pages(text, "Smith"), b"/t/Smith.txt", "", Placing(LENGTH_S, starts_at_s=9 * 3600.0)
    )
    with Library.create_or_open(case.library) as library:
        library.write_text(library.videos()[0].id, printed)
    assert case.export("2:3-5\n").code == 0
    (row,) = case.report()
    assert row["transcript"] == "/t/Smith.dvt"
    with Library.create_or_open(case.library) as library:
        library.drop_text(next(t.id for t in library.text_rows() if t.source.kind == "dvt"))
    ran = case.export("2:3-5\n", "--overwrite")
    assert ran.code == 0
    (row,) = case.report("designations_2")
    assert row["times"] == "to the second, from the margin"
    assert "listen to the edges" in ran.err


def test_a_library_without_testimony_and_a_list_without_ranges(
    case: Case, media: Path, tmp_path: Path
) -> None:
    ran = case.export("see the contract\n")
    assert ran.code == 2
    assert "line 1: 'see the contract' holds no page and line" in ran.err
    ran = case.export("2:3", "--from", "hits.json")
    assert ran.code == 2
    with Library.create_or_open(case.library) as library:
        library.drop_text(library.text_rows()[0].id)
    ran = case.export("2:3\n")
    assert ran.code == 4
    assert "No video of this library has a transcript" in ran.err
    assert run("export-clips", "--designations", "/no/such", library=case.library).code == 2


def test_a_video_that_has_changed_is_not_cut(case: Case, media: Path) -> None:
    moved = case.folder / "one.mp4"
    moved.write_bytes((media / "one.mp4").read_bytes())
    with Library.create_or_open(case.library) as library:
        library.drop_text(library.text_rows()[0].id)
        put(library, moved, deposition(LINES[:15]))
    write(moved, Recipe(frames=300))
    ran = case.export("2:3-5\n")
    assert ran.code == 3
    assert "no clip for Smith 2:3-5" in ran.err
    assert "has changed since it was indexed" in ran.err
    assert case.report()[0]["status"] == "failed"


def test_from_a_folder_with_a_deposition_to_its_clips(tmp_path: Path, media: Path) -> None:
    """The whole way: an index run reads the DVT beside two videos, a list cuts both."""
    videos, library = tmp_path / "videos", tmp_path / "library"
    videos.mkdir()
    # The second recording's clock does not begin at 0, as the DVT's does.
    write(videos / "smith_v1.mp4", Recipe(frames=500))
    write(videos / "smith_v2.mp4", Recipe(frames=450, shift_s=Fraction(7, 2), sound=None))
    streams = [("smith_v1.mpg", 1, 20_000), ("smith_v2.mpg", 2, 18_000)]
    second = {(line.page, line.line): 1 for line in LINES[15:]}
    starts = {at: ms - (19_000 if at in second else 0) for at, ms in STARTS_MS.items()}
    (videos / "exhibit 5.dvt").write_bytes(dvt(LINES, starts, streams, second))
    ran = run("index", videos, "--model", "demo", library=library)
    assert ran.code == 0, ran.err
    (tmp_path / "list.txt").write_text("Smith 2:3-5\n3:4 - 3:7\n")
    ran = run(
        "export-clips",
        "--designations",
        tmp_path / "list.txt",
        "--out",
        tmp_path / "clips",
        library=library,
    )
    assert ran.code == 0, ran.err
    for name, video, (start_s, end_s) in (
        ("Smith_2.3-2.5.mp4", "smith_v1.mp4", (line_s(2, 3), line_s(2, 6))),
        ("Smith_3.4-3.5.mp4", "smith_v1.mp4", (line_s(3, 4), 20.0)),
        ("Smith_3.6-3.7.mp4", "smith_v2.mp4", (line_s(3, 6) - 19, line_s(3, 8) - 19)),
    ):
        frames = read(videos / video)
        zero_s = frames[0][1]
        held = [number for number, _ in read(tmp_path / "clips" / name)]
        shown = [(n, s - zero_s) for n, s in frames]
        assert held == [n for n, s in shown if s > start_s - 0.04 and s < end_s - 0.0006]
