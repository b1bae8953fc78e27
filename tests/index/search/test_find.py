"""The whole way from a sentence to hits, on colours whose truth is known."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from colour_archive import Archive, name, write_film
from fakes import FakeEncoder, colour_vector
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import MediaError, ModelError, NothingIndexedError, UsageError
from index.search.find import find
from index.search.moments import (
    OrderPrior,
    distinct,
    join,
    single,
    surest_first,
    whole_percent,
)
from index.search.query import parse
from index.search.retrieve import retrieve
from index.search.scope import choose_videos
from index.search.search import SilentObserver
from index.search.settings import RetrievalSettings
from index.search.unjudgeable import MOST_PRESENCE_OF_ABSENCE
from index.store.sentences import SentenceCache
from index.types import FindRequest, ScoredSpan, Span, VideoRow
from index.vectors.cache import VectorCache
from model.grounding.training_free import TrainingFreeLocalizer


@pytest.fixture
def archive(tmp_path):
    made = Archive(tmp_path)
    yield made
    made.library.close()


def test_the_moment_is_found_and_nothing_else(archive):
    wanted = archive.add("a.mp4", [("grey", 40), ("red", 20), ("blue", 30)])
    archive.add("b.mp4", [("grey", 50), ("green", 30)])
    result = archive.find("red")
    assert [hit.path for hit in result.hits] == [wanted]
    hit = result.hits[0]
    assert hit.span.iou(Span(40, 60)) > 0.9
    assert hit.presence > 0.5
    assert hit.rank == 1
    assert [(e.text, e.span) for e in hit.evidence] == [("red", hit.span)]
    assert (result.searched_videos, result.searched_frames, result.searched_s) == (2, 170, 170)
    assert result.localizer == "training-free"
    assert result.space_id == archive.encoder.space.id
    assert not hit.refined
    assert archive.encoder.pictures_encoded == 0


def test_what_is_not_there_is_not_found_but_guessed(archive):
    archive.add("a.mp4", [("grey", 40), ("red", 20), ("blue", 30)])
    result = archive.find("yellow")
    assert result.hits == ()
    assert result.best_guess is not None
    assert result.best_guess.presence < 0.5


@pytest.mark.parametrize(
    "query",
    [
        "a room without red",
        "blue before a room without red",
        "no green then red",
        "red while nobody wears red",
    ],
)
@pytest.mark.parametrize("refine", [False, True])
def test_an_absence_is_never_more_than_a_guess(archive, query, refine):
    archive.film("a.mp4", [("grey", 20), ("blue", 6), ("green", 5), ("red", 6), ("grey", 15)])
    result = archive.find(query, refine=refine)
    assert result.hits == ()
    assert result.best_guess is not None
    assert result.best_guess.presence <= MOST_PRESENCE_OF_ABSENCE
    assert sum("absent" in note for note in result.notes) == 1
    told = archive.find(query, refine=refine, threshold=0.0)
    assert all(hit.presence <= MOST_PRESENCE_OF_ABSENCE for hit in told.hits)


def test_what_the_model_cannot_judge_is_told_beside_the_hits(archive):
    wanted = archive.add("a.mp4", [("grey", 40), ("red", 20), ("blue", 30)])
    result = archive.find("three red things at 3 pm")
    assert [hit.path for hit in result.hits] == [wanted]
    assert result.hits[0].presence > 0.5
    assert [note for note in result.notes if "three red" in note or "3 pm" in note] == [
        *result.notes
    ]
    assert len(result.notes) == 2
    assert archive.find("red things").notes == ()


def test_a_library_of_one_short_video_answers(archive):
    archive.add("a.mp4", [("grey", 4), ("red", 3), ("grey", 3)])
    assert archive.find("red").hits[0].span.iou(Span(4, 7)) > 0.6
    assert archive.find("green").hits == ()


def test_a_video_of_one_frame_is_found(archive):
    path = archive.add("one.mp4", [("red", 1)])
    archive.add("other.mp4", [("grey", 30)])
    hits = archive.find("red").hits
    assert [(hit.path, hit.span) for hit in hits] == [(path, Span(0, 1))]


def test_a_long_video_yields_several_hits(archive):
    archive.add(
        "long.mp4",
        [("grey", 500), ("red", 20), ("grey", 900), ("red", 30), ("blue", 700), ("red", 12)],
    )
    spans = [hit.span for hit in archive.find("red").hits]
    for truth in (Span(500, 520), Span(1420, 1450), Span(2150, 2162)):
        assert max(span.iou(truth) for span in spans) > 0.8
    assert len(spans) == 3


def test_a_static_video_does_not_crowd_out_the_others(archive):
    archive.add("static.mp4", [("red", 6000)], noise=0.0)
    for number in range(12):
        story = [("grey", 60), ("red", 10), ("blue", 50)]
        archive.add(f"short{number}.mp4", story, noise=0.1, seed=number)
    library = archive.library
    scope = choose_videos(library, FindRequest("red"))
    cache = VectorCache.load(library)
    few = RetrievalSettings(frames=100, whole_frames=0)
    windows = retrieve(cache, colour_vector("red"), scope, 150.0, few)
    assert {name(w.video.path) for w in windows} == {
        "static.mp4",
        *(f"short{number}.mp4" for number in range(12)),
    }
    assert len({hit.path for hit in archive.find("red", limit=30).hits}) == 13


def test_a_crowded_video_still_shows_its_other_moments(archive):
    story = [("red", 3000), ("grey", 400), ("red", 20), ("grey", 400)]
    archive.add("a.mp4", story, noise=0.01)
    scope = choose_videos(archive.library, FindRequest("red"))
    cache = VectorCache.load(archive.library)
    few = RetrievalSettings(frames=50, whole_frames=0)
    windows = retrieve(cache, colour_vector("red"), scope, 150.0, few)
    assert any(w.start_s <= 3400 and w.end_s >= 3420 for w in windows)


def test_an_event_longer_than_a_window_is_one_hit(archive):
    archive.add("a.mp4", [("grey", 400), ("red", 1000), ("grey", 300)])
    hits = archive.find("red").hits
    assert len(hits) == 1
    assert hits[0].span.iou(Span(400, 1400)) > 0.98


def test_windows_hold_the_peaks_and_stay_inside(archive):
    archive.add("a.mp4", [("grey", 300), ("red", 10), ("grey", 200)])
    scope = choose_videos(archive.library, FindRequest("red"))
    cache = VectorCache.load(archive.library)
    for window in retrieve(cache, colour_vector("red"), scope, 150.0):
        assert window.start_s <= window.peak_s < window.end_s
        assert 0 <= window.start_s < window.end_s <= 510
        assert window.end_s - window.start_s == pytest.approx(150)


def test_answers_are_the_same_every_time(archive):
    for number in range(4):
        archive.add(f"{number}.mp4", [("grey", 20), ("red", 10), ("grey", 20)])
    assert archive.find("red") == archive.find("red")
    assert [name(hit.path) for hit in archive.find("red").hits] == [
        "0.mp4",
        "1.mp4",
        "2.mp4",
        "3.mp4",
    ]


def test_limit_and_threshold_are_kept(archive):
    for number in range(4):
        archive.add(f"{number}.mp4", [("grey", 20), ("red", 10), ("grey", 20)])
    assert len(archive.find("red", limit=2).hits) == 2
    assert len(archive.find("green", threshold=0.0, limit=3).hits) == 3
    assert archive.find("red", threshold=1.0).hits == ()


def test_only_the_asked_places_are_searched(archive):
    (archive.folder / "x").mkdir()
    inside = archive.add("x/a.mp4", [("grey", 20), ("red", 10)])
    outside = archive.add("xy.mkv", [("grey", 20), ("red", 10)])
    folder = str(archive.folder / "x")
    assert [hit.path for hit in archive.find("red", within=(folder,)).hits] == [inside]
    assert [hit.path for hit in archive.find("red", within=("*.mkv",)).hits] == [outside]
    glob = str(archive.folder / "*.mkv")
    assert [hit.path for hit in archive.find("red", within=(glob,)).hits] == [outside]
    assert [hit.path for hit in archive.find("red", within=(os.fsdecode(inside),)).hits] == [inside]
    partly = archive.find("red", within=(folder, "*.avi"))
    assert "*.avi" in partly.notes[0]
    assert partly.searched_videos == 1
    with pytest.raises(UsageError, match="nowhere"):
        archive.find("red", within=("nowhere",))


def test_only_the_asked_times_are_searched(archive):
    archive.add("a.mp4", [("red", 20), ("grey", 200), ("red", 20), ("grey", 200)])
    late = archive.find("red", after_s=100)
    assert [round(hit.span.start_s) for hit in late.hits] == [220]
    assert late.searched_s == 340
    early = archive.find("red", before_s=10)
    assert early.hits[0].span == Span(0, 10)
    assert archive.find("red", after_s=1000).hits == ()


def test_a_limited_time_is_searched_however_much_lies_outside(archive):
    story = [("red", 3000), ("grey", 300), ("red", 20), ("grey", 300)]
    archive.add("a.mp4", story, noise=0.01)
    few = RetrievalSettings(frames=50, whole_frames=0)
    scope = choose_videos(archive.library, FindRequest("red", after_s=3100))
    cache = VectorCache.load(archive.library)
    windows = retrieve(cache, colour_vector("red"), scope, 150.0, few)
    assert any(w.start_s <= 3300 and w.end_s >= 3320 for w in windows)
    assert all(w.start_s >= 3100 for w in windows)


def test_absent_videos_are_not_searched(archive):
    archive.add("here.mp4", [("grey", 20), ("red", 10)])
    gone = archive.add("gone.mp4", [("grey", 20), ("red", 10)])
    archive.library.mark_absent([archive.library.video_by_path(gone).id])
    result = archive.find("red")
    assert [name(hit.path) for hit in result.hits] == ["here.mp4"]
    assert result.searched_videos == 1


def test_an_empty_library_says_so(archive):
    with pytest.raises(NothingIndexedError):
        archive.find("red")


def test_another_model_is_refused(archive):
    archive.add("a.mp4", [("red", 10)])
    archive.encoder = FakeEncoder(name="other")
    with pytest.raises(ModelError):
        archive.find("red")


@pytest.mark.parametrize(
    "asked",
    [
        {"sentence": "  "},
        {"sentence": "red", "limit": 0},
        {"sentence": "red", "threshold": 1.5},
        {"sentence": "red", "after_s": 20, "before_s": 10},
        {"sentence": "red", "after_s": -1},
    ],
)
def test_requests_that_make_no_sense_are_refused(archive, asked):
    archive.add("a.mp4", [("red", 10)])
    with pytest.raises(UsageError):
        archive.find(**asked)


def test_a_sentence_is_encoded_once(archive):
    archive.add("a.mp4", [("grey", 20), ("red", 10)])
    sentences = SentenceCache(archive.folder)
    first = archive.find("red", sentences=sentences)
    assert archive.find("red", sentences=sentences) == first
    assert archive.encoder.sentences_encoded == 1


_stories = st.lists(
    st.lists(
        st.tuples(st.sampled_from(["red", "blue", "grey"]), st.integers(1, 200)),
        min_size=1,
        max_size=5,
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=6, deadline=None)
@given(
    stories=_stories,
    sentence=st.sampled_from(
        ["red", "green", "red then blue", "blue before red", "red while blue"]
    ),
    after_s=st.sampled_from([None, 30.0]),
    noise=st.sampled_from([0.0, 0.1]),
)
def test_hits_lie_inside_their_videos_and_apart(
    tmp_path_factory, stories, sentence, after_s, noise
):
    made = Archive(tmp_path_factory.mktemp("any"))
    for number, story in enumerate(stories):
        made.add(f"{number}.mp4", story, noise=noise, seed=number)
    result = made.find(sentence, after_s=after_s, threshold=0.0, limit=20)
    assert result == made.find(sentence, after_s=after_s, threshold=0.0, limit=20)
    made.library.close()
    assert [hit.rank for hit in result.hits] == list(range(1, len(result.hits) + 1))
    order = [(whole_percent(hit.presence), hit.score) for hit in result.hits]
    assert order == sorted(order, reverse=True)
    for number, hit in enumerate(result.hits):
        assert (after_s or 0.0) <= hit.span.start_s < hit.span.end_s <= hit.duration_s
        assert 0 <= hit.presence <= 1
        for evidence in hit.evidence:
            assert 0 <= evidence.span.start_s < evidence.span.end_s <= hit.duration_s
        for other in result.hits[:number]:
            assert hit.path != other.path or hit.span.iou(other.span) <= 0.3


# Order queries


def test_before_asks_for_the_first_event(archive):
    story = [("grey", 30), ("red", 10), ("grey", 20), ("blue", 15), ("grey", 30)]
    right = archive.add("right.mp4", story)
    archive.add("reversed.mp4", story[::-1])
    result = archive.find("red before blue")
    assert [hit.path for hit in result.hits] == [right]
    hit = result.hits[0]
    assert hit.span.iou(Span(30, 40)) > 0.8
    assert [e.text for e in hit.evidence] == ["red", "blue"]
    assert hit.evidence[1].span.iou(Span(60, 75)) > 0.8


def test_after_asks_for_the_second_event(archive):
    story = [("grey", 30), ("red", 10), ("grey", 20), ("blue", 15), ("grey", 30)]
    right = archive.add("right.mp4", story)
    archive.add("reversed.mp4", story[::-1])
    for sentence in ("blue after red", "after red, blue"):
        hits = archive.find(sentence).hits
        assert [hit.path for hit in hits] == [right]
        assert hits[0].span.iou(Span(60, 75)) > 0.8


def test_then_covers_both_events(archive):
    story = [("grey", 30), ("red", 10), ("grey", 5), ("blue", 15), ("grey", 30)]
    right = archive.add("right.mp4", story)
    archive.add("reversed.mp4", story[::-1])
    hits = archive.find("red then blue").hits
    assert [hit.path for hit in hits] == [right]
    assert hits[0].span.iou(Span(30, 60)) > 0.9


def test_both_events_must_be_there(archive):
    archive.add("a.mp4", [("grey", 30), ("red", 10), ("grey", 30)])
    archive.add("b.mp4", [("grey", 30), ("blue", 10), ("grey", 30)])
    result = archive.find("red before blue")
    assert result.hits == ()
    assert result.best_guess is None or result.best_guess.presence < 0.5


def test_the_wrong_order_is_not_there_however_well_accidents_fit(archive):
    """Both events surely happen, so what resembles them elsewhere is no evidence."""
    for number in range(12):
        archive.add(f"{number}.mp4", [("grey", 200)], noise=0.5, seed=number)
    story = [("grey", 60), ("red", 20), ("grey", 60), ("blue", 20), ("grey", 60)]
    there = archive.add("there.mp4", story, noise=0.5, seed=99)
    for sentence in ("red before blue", "red then blue"):
        assert [hit.path for hit in archive.find(sentence).hits][:1] == [there]
    for sentence in ("blue before red", "blue then red"):
        assert archive.find(sentence).hits == ()


def test_events_in_different_windows_are_joined(archive):
    archive.add("far.mp4", [("grey", 300), ("red", 10), ("grey", 700), ("blue", 15), ("grey", 90)])
    hits = archive.find("red before blue").hits
    assert hits[0].span.iou(Span(300, 310)) > 0.8


def test_a_common_second_event_is_found_beside_a_rare_first(archive):
    for number in range(30):
        archive.add(f"blue{number}.mp4", [("blue", 200)], noise=0.0)
    rare = archive.add(
        "rare.mp4", [("grey", 60), ("red", 10), ("grey", 300), ("blue", 9)], noise=0.1
    )
    result = archive.find("red before blue")
    assert [hit.path for hit in result.hits] == [rare]


def proposal(start_s, end_s, score=2.0, presence=0.9):
    return ScoredSpan(Span(start_s, end_s), score, presence)


VIDEO = VideoRow(
    1, b"/v.mp4", "f", "indexed", "", 1, False, 1, 1, 1e6, 1, 1, 25.0, "h264", "mp4", 1000, False
)


def test_nearer_pairs_rank_higher():
    plan = parse("red before blue")
    moments = join(VIDEO, [[proposal(0, 5), proposal(900, 905)], [proposal(920, 930)]], plan)
    assert [m.span for m in moments] == [Span(900, 905), Span(0, 5)]


def test_a_long_pause_breaks_then_but_not_before():
    parts = [[proposal(0, 5)], [proposal(1000, 1005)]]
    assert join(VIDEO, parts, parse("red then blue")) == []
    assert len(join(VIDEO, parts, parse("red before blue"))) == 1


def test_while_asks_for_the_common_time():
    plan = parse("red while blue")
    parts = [[proposal(0, 20), proposal(50, 60)], [proposal(12, 40)]]
    assert [m.span for m in join(VIDEO, parts, plan)] == [Span(12, 20)]


_spans = st.builds(
    lambda start, length, score: proposal(start, start + length, score, 0.5),
    st.floats(0, 500),
    st.floats(0.5, 60),
    st.floats(-5, 5),
)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(_spans, max_size=6),
    st.lists(_spans, max_size=6),
    st.sampled_from(["red before blue", "red then blue", "red after blue", "red while blue"]),
)
def test_joined_moments_keep_the_order(first, second, sentence):
    plan, prior = parse(sentence), OrderPrior()
    for moment in join(VIDEO, [first, second], plan):
        early, late = (part.span for part in moment.parts)
        assert moment.presence == pytest.approx(0.25)
        if plan.relation == "while":
            assert moment.span.start_s == max(early.start_s, late.start_s)
            assert moment.span.end_s == min(early.end_s, late.end_s)
        else:
            assert early.start_s < late.start_s
            assert early.end_s < late.end_s
            shared = max(0.0, early.end_s - late.start_s)
            assert shared <= prior.most_overlap * min(early.length_s, late.length_s) + 1e-9


@settings(max_examples=100, deadline=None)
@given(st.lists(_spans, max_size=20))
def test_suppression_is_idempotent_and_leaves_no_overlap(proposals):
    kept = distinct([single(VIDEO, found) for found in proposals])
    assert distinct(kept) == kept
    assert bool(kept) == bool(proposals)
    for number, moment in enumerate(kept):
        assert all(moment.span.iou(other.span) <= 0.3 for other in kept[:number])


def test_ranks_agree_with_the_percentages_beside_them(archive):
    """A better scored span that is less likely there comes after one that is likelier."""

    class Contrary(TrainingFreeLocalizer):
        def localize(self, window, sentence, background):
            found = super().localize(window, sentence, background)
            spans = [replace(s, presence=1 / (1 + np.exp(s.score / 4))) for s in found.spans]
            return replace(found, spans=tuple(spans))

    for number, noise in enumerate((0.02, 0.2, 0.4, 0.6)):
        archive.add(f"{number}.mp4", [("grey", 40), ("red", 20)], noise=noise, seed=number)
    request = FindRequest("red", refine=False, threshold=0.0)
    cache = VectorCache.load(archive.library)
    hits = find(archive.library, cache, archive.encoder, Contrary(), request).hits
    shown = [whole_percent(hit.presence) for hit in hits]
    assert len(set(shown)) > 1
    assert shown == sorted(shown, reverse=True)
    assert hits[0].score < max(hit.score for hit in hits)


def test_equal_percentages_are_ordered_by_score():
    sure = single(VIDEO, proposal(0, 5, score=1.0, presence=0.96))
    better = [
        single(VIDEO, proposal(10, 15, score=3.0, presence=0.902)),
        single(VIDEO, proposal(20, 25, score=2.0, presence=0.904)),
    ]
    assert surest_first([*reversed(better), sure]) == [sure, *better]


# Refinement


class Recorder(SilentObserver):
    def __init__(self) -> None:
        self.refined: list[tuple[int, int]] = []

    def refining(self, done: int, total: int) -> None:
        self.refined.append((done, total))


STORY = [("grey", 12.5), ("red", 8.25), ("blue", 10)]


def test_edges_are_placed_four_times_as_finely(archive):
    archive.film("a.mp4", STORY)
    observer = Recorder()
    hit = archive.find("red", refine=True, observer=observer).hits[0]
    assert hit.refined
    assert abs(hit.span.start_s - 12.5) <= 0.13
    assert abs(hit.span.end_s - 20.75) <= 0.13
    assert observer.refined == sorted(observer.refined)
    assert len(observer.refined) > 3
    assert observer.refined[-1][0] == observer.refined[-1][1]
    assert 0 < archive.encoder.pictures_encoded <= 4 * 17


def test_both_events_of_an_order_query_are_refined(archive):
    archive.film("a.mp4", STORY)
    hit = archive.find("red then blue", refine=True).hits[0]
    assert hit.refined
    assert abs(hit.span.start_s - 12.5) <= 0.13
    assert hit.span.end_s == hit.duration_s


def test_a_long_event_is_refined_at_both_ends(archive):
    archive.film("a.mp4", [("grey", 20.5), ("red", 200.25), ("grey", 20)])
    hits = archive.find("red", refine=True).hits
    assert len(hits) == 1
    assert abs(hits[0].span.start_s - 20.5) <= 0.13
    assert abs(hits[0].span.end_s - 220.75) <= 0.13


def test_only_the_best_five_are_refined(archive):
    for number in range(7):
        archive.film(f"{number}.mp4", [("grey", 6), ("red", 4), ("grey", 6)])
    hits = archive.find("red", refine=True).hits
    assert len(hits) == 7
    assert sum(hit.refined for hit in hits) == 5


def test_a_missing_source_is_left_as_it_is_with_a_note(archive):
    path = archive.film("a.mp4", STORY)
    before = archive.find("red").hits[0]
    Path(os.fsdecode(path)).unlink()
    result = archive.find("red", refine=True)
    assert result.hits == (before,)
    assert "a.mp4" in result.notes[0]


def test_a_changed_source_is_left_as_it_is_with_a_note(archive):
    path = archive.film("a.mp4", STORY)
    write_film(Path(os.fsdecode(path)), [("blue", 9)])
    result = archive.find("red", refine=True)
    assert not result.hits[0].refined
    assert "changed" in result.notes[0]


def test_a_source_that_no_longer_decodes_is_left_as_it_is(archive, monkeypatch):
    archive.film("a.mp4", STORY)
    before = archive.find("red").hits[0]

    def broken(*_asked):
        raise MediaError("The file is damaged.")

    monkeypatch.setattr("index.sampling.sampler.sample_range", broken)
    result = archive.find("red", refine=True)
    assert result.hits == (before,)
    assert "a.mp4" in result.notes[0]


def test_a_touched_source_is_still_refined(archive):
    path = archive.film("a.mp4", STORY)
    os.utime(path, ns=(1, 1))
    result = archive.find("red", refine=True)
    assert result.hits[0].refined
    assert result.notes == ()


def test_a_refined_hit_stays_inside_the_asked_times(archive):
    archive.film("a.mp4", STORY)
    hit = archive.find("red", refine=True, after_s=14, before_s=19).hits[0]
    assert 14 <= hit.span.start_s < hit.span.end_s <= 19


def test_an_edge_that_is_tightened_out_of_the_asked_times_is_left_alone(archive, monkeypatch):
    archive.film("a.mp4", STORY)

    def elsewhere(self, proposal, window, sentence, background):
        return replace(proposal, span=Span(20.0, 21.0))

    before = archive.find("red", before_s=19).hits[0]
    monkeypatch.setattr(TrainingFreeLocalizer, "tighten", elsewhere)
    hit = archive.find("red", refine=True, before_s=19).hits[0]
    assert hit.span == before.span
