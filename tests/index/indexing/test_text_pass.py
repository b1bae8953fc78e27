"""The texts of an index run: read once, again when they change, and never in the way."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest
from index_runs import Home, assert_sound, run, stored
from media_factory import colour_video
from subtitled_video import Texts, add_texts
from testimony_factory import ascii_transcript, dvt, printed_lines

from index.files import FileStat
from index.indexing import text_pass
from index.passages import Passage, TextSource, TextTrack, Word
from index.store.library import Library
from index.store.text_rows import TextRow

CUE = "1\n00:00:01,000 --> 00:00:02,000\n{}\n"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    videos = tmp_path / "videos"
    videos.mkdir()
    colour_video(videos / "talk.mp4", [("red", 4.0)], fps=5)
    return Home(videos, tmp_path / "library")


def write(path: Path, words: str) -> Path:
    path.write_text(CUE.format(words), "utf-8")
    return path


def texts(home: Home) -> list[tuple[str, str, list[str]]]:
    """Name of the file, state and bodies of each text."""
    with Library.open_readonly(home.library) as library:
        return [
            (
                Path(os.fsdecode(row.source.path)).name,
                row.state,
                [passage.body for passage in library.passages(row.id)],
            )
            for row in library.text_rows()
        ]


def rows(home: Home) -> list[TextRow]:
    with Library.open_readonly(home.library) as library:
        return library.text_rows()


def test_a_side_file_is_read_with_its_video_and_pictures_are_not_encoded_for_it(
    home: Home,
) -> None:
    home.index()
    write(home.videos / "talk.srt", "never signed")
    first = home.index()
    assert (first.texts_read, first.texts_videos, first.unchanged) == (1, 1, 1)
    assert home.encoder.pictures_encoded == 0
    assert texts(home) == [("talk.srt", "visible", ["never signed"])]
    again = home.index()
    assert (again.texts_read, again.texts_gone) == (0, 0)
    assert rows(home)[0].searched


def test_a_new_video_has_its_words_after_one_run(home: Home) -> None:
    write(home.videos / "talk.srt", "never signed")
    summary = home.index()
    assert (summary.indexed, summary.texts_read, summary.skipped) == (1, 1, 0)
    assert texts(home) == [("talk.srt", "visible", ["never signed"])]


def test_changed_deleted_and_renamed_side_files(home: Home) -> None:
    srt = write(home.videos / "talk.srt", "one")
    home.index()
    write(srt, "another")
    assert home.index().texts_read == 1
    assert texts(home) == [("talk.srt", "visible", ["another"])]
    srt.rename(home.videos / "talk.de.srt")
    summary = home.index()
    assert (summary.texts_read, summary.texts_gone) == (1, 1)
    assert [row.source.language for row in rows(home)] == ["de"]
    (home.videos / "talk.de.srt").unlink()
    assert home.index().texts_gone == 1
    assert texts(home) == []


def test_a_video_that_is_renamed_with_its_side_file_keeps_its_words(home: Home) -> None:
    write(home.videos / "talk.srt", "one")
    home.index()
    for ending in (".mp4", ".srt"):
        (home.videos / f"talk{ending}").rename(home.videos / f"lecture{ending}")
    summary = home.index()
    assert (summary.moved, home.encoder.pictures_encoded) == (1, 0)
    assert texts(home) == [("lecture.srt", "visible", ["one"])]


def test_a_folder_that_is_renamed_keeps_the_words_of_its_videos(home: Home) -> None:
    (home.videos / "a").mkdir()
    (home.videos / "talk.mp4").rename(home.videos / "a" / "talk.mp4")
    write(home.videos / "a" / "talk.srt", "one")
    home.index()
    (home.videos / "a").rename(home.videos / "b")
    home.index()
    assert [row.source.path for row in rows(home)] == [bytes(home.videos / "b" / "talk.srt")]


def test_the_side_file_of_a_copy_belongs_to_the_video(home: Home) -> None:
    home.index()
    copy = home.videos / "more" / "same.mp4"
    copy.parent.mkdir()
    shutil.copy(home.videos / "talk.mp4", copy)
    write(copy.with_name("same.srt"), "beside the copy")
    assert home.index().texts_read == 1
    assert texts(home) == [("same.srt", "visible", ["beside the copy"])]
    assert home.index().texts_read == 0


def test_a_copy_out_of_reach_keeps_its_words(home: Home, tmp_path: Path) -> None:
    drive = tmp_path / "drive"
    drive.mkdir()
    shutil.copy(home.videos / "talk.mp4", drive / "same.mp4")
    write(drive / "same.srt", "beside the copy")
    home.index(home.videos, drive)
    drive.rename(tmp_path / "unplugged")
    home.index()
    assert texts(home) == [("same.srt", "visible", ["beside the copy"])]


def test_words_of_an_absent_video_are_kept(home: Home, tmp_path: Path) -> None:
    write(home.videos / "talk.srt", "one")
    home.index()
    home.videos.rename(tmp_path / "unplugged")
    home.index()
    assert texts(home) == [("talk.srt", "visible", ["one"])]
    (tmp_path / "unplugged").rename(home.videos)
    assert home.index().texts_read == 0


def test_a_file_that_holds_no_words_is_read_once(home: Home) -> None:
    (home.videos / "talk.info.json").write_text('{"title": "A talk"}')
    summary = home.index()
    assert (summary.texts_read, summary.texts_failed, summary.skipped) == (0, 0, 1)
    assert [(name, state) for name, state, _ in texts(home)] == [("talk.info.json", "empty")]
    stamp = rows(home)[0].id
    assert home.index().skipped == 1
    assert rows(home)[0].id == stamp


def test_a_side_file_that_is_edited_while_it_is_read_is_read_again(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.index()
    srt = write(home.videos / "talk.srt", "half")
    real = text_pass.read_texts

    def edited_meanwhile(*words, **named):
        for result in real(*words, **named):
            write(srt, "the whole of it")
            yield result

    monkeypatch.setattr(text_pass, "read_texts", edited_meanwhile)
    home.index()
    assert texts(home) == [("talk.srt", "visible", ["half"])]
    monkeypatch.undo()
    home.index()
    assert texts(home) == [("talk.srt", "visible", ["the whole of it"])]


def test_a_text_that_fails_is_told_once_and_tried_again_when_asked(home: Home) -> None:
    broken = home.videos / "talk.info.json"
    broken.write_text("{")
    summary = home.index()
    assert (summary.indexed, summary.failed, summary.texts_failed) == (1, 0, 1)
    assert [problem.path for problem in summary.problems] == [bytes(broken)]
    (row,) = rows(home)
    assert (row.state, "notes cannot be read" in row.reason) == ("failed", True)
    assert home.index().texts_failed == 0
    assert home.index(retry=True).texts_failed == 1


def test_subtitles_that_are_pictures_are_no_failure(home: Home) -> None:
    (home.videos / "talk.sub").write_bytes(b"\x00\x00\x01\xba")
    summary = home.index()
    assert (summary.indexed, summary.texts_failed, summary.problems) == (1, 0, ())
    (row,) = rows(home)
    assert row.state == "empty"
    assert row.notes[0].startswith("It holds pictures of subtitles, which are not read")


def test_other_content_has_its_side_file_read_for_it(home: Home) -> None:
    write(home.videos / "talk.srt", "one")
    home.index()
    before = rows(home)[0].fingerprint
    colour_video(home.videos / "talk.mp4", [("blue", 6.0)], fps=5)
    assert home.index().texts_read == 1
    assert [row.fingerprint != before for row in rows(home)] == [True]


def test_an_encoding_is_remembered_for_each_file(home: Home) -> None:
    srt = home.videos / "talk.srt"
    srt.write_bytes(CUE.format("Приве́т, мир").encode("utf-8"))
    srt.write_bytes(CUE.format("Москва слезам").encode("cp1251"))
    home.index(subtitle_encoding="cp1251")
    assert texts(home)[0][2] == ["Москва слезам"]
    srt.write_bytes(CUE.format("не верит").encode("cp1251"))
    home.index()
    assert texts(home)[0][2] == ["не верит"]
    assert rows(home)[0].encoding == "windows-1251"
    srt.write_text(CUE.format("naïve"), "utf-8")
    home.index(subtitle_encoding="auto")
    assert texts(home)[0][2] == ["naïve"]


def test_what_is_left_out_by_a_glob_is_no_text_either(home: Home) -> None:
    write(home.videos / "talk.srt", "one")
    assert home.index(exclude=("*.srt",)).texts_read == 0
    assert home.index().texts_read == 1
    assert home.index(home.videos / "talk.mp4", exclude=("*.srt",)).texts_gone == 1
    (home.videos / "sub").mkdir()
    shutil.move(home.videos / "talk.mp4", home.videos / "sub" / "talk.mp4")
    shutil.move(home.videos / "talk.srt", home.videos / "sub" / "talk.srt")
    assert home.index(exclude=("sub/*.srt",)).texts_read == 0


def test_a_transcript_that_was_named_is_read_wherever_it_lies_and_kept(
    home: Home, tmp_path: Path
) -> None:
    given = write(tmp_path / "downloaded.srt", "one")
    video = home.videos / "talk.mp4"
    options = {"transcript": bytes(given), "transcript_offset_s": 1.5}
    assert home.index(video, **options).texts_read == 1
    with Library.open_readonly(home.library) as library:
        (row,) = library.text_rows()
        assert library.passages(row.id)[0].start_s == 2.5
    assert home.index(home.videos).texts_read == 0
    write(given, "two")
    assert home.index(home.videos).texts_read == 1
    with Library.open_readonly(home.library) as library:
        assert library.passages(library.text_rows()[0].id)[0].start_s == 2.5
    given.unlink()
    home.index(home.videos)
    assert texts(home) == [("downloaded.srt", "visible", ["two"])]


def test_a_link_beside_a_video_is_not_followed(home: Home, tmp_path: Path) -> None:
    write(tmp_path / "elsewhere.srt", "one")
    (home.videos / "talk.srt").symlink_to(tmp_path / "elsewhere.srt")
    assert home.index().texts_read == 0
    assert FileStat.read(home.videos / "talk.srt").size_bytes > 0


def test_streams_and_chapters_are_read_once_for_each_content(home: Home) -> None:
    plain = home.videos / "talk.mp4"
    subtitled = home.videos / "film.mkv"
    said = Texts("srt", [(1.0, 2.0, b"never signed")], language="eng")
    add_texts(subtitled, plain, [said], chapters=[(0.0, 2.0, "Opening")])
    assert home.index().texts_read == 2
    kinds = {row.source.kind: row for row in rows(home)}
    assert set(kinds) == {"embedded", "chapters"}
    assert (kinds["embedded"].source.language, kinds["embedded"].searched) == ("en", True)
    ids = [row.id for row in rows(home)]
    subtitled.rename(home.videos / "renamed.mkv")
    os.utime(plain)
    assert home.index().texts_read == 0
    assert [row.id for row in rows(home)] == ids
    add_texts(home.videos / "renamed.mkv", plain, [said])
    assert home.index().texts_read == 1
    assert [row.source.kind for row in rows(home)] == ["embedded"]


def test_a_deposition_goes_to_the_video_that_it_names_inside(home: Home) -> None:
    colour_video(home.videos / "other.mp4", [("blue", 3.0)], fps=5)
    lines = printed_lines(1)[:3]
    starts_ms = {(line.page, line.line): 1000 * at for at, line in enumerate(lines)}
    deposition = home.videos / "Smith.dvt"
    deposition.write_bytes(dvt(lines, starts_ms, streams=(("talk.mp4", 0, 600_000),)))
    summary = home.index()
    assert (summary.texts_read, summary.texts_failed, summary.skipped) == (1, 0, 0)
    with Library.open_readonly(home.library) as library:
        (row,) = [row for row in library.text_rows() if row.state == "visible"]
        video = library.video(row.video_id)
    assert video is not None
    assert (video.path, row.source.kind) == (bytes(home.videos / "talk.mp4"), "dvt")
    assert home.index().texts_read == 0
    (home.videos / "talk.mp4").rename(home.videos / "part.mp4")
    (home.videos / "other.mp4").rename(home.videos / "talk.mp4")
    home.index()
    with Library.open_readonly(home.library) as library:
        texts_of = {library.video(r.video_id): r for r in library.text_rows() if r.passages}
    assert [video.path for video in texts_of if video] == [bytes(home.videos / "talk.mp4")]


def heard(words: list[str], length_s: float) -> TextTrack:
    """A machine's transcript with evenly spread words."""
    said, each_s, at = [], length_s / len(words), 0
    for number, word in enumerate(words):
        start_s = number * each_s
        said.append(Word(at, len(word), start_s, start_s + each_s))
        at += len(word) + 1
    source = TextSource("speech", "transcribed", "machine", language="en", engine="m@1")
    whole = Passage(0.0, length_s, " ".join(words), words=tuple(said))
    return TextTrack(source, (whole,), length_s)


