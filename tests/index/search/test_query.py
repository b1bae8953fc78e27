"""Order queries are split where both sides are events, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from index.search.query import QueryPlan, parse


@pytest.mark.parametrize(
    ("sentence", "parts", "relation", "answer"),
    [
        ("man eats before interview", ("man eats", "interview"), "then", (0,)),
        ("a man eats just before the interview.", ("a man eats", "the interview"), "then", (0,)),
        ("man eats two minutes before interview", ("man eats", "interview"), "then", (0,)),
        ("man eats, before he is interviewed", ("man eats", "he is interviewed"), "then", (0,)),
        ("before the interview, a man eats", ("a man eats", "the interview"), "then", (0,)),
        ("a dog barks after the door opens", ("the door opens", "a dog barks"), "then", (1,)),
        ("After the door opens, a dog barks", ("the door opens", "a dog barks"), "then", (1,)),
        ("right after the goal, fans cheer", ("the goal", "fans cheer"), "then", (1,)),
        ("door opens then dog enters", ("door opens", "dog enters"), "then", (0, 1)),
        ("door opens, then dog enters", ("door opens", "dog enters"), "then", (0, 1)),
        ("door opens and then dog enters", ("door opens", "dog enters"), "then", (0, 1)),
        ("a goal followed by cheering", ("a goal", "cheering"), "then", (0, 1)),
        ("red then green, then blue", ("red", "green", "blue"), "then", (0, 1, 2)),
        ("she sings while it rains", ("she sings", "it rains"), "while", (0, 1)),
        ("while it rains, she sings", ("she sings", "it rains"), "while", (0, 1)),
        ("a man sleeps during the lecture", ("a man sleeps", "the lecture"), "while", (0, 1)),
        ('sign saying "back then now" before a crash', None, "then", (0,)),
        (
            '"he eats, then sleeps" before "a crash"',
            ("he eats, then sleeps", "a crash"),
            "then",
            (0,),
        ),
        ("“a dog” after «cat»", ("cat", "a dog"), "then", (1,)),
        ('"he sits" after "she ran"', ("she ran", "he sits"), "then", (1,)),
    ],
)
def test_order_queries_are_split(sentence, parts, relation, answer):
    plan = parse(sentence)
    assert plan.relation == relation
    assert plan.answer == answer
    if parts is not None:
        assert plan.parts == parts


@pytest.mark.parametrize(
    "sentence",
    [
        "the day before yesterday",
        "before-and-after photo",
        "before and after photos of a kitchen",
        "photos of a kitchen before and after",
        "a woman stands before a judge",
        "a nurse looks after a child",
        "a dog runs after a ball",
        "he eats soup day after day",
        "cars pass one after another",
        "he waits for a while in the hall",
        "now and then a bird sings",
        "the then president waves",
        "a person who is followed by a dog",
        "a street after dark",
        "a party after midnight",
        "the morning after",
        "then",
        "before",
        "while",
        'a sign that says "closed before noon then open"',
        "ein Mann isst vor dem Interview",
        "",
    ],
)
def test_everything_else_stays_whole(sentence):
    assert parse(sentence) == QueryPlan((sentence,), "single", (0,))


@given(st.text(max_size=80))
def test_any_text_gives_a_usable_plan(sentence):
    plan = parse(sentence)
    assert len(plan.parts) == 1 or all(part.strip() for part in plan.parts)
    assert set(plan.answer) <= set(range(len(plan.parts)))
    assert (plan.relation == "single") == (len(plan.parts) == 1)


_event = st.sampled_from(["man eats", "the interview", "red car passes", "dog", "people dance"])


@given(_event, _event)
def test_before_and_after_are_mirrors(first, second):
    assume(first != second)
    before = parse(f"{first} before {second}")
    after = parse(f"{second} after {first}")
    assert before.parts == after.parts == (first, second)
    assert (before.answer, after.answer) == ((0,), (1,))
