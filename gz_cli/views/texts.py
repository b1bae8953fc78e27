"""What a person, or a program, sees of the texts that a library holds of a video."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .render import Screen, display_safe, path_fields
from .timecode import clock, clock_range

if TYPE_CHECKING:
    from index.passages import Passage, Place
    from index.store.library import TextRow

_KINDS = {
    "sidecar": "subtitles",
    "embedded": "subtitles in the video",
    "dvt": "deposition",
    "pageline": "deposition",
    "chapters": "",
    "transcribed": "machine transcript",
    "read": "",
}
"""What each kind of text is called; nothing where its channel says it all."""
_SHORT = {**_KINDS, "embedded": "subtitles", "transcribed": "machine"}
_CHANNELS = {"speech": "speech", "screen": "screen", "chapter": "chapters"}


def texts_in_short(texts: Iterable[TextRow]) -> str:
    """What is known of a video in words: ``speech en (subtitles), chapters``; may be empty."""
    kept, failed = [*texts], 0
    parts = []
    for channel, name in _CHANNELS.items():
        rows = [t for t in kept if t.source.channel == channel and t.searched]
        if rows:
            languages = dict.fromkeys(t.source.language for t in rows if t.source.language)
            kinds = dict.fromkeys(_SHORT[t.source.kind] for t in rows if _SHORT[t.source.kind])
            how = f" ({', '.join(kinds)})" if kinds else ""
            parts.append(f"{name} {', '.join(languages)}".rstrip() + how)
    failed = sum(text.state == "failed" for text in kept)
    if failed:
        parts.append(f"{failed} unreadable {'text' if failed == 1 else 'texts'}")
    return display_safe(", ".join(parts))


def text_fields(text: TextRow) -> dict[str, Any]:
    """A text for JSON."""
    source, testimony = text.source, text.testimony
    place: dict[str, Any] = path_fields(source.path) if source.path else {"path": None}
    return {
        "channel": source.channel,
        "kind": source.kind,
        "origin": source.origin,
        **place,
        "stream": source.stream,
        "language": source.language,
        "engine": source.engine,
        "encoding": text.encoding,
        "state": text.state,
        "reason": text.reason,
        "notes": [*text.notes],
        "passages": text.passages,
        "covered_s": text.covered_s,
        "searched": text.searched,
        "testimony": None
        if testimony is None
        else {
            "witness": testimony.witness,
            "volume": testimony.volume,
            "taken_on": testimony.taken_on,
        },
    }


def passage_fields(passage: Passage) -> dict[str, Any]:
    """A passage for JSON; its text is as it was written."""
    first, last = passage.first, passage.last
    citation = None
    if first is not None and last is not None:
        citation = {
            "page_first": first.page,
            "line_first": first.line,
            "page_last": last.page,
            "line_last": last.line,
        }
    return {
        "start_s": passage.start_s,
        "end_s": passage.end_s,
        "speaker": passage.speaker,
        "text": passage.body,
        "confidence": passage.confidence,
        "time_quality": passage.quality,
        "citation": citation,
    }


def text_told(text: TextRow) -> str:
    """One text in a line: what it is, from where, how it was read, how much of it there is."""
    source = text.source
    name = source.path.rsplit(b"/", 1)[-1]
    parts = [source.language, _KINDS[source.kind], display_safe(name) if name else ""]
    parts += [f"stream {source.stream}"] if source.stream is not None else []
    parts += [source.engine, text.encoding]
    if text.state == "visible":
        parts.append(f"{text.passages:,} {'passage' if text.passages == 1 else 'passages'}")
        parts.append("" if text.searched else "not searched, as another says the same")
    elif text.state == "staged":
        parts.append(f"not finished, {clock(text.covered_s)} so far")
    elif text.state == "failed":
        parts.append(text.reason)
    return display_safe(", ".join(part for part in parts if part))


def channel_of(text: TextRow) -> str:
    """What a text is about, in a word; that it is not read where it is not."""
    if text.state == "failed":
        return "unreadable"
    return "not read" if text.state == "empty" else _CHANNELS[text.source.channel]


def show_passages(screen: Screen, text: TextRow, passages: Iterable[Passage]) -> None:
    """The words of a text with times, speakers and the lines of a printed transcript."""
    screen.result()
    screen.result(f"{_CHANNELS[text.source.channel]}: {text_told(text)}")
    for passage in passages:
        span = clock_range(passage.start_s, passage.end_s)
        where = cited(passage.first, passage.last)
        speaker = f"{display_safe(passage.speaker)}: " if passage.speaker else ""
        body = display_safe(" / ".join(passage.body.splitlines()))
        cells = [span, *([f"{where:<7}"] if where else []), f"{speaker}{body}"]
        screen.result("  ".join(cells))


def cited(first: Place | None, last: Place | None) -> str:
    """``14:15`` or ``14:15-16:1``; empty for what was never printed."""
    if first is None or last is None:
        return ""
    start = f"{first.page}:{first.line}"
    if first == last:
        return start
    return f"{start}-{last.line}" if first.page == last.page else f"{start}-{last.page}:{last.line}"
