"""Clocks burnt into a picture: how they are written, and which of them tick."""

from __future__ import annotations

from datetime import date

import pytest

from index.text.screen_clock import BurntInClock, SeenClock, burnt_in_clock, clock_of, days_of

BOX = (0.7, 0.9, 0.95, 0.95)


def seen(time_s: float, body: str, box: tuple[float, float, float, float] = BOX) -> SeenClock:
    reading = clock_of(body)
    assert reading is not None, body
    return SeenClock(time_s, box, reading)


def shown(*readings: tuple[float, str]) -> tuple[tuple[float, str], ...]:
    clock = burnt_in_clock([seen(*reading) for reading in readings])
    return () if clock is None else clock.times


@pytest.mark.parametrize(
    ("body", "second"),
    [
        ("14:15:16", 51316),
        ("2024-03-05 14:15:16", 51316),
        ("2024-03-0514:15:16", 51316),
        ("05/03/2024 02:15:16 PM", 51316),
        ("12:00:00 a.m.", 0),
        ("13.03.2024 14:15", 51300),
        ("05-03-24 14:15:16", 51316),
        ("Tue 05 MAR 2024 14:15:16.120", 51316),
        ("Mar 5, 2024 2:15 pm", 51300),
        ("CAM 03 2024-03-05 14:15:16", 51316),
        ("2024年03月05日 14：15：16", 51316),
    ],
)
def test_a_clock_is_read_however_it_is_written(body: str, second: int) -> None:
    reading = clock_of(body)
    assert reading is not None
    assert reading.second == second


@pytest.mark.parametrize(
    "body",
    ["See 14:15 to 16:1", "Lunch at 14:15", "HOME 2:1", "25:61", "12 of 48", "2024-03-05", "1.250"],
)
def test_other_lines_are_no_clock(body: str) -> None:
    assert clock_of(body) is None


def test_a_camera_beside_its_clock_keeps_its_name() -> None:
    reading = clock_of("CAM 03 2024-03-05 14:15:16")
    assert reading is not None
    assert reading.rest == "CAM 03"


def test_what_goes_on_with_the_video_is_a_clock() -> None:
    assert shown((0, "2024-03-05 23:59:58"), (3, "2024-03-06 00:00:01")) == (
        (0, "2024-03-05T23:59:58"),
        (3, "2024-03-06T00:00:01"),
    )


def test_what_stands_still_or_runs_otherwise_is_none() -> None:
    assert shown((0, "14:15"), (60.5, "14:15")) == ()
    assert shown((0, "14:15:00"), (60, "14:15:00")) == ()
    assert shown((0, "45:00".replace("45", "12")), (30, "11:30")) == ()


def test_one_misread_time_is_left_out() -> None:
    times = shown((0, "14:15:00"), (60, "14:16:00"), (120, "19:17:00"), (180, "14:18:00"))
    assert [time_s for time_s, _ in times] == [0, 60, 180]


def test_a_clock_that_was_set_is_followed() -> None:
    times = shown((0, "14:15:00"), (9, "14:15:09"), (60, "08:00:00"), (70, "08:00:10"))
    assert [text for _, text in times] == ["14:15:00", "14:15:09", "08:00:00", "08:00:10"]


def test_day_and_month_are_told_apart_or_left_out() -> None:
    assert shown((0, "05/03/2024 14:15:00"), (9, "05/03/2024 14:15:09"))[0][1] == "14:15:00"
    assert shown((0, "13/03/2024 14:15:00"), (9, "13/03/2024 14:15:09"))[0][1] == (
        "2024-03-13T14:15:00"
    )
    over_midnight = shown((0, "05/03/2024 23:59:59"), (9, "06/03/2024 00:00:08"))
    assert [text[:10] for _, text in over_midnight] == ["2024-03-05", "2024-03-06"]


def test_a_date_in_a_line_of_its_own_belongs_to_the_clock() -> None:
    readings = [seen(0, "23:59:58"), seen(5, "00:00:03")]
    clock = burnt_in_clock(readings, [days_of("5 March 2024")])
    assert clock == BurntInClock(BOX, ((0, "2024-03-05T23:59:58"), (5, "2024-03-06T00:00:03")))
    assert days_of("5 March 2024")[0] == date(2024, 3, 5)


def test_a_time_elsewhere_in_the_picture_does_not_disturb() -> None:
    slide = [seen(number, "09:30", (0.1, 0.1, 0.3, 0.2)) for number in range(3)]
    clock = burnt_in_clock([*slide, seen(3, "14:15:03"), seen(9, "14:15:09")])
    assert clock is not None
    assert clock.box == BOX
