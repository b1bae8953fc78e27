"""What everyday sentences say about a library: the maximum over its frames, however it grew."""

from __future__ import annotations

import random

import numpy as np
import pytest
import real_units
from library_factory import STAT, brute_force

from index.store.library import Library
from index.vectors import everyday, shelves
from index.vectors.cache import IndexPlan, VectorCache
from index.vectors.everyday import NEAREST, RIVALS, WEIGHT, Yardstick, null_of

BANK = real_units.bank()
ASKED = real_units.contents(1, 77)[0]
QUERY = real_units.sentences_of(ASKED[None])[0]
LISTS = IndexPlan(flat_frames=200, new_frames=50, scan_frames=10, probes=10_000)


def clip(frames: int, seed: int) -> np.ndarray:
    return real_units.frames_of(real_units.footage(frames, seed))


@pytest.fixture
def library(tmp_path):
    with real_units.open_library(tmp_path / "lib") as opened:
        for number in range(8):
            real_units.add(opened, f"v{number}", clip(60 + number, number))
        yield opened


def load(library: Library, plan: IndexPlan | None = None, bank: np.ndarray | None = BANK):
    notes: list[str] = []
    given = None if bank is None else lambda: bank
    return VectorCache.load(library, notes.append, plan, given), notes


def vectors_of(library: Library, video_ids=None) -> np.ndarray:
    ids = [segment.video_id for segment in library.segments()]
    chosen = [number for number in ids if video_ids is None or number in video_ids]
    return np.concatenate([library.read_vectors(number)[1] for number in chosen])


