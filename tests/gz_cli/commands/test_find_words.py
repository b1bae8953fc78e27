"""What is said, at the door people use: fields, quotes on the screen, JSON, clips, the shell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from media_factory import colour_video
from terminal import Archive
from tiny_siglip import make_model

CUES = """1
00:00:02,000 --> 00:00:04,000
Jane: I told him the contract was never

2
00:00:04,000 --> 00:00:06,500
Jane: signed by anybody.

3
00:00:08,000 --> 00:00:10,000
Bob: \x1b[2J Purple elephants \u202e walk.

4
00:00:10,500 --> 00:00:12,000
Bob: That is all.
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    folder = tmp_path_factory.mktemp("words")
    videos = folder / "videos"
    videos.mkdir()
    make_model(folder / "tiny")
    colour_video(videos / "talk.mp4", [("red", 7.0), ("blue", 7.0)], fps=8)
    colour_video(videos / "mute.mp4", [("green", 6.0)], fps=8)
    (videos / "talk.srt").write_text(CUES, encoding="utf-8")
    made = Archive(folder, videos, folder / "tiny", folder / "library")
    ran = made.run("index", videos, "--model", made.model)
    assert ran.code == 0, ran.err
    return made


def test_a_quote_over_two_cues_is_shown_as_it_was_said(archive: Archive) -> None:
    ran = archive.run("find", 'say:"never signed"')
    assert ran.code == 0
    first, second = ran.text.splitlines()
    assert "0:00:02.0 - 0:00:06.5" in first
    assert second.strip() == "Jane: “I told him the contract was never signed by anybody.”"
    assert "Searched 2 videos: speech 1." in ran.err


def test_hidden_characters_of_a_text_are_shown_and_not_obeyed(archive: Archive) -> None:
    ran = archive.run("find", "say:purple elephants")
    assert "\x1b[2J" not in ran.text
    assert "\u202e" not in ran.text
    assert "Purple elephants" in ran.text


def test_the_json_names_channel_words_and_source(archive: Archive) -> None:
    ran = archive.run("find", "--speaker", "jane", "--say", "never signed", "--json")
    (document,) = ran.lines
    (hit,) = document["hits"]
    (evidence,) = hit["evidence"]
    assert evidence["channel"] == "speech"
    assert evidence["quote"] == "I told him the contract was never signed by anybody."
    words = [evidence["quote"][first : first + length] for first, length in evidence["matched"]]
    assert words == ["never", "signed"]
    assert evidence["probability"] == evidence["presence"] == hit["presence"]
    assert (evidence["speaker"], evidence["citation"]) == ("Jane", "")
    assert (evidence["source"]["kind"], evidence["source"]["origin"]) == ("sidecar", "person")
    assert evidence["source"]["path"].endswith("talk.srt")
    assert evidence["time_quality"] == "cue"
    assert {k: document["searched"][k] for k in ("sight", "speech", "screen")} == {
        "sight": 0,
        "speech": 1,
        "screen": 0,
    }
    assert [Path(video["path"]).name for video in document["undecided"]] == ["mute.mp4"]


def test_what_nobody_can_tell_is_not_a_no(archive: Archive) -> None:
    ran = archive.run("find", 'say:"purple contracts sing"')
    assert (ran.code, ran.text) == (1, "")
    assert "Could not tell in 1 video: the library does not hold its speech." in ran.err


def test_a_query_may_be_all_in_options_but_not_missing(archive: Archive) -> None:
    ran = archive.run("find")
    assert (ran.code, "The query is empty." in ran.err) == (2, True)


def test_a_moment_of_words_is_cut(archive: Archive, tmp_path: Path) -> None:
    ran = archive.run("export-clips", 'say:"never signed"', "--out", tmp_path / "clips", "--json")
    assert ran.code == 0
    clip = ran.lines[0]
    assert (clip["start_s"], clip["end_s"]) == (2.0, 6.5)


def test_the_shell_understands_fields(archive: Archive) -> None:
    asked = [
        {"id": 1, "query": 'say:"never signed"'},
        {"id": 2, "say": "never signed", "speaker": "Jane"},
        {"id": 3, "query": "say:"},
        {"id": 4, "say": 7},
        {"id": 5},
    ]
    lines = "".join(json.dumps(line) + "\n" for line in asked).encode()
    answers = archive.run("shell", "--json", stdin=lines).lines
    assert [answer["type"] for answer in answers] == ["find", "find", "error", "error", "error"]
    assert all(answer["hits"][0]["start_s"] == 2.0 for answer in answers[:2])
