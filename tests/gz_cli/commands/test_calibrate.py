"""``gz calibrate``: labelled queries make answers as sure as they are right."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path

import pytest
import torch
from media_factory import colour_video
from terminal import Archive, Ran

from gz_cli.calibration import CALIBRATED
from index.store.library import Library
from model.grounding.checkpoint import Checkpoint, save_checkpoint
from model.grounding.grounder import Grounder, GrounderConfig
from model.grounding.presence import PresenceCalibration
from model.grounding.standing import Standing

COLOURS = ("red", "blue", "green", "yellow", "white", "black")
WORDS = ("a", "the", "man", "woman", "dog", "eats", "opens", "red", "blue", "door")
SHOWS = 20


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Archive:
    """Twenty-three minutes: enough for a library to say what is usual in it."""
    folder = tmp_path_factory.mktemp("calibrate")
    videos = folder / "videos"
    videos.mkdir()
    draw = random.Random(0)
    for number in range(3):
        shots = [(draw.choice(COLOURS), draw.randint(20, 60)) for _ in range(11)]
        colour_video(videos / f"{number}.mp4", shots, fps=1)
    found = Archive(folder, videos, tiny_model, folder / "library")
    ran = found.run("index", videos, "--model", tiny_model)
    assert ran.code == 0, ran.err
    return found


@pytest.fixture(scope="module")
def grounder(archive: Archive) -> Path:
    """A trained model of the library's own space, which was taught nothing."""
    torch.manual_seed(0)
    with Library.open_readonly(archive.library) as library:
        space = library.space
    assert space is not None
    config = GrounderConfig(space.dim, space.dim, width=8, heads=2, layers=1, span_width=8)
    folder = archive.folder / "grounder"
    save_checkpoint(folder, Checkpoint(Grounder(config).eval(), space=space, name="mine"))
    return folder


@pytest.fixture
def shipped(archive: Archive) -> Archive:
    """The library as if nobody had calibrated it."""
    (archive.library / CALIBRATED).unlink(missing_ok=True)
    return archive


def presences(archive: Archive, queries: list[str], *options: str | Path) -> list[float]:
    return [hit["presence"] for hit in first_hits(archive, queries, *options)]


def first_hits(archive: Archive, queries: list[str], *options: str | Path) -> list[dict]:
    asked = "".join(json.dumps({"query": query}) + "\n" for query in queries)
    ran = archive.run(
        "shell", "--json", "--threshold", "0", "--no-refine", *options, stdin=asked.encode()
    )
    assert ran.code == 0, ran.err
    assert all(row["calibrated"] for row in ran.lines)
    return [{"query": row["query"], **row["hits"][0]} for row in ran.lines]


