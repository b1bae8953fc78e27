"""A result read back: what is none is refused by name, whatever became of it meanwhile."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from gz_cli.views.found_clips import parse_result
from index.clips.export import ClipRequest, ClipResult, ExportOptions
from index.clips.manifest import write_manifest
from index.errors import MediaError, UsageError

HIT = {"rank": 1, "path": "/v/a.mp4", "start_s": 1.0, "end_s": 2.5, "presence": 0.9}


def result(**changes: object) -> bytes:
    return json.dumps({"version": 1, "query": "a dog", "hits": [{**HIT, **changes}]}).encode()


def test_a_result_is_read_back() -> None:
    (clip,) = parse_result(result(), "hits.json")
    assert (clip.path, clip.start_s, clip.end_s, clip.rank) == (b"/v/a.mp4", 1.0, 2.5, 1)
    assert (clip.query, clip.presence) == ("a dog", 0.9)
    two = parse_result(result() + b"\n" + result(rank=2) + b"\n", "hits.json")
    assert [clip.rank for clip in two] == [1, 2]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "it is empty"),
        (b"nonsense", "no JSON"),
        (b"\0\0\0\x1cftypisom\0\0\x02\0 \xff\xfe mdat", "it is (not text|no JSON)"),
        (b"[]", "its version"),
        (b'"a"', "its version"),
        (b'{"version": 2, "hits": []}', "its version is 2"),
        (b'{"version": 1}', "no list of hits"),
        (b'{"version": 1, "hits": {"a": 1}}', "no list of hits"),
        (b'{"version": 1, "hits": [7]}', "hit 1 is not an object"),
        (b'{"version": 1, "hits": [{"path": "a"}]}', "start_s"),
        (b'{"version": 1, "hits": [{"path": "a", "start_s": 5, "end_s": 5}]}', "hit 1 runs"),
        (b'{"version": 1, "query": ["a"], "hits": []}', "query is not text"),
        (result() + b"\n" + result(presence=float("nan")), "in line 2, .*presence"),
        (result(presence=float("nan")), "presence"),
        (result(presence="nan"), "presence of hit 1"),
        (result(presence=2), "presence of hit 1"),
        (result(end_s=float("inf")), "end_s"),
        (result(end_s=1e300), "end_s of hit 1"),
        (result(rank=10**400), "rank"),
        (result(rank=1e300), "rank of hit 1"),
        (result(rank="1"), "rank of hit 1"),
        (result(path=""), "no path"),
        (result(path="a\0b"), "NUL"),
        (result(path="\udc80"), "no text"),
        (result(path_bytes="?"), "cannot be decoded"),
        (result(path_bytes=7), "cannot be decoded"),
        (result(path_bytes="AGEA"), "NUL"),
        (result(fingerprint=7), "fingerprint of hit 1"),
        (b"[" * 100_000, "levels deep"),
    ],
)
def test_what_is_no_result_is_refused(text: bytes, said: str) -> None:
    with pytest.raises(UsageError, match=said) as refusal:
        parse_result(text, "hits.json")
    assert refusal.value.message.startswith("hits.json is not a result of gz find: ")


def test_whatever_is_read_can_be_put_on_record(tmp_path: Path) -> None:
    """Results that were damaged a little: refused, or written into a manifest."""
    random = Random(3)
    whole = result(path="/v/\u00e4.mp4", fingerprint="x") + b"\n" + result()
    pieces = [
        b"NaN",
        b"1e999",
        b"\\ud800",
        b"\xff",
        b"\\u0000",
        b"[",
        b'"',
        b"null",
        b"-1",
        b"7" * 99,
    ]
    read = 0
    for _ in range(2000):
        text = bytearray(whole)
        place = random.randrange(len(text))
        text[place : place + random.randrange(5)] = random.choice(pieces)
        try:
            clips = parse_result(bytes(text), "hits.json")
        except UsageError:
            continue
        read += 1
        if read % 20 == 1:
            put_on_record(tmp_path, *(
                ClipRequest(c.path, c.start_s, c.end_s, "a", c.fingerprint, c.query, c.presence)
                for c in clips
            ))  # fmt: skip
    assert read > 40


def test_numbers_that_json_lacks_do_not_cost_the_manifest(tmp_path: Path) -> None:
    nan = float("nan")
    request = ClipRequest(b"/v/\xff.mp4", nan, float("inf"), "a", "\udc80", "a \ud800", nan)
    (clip,) = put_on_record(tmp_path, request)["clips"]
    assert (clip["presence"], clip["asked"]) == (None, {"start_s": None, "end_s": None})


def put_on_record(folder: Path, *requests: ClipRequest) -> dict[str, list[dict[str, object]]]:
    failed = [ClipResult(r, "exact", failure=MediaError("It cannot be cut.")) for r in requests]
    file, _ = write_manifest(failed, ExportOptions(out=folder))
    record: dict[str, list[dict[str, object]]] = json.loads(file.read_bytes())
    assert len(record["clips"]) == len(requests)
    return record
