"""Page and line numbered ASCII: every layout to the last line, damage refused or counted."""

from __future__ import annotations

import random

import pytest
from testimony_factory import LAYOUTS, ascii_transcript, clock, damaged, printed_lines

from index.errors import TextError
from index.text.depositions import Placing, UntimedError, track_of
from index.text.pageline import is_pages, read_pages

LINES = printed_lines(pages=40, first_page=1)
TRUTH = {(row.page, row.line): (row.body, row.speaker) for row in LINES}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("first_page", [1, 12, 998])
@pytest.mark.parametrize("lines_per_page", [24, 25, 28])
def test_every_line_of_every_layout(layout: str, first_page: int, lines_per_page: int) -> None:
    lines = printed_lines(30, lines_per_page, seed=first_page, first_page=first_page)
    text = ascii_transcript(lines, layout)
    assert is_pages(text)
    read = read_pages(text, "smith_v2")
    assert [(row.place.page, row.place.line, row.body, row.speaker) for row in read.lines] == [
        (row.page, row.line, row.body, row.speaker) for row in lines
    ]
    assert read.notes == ()
    facts = read.testimony
    assert (facts.witness, facts.volume, facts.taken_on) == ("Smith", "II", "May 4, 2024")
    assert facts.lines_per_page == lines_per_page


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("side", ["left", "right"])
def test_times_of_day_in_the_margin_place_the_lines(layout: str, side: str) -> None:
    said = [row for row in LINES[:150] if row.page > 1]
    # A clock of twelve hours that passes one o'clock.
    at_s = {(row.page, row.line): 45_000 + 20 * number for number, row in enumerate(said)}
    shown = {
        at: clock(s if s < 46_800 else s - 43_200)
        for number, (at, s) in enumerate(at_s.items())
        if number % 3 == 0
    }
    read = read_pages(ascii_transcript(LINES[:150], layout, shown, side), "x")
    assert [(row.body, row.speaker) for row in read.lines] == [
        (row.body, row.speaker) for row in LINES[:150]
    ]
    placing = Placing(duration_s=10_000.0, starts_at_s=44_990.0)
    track = track_of(read, b"x.txt", "", placing)
    for passage in track.passages[:-3]:
        assert passage.first is not None
        wanted = at_s[passage.first.page, passage.first.line] - 44_990
        known = (passage.first.page, passage.first.line) in shown
        assert passage.quality == ("cue" if known else "interpolated")
        assert abs(passage.start_s - wanted) < (0.01 if known else 25)
    with pytest.raises(UntimedError, match="times of day") as refused:
        track_of(read, b"x.txt", "", Placing(10_000.0))
    assert "--transcript-start" in refused.value.remedy


def test_lost_pages_are_counted_and_the_others_read() -> None:
    rows = ascii_transcript(LINES, "image").split("\r\n")
    # A line number is gone on three pages.
    broken = [row for row in rows if not (row.startswith("  17  ") and rows.index(row) < 170)]
    lost = len(rows) - len(broken)
    read = read_pages("\r\n".join(broken), "x")
    assert read.notes == (f"{lost} of 40 pages could not be read",)
    assert len(read.lines) == (40 - lost) * 25
    for row in read.lines:
        assert TRUTH[row.place.page, row.place.line] == (row.body, row.speaker)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1. Milk\n2. Bread\n3. Eggs\n" * 20, "do not number"),
        ("\n".join(f"{n % 5 + 1}  item" for n in range(200)), "do not number"),
        ("\n".join(f"{n + 1:2}  item" for n in range(25)) * 1, "pages number their lines"),
        (
            "Page 1    Page 2\n"
            + "\n".join(f"{n + 1:2}  x   {n + 1:2} y" for n in range(25))
            + "\nPage 3    Page 4\n",
            "condensed",
        ),
        (
            "\n".join(
                f"{h:02}:{m:02} somebody wrote" for h in range(9, 18) for m in range(3, 60, 4)
            ),
            "pages number their lines",
        ),
    ],
)
def test_what_is_no_transcript_is_refused(text: str, why: str) -> None:
    with pytest.raises(TextError, match=why) as refused:
        read_pages(text, "x")
    assert "ASCII" in refused.value.remedy


@pytest.mark.parametrize(
    ("stem", "witness"),
    [
        ("2024-05-04_Smith_depo_vol2", "Smith"),
        ("Smith, John - Final", "Smith"),
        ("Deposition of Jane Roe", "Jane Roe"),
        ("20240504", "20240504"),
    ],
)
def test_the_file_names_the_witness_where_the_pages_do_not(stem: str, witness: str) -> None:
    lines = [row for row in LINES if row.page > 1]
    assert read_pages(ascii_transcript(lines, "amicus"), stem).testimony.witness == witness


@pytest.mark.parametrize("layout", LAYOUTS)
def test_damaged_files_are_never_cited_wrongly(layout: str) -> None:
    """Hardly a line of fifty damaged files has another one's words: where the damage is."""
    rng = random.Random(LAYOUTS.index(layout))
    whole = ascii_transcript(LINES[:500], layout).encode()
    words = {(row.page, row.line): row.body.split() for row in LINES}
    read_well = wrong = cited = 0
    for _ in range(50):
        text = damaged(whole, rng).decode("cp1252", "replace")
        try:
            read = read_pages(text, "x")
        except TextError:
            continue
        read_well += 1
        for row in read.lines:
            assert (row.body + row.speaker).isprintable()
            truth = words.get((row.place.page, row.place.line), [])
            cited += 1
            wrong += bool(truth) and bool(row.body) and not set(truth) & set(row.body.split())
    assert read_well > 35
    assert wrong <= cited // 1000


def test_what_is_made_to_take_long_is_read_in_no_time() -> None:
    blanks = "\n".join(f"{n % 25 + 1:2}  {' ' * 100_000}x" for n in range(100))
    hours = "\n".join(f"{n}:01 words" for n in range(1, 20_000))
    backwards = "\n".join(f"{n}:01 words" for n in range(20_000, 1, -1))
    for text in (blanks, backwards):
        with pytest.raises(TextError):
            read_pages(text, "x")
    assert len(read_pages(hours, "x").lines) == 19_999
    with pytest.raises(TextError, match="more than"):
        read_pages("\n" * 2_100_000, "x")


@pytest.mark.parametrize("layout", ["image", "image below"])
def test_pages_that_carry_two_numbers_are_refused(layout: str) -> None:
    """A production number below the page's own must not be cited as the page."""
    text = ascii_transcript(LINES, layout)
    for page in range(1, 41):
        text = text.replace(f"{page:>70}\r\n", f"{page:>70}\r\n{page + 4000:>70}\r\n")
    with pytest.raises(TextError, match="pages number their lines"):
        read_pages(text, "x")


def test_an_index_of_words_behind_the_last_page_harms_nothing() -> None:
    index = "\r\n".join(f"  {word}    {n}:4, 12:8" for n, word in enumerate("abcdefgh"))
    numbers = "\r\n".join(f"{n}" for n in range(700, 760, 7))
    for layout in ("amicus", "image below", "image"):
        text = ascii_transcript(LINES, layout) + "\r\n" * 3 + index + "\r\n" + numbers + "\r\n"
        assert len(read_pages(text, "x").lines) == len(LINES)
