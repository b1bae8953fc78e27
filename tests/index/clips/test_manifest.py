"""The record of an export holds up: complete, exact, safe to open, never replaced."""

from __future__ import annotations

import base64
import csv
import dataclasses
import hashlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numbered import Recipe, write

from index import failpoints
from index.clips.export import ClipRequest, ExportOptions, export_clips
from index.clips.manifest import manifest, visible, write_manifest
from index.errors import NoSpaceError

QUERY = '=HYPERLINK("x") – "a man, eating"'


@pytest.fixture(autouse=True)
def _disarmed():
    yield
    failpoints.disarm()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("source")
    video = write(folder / "film.mp4", Recipe(frames=60, options={"g": "25"}))
    odd = os.fsencode(folder) + b"/caf\xe9\x1b[1m.mp4"
    video.rename(os.fsdecode(odd))
    return odd


@pytest.fixture
def exported(source, tmp_path):
    requests = [
        ClipRequest(source, 0.5, 1.5, "clip", query=QUERY, presence=0.83),
        ClipRequest(source, 1.0, 1.2, "clip"),
        ClipRequest(source + b"x", 1.0, 1.2, "gone"),
    ]
    options = ExportOptions(tmp_path, mode="copy", pad_s=0.1)
    return export_clips(requests, options), options


def test_json_says_what_was_cut_from_what(exported, source):
    results, options = exported
    path, _ = write_manifest(results, options)
    record = json.loads(path.read_text("utf-8"))
    assert (record["schema"], record["schema_version"]) == ("groundzero.export", 1)
    assert {"gz", "pyav", "ffmpeg"} <= set(record["versions"])
    assert record["exported_at"].endswith("+00:00")
    first, _, failed = record["clips"]
    clip = path.parent / first["clip"]["file"]
    assert first["clip"]["sha256"] == hashlib.sha256(clip.read_bytes()).hexdigest()
    content = Path(os.fsdecode(source)).read_bytes()
    assert first["source"]["sha256"] == hashlib.sha256(content).hexdigest()
    assert first["source"]["size_bytes"] == len(content)
    assert base64.b64decode(first["source"]["path_base64"]) == source
    assert first["source"]["path"].endswith("caf\\xe9\\x1b[1m.mp4")
    assert first["asked"] == {"start_s": 0.5, "end_s": 1.5}
    assert first["real"] == {"start_s": 0.4, "end_s": 1.6, "frames": 30}
    assert first["clip"]["verified"]
    assert (first["query"], first["presence"]) == (QUERY, 0.83)
    assert first["sentence"] == QUERY, "the older name of the key stays"
    assert failed["status"] == "failed"
    assert "missing" in failed["failure"]
    assert failed["remedy"]
    assert failed["clip"]["file"] == ""


def test_csv_is_the_same_table_without_formulas(exported):
    results, options = exported
    _, path = write_manifest(results, options)
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows] == ["done", "done", "failed"]
    assert rows[0]["query"] == f"'{QUERY}"
    assert float(rows[0]["real_start_s"]) == pytest.approx(0.4)
    assert rows[0]["clip_sha256"] == results[0].clip_sha256
    assert rows[2]["real_start_s"] == ""
    assert "\x1b" not in path.read_text("utf-8")


def test_each_run_has_its_own_record(exported):
    results, options = exported
    names = [tuple(path.name for path in write_manifest(results, options)) for _ in range(3)]
    assert names == [
        ("manifest.json", "manifest.csv"),
        ("manifest_2.json", "manifest_2.csv"),
        ("manifest_3.json", "manifest_3.csv"),
    ]


def test_a_lone_csv_of_somebody_else_keeps_its_name(exported):
    results, options = exported
    (options.out / "manifest.csv").write_text("mine")
    paths = write_manifest(results, dataclasses.replace(options, overwrite=True))
    assert [path.name for path in paths] == ["manifest_2.json", "manifest_2.csv"]
    assert (options.out / "manifest.csv").read_text() == "mine"


def test_an_empty_run_has_a_table_with_a_head(tmp_path):
    path, table = write_manifest([], ExportOptions(tmp_path))
    assert json.loads(path.read_text())["clips"] == []
    assert table.read_text().startswith("number,status,clip_file,")


@pytest.mark.parametrize("good_writes", [0, 1])
def test_a_full_disk_leaves_no_half_record(exported, good_writes):
    results, options = exported
    before = sorted(options.out.iterdir())
    left = [None] * good_writes

    def full() -> None:
        if not left:
            raise OSError(28, "No space left on device")
        left.pop()

    failpoints.arm("before_clip_publish", full)
    with pytest.raises(NoSpaceError):
        write_manifest(results, options)
    assert sorted(options.out.iterdir()) == before


def test_a_source_is_read_for_its_digest_once(source, tmp_path, monkeypatch):
    from index.clips import export as clips

    read: list[bytes] = []
    plain = clips.sha256_file
    monkeypatch.setattr(clips, "sha256_file", lambda path: read.append(path) or plain(path))
    requests = [ClipRequest(source, start, start + 0.5, "clip") for start in (0.0, 0.5, 1.0)]
    results = export_clips(requests, ExportOptions(tmp_path, mode="copy"))
    assert read.count(source) == 1
    assert len({result.source_sha256 for result in results}) == 1


@settings(deadline=None)
@given(st.binary(min_size=1).filter(lambda name: b"\0" not in name))
def test_any_path_can_be_read_back(path):
    from index.clips.export import ClipResult

    options = ExportOptions(Path("/nowhere"))
    record = manifest([ClipResult(ClipRequest(path, 0, 1, "x"), "exact")], options)
    written = json.loads(json.dumps(record, ensure_ascii=False).encode("utf-8"))
    where = written["clips"][0]["source"]
    exact = base64.b64decode(where["path_base64"]) if "path_base64" in where else None
    assert (exact or where["path"].encode()) == path
    assert where["path"] == visible(where["path"])
