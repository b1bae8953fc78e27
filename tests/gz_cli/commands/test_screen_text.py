"""``gz index --screen`` as a person meets it, with the real reader."""

from __future__ import annotations

from pathlib import Path

from media_factory import write_video
from rendered import written
from terminal import run

from index.passages import TextTrack
from index.store.library import Library


def slides(path: Path, *titles: str) -> Path:
    pictures = [written([(title, 60, 60, 40)], (640, 360)) for title in titles for _ in range(4)]
    return write_video(path, pictures, fps=1)


def bodies(library: Path) -> set[str]:
    with Library.open_readonly(library) as opened:
        return {p.body for text in opened.text_rows() for p in opened.passages(text.id)}


def test_screens_are_read_when_asked_and_from_then_on(tmp_path: Path) -> None:
    library, videos = tmp_path / "library", tmp_path / "videos"
    videos.mkdir()
    slides(videos / "a.mp4", "Never signed")
    ran = run("index", "--model", "demo", videos, library=library)
    assert "read" not in ran.err.splitlines()[-2]
    ran = run("index", "--screen", library=library)
    assert ran.code == 0
    assert "0 files indexed, 1 screen read, 1 unchanged." in ran.err
    assert bodies(library) == {"Never signed"}
    slides(videos / "b.mp4", "Exhibit 12", "Exhibit 13")
    ran = run("index", "--json", library=library)
    assert ran.lines[-1]["screens_read"] == 1
    assert bodies(library) == {"Never signed", "Exhibit 12", "Exhibit 13"}
    slides(videos / "c.mp4", "Exhibit 14")
    ran = run("index", "--no-screen", library=library)
    assert "screen" not in ran.err
    assert "Exhibit 14" not in bodies(library)
    with Library.open_readonly(library) as opened:
        assert not opened.reads_screen, "and not in later runs either"
    with Library.create_or_open(library) as opened:
        (text,) = [text for text in opened.text_rows() if text.passages == 2]
        track = TextTrack(text.source, (), 8.0, clock=((0.0, "14:00:00"), (7.0, "14:00:07")))
        opened.write_text(text.video_id, track)
    ran = run(
        "find", "a slide", "--at", "13:59-14:30", "--threshold", "0", "--json", library=library
    )
    assert {Path(hit["path"]).name for hit in ran.lines[0]["hits"]} == {"b.mp4"}
    assert "2 of 3 videos are left out" in "".join(ran.lines[0]["notes"])
