"""What runs inside a worker for the words of one video."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import replace

from ..errors import GzError, MediaError, TextError
from ..files import FileStat
from ..media.container import check_regular
from ..media.embedded import (
    PICTURES,
    NamedStretch,
    Origin,
    TextStream,
    open_texts,
    origin_of,
    side_events,
)
from ..passages import Origin as Author
from ..passages import TextSource, TextTrack
from ..text.belonging import VideoFacts
from ..text.chapters import Chapter, chapter_track
from ..text.depositions import UntimedError
from ..text.downloads import read_notes
from ..text.encodings import encoding_of
from ..text.events import said_in_packets
from ..text.fitting import fit
from ..text.languages import language_of
from ..text.rare import rare_format, with_rate
from ..text.reading import (
    MOST_BYTES,
    Recorded,
    SideText,
    holds_pictures,
    read_sidecar,
    spoken_track,
)
from ..text.sidecars import Sidecar
from .jobs import DecodeLimits
from .memory import Allowance
from .text_jobs import FileRead, SourceFailed, TextJob, TextRead
from .worker import Message, Shots

_PICTURES_BESIDE = "It holds pictures of subtitles, which are not read; SRT made of them would be."


def serve_texts(
    job: TextJob,
    *,
    limits: DecodeLimits,
    heartbeat: Callable[[], None],
    allowance: Allowance | None = None,
) -> Iterator[tuple[Message, Shots]]:
    """Reads the words of one video.

    Args:
        job: What to read.
        limits: What may be used.
        heartbeat: Called now and then, to show that work goes on.
        allowance: Limits the memory of this process; None leaves it alone.

    Yields:
        ``finished`` with a `TextRead`.

    Raises:
        MediaError: When the video cannot be opened.
    """
    if allowance is not None:
        allowance.for_decoding()
    origin = origin_of(job.path)
    read = TextRead(job.key, ())
    automatic = _made_by_machines(job)
    for sidecar in job.sidecars:
        ending = sidecar.path.rpartition(b".")[2]
        if (sidecar.language.casefold(), os.fsdecode(ending).casefold()) in automatic:
            sidecar = replace(sidecar, tags=sidecar.tags | {"auto"})
        read = _beside(read, job, sidecar, origin)
        heartbeat()
    if job.embedded:
        read = _inside(read, job, origin, heartbeat)
    yield ("finished", read), []


def _made_by_machines(job: TextJob) -> frozenset[tuple[str, str]]:
    """Language and ending of the captions that were downloaded with a video and nobody wrote."""
    if not job.sidecars:
        return frozenset()
    notes = job.path.rpartition(b".")[0] + b".info.json"
    try:
        return read_notes(_contents(notes)[1]).automatic
    except (GzError, OSError):
        return frozenset()


def _beside(read: TextRead, job: TextJob, sidecar: Sidecar, origin: Origin) -> TextRead:
    try:
        file, data = _contents(sidecar.path)
        if holds_pictures(data):
            file = replace(file, notes=(_PICTURES_BESIDE,))
        read = replace(read, files=(*read.files, file))
        tracks = read_sidecar(
            sidecar.path,
            data,
            encoding=sidecar.encoding,
            shift_s=_shift_s(origin),
            offset_s=sidecar.offset_s,
            duration_s=job.duration_s,
            language=sidecar.language,
            tags=sidecar.tags,
            recorded=_recorded(job, sidecar),
        )
        tracks = tracks or _rare(job, sidecar, data, origin)
    except (GzError, OSError, ValueError, LookupError, ArithmeticError) as error:
        if not sidecar.named:  # whose it would be cannot be told
            return read
        waits = isinstance(error, UntimedError)
        failure = SourceFailed(_reason(error, sidecar.path), sidecar.path, waits=waits)
        return replace(read, failures=(*read.failures, failure))
    return replace(read, tracks=read.tracks + tracks)


def _recorded(job: TextJob, sidecar: Sidecar) -> Recorded:
    size_bytes = os.stat(job.path).st_size  # noqa: PTH116 - Path cannot hold bytes
    video = VideoFacts(job.path, size_bytes, job.duration_s)
    return Recorded(video, sidecar.given, sidecar.starts_at_s, job.heard)


def _contents(path: bytes) -> tuple[FileRead, bytes]:
    """What is in a side file, and its state before it was read."""
    with check_regular(path).open("rb") as file:
        state = FileStat.of(os.fstat(file.fileno()))
        data = file.read(MOST_BYTES + 1)
    digest = hashlib.blake2b(data, digest_size=32).hexdigest()
    return FileRead(path, state, digest), data


def _rare(job: TextJob, sidecar: Sidecar, data: bytes, origin: Origin) -> tuple[TextTrack, ...]:
    """What a side file says that only FFmpeg reads."""
    encoding = encoding_of(data, encoding=sidecar.encoding, language=sidecar.language)
    text = encoding.decode(data)
    format = rare_format(text)
    if not format:
        return ()
    if format == "microdvd":
        text = with_rate(text, origin.frames_per_s)
    events = [(event.start, event.end, event.data) for event in side_events(text, format)]
    said, _, _ = said_in_packets(events, format)
    side = SideText(
        sidecar.path,
        text,
        encoding.shown,
        sidecar.language,
        sidecar.tags,
        _shift_s(origin),
        sidecar.offset_s,
        job.duration_s,
    )
    return spoken_track(said, side.source(), side)


def _shift_s(origin: Origin) -> float:
    """What turns the clock of side files into that of the first picture."""
    return float(origin.container - origin.picture)


def _reason(error: Exception, path: bytes) -> str:
    if isinstance(error, OSError):
        return f"it cannot be read: {error.strerror or error}"
    if isinstance(error, TextError):
        between = " " if error.message.endswith(".") else "; "
        return between.join(part for part in (error.message, error.remedy) if part)
    if isinstance(error, GzError):
        reason = error.message.removeprefix(f"{os.fsdecode(path)}: ")
        if isinstance(error, MediaError) or not error.remedy:
            return reason
        return f"{reason.rstrip('.')}; {error.remedy[0].lower()}{error.remedy[1:].rstrip('.')}"
    return f"it is damaged in a way that was not expected ({type(error).__name__})"


def _inside(
    read: TextRead, job: TextJob, origin: Origin, heartbeat: Callable[[], None]
) -> TextRead:
    try:
        with open_texts(job.path) as (streams, chapters, fill):
            fill(heartbeat)
    except MediaError as error:
        failure = SourceFailed(_reason(error, job.path))
        return replace(read, failures=(*read.failures, failure))
    tracks, failures, notes = list(read.tracks), list(read.failures), list(read.notes)
    for stream in streams:
        if not stream.readable:
            notes.append(_unread(stream))
            continue
        try:
            tracks.extend(_track(job, stream, origin))
        except (TextError, ValueError, LookupError, ArithmeticError) as error:
            failures.append(SourceFailed(_reason(error, job.path), stream=stream.index))
    named = _chapters(job, chapters, origin)
    tracks.extend([] if named is None else [named])
    return replace(read, tracks=tuple(tracks), failures=tuple(failures), notes=tuple(notes))


def _unread(stream: TextStream) -> str:
    language = language_of(stream.language)
    spoken = f" ({language})" if language else ""
    if stream.codec in PICTURES:
        return f"Stream {stream.index}{spoken} holds pictures of subtitles, which are not read."
    return f"Stream {stream.index}{spoken} holds subtitles of a kind that cannot be read."


def _track(job: TextJob, stream: TextStream, origin: Origin) -> list[TextTrack]:
    language = language_of(stream.language)
    events = [(event.start, event.end, event.data) for event in stream.events]
    said, how, rolled = said_in_packets(
        events, stream.codec, language=language, encoding=job.encoding
    )
    fitted = fit(said, shift_s=-float(origin.picture), duration_s=job.duration_s)
    if not fitted.passages:
        return []
    by: Author = "automatic" if rolled else "person"
    source = TextSource("speech", "embedded", by, stream=stream.index, language=language)
    covered_s = job.duration_s
    if stream.forced:
        covered_s = min(covered_s, sum(p.end_s - p.start_s for p in fitted.passages))
    return [TextTrack(source, fitted.passages, covered_s, how, notes=fitted.notes)]


def _chapters(job: TextJob, found: list[NamedStretch], origin: Origin) -> TextTrack | None:
    source = TextSource("chapter", "chapters", "person")
    named = [Chapter(chapter.start, chapter.end, chapter.title) for chapter in found]
    shift_s = -float(origin.picture)
    return chapter_track(named, source, shift_s=shift_s, duration_s=job.duration_s)
