"""One annotated sentence, whatever data set it came from, and the checks every row passes."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from index.errors import UsageError

Window = tuple[float, float]
END_SLACK_S = 1.0
"""Annotated ends may pass the declared duration by rounding; they are cut there."""
_SHOWN_PROBLEMS = 3
RATERS = 3
"""People who rated each clip of QVHighlights."""
_LONGEST_ID = 200


@dataclass(frozen=True)
class Record:
    """One sentence about one video and the moments that answer it."""

    qid: int | str
    """Unique within its file; features of the sentence are found by it."""
    video: str
    """Name without folder or media suffix; features of the video are found by it."""
    query: str
    windows: tuple[Window, ...]
    """``(start_s, end_s)`` of every moment that answers the sentence; none where it is absent."""
    duration_s: float | None = None
    """Length of the video; None where the annotations do not say."""
    clip_ids: tuple[int, ...] = ()
    """2 s clips that were rated; empty without saliency."""
    saliency: tuple[tuple[float, ...], ...] = ()
    """One row of ratings, 0 to 4, for each entry of ``clip_ids``."""
    split: str = ""

    def official(self) -> dict[str, Any]:
        """The row under QVHighlights' own keys, as the evaluator reads it."""
        row: dict[str, Any] = {
            "qid": self.qid,
            "query": self.query,
            "vid": self.video,
            "duration": self.duration_s,
            "relevant_windows": [list(window) for window in self.windows],
        }
        if self.saliency:
            row["relevant_clip_ids"] = list(self.clip_ids)
            row["saliency_scores"] = [list(scores) for scores in self.saliency]
        return row


@dataclass(frozen=True)
class Problem:
    """A row that cannot be used, and where it stands."""

    path: Path
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


@dataclass(frozen=True)
class Annotations:
    """What reading a file gave: the good rows, and why the others are none."""

    path: Path
    records: tuple[Record, ...]
    problems: tuple[Problem, ...] = field(default=())

    def checked(self) -> tuple[Record, ...]:
        """The records, or an error that names the first bad rows.

        Raises:
            UsageError: A row is bad, or there is no row at all.
        """
        if self.problems:
            shown = [str(problem) for problem in self.problems[:_SHOWN_PROBLEMS]]
            more = len(self.problems) - _SHOWN_PROBLEMS
            count = len({problem.line for problem in self.problems})
            rows, them = ("row", "it") if count == 1 else ("rows", "them")
            raise UsageError(
                f"{count} bad {rows} in {self.path}",
                f"Mend {them}, or leave {them} out with --skip-bad-rows.",
                (*shown, *([f"and {more} more"] if more > 0 else ())),
            )
        return self.usable()

    def usable(self) -> tuple[Record, ...]:
        """The good records; bad rows are left out.

        Raises:
            UsageError: No good row is left.
        """
        if not self.records:
            raise UsageError(f"no usable row in {self.path}", "check --dataset and the file")
        return self.records


