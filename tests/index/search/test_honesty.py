"""What answers say of themselves, where cosines are as large as those of real models."""

from __future__ import annotations

import numpy as np
import pytest
import real_units
from real_units import Reader

from index.search.find import find
from index.types import FindRequest, FindResult
from index.vectors.cache import VectorCache
from model.grounding.training_free import TrainingFreeLocalizer

ASKED = real_units.contents(40, 77)
READER = Reader({f"sentence {number}": content for number, content in enumerate(ASKED)})
BANK = real_units.bank()
EVENT_S = 8
PRESENT = 10


def ask(library, cache, number: int, threshold: float = 0.0) -> FindResult:
    request = FindRequest(f"sentence {number}", refine=False, threshold=threshold)
    return find(library, cache, READER, TrainingFreeLocalizer(), request)


def load(library, bank=BANK) -> VectorCache:
    return VectorCache.load(library, everyday=lambda: bank)


def video(frames: int, seed: int, events: dict[int, float], at: int, length: int = EVENT_S):
    """A video in which sentences' scenes, of such cosines, follow each other from `at`."""
    content = real_units.footage(frames, seed)
    for place, (number, cosine) in enumerate(events.items()):
        first = at + 100 * place
        seen = slice(first, first + length)
        content[seen] = real_units.showing(content[seen], ASKED[number], cosine)
    return real_units.frames_of(content)


@pytest.fixture(scope="module")
def ten_hours(tmp_path_factory):
    cosines = np.linspace(0.15, 0.29, PRESENT)
    with real_units.open_library(tmp_path_factory.mktemp("hours") / "lib") as library:
        for number in range(20):
            shown = {number: float(cosines[number])} if number < PRESENT else {}
            name = f"v{number:02d}"
            real_units.add(library, name, video(1800, number, shown, at=100 + 70 * number))
        yield library, load(library)


def test_in_ten_hours_what_is_there_is_found_and_what_is_not_is_not(ten_hours):
    found = 0
    for number in range(PRESENT):
        hits = ask(*ten_hours, number, threshold=0.5).hits
        start_s = 100 + 70 * number
        found += bool(hits) and (
            hits[0].path == b"/v%02d" % number
            and hits[0].span.start_s < start_s + EVENT_S
            and hits[0].span.end_s > start_s
        )
    assert found >= 9
    absent = [ask(*ten_hours, number) for number in range(20, 34)]
    assert sum(result.hits[0].presence < 0.5 for result in absent) >= 12
    assert {result.uncalibrated for result in absent} == {""}


def test_ranks_and_percentages_agree(ten_hours):
    for number in (0, 5, 20, 21):
        hits = ask(*ten_hours, number).hits
        percent = [round(100 * hit.presence) for hit in hits]
        assert len(hits) == 10
        assert percent == sorted(percent, reverse=True)


def test_equal_moments_are_shown_in_order_of_time(tmp_path):
    half = video(400, 1, {0: 0.2}, at=200)
    with real_units.open_library(tmp_path) as library:
        real_units.add(library, "b", np.concatenate([half, half]))
        real_units.add(library, "c", np.concatenate([half, half]))
        hits = ask(library, load(library), 0).hits
    assert len({round(hit.score, 3) for hit in hits[:4]}) == 1
    places = [(hit.path, hit.span.start_s) for hit in hits[:4]]
    assert [path for path, _ in places] == [b"/b", b"/b", b"/c", b"/c"]
    assert places == sorted(places)


@pytest.mark.parametrize(("frames", "length"), [(20, 5), (60, 20), (180, 20), (600, 120)])
def test_in_a_few_minutes_what_is_there_is_found_and_nobody_gives_a_percentage(
    tmp_path, frames, length
):
    with real_units.open_library(tmp_path) as library:
        real_units.add(library, "v", video(frames, 1, {0: 0.2}, at=frames // 3, length=length))
        cache = load(library)
        present, absent = ask(library, cache, 0), ask(library, cache, 1)
    assert present.hits[0].presence > 0.8
    assert absent.hits[0].presence < 0.5
    for result in (present, absent):
        assert f"holds {frames} pictures" in result.uncalibrated


def test_a_model_that_reads_no_everyday_sentence_gives_no_percentage(tmp_path):
    with real_units.open_library(tmp_path) as library:
        real_units.add(library, "v", video(1300, 1, {0: 0.2}, at=600))
        result = ask(library, load(library, BANK[:0]), 0)
    assert result.hits[0].presence > 0.8
    assert "does not tell everyday sentences apart" in result.uncalibrated


@pytest.mark.parametrize("frames", [1, 64, 1300])
def test_pictures_that_are_all_alike_are_searched_and_show_nothing(tmp_path, frames):
    still = real_units.frames_of(real_units.contents(1, 3).repeat(frames, axis=0))
    with real_units.open_library(tmp_path) as library:
        real_units.add(library, "still", still)
        cache = load(library)
        background = cache.background(READER.encode_sentence("sentence 0").pooled, compare=True)
        presences = [ask(library, cache, number).hits[0].presence for number in range(4)]
    assert background.std > 0
    assert max(presences) < 0.5


@pytest.mark.parametrize("length", [20, 80, 120])
def test_an_event_that_fills_a_tenth_of_a_library_does_not_raise_its_own_bar(tmp_path, length):
    with real_units.open_library(tmp_path) as library:
        real_units.add(library, "v", video(1300, 1, {0: 0.2}, at=600, length=length))
        cache = load(library)
        present, absent = ask(library, cache, 0), ask(library, cache, 1)
    assert present.uncalibrated == ""
    assert present.hits[0].presence > 0.8
    assert present.hits[0].span.start_s == pytest.approx(600, abs=5)
    assert absent.hits[0].presence < 0.5
