"""Words that people already have, as a person meets them: index, ls and show."""

from __future__ import annotations

from pathlib import Path

import pytest
from index_runs import Home
from media_factory import colour_video
from terminal import Archive, Ran, run

from index.passages import Passage, Place, TextSource, TextTrack
from index.passages import Testimony as Deposed
from index.store.library import Library

CUES = (
    "1\n00:00:01,000 --> 00:00:02,000\n<i>Jane:</i> it was never signed\n\n"
    "2\n00:00:02,500 --> 00:00:03,000\nby \x1b[31manybody\n"
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    videos = tmp_path / "videos"
    videos.mkdir()
    colour_video(videos / "talk.mp4", [("red", 4.0)], fps=5)
    colour_video(videos / "mute.mp4", [("blue", 3.0)], fps=5)
    return Home(videos, tmp_path / "library")


def gz(home: Home, *words: str | Path) -> Ran:
    return run(*words, library=home.library)


def test_the_whole_way_of_a_side_file(tmp_path: Path, tiny_model: Path) -> None:
    videos = tmp_path / "videos"
    videos.mkdir()
    archive = Archive(tmp_path, videos, tiny_model, tmp_path / "library")
    colour_video(videos / "talk.mp4", [("red", 4.0)], fps=5)
    (videos / "talk.en.srt").write_text(CUES)
    (videos / "talk.sub").write_bytes(b"\x00\x00\x01\xba")
    (videos / "talk.info.json").write_text("{")
    ran = archive.run("index", videos, "--model", tiny_model)
    assert ran.code == 3
    assert "1 text of 1 video read, 1 text could not be read." in ran.err
    assert f"warning: {videos / 'talk.info.json'}: its notes cannot be read" in ran.err
    assert "skipped: 1 subtitle." in ran.err
    listed = archive.run("ls")
    assert "speech en (subtitles), 1 unreadable text" in listed.text
    assert "It holds pictures of subtitles, which are not read" in archive.run("show", "talk").text
    again = archive.run("index", "--json")
    assert again.code == 0
    summary = again.lines[-1]
    assert (summary["texts_read"], summary["texts_failed"], summary["unchanged"]) == (0, 0, 1)
    (videos / "talk.sub").unlink()
    notes = tmp_path / "notes.ru.srt"
    notes.write_bytes("1\n00:00:01,000 --> 00:00:02,000\nне верит\n".encode("cp1251"))
    named = ("--transcript", notes, "--transcript-offset", "0.5")
    ran = archive.run("index", videos / "talk.mp4", *named, "--subtitle-encoding", "cp1251")
    assert (ran.code, "2 texts of 1 video read." in ran.err) == (0, True), ran.err
    told = archive.run("show", "talk", "--transcript").text
    assert "speech: ru, subtitles, notes.ru.srt, windows-1251, 1 passage" in told
    assert "0:00:01.5 - 0:00:02.5  не верит" in told


def test_what_is_asked_of_texts_is_looked_at_before_anything_slow(home: Home) -> None:
    home.videos.with_name("notes.srt").write_text(CUES)
    talk, notes = home.videos / "talk.mp4", home.videos.with_name("notes.srt")
    for words, says in (
        ((talk, "--subtitle-encoding", "klingon"), "no encoding called 'klingon'"),
        ((home.videos, "--transcript", notes), "belongs to one video"),
        ((talk, "--transcript", home.videos / "none.srt"), "there is no file"),
        ((talk, "--transcript-offset", "2"), "--transcript-offset belongs to --transcript"),
        ((talk, "--transcript-start", "9:31:04"), "--transcript-start belongs to --transcript"),
        ((talk, "--transcript", notes, "--transcript-start", "25:00:00"), "a day ends at"),
    ):
        ran = gz(home, "index", *words)
        assert (ran.code, says.lower() in ran.err.lower()) == (2, True), ran.err
    assert not home.library.exists()


def test_ls_says_in_words_what_is_known_and_fits_a_narrow_terminal(home: Home) -> None:
    (home.videos / "talk.en.srt").write_text(CUES)
    home.index()
    with Library.create_or_open(home.library) as library:
        (video,) = [row for row in library.videos() if row.path.endswith(b"talk.mp4")]
        chapter = TextSource("chapter", "chapters", "person")
        library.write_text(video.id, TextTrack(chapter, (Passage(0, 4, "Opening"),), 4.0))
    mute, talk = gz(home, "ls").text.splitlines()
    assert "  speech en (subtitles), chapters  " in talk
    assert len(talk.removesuffix(str(home.videos / "talk.mp4"))) <= 68
    assert mute.split()[4] == "-"
    rows = {Path(row["path"]).name: row["texts"] for row in gz(home, "ls", "--json").lines}
    assert rows["mute.mp4"] == []
    first, second = rows["talk.mp4"]
    assert (first["path"], first["encoding"]) == (str(home.videos / "talk.en.srt"), "utf-8")
    assert (first["passages"], first["searched"], second["path"]) == (2, True, None)


def test_show_tells_one_video_and_its_words(home: Home) -> None:
    cues = CUES.replace("<i>Jane:</i> ", "<v Jane>").replace(",", ".")
    (home.videos / "talk.en.vtt").write_text(f"WEBVTT\n\n{cues}")
    home.index()
    told = gz(home, "show", "talk").text
    assert told.splitlines()[0] == str(home.videos / "talk.mp4")
    assert "  length     0:00:04.000" in told
    assert "  speech     en, subtitles, talk.en.vtt, utf-8, 2 passages" in told
    assert "never signed" not in told
    ran = gz(home, "show", home.videos / "talk.mp4", "--transcript")
    assert "0:00:01.0 - 0:00:02.0  Jane: it was never signed" in ran.text
    assert "\x1b" not in ran.text
    document = gz(home, "show", "talk.*", "--transcript", "--json").lines[0]
    assert (document["type"], document["path"]) == ("show", str(home.videos / "talk.mp4"))
    (text,) = document["texts"]
    assert (text["words"][0]["text"], text["words"][0]["speaker"]) == (
        "it was never signed",
        "Jane",
    )
    assert text["words"][0]["citation"] is None


def test_show_asks_which_one_where_several_fit_or_none(home: Home) -> None:
    home.index()
    several = gz(home, "show", "*.mp4")
    assert (several.code, "2 videos fit *.mp4" in several.err) == (2, True)
    none = gz(home, "show", "holiday")
    assert (none.code, "No indexed video is called holiday." in none.err) == (2, True)
    silent = gz(home, "show", "mute", "--transcript")
    assert (silent.code, "No words are known of it." in silent.err) == (0, True)


def test_show_cites_testimony_and_calls_a_machine_a_machine(home: Home) -> None:
    home.index()
    with Library.create_or_open(home.library) as library:
        video, other = (row.id for row in reversed(library.videos()))
        dvt = TextSource("speech", "dvt", "person", b"/case/smith.dvt")
        line = Passage(1, 2, "never", "A", first=Place(14, 25), last=Place(15, 1))
        library.write_text(video, TextTrack(dvt, (line,), 4.0, testimony=Deposed("Smith")))
        heard = TextSource("speech", "transcribed", "machine", language="en", engine="parakeet@1")
        library.write_text(other, TextTrack(heard, (Passage(1, 2, "never"),), 4.0))
    assert "14:25-15:1  A: never" in gz(home, "show", "talk", "--transcript").text
    told = gz(home, "show", "mute", "--transcript").text
    assert "speech: en, machine transcript, parakeet@1, 1 passage" in told
    assert "(machine)" in gz(home, "ls").text
    citation = gz(home, "show", "talk", "--json", "--transcript").lines[0]["texts"][0]["words"][0]
    assert citation["citation"] == {
        "page_first": 14,
        "line_first": 25,
        "page_last": 15,
        "line_last": 1,
    }


def test_show_says_what_is_not_read_and_passes_over_what_holds_no_words(home: Home) -> None:
    (home.videos / "talk.info.json").write_text('{"title": "A talk"}')
    (home.videos / "talk.sub").write_bytes(b"\x00\x00\x01\xba")
    assert home.index().problems == ()
    told = gz(home, "show", "talk").text
    assert "  not read   subtitles, talk.sub: It holds pictures of subtitles" in told
    assert "info.json" not in told
    assert {text["state"] for text in gz(home, "show", "talk", "--json").lines[0]["texts"]} == {
        "empty"
    }
