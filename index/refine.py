"""Looks again at the edges of the best moments, four times a second.

Only the seconds around edges are decoded; all pictures of all moments are encoded
together. A source that is offline, missing or changed leaves its moment as it is.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from .errors import MediaError
from .files import shown
from .localizing import Query
from .moments import Moment
from .query import QueryPlan
from .scan import fingerprint
from .types import (
    Encoder,
    Localizer,
    Picture,
    Preprocess,
    ScoredSpan,
    Span,
    Vectors,
    VideoRow,
    Window,
)

if TYPE_CHECKING:
    from .store import Library

Range = tuple[float, float]


@dataclass(frozen=True)
class RefineSettings:
    """How closely edges are looked at, with the reasons."""

    moments: int = 5
    """Best moments that are refined; a person reads these first."""
    step_s: float = 0.25
    """4 fps: edges to an eighth of a second for 4 times the work on few seconds."""
    reach_s: float = 4.0
    """Seconds decoded on either side of an edge: coarse samples are 1 s apart, and a
    second or two more shows what inside and outside look like."""
    context_s: float = 60.0
    """Seconds of coarse frames kept around the moment."""
    decoders: int = 4
    """Stretches decoded side by side."""


@dataclass
class _Stretch:
    """Fine frames of one stretch of one video, once they are there."""

    video: VideoRow
    range_s: Range
    future: Future[tuple[list[float], list[Picture]]]
    times_s: list[float]
    vectors: Vectors | None = None


def refine(
    library: Library,
    encoder: Encoder,
    localizer: Localizer,
    moments: Sequence[Moment],
    plan: QueryPlan,
    queries: Sequence[Query],
    progress: Callable[[int, int], None],
    settings: RefineSettings | None = None,
) -> tuple[list[Moment], list[str]]:
    """The moments with tightened edges, in the same order, and notes for people.

    Args:
        library: Where the coarse vectors are.
        encoder: Encodes the fine frames; its vision tower is loaded now.
        localizer: Places the edges.
        moments: What was found; the first few are refined.
        plan: How the parts of the sentence belong together.
        queries: One per part.
        progress: Told the stretches decoded so far and in all.
        settings: How closely to look.
    """
    settings = settings or RefineSettings()
    chosen = list(moments[: settings.moments])
    notes = _unusable({moment.video.id: moment.video for moment in chosen})
    usable = [moment for moment in chosen if moment.video.id not in notes]
    stretches = _decoded(usable, encoder.preprocess, settings, notes, progress)
    _encode(stretches, encoder)
    refined: list[Moment] = []
    for moment in chosen:
        if moment.video.id in notes:
            refined.append(moment)
            continue
        fine = [s for s in stretches if s.video.id == moment.video.id]
        parts = tuple(
            _tightened(library, localizer, moment.video, part, query, fine, settings)
            for part, query in zip(moment.parts, queries, strict=True)
        )
        refined.append(moment.moved(parts, plan))
    return refined + list(moments[settings.moments :]), list(notes.values())


def _unusable(videos: dict[int, VideoRow]) -> dict[int, str]:
    """Notes for the videos whose file is not the one that was indexed."""
    notes: dict[int, str] = {}
    for video in videos.values():
        try:
            stat = os.lstat(video.path)
            same = (stat.st_size, stat.st_mtime_ns) == (video.size_bytes, video.mtime_ns)
            if not same and fingerprint(video.path) != video.fingerprint:
                notes[video.id] = (
                    f"{shown(video.path)} has changed since it was indexed, so its moments "
                    "are not refined and may be off; run gz index on it."
                )
        except OSError as error:
            notes[video.id] = (
                f"{shown(video.path)} cannot be read ({error.strerror}), "
                "so its moments are not refined."
            )
    return notes


def _ranges(moments: Sequence[Moment], settings: RefineSettings) -> list[tuple[VideoRow, Range]]:
    """Stretches around all edges, joined where they touch."""
    wanted: dict[int, list[Range]] = {}
    videos: dict[int, VideoRow] = {}
    for moment in moments:
        videos[moment.video.id] = moment.video
        for part in moment.parts:
            for edge_s in (part.span.start_s, part.span.end_s):
                low = max(0.0, edge_s - settings.reach_s)
                high = min(moment.video.duration_s, edge_s + settings.reach_s)
                if low < high:
                    wanted.setdefault(moment.video.id, []).append((low, high))
    return [(videos[key], joined) for key in wanted for joined in _joined(wanted[key])]


def _joined(ranges: Sequence[Range]) -> list[Range]:
    joined: list[Range] = []
    for low, high in sorted(ranges):
        if joined and low <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    return joined


def _decoded(
    moments: Sequence[Moment],
    preprocess: Preprocess,
    settings: RefineSettings,
    notes: dict[int, str],
    progress: Callable[[int, int], None],
) -> list[_Stretch]:
    """Starts all decoders and waits; a video that fails gets a note and no stretch."""
    ranges = _ranges(moments, settings)
    if not ranges:
        return []
    from .sampling import sample_range

    progress(0, len(ranges))
    done: list[_Stretch] = []
    with ThreadPoolExecutor(settings.decoders, thread_name_prefix="refine") as pool:
        stretches = [
            _Stretch(
                video,
                range_s,
                pool.submit(sample_range, video.path, *range_s, settings.step_s, preprocess),
                [],
            )
            for video, range_s in ranges
        ]
        for number, stretch in enumerate(stretches, 1):
            try:
                stretch.times_s = stretch.future.result()[0]
                done.append(stretch)
            except (MediaError, OSError) as error:
                why = error.message if isinstance(error, MediaError) else error.strerror
                notes[stretch.video.id] = (
                    f"{shown(stretch.video.path)} cannot be read again ({why}), "
                    "so its moments are not refined."
                )
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
            progress(number, len(ranges))
    return [stretch for stretch in done if stretch.video.id not in notes]


def _encode(stretches: Sequence[_Stretch], encoder: Encoder) -> None:
    """Vectors of all stretches, through the encoder in full batches."""
    pictures = [picture for stretch in stretches for picture in stretch.future.result()[1]]
    if not pictures:
        return
    size = max(1, encoder.batch_size)
    batches = [
        encoder.encode_pictures(pictures[first : first + size])
        for first in range(0, len(pictures), size)
    ]
    vectors = np.concatenate(batches)
    first = 0
    for stretch in stretches:
        last = first + len(stretch.times_s)
        if np.isfinite(vectors[first:last]).all():
            stretch.vectors = vectors[first:last]
        first = last


def _tightened(
    library: Library,
    localizer: Localizer,
    video: VideoRow,
    part: ScoredSpan,
    query: Query,
    fine: Sequence[_Stretch],
    settings: RefineSettings,
) -> ScoredSpan:
    """The span with finer edges; a long one is handed over as its two ends."""
    span = part.span

    def placed(piece: Span) -> Span:
        window = _window(library, video, piece, fine, settings)
        proposal = replace(part, span=piece)
        return localizer.tighten(proposal, window, query.sentence, query.background).span

    if span.length_s <= localizer.window_s:
        return replace(part, span=placed(span))
    half_s = localizer.window_s / 2
    first = placed(Span(span.start_s, span.start_s + half_s))
    last = placed(Span(span.end_s - half_s, span.end_s))
    return replace(part, span=Span(first.start_s, last.end_s))


def _window(
    library: Library,
    video: VideoRow,
    span: Span,
    fine: Sequence[_Stretch],
    settings: RefineSettings,
) -> Window:
    """Fine frames where they were decoded, coarse ones elsewhere around the span."""
    low = max(0.0, span.start_s - settings.context_s)
    high = min(video.duration_s, span.end_s + settings.context_s)
    times_s, vectors = library.read_vectors(video.id, low, high)
    keep = np.ones(len(times_s), bool)
    all_times, all_vectors = [], []
    for stretch in fine:
        start_s, end_s = stretch.range_s
        if stretch.vectors is None or end_s <= low or start_s >= high or not stretch.times_s:
            continue
        seen = np.asarray(stretch.times_s, np.float64)
        keep &= (times_s < min(start_s, seen[0])) | (times_s >= max(end_s, seen[-1] + 1e-6))
        all_times.append(seen)
        all_vectors.append(stretch.vectors)
    all_times.append(times_s[keep])
    all_vectors.append(vectors[keep])
    joined_s, joined = np.concatenate(all_times), np.concatenate(all_vectors)
    order = np.argsort(joined_s, kind="stable")
    joined_s = joined_s[order]
    fresh = np.concatenate([[True], np.diff(joined_s) > 0]) if len(order) else order.astype(bool)
    return Window(joined_s[fresh], joined[order][fresh], settings.step_s, video.duration_s)