class Collector:
    """Gathers checked records of one file and the problems found on the way.

    Args:
        path: The file.
        known_videos: Names that exist; a record about another one is a problem.
        with_absent: A record without a window says that its video does not show what is
            asked; otherwise it is a problem.
    """

    def __init__(
        self, path: Path, known_videos: set[str] | None = None, with_absent: bool = False
    ) -> None:
        self.path = path
        self._known = known_videos
        self._with_absent = with_absent
        self._records: dict[int | str, Record] = {}
        self._problems: list[Problem] = []

    def problem(self, line: int, what: str) -> None:
        """Notes a bad row."""
        self._problems.append(Problem(self.path, line, what))

    def add(self, line: int, record: Record) -> None:
        """Takes a record when it passes every check, else notes what is wrong with it."""
        faults = list(self._faults(record))
        for what in faults:
            self.problem(line, what)
        if not faults:
            windows = tuple((s, _cut(e, record.duration_s)) for s, e in record.windows)
            self._records[record.qid] = Record(**{**record.__dict__, "windows": windows})

    def done(self) -> Annotations:
        """Everything gathered so far."""
        ordered = tuple(sorted(self._problems, key=lambda problem: problem.line))
        return Annotations(self.path, tuple(self._records.values()), ordered)

    def _faults(self, record: Record) -> Iterable[str]:
        if isinstance(record.qid, bool) or not isinstance(record.qid, int | str):
            yield f"id {record.qid!r} is neither a number nor text"
        elif len(str(record.qid)) > _LONGEST_ID or set(str(record.qid)) & {"/", "\0"}:
            yield f"id {record.qid!r} cannot be part of a file's name"
        elif record.qid in self._records:
            yield f"duplicate id {record.qid!r}"
        if not record.video:
            yield "no video name"
        elif self._known is not None and record.video not in self._known:
            yield f"missing video {record.video!r}"
        if not record.query.strip():
            yield "empty query"
        if not record.windows and not self._with_absent:
            yield "no window"
        duration_s = record.duration_s
        if duration_s is not None and not (math.isfinite(duration_s) and duration_s > 0):
            yield f"duration {duration_s} is not a positive number of seconds"
            duration_s = None
        for start_s, end_s in record.windows:
            yield from _window_faults(start_s, end_s, duration_s)
        if len(record.clip_ids) != len(record.saliency):
            yield f"{len(record.clip_ids)} rated clips but {len(record.saliency)} ratings"
        if any(clip < 0 for clip in record.clip_ids):
            yield f"rated clip {min(record.clip_ids)} is negative"
        if any(len(r) != RATERS or not all(map(math.isfinite, r)) for r in record.saliency):
            yield f"saliency_scores must hold {RATERS} numbers for each rated clip"


def _window_faults(start_s: float, end_s: float, duration_s: float | None) -> Iterable[str]:
    if not (math.isfinite(start_s) and math.isfinite(end_s)):
        yield f"window {start_s}-{end_s} is not finite"
    elif start_s < 0:
        yield f"start {start_s:g} is negative"
    elif end_s <= start_s:
        yield f"end {end_s:g} is not after start {start_s:g}"
    elif duration_s is not None and (end_s > duration_s + END_SLACK_S or start_s >= duration_s):
        yield f"window {start_s:g}-{end_s:g} ends past the duration {duration_s:g}"


def _cut(end_s: float, duration_s: float | None) -> float:
    return end_s if duration_s is None else min(end_s, duration_s)


def parse_shares(text: str) -> tuple[float, float, float]:
    """``70/15/15`` as shares of train, val and test that sum to 1.

    Raises:
        UsageError: Not three numbers, or not a sum of 100.
    """
    try:
        parts = [float(part) for part in text.split("/")]
    except ValueError:
        parts = []
    if len(parts) != 3 or min(parts) < 0 or parts[0] <= 0 or abs(sum(parts) - 100) > 1e-6:
        raise UsageError(
            f"--split {text!r} is not train/val/test in percent", "write it like 70/15/15"
        )
    return parts[0] / 100, parts[1] / 100, parts[2] / 100


def split_by_video(
    records: Sequence[Record], shares: tuple[float, float, float], seed: int
) -> Mapping[str, tuple[Record, ...]]:
    """Splits so that no video stands in two splits.

    Args:
        records: All records.
        shares: Shares of the *videos* for train, val and test; they sum to 1.
        seed: Same seed, same split, whatever the order of the records.

    Returns:
        ``train``, ``val`` and ``test``; a split with a share above zero gets at
        least one video while there are enough of them.
    """
    videos = sorted({record.video for record in records})
    random.Random(seed).shuffle(videos)  # noqa: S311 - a reproducible split, not a secret
    wanted = [share > 0 for share in shares]
    if len(videos) < sum(wanted):
        raise UsageError(
            f"{len(videos)} videos cannot be split in {sum(wanted)}", "annotate more videos"
        )
    counts = [
        max(int(want), round(s * len(videos))) for s, want in zip(shares, wanted, strict=True)
    ]
    counts[0] = len(videos) - counts[1] - counts[2]
    while counts[0] < 1:
        counts[1 if counts[1] >= counts[2] else 2] -= 1
        counts[0] += 1
    names = ["train"] * counts[0] + ["val"] * counts[1] + ["test"] * counts[2]
    home = dict(zip(videos, names, strict=True))
    return {
        name: tuple(record for record in records if home[record.video] == name)
        for name in ("train", "val", "test")
    }
