"""Words in the texts of a library: quotes over borders, negations, endings, codes, speakers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from library_factory import add_video, open_library

from index.passages import Passage, Place, TextSource, TextTrack, Word
from index.passages import Testimony as Deposed
from index.search.fields import clauses_of
from index.search.said import Words
from index.search.scope import choose_videos
from index.search.wording import forms_of
from index.store.library import Library
from index.types import FindRequest, ScoredSpan

PERSON = TextSource("speech", "sidecar", "person", path=b"/v/a.srt", language="en")
MACHINE = TextSource("speech", "transcribed", "machine", engine="parakeet@1")
SHOWN = TextSource("screen", "read", "machine")
FILLER = (
    "we talk about the weather and the price of bread",
    "the bridge across the river is closed on sundays",
    "she went to market with her brother and a basket",
)


def timed(start_s: float, body: str) -> Passage:
    """A passage whose every word takes half a second."""
    words, at = [], 0
    for number, word in enumerate(body.split()):
        begin_s = start_s + number / 2
        words.append(Word(at, len(word), begin_s, begin_s + 0.5))
        at += len(word) + 1
    return Passage(start_s, words[-1].end_s, body, words=tuple(words))


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with open_library(tmp_path) as opened:
        filler = tuple(Passage(5.0 * k, 5.0 * k + 4, FILLER[k % 3]) for k in range(30))
        video = add_video(opened, b"/v/filler.mp4", frames=200)
        opened.write_text(video, TextTrack(PERSON, filler, 200.0))
        yield opened


def add(library: Library, name: bytes, source: TextSource, *passages: Passage, **more) -> int:
    video = add_video(library, name, frames=200)
    library.write_text(video, TextTrack(source, passages, 200.0, **more))
    return video


def said(library: Library, query: str, **asked) -> list[tuple[int, ScoredSpan]]:
    """Video and span of what a query finds in words, surest first."""
    scope = choose_videos(library, FindRequest(query, **asked))
    words = Words(library, scope)
    found: list[tuple[int, ScoredSpan]] = []
    for clause in clauses_of(query):
        channels = clause.channels or ("speech", "screen", "chapter")
        for video, spans in words.found(clause, channels).items():
            found += [(video, span) for span in spans if span.presence >= 0.5]
    return sorted(found, key=lambda pair: -pair[1].presence)


def test_a_quote_over_two_cues_is_found_by_the_times_of_its_words(library) -> None:
    video = add(
        library,
        b"/v/a.mp4",
        MACHINE,
        timed(10.0, "I told him it was never"),
        timed(13.0, "signed by anybody"),
    )
    ((found, span),) = said(library, 'say:"never signed"')
    assert (found, span.span.start_s, span.span.end_s) == (video, 12.5, 13.5)
    (witness,) = span.witnesses
    quote = witness.quote
    assert quote.body == "I told him it was never signed by anybody"
    assert [quote.body[a : a + n] for a, n in quote.matched] == ["never", "signed"]
    assert witness.channel == "speech"


def test_what_is_never_signed_was_not_signed(library) -> None:
    add(library, b"/v/a.mp4", PERSON, Passage(1.0, 4.0, "the contract was signed in march"))
    never = add(library, b"/v/b.mp4", PERSON, Passage(1.0, 4.0, "the contract was never signed"))
    assert [video for video, _ in said(library, 'say:"never signed"')] == [never]
    assert never not in [video for video, _ in said(library, 'say:"contract was signed"')]
    assert not said(library, "say:nobody signed the contract in march")


def test_endings_count_less_than_the_word_itself(library) -> None:
    exact = add(library, b"/v/a.mp4", PERSON, Passage(1.0, 4.0, "he was signing the papers"))
    other = add(library, b"/v/b.mp4", PERSON, Passage(1.0, 4.0, "they signed the papers"))
    found = said(library, "say:signing papers")
    assert found[0][0] == exact
    assert {video for video, _ in found} <= {exact, other}
    assert said(library, "say:sign papers")
    assert "signed" in forms_of("signing")
    assert "studies" in forms_of("studied")
    assert "stopped" in forms_of("stopping")


def test_part_of_a_plate_is_found_on_the_screen_alone(library) -> None:
    video = add(library, b"/v/a.mp4", SHOWN, Passage(3.0, 9.0, "KXJ-4821 ONTARIO"))
    for query in ("screen:KXJ", 'screen:"J-48"', "screen:4821", 'screen:"kxj-4821"'):
        assert [found for found, _ in said(library, query)] == [video], query
    assert not said(library, "say:KXJ")


def test_letters_stand_for_words_where_there_are_no_spaces(library) -> None:
    video = add(library, b"/v/a.mp4", PERSON, Passage(3.0, 9.0, "我们在北京大学学习"))
    for words in ("北京大学", "北京"):
        assert [found for found, _ in said(library, f"say:{words}")] == [video]
    assert not said(library, "say:上海大学")


def test_a_speaker_is_asked_by_name_and_a_witness_by_theirs(library) -> None:
    add(
        library,
        b"/v/a.mp4",
        PERSON,
        Passage(1.0, 4.0, "the contract is mine", speaker="Jane Doe"),
        Passage(4.0, 8.0, "the contract is not yours", speaker="Bob"),
    )
    assert [span.span.start_s for _, span in said(library, "speaker:jane contract")] == [1.0]
    assert [span.span.start_s for _, span in said(library, "speaker:Bob")] == [4.0]
    assert not said(library, "speaker:Jan contract")
    dvt = TextSource("speech", "dvt", "person", path=b"/v/smith.dvt")
    video = add(
        library,
        b"/v/smith.mp4",
        dvt,
        Passage(1.0, 3.0, "Who drew up", speaker="Q", first=Place(14, 25), last=Place(14, 25)),
        Passage(3.0, 5.0, "the agreement?", speaker="Q", first=Place(15, 1), last=Place(15, 1)),
        Passage(5.0, 8.0, "My brother.", speaker="A", first=Place(15, 2), last=Place(15, 2)),
        testimony=Deposed("Smith"),
    )
    ((found, span),) = said(library, "speaker:Smith brother")
    assert (found, span.witnesses[0].quote.citation) == (video, "Smith 15:2")
    ((_, span),) = said(library, 'say:"drew up the agreement"')
    assert span.witnesses[0].quote.citation == "Smith 14:25-15:1"


def test_what_a_machine_heard_is_never_cited(library) -> None:
    line = Passage(1.0, 3.0, "nobody drew the map", first=Place(1, 2), last=Place(1, 2))
    add(library, b"/v/a.mp4", MACHINE, line, testimony=Deposed("Smith"))
    ((_, span),) = said(library, 'say:"drew the map"')
    assert span.witnesses[0].quote.citation == ""


def test_only_what_is_searched_is_found(library) -> None:
    first = add(library, b"/v/a.mp4", PERSON, Passage(1.0, 4.0, "purple elephants"))
    add(library, b"/v/b.mp4", PERSON, Passage(50.0, 54.0, "purple elephants"))
    assert len(said(library, "say:purple elephants")) == 2
    assert [v for v, _ in said(library, "say:purple elephants", within=("/v/a.mp4",))] == [first]
    assert [v for v, _ in said(library, "say:purple elephants", before_s=20.0)] == [first]
    assert not said(library, "say:purple elephants", after_s=60.0)


def test_words_that_stand_nowhere_near_each_other_are_not_found(library) -> None:
    add(
        library,
        b"/v/a.mp4",
        PERSON,
        Passage(1.0, 4.0, "purple curtains hang in the hall"),
        *(Passage(4.0 + 4 * k, 8.0 + 4 * k, FILLER[k % 3]) for k in range(6)),
        Passage(40.0, 44.0, "elephants walk through the town"),
    )
    assert not said(library, 'say:"purple elephants"')
    assert not said(library, 'say:"walruses sing opera"')


@pytest.mark.parametrize(
    "words", ["*", "'", "---", "a" * 9000, "NEAR(a b)", "x OR y", "\u202e", "body:", "^a"]
)
def test_any_words_can_be_asked(library, words) -> None:
    said(library, f"say:{words} bread")
    said(library, f"screen:x {words}")
