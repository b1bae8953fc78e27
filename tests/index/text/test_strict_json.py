"""Only JSON that can be shown, stored and written again comes through."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.text.strict_json import Limits, NotStrictJson, read_json

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=20)
    | st.floats(allow_nan=True, allow_infinity=True),
    lambda part: (
        st.lists(part, max_size=4) | st.dictionaries(st.text(max_size=5), part, max_size=4)
    ),
    max_leaves=12,
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b'{"a": [1, NaN]}', r"a\[2\] is not a number"),
        (b'{"a": {"b": -Infinity}}', r"a\.b is not a number"),
        (b"[1e999]", "item 1 is not a number"),
        (b"9" * 10_000, "it is not a number"),
        (b'{"hits": [{"query": "\\ud800"}]}', r"hits\[1\]\.query holds bytes or half"),
        (b'{"\\udc80": 1}', "a key holds bytes or half"),
        (b'["a\\u0000"]', "item 1 holds a NUL"),
        (b'{"a": 1, "b": 2, "a": 3}', "'a' stands in it twice"),
        (b"[" * 17 + b"]" * 17, "16 levels"),
        (b"[" * 1_000_000, "16 levels"),
        (b'["' + b"a" * 100_001 + b'"]', "100,000 characters"),
        (b"\xff\xfe\x00", "not text"),
        (b'{"a": }', "no JSON .*line 1, column 7"),
        (b"", "no JSON"),
    ],
)
def test_what_would_break_something_later_is_refused(text: bytes, said: str) -> None:
    with pytest.raises(NotStrictJson, match=said):
        read_json(text)


def test_what_is_too_long_is_not_looked_at() -> None:
    with pytest.raises(NotStrictJson, match="longer than 10 bytes"):
        read_json(b"[" * 11, Limits(size_bytes=10))


@settings(max_examples=200)
@given(PLAIN)
def test_what_comes_through_can_be_written_again(value: object) -> None:
    try:
        read = read_json(json.dumps(value).encode())
    except NotStrictJson:
        return
    assert read == value
    json.dumps(read, ensure_ascii=False, allow_nan=False).encode("utf-8")


@settings(max_examples=300)
@given(PLAIN, st.data())
def test_no_mutation_is_unforeseen(value: object, data: st.DataObject) -> None:
    text = bytearray(json.dumps(value).encode())
    place = data.draw(st.integers(0, len(text)))
    text[place : place + data.draw(st.integers(0, 6))] = data.draw(st.binary(max_size=6))
    try:
        read = read_json(bytes(text))
    except NotStrictJson:
        return
    json.dumps(read, ensure_ascii=False, allow_nan=False).encode("utf-8")
