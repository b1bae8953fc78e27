"""The record of an export: what each clip was cut from, where exactly, by what, and its digests.

One record for each run, beside the clips and never overwritten: a record that can
change later proves nothing.
"""

from __future__ import annotations

import base64
import csv
import importlib.metadata
import io
import json
import math
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .export import ClipResult, ExportOptions
from .files import free_stem, open_folder, publish, unfinished

SCHEMA = "groundzero.export"
SCHEMA_VERSION = 1
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
_FORMULA = ("=", "+", "-", "@")


def write_manifest(results: Sequence[ClipResult], options: ExportOptions) -> tuple[Path, Path]:
    """Writes ``manifest.json`` and ``manifest.csv`` into the folder of the clips.

    Where one is there already, both get the next free number: ``manifest_2.json``.

    Returns:
        The JSON file, which is complete, and the CSV file, a table of the same clips.

    Raises:
        UsageError: The folder cannot be written to.
        NoSpaceError: The disk is full; neither half is left.
    """
    folder = open_folder(options.out)
    record = manifest(results, options)
    text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with unfinished(folder) as json_part, unfinished(folder) as csv_part:
        json_part.write_text(text, encoding="utf-8")
        csv_part.write_text(_table(record), encoding="utf-8", newline="")
        stem = free_stem(folder, "manifest", (".json", ".csv"))
        table = publish(csv_part, folder / f"{stem}.csv", overwrite=False)
        try:
            return publish(json_part, folder / f"{stem}.json", overwrite=False), table
        except BaseException:
            table.unlink(missing_ok=True)
            raise


def manifest(results: Sequence[ClipResult], options: ExportOptions) -> dict[str, Any]:
    """The record as plain data, ready for JSON."""
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "exported_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "mode": options.mode,
        "format": options.container,
        "pad_s": options.pad_s,
        "versions": versions(),
        "clips": [_clip(number, result) for number, result in enumerate(results, start=1)],
    }


def versions() -> dict[str, Any]:
    """Everything whose change could change a clip."""
    import av

    try:
        own = importlib.metadata.version("groundzero-video")
    except importlib.metadata.PackageNotFoundError:
        own = "unknown"
    return {
        "gz": own,
        "pyav": av.__version__,
        "ffmpeg": {
            name: ".".join(map(str, numbers)) for name, numbers in av.library_versions.items()
        },
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _clip(number: int, result: ClipResult) -> dict[str, Any]:
    request = result.request
    return {
        "number": number,
        "status": "done" if result.ok else "failed",
        "query": visible(request.query),
        "sentence": visible(request.query),
        "presence": _finite(request.presence),
        "source": {
            **_path(request.source),
            "size_bytes": result.source_bytes,
            "sha256": result.source_sha256,
            "fingerprint": visible(request.fingerprint),
        },
        "asked": {"start_s": _finite(request.start_s), "end_s": _finite(request.end_s)},
        "real": {"start_s": result.start_s, "end_s": result.end_s, "frames": result.frames},
        "mode": result.mode,
        "clip": {
            "file": result.path.name if result.path else "",
            "size_bytes": result.clip_bytes,
            "sha256": result.clip_sha256,
            "verified": result.verified,
        },
        "notes": [visible(note) for note in result.notes],
        "failure": visible(result.failure.message) if result.failure else "",
        "remedy": visible(result.failure.remedy) if result.failure else "",
    }


def _finite(value: float | None) -> float | None:
    """None for what JSON has no number for: one bad request must not cost the record."""
    return value if value is not None and math.isfinite(value) else None


def _path(path: bytes) -> dict[str, str]:
    """A path that can be read, and its exact bytes where the text does not give them."""
    text = path.decode("utf-8", "surrogateescape")
    shown = visible(text)
    if shown == text:
        return {"path": text}
    return {"path": shown, "path_base64": base64.b64encode(path).decode()}


def visible(text: str) -> str:
    """Text in which control, direction and undecodable characters are written out."""

    def escape(match: re.Match[str]) -> str:
        code = ord(match[0])
        if 0xDC80 <= code <= 0xDCFF:
            return f"\\x{code - 0xDC00:02x}"
        return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"

    return _UNSAFE.sub(escape, text)


def _table(record: dict[str, Any]) -> str:
    """One line for each clip; a spreadsheet must not take a query for a formula."""
    rows = [_row(clip, record) for clip in record["clips"]]
    columns = list(_row(_EMPTY, record))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows({name: cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


_EMPTY: dict[str, Any] = {key: {} for key in ("source", "asked", "real", "clip")} | {"notes": []}


def _row(clip: dict[str, Any], record: dict[str, Any]) -> dict[str, Any]:
    source, asked, real, made = clip["source"], clip["asked"], clip["real"], clip["clip"]
    return {
        "number": clip.get("number"),
        "status": clip.get("status"),
        "clip_file": made.get("file"),
        "clip_sha256": made.get("sha256"),
        "source_path": source.get("path"),
        "source_path_base64": source.get("path_base64"),
        "source_sha256": source.get("sha256"),
        "asked_start_s": asked.get("start_s"),
        "asked_end_s": asked.get("end_s"),
        "pad_s": record["pad_s"],
        "real_start_s": real.get("start_s"),
        "real_end_s": real.get("end_s"),
        "frames": real.get("frames"),
        "mode": clip.get("mode"),
        "verified": made.get("verified"),
        "query": clip.get("query"),
        "presence": clip.get("presence"),
        "notes": "; ".join(clip["notes"]),
        "failure": clip.get("failure"),
        "exported_at": record["exported_at"],
        "gz": record["versions"]["gz"],
        "pyav": record["versions"]["pyav"],
        "libavcodec": record["versions"]["ffmpeg"].get("libavcodec"),
    }


def cell(value: object) -> object:
    """A value for CSV; a spreadsheet must not take a text for a formula."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
