"""Files of sound alone: in a library where words are to be found in them, and only there."""

from __future__ import annotations

import dataclasses
import os
from fractions import Fraction
from pathlib import Path

import av
import pytest
from index_runs import FakeEncoder, Recorder, find_red, run
from media_factory import colour_video
from reading import PatchReader
from spoken import write_sound
from tones import ToneTranscriber, tones

from index.indexing.check import check
from index.indexing.indexer import index_paths
from index.indexing.progress import IndexOptions, IndexSummary
from index.store.library import Library
from index.types import VideoRow
from index.vectors.cache import VectorCache

SAID = [(1.0, "she"), (1.6, "never"), (2.2, "signed")]
CUE = "1\n00:00:01,000 --> 00:00:03,000\nshe never signed\n"
UNHEARD = "a sound file, in which only words can be found"


@dataclasses.dataclass
class Home:
    videos: Path
    library: Path
    seen: Recorder = dataclasses.field(default_factory=Recorder)

    def index(self, *paths: Path, speech: bool = False, **options) -> IndexSummary:
        self.seen = Recorder()
        options = {"model_spec": "fake", "workers": 0, **options}
        transcriber = ToneTranscriber() if speech else None
        return index_paths(
            self.library, [*paths] or [self.videos], FakeEncoder(), IndexOptions(**options),
            self.seen, transcriber=transcriber,
        )  # fmt: skip

    def rows(self) -> dict[str, VideoRow]:
        with Library.open_readonly(self.library) as library:
            return {Path(os.fsdecode(row.path)).name: row for row in library.videos()}

    def said(self) -> dict[str, list[str]]:
        with Library.open_readonly(self.library) as library:
            return {
                Path(os.fsdecode(row.path)).name: [
                    passage.body
                    for text in library.text_rows(row.id)
                    if text.searched
                    for passage in library.passages(text.id)
                ]
                for row in library.videos()
            }


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "videos").mkdir()
    return Home(tmp_path / "videos", tmp_path / "library")


def sound(path: Path, length_s: float = 6.0) -> Path:
    return write_sound(path, [(0.0, tones(SAID, length_s))])


def test_where_speech_is_transcribed_sound_is_part_of_the_library(home: Home) -> None:
    colour_video(home.videos / "red.mp4", [("red", 3.0)])
    for name in ("a.mp3", "b.m4a", "c.wav", "d.flac", "e.ogg", "f.opus"):
        sound(home.videos / name, 6.0 + ord(name[0]) / 100)
    summary = home.index(speech=True)
    assert (summary.indexed, summary.sounds, summary.transcribed) == (7, 6, 7)
    assert (summary.searchable, summary.searchable_sounds) == (1, 6)
    assert summary.problems == ()
    rows, said = home.rows(), home.said()
    assert said.pop("red.mp4") == []
    assert set(map(tuple, said.values())) == {("she never signed",)}
    assert (rows["a.mp3"].status, rows["a.mp3"].frames, rows["a.mp3"].width) == ("indexed", 0, 0)
    assert rows["a.mp3"].duration_s == pytest.approx(6.97, abs=0.1)
    assert find_red(home.library) == 7, "words of sound are searched beside pictures"
    assert check(home.library) == []
    again = home.index(speech=True)
    assert (again.indexed, again.unchanged, again.transcribed) == (0, 7, 0)


def test_sound_without_words_is_passed_over_and_said_why_where_it_is_named(home: Home) -> None:
    colour_video(home.videos / "red.mp4", [("red", 3.0)])
    path = sound(home.videos / "a.mp3")
    summary = home.index()
    assert (summary.indexed, dict(summary.skipped_kinds)) == (1, {"sound file": 1})
    (problem,) = home.index(path).problems
    assert (problem.path, UNHEARD in problem.reason) == (os.fsencode(path), True)
    assert list(home.rows()) == ["red.mp4"]


def test_a_text_beside_it_is_enough(home: Home) -> None:
    sound(home.videos / "a.mp3")
    sound(home.videos / "b.mp3", 7.0)
    (home.videos / "a.en.srt").write_text(CUE)
    (home.videos / "b.txt").write_text("not a text with times")
    summary = home.index()
    assert (summary.indexed, summary.sounds, summary.texts_read) == (1, 1, 1)
    assert dict(summary.skipped_kinds) == {"sound file": 1, "text": 1}
    assert home.said() == {"a.mp3": ["she never signed"]}
    assert check(home.library) == []
    with Library.open_readonly(home.library) as library:
        assert VectorCache.load(library).frames == 0
    assert home.index(texts=False).unchanged == 1


