"""``gz eval --archive``: every annotated query is asked of the whole library."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index.errors import UsageError

from ..opening import open_library
from ..searcher import Searcher
from ..views.render import Screen

if TYPE_CHECKING:
    from index.types import FindResult, VideoRow
    from model.datasets.records import Record
    from model.evaluation.archive import Asked, Moment

_SHOWN = 5


@dataclass(frozen=True)
class Wanted:
    """A query, asked once, and every moment that any of its rows names."""

    qid: int | str
    """Of the first row that asks it."""
    query: str
    truth: tuple[Moment, ...]


@dataclass(frozen=True)
class MeasuredLibrary:
    """What a library answered, and what that is worth."""

    wanted: tuple[Wanted, ...]
    asked: tuple[Asked, ...]
    """As `wanted`, in its order, with the answers."""
    report: Mapping[str, Any]
    localizer: str


def measure_library(
    screen: Screen,
    library_dir: Path,
    records: Sequence[Record],
    grounder: str | None,
    device: str | None,
    *,
    refine: bool,
) -> MeasuredLibrary:
    """Asks the library every query, as ``gz find --threshold 0`` would.

    Args:
        screen: Shows progress and what is left out.
        library_dir: Folder of the library.
        records: What is asked, and what is true.
        grounder: A model's folder or hub id, or ``training-free``; None takes the library's own.
        device: Where the model computes.
        refine: Look again at the edges of the hits.

    Raises:
        UsageError: No annotated video is in the library.
        NothingIndexedError: There is nothing to search.
        ModelError: The library's model is missing or does not match.
    """
    from model.evaluation.archive import archive_report

    wanted = wanted_of(screen, records, library_dir)
    asked = []
    localizer = ""
    for query, result in ask_all(screen, library_dir, wanted, grounder, device, refine=refine):
        asked.append(as_asked(query, result))
        localizer = result.localizer
    report = {**archive_report(asked), "localizer": localizer, "refined": refine}
    return MeasuredLibrary(wanted, tuple(asked), report, localizer)


def ask_all(
    screen: Screen,
    library_dir: Path,
    wanted: Sequence[Wanted],
    grounder: str | None,
    device: str | None,
    *,
    refine: bool,
) -> Iterator[tuple[Wanted, FindResult]]:
    """Every query with what the library answers, whatever its presence.

    Raises:
        GzError: As `measure_library`.
    """
    with Searcher(screen, library_dir, device, grounder) as searcher, screen.progress() as progress:
        for number, query in enumerate(wanted, 1):
            yield query, searcher.measure(_request(query.query, refine=refine))
            progress.update(number / len(wanted), f"{number:,} of {len(wanted):,} queries asked")


def as_asked(wanted: Wanted, result: FindResult) -> Asked:
    """A query with its answers, as they are measured."""
    from model.evaluation.archive import Asked

    return Asked(wanted.query, wanted.truth, _answers(result))


def write_answers(measured: MeasuredLibrary, path: Path) -> None:
    """Writes a JSON line for each query: its hits, best first, whatever their presence."""
    from index.files import atomic_write

    lines = []
    for wanted, asked in zip(measured.wanted, measured.asked, strict=True):
        hits = [
            {
                "video": answer.moment.video,
                "start_s": answer.moment.span.start_s,
                "end_s": answer.moment.span.end_s,
                "presence": answer.presence,
            }
            for answer in asked.answers
        ]
        lines.append(json.dumps({"qid": wanted.qid, "query": wanted.query, "hits": hits}) + "\n")
    atomic_write(path, "".join(lines).encode("ascii"))


def _request(query: str, *, refine: bool) -> Any:
    from index.types import FindRequest
    from model.evaluation.archive import VIDEO_DEPTHS

    return FindRequest(query, limit=max(VIDEO_DEPTHS), refine=refine, threshold=0.0)


def _answers(result: FindResult) -> tuple[Any, ...]:
    from model.evaluation.archive import Answer, Moment

    return tuple(
        Answer(Moment(os.fsdecode(hit.path), hit.span), hit.presence) for hit in result.hits
    )


def wanted_of(screen: Screen, records: Sequence[Record], library_dir: Path) -> tuple[Wanted, ...]:
    """The queries of all records, each once; rows about videos that are not there are left out."""
    from index.types import Span
    from model.evaluation.archive import Moment

    names = _names(library_dir)
    missing: dict[str, int] = {}
    unclear: dict[str, int] = {}
    found: dict[str, Wanted] = {}
    for record in records:
        truth: tuple[Moment, ...] = ()
        if record.windows:
            paths = names.get(record.video) or names.get(str(Path(record.video).absolute()), set())
            if len(paths) != 1:
                counts = unclear if paths else missing
                counts[record.video] = counts.get(record.video, 0) + 1
                continue
            (path,) = paths
            truth = tuple(Moment(path, Span(*window)) for window in record.windows)
        words = " ".join(record.query.split())
        known = found.get(words.casefold(), Wanted(record.qid, words, ()))
        found[words.casefold()] = Wanted(known.qid, known.query, known.truth + truth)
    _say_left_out(screen, missing, "that the library does not hold")
    _say_left_out(screen, unclear, "of which the library holds several by that name")
    if (missing or unclear) and not any(wanted.truth for wanted in found.values()):
        raise UsageError(
            "no annotated video is in the library",
            "Index the annotated videos first: gz index FOLDER",
        )
    return tuple(found.values())


def _names(library_dir: Path) -> dict[str, set[str]]:
    """Paths of the videos that can be found, by every name that annotations may use."""
    from index.search.scope import choose_videos
    from index.types import FindRequest

    names: dict[str, set[str]] = {}
    with open_library(library_dir) as library:
        for row in choose_videos(library, FindRequest(query="")).videos.values():
            for name in _names_of(row):
                names.setdefault(name, set()).add(os.fsdecode(row.path))
    return names


def _names_of(row: VideoRow) -> set[str]:
    """Its path, its name with and without the suffix; also of its copies, found as the same."""
    from model.datasets.annotations import video_name

    found = set()
    for path in (row.path, *row.also_at):
        file = Path(os.fsdecode(path))
        found |= {str(file), file.name, file.stem, video_name(file.name)}
    return found


def _say_left_out(screen: Screen, counts: Mapping[str, int], why: str) -> None:
    if counts:
        rows, videos = sum(counts.values()), len(counts)
        some = ", ".join([*counts][:_SHOWN]) + (", ..." if videos > _SHOWN else "")
        screen.warning(
            f"left out {rows:,} {'row' if rows == 1 else 'rows'} about "
            f"{videos:,} {'video' if videos == 1 else 'videos'} {why}: {some}"
        )
