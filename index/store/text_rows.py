"""A text as a row of the library; part of the store, without SQL of its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from ..files import FileStat
from ..passages import Channel, Kind, Origin, Testimony, TextSource
from .reading import file_stat_of

TextState = Literal["staged", "visible", "failed", "empty"]
"""``empty`` is one that was read and holds no words."""

SOURCE = "channel, kind, origin, path, stream, language, engine"
STAT = "size_bytes, mtime_ns, ctime_ns, inode, device"
TEXT = (
    f"id, video_id, fingerprint, {SOURCE}, encoding, settings, state, reason, notes, testimony, "
    f"covered_s, passages, searched, clock, {STAT}"
)


@dataclass(frozen=True)
class TextRow:
    """One text as the library knows it."""

    id: int
    video_id: int
    fingerprint: str
    """Of the video's content when the text was made."""
    source: TextSource
    encoding: str
    settings: str
    """What else decided the words and times; another value means another reading."""
    state: TextState
    reason: str
    """Why it failed; empty when all is well."""
    notes: tuple[str, ...]
    testimony: Testimony | None
    covered_s: float
    passages: int
    searched: bool
    """False where another text of the video says the same and is preferred."""
    clock: tuple[tuple[float, str], ...]
    stat: FileStat
    """State of the file that it was read from; zeros where there is none."""


def text_of(row: Sequence[Any]) -> TextRow:
    """The text that a row of `TEXT` stands for."""
    text_id, video_id, fingerprint, channel, kind, origin, path, stream, language, engine, *rest = (
        row
    )
    encoding, settings, state, reason, notes, testimony, *rest = rest
    covered_s, passages, searched, clock, *stat = rest
    return TextRow(
        id=text_id,
        video_id=video_id,
        fingerprint=fingerprint,
        source=TextSource(
            channel=cast(Channel, channel),
            kind=cast(Kind, kind),
            origin=cast(Origin, origin),
            path=bytes(path),
            stream=stream,
            language=language,
            engine=engine,
        ),
        encoding=encoding,
        settings=settings,
        state=cast(TextState, state),
        reason=reason,
        notes=tuple(json.loads(notes)),
        testimony=Testimony(**json.loads(testimony)) if testimony else None,
        covered_s=covered_s,
        passages=passages,
        searched=bool(searched),
        clock=tuple((time_s, shown_time) for time_s, shown_time in json.loads(clock)),
        stat=file_stat_of(tuple(stat)),
    )
