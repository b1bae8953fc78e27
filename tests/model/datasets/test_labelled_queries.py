"""A person's labelled sentences: read wholly, or refused with the lines that are wrong."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import UsageError
from index.types import Span
from model.datasets.labelled_queries import (
    LabelledMoment,
    LabelledQuery,
    read_labelled_queries,
)

EXPECTED = (
    LabelledQuery(
        "a dog, brown, barks",
        (
            LabelledMoment("garden.mp4", Span(12.5, 19)),
            LabelledMoment("sub/garden 2.mp4", Span(3601, 3660.5)),
        ),
        2,
    ),
    LabelledQuery("a tractor burns", (), 3),
)


def written(tmp_path, text: str, name: str = "labels.txt"):
    path = tmp_path / name
    path.write_bytes(text.encode("utf-8"))
    return path


def refused(path) -> str:
    with pytest.raises(UsageError) as caught:
        read_labelled_queries(path)
    assert caught.value.exit_code == 2
    assert caught.value.remedy
    return str(caught.value)


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_table_is_read(tmp_path, mark, end):
    lines = [
        "who,query,absent,video,start_s,end_s",
        'me,"a dog, brown, barks",,garden.mp4,12.5,19',
        "me,a tractor burns,yes,,,",
        'me,"a dog,  brown, barks ",no,sub/garden 2.mp4,1:00:01,1:01:00.5',
        'me,"a dog, brown, barks",0,garden.mp4,0:12.5,0:00:19',
        "",
    ]
    assert read_labelled_queries(written(tmp_path, mark + end.join(lines))) == EXPECTED


def test_json_lines_are_read(tmp_path):
    query = "a dog, brown, barks"
    rows = [
        {"query": query, "video": "garden.mp4", "start_s": 12.5, "end_s": 19, "who": [1]},
        {"query": "a tractor burns", "absent": True},
        {"query": query, "absent": False, "video": "sub/garden 2.mp4", "start_s": "1:00:01"}
        | {"end_s": 3660.5},
    ]
    text = "\n" + "\n".join(map(json.dumps, rows))
    assert read_labelled_queries(written(tmp_path, text)) == EXPECTED
    assert [labelled.absent for labelled in EXPECTED] == [False, True]


@pytest.mark.parametrize("word", [True, 1, "true", "Yes", "1"])
def test_ways_to_say_absent(tmp_path, word):
    text = json.dumps({"query": "rain", "absent": word, "video": None, "start_s": ""})
    (labelled,) = read_labelled_queries(written(tmp_path, text))
    assert labelled.absent


def test_a_table_may_hold_only_moments_or_only_absences(tmp_path):
    moments = written(tmp_path, "query,video,start_s,end_s\nrain,a.mp4,1,2\n", "m.csv")
    assert not read_labelled_queries(moments)[0].absent
    absences = written(tmp_path, "query,absent\nrain,1\nsnow,true\n", "a.csv")
    assert [labelled.query for labelled in read_labelled_queries(absences)] == ["rain", "snow"]


def test_a_line_separator_inside_a_query_ends_no_line(tmp_path):
    text = json.dumps({"query": "rain\u2028falls", "absent": 1}, ensure_ascii=False)
    assert read_labelled_queries(written(tmp_path, text))[0].query == "rain falls"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"absent": 1}, "it has no query"),
        ({"query": 7, "absent": 1}, "the query 7 is no text"),
        ({"query": " ", "absent": 1}, "the query is empty"),
        ({"query": "x" * 10_001, "absent": 1}, "10,000 are the most"),
        ({"query": "a\0b", "absent": 1}, "NUL"),
        ({"query": "rain"}, "neither that the query is absent nor where its moment is"),
        ({"query": "rain", "absent": False}, "neither that the query is absent"),
        ({"query": "rain", "absent": "maybe"}, "'maybe', neither true nor false"),
        ({"query": "rain", "absent": [1]}, "neither true nor false"),
        ({"query": "rain", "absent": 1, "video": "a"}, "is absent and yet has video"),
        ({"query": "rain", "video": "a", "start_s": 1}, "its moment has no end_s"),
        ({"query": "rain", "video": 3, "start_s": 1, "end_s": 2}, "the video 3 is no name"),
        ({"query": "rain", "video": "a", "start_s": 2, "end_s": 2}, "end_s 2 is not after"),
        ({"query": "rain", "video": "a", "start_s": -1, "end_s": 2}, "before the start"),
        ({"query": "rain", "video": "a", "start_s": "1:99", "end_s": 200}, "start_s: '1:99'"),
        ({"query": "rain", "video": "a", "start_s": True, "end_s": 2}, "not a time"),
        ({"query": "sun", "video": "a", "start_s": 0, "end_s": 2}, "line 1 says the opposite"),
        ([1], "not a JSON object"),
        ("{nonsense", "no JSON"),
        ('{"query": "rain", "video": "a", "start_s": NaN, "end_s": 2}', "not a number"),
        ('{"query": "rain", "query": "sun", "absent": 1}', "twice"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_is_read(tmp_path, row, said):
    good = json.dumps({"query": "sun", "absent": True})
    path = written(tmp_path, f"{good}\n{row if isinstance(row, str) else json.dumps(row)}\n")
    message = refused(path)
    assert f"{path}:2: " in message
    assert said in message
    assert "1 wrong line in" in message


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("a dog, brown,,a.mp4,1,2", "stands between double quotes"),
        ("rain,,a.mp4,x,2", "start_s: 'x' is not a time"),
        ("rain,,a.mp4,1", "its moment has no end_s"),
        (",,,,", "the query is empty"),
        ('"rain,1,,,\nsnow,1,,,', "no CSV"),
    ],
)
def test_a_wrong_line_of_a_table_is_named(tmp_path, line, said):
    path = written(tmp_path, f"query,absent,video,start_s,end_s\nsun,1,,,\n{line}\n")
    message = refused(path)
    assert said in message
    assert f"{path}:3: " in message or "no CSV" in message


def test_many_wrong_lines_are_counted(tmp_path):
    path = written(tmp_path, "query,absent\n" + "rain,perhaps\n" * 9)
    message = refused(path)
    assert "9 wrong lines" in message
    assert f"{path}:4: " in message
    assert "and 6 more" in message


@pytest.mark.parametrize(
    "text",
    [
        "sentence,absent\nrain,1\n",
        "query,video,start_s\nrain,a,1\n",
        "query,query,absent\nrain,rain,1\n",
        "query;absent\nrain;1\n",
    ],
)
def test_a_table_without_its_columns_says_which_it_has(tmp_path, text):
    message = refused(written(tmp_path, text))
    assert "Its first line names: " + repr(text.split("\n")[0].split(",")[0]) in message


def test_a_file_that_is_none_is_refused(tmp_path):
    assert "cannot be read: No such file" in refused(tmp_path / "missing.csv")
    binary = tmp_path / "clip.mp4"
    binary.write_bytes(b"\x00\xff\xfe" * 40)
    assert "not UTF-8" in refused(binary)
    huge = tmp_path / "huge.mp4"
    with huge.open("wb") as file:
        file.truncate(65 << 20)
    assert "longer than" in refused(huge)
    assert "no labelled query" in refused(written(tmp_path, "query,absent\n"))
    assert "names: nothing" in refused(written(tmp_path, ""))


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any.txt"
    path.write_text(text, encoding="utf-8", newline="")
    try:
        read = read_labelled_queries(path)
    except UsageError:
        return
    assert read
