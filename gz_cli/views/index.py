"""What a person, or a program, sees of an index run."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from .pace import Pace
from .render import Progress, Screen, display_safe, path_fields, shell_quoted, size_text
from .timecode import clock, spoken_length

if TYPE_CHECKING:
    from index.indexing.progress import IndexProgress, IndexSummary
    from index.indexing.scan import Problem

_STATUS_EVERY_S = 1.0
_MOST_KINDS = 6
"""Kinds of skipped files that are named."""


class IndexView:
    """Implements ``index.indexing.progress.IndexObserver`` on a screen."""

    def __init__(
        self, screen: Screen, progress: Progress, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._screen = screen
        self._progress = progress
        self._now = now
        self._told_s = float("-inf")
        self._pace = Pace()

    def scanned(self, files: int, size_bytes: int) -> None:
        """The walk is over: how much there is to read."""
        if self._screen.as_json:
            self._screen.json("scanned", {"files": files, "size_bytes": size_bytes})
        if files:
            self._screen.note(f"{_files(files)} to read, {size_text(size_bytes)}.")

    def progress(self, progress: IndexProgress) -> None:
        """Another piece is done."""
        if progress.words or progress.sounds:
            text = _names_text(progress)
        else:
            self._pace.update(progress)
            text = _progress_text(progress, self._pace)
        self._progress.update(progress.share_done, text)
        if self._screen.as_json and self._now() - self._told_s >= _STATUS_EVERY_S:
            self._told_s = self._now()
            self._screen.json("status", _status_fields(progress, self._pace))

    def preparing(self, share: float, text: str) -> None:
        """Something beside the files takes a while."""
        self._progress.update(share, text)

    def problem(self, problem: Problem) -> None:
        """One file could not be used; people read of it at the end, programs at once."""
        if self._screen.as_json:
            self._screen.json("problem", _problem_fields(problem))

    def note(self, text: str) -> None:
        """Something worth knowing."""
        self._screen.note(text)


def show_summary(screen: Screen, summary: IndexSummary) -> None:
    """The end of an index run: its problems by name, then what it did."""
    if screen.as_json:
        screen.json("summary", _summary_fields(summary))
    for problem in summary.problems:
        screen.warning(f"{display_safe(problem.path)}: {problem.reason}")
    for root in summary.offline_roots:
        screen.warning(
            f"{display_safe(root)}: out of reach; its videos are kept. "
            f"If it is gone for good: gz index --prune {shell_quoted(root)}"
        )
    if summary.skipped:
        screen.note(_skipped_text(summary))
    screen.note(_done_text(summary))
    if summary.transcribed:
        screen.note(_transcribed_text(summary))
    if text := _texts_text(summary):
        screen.note(text)
    coarse = f", {summary.coarse:,} of them by key frames so far" if summary.coarse else ""
    files = _videos_and_sounds(summary.searchable, summary.searchable_sounds)
    screen.note(f"{files} to search{coarse}.")


def _skipped_text(summary: IndexSummary) -> str:
    from index.indexing.kinds import counted

    some = summary.skipped_kinds[:_MOST_KINDS]
    rest = summary.skipped - sum(count for _, count in some)
    parts = [counted(count, kind) for kind, count in some] + [f"{rest:,} more"] * bool(rest)
    return f"{counted(summary.skipped, 'other file')} skipped: {', '.join(parts)}."


def _transcribed_text(summary: IndexSummary) -> str:
    sounds = summary.transcribed_sounds
    files = _videos_and_sounds(summary.transcribed - sounds, sounds)
    silent = summary.transcribed_silent
    nobody = f", in {silent:,} of them nobody speaks" if silent else ""
    length = spoken_length(summary.transcribed_s)
    return f"{files} transcribed by machine ({length} of sound{nobody})."


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"


def _speed(video_s: float, elapsed_s: float) -> float | None:
    """Seconds of video per second, once there is something to say."""
    return video_s / elapsed_s if video_s > 0 and elapsed_s > 0 else None


def _speed_text(speed: float) -> str:
    return f"{speed:.1f}x real time" if speed < 10 else f"{speed:,.0f}x real time"


def _names_text(progress: IndexProgress) -> str:
    name = display_safe(progress.current.rsplit(b"/", 1)[-1])
    what = "reading texts" if progress.words else "sound files"
    return f"{what}  {progress.files_done:,}/{progress.files_total:,}  {name}"


def _progress_text(progress: IndexProgress, pace: Pace) -> str:
    parts = ["first look"] if progress.coarse else []
    parts += ["reading the screen"] if progress.reading else []
    parts += ["transcribing"] if progress.speech else []
    parts += [
        f"{progress.files_done:,}/{_files(progress.files_total)}",
        f"{clock(progress.video_s)} of {'sound' if progress.speech else 'video'}",
    ]
    speed, left_s = pace.times_real_time, pace.left_s
    parts += [_speed_text(speed)] if speed is not None else []
    parts += [f"{clock(left_s)} left"] if left_s is not None else []
    name = display_safe(progress.current.rsplit(b"/", 1)[-1])
    return "  ".join([*parts, name])


def _status_fields(progress: IndexProgress, pace: Pace) -> dict[str, object]:
    return {
        "coarse": progress.coarse,
        "speech": progress.speech,
        "words": progress.words,
        "reading": progress.reading,
        "sounds": progress.sounds,
        "files_done": progress.files_done,
        "files_total": progress.files_total,
        "share_done": progress.share_done,
        "video_s": progress.video_s,
        "frames": progress.frames,
        "frames_encoded": progress.frames_encoded,
        "elapsed_s": progress.elapsed_s,
        "times_real_time": pace.times_real_time,
        "left_s": pace.left_s,
        **path_fields(progress.current, "current"),
    }


def _problem_fields(problem: Problem) -> dict[str, object]:
    return {**path_fields(problem.path), "reason": display_safe(problem.reason)}


def _summary_fields(summary: IndexSummary) -> dict[str, object]:
    return {
        "indexed": summary.indexed,
        "unchanged": summary.unchanged,
        "moved": summary.moved,
        "duplicates": summary.duplicates,
        "failed": summary.failed,
        "failed_before": summary.failed_before,
        "skipped": summary.skipped,
        "skipped_kinds": dict(summary.skipped_kinds),
        "hidden": summary.hidden,
        "pruned": summary.pruned,
        "offline_roots": [path_fields(root) for root in summary.offline_roots],
        "problems": [_problem_fields(problem) for problem in summary.problems],
        "video_s": summary.video_s,
        "frames": summary.frames,
        "frames_encoded": summary.frames_encoded,
        "elapsed_s": summary.elapsed_s,
        "searchable": summary.searchable,
        "sounds": summary.sounds,
        "sound_s": summary.sound_s,
        "searchable_sounds": summary.searchable_sounds,
        "coarse": summary.coarse,
        "transcribed": summary.transcribed,
        "transcribed_s": summary.transcribed_s,
        "transcribed_silent": summary.transcribed_silent,
        "transcribed_sounds": summary.transcribed_sounds,
        "transcribed_failed": summary.transcribed_failed,
        "texts_read": summary.texts_read,
        "texts_videos": summary.texts_videos,
        "texts_failed": summary.texts_failed,
        "texts_gone": summary.texts_gone,
        "screens_read": summary.screens_read,
        "interrupted": summary.interrupted,
    }


def _done_text(summary: IndexSummary) -> str:
    head = f"{_files(summary.indexed)} indexed"
    speed = _speed(summary.video_s, summary.elapsed_s)
    parts = []
    if speed is not None:
        length = spoken_length(summary.video_s)
        parts.append(f"{length} of video, {_frames(summary)}, {_speed_text(speed)}")
    if summary.sounds:
        parts.append(f"{_sounds(summary.sounds)} of {spoken_length(summary.sound_s)}")
    head += f" ({'; '.join(parts)})" if parts else ""
    duplicates = "duplicate" if summary.duplicates == 1 else "duplicates"
    screens = "screen read" if summary.screens_read == 1 else "screens read"
    counts = {
        screens: summary.screens_read,
        "unchanged": summary.unchanged,
        "moved": summary.moved,
        duplicates: summary.duplicates,
        "failed": summary.failed,
        "failed before (gz ls says why, --retry tries again)": summary.failed_before,
        "hidden until they are back": summary.hidden,
        "forgotten": summary.pruned,
    }
    told = [head, *(f"{count:,} {word}" for word, count in counts.items() if count)]
    return f"{', '.join(told)}."


def _texts_text(summary: IndexSummary) -> str:
    """What became of texts; empty where nothing did."""
    videos = "1 video" if summary.texts_videos == 1 else f"{summary.texts_videos:,} videos"
    read = f"{_texts(summary.texts_read)} of {videos} read"
    parts = [read] * bool(summary.texts_read)
    parts += [f"{_texts(summary.texts_failed)} could not be read"] * bool(summary.texts_failed)
    parts += [f"{_texts(summary.texts_gone)} gone"] * bool(summary.texts_gone)
    return f"{', '.join(parts)}." if parts else ""


def _texts(count: int) -> str:
    return "1 text" if count == 1 else f"{count:,} texts"


def _frames(summary: IndexSummary) -> str:
    text = f"{summary.frames:,} frames"
    still = summary.frames - summary.frames_encoded
    return f"{text}, {still / summary.frames:.0%} still" if still > 0 else text


def _videos_and_sounds(videos: int, sounds: int) -> str:
    parts = ["1 video" if videos == 1 else f"{videos:,} videos"] if videos or not sounds else []
    parts += [_sounds(sounds)] * bool(sounds)
    return " and ".join(parts)


def _sounds(count: int) -> str:
    return "1 sound file" if count == 1 else f"{count:,} sound files"
