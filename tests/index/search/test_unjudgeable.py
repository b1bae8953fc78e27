"""What pictures cannot answer is told for what it is; what they can stays without a note."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.search.unjudgeable import MOST_PRESENCE_OF_ABSENCE, judge
from index.vectors.everyday import everyday_sentences

ASKED: dict[str, tuple[str, ...]] = {
    "count": (
        "three people talk on a sofa",
        "Four cars are shown in a split screen.",
        "exactly two dogs",
        "more than 5 cyclists on a bridge",
        "only one person at the table",
        "at least two police cars",
        "just 2 candles on the cake",
        "12 children in a bus",
        "how many people are in the room",
        "the striker scores for the second time",
        "a dog barks twice",
        "he knocks three times",
        "no more than two people in the lift",
    ),
    "absence": (
        "a room without people",
        "nobody at the desk",
        "a man with no hat",
        "a woman isn't wearing glasses",
        "A woman who isn’t smiling",
        "a street empty of cars",
        "a beach free of tourists",
        "a man who does not move",
        "a dog that never barks",
        "everyone dances except the bride",
        "he eats with his hands instead of a fork",
        "a car that has no wheels",
        "neither of the players moves",
        "no one sits in the chair",
        "a fence that is missing a board",
        "a man lacking a tie",
        "she doesnt wear a coat",
        "a vlogger without sunglasses",
    ),
    "name": (
        "Dr. Smith enters",
        "dr smith enters the room",
        "Barack Obama speaks",
        "Boris Johnson speaks at his desk",
        "President Trump arrives at the airport",
        "a woman hugs Peter",
        "a man points at Anna",
        "a dog named Rex runs",
        "the witness hugs Maria and leaves",
        "a photo of the lawyer next to Mrs. Jones",
        "interview with Elon Musk",
        "Anna and Peter's wedding",
        "Angela Merkel and Emmanuel Macron shake hands",
    ),
    "text": (
        "sign that says EXIT",
        "a sign reading no parking",
        "a slide that says music",
        "licence plate AB 123",
        "a car with the license plate xyz 99",
        "the number 47 on a jersey",
        "player number 10 scores",
        'a door with "staff only" on it',
        "a shirt with the words just do it",
        "a chapter titled summary",
        "bus 42 stops",
        "a package labelled fragile",
        "an error saying file not found",
    ),
    "sound": (
        "a man says that he is sorry",
        "a woman talks about taxes",
        "a speaker talks to the camera about her three children",
        "the sound of a bell",
        "a witness explains why he left",
        "she asks if the shop is open",
        "someone speaks French",
        'the boy says "I have no idea"',
        "music plays in a dark room",
        "a loud bang",
        "a lawyer mentions the contract",
    ),
    "measure": (
        "a man waits for ten minutes",
        "a car drives faster than the bus",
        "a man taller than the door",
        "a 5 minute break",
        "a car at 100 km/h",
        "a ladder of three metres",
        "an hour long speech",
        "the dog sleeps for hours",
    ),
    "clock": (
        "a man leaves at 3 pm",
        "someone enters at 15:30",
        "the shop opens at nine o'clock",
        "the party last summer",
        "what happened yesterday",
        "a car crash on Monday",
        "the meeting in 2019",
        "a train at half past six",
    ),
    "side": (
        "a man on the left waves",
        "a woman raises her right hand",
        "the car turns left",
        "a lamp to the right of the door",
        "the leftmost player",
        "he looks right and crosses the street",
        "a logo in the bottom left corner",
    ),
}

PLAIN = (
    "Man in baseball cap eats before doing his interview.",
    "man eats before interview",
    "two people walk on a beach",
    "A woman in a red coat crosses a snowy street",
    "one man gives two women a hug",
    "an empty room",
    "A woman waits with a baby in an empty hallway.",
    "a deserted street at night",
    "a shirtless man holds a snake",
    "a barefoot girl",
    "several dogs run across a field",
    "dozens of balloons rise",
    "a crowd of people",
    "a couple shares a meal",
    "a pair of boots",
    "a five year old girl rides a pony",
    "a 3-year-old boy cries",
    "a three-piece suit",
    "a four wheel drive in the mud",
    "a five star hotel",
    "an eight lane highway",
    "A woman leaves the room",
    "a man left the house",
    "Woman left a pot on the stove while it's cooking.",
    "Money is left behind on the street.",
    "a dog right behind the car",
    "right after the goal, fans cheer",
    "a man reads a book",
    "a girl reads the newspaper on a train",
    "one day at the park",
    "a heron stands on one foot",
    "a sign on a wall",
    "text on a black screen",
    "a license plate",
    "Man eats cake in Paris",
    "A Japanese chef prepares sushi.",
    "a couple on holiday in Italy",
    "A woman puts up a Christmas tree",
    "a tour of the Eiffel Tower",
    "Woman holds up her iPhone",
    "MAN EATS BEFORE THE INTERVIEW",
    "Man Eats Before The Interview",
    "a TV in a BBQ restaurant",
    "a woman talks to the camera",
    "two men argue in a car",
    "a man waits for a while in the hall",
    "a man runs for the bus",
    "nothing but sand in every direction",
    "never ending stairs",
    "nothing happens",
    "there is nothing in the kitchen",
    "a table with nothing on it",
    "nobody is there",
    "no objects",
    "she can't stop laughing",
    "a no parking sign",
    "he shakes his head no and leaves",
    "a knotted rope",
    "a note on the fridge",
    "a woman stands before a judge",
    "a man marches in a parade",
    "a lady may leave on a boat",
    "a second man enters",
    "a boy catches a ball with one hand",
    "a band plays on stage",
    "a policewoman rides a horse",
    "a hot air balloon over a lake",
    "colours: red, green and blue",
)


@pytest.mark.parametrize(
    ("query", "kind"), [(query, kind) for kind, queries in ASKED.items() for query in queries]
)
def test_what_pictures_cannot_answer_is_told(query, kind):
    judgement = judge(query)
    assert judgement.kinds == (kind,)
    assert len(judgement.notes) == 1
    assert judgement.most == (MOST_PRESENCE_OF_ABSENCE if kind == "absence" else 1.0)


@pytest.mark.parametrize("query", [*PLAIN, *everyday_sentences()])
def test_what_pictures_can_answer_gets_no_note(query):
    assert judge(query).kinds == ()
    assert judge(query).most == 1.0


@pytest.mark.parametrize(
    ("query", "kinds"),
    [
        ("three people without hats on the left", ("side", "count", "absence")),
        ("Dr. Smith talks about his three children", ("sound", "name")),
        ("a sign that says nobody enters, while two men wait for ten minutes", ("text", "measure")),
        ("she says there is no time before a man without a hat enters", ("sound", "absence")),
    ],
)
def test_each_kind_is_told_once_and_what_is_said_is_not_judged_again(query, kinds):
    judgement = judge(query)
    assert set(judgement.kinds) == set(kinds)
    assert len(judgement.notes) == len(kinds)


def test_a_note_names_the_words_and_is_a_sentence():
    (note,) = judge("A room WITHOUT people").notes
    assert '"WITHOUT"' in note
    for queries in ASKED.values():
        for note in judge(queries[0]).notes:
            assert note[0].isupper()
            assert note.endswith(".")


@given(st.text(max_size=300))
def test_any_text_can_be_judged(text):
    judgement = judge(text)
    assert len(judgement.kinds) == len(judgement.notes)
    assert judge(text) == judgement


def test_the_longest_query_is_judged_at_once():
    for piece in ("a man talks to ", '"', "the sign that ", "Anna ", "no ", "3 ", "for ten "):
        assert all(len(note) < 300 for note in judge(piece * (10_000 // len(piece))).notes)
    (note,) = judge('a door with "' + "Keep out " * 1000 + '"').notes
    assert len(note) < 300
