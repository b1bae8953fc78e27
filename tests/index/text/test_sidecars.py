"""Which files beside a video hold its words."""

from __future__ import annotations

import unicodedata

import pytest

from index.text.sidecars import Neighbours, said_by_name, sidecars_of


def names_of(video: str, *names: str) -> list[str]:
    given = [name.encode() for name in (video, *names)]
    found = sidecars_of(b"/v/" + video.encode(), given)
    return [sidecar.path.removeprefix(b"/v/").decode() for sidecar in found]


@pytest.mark.parametrize(
    ("name", "language", "tags"),
    [
        ("talk.srt", "", set()),
        ("talk.en.srt", "en", set()),
        ("Talk.EN.SRT", "en", set()),
        ("talk.eng.forced.srt", "en", {"forced"}),
        ("talk.pt-BR.vtt", "pt-BR", set()),
        ("talk.pt_BR.vtt", "pt-BR", set()),
        ("talk.de.sdh.ass", "de", {"sdh"}),
        ("talk.en.hi.srt", "en", {"sdh"}),
        ("talk.hi.srt", "hi", set()),
        ("talk.en.auto.vtt", "en", {"auto"}),
        ("talk.en-orig.vtt", "en", {"auto", "orig"}),
        ("talk.zh-Hans.vtt", "zh-Hans", set()),
        ("talk (English).srt", "en", set()),
        ("talk_en.srt", "en", set()),
        ("talk.mp4.srt", "", set()),
        ("talk.mp4.fr.srt", "fr", set()),
        ("talk.info.json", "", set()),
        ("talk.dvt", "", set()),
        ("talk.ptx", "", set()),
    ],
)
def test_a_name_says_whose_it_is_and_in_which_language(
    name: str, language: str, tags: set[str]
) -> None:
    (sidecar,) = sidecars_of(b"/v/talk.mp4", [b"talk.mp4", name.encode()])
    assert sidecar.path == b"/v/" + name.encode()
    assert (sidecar.language, sidecar.tags) == (language, tags)


@pytest.mark.parametrize(
    "name",
    ["talk.part2.srt", "talk2.srt", "talk.jpg", "talk.json", "other.srt", "talker.srt", "talk"],
)
def test_other_files_are_left_alone(name: str) -> None:
    assert names_of("talk.mp4", name) == []


def test_a_longer_name_has_the_better_claim() -> None:
    names = ["talk.part2.mp4", "talk.en.mp4", "talk.part2.srt", "talk.en.srt", "talk.de.srt"]
    assert names_of("talk.mp4", *names) == ["talk.de.srt"]
    assert names_of("talk.part2.mp4", "talk.mp4", *names) == ["talk.part2.srt"]
    assert names_of("talk.en.mp4", "talk.mp4", *names) == ["talk.en.srt"]


def test_two_versions_of_one_video_share_their_files() -> None:
    names = ["talk.mkv", "talk.srt", "talk.mkv.srt"]
    assert names_of("talk.mp4", *names) == ["talk.srt"]
    assert names_of("talk.mkv", "talk.mp4", "talk.srt", "talk.mkv.srt") == [
        "talk.mkv.srt",
        "talk.srt",
    ]


def test_case_decides_only_between_two() -> None:
    names = ["Talk.mp4", "Talk.srt", "talk.srt"]
    assert names_of("talk.mp4", *names) == ["talk.srt"]
    assert names_of("Talk.mp4", "talk.mp4", "Talk.srt", "talk.srt") == ["Talk.srt"]


def test_names_compare_as_people_see_them() -> None:
    composed, parted = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    assert names_of(f"{composed}.mp4", f"{parted}.fr.srt") == [f"{parted}.fr.srt"]


def test_names_that_are_no_text_are_kept_as_they_are() -> None:
    (sidecar,) = sidecars_of(b"/v/t\xff.mp4", [b"t\xff.mp4", b"t\xff.en.srt", b"t\xfe.srt"])
    assert sidecar.path == b"/v/t\xff.en.srt"


def test_a_folder_is_looked_through_once() -> None:
    names = [f"clip{n}{end}".encode() for n in range(3000) for end in (".mp4", ".srt")]
    folder = Neighbours(names)
    assert [s.path for s in folder.of(b"/v/clip7.mp4")] == [b"/v/clip7.srt"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (b"/a/anything.de.forced.srt", ("de", {"forced"})),
        (b"/a/Smith v. Jones.srt", ("", set())),
        (b"/a.en/b.srt", ("", set())),
    ],
)
def test_a_name_without_its_video_says_what_it_can(path: bytes, said: tuple) -> None:
    assert said_by_name(path) == said
