"""What a person, or a program, sees of an export of designations."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .render import Screen, as_sentence, path_fields
from .timecode import clock_ms

if TYPE_CHECKING:
    from index.clips.designation_report import Designated


def show_designations(
    screen: Screen, rows: Sequence[Designated], manifest: Path | None, report: Path | None
) -> None:
    """What was cut and how long it runs, what was not and why, and where the report is."""
    from index.clips.designation_report import designation_row

    cut = [row for row in rows if row.result is not None and row.result.ok]
    failed = [row for row in rows if row.result is not None and not row.result.ok]
    unmatched = [row.unmatched for row in rows if row.unmatched is not None]
    total_s = sum(row.length_s for row in cut)
    if screen.as_json:
        for number, row in enumerate(rows, start=1):
            screen.json("designation", designation_row(number, row))
        screen.json(
            "summary",
            {
                "clips": len(cut),
                "failed": len(failed),
                "unmatched": len(unmatched),
                "seconds": round(total_s, 3),
                **_path("manifest", manifest),
                **_path("report", report),
            },
        )
    for missing in unmatched:
        asked = missing.designation
        whose = f"{asked.transcript} " if asked.transcript else ""
        where = f"no clip for {whose}{asked.range} (line {asked.number} of the list)"
        screen.warning(f"{where}: {missing.reason}.")
    for row in failed:
        failure = row.result.failure if row.result else None
        if failure is not None and row.stretch is not None:
            said = " ".join(as_sentence(text) for text in (failure.message, failure.remedy) if text)
            screen.warning(f"no clip for {row.stretch.cited}: {said}")
    lacks = [(row.stretch.cited, row.stretch.lack) for row in cut if row.stretch is not None]
    for cited, lack in dict.fromkeys(lacks):
        if lack:
            screen.warning(f"{cited}: {lack}.")
    stretches = [row.stretch for row in cut if row.stretch is not None]
    unsure = sorted({row.deposition.name for row in stretches if row.quality != "exact"})
    if unsure:
        screen.note(
            f"The times of {' and '.join(unsure)} were not synchronised by a person; listen to the "
            "edges of these clips."
        )
    told = ["1 clip cut" if len(cut) == 1 else f"{len(cut)} clips cut"]
    told += [f"{len(failed)} failed"] if failed else []
    told += [f"{len(unmatched)} matched nothing"] if unmatched else []
    told += [f"running time {clock_ms(total_s)}"] if cut else []
    where = f"; report: {report}" if report else ""
    screen.note(", ".join(told) + where + ".")


def _path(name: str, path: Path | None) -> dict[str, str | None]:
    return {**path_fields(os.fsencode(path), name)} if path else {name: None}
