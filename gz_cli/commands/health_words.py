"""What ``gz doctor`` says of words: who writes down what is said, who reads the screen.

Both are asked for by a person and remembered. What nobody asked for may be missing; what
the library relies on may not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from index.errors import GzError, ModelError

from ..speech import remembered_speech
from ..views.render import size_text
from .checks import Check, failed

if TYPE_CHECKING:
    from index.store.library import Library

_CHANNELS = {"speech": "of speech", "screen": "of the screen", "chapter": "of chapters"}


def speech_check(library_dir: Path) -> Check:
    """The speech model that the library remembers, and the detector of voices."""
    from model.speech.transcriber import source_of, status
    from model.speech.voices import weights_file

    try:
        spec, language = remembered_speech(library_dir)
        missing = _trouble(weights_file)
        if spec is None:
            detail = "not transcribed; gz index --speech writes down what is said"
            return Check("speech", True, f"{detail}{_needs('speech', missing)}")
        if missing is not None:
            return failed("speech", missing)
        known = status(spec)
        if not known.present:
            where = f"gz index --speech --speech-model {spec}"
            problem = known.problem.rstrip(".")
            return Check("speech", False, f"{spec}: {problem}", where, ModelError.exit_code)
    except GzError as error:
        return failed("speech", error)
    spoken = f", language {language}" if language else ""
    name = source_of(spec).name
    return Check("speech", True, f"{spec} ({name}), {size_text(known.size_bytes)}{spoken}")


def screen_check(*, wanted: bool) -> Check:
    """What reads the screen, where the library asks for it.

    Args:
        wanted: Whether the library remembers that screens are read.
    """
    from model.screen.reader import RapidReader

    try:
        engine = RapidReader().engine
    except ModelError as error:
        if wanted:
            return failed("screen", error)
        return Check("screen", True, f"not read{_needs('screen', error)}")
    if wanted:
        return Check("screen", True, engine)
    return Check("screen", True, f"not read; gz index --screen reads it, with {engine}")


def texts_told(library: Library) -> str:
    """How many texts of each kind are searched, for people; empty without any."""
    rows = library.text_rows()
    counts = Counter[str](row.source.channel for row in rows if row.state == "visible")
    unread = sum(row.state == "failed" for row in rows)
    told = [f"{_texts(n)} {name}" for channel, name in _CHANNELS.items() if (n := counts[channel])]
    told += [f"{_texts(unread)} unreadable"] * bool(unread)
    return ", ".join(told)


def _texts(count: int) -> str:
    return "1 text" if count == 1 else f"{count:,} texts"


def _trouble(look: Callable[[], object]) -> ModelError | None:
    try:
        look()
    except ModelError as error:
        return error
    return None


def _needs(extra: str, missing: ModelError | None) -> str:
    return "" if missing is None else f"; the extra {extra} is not installed: {missing.remedy}"
