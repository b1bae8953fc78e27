"""``gz eval --archive``: the search of a real library, measured with its own answers as truth."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from media_factory import colour_video
from terminal import Archive

from gz_cli.grounding import REMEMBERED, keep_grounder

STRANGE = "trip \udcff <b>.mkv"
"""A name with a byte that is no text, and what a page must not take for its own."""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Archive:
    """Two short videos, one of them there twice."""
    folder = tmp_path_factory.mktemp("eval-archive")
    videos = folder / "videos"
    (videos / "again").mkdir(parents=True)
    colour_video(videos / "plain.mp4", [("red", 4.0), ("blue", 4.0)], fps=10)
    colour_video(videos / "second.mp4", [("green", 4.0), ("yellow", 5.0)], fps=10)
    (videos / "second.mp4").rename(videos / STRANGE)
    shutil.copy(videos / "plain.mp4", videos / "again" / "twin.mov")
    found = Archive(folder, videos, tiny_model, folder / "library")
    ran = found.run("index", videos, "--model", tiny_model)
    assert ran.code == 0, ran.err
    return found


def hits(archive: Archive, queries: tuple[str, ...]) -> dict[str, list[dict]]:
    asked = "".join(json.dumps({"query": query}) + "\n" for query in queries)
    ran = archive.run("shell", "--json", "--threshold", "0", "--no-refine", stdin=asked.encode())
    assert ran.code == 0, ran.err
    return {row["query"]: row["hits"] for row in ran.lines}


def name_of(hit: dict) -> str:
    return "trip" if "trip" in hit["path"] else "plain"


def row(qid: int, query: str, vid: str, *windows: tuple[float, float]) -> dict:
    return {
        "qid": qid, "query": query, "vid": vid, "duration": 30.0,
        "relevant_windows": [list(window) for window in windows],
    }  # fmt: skip


def write(path: Path, *rows: dict) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_search_is_measured_by_its_own_answers(archive: Archive, tmp_path: Path) -> None:
    queries = ("a red dog", "the man opens a blue door", "a woman eats", "the red door")
    found = hits(archive, queries)
    first = {query: rows[0] for query, rows in found.items()}
    files = {"plain": "again/twin.mov", "trip": STRANGE}
    exact, elsewhere, absent, twice = queries
    other = {"plain": "trip", "trip": "plain"}[name_of(first[elsewhere])]
    wrong = next(hit for hit in found[elsewhere] if name_of(hit) == other)
    remembered = (archive.library / "last_find.json").read_bytes()
    annotations = write(
        tmp_path / "truth.jsonl",
        # By the file's whole name, by a twin's name, and without a suffix.
        row(1, exact, files[name_of(first[exact])], span_of(first[exact])),
        row(2, elsewhere, other if other == "plain" else STRANGE, span_of(wrong)),
        row(3, absent, "nowhere"),
        row(4, twice, "gone.mp4", (0, 3)),
        row(5, twice.upper(), files[name_of(first[twice])], span_of(first[twice])),
    )
    ran = archive.run(
        "eval", "--archive", "--annotations", annotations, "--json", "--report",
        tmp_path / "page", "--write-predictions", tmp_path / "answers.jsonl",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert "left out 1 row about 1 video that the library does not hold: gone" in ran.err
    report = ran.lines[0]["groundzero"]["archive"]
    assert (report["queries"], report["present"], report["absent"]) == (4, 3, 1)
    assert report["video@1"] == 66.67
    assert report["video@5"] == 100.0
    assert report["R1@0.7"] == 66.67
    assert report["R5@0.7"] == 100.0
    assert report["localizer"] == "training-free"
    stated = [first[query]["presence"] for query in queries]
    assert report["absent_found"] == 100.0 * (stated[2] >= 0.5)
    lost = sum(stated[k] < 0.5 for k in (0, 1, 3))
    assert report["present_lost"] == pytest.approx(100 * lost / 3, abs=0.01)
    right = (1, 0, 0, 1)
    brier = sum((p - r) ** 2 for p, r in zip(stated, right, strict=True)) / 4
    assert report["brier"] == pytest.approx(brier)
    assert sum(row["queries"] for row in report["reliability"]) == 4
    assert {row["observed"] for row in report["reliability"] if not row["queries"]} <= {None}
    answers = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert [row["qid"] for row in answers] == [1, 2, 3, 5]
    assert [row["hits"][0]["presence"] for row in answers] == stated
    assert (archive.library / "last_find.json").read_bytes() == remembered
    page = (tmp_path / "page" / "index.html").read_text("utf-8")
    assert "Reliability: right as often as it says so" in page
    assert page.count("<figure>") == 4
    assert "Localizer: training-free." in page
    assert "<b>" not in page
    assert "nan" not in page


def span_of(hit: dict) -> tuple[float, float]:
    return hit["start_s"], hit["end_s"]


def test_people_get_a_table(archive: Archive, tmp_path: Path) -> None:
    annotations = write(tmp_path / "truth.jsonl", row(1, "a red dog", "plain", (0, 4)))
    asked = ("eval", "--archive", "--annotations", annotations, "--refine")
    keep_grounder(archive.library, tmp_path / "trained")
    try:
        by_itself = archive.run(*asked)
        ran = archive.run(*asked, "--grounder", "training-free")
    finally:
        (archive.library / REMEMBERED).unlink()
    assert by_itself.code == 7, "what the library remembers is measured, and it is not there"
    assert ran.code == 0, ran.err
    assert ran.text.startswith("1 query, 1 about what happens, 0 about what does not.")
    assert ran.text.splitlines()[0].endswith("Localizer: training-free.")
    assert "video@10" in ran.text
    assert "first answer right" in ran.text
    assert "absent_found" not in ran.text, "no query is absent"
    assert "nan" not in ran.text


def test_what_cannot_be_measured_is_refused_in_a_line(archive: Archive, tmp_path: Path) -> None:
    gone = write(tmp_path / "gone.jsonl", row(1, "a red dog", "gone", (0, 4)))
    for arguments, said, code in (
        (("--archive", "--annotations", gone), "No annotated video is in the library", 2),
        (("--archive", "--annotations", gone, "--features", "x"), "no features", 2),
        (("--archive", "--annotations", gone, "--predictions", gone), "no --predictions", 2),
        (("--annotations", gone, "--grounder", "x", "--refine"), "--refine needs --archive", 2),
        (("--archive", "--annotations", gone, "--library", "none"), "gz index", 4),
    ):
        ran = archive.run("eval", *arguments)
        assert ran.code == code, ran.err
        assert said in ran.err
        assert ran.out == b""
