"""Cuts moments out of videos into files of their own; sources are only ever read."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal, Protocol

from ..errors import GzError, MediaError, NoSpaceError, UsageError
from ..files import FileStat, is_no_space, no_space, sha256_file, shown
from ..indexing.kinds import sounds_by_name
from ..media.fingerprint import fingerprint
from .files import clip_name, open_folder, publish, safe_stem, unfinished
from .source import Cut

Mode = Literal["exact", "copy"]
MUXERS = {"mp4": "mp4", "mov": "mov", "mkv": "matroska"}
"""FFmpeg's container for each file ending that a clip may have."""
_EDIT_LISTS = frozenset(["mp4", "mov"])
_BARELY_FREE = 1 << 20
_SHORT_S = 0.05
"""A clip that ends this much before it should is worth a remark."""


@dataclass(frozen=True)
class ClipRequest:
    """One moment of one video, to be cut out."""

    source: bytes
    """Absolute path."""
    start_s: float
    end_s: float
    stem: str
    """How the clip's name begins; made safe before use."""
    fingerprint: str = ""
    """What the source was when it was indexed; empty skips the comparison."""
    query: str = ""
    """The sentence that found it, for the manifest."""
    presence: float | None = None
    """How sure the find was, 0 to 1, for the manifest."""
    name: str = ""
    """Whole name of the clip without its ending; empty for the stem and the times."""


@dataclass(frozen=True)
class ExportOptions:
    """How to cut and where to."""

    out: Path
    mode: Mode = "exact"
    pad_s: float = 0.0
    """Seconds added before and after, as far as the video reaches."""
    container: str = "mp4"
    """``mp4``, ``mov`` or ``mkv``."""
    overwrite: bool = False
    verify: bool = True
    """Decode each clip and compare it with its source."""
    hash_source: bool = True
    """SHA-256 of whole sources, once each; takes as long as reading them."""

    def __post_init__(self) -> None:
        if self.mode not in ("exact", "copy"):
            raise UsageError(
                f"There is no mode {self.mode!r}.", "Choose exact or copy with --mode."
            )
        if self.container not in MUXERS:
            raise UsageError(
                f"Clips cannot be written as {self.container!r}.",
                f"Choose one of {', '.join(MUXERS)} with --format.",
            )
        if self.mode == "copy" and self.container not in _EDIT_LISTS:
            raise UsageError(
                f"A copied clip can begin between key frames in mp4 and mov, but not in "
                f"{self.container}.",
                "Choose --format mp4, or --mode exact.",
            )
        if not (math.isfinite(self.pad_s) and self.pad_s >= 0):
            raise UsageError(
                f"Padding of {self.pad_s} s makes no sense.", "Give --pad 0 or more seconds."
            )


@dataclass(frozen=True)
class ClipResult:
    """What became of one request."""

    request: ClipRequest
    mode: Mode
    path: Path | None = None
    """The clip; None when it failed."""
    failure: GzError | None = None
    start_s: float | None = None
    """Real in point in the source."""
    end_s: float | None = None
    """Real out point in the source."""
    frames: int = 0
    verified: bool = False
    """The clip was decoded: frame count, times, first and last picture are as asked."""
    numbered: bool = False
    """A file of its name was there, so it got a number."""
    notes: tuple[str, ...] = ()
    source_sha256: str = ""
    source_bytes: int = 0
    clip_sha256: str = ""
    clip_bytes: int = 0

    @property
    def ok(self) -> bool:
        """True when the clip is there."""
        return self.failure is None


class ExportObserver(Protocol):
    """Told how an export goes on."""

    def clip_started(self, request: ClipRequest, number: int, total: int) -> None:
        """Work on a clip begins; ``number`` counts from 1."""
        ...

    def clip_progress(self, share: float) -> None:
        """Share of the present clip that is cut, 0 to 1."""
        ...

    def clip_finished(self, result: ClipResult) -> None:
        """A clip is there, or has failed."""
        ...


def export_clips(
    requests: Sequence[ClipRequest],
    options: ExportOptions,
    observer: ExportObserver | None = None,
) -> list[ClipResult]:
    """Cuts clips one after the other; one that fails does not stop the rest.

    A clip begins with the frame that is on screen at the asked start and ends with the
    last one that appears before the asked end, both whole; only a picture that stands
    still for more than half a second beyond an asked point is cut at that point.

    Only a full disk does: the clips that it keeps from being made all carry the
    `NoSpaceError` as their failure.

    Returns:
        One result for each request, in order.

    Raises:
        UsageError: The folder for clips cannot be used.
    """
    results: list[ClipResult] = []
    full: NoSpaceError | None = None
    export: _Export | None = None
    for number, request in enumerate(requests, start=1):
        if observer is not None:
            observer.clip_started(request, number, len(requests))
        try:
            if full is not None:
                raise full
            export = export or _Export(options)
            result = export.clip(
                request, observer.clip_progress if observer is not None else lambda share: None
            )
        except NoSpaceError as error:
            full = error
            result = ClipResult(request, options.mode, failure=error)
        results.append(result)
        if observer is not None:
            observer.clip_finished(result)
    return results


