"""Old encodings are told apart as far as they can be, and the doubt is said."""

from __future__ import annotations

import pytest

from index.errors import TextError
from index.text.encodings import encoding_of

WESTERN = {
    "en": "It's a naïve idea. “Never,” she said — and left…",
    "de": "Schöne Grüße aus München!",
    "fr": "Ça va très bien, l’été à la maison — « où » déjà",
    "es": "¿Qué tal, señor? Mañana será otro día.",
    "pt": "Não assinamos o contrato.",
    "it": "Perché non è venuto?",
    "sv": "Räksmörgås på ön.",
    "da": "Æblerne ligger på øen.",
}
OTHERS = [
    ("ru", "cp1251", "Привет, как дела? Мы никогда не подписывали договор."),
    ("ru", "koi8_r", "Привет, как дела? Мы никогда не подписывали договор."),
    ("el", "cp1253", "Καλημέρα, τι κάνεις; Δεν υπογράψαμε ποτέ."),
    ("ar", "cp1256", "مرحبا كيف حالك؟ لم نوقع العقد أبدا."),
    ("ja", "cp932", "今日は東京へ行きます。ありがとう。"),
    ("ja", "iso2022_jp", "今日は東京へ行きます。ありがとう。"),
    ("zh", "gb18030", "我们从来没有签过这份合同。你好。"),
    ("zh-Hant", "big5", "我們從來沒有簽過這份合同。你好。"),
    ("ko", "cp949", "안녕하세요. 우리는 계약서에 서명한 적이 없습니다."),
]
BY_LANGUAGE = [
    ("pl", "cp1250", "Nigdy nie podpisaliśmy tej umowy."),
    ("cs", "cp1250", "Řekni mi, kde jsi byl včera večer."),
    ("tr", "cp1254", "Sözleşmeyi hiç imzalamadık."),
    ("he", "cp1255", "מעולם לא חתמנו על החוזה."),
    ("th", "cp874", "เราไม่เคยเซ็นสัญญา"),
    ("ja", "euc_jp", "今日は東京へ行きます。"),
    ("ru", "cp866", "Мы никогда не подписывали договор."),
]


def cues(text: str, codec: str, count: int) -> bytes:
    return "\n\n".join(
        f"{n}\n00:00:0{n},000 --> 00:00:0{n},900\n{text}" for n in range(count)
    ).encode(codec)


@pytest.mark.parametrize("count", [1, 9])
@pytest.mark.parametrize("language", WESTERN)
@pytest.mark.parametrize("said", [True, False])
def test_western_text_is_not_taken_for_its_neighbours(
    language: str, said: bool, count: int
) -> None:
    text = WESTERN[language]
    data = cues(text, "cp1252", count)
    found = encoding_of(data, language=language if said else "")
    assert found.shown == "windows-1252 (guessed)"
    assert text in found.decode(data)


@pytest.mark.parametrize("count", [1, 9])
@pytest.mark.parametrize(("language", "codec", "text"), OTHERS)
@pytest.mark.parametrize("said", [True, False])
def test_other_scripts_are_told_by_their_letters(
    language: str, codec: str, text: str, said: bool, count: int
) -> None:
    data = cues(text, codec, count)
    found = encoding_of(data, language=language if said else "")
    assert text in found.decode(data)
    assert found.shown.endswith(" (guessed)")


@pytest.mark.parametrize(("language", "codec", "text"), BY_LANGUAGE)
def test_the_language_in_a_name_tells_the_rest(language: str, codec: str, text: str) -> None:
    data = cues(text, codec, 3)
    assert text in encoding_of(data, language=language).decode(data)


def test_utf_8_that_was_cut_off_is_utf_8() -> None:
    data = "1\n00:01.000 --> 00:02.000\nein Gruß, né".encode()[:-1]
    found = encoding_of(data)
    assert found.shown == "utf-8"
    assert found.decode(data).endswith("Gruß, n\ufffd")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("utf-8", "it is not written in utf-8"),
        ("hex", "there is no encoding called 'hex'"),
        ("idna", "it is not written in idna"),
        ("\x1b[2J", r"there is no encoding called '\\x1b\[2J'"),
    ],
)
def test_what_a_person_names_must_fit(name: str, why: str) -> None:
    with pytest.raises(TextError, match=why):
        encoding_of(b"na\xefve", encoding=name)
