"""The result of a search as JSON, and its memory between commands."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index.errors import GzError, UsageError

from .found_clips import FoundClip, parse_result
from .render import JSON_VERSION, path_fields
from .timecode import clock_range

if TYPE_CHECKING:
    from index.types import Evidence, FindResult, Hit

_MEMORY = "last_find.json"


def hit_fields(hit: Hit) -> dict[str, Any]:
    """A hit for JSON."""
    return {
        "rank": hit.rank,
        **path_fields(hit.path),
        "start_s": hit.span.start_s,
        "end_s": hit.span.end_s,
        "span": clock_range(hit.span.start_s, hit.span.end_s),
        "presence": hit.presence,
        "score": hit.score,
        "duration_s": hit.duration_s,
        "refined": hit.refined,
        "coarse": hit.coarse,
        "fingerprint": hit.fingerprint,
        "also_at": [path_fields(path) for path in hit.also_at],
        "evidence": [evidence_fields(part) for part in hit.evidence],
    }


def evidence_fields(part: Evidence) -> dict[str, Any]:
    """What a hit rests on, for JSON; the words of it are null for pictures."""
    quote = part.quote
    source = None if quote is None else quote.source
    return {
        "text": part.text,
        "start_s": part.span.start_s,
        "end_s": part.span.end_s,
        "presence": part.presence,
        "channel": part.channel,
        "probability": part.presence,
        "span": clock_range(part.span.start_s, part.span.end_s),
        "quote": None if quote is None else quote.body,
        "matched": [] if quote is None else [list(word) for word in quote.matched],
        "speaker": None if quote is None else quote.speaker,
        "citation": None if quote is None else quote.citation,
        "time_quality": None if quote is None else quote.quality,
        "source": None
        if source is None
        else {
            "kind": source.kind,
            "origin": source.origin,
            **(path_fields(source.path) if source.path else {"path": None}),
            "stream": source.stream,
            "language": source.language,
        },
    }


def find_fields(result: FindResult) -> dict[str, Any]:
    """A whole result for JSON."""
    return {
        "query": result.request.query,
        "sentence": result.request.query,
        "found": bool(result.hits),
        "hits": [hit_fields(hit) for hit in result.hits],
        "best_guess": hit_fields(result.best_guess) if result.best_guess else None,
        "threshold": result.request.threshold,
        "calibrated": not result.uncalibrated,
        "uncalibrated": result.uncalibrated,
        "searched": {
            "videos": result.searched_videos,
            "frames": result.searched_frames,
            "seconds": result.searched_s,
            **{c: result.searched_channels.get(c, 0) for c in ("sight", "speech", "screen")},
        },
        "undecided": [path_fields(path) for path in result.undecided],
        "localizer": result.localizer,
        "space": result.space_id,
        "notes": list(result.notes),
    }


def _memory_files(library_dir: Path) -> list[Path]:
    """Where the last result is kept: in the library, or per user where that is read-only."""
    import platformdirs

    state = Path(platformdirs.user_state_dir("groundzero", appauthor=False))
    key = hashlib.blake2b(os.fsencode(library_dir.absolute()), digest_size=8).hexdigest()
    return [library_dir / _MEMORY, state / f"last_find-{key}.json"]


def remember(library_dir: Path, result: FindResult) -> None:
    """Keeps a result for ``gz export-clips``; does nothing where nothing can be written."""
    from index.files import atomic_write

    document = {"version": JSON_VERSION, "type": "find", **find_fields(result)}
    data = json.dumps(document, indent=1).encode("ascii")
    for file in _memory_files(library_dir):
        try:
            if file.parent != library_dir:
                file.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(file, data)
        except (OSError, GzError):
            continue
        return


def recall(library_dir: Path) -> list[FoundClip]:
    """The hits of the last ``gz find`` in this library.

    Raises:
        UsageError: There was none, or it cannot be read.
    """
    kept = [file for file in _memory_files(library_dir) if file.is_file()]
    if not kept:
        raise UsageError(
            "There is no earlier result to cut from.",
            'Search first with gz find "QUERY", or search and cut at once with '
            'gz export-clips "QUERY".',
        )
    newest = max(kept, key=lambda file: file.stat().st_mtime_ns)
    try:
        return parse_result(newest.read_bytes(), str(newest))
    except OSError as error:
        raise UsageError(
            f"The last result in {newest} cannot be read: {error.strerror}.",
            'Search again: gz find "QUERY"',
        ) from None
