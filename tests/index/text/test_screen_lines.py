"""Lines on the screen: boxes joined to lines, and lines followed over time."""

from __future__ import annotations

import pytest

from index.passages import ReadLine
from index.text.screen_lines import StandingLines, edits, joined, same_words

WIDE = 16 / 9


def line(body: str, left: float = 0.1, top: float = 0.1, wide: float = 0.4) -> ReadLine:
    return ReadLine(body, 0.9, (left, top, left + wide, top + 0.05))


def stays(standing: StandingLines, end_s: float) -> list[tuple[float, float, str]]:
    return [(p.start_s, p.end_s, p.body) for p in standing.take(end_s)]


def test_words_side_by_side_are_one_line_and_columns_are_two() -> None:
    pieces = [line("never", 0.1, wide=0.1), line("signed", 0.22, wide=0.1), line("1,250", 0.8)]
    below = line("by either party", top=0.2)
    assert [made.body for made in joined([below, *pieces], WIDE)] == [
        "never signed",
        "1,250",
        "by either party",
    ]


def test_a_few_letters_read_otherwise_are_the_same_line_and_a_digit_is_not() -> None:
    assert same_words("The tenant shall pay", "The tenant sha1l pay".replace("1", "i"))
    assert not same_words("HOME 2 - 1 AWAY TEAM", "HOME 3 - 1 AWAY TEAM")
    assert not same_words("yes", "yet")
    assert edits("kitten", "sitting") == 3


def test_a_line_that_stays_is_one_passage_in_the_words_most_readings_have() -> None:
    standing = StandingLines()
    for time_s, body in [(1, "Never signed by them"), (2, "Never sigmed by them"), (3, "Never")]:
        standing.show(time_s, [line(body if time_s < 3 else "Never signed by them")])
    standing.hold(9)
    standing.show(10, [line("Next slide")])
    assert stays(standing, 12) == [(1, 10, "Never signed by them"), (10, 12, "Next slide")]


def test_a_line_that_one_reading_missed_has_stayed() -> None:
    standing = StandingLines()
    standing.show(0, [line("Exhibit 12")])
    standing.show(4, [])
    standing.show(8, [line("Exhibit 12")])
    assert stays(standing, 9) == [(0, 9, "Exhibit 12")]


def test_a_line_that_comes_again_later_is_another_passage() -> None:
    standing = StandingLines()
    standing.show(0, [line("Exhibit 12")])
    standing.show(4, [])
    standing.show(60, [line("Exhibit 12")])
    assert stays(standing, 61) == [(0, 4, "Exhibit 12"), (60, 61, "Exhibit 12")]


def test_nothing_is_said_about_a_picture_that_nobody_read() -> None:
    standing = StandingLines()
    standing.show(0, [line("Exhibit 12")])
    standing.lose(5)
    standing.show(90, [line("Exhibit 12")])
    assert stays(standing, 100) == [(0, 5, "Exhibit 12"), (90, 100, "Exhibit 12")]


@pytest.mark.parametrize("times", [1, 3])
def test_one_place_is_read_anew_and_the_others_stay(times: int) -> None:
    standing = StandingLines()
    score, title = line("2 : 1", 0.1), line("Cup final", 0.1, top=0.5)
    standing.show(0, [score, title])
    for number in range(times):
        standing.replace(10 + number, [score.box], [line("3 : 1", 0.1)])
    assert stays(standing, 20) == [(0, 10, "2 : 1"), (0, 20, "Cup final"), (10, 20, "3 : 1")]
