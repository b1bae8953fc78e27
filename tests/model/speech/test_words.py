"""What a model wrote to the passages that people read."""

from __future__ import annotations

import random

import pytest

from model.speech.words import Token, passages_of, repeats_itself


def tokens(text: str, step_s: float = 0.4, confidence: float = 0.9) -> list[Token]:
    """A token for each half word, as models write them."""
    found = []
    for number, word in enumerate(text.split(" ")):
        half = max(1, len(word) // 2)
        for part, piece in enumerate((" " + word[:half], word[half:])):
            at = number * step_s + part * step_s / 2
            found.append(Token(piece, at, at + step_s / 2, confidence))
    return found


def test_pieces_become_words_that_lie_where_the_body_has_them() -> None:
    (passage,) = passages_of(tokens("she never signed the contract"))
    assert passage.body == "she never signed the contract"
    found = [passage.body[word.first : word.first + word.length] for word in passage.words]
    assert found == passage.body.split()
    assert passage.words[1].start_s == pytest.approx(0.4)
    assert passage.words[1].end_s == pytest.approx(0.8)
    assert (passage.start_s, passage.end_s, passage.quality) == (0.0, pytest.approx(2.0), "exact")


def test_sentences_pauses_and_length_end_a_passage() -> None:
    said = tokens("That is all I know. Then he left the room")
    assert [p.body for p in passages_of(said)] == ["That is all I know.", "Then he left the room"]
    late = [Token(" later", 9.0, 9.4, 0.9)]
    assert [p.body for p in passages_of([*tokens("so we waited"), *late])] == [
        "so we waited",
        "later",
    ]
    chance = random.Random(0)
    words = ("".join(chance.choices("abcdefghijklmnop", k=6)) for _ in range(60))
    long = passages_of(tokens(" ".join(words)))
    assert all(p.end_s - p.start_s <= 12.0 + 1e-6 for p in long)
    assert sum(len(p.words) for p in long) == 60


def test_a_short_sentence_stays_with_the_next_one() -> None:
    (passage,) = passages_of(tokens("Yes. Dr. Smith signed it"))
    assert passage.body == "Yes. Dr. Smith signed it"


def test_punctuation_belongs_to_the_word_before_it() -> None:
    said = [Token(" no", 0, 0.5, 0.8), Token(",", 2.0, 2.1, 0.3), Token(" never", 2.1, 2.5, 0.7)]
    bodies = [p.body for p in passages_of(said)]
    assert bodies == ["no, never"]
    (passage,) = passages_of(said)
    assert [word.confidence for word in passage.words] == [0.8, 0.7]


def test_writing_without_blanks_keeps_a_time_for_each_piece() -> None:
    said = [Token(piece, n * 0.3, n * 0.3 + 0.3, 0.9) for n, piece in enumerate("契約書に署名")]
    (passage,) = passages_of(said)
    assert passage.body == "契約書に署名"
    assert len(passage.words) == 6
    assert passage.words[2].first == 2


def test_a_word_is_as_sure_as_its_worst_piece() -> None:
    (passage,) = passages_of([Token(" con", 0, 0.2, 0.9), Token("tract", 0.2, 0.5, 0.2)])
    assert passage.words[0].confidence == pytest.approx(0.2)


def test_a_text_that_only_repeats_itself_is_not_believed() -> None:
    assert passages_of(tokens("Thank you for watching. " * 20)) == ()
    assert repeats_itself("ha " * 60)
    assert not repeats_itself("no no no")
    assert not repeats_itself("the pump failed at a pressure of forty two bar and then stopped")


def test_control_characters_and_empty_pieces_are_dropped() -> None:
    (passage,) = passages_of([Token(" a\x1b", 0, 0.1, 1), Token(" ", 0, 0.1, 1)])
    assert passage.body == "a"
    assert passages_of([]) == ()