def labelled(archive: Archive, *options: str | Path) -> list[dict]:
    """The surest answers are right, the others are about what does not happen."""
    draw = random.Random(1)
    queries = list({" ".join(draw.choices(WORDS, k=4)): 0 for _ in range(SHOWS)})
    hits = sorted(first_hits(archive, queries, *options), key=lambda hit: -hit["presence"])
    return [
        {
            "query": hit["query"],
            "video": Path(hit["path"]).name,
            "start_s": hit["start_s"],
            "end_s": hit["end_s"],
        }
        for hit in hits[: SHOWS // 2]
    ] + [{"query": hit["query"], "absent": True} for hit in hits[SHOWS // 2 :]]


@pytest.fixture(scope="module")
def rows(archive: Archive) -> list[dict]:
    """Labels of the training-free answers as shipped."""
    return labelled(archive)


def write(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def calibrate(archive: Archive, *arguments: str | Path) -> Ran:
    return archive.run("calibrate", *arguments)


def test_a_refit_is_measured_kept_used_and_reset(
    shipped: Archive, rows: list[dict], tmp_path: Path
) -> None:
    queries = [row["query"] for row in rows]
    before = presences(shipped, queries)
    file = write(tmp_path / "mine.jsonl", rows)
    measured = calibrate(shipped, "--queries", file, "--dry-run", "--json")
    assert measured.code == 0, measured.err
    (said,) = measured.lines
    assert (said["better"], said["kept"]) == (True, False)
    assert said["shipped"]["present"] == said["shipped"]["absent"] == SHOWS // 2
    assert said["refitted"]["brier"] < said["shipped"]["brier"]
    assert not (shipped.library / CALIBRATED).exists()

    ran = calibrate(shipped, "--queries", file)
    assert ran.code == 0, ran.err
    assert ran.text.startswith("20 queries, 10 about what happens, 10 about what does not.")
    assert "shipped  refitted" in ran.text
    assert max(map(len, ran.text.splitlines())) <= 80
    assert "uses the refit from now on" in ran.err
    kept = json.loads((shipped.library / CALIBRATED).read_text())["calibrations"]
    assert [one["queries"] for one in kept] == [{"present": 10, "absent": 10}]
    assert kept[0]["localizer"] == "training-free"
    assert kept[0]["earlier"] == Standing().to_json()
    assert kept[0]["standing"] == said["refitted"]["standing"]
    after = presences(shipped, queries)
    right = SHOWS // 2
    assert all(new > old for new, old in zip(after[:right], before[:right], strict=True))
    numbers = range(SHOWS)
    assert sorted(numbers, key=after.__getitem__) == sorted(numbers, key=before.__getitem__)

    again = calibrate(shipped, "--queries", file, "--json")
    assert again.lines[0]["shipped"]["brier"] == pytest.approx(said["shipped"]["brier"])
    (twice,) = json.loads((shipped.library / CALIBRATED).read_text())["calibrations"]
    assert twice["earlier"] == kept[0]["standing"]
    assert twice["standing"]["slope"] == pytest.approx(kept[0]["standing"]["slope"], abs=1e-3)

    back = calibrate(shipped, "--reset")
    assert (back.code, back.text.count("is used from now on")) == (0, 1)
    assert not (shipped.library / CALIBRATED).exists()
    assert presences(shipped, queries) == before
    assert calibrate(shipped, "--reset", "--json").lines[0]["reset"] is False


def test_each_grounding_has_its_own(shipped: Archive, grounder: Path, tmp_path: Path) -> None:
    chosen = ("--grounder", grounder)
    some = ["the red door", "a man eats"]
    free, before = presences(shipped, some), presences(shipped, some, *chosen)
    file = write(tmp_path / "mine.jsonl", labelled(shipped, *chosen))
    said = calibrate(shipped, "--queries", file, *chosen, "--json").lines[0]
    assert (said["kept"], said["localizer"]) == (True, "mine")
    assert presences(shipped, some, *chosen) != before
    assert presences(shipped, some) == free
    assert "in use already" in calibrate(shipped, "--reset").text
    assert "is used from now on" in calibrate(shipped, "--reset", *chosen).text
    assert presences(shipped, some, *chosen) == before


def test_a_calibration_beside_a_named_grounder_is_read(
    shipped: Archive, grounder: Path, rows: list[dict], tmp_path: Path
) -> None:
    some = ["the red door", "a man eats"]
    beside = grounder / "calibration.json"
    before = presences(shipped, some, "--grounder", grounder)
    beside.write_text(json.dumps(Standing(shift=-3.0).to_json()))
    try:
        after = presences(shipped, some, "--grounder", grounder)
        assert all(new < old for new, old in zip(after, before, strict=True))
        beside.write_text(PresenceCalibration().to_json())
        file = write(tmp_path / "mine.jsonl", rows)
        ran = calibrate(shipped, "--queries", file, "--grounder", grounder)
        assert ran.code == 7
        assert "was fitted to this very model" in ran.err
        beside.write_text('{"kind": "standing"')
        ran = shipped.run("find", "the red door", "--grounder", grounder)
        assert (ran.code, ran.err.count("calibration.json")) == (7, 1)
    finally:
        beside.unlink()


def test_what_is_kept_is_what_is_better_or_whole(
    shipped: Archive, rows: list[dict], tmp_path: Path
) -> None:
    file = write(tmp_path / "mine.jsonl", rows)
    assert calibrate(shipped, "--queries", file).code == 0
    path = shipped.library / CALIBRATED
    kept = path.read_text()
    # Nothing of it is right, and hardly anything was said to be: there is nothing to learn.
    wrong = [{**row, "start_s": 0, "end_s": 0.1} if "video" in row else row for row in rows]
    ran = calibrate(shipped, "--queries", write(tmp_path / "wrong.jsonl", wrong))
    assert ran.code == 0, ran.err
    assert "The refit is no better (Brier), so nothing changes." in ran.err
    assert path.read_text() == kept
    for damaged in ("", kept[:100], kept.replace('"spread": 0.', '"spread": 1.'), "[]", "{}"):
        path.write_text(damaged)
        ran = shipped.run("find", "the red door")
        assert ran.code == 7, ran.err
        assert "holds no calibrations" in ran.err
        assert "gz calibrate --queries FILE" in ran.err


def test_what_cannot_be_used_is_refused(shipped: Archive, rows: list[dict], tmp_path: Path) -> None:
    few = write(tmp_path / "few.jsonl", rows[1:])
    elsewhere = [{**row, "video": "x.mp4"} if "video" in row else row for row in rows]
    gone = write(tmp_path / "gone.jsonl", elsewhere)
    order = [{**row, "query": f"{row['query']} before a dog eats"} for row in rows[:3]]
    ordered = write(tmp_path / "order.jsonl", order + rows[3:])
    for file, said in (
        (few, "9 usable queries about what happens and 10 about what does not; 10 of each"),
        (gone, "No annotated video is in the library"),
        (ordered, "left out 3 queries about several events"),
        (tmp_path / "none.jsonl", "none.jsonl"),
    ):
        ran = calibrate(shipped, "--queries", file)
        assert (ran.code, ran.out) == (2, b""), ran.err
        assert said in ran.err
    for wrong in ((), ("--reset", "--dry-run"), ("--reset", "--queries", few)):
        ran = calibrate(shipped, *wrong)
        assert (ran.code, "either --queries FILE or --reset" in ran.err) == (2, True)
    assert not (shipped.library / CALIBRATED).exists()


def test_csv_and_whole_paths_do_as_well(shipped: Archive, rows: list[dict], tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    with file.open("w", newline="") as stream:
        table = csv.DictWriter(stream, ("query", "absent", "video", "start_s", "end_s"))
        table.writeheader()
        for row in rows:
            whole = {"video": shipped.videos / row["video"]} if "video" in row else {}
            table.writerow(row | whole)
    ran = calibrate(shipped, "--queries", file, "--json", "--dry-run")
    assert ran.code == 0, ran.err
    assert ran.lines[0]["shipped"]["present"] == SHOWS // 2


def test_a_small_library_is_refused(
    tmp_path: Path, tiny_model: Path, archive: Archive, rows: list[dict]
) -> None:
    videos = tmp_path / "videos"
    videos.mkdir()
    (videos / "0.mp4").write_bytes((archive.videos / "0.mp4").read_bytes())
    small = Archive(tmp_path, videos, tiny_model, tmp_path / "library")
    assert small.run("index", videos, "--model", tiny_model).code == 0
    here = [{**row, "video": "0.mp4"} if "video" in row else row for row in rows]
    ran = calibrate(small, "--queries", write(tmp_path / "mine.jsonl", here))
    assert ran.code == 7
    assert "Nothing can be calibrated here. The library holds" in ran.err