def compared(vectors: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Scores of directions, one frame and one rival after the other, float64 [N, Q]."""
    center = BANK[:RIVALS].astype(np.float64).mean(axis=0)
    rivals = BANK[:RIVALS] - center
    rivals /= np.linalg.norm(rivals, axis=1, keepdims=True)
    nearest = np.sort(vectors.astype(np.float64) @ rivals.T, axis=1)[:, -NEAREST:]
    return vectors @ directions.T - WEIGHT * nearest.mean(axis=1, keepdims=True)


def questions() -> np.ndarray:
    """Directions of the questions that no scene answers."""
    yardstick = Yardstick(BANK)
    return yardstick._asked[RIVALS:].astype(np.float64)


def assert_as_by_brute_force(cache: VectorCache, library: Library, video_ids=None) -> None:
    every = vectors_of(library)
    asked = compared(every, questions())
    chosen = compared(vectors_of(library, video_ids), questions())
    truth = null_of(chosen.max(axis=0).astype(np.float32), asked.mean(axis=0), asked.std(axis=0))
    background = cache.background(QUERY, 109.9, -15.9, video_ids, compare=True)
    assert background.null is not None
    assert background.frames == len(every)
    assert background.null.middle == pytest.approx(truth.middle, abs=1e-4)
    assert background.null.spread == pytest.approx(truth.spread, abs=1e-4)

    direction = QUERY - BANK[:RIVALS].mean(axis=0)
    own = compared(every, (direction / np.linalg.norm(direction))[None])[:, 0]
    assert background.mean == pytest.approx(own.mean(), abs=1e-5)
    assert background.std == pytest.approx(own.std(), abs=1e-5)
    assert np.allclose(background.scores(every, QUERY), own, atol=1e-5)

    found = cache.search(QUERY, 25, video_ids, compare=True)
    within = compared(vectors_of(library, video_ids), (direction / np.linalg.norm(direction))[None])
    assert len(found) == 25
    assert [m.score for m in found] == sorted((m.score for m in found), reverse=True)
    assert found[0].score == pytest.approx(within.max(), abs=1e-5)


def test_the_units_are_those_of_real_models():
    frames = real_units.footage(4000, 3)
    cosines = real_units.frames_of(frames) @ QUERY
    assert cosines.mean() == pytest.approx(-0.01, abs=0.005)
    assert 0.02 <= cosines.std() <= 0.035
    for cosine in (0.08, 0.15, 0.27):
        shown = real_units.frames_of(real_units.showing(frames[:50], ASKED, cosine))
        assert np.allclose(shown @ QUERY, cosine, atol=1e-4)
        assert np.allclose(np.linalg.norm(shown, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("plan", [IndexPlan(), LISTS], ids=["exact", "lists"])
def test_the_null_is_the_maximum_over_all_frames_through_a_library_s_life(library, plan):
    ids = [segment.video_id for segment in library.segments()]

    def agree(shelves: int = 1) -> VectorCache:
        cache, _ = load(library, plan)
        assert len(cache._shelves) == shelves
        for chosen in (
            None,
            ids[:1],
            ids[1:6],
            [segment.video_id for segment in library.segments()],
        ):
            if chosen is None or len(vectors_of(library, chosen)) >= 25:
                assert_as_by_brute_force(cache, library, chosen)
        return cache

    agree()
    agree()
    real_units.add(library, "few", clip(30, 20))
    assert agree(2).save()
    agree()
    real_units.add(library, "many", clip(300, 21))
    library.mark_absent(ids[:1])
    ids = ids[1:]
    agree(1 if plan is LISTS else 2)
    agree(1 if plan is LISTS else 2).save()
    real_units.add(library, "v5", clip(40, 22))
    agree(2).save()
    library.forget(ids[6])
    ids = ids[:6]
    agree()


def test_a_renamed_video_keeps_its_part(library):
    before = load(library)[0].background(QUERY, compare=True)
    asked = {}
    real = Library.iter_frames
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Library, "iter_frames", lambda *given: asked.update(it=given) or real(*given))
        video = library.videos(searchable=True)[2]
        library.rename(video.id, b"/elsewhere", STAT)
        cache, notes = load(library)
    assert (notes, asked) == ([], {})
    after = cache.background(QUERY, compare=True)
    assert (after.null, after.mean, after.std) == (before.null, before.mean, before.std)


def test_searching_some_videos_is_judged_by_their_own_maximum(library):
    loud = real_units.add(library, "loud", real_units.frames_of(questions()[:1, 2:].repeat(30, 0)))
    cache, _ = load(library)
    whole = cache.background(QUERY, compare=True).null
    alone = cache.background(QUERY, video_ids=[loud], compare=True).null
    others = [s.video_id for s in library.segments() if s.video_id != loud]
    rest = cache.background(QUERY, video_ids=others, compare=True).null
    assert alone.middle < rest.middle <= whole.middle
    assert cache.background(QUERY, video_ids=[], compare=True).null is None


def test_more_frames_ask_for_a_higher_score(tmp_path):
    middles = []
    with real_units.open_library(tmp_path / "growing") as library:
        for frames in (200, 1_400, 10_000):
            real_units.add(library, f"{frames}", clip(frames, frames))
            middles.append(load(library)[0].background(QUERY, compare=True).null.middle)
    assert middles[0] + 0.3 < middles[1]
    assert middles[1] + 0.3 < middles[2]


def test_an_index_without_a_bank_is_completed_once_one_is_given(library):
    cache, notes = load(library, bank=None)
    plain = cache.background(QUERY, compare=True)
    assert (plain.null, plain.rivals, notes) == (None, None, [])
    cache, notes = load(library)
    assert len(notes) == 1
    assert "does not know what is usual" in notes[0]
    assert_as_by_brute_force(cache, library)
    cache, notes = load(library, bank=None)
    assert notes == []
    assert_as_by_brute_force(cache, library)


def test_another_bank_measures_all_frames_again(library, monkeypatch):
    load(library)
    other = real_units.bank(2_000)
    for module in (everyday, shelves):
        monkeypatch.setattr(module, "bank_digest", lambda: "another")
    cache, notes = load(library, bank=other)
    assert len(notes) == 1
    assert np.array_equal(cache._shelves[0].table.bank, other)
    assert load(library, bank=other)[1] == []


def test_the_bank_is_not_asked_for_where_frames_were_measured(library):
    load(library)

    def refuse():
        raise AssertionError("the model was asked again")

    assert VectorCache.load(library, everyday=refuse).frames == len(vectors_of(library))
    real_units.add(library, "few", clip(30, 20))
    assert VectorCache.load(library, everyday=refuse).save()


@pytest.mark.parametrize("part", ["bank", "rivals", "nulls"])
def test_damage_to_what_was_measured_is_noticed(library, part):
    load(library)
    generator = random.Random(part)
    for _ in range(8):
        (path,) = library.folder.glob(f"vectors-*.{part}.npy")
        data = bytearray(path.read_bytes())
        data[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
        path.write_bytes(data[: generator.choice([len(data), len(data) // 2])])
        cache, notes = load(library)
        assert len(notes) == 1
        assert "rebuilding the search index" in notes[0]
        assert_as_by_brute_force(cache, library)


def test_a_model_that_reads_none_of_the_bank_is_searched_by_cosine(library):
    cache, notes = load(library, bank=BANK[:0])
    assert notes == []
    background = cache.background(QUERY, 109.9, -15.9, compare=True)
    every = vectors_of(library)
    assert (background.null, background.rivals) == (None, None)
    assert background.mean == pytest.approx((every @ QUERY).mean(), abs=1e-5)
    assert np.allclose(background.scores(every, QUERY), every @ QUERY)
    truth = brute_force(library, QUERY, 30)
    found = cache.search(QUERY, 30, compare=True)
    assert [(m.video_id, m.time_s) for m in found] == [(v, t) for v, t, _ in truth]
    assert load(library, bank=BANK[:0])[1] == []
