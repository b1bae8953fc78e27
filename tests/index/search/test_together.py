"""Pictures and words in one query: both, either, half of it, and what nobody can tell."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from colour_archive import Archive, name

from index.errors import ModelError
from index.files import FileStat
from index.passages import Passage, TextSource, TextTrack
from index.search.find import asks_pictures, find
from index.types import FindRequest, FindResult, SamplingReport, Span, VideoInfo
from model.grounding.training_free import TrainingFreeLocalizer

SAID = TextSource("speech", "sidecar", "person", path=b"/talk.srt", language="en")
SHOWN = TextSource("screen", "read", "machine")


@pytest.fixture
def archive(tmp_path: Path):
    made = Archive(tmp_path)
    yield made
    made.library.close()


def say(archive: Archive, path: bytes, *passages: tuple[float, float, str], source=SAID) -> None:
    video = archive.library.video_by_path(path)
    assert video is not None
    spoken = tuple(Passage(start_s, end_s, body) for start_s, end_s, body in passages)
    archive.library.write_text(video.id, TextTrack(source, spoken, video.duration_s))


def spans(result: FindResult) -> list[tuple[str, float, float]]:
    return [(name(hit.path), hit.span.start_s, hit.span.end_s) for hit in result.hits]


@pytest.fixture
def talks(archive: Archive) -> Archive:
    """The same words beside red pictures and beside blue ones, and no words at all."""
    story = [("grey", 40), ("red", 20), ("grey", 40), ("blue", 20), ("grey", 30)]
    first = archive.add("first.mp4", story)
    second = archive.add("second.mp4", [("grey", 60), ("blue", 20), ("grey", 60)], seed=1)
    archive.add("mute.mp4", [("grey", 60), ("green", 20), ("grey", 60)], seed=2)
    say(
        archive,
        first,
        (5.0, 9.0, "let us begin with the weather"),
        (48.0, 51.0, "the contract was never signed"),
        (105.0, 108.0, "and that is all about purple elephants"),
    )
    say(archive, second, (62.0, 66.0, "here the elephants walk through the town"))
    return archive


def test_words_and_what_is_seen_beside_them_are_one_moment(talks) -> None:
    for query in ('say:"never signed" while red', 'say:"never signed" see:red'):
        result = talks.find(query)
        ((video, start_s, end_s),) = spans(result)
        assert video == "first.mp4"
        assert Span(start_s, end_s).iou(Span(40, 60)) > 0.9
        spoken, seen = result.hits[0].evidence
        assert (spoken.channel, seen.channel) == ("speech", "sight")
        assert spoken.quote.body == "the contract was never signed"
        assert seen.quote is None


@pytest.mark.parametrize(
    "query",
    [
        'say:"never signed" while blue',
        'say:"never signed" see:green',
        "say:purple elephants while red",
        'say:"never paid" while red',
        'say:"walk through the town" see:red',
    ],
)
def test_half_of_what_was_asked_is_not_found(talks, query) -> None:
    assert talks.find(query).hits == ()


def test_words_are_found_in_their_order_and_not_against_it(talks) -> None:
    assert spans(talks.find('say:weather then say:"never signed"')) == [("first.mp4", 5.0, 51.0)]
    assert spans(talks.find('red before say:"purple elephants"'))[0][0] == "first.mp4"
    assert talks.find('say:"never signed" before say:weather').hits == ()


def test_words_alone_wake_no_model(talks) -> None:
    class Asleep:
        space = talks.encoder.space

        def __getattr__(self, asked: str) -> object:
            raise ModelError(f"{asked} was asked of the model")

    request = FindRequest('say:"never signed"')
    assert not asks_pictures(talks.library, request)
    result = find(talks.library, None, Asleep(), TrainingFreeLocalizer(), request)
    assert spans(result) == [("first.mp4", 48.0, 51.0)]
    assert result.searched_channels == {"speech": 2}
    assert not result.hits[0].refined
    assert talks.encoder.sentences_encoded == 0


def test_a_video_without_words_is_not_a_no(talks) -> None:
    result = talks.find('say:"nobody ever said this"')
    assert result.hits == ()
    assert [name(path) for path in result.undecided] == ["mute.mp4"]
    shown = talks.find("screen:stop")
    assert (shown.searched_channels, len(shown.undecided)) == ({"screen": 0}, 3)
    assert talks.find("red").undecided == ()


def test_every_channel_is_asked_where_none_is_named(talks) -> None:
    spoken = talks.find("the contract was never signed")
    assert spans(spoken)[0] == ("first.mp4", 48.0, 51.0)
    assert spoken.searched_channels == {"sight": 3, "speech": 2, "screen": 0}
    assert spoken.notes == ()
    assert spans(talks.find("green"))[0][0] == "mute.mp4"


def test_the_words_of_another_video_hide_no_picture(archive) -> None:
    """With and without words, a query for pictures has the same answer."""
    for number, colour in enumerate(("red", "green", "blue", "yellow")):
        archive.add(f"{number}.mp4", [("grey", 40), (colour, 15), ("grey", 40)], seed=number)
    before = {query: archive.find(query) for query in ("red", "blue then grey", "cyan", "a dog")}
    video = archive.library.videos()[0].path
    say(archive, video, (1.0, 3.0, "we talk about the price of bread"))
    for query, plain in before.items():
        worded = archive.find(query)
        same = replace(worded, searched_channels=plain.searched_channels)
        assert same == plain, query


def test_a_notice_depends_on_whether_the_words_are_known(archive) -> None:
    path = archive.add("a.mp4", [("grey", 40), ("red", 15), ("grey", 40)])
    assert any("not judged" in note for note in archive.find("a man says that it is red").notes)
    say(archive, path, (3.0, 6.0, "it is red indeed"))
    result = archive.find("a man says that it is red")
    assert (spans(result), result.notes) == ([("a.mp4", 3.0, 6.0)], ())
    assert any("reads little" in n for n in archive.find("a sign that says red").notes)
    say(archive, path, (50.0, 60.0, "RED LION"), source=SHOWN)
    result = archive.find('a sign that says "red lion"')
    assert (spans(result), result.notes) == ([("a.mp4", 50.0, 60.0)], ())


def test_a_strange_field_is_named(talks) -> None:
    assert any("foo: is no field" in note for note in talks.find('foo:"red"').notes)


def test_sound_without_pictures_is_searched_by_its_words(archive) -> None:
    library, path = archive.library, b"/sound.mp3"
    info = VideoInfo(90.0, 0, 0, None, "", "mp3", 0, True)
    video = library.begin_attempt(path, "sound", FileStat(1, 1, 1, 1, 1), info)
    library.stage_chunk(video, np.zeros(1), np.eye(1, archive.encoder.dim, dtype=np.float32))
    library.commit_video(video, SamplingReport(90.0, 0, False), info)
    library._all("DELETE FROM chunks")
    library._all("UPDATE versions SET frames = 0, contents = x''")
    say(archive, path, (3.0, 6.0, "purple elephants"))
    assert spans(archive.find("say:purple elephants")) == [("sound.mp3", 3.0, 6.0)]
    assert spans(archive.find("purple elephants")) == [("sound.mp3", 3.0, 6.0)]
    result = archive.find("see:red")
    assert (result.hits, result.undecided) == ((), (path,))
    archive.add("a.mp4", [("grey", 40), ("red", 15), ("grey", 40)])
    assert [hit[0] for hit in spans(archive.find("red"))] == ["a.mp4"]
