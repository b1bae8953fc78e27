"""One clip cut alone, as most tests of clips want it."""

from __future__ import annotations

from index.clips.export import ClipRequest, ClipResult, ExportOptions, export_clips


def export_clip(request: ClipRequest, options: ExportOptions) -> ClipResult:
    """The only result of cutting one clip."""
    (result,) = export_clips([request], options)
    return result
