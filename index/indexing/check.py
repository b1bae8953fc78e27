"""Is a library sound? Looks at everything, and repairs what loses nothing by it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import GzError, LibraryError, NothingIndexedError
from ..files import WriterLock, remove_partials, shown
from ..store import audit, text_audit
from ..store.faults import REBUILD, REBUILD_ALONE, REPAIR
from ..store.library import Library
from ..store.salvage import salvage
from ..vectors.published import (
    NOTE_NAME,
    Publication,
    Stale,
    load_table,
    locked,
    read_note,
    remove_unnamed,
    unnamed,
    verify_fully,
)


@dataclass(frozen=True)
class Finding:
    """Something about a library that is not as it should be."""

    what: str
    """One line for people."""
    remedy: str = ""
    """What helps, when it was not repaired."""
    repaired: bool = False
    harmless: bool = False
    """The next run puts it right by itself."""


def check(folder: Path, repair: bool = False) -> list[Finding]:
    """Examines a library; a sound one gives an empty list.

    Reads every vector, so it takes about as long as reading the file.

    Args:
        folder: The library folder.
        repair: Also puts right what can be: rows without owner and damaged caches are
            removed, a video with damaged vectors is indexed anew and a damaged text read
            again by the next run, and indexes of words are made again.
            Of a file that SQLite calls damaged a copy is made of all that is sound in it;
            the damaged one is set aside.

    Raises:
        LockedError: `repair` is asked for while another process writes.
    """
    try:
        with _opened(folder, repair) as library:
            findings = list(_file_findings(library, repair))
            if all(finding.repaired for finding in findings):
                rows = list(_checksum_findings(library, repair))
                if rows and not repair:
                    return findings + rows  # nothing else that it says can be believed
                findings += rows
                findings += _row_findings(library, repair)
                findings += _vector_findings(library, repair)
                findings += _text_findings(library, repair)
            findings += _cache_findings(library, repair)
            return findings
    except NothingIndexedError:
        return []
    except LibraryError as error:
        return [_salvaged(folder, error) if repair else Finding(error.message, error.remedy)]


@contextlib.contextmanager
def _opened(folder: Path, repair: bool) -> Iterator[Library]:
    if not repair:
        with Library.open_unproved(folder, readonly=True) as library, library.snapshot():
            yield library
        return
    Library.open_unproved(folder, readonly=True).close()  # nothing is made where there is none
    with WriterLock(folder), Library.open_unproved(folder, readonly=False) as library:
        yield library


def _file_findings(library: Library, repair: bool) -> Iterator[Finding]:
    problems = library.integrity_problems()
    if not problems:
        return
    what = f"the library file is damaged: {problems[0]}"
    if not repair:
        yield Finding(what, "run `gz doctor --repair`")
        return
    with contextlib.suppress(GzError):
        audit.rebuild_indexes(library)
    if library.integrity_problems():
        raise LibraryError(what, REBUILD)
    yield Finding(f"look-up tables of the library were damaged: {problems[0]}", "", True)


def _checksum_findings(library: Library, repair: bool) -> Iterator[Finding]:
    damaged = audit.unsound_rows(library)
    if repair and damaged:
        audit.drop_unsound_rows(library, damaged)
    for row in damaged:
        if row.video is not None:
            yield _video_finding(row.video[1], "what is known of it was damaged", repair)
        elif row.key is not None:
            yield Finding(f"a damaged row of {row.table}", REPAIR * (not repair), repair)
        else:
            yield Finding(f"{row.table} is not what was written", REPAIR * (not repair), repair)


def _salvaged(folder: Path, error: LibraryError) -> Finding:
    """Tries to save what can be read of a library that could not be repaired in place."""
    try:
        with WriterLock(folder):
            saved = salvage(folder)
    except LibraryError as refused:
        if refused.remedy != REBUILD:
            return Finding(refused.message, refused.remedy)
        return Finding(f"{refused.message}; {_cost_of_rebuilding(folder)}", REBUILD_ALONE)
    if saved is None:
        return Finding(f"{error.message}; {_cost_of_rebuilding(folder)}", REBUILD_ALONE)
    return Finding(
        f"{error.message}; {saved.videos} videos were saved into a new one, {saved.lost} are to "
        f"be indexed anew, and the damaged file is kept as {shown(saved.aside)}",
        "run `gz index`",
        repaired=True,
    )


def _cost_of_rebuilding(folder: Path) -> str:
    """What has to be read again where nothing can be saved, as the search index remembers it."""
    with contextlib.suppress(Stale):
        current = read_note(folder)
        if current is not None:
            table = load_table(folder, current)
            hours = table.rows / 3600
            return (
                "nothing of it can be saved, and `gz index --rebuild` reads about "
                f"{len(table.segments):,} videos again, some {hours:,.1f} hours of them"
            )
    return "nothing of it can be saved, and `gz index --rebuild` reads all videos again"


def _row_findings(library: Library, repair: bool) -> Iterator[Finding]:
    for kind, count in audit.orphans(library).items():
        yield Finding(f"{count} {kind}", "run `gz doctor --repair`" * (not repair), repair)
    if repair:
        audit.remove_orphans(library)
    for video_id, path in audit.lost_versions(library):
        if repair:
            audit.reset_video(library, video_id)
        yield _video_finding(path, "its vectors are missing", repair)


def _vector_findings(library: Library, repair: bool) -> Iterator[Finding]:
    for broken in list(audit.broken_versions(library)):
        if repair:
            audit.drop_version(library, broken.video_id, broken.version_id)
        yield _video_finding(broken.path, broken.reason, repair)


def _text_findings(library: Library, repair: bool) -> Iterator[Finding]:
    indexes = text_audit.has_damaged_word_indexes(library)
    damaged = list(text_audit.damaged_texts(library))
    if repair and (indexes or damaged):
        # What is dropped must stand in the indexes as it stands in the passages.
        library.rebuild_word_indexes()
    for text in damaged:
        if repair:
            text_audit.drop_damaged_text(library, text.text_id)
        yield _video_finding(text.video_path, text.what, repair)
    if indexes:
        yield Finding(
            "the index of words is not that of the texts",
            "run `gz doctor --repair`" * (not repair),
            repair,
        )


def _video_finding(path: bytes, reason: str, repaired: bool) -> Finding:
    remedy = "run `gz index`" if repaired else "run `gz doctor --repair`, then `gz index`"
    return Finding(f"{shown(path)}: {reason}", remedy, repaired)


def _cache_findings(library: Library, repair: bool) -> Iterator[Finding]:
    current: Publication | None = None
    try:
        current = read_note(library.folder)
        if current is not None:
            verify_fully(library.folder, current)
            load_table(library.folder, current)
            if current.library_id != library.id or current.generation > library.generation:
                raise Stale("it belongs to another state of the library")
    except Stale as error:
        if repair:
            _remove_cache(library.folder)
        yield Finding(
            f"the search index cannot be used: {error}", "", repaired=repair, harmless=True
        )
        return
    leftovers = unnamed(library.folder, current)
    if leftovers:
        if repair:
            remove_unnamed(library.folder)
        yield Finding(f"{len(leftovers)} files of an older search index", "", repair, harmless=True)


def _remove_cache(folder: Path) -> None:
    with locked(folder) as held:
        if held:
            (folder / NOTE_NAME).unlink(missing_ok=True)
    remove_unnamed(folder)
    remove_partials(folder)