def test_a_transcript_without_times_is_placed_when_the_video_was_transcribed(home: Home) -> None:
    pytest.importorskip("rapidfuzz")
    lines = printed_lines(pages=3)
    spoken = [line.body for line in lines if line.page > 1 and line.body][:8]
    (home.videos / "talk.txt").write_text(ascii_transcript(lines, "amicus"))
    assert home.index().texts_failed == 1
    assert home.index().texts_failed == 0
    with Library.create_or_open(home.library) as library:
        (video,) = library.videos()
        library.write_text(video.id, heard(" ".join(spoken).split(), 4.0))
    assert home.index().texts_read == 1
    with Library.open_readonly(home.library) as library:
        machine, placed = library.text_rows()
        assert (placed.source.kind, placed.searched, machine.searched) == ("pageline", True, False)
        assert [passage.body for passage in library.passages(placed.id)] == spoken
    assert home.index().texts_read == 0


@pytest.mark.parametrize("ending", ["kill", "int"])
def test_a_run_that_ends_among_texts_is_made_up_for_by_the_next(home: Home, ending: str) -> None:
    colour_video(home.videos / "second.mp4", [("blue", 3.0)], fps=5)
    home.index()
    before = stored(home.library)
    for name in ("talk", "second"):
        write(home.videos / f"{name}.srt", f"said in {name}")
    ended = run(home.library, home.videos, f"before_texts_commit:{ending}:2")
    assert ended.returncode == (-signal.SIGKILL if ending == "kill" else 130)
    assert len(texts(home)) == 1
    assert_sound(home.library, before)
    assert home.index().texts_read == 1
    assert sorted(bodies for _, _, bodies in texts(home)) == [["said in second"], ["said in talk"]]
    assert stored(home.library) == before
