"""From the bytes of a side file to what it says about its video, whatever wrote it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import TextError
from ..files import shown
from ..passages import Origin, TextSource, TextTrack
from .alignment import HeardWord
from .ass import ass_events, is_ass
from .belonging import VideoFacts, recording_of
from .chapters import chapter_track, chapters_of_notes
from .closed import refusal
from .cues import Scan, scan_cues
from .depositions import Placing, track_of
from .dvt import is_dvt, read_dvt
from .encodings import encoding_of
from .fitting import Said, Shown, counted, fit
from .languages import language_of
from .markup import read_line
from .pageline import is_pages, read_pages
from .rolling import unroll
from .sidecars import said_by_name
from .speakers import by_speaker

MOST_BYTES = 64 << 20
"""Of one side file; a day of rolling captions is a third of it."""
_PICTURES = (b"\x00\x00\x01\xba", b"PG")


@dataclass(frozen=True)
class Recorded:
    """What decides where in a video the lines of a deposition lie."""

    video: VideoFacts
    given: bool = False
    """Whether a person said that the transcript is that of the video."""
    starts_at_s: float | None = None
    """Time of day of its first picture, in seconds after midnight."""
    heard: tuple[HeardWord, ...] = ()
    """What was transcribed of it."""


@dataclass(frozen=True)
class SideText:
    """A side file whose characters are known, and what its name says."""

    path: bytes
    text: str
    encoding: str
    """How it was read, for people."""
    language: str
    tags: frozenset[str]
    shift_s: float
    """Added to every time of the file: the clock of the container."""
    offset_s: float
    """Added as well: what a person asked for."""
    duration_s: float
    """Length of the video."""
    data: bytes = b""
    """What the text was decoded from."""
    recorded: Recorded | None = None

    def source(self, origin: Origin = "person", language: str = "") -> TextSource:
        """This file as the source of what is said in the video."""
        spoken = self.language or language_of(language)
        by: Origin = "automatic" if "auto" in self.tags else origin
        return TextSource("speech", "sidecar", by, self.path, language=spoken)


def read_sidecar(
    path: bytes,
    data: bytes,
    *,
    encoding: str = "",
    shift_s: float = 0.0,
    offset_s: float = 0.0,
    duration_s: float,
    language: str | None = None,
    tags: frozenset[str] | None = None,
    recorded: Recorded | None = None,
) -> tuple[TextTrack, ...]:
    """Everything that a file beside a video says about it; the content decides, then the name.

    Args:
        path: The file; only its name is looked at.
        data: What is in it.
        encoding: What a person says its encoding is; empty to find out.
        shift_s: Added to every time: side files count from the container's start.
        offset_s: Added as well, as a person asked for it.
        duration_s: Length of the video.
        language: As known from its name; None to look.
        tags: As known from its name, see `Sidecar`; None to look.
        recorded: Places the lines of depositions; None leaves those alone.

    Returns:
        Its tracks; empty for a file that is no text of a video.

    Raises:
        TextError: It is of a kind that is known, and cannot be used; `UntimedError` when it
            can be once the video was transcribed.
    """
    said_language, said_tags = said_by_name(path)
    language = said_language if language is None else language
    tags = said_tags if tags is None else tags
    if len(data) > MOST_BYTES:
        raise TextError(
            f"it is larger than {MOST_BYTES >> 20} MiB", "it is no text of a video; leave it out"
        )
    name = path.rpartition(b"/")[2].lower()
    if name.endswith(b".info.json"):
        source = TextSource("chapter", "chapters", "person", path, language=language)
        found = chapters_of_notes(data)
        track = chapter_track(found, source, shift_s=shift_s + offset_s, duration_s=duration_s)
        return () if track is None else (track,)
    if name.endswith((b".sub", b".sup")) and data.startswith(_PICTURES):
        raise TextError(
            "it holds pictures of subtitles, and these are not read",
            "convert it to SRT with a program that reads the pictures",
        )
    closed = refusal(path, data)
    if closed:
        raise TextError(closed)
    found_encoding = encoding_of(data, encoding=encoding, language=language)
    side = SideText(
        path=path,
        text=found_encoding.decode(data),
        encoding=found_encoding.shown,
        language=language,
        tags=tags,
        shift_s=shift_s,
        offset_s=offset_s,
        duration_s=duration_s,
        data=data,
        recorded=recorded,
    )
    for read in _READERS:
        tracks = read(side)
        if tracks is not None:
            return tracks
    return ()


def _read_ass(side: SideText) -> tuple[TextTrack, ...] | None:
    if not is_ass(side.text):
        return None
    return spoken_track(ass_events(side.text), side.source(), side)


def _read_cues(side: SideText) -> tuple[TextTrack, ...] | None:
    scan = scan_cues(side.text, side.path.lower().endswith(b".vtt"))
    if scan is None or not scan.cues:
        return None
    said, rolled = said_in(scan)
    source = side.source("automatic" if rolled else "person", scan.language)
    notes = (
        counted(
            scan.broken,
            "cue had no time that can be read and was left out",
            "cues had no times that can be read and were left out",
        ),
        "The file ends in the middle of a cue." if scan.cut_off else "",
    )
    return spoken_track(said, source, side, notes)


def _read_deposition(side: SideText) -> tuple[TextTrack, ...] | None:
    recorded = side.recorded
    if recorded is None:
        return None
    if is_dvt(side.data):
        transcript = read_dvt(side.data)
    elif is_pages(side.text):
        stem = side.path.rpartition(b"/")[2].rpartition(b".")[0]
        transcript = read_pages(side.text, shown(stem), side.encoding)
    else:
        return None
    recording = recording_of(transcript, side.path, recorded.video, chosen=recorded.given)
    if recording is None:
        return ()
    placing = Placing(side.duration_s, side.shift_s, side.offset_s, recorded.starts_at_s)
    return (track_of(transcript, side.path, recording, placing, recorded.heard),)


_READERS = (_read_ass, _read_cues, _read_deposition)
"""Each takes a `SideText` and gives its tracks, or None where the file is not its kind."""


def said_in(scan: Scan) -> tuple[tuple[Said, ...], bool]:
    """What is said in cues, by whom, each line once; and whether the captions rolled up."""
    shown = []
    for cue in scan.cues:
        lines = [
            part for line in cue.lines for part in read_line(line, scan.webvtt, cue.start, cue.end)
        ]
        shown.append(Shown(cue.start, cue.end, tuple(line for line in lines if line.text)))
    unrolled, rolled = unroll(shown)
    return by_speaker(unrolled), rolled


def spoken_track(
    said: Sequence[Said], source: TextSource, side: SideText, notes: Sequence[str] = ()
) -> tuple[TextTrack, ...]:
    """The track of a file; none where it says nothing inside the video."""
    fitted = fit(said, shift_s=side.shift_s + side.offset_s, duration_s=side.duration_s)
    if not fitted.passages:
        return ()
    covered_s = side.duration_s
    if "forced" in side.tags:  # it speaks for the foreign words alone
        covered_s = sum(passage.end_s - passage.start_s for passage in fitted.passages)
    kept = tuple(note for note in notes if note)
    return (
        TextTrack(
            source,
            fitted.passages,
            min(covered_s, side.duration_s),
            side.encoding,
            notes=(*kept, *fitted.notes),
        ),
    )
