"""What was designated and what was cut for it, as people in a court case hand it on."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..text.designations import quotation
from .export import ClipResult
from .files import free_stem, open_folder, publish, unfinished
from .manifest import cell, visible
from .testimony import Stretch, Unmatched

COLUMNS = (
    "number",
    "status",
    "witness",
    "volume",
    "taken_on",
    "range",
    "id",
    "remark",
    "testimony",
    "video",
    "start",
    "end",
    "start_s",
    "end_s",
    "length_s",
    "times",
    "clip_file",
    "transcript",
    "reason",
)
_TIMES = {
    "exact": "as synchronised",
    "cue": "to the second, from the margin",
    "aligned": "aligned to what was heard",
    "interpolated": "between two known times",
}


@dataclass(frozen=True)
class Designated:
    """A designation, or the part of it that lies in one video, and what became of it."""

    stretch: Stretch | None = None
    result: ClipResult | None = None
    unmatched: Unmatched | None = None

    @property
    def length_s(self) -> float:
        """Seconds of the clip; 0 where there is none."""
        result = self.result
        if result is None or result.start_s is None or result.end_s is None:
            return 0.0
        return result.end_s - result.start_s


def designation_row(number: int, row: Designated) -> dict[str, Any]:
    """One line of the report, ready for CSV."""
    blank: dict[str, Any] = dict.fromkeys(COLUMNS, "")
    if row.unmatched is not None:
        asked = row.unmatched.designation
        return blank | {
            "number": number,
            "status": "unmatched",
            "witness": asked.transcript,
            "range": asked.range,
            "id": asked.id,
            "remark": asked.remark,
            "length_s": 0.0,
            "reason": row.unmatched.reason,
        }
    stretch, result = row.stretch, row.result
    if stretch is None or result is None:
        return blank | {"number": number}
    deposition, asked = stretch.deposition, stretch.designation
    start_s = result.start_s if result.start_s is not None else stretch.start_s
    end_s = result.end_s if result.end_s is not None else stretch.end_s
    return {
        "number": number,
        "status": "cut" if result.ok else "failed",
        "witness": deposition.testimony.witness,
        "volume": deposition.testimony.volume,
        "taken_on": deposition.testimony.taken_on,
        "range": stretch.cited.removeprefix(deposition.testimony.witness).strip(),
        "id": asked.id,
        "remark": asked.remark,
        "testimony": "\n".join(quotation(stretch.lines)),
        "video": visible(os.fsdecode(deposition.video)),
        "start": _clock(start_s),
        "end": _clock(end_s),
        "start_s": round(start_s, 3),
        "end_s": round(end_s, 3),
        "length_s": round(row.length_s, 3),
        "times": _TIMES[stretch.quality],
        "clip_file": result.path.name if result.path else "",
        "transcript": visible(os.fsdecode(deposition.transcript)),
        "reason": visible(result.failure.message) if result.failure else stretch.lack,
    }


def write_report(rows: Sequence[Designated], folder: Path) -> tuple[Path, Path]:
    """Writes ``designations.csv`` and ``designations.txt`` beside the clips.

    Where one is there already, both get the next free number.

    Raises:
        UsageError: The folder cannot be written to.
        NoSpaceError: The disk is full; neither half is left.
    """
    folder = open_folder(folder)
    told = [designation_row(number, row) for number, row in enumerate(rows, start=1)]
    with unfinished(folder) as table_part, unfinished(folder) as text_part:
        table_part.write_text(_table(told), encoding="utf-8", newline="")
        text_part.write_text(_text(told), encoding="utf-8")
        stem = free_stem(folder, "designations", (".csv", ".txt"))
        text = publish(text_part, folder / f"{stem}.txt", overwrite=False)
        try:
            return publish(table_part, folder / f"{stem}.csv", overwrite=False), text
        except BaseException:
            text.unlink(missing_ok=True)
            raise


def _table(rows: Sequence[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows({name: cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _text(rows: Sequence[dict[str, Any]]) -> str:
    """The same for reading: each designation with its testimony, and the running time."""
    parts = []
    for row in rows:
        parts.append("\n".join(_told(row)))
    cut = [row for row in rows if row["status"] == "cut"]
    total_s = sum(float(row["length_s"]) for row in cut)
    left = f", {len(rows) - len(cut)} not cut" if len(cut) < len(rows) else ""
    clips = "1 clip" if len(cut) == 1 else f"{len(cut)} clips"
    parts.append(f"Total running time {_clock(total_s)} ({clips}{left}).")
    return "\n\n".join(parts) + "\n"


def _told(row: dict[str, Any]) -> list[str]:
    volume = f", vol. {row['volume']}" if row["volume"] else ""
    day = f", {row['taken_on']}" if row["taken_on"] else ""
    ident = f"  [{row['id']}]" if row["id"] else ""
    remark = f"  {row['remark']}" if row["remark"] else ""
    head = f"{row['number']}.  {row['witness']} {row['range']}{volume}{day}{ident}{remark}".strip()
    if row["status"] != "cut":
        return [head, f"    Not cut: {row['reason']}."]
    where = f"{row['start']} - {row['end']}  ({_clock(row['length_s'])}; times {row['times']})"
    file = f"    {row['clip_file']}  from  {row['video']}"
    lack = [f"    Note: {row['reason']}."] if row["reason"] else []
    quoted = [f"    {line}" for line in row["testimony"].split("\n")]
    return [head, f"    {where}", file, *lack, "", *quoted]


def _clock(seconds: float) -> str:
    total_ms = round(seconds * 1000)
    whole_s, ms = divmod(total_ms, 1000)
    return f"{whole_s // 3600}:{whole_s // 60 % 60:02}:{whole_s % 60:02}.{ms:03}"
