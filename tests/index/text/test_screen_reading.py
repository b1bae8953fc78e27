"""Reading the screen of one video: what is read, how often, and what is made of it."""

from __future__ import annotations

import numpy as np
from reading import PatchReader, patches

from index.passages import Passage, ReadLine, TextTrack
from index.text.screen_lines import legible
from index.text.screen_reading import ScreenReading


def told(passages: tuple[Passage, ...]) -> list[tuple[float, float, str]]:
    return [(p.start_s, p.end_s, p.body) for p in passages]


def watched(reader: PatchReader, pictures: list[np.ndarray]) -> TextTrack:
    """A second for each picture, given only where it is another, as the decoder does."""
    reading = ScreenReading(reader)
    for second, picture in enumerate(pictures):
        same = second and np.array_equal(picture, pictures[second - 1])
        reading.see(float(second), None if same else picture)
    return reading.track(float(len(pictures)))


def test_a_slide_is_read_once_and_its_lines_last_as_long_as_it_stands() -> None:
    reader = PatchReader({20: "Title", 60: "First", 100: "Second"})
    one, two = patches([(20, 0), (60, 2)]), patches([(20, 0), (100, 3)])
    track = watched(reader, [one] * 30 + [two] * 30)
    assert told(track.passages) == [(0, 60, "Title"), (0, 30, "First"), (30, 60, "Second")]
    assert reader.whole == 2
    assert (track.covered_s, track.notes) == (60, ())


def test_where_one_known_line_changed_its_place_alone_is_read() -> None:
    reader = PatchReader({20: "HOME 1 : 0", 60: "HOME 2 : 0", 100: "Cup final"})
    one, two = patches([(20, 0), (100, 5)]), patches([(60, 0), (100, 5)])
    track = watched(reader, [one] * 5 + [two] * 5)
    assert sorted(told(track.passages)) == [
        (0, 5, "HOME 1 : 0"),
        (0, 10, "Cup final"),
        (5, 10, "HOME 2 : 0"),
    ]
    assert (reader.whole, len(reader.sizes)) == (1, 2)


def test_a_clock_is_read_once_a_minute_and_is_no_text() -> None:
    reader = PatchReader({})
    reading = ScreenReading(reader)
    for second in range(200):
        shown = f"CAM 3 2024-03-05 23:{50 + second // 60}:{second % 60:02d}"
        reader.lines = {20: shown, 60: shown, 120: "LOADING DOCK"}
        reading.see(float(second), patches([(20 if second % 2 else 60, 0), (120, 4)]))
    track = reading.track(200.0)
    assert told(track.passages) == [(0, 200, "CAM 3"), (0, 200, "LOADING DOCK")]
    assert [time_s for time_s, _ in track.clock] == [0, 61, 121, 181]
    assert track.clock[1][1] == "2024-03-05T23:51:01"
    assert len(reader.sizes) <= 6
    assert track.covered_s == 200


def test_busy_footage_is_read_now_and_then_and_that_is_said() -> None:
    rng = np.random.default_rng(1)
    busy = [rng.integers(0, 255, (180, 320, 3), dtype=np.uint8) for _ in range(240)]
    reader = PatchReader({})
    track = watched(reader, busy)
    assert 30 <= reader.whole <= 60
    assert track.covered_s == 240, "it is spoken for, as the seconds between samples are"
    assert track.notes == (
        "the picture changes too often to read all of it: words that it showed for less than "
        "7 seconds may be missing",
    )


def test_letters_that_a_reader_finds_in_leaves_are_no_text() -> None:
    lines = [
        ReadLine("日", 0.79, (0.1, 0.1, 0.2, 0.2)),
        ReadLine("MUSIC", 0.55, (0.1, 0.3, 0.2, 0.4)),
        ReadLine("OLE", 0.7, (0.46, 0.29, 0.52, 0.51)),  # a bottle without a label
        ReadLine("7", 0.98, (0.1, 0.5, 0.2, 0.6)),
        ReadLine("EXIT", 0.7, (0.1, 0.7, 0.2, 0.8)),
    ]
    assert [line.body for line in legible(lines)] == ["7", "EXIT"]


def test_a_slide_after_busy_footage_is_read_as_soon_as_the_budget_has_it() -> None:
    rng = np.random.default_rng(1)
    busy = [rng.integers(130, 255, (180, 320, 3), dtype=np.uint8) for _ in range(120)]
    track = watched(PatchReader({20: "At last"}), [*busy, *[patches([(20, 1)])] * 60])
    ((start_s, end_s, body),) = told(track.passages)
    assert (end_s, body) == (180, "At last")
    assert 120 <= start_s <= 132


def test_pieces_of_a_video_hold_together_what_the_whole_holds() -> None:
    pictures = [patches([(20, 0), (60, 2)])] * 20 + [patches([(20, 0)])] * 20
    reading = ScreenReading(PatchReader({20: "Title", 60: "First"}))
    for second in range(30):
        reading.see(float(second), pictures[second] if second in (0, 20) else None)
    first = reading.track(29.0)
    for second in range(30, 40):
        reading.see(float(second), None)
    last = reading.track(40.0)
    assert told(first.passages) == [(0, 29, "Title"), (0, 20, "First")]
    assert told(last.passages) == [(29, 40, "Title")]
    assert last.covered_s == 40
