"""What a person, or a program, sees of an export."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .render import Progress, Screen, as_sentence, display_safe, path_fields
from .timecode import clock_ms

if TYPE_CHECKING:
    from index.clips.export import ClipRequest, ClipResult


class ExportView:
    """Implements ``index.clips.export.ExportObserver`` on a screen."""

    def __init__(self, screen: Screen, progress: Progress) -> None:
        self._screen = screen
        self._progress = progress
        self._number = 0
        self._total = 1

    def clip_started(self, request: ClipRequest, number: int, total: int) -> None:
        """Work on a clip begins."""
        self._number, self._total = number, total
        self.clip_progress(0.0)

    def clip_progress(self, share: float) -> None:
        """Share of the present clip that is cut."""
        whole = (self._number - 1 + share) / self._total
        self._progress.update(whole, f"cutting clip {self._number} of {self._total}")

    def clip_finished(self, result: ClipResult) -> None:
        """A clip is there, or has failed."""
        if self._screen.as_json:
            self._screen.json("clip", _fields(result))
        elif result.path is not None:
            span = f"{clock_ms(result.start_s or 0)} - {clock_ms(result.end_s or 0)}"
            self._screen.result(f"{self._screen.path(os.fsencode(result.path))}  {span}")
        for note in result.notes:
            self._screen.note(f"{display_safe(result.request.source)}: {note}")


def show_export_summary(
    screen: Screen, results: Sequence[ClipResult], manifest: Path | None
) -> None:
    """What was cut, what failed and why, and where the manifest is."""
    done = sum(result.ok for result in results)
    failed = len(results) - done
    if screen.as_json:
        where = path_fields(os.fsencode(manifest), "manifest") if manifest else {"manifest": None}
        screen.json("summary", {"clips": done, "failed": failed, **where})
    for result in results:
        if result.failure is not None:
            said = (result.failure.message, result.failure.remedy)
            screen.warning(" ".join(["no clip:", *(as_sentence(text) for text in said if text)]))
    numbered = sum(result.numbered for result in results)
    if numbered:
        files = "1 file is" if numbered == 1 else f"{numbered} files are"
        screen.note(
            f"{files} numbered anew (_2, _3 ...), because files of the same names were there "
            "already; --overwrite replaces them."
        )
    clips = "1 clip" if done == 1 else f"{done} clips"
    unverified = sum(result.ok and not result.verified for result in results)
    told = [f"{clips} cut"] + ([f"{failed} failed"] if failed else [])
    told += [f"{unverified} could not be verified"] if unverified else []
    screen.note(", ".join(told) + (f"; manifest: {manifest}" if manifest else "") + ".")


def _fields(result: ClipResult) -> dict[str, object]:
    request, failure = result.request, result.failure
    clip = path_fields(os.fsencode(result.path), "clip") if result.path else {"clip": None}
    return {
        **clip,
        **path_fields(request.source, "source"),
        "asked_start_s": request.start_s,
        "asked_end_s": request.end_s,
        "start_s": result.start_s,
        "end_s": result.end_s,
        "frames": result.frames,
        "mode": result.mode,
        "verified": result.verified,
        "numbered": result.numbered,
        "sha256": result.clip_sha256,
        "source_sha256": result.source_sha256,
        "notes": list(result.notes),
        "failure": failure.message if failure else None,
    }
