"""Speech that is written down while a library is brought up to date; one who understands tones."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import av
import pytest
from index_runs import FakeEncoder, Recorder, find_red, run
from media_factory import colour_video
from spoken import write_sound
from tones import ToneTranscriber, tones

from index.errors import ModelError
from index.indexing import speech_pass
from index.indexing.indexer import index_paths
from index.indexing.progress import IndexOptions, IndexSummary
from index.passages import Passage
from index.store.library import Library
from index.store.text_rows import TextRow

SAID = [(1.0, "she"), (1.6, "never"), (2.2, "signed"), (9.0, "the"), (9.6, "contract")]


@dataclasses.dataclass
class Home:
    videos: Path
    library: Path
    seen: Recorder = dataclasses.field(default_factory=Recorder)

    def index(self, transcriber: ToneTranscriber | None, **options) -> IndexSummary:
        self.seen = Recorder()
        options = {"model_spec": "fake", "workers": 0, **options}
        return index_paths(
            self.library, [self.videos], FakeEncoder(), IndexOptions(**options), self.seen,
            transcriber=transcriber,
        )  # fmt: skip

    def texts(self) -> list[TextRow]:
        with Library.open_readonly(self.library) as library:
            return library.text_rows()

    def passages(self) -> list[Passage]:
        with Library.open_readonly(self.library) as library:
            texts = [text for text in library.text_rows() if text.state == "visible"]
            return [passage for text in texts for passage in library.passages(text.id)]

    def words(self) -> list[tuple[float, str]]:
        return [
            (round(word.start_s, 1), p.body[word.first : word.first + word.length])
            for p in self.passages()
            for word in p.words
        ]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "videos").mkdir()
    return Home(tmp_path / "videos", tmp_path / "library")


def test_what_is_said_lies_where_the_video_has_it(home: Home) -> None:
    write_sound(home.videos / "a.mkv", [(0.0, tones(SAID, 12))], picture_s=12)
    summary = home.index(ToneTranscriber())
    assert home.words() == SAID
    assert [p.body for p in home.passages()] == ["she never signed", "the contract"]
    (text,) = home.texts()
    assert (text.source.kind, text.source.origin) == ("transcribed", "machine")
    assert text.source.engine == "tones@1"
    assert text.covered_s == pytest.approx(12, abs=0.3)
    assert (summary.transcribed, summary.transcribed_failed) == (1, 0)
    assert summary.transcribed_s == pytest.approx(12, abs=0.3)


def test_what_is_written_is_not_written_again(home: Home) -> None:
    write_sound(home.videos / "a.mkv", [(0.0, tones(SAID, 12))], picture_s=12)
    home.index(ToneTranscriber())
    again = ToneTranscriber()
    assert home.index(again).transcribed == 0
    assert again.heard_s == 0
    better = ToneTranscriber("tones@2")
    assert home.index(better).transcribed == 1
    assert [text.source.engine for text in home.texts()] == ["tones@2"]
    assert home.index(ToneTranscriber("tones@2"), language="en").transcribed == 1


def test_without_a_transcriber_nothing_is_listened_to(home: Home) -> None:
    write_sound(home.videos / "a.mkv", [(0.0, tones(SAID, 12))], picture_s=12)
    assert home.index(None).transcribed == 0
    assert home.texts() == []


def test_a_persons_words_need_no_machine(home: Home) -> None:
    write_sound(home.videos / "a.mkv", [(0.0, tones(SAID, 12))], picture_s=12)
    (home.videos / "a.en.srt").write_text("1\n00:00:01,000 --> 00:00:03,000\nshe never\n")
    transcriber = ToneTranscriber()
    assert home.index(transcriber).transcribed == 0
    assert transcriber.heard_s == 0
    assert [p.body for p in home.passages()] == ["she never"]
    (home.videos / "a.en.srt").unlink()
    assert home.index(transcriber).transcribed == 1
    assert home.words() == SAID


def test_speech_that_is_off_reads_no_files_either(home: Home) -> None:
    write_sound(home.videos / "a.mkv", [(0.0, tones(SAID, 12))], picture_s=12)
    (home.videos / "a.en.srt").write_text("1\n00:00:01,000 --> 00:00:03,000\nshe never\n")
    assert home.index(None, texts=False).texts_read == 0
    assert home.texts() == []


def test_a_killed_run_goes_on_where_it_stood(home: Home) -> None:
    said = [(5.0 * number + 1, "pump") for number in range(47)]
    write_sound(home.videos / "a.mkv", [(0.0, tones(said, 240))], picture_s=10)
    assert run(home.library, home.videos, "speech", "after_speech_commit:kill:2").returncode == -9
    (text,) = home.texts()
    assert text.state == "staged"
    assert 60 <= text.covered_s < 240
    assert find_red(home.library) == 1, "its pictures can be searched"
    assert run(home.library, home.videos, "speech").returncode == 0
    assert home.words() == said


def test_silence_and_no_sound_at_all_are_known_to_hold_no_words(home: Home) -> None:
    write_sound(home.videos / "silent.mkv", [(0.0, tones([], 5))], picture_s=5)
    colour_video(home.videos / "mute.mp4", [("red", 3.0)])
    summary = home.index(ToneTranscriber())
    assert (summary.transcribed, summary.transcribed_silent) == (2, 2)
    assert [(text.state, text.passages) for text in home.texts()] == [("visible", 0)] * 2
    assert sorted(round(text.covered_s) for text in home.texts()) == [3, 5]
    assert home.index(ToneTranscriber()).transcribed == 0


def test_windows_go_to_the_model_eight_at_a_time(home: Home) -> None:
    said = [(5.0 * number + 1, "pump") for number in range(11)]
    write_sound(home.videos / "a.mkv", [(0.0, tones(said, 56))], picture_s=56)
    transcriber = ToneTranscriber()
    home.index(transcriber)
    assert transcriber.batches == [8, 3]
    assert home.words() == said


def test_long_sound_is_kept_piece_by_piece(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech_pass, "_COMMIT_S", 60.0)
    said = [(1.7 * number, "pump") for number in range(1, 140)]
    write_sound(home.videos / "a.mkv", [(0.0, tones(said, 240))], picture_s=10)
    home.index(ToneTranscriber())
    assert home.words() == [(round(at_s, 1), word) for at_s, word in said]


def test_an_interrupted_run_goes_on_where_it_stood(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speech_pass, "_COMMIT_S", 60.0)
    said = [(5.0 * number + 1, "pump") for number in range(47)]
    write_sound(home.videos / "a.mkv", [(0.0, tones(said, 240))], picture_s=10)
    calls = []

    def stop() -> None:
        calls.append(1)
        if len(calls) > 6:
            raise KeyboardInterrupt

    assert home.index(ToneTranscriber(before=stop)).interrupted
    (text,) = home.texts()
    assert text.state == "staged"
    assert 60 <= text.covered_s < 240
    assert home.passages() == []
    assert find_red(home.library) == 1, "its pictures can be searched"
    rest = ToneTranscriber()
    assert home.index(rest).transcribed == 1
    assert home.words() == said
    assert rest.heard_s < 2 * (240 - text.covered_s) + 60, "it did not begin anew"


def test_broken_sound_is_told_once_and_hides_no_picture(home: Home) -> None:
    whole = home.videos.parent / "whole.mkv"
    write_sound(whole, [(0.0, tones(SAID, 12))], picture_s=12)
    with av.open(str(whole)) as source, av.open(str(home.videos / "b.mkv"), "w") as out:
        streams = {s.index: out.add_stream_from_template(s) for s in source.streams}
        for packet in source.demux():
            if packet.pts is None:
                continue
            stream = streams[packet.stream.index]
            if packet.stream.type == "audio":
                kept, packet = packet, av.Packet(b"\xff\x00\xaa" * 40)
                packet.pts, packet.dts, packet.time_base = kept.pts, kept.dts, kept.time_base
            packet.stream = stream
            out.mux(packet)
    summary = home.index(ToneTranscriber())
    assert (summary.indexed, summary.transcribed_failed) == (1, 1)
    (problem,) = summary.problems
    assert "its speech was not transcribed: its sound is damaged" in problem.reason
    assert [(text.state, text.passages) for text in home.texts()] == [("failed", 0)]
    assert find_red(home.library) == 1
    assert home.index(ToneTranscriber()).problems == ()
    assert len(home.index(ToneTranscriber(), retry=True).problems) == 1


def test_what_a_model_cannot_bear_costs_one_video_its_words(home: Home) -> None:
    for name in ("a", "b"):
        write_sound(home.videos / f"{name}.mkv", [(0.0, tones(SAID, 12))], picture_s=12)
    calls = []

    def fail_first() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("shapes do not match")

    home.videos.joinpath("b.mkv").write_bytes(home.videos.joinpath("b.mkv").read_bytes() + b"\0")
    summary = home.index(ToneTranscriber(before=fail_first))
    assert (summary.transcribed, summary.transcribed_failed) == (1, 1)
    assert "shapes do not match" in summary.problems[0].reason


def test_a_model_that_cannot_be_used_ends_the_run_after_the_pictures(home: Home) -> None:
    write_sound(home.videos / "a.mkv", [(0.0, tones(SAID, 12))], picture_s=12)

    def damaged() -> None:
        raise ModelError("it is damaged", "fetch it again")

    with pytest.raises(ModelError, match="it is damaged"):
        home.index(ToneTranscriber(before=damaged))
    assert find_red(home.library) == 1
    assert home.index(ToneTranscriber()).transcribed == 1


def test_the_language_of_the_model_or_the_person_is_kept(home: Home) -> None:
    write_sound(home.videos / "a.mkv", [(0.0, tones(SAID, 12))], picture_s=12)
    transcriber = ToneTranscriber(known=frozenset({"en"}))
    home.index(transcriber)
    assert home.texts()[0].source.language == "en"
    spoken = ToneTranscriber(known=frozenset({"en", "de"}))
    home.index(spoken, language="de")
    assert spoken.languages_asked == ["de"]
    assert home.texts()[0].source.language == "de"


def test_the_language_that_a_model_hears_most_is_kept(home: Home) -> None:
    write_sound(home.videos / "a.mkv", [(0.0, tones(SAID, 12))], picture_s=12)
    # What is said first fills more of its window than the rest does of its own.
    hears = ToneTranscriber(
        known=frozenset({"en", "de"}), tells=lambda end_s: "de" if end_s > 1.5 else "en"
    )
    home.index(hears)
    assert [(text.source.language, text.passages) for text in home.texts()] == [("de", 2)]
    assert home.index(ToneTranscriber(known=frozenset({"en", "de"}))).transcribed == 0
    better = ToneTranscriber("tones@2", known=frozenset({"en", "de"}))
    assert home.index(better).transcribed == 1
    assert home.texts()[0].source.language == "", "this one does not tell"


def test_sound_is_decoded_in_a_process_of_its_own(home: Home) -> None:
    write_sound(home.videos / "a.mkv", [(0.0, tones(SAID, 12))], picture_s=12)
    write_sound(home.videos / "b.mkv", [(1.0, tones(SAID, 12))], picture_s=14)
    home.index(None)
    assert home.index(ToneTranscriber(), workers=1).transcribed == 2
    assert sorted(home.words()) == sorted([*SAID, *((at_s + 1, word) for at_s, word in SAID)])