def test_the_sound_of_a_video_is_no_file_of_its_own(home: Home) -> None:
    colour_video(home.videos / "a.mp4", [("red", 3.0)])
    path = sound(home.videos / "a.mp3")
    (home.videos / "a.en.srt").write_text(CUE)
    assert home.index(speech=True).sounds == 0
    assert home.index(path, speech=True).sounds == 1, "unless somebody names it"


def test_sound_stays_when_speech_is_turned_off(home: Home) -> None:
    colour_video(home.videos / "red.mp4", [("red", 3.0)])
    path = sound(home.videos / "a.mp3")
    home.index(speech=True)
    assert home.index(texts=False).unchanged == 2
    moved = path.rename(home.videos / "moved.mp3")
    summary = home.index(texts=False)
    assert (summary.moved, summary.indexed) == (1, 0)
    (home.videos / "copy.mp3").write_bytes(moved.read_bytes())
    assert home.index(texts=False).duplicates == 1
    assert home.said() == {"red.mp4": [], "moved.mp3": ["she never signed"]}
    sound(moved, 7.0)
    summary = home.index(texts=False)
    assert (summary.indexed, home.rows()["moved.mp3"].duration_s) == (1, pytest.approx(7, abs=0.1))


def test_a_sound_file_that_is_gone_is_hidden_and_pruned_as_a_video_is(home: Home) -> None:
    colour_video(home.videos / "red.mp4", [("red", 3.0)])
    path = sound(home.videos / "a.mp3")
    home.index(speech=True)
    aside = path.rename(home.library / "a.mp3")
    summary = home.index()
    assert (summary.hidden, summary.searchable_sounds) == (1, 0)
    aside.rename(path)
    assert home.index().searchable_sounds == 1
    path.unlink()
    assert home.index(prune=True).pruned == 1
    assert list(home.rows()) == ["red.mp4"]
    assert check(home.library) == []


def test_copies_of_new_sound_are_listened_to_once(home: Home) -> None:
    path = sound(home.videos / "a.mp3")
    (home.videos / "b.mp3").write_bytes(path.read_bytes())
    summary = home.index(speech=True)
    assert (summary.indexed, summary.duplicates, summary.transcribed) == (1, 1, 1)


def test_a_broken_sound_file_costs_itself_alone(home: Home) -> None:
    sound(home.videos / "a.mp3")
    (home.videos / "b.m4a").write_bytes(os.urandom(4000))
    (home.videos / "c.mp3").write_bytes(b"")
    summary = home.index(speech=True, workers=1)
    assert (summary.indexed, summary.failed) == (1, 2)
    assert {row.status for name, row in home.rows().items() if name != "a.mp3"} == {"failed"}
    assert home.index(speech=True).failed_before == 2
    sound(home.videos / "b.m4a", 7.0)
    assert home.index(speech=True).indexed == 1


def test_a_run_that_is_killed_at_a_sound_file_goes_on_with_it(home: Home) -> None:
    sound(home.videos / "a.mp3")
    assert run(home.library, home.videos, "speech", "before_commit:kill").returncode == -9
    assert home.rows()["a.mp3"].status == "waiting"
    assert run(home.library, home.videos, "speech").returncode == 0
    assert home.said() == {"a.mp3": ["she never signed"]}


def test_chapters_of_a_sound_file_are_read(home: Home) -> None:
    plain = sound(home.videos.parent / "plain.m4a")
    book = home.videos / "book.m4b"
    with av.open(str(plain)) as source, av.open(str(book), "w", format="ipod") as out:
        stream = out.add_stream_from_template(source.streams.audio[0])
        out.set_chapters(
            [
                {
                    "id": number,
                    "start": 3000 * number,
                    "end": 3000 * (number + 1),
                    "time_base": Fraction(1, 1000),
                    "metadata": {"title": title},
                }
                for number, title in enumerate(["The lunch", "The contract"])
            ]
        )
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    home.index(speech=True)
    assert sorted(home.said()["book.m4b"]) == ["The contract", "The lunch", "she never signed"]


def test_screens_of_sound_are_not_looked_at(home: Home) -> None:
    sound(home.videos / "a.mp3")
    reader = PatchReader(())
    index_paths(
        home.library, [home.videos], FakeEncoder(),
        IndexOptions(model_spec="fake", workers=0, screen=True), Recorder(),
        reader, ToneTranscriber(),
    )  # fmt: skip
    assert home.said() == {"a.mp3": ["she never signed"]}


def test_an_archive_of_sound_alone_is_searched_by_its_words(home: Home) -> None:
    sound(home.videos / "a.mp3")
    home.index(speech=True)
    assert find_red(home.library) == 1
