"""The result of a search as JSON, its memory between commands, and how it is read back."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index.errors import GzError, UsageError

from .render import JSON_VERSION, path_fields
from .timecode import clock_range

if TYPE_CHECKING:
    from index.types import FindResult, Hit

_MEMORY = "last_find.json"


@dataclass(frozen=True)
class FoundClip:
    """One hit as a search result names it: all that cutting needs."""

    rank: int
    path: bytes
    fingerprint: str
    """Identity of the video when it was found; empty when the file does not say."""
    start_s: float
    end_s: float
    sentence: str
    presence: float | None = None


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
        "evidence": [
            {
                "text": part.text,
                "start_s": part.span.start_s,
                "end_s": part.span.end_s,
                "presence": part.presence,
            }
            for part in hit.evidence
        ],
    }


def find_fields(result: FindResult) -> dict[str, Any]:
    """A whole result for JSON."""
    return {
        "sentence": result.request.sentence,
        "found": bool(result.hits),
        "hits": [hit_fields(hit) for hit in result.hits],
        "best_guess": hit_fields(result.best_guess) if result.best_guess else None,
        "threshold": result.request.threshold,
        "searched": {
            "videos": result.searched_videos,
            "frames": result.searched_frames,
            "seconds": result.searched_s,
        },
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
        UsageError: There was none.
    """
    kept = [file for file in _memory_files(library_dir) if file.is_file()]
    if not kept:
        raise UsageError(
            "There is no earlier result to cut from.",
            'Search first: gz find "SENTENCE"; or name it: gz export-clips "SENTENCE".',
        )
    newest = max(kept, key=lambda file: file.stat().st_mtime_ns)
    return parse_result(newest.read_bytes(), str(newest))


def clips_of(result: FindResult) -> list[FoundClip]:
    """The hits of a result that has just been found."""
    return [
        FoundClip(
            hit.rank,
            hit.path,
            hit.fingerprint,
            hit.span.start_s,
            hit.span.end_s,
            result.request.sentence,
            hit.presence,
        )
        for hit in result.hits
    ]


def parse_result(data: bytes, source: str) -> list[FoundClip]:
    """Hits from the JSON of ``gz find``: one document, or one to a line.

    Raises:
        UsageError: It is not such a result; the message names what is wrong and where.
    """
    try:
        try:
            documents = [json.loads(data)]
        except ValueError:
            documents = [json.loads(line) for line in data.splitlines() if line.strip()]
        if not documents:
            raise ValueError("it is empty")
        return [clip for document in documents for clip in _clips(document)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise UsageError(
            f"{source} is not a result of gz find: {what}.",
            'Make one with: gz find "SENTENCE" --json > hits.json',
        ) from None


def _clips(document: Any) -> list[FoundClip]:
    if document["version"] != JSON_VERSION:
        raise ValueError(f"its version is {document['version']}, this gz reads {JSON_VERSION}")
    sentence = str(document.get("sentence", ""))
    return [_clip(hit, rank, sentence) for rank, hit in enumerate(document["hits"], start=1)]


def _clip(hit: Any, rank: int, sentence: str) -> FoundClip:
    raw = hit.get("path_bytes")
    path = base64.b64decode(raw, validate=True) if raw else os.fsencode(str(hit["path"]))
    start_s, end_s = float(hit["start_s"]), float(hit["end_s"])
    if not (math.isfinite(end_s) and 0 <= start_s < end_s):
        raise ValueError(f"hit {rank} runs from {start_s} to {end_s} s")
    fingerprint = str(hit.get("fingerprint") or "")
    presence = hit.get("presence")
    return FoundClip(
        rank=int(hit.get("rank", rank)),
        path=path,
        fingerprint=fingerprint,
        start_s=start_s,
        end_s=end_s,
        sentence=sentence,
        presence=None if presence is None else float(presence),
    )
