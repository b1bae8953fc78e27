"""Fields, cues and colons: which channel each piece of a query asks."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import UsageError
from index.search.fields import clauses_of, strange_fields, with_fields
from index.search.query import parse


def asked(query: str) -> list[list[tuple[str, str]]]:
    """For each part its clauses: channels and words."""
    return [
        [("+".join(c.channels) or "any", c.words) for c in clauses_of(part)]
        for part in parse(query).parts
    ]


@pytest.mark.parametrize(
    ("query", "parts"),
    [
        ('say:"never signed"', [[("speech", "never signed")]]),
        ("say:never signed", [[("speech", "never signed")]]),
        ("say: never signed", [[("speech", "never signed")]]),
        ("Say:“never signed”", [[("speech", "never signed")]]),
        ('say:"never signed', [[("speech", "never signed")]]),
        ("say:O'Brien left", [[("speech", "O'Brien left")]]),
        ('screen:"10:30"', [[("screen", "10:30")]]),
        ("see:a dog say:good boy", [[("sight", "a dog"), ("speech", "good boy")]]),
        ('say:"so" and a dog', [[("speech", "so"), ("any", "a dog")]]),
        (
            'say:"never signed" while she points at a document',
            [[("speech", "never signed")], [("any", "she points at a document")]],
        ),
        (
            'say:"before lunch" before say:then',
            [[("speech", "before lunch")], [("speech", "then")]],
        ),
        ("speaker:Smith the contract", [[("speech", "the contract")]]),
        ('speaker:"Jane Doe"', [[("speech", "")]]),
        ("a slide that says music", [[("screen", "music")]]),
        ("the slide reads chapter one", [[("screen", "chapter one")]]),
        ("a sign saying 'stop'", [[("screen", "stop")]]),
        ("a witness says that it was over", [[("speech", "it was over")]]),
        ("a man mentions the contract", [[("speech", "the contract")]]),
        ("she asks whether he signed", [[("speech", "he signed")]]),
        ("a man in red talks about the contract", [[("sight+speech", "the contract")]]),
        ("a woman explains how to tie a knot", [[("sight+speech", "to tie a knot")]]),
        ("a woman explains that it is over", [[("speech", "it is over")]]),
        ("meet at 10:30", [[("any", "meet at 10:30")]]),
        ("http://say:80/page", [[("any", "http://say:80/page")]]),
        ("what do you see: a dog", [[("any", "what do you see: a dog")]]),
        ("a man talks on the phone", [[("any", "a man talks on the phone")]]),
    ],
)
def test_a_query_asks_the_channels_that_it_names(query, parts) -> None:
    assert asked(query) == parts


def test_a_speaker_says_the_words_of_its_part() -> None:
    (clause,) = clauses_of('speaker:Smith say:"never signed"')
    assert (clause.speaker, clause.words, clause.quoted) == ("Smith", "never signed", True)
    seen, spoken = clauses_of("see:a dog speaker:Jane")
    assert (seen.channels, spoken.channels, spoken.speaker) == (("sight",), ("speech",), "Jane")


@pytest.mark.parametrize("query", ["say:", 'say:""', 'screen:"..."', "speaker:", "a dog say:''"])
def test_an_empty_field_is_an_error_that_shows_a_full_one(query) -> None:
    with pytest.raises(UsageError, match="is empty"):
        clauses_of(query)


def test_a_strange_field_is_plain_words_and_told() -> None:
    assert asked('foo:"bar"') == [[("any", 'foo:"bar"')]]
    assert strange_fields('foo:"bar" say:"x" http://a 10:30') == ("foo",)


def test_options_are_fields_of_the_query() -> None:
    assert with_fields("a dog", say="good boy") == 'a dog say:"good boy"'
    assert asked(with_fields("", say='a "quoted" word')) == [[("speech", 'a "quoted" word')]]
    with pytest.raises(UsageError, match="several moments"):
        with_fields("a dog then a cat", say="hello")


@given(st.text(alphabet="say:creenpk \"'“”.,x1", max_size=40))
def test_any_text_is_read_or_refused(text) -> None:
    for part in parse(text).parts:
        with suppress(UsageError):
            assert clauses_of(part)
