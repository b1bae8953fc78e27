"""Lists of pages and lines as people write them, and what they are taken for."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import UsageError
from index.passages import Passage, Place
from index.text.designations import Designation, citation, lines_in, quotation, read_designations

ONE = [((14, 15), (16, 1))]


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        ("14:15 - 16:1", ONE),
        ("14:15-16:1", ONE),
        ("14:15 – 16:1", ONE),
        ("14:15 to 16:1", ONE),
        ("00014:15 - 00016:01", ONE),
        ("14:15,16:1", ONE),
        ("14:15\t16:1", ONE),
        ("14\t15\t16\t1", ONE),
        ("14,15,16,1", ONE),
        ("14:15-16:1,", ONE),
        ("\ufeff14:15 - 16:1\r\n\r\n# a remark\r\n", ONE),
        ("14:15", [((14, 15), (14, 15))]),
        ("14:15-20", [((14, 15), (14, 20))]),
        ("14:15 3 objections", [((14, 15), (14, 15))]),
        ("14,15,20", [((14, 15), (14, 20))]),
        ("14:15-16:1; 18:2-18:9", [*ONE, ((18, 2), (18, 9))]),
        ("14:15-16:1, 18:2-9 and 20:1", [*ONE, ((18, 2), (18, 9)), ((20, 1), (20, 1))]),
    ],
)
def test_ranges_as_people_write_them(text, ranges):
    found = read_designations(text, "list.txt")
    assert [((d.first.page, d.first.line), (d.last.page, d.last.line)) for d in found] == ranges


def test_headers_names_and_remarks_go_with_their_ranges():
    text = (
        "[ID=V1 Bart Defense Affirmatives]\n[Transcript=Bart, Michael 2014-05-23]\n[hl=2]\n"
        "14:15\t16:1\tObjection: hearsay\n"
        "[ID=V2] [transcript=Jain] [hl=Plaintiff]\n18:2 - 18:9\n"
        "Smith 20:1-3\n"
    )
    first, second, third = read_designations(text, "oncue.txt")
    assert (first.id, first.transcript, first.remark, first.number) == (
        "V1 Bart Defense Affirmatives",
        "Bart, Michael 2014-05-23",
        "Objection: hearsay",
        4,
    )
    assert (second.id, second.transcript) == ("V2", "Jain")
    assert (third.id, third.transcript) == ("V2", "Smith")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("16:1 - 14:15", "line 1: 16:1-14:15 ends before it begins"),
        ("the whole thing", "holds no page and line"),
        ("0:15 - 16:1", "count from 1"),
        ("14:15 (see 16:1) - 17:2", "more than one way"),
        ("14:15, 16:1-17:2", "more than one way"),
    ],
)
def test_what_is_no_range_is_named_with_its_line(text, why):
    with pytest.raises(UsageError, match="no ranges of pages and lines") as refused:
        read_designations(text, "list.txt")
    assert why in "\n".join(refused.value.details)
    with pytest.raises(UsageError, match="holds no range"):
        read_designations("\n# nothing\n[ID=x]\n", "list.txt")


def test_citations_are_as_short_as_the_trade_writes_them():
    assert citation(Place(14, 15), Place(16, 1)) == "14:15-16:1"
    assert citation(Place(14, 15), Place(14, 20)) == "14:15-20"
    assert citation(Place(14, 15), Place(14, 15)) == "14:15"


@given(st.integers(1, 99_999), st.integers(1, 60), st.integers(0, 50), st.integers(1, 60))
def test_every_citation_is_read_back(page, line, more, end):
    first, last = Place(page, line), Place(page + more, max(line, end) if not more else end)
    (read,) = read_designations(citation(first, last), "x")
    assert (read.first, read.last) == (first, last)


@given(st.text(st.characters(codec="utf-8"), max_size=80))
def test_no_list_crashes_the_reader(text):
    try:
        found = read_designations(text, "x")
    except UsageError:
        return
    for designation in found:
        assert designation.first <= designation.last
        assert (designation.remark + designation.id + designation.transcript).isprintable()


def test_whole_lines_inside_a_range_in_printed_order():
    rng = random.Random(1)
    lines = [
        Passage(
            n,
            n + 1.0,
            f"line {n}",
            "Q" if n % 3 else "A",
            first=Place(1 + n // 5, n % 5 + 1),
            last=Place(1 + n // 5, n % 5 + 1),
        )
        for n in range(20)
    ]
    found = lines_in(Designation(Place(1, 4), Place(2, 2)), rng.sample(lines, 20))
    assert [passage.body for passage in found] == ["line 3", "line 4", "line 5", "line 6"]
    assert quotation(found) == (
        "1:04  A. line 3",
        "1:05  Q. line 4",
        "2:01  line 5",
        "2:02  A. line 6",
    )
