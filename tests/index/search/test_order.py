"""What the parts of an order query say about each other."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.search.moments import Moment, join
from index.search.order import Links
from index.search.query import parse
from index.search.scope import Scope
from index.types import ScoredSpan, Span, VideoRow

PLAN = parse("red before blue")
VIDEO = VideoRow(
    1, b"/1.mp4", "f", "indexed", "", 1, False, 1, 1, 3600.0, 1, 1, 25.0, "h264", "mp4", 3600, False
)
SCOPE = Scope(
    {k: replace(VIDEO, id=k, path=f"/{k}.mp4".encode()) for k in range(1, 21)},
    everything=True,
    after_s=0.0,
    before_s=float("inf"),
    notes=(),
)


def seen(start_s: float, presence: float) -> ScoredSpan:
    score = math.log(presence / (1 - presence))
    return ScoredSpan(Span(start_s, start_s + 10), score, presence)


def best(videos, sentence: str = "red before blue", most=(1.0, 1.0)) -> Moment:
    """The surest chain of all videos."""
    plan = parse(sentence)
    links = Links(videos, SCOPE, plan, most)
    chains = [chain for k, parts in videos.items() for chain in join(SCOPE.videos[k], parts, plan)]
    return max(map(links.judged, chains), key=lambda chain: chain.presence)


def test_a_part_found_for_sure_says_where_an_accident_would_have_to_lie():
    found = best({1: [[seen(100, 0.99)], [seen(200, 0.4)]]}, "red then blue")
    assert found.presence > 0.7
    assert found.parts[1].presence > 0.7


def test_two_weak_parts_do_not_vouch_for_each_other():
    assert best({1: [[seen(100, 0.2)], [seen(150, 0.2)]]}).presence < 0.3


def test_a_part_that_is_surer_on_the_wrong_side_was_not_seen_in_this_order():
    right = {1: [[seen(100, 0.99)], [seen(200, 0.8)]]}
    turned = {1: [[seen(100, 0.99)], [seen(200, 0.8), seen(20, 0.999)]]}
    assert best(right).presence > 0.8
    assert best(turned).presence < 0.5


def test_a_part_that_is_surer_in_another_video_was_not_seen_in_this_one():
    apart = {1: [[seen(100, 0.99)], [seen(200, 0.6)]], 2: [[], [seen(50, 0.999)]]}
    assert best(apart).presence < 0.5


def test_what_happens_everywhere_happens_here_too():
    videos = {k: [[], [seen(50, 0.9999)]] for k in range(2, 21)}
    assert best({1: [[seen(100, 0.99)], [seen(200, 0.9999)]], **videos}).presence > 0.9


def test_three_parts_are_judged_together():
    parts = [[seen(100, 0.95)], [seen(150, 0.95)], [seen(200, 0.95)]]
    assert best({1: parts}, "red then green then blue", (1.0,) * 3).presence > 0.9
    parts[1] = [seen(150, 0.01)]
    assert best({1: parts}, "red then green then blue", (1.0,) * 3).presence < 0.5


_presences = st.floats(0.0, 1.0)


@settings(max_examples=100, deadline=None)
@given(_presences, _presences, st.lists(_presences, max_size=4), st.sampled_from([0.49, 1.0]))
def test_a_chain_is_no_surer_than_its_parts_nor_than_a_part_may_be(first, second, others, most):
    def at(start_s: float, presence: float) -> ScoredSpan:
        return ScoredSpan(Span(start_s, start_s + 10), 0.0, presence)

    elsewhere = {k: [[at(0, p)], [at(90, p)]] for k, p in enumerate(others, 2)}
    videos = {1: [[at(100, first)], [at(200, second)]], **elsewhere}
    (chain,) = join(VIDEO, videos[1], PLAN)
    judged = Links(videos, SCOPE, PLAN, (1.0, most)).judged(chain)
    assert 0 <= judged.presence <= most
    assert judged.presence <= min(part.presence for part in judged.parts) + 1e-9
    assert math.isfinite(judged.score)
    assert judged.span == chain.span


def test_a_surer_rival_never_makes_a_chain_surer():
    chain = {1: [[seen(100, 0.9)], [seen(200, 0.8)]]}
    presences = [
        Links({**chain, 2: [[], [seen(0, rival)]]}, SCOPE, PLAN, (1.0, 1.0))
        .judged(join(VIDEO, chain[1], PLAN)[0])
        .presence
        for rival in (0.01, 0.3, 0.6, 0.9, 0.99, 0.9999)
    ]
    assert presences == sorted(presences, reverse=True)
    assert presences[-1] < presences[0] == pytest.approx(best(chain).presence, abs=0.05)