class _Export:
    """One run: the folder is prepared once, and every source is digested once."""

    def __init__(self, options: ExportOptions) -> None:
        self._options = options
        self._folder = open_folder(options.out)
        self._digests: dict[bytes, tuple[FileStat, str]] = {}

    def clip(self, request: ClipRequest, progress: Callable[[float], None]) -> ClipResult:
        """One clip, or the reason why there is none."""
        try:
            return self._cut(request, progress)
        except NoSpaceError:
            raise
        except GzError as error:
            return ClipResult(request, self._options.mode, failure=error)
        except Exception as error:
            # Damaged media raise far more than one family of errors.
            if self._is_full(error):
                raise no_space(self._folder) from error
            failure = MediaError(
                f"{shown(request.source)} could not be cut: {error}.",
                "Play it at that place to see whether it is damaged.",
            )
            failure.__cause__ = error
            return ClipResult(request, self._options.mode, failure=failure)

    def _cut(self, request: ClipRequest, progress: Callable[[float], None]) -> ClipResult:
        options = self._options
        start, end = _padded(request, options.pad_s)
        state = _present(request)
        _require_picture(request.source)
        with unfinished(self._folder) as part:
            cut = _cutter(options.mode)(
                request.source, start, end, part, MUXERS[options.container], progress
            )
            verified, notes = self._verified(part, request, cut)
            if cut.end < request.end_s - _SHORT_S:
                notes += (
                    f"the clip ends at {float(cut.end):.3f} s: nothing can be read after that",
                )
            digest = self._digest(request.source, state) if options.hash_source else ""
            if not FileStat.read(request.source).same_content_as(state):
                raise _changed(request, "while it was being cut")
            clip_sha256, clip_bytes = sha256_file(part), part.stat().st_size
            wanted = self._folder / self._name(request, cut)
            path = self._publish(part, wanted, request)
        return ClipResult(
            request=request,
            mode=options.mode,
            path=path,
            start_s=float(cut.start),
            end_s=float(cut.end),
            frames=len(cut.times),
            verified=verified,
            numbered=path != wanted,
            notes=notes,
            source_sha256=digest,
            source_bytes=state.size_bytes,
            clip_sha256=clip_sha256,
            clip_bytes=clip_bytes,
        )

    def _name(self, request: ClipRequest, cut: Cut) -> str:
        if request.name:
            return f"{safe_stem(request.name)}.{self._options.container}"
        start_s, end_s = float(cut.start), float(cut.end)
        return clip_name(request.stem, start_s, end_s, self._options.container)

    def _verified(self, part: Path, request: ClipRequest, cut: Cut) -> tuple[bool, tuple[str, ...]]:
        if not self._options.verify:
            return False, cut.notes
        from .verify import verify

        lossless = self._options.mode == "copy"
        verdict = verify(part, request.source, cut, lossless)
        if lossless and not verdict.verified:
            raise MediaError(
                f"{shown(request.source)} cannot be copied to the frame here: {verdict.note}.",
                "Cut it with --mode exact.",
            )
        return verdict.verified, (*cut.notes, *([verdict.note] if verdict.note else []))

    def _publish(self, part: Path, target: Path, request: ClipRequest) -> Path:
        with contextlib.suppress(OSError):
            if target.samefile(os.fsdecode(request.source)):
                return publish(part, target, overwrite=False)
        return publish(part, target, self._options.overwrite)

    def _digest(self, source: bytes, state: FileStat) -> str:
        known = self._digests.get(source)
        if known is None or not known[0].same_content_as(state):
            known = state, sha256_file(source)
            self._digests[source] = known
        return known[1]

    def _is_full(self, error: BaseException) -> bool:
        if isinstance(error, OSError) and is_no_space(error):
            return True
        # Some writers lose the reason on the way; the disk itself does not.
        return shutil.disk_usage(self._folder).free < _BARELY_FREE


def _cutter(mode: Mode) -> Callable[..., Cut]:
    # Imported late: the libraries of a decoder cost more than a whole `gz --help`.
    if mode == "exact":
        from .cut_exact import cut_exact

        return cut_exact
    from .cut_copy import cut_copy

    return cut_copy


def _padded(request: ClipRequest, pad_s: float) -> tuple[Fraction, Fraction]:
    ends = (request.start_s, request.end_s)
    if not all(math.isfinite(end) for end in ends) or not 0 <= ends[0] < ends[1]:
        raise UsageError(
            f"A clip from {ends[0]} s to {ends[1]} s makes no sense.",
            "The start must lie before the end.",
        )
    pad = Fraction(pad_s)
    return max(Fraction(0), Fraction(request.start_s) - pad), Fraction(request.end_s) + pad


def _present(request: ClipRequest) -> FileStat:
    """The source's state, after making sure that it is the file that was indexed."""
    try:
        state = FileStat.read(request.source)
        if request.fingerprint and fingerprint(request.source) != request.fingerprint:
            raise _changed(request, "since it was indexed")
    except OSError as error:
        raise MediaError(
            f"{shown(request.source)} is missing or cannot be read: {error.strerror}.",
            "Connect its drive, or run gz index on the place that it was moved to.",
        ) from error
    return state


def _require_picture(source: bytes) -> None:
    """Says plainly that a clip is cut by its pictures.

    Raises:
        MediaError: The source is a file of sound alone.
    """
    if sounds_by_name(source):
        raise MediaError(
            f"{shown(source)} is a sound file, and clips are only cut from videos.",
            "What is said in it: gz show --transcript; to cut the sound, use an audio editor.",
        )


def _changed(request: ClipRequest, when: str) -> MediaError:
    return MediaError(
        f"{shown(request.source)} has changed {when}.", "Run gz index on it, and search again."
    )
