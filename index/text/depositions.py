"""From a printed transcript to what it says of one video, in seconds of that video."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..errors import TextError
from ..files import shown
from ..passages import Testimony, TextSource, TextTrack
from .alignment import HeardWord, aligned
from .header import name_in
from .testimony import Timed, Transcript, between, passages_of

_MOST_AT_ONCE = 3
"""Lines that may begin at 0 where people speak from the first picture on."""
_HALF_DAY_S = 12 * 3600.0
_BACKWARDS_S = 6 * 3600.0
"""A clock that goes back this far has passed noon, midnight, or one o'clock of twelve."""


class UntimedError(TextError):
    """A transcript without times, whose recording nobody has transcribed yet."""


@dataclass(frozen=True)
class Placing:
    """How the times of a transcript become those of a video."""

    duration_s: float
    """Of the video."""
    shift_s: float = 0.0
    """Added to times that count from the start of the media file."""
    offset_s: float = 0.0
    """What a person adds: positive when the words come too early."""
    starts_at_s: float | None = None
    """Time of day of the video's first picture, in seconds after midnight."""


def track_of(
    transcript: Transcript,
    path: bytes,
    recording: str,
    placing: Placing,
    heard: Sequence[HeardWord] = (),
) -> TextTrack:
    """Testimony as a track: one passage for each printed line that has words.

    Args:
        transcript: What was read.
        path: The file that it was read from.
        recording: Which of its recordings the video is, as `recording_of` tells.
        placing: How its times become those of the video.
        heard: What was transcribed of the video, for a transcript without times.

    Raises:
        UntimedError: There is nothing to place its lines by.
        TextError: None of its lines lies in the video.
    """
    timed = _timed(transcript, recording, placing, heard)
    passages = passages_of(timed, placing.duration_s)
    if not passages:
        raise TextError(
            "none of its lines lies within the video.",
            "Make sure that it is the transcript of this recording; --transcript-offset moves it.",
        )
    worded = sum(bool(line.body) for line in transcript.lines)
    left_out = worded - len(passages)
    notes = transcript.notes
    if left_out:
        notes += (f"{left_out:,} of {worded:,} lines have no time in this video",)
    return TextTrack(
        source=TextSource("speech", transcript.kind, "person", path),
        passages=passages,
        covered_s=placing.duration_s,
        encoding=transcript.encoding,
        testimony=_cited(transcript.testimony, path),
        notes=notes,
    )


def _cited(testimony: Testimony, path: bytes) -> Testimony:
    """With a name to cite, by the file where the transcript gives none."""
    if testimony.witness:
        return testimony
    stem = shown(path.rpartition(b"/")[2]).rpartition(".")[0]
    return replace(testimony, witness=name_in(stem))


def _timed(
    transcript: Transcript, recording: str, placing: Placing, heard: Sequence[HeardWord]
) -> tuple[Timed, ...]:
    end_s = placing.duration_s
    if transcript.kind == "dvt":
        lines = [
            line for line in transcript.lines if line.recording == recording or line.start_s is None
        ]
        move_s = placing.shift_s + placing.offset_s
        starts = [None if line.start_s is None else line.start_s + move_s for line in lines]
        # Some programs write 0 on every line that was not spoken: covers, appearances.
        unspoken = [at for at, line in enumerate(lines) if line.start_s == 0]
        for at in unspoken[:-1] if len(unspoken) > _MOST_AT_ONCE else ():
            starts[at] = None
        lengths = {known.id: known.duration_s for known in transcript.recordings}
        if length_s := lengths.get(recording):
            end_s = min(end_s, length_s + move_s)
        return between(lines, starts, end_s)
    stamped = any(line.clock_s is not None for line in transcript.lines)
    if stamped and placing.starts_at_s is not None:
        clocks = [line.clock_s for line in transcript.lines]
        starts = _from_clock(clocks, placing.starts_at_s, placing.offset_s)
        rows = between(transcript.lines, starts, end_s)
        # The margin says the second, not the word.
        return tuple(replace(row, quality="cue") if row.quality == "exact" else row for row in rows)
    if heard:
        rows = aligned(transcript.lines, heard)
        if not rows:
            raise TextError(
                "too few of its words are heard in this recording.",
                "Make sure that it is the transcript of this video.",
            )
        return tuple(_moved(row, placing.offset_s) for row in rows)
    raise UntimedError(
        "it has page and line numbers and "
        + ("times of day" if stamped else "no times")
        + ", so its lines cannot be placed in the video yet.",
        (
            "Say what time of day the video begins with --transcript-start HH:MM:SS, or t" * stamped
            or "T"
        )
        + "ranscribe the video with gz index --speech auto; it is then aligned to what is heard.",
    )


def _moved(row: Timed, by_s: float) -> Timed:
    if not by_s:
        return row
    words = tuple(
        replace(word, start_s=word.start_s + by_s, end_s=word.end_s + by_s) for word in row.words
    )
    return replace(row, start_s=row.start_s + by_s, end_s=row.end_s + by_s, words=words)


def _from_clock(
    clocks_s: Sequence[float | None], starts_at_s: float, offset_s: float
) -> list[float | None]:
    """Seconds of the video from times of day, which may pass noon on a clock of twelve."""
    starts: list[float | None] = []
    turns_s, before_s = 0.0, starts_at_s
    for clock_s in clocks_s:
        if clock_s is None:
            starts.append(None)
            continue
        now_s = clock_s + turns_s
        if now_s < before_s - _BACKWARDS_S:
            half_days = math.ceil((before_s - _BACKWARDS_S - now_s) / _HALF_DAY_S)
            now_s, turns_s = now_s + half_days * _HALF_DAY_S, turns_s + half_days * _HALF_DAY_S
        starts.append(now_s - starts_at_s + offset_s)
        before_s = now_s
    return starts
