"""A sentence to the token numbers that the text tower was trained on.

Read straight from ``tokenizer.json``, because the way there through the tokenizer classes
takes seconds to import and, for repositories that name a tokenizer of another model,
skips the lower-casing of the training.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from index.errors import ModelError, UsageError

from ..hub.sources import TOKENIZER_FILE
from ..hub.weights import damaged, read_json

SETTINGS_FILES = ("tokenizer_config.json", "special_tokens_map.json")


@dataclass(frozen=True)
class Tokens:
    """One sentence as numbers, padded to the length that the tower was trained with."""

    ids: npt.NDArray[np.int64]
    """int64 [max_length]."""
    valid: int
    """Tokens at the front that are no padding, the end token included."""
    unread: str
    """What of the sentence is not in them, for people; empty when all of it is."""


class SentenceTokenizer:
    """Lower-cases, splits, ends with the end token and pads on the right.

    Loading raises ModelError for a damaged or unusable tokenizer file.
    """

    def __init__(self, folder: Path, max_length: int, vocab_size: int) -> None:
        self.max_length = max_length
        self._tokenizer = _load(folder / TOKENIZER_FILE)
        settings = _settings(folder)
        if self._tokenizer.get_vocab_size() > vocab_size:
            raise ModelError(
                f"{folder / TOKENIZER_FILE} has more words than the model ({vocab_size}).",
                "It belongs to another model: download the model again.",
            )
        pad = self._number(settings.get("pad_token"))
        self._pad = 0 if pad is None else pad
        self._ends = self._ending(settings)
        self._begins = settings.get("add_bos_token") is True
        self._bos = self._number(settings.get("bos_token"))
        self._unknown = self._number(settings.get("unk_token"))

    def __call__(self, text: str) -> Tokens:
        """One sentence to tokens; raises UsageError where there is nothing to read."""
        words = " ".join(text.split()).lower()
        if not words:
            raise UsageError("The sentence is empty.", "Say in a few words what happens.")
        encoded = self._tokenizer.encode(words, add_special_tokens=False)
        ids: list[int] = encoded.ids
        if not ids:
            raise UsageError(
                f"The model can read nothing of {text!r}.", "Say in words what happens."
            )
        front = [self._bos] if self._begins and self._bos is not None else []
        back = [] if self._ends is None else [self._ends]
        room = self.max_length - len(front) - len(back)
        kept = [*front, *ids[:room], *back]
        padded = np.full(self.max_length, self._pad, np.int64)
        padded[: len(kept)] = kept
        return Tokens(padded, len(kept), self._unread(words, encoded, room))

    def pieces(self, text: str) -> tuple[str, ...]:
        """The tokens of a sentence as they stand in the vocabulary, padding left out."""
        tokens = self(text)
        return tuple(str(self._tokenizer.id_to_token(n)) for n in tokens.ids[: tokens.valid])

    @property
    def words(self) -> int:
        """Entries of the vocabulary."""
        return int(self._tokenizer.get_vocab_size())

    def _unread(self, words: str, encoded: Any, room: int) -> str:
        pieces = list(zip(encoded.ids, encoded.offsets, strict=True))
        strange = [words[a:b] for number, (a, b) in pieces[:room] if number == self._unknown]
        said = []
        if strange:
            named = ", ".join(dict.fromkeys(strange))
            said.append(f"The model does not know: {named}.")
        if len(pieces) > room:
            read = len(words[: pieces[room - 1][1][1]].split())
            said.append(f"Only the first {read} words were read; the model takes no more.")
        return " ".join(said)

    def _ending(self, settings: dict[str, Any]) -> int | None:
        """The end token, where the training put one: by the settings, else by the file itself."""
        end = self._number(settings.get("eos_token"))
        wanted = settings.get("add_eos_token")
        if wanted is None:
            with_ending: list[int] = self._tokenizer.encode("a").ids
            wanted = end is not None and with_ending[-1:] == [end]
        return end if wanted else None

    def _number(self, token: Any) -> int | None:
        content = _content(token)
        number = self._tokenizer.token_to_id(content) if isinstance(content, str) else None
        return None if number is None else int(number)


def deciding_settings(folder: Path) -> dict[str, Any]:
    """The settings beside ``tokenizer.json`` that change token numbers."""
    settings = _settings(folder)
    tokens = {
        name: _content(settings.get(name)) for name in ("pad_token", "eos_token", "bos_token")
    }
    return tokens | {name: settings.get(name) for name in ("add_eos_token", "add_bos_token")}


def _content(token: Any) -> Any:
    return token.get("content") if isinstance(token, dict) else token


def _load(path: Path) -> Any:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing narrower
        raise damaged(path, str(error)) from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _settings(folder: Path) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for name in reversed(SETTINGS_FILES):
        if (folder / name).is_file():
            settings.update(read_json(folder / name))
    return settings
