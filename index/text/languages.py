"""Names of languages as files and containers write them."""

from __future__ import annotations

import re

_TWO_LETTERS_TEXT = (
    "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu "
    "cv cy da de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi "
    "ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks "
    "ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl "
    "nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl "
    "sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve "
    "vi vo wa wo xh yi yo za zh zu"
)
_TWO_LETTERS = frozenset(_TWO_LETTERS_TEXT.split())
_NAMES = {
    "ar": "ara arabic",
    "bg": "bul bulgarian",
    "bn": "ben bengali",
    "ca": "cat catalan",
    "cs": "cze ces czech",
    "da": "dan danish",
    "de": "ger deu german deutsch",
    "el": "gre ell greek",
    "en": "eng english",
    "es": "spa spanish español espanol castellano",
    "et": "est estonian",
    "eu": "baq eus basque",
    "fa": "per fas persian farsi",
    "fi": "fin finnish",
    "fr": "fre fra french français francais",
    "he": "heb iw hebrew",
    "hi": "hin hindi",
    "hr": "hrv croatian",
    "hu": "hun hungarian",
    "id": "ind indonesian",
    "is": "ice isl icelandic",
    "it": "ita italian italiano",
    "ja": "jpn japanese",
    "ko": "kor korean",
    "lt": "lit lithuanian",
    "lv": "lav latvian",
    "ms": "may msa malay",
    "nb": "nob",
    "nl": "dut nld dutch nederlands",
    "no": "nor norwegian norsk",
    "pl": "pol polish polski",
    "pt": "por portuguese português portugues",
    "ro": "rum ron romanian",
    "ru": "rus russian",
    "sk": "slo slk slovak",
    "sl": "slv slovenian",
    "sr": "srp serbian",
    "sv": "swe swedish svenska",
    "ta": "tam tamil",
    "te": "tel telugu",
    "th": "tha thai",
    "tr": "tur turkish",
    "uk": "ukr ukrainian",
    "ur": "urd urdu",
    "vi": "vie vietnamese",
    "zh": "chi zho cmn yue chinese mandarin",
}
_BY_NAME = {name: code for code, names in _NAMES.items() for name in names.split()}
_TAG = re.compile(r"([a-z]{2,3})((?:[-_][a-z0-9]{1,12})*)", re.IGNORECASE | re.ASCII)


def language_of(text: str) -> str:
    """A language tag in its short form, ``en``, ``pt-BR``; empty when the text names none.

    Args:
        text: A tag, a code of three letters or the name of a language in English.
    """
    text = text.strip()
    named = _BY_NAME.get(text.casefold())
    if named is not None:
        return named
    match = _TAG.fullmatch(text)
    if match is None:
        return ""
    code = match[1].lower()
    code = _BY_NAME.get(code, code)
    if code not in _TWO_LETTERS:
        return ""
    return code + match[2].replace("_", "-")
