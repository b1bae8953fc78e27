"""What a person, or a program, sees of a run that is only planned."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .render import Screen, display_safe, path_fields, size_text
from .timecode import spoken_length

if TYPE_CHECKING:
    from index.indexing.forecast import Forecast, Workload
    from index.indexing.forecast_words import WordsAhead


def show_forecast(
    screen: Screen,
    work: Workload,
    ahead: Forecast,
    words: WordsAhead,
    model: str,
    *,
    model_is_here: bool,
) -> None:
    """What would be read, how long it would take and how much disk."""
    if screen.as_json:
        screen.json("dry_run", {**_fields(work, ahead, model, model_is_here), **_words(words)})
        return
    screen.result(_files_text(work))
    if work.to_read:
        screen.result(_video_text(ahead, len(work.to_read)))
        screen.result(_time_text(ahead, model, model_is_here))
        screen.result(_disk_text(ahead))
    for line in _words_lines(work, words):
        screen.result(line)
    for path in work.forgotten:
        screen.result(f"To be forgotten, because its file is gone: {display_safe(path)}")
    for problem in work.problems:
        screen.warning(f"{display_safe(problem.path)}: {problem.reason}")
    screen.note("Nothing was written.")


def _files_text(work: Workload) -> str:
    count = len(work.to_read) + len(work.sounds)
    head = f"{count:,} {'file' if count == 1 else 'files'} to read, {size_text(_size_bytes(work))}"
    counts = {
        "new": work.new,
        "changed or waiting": work.changed,
        "unchanged": work.unchanged,
        "moved or duplicates": work.known_content,
        "failed before": work.failed_before,
        "skipped": work.skipped,
    }
    told = ", ".join(f"{number:,} {word}" for word, number in counts.items() if number)
    return f"{head}{': ' if told else ''}{told}."


def _size_bytes(work: Workload) -> int:
    return work.size_bytes + sum(file.stat.size_bytes for file in work.sounds)


def _video_text(ahead: Forecast, files: int) -> str:
    if ahead.video_s is None:
        return "How long the videos are, none of them says."
    if ahead.opened >= files:
        return f"{spoken_length(ahead.video_s)} of video."
    return (
        f"About {spoken_length(ahead.video_s)} of video, "
        f"by the size of the files and the length of {ahead.opened}."
    )


def _time_text(ahead: Forecast, model: str, model_is_here: bool) -> str:
    decode = "" if ahead.decode_s is None else f"decoding {_length(ahead.decode_s)}"
    if not model_is_here:
        away = f"the model {model} is not on this machine, so its part is not known"
        return f"{decode[:1].upper()}{decode[1:] or 'Time not known'}; {away}."
    if ahead.takes_s is None or ahead.encode_s is None:
        return "How long it would take could not be measured."
    model_s = f"{model} at most {_length(ahead.encode_s)}"
    return f"About {_length(ahead.takes_s)}: {decode}, beside it {model_s}."


def _words_lines(work: Workload, words: WordsAhead) -> Iterator[str]:
    """What would be listened to and read on the screen; nothing where nothing would."""
    if count := len(work.sounds):
        files = "1 sound file" if count == 1 else f"{count:,} sound files"
        known = "" if words.sound_s is None else f", about {spoken_length(words.sound_s)}"
        yield f"{files}{known}."
    if words.speech_s is None or words.speech_s >= 1:
        what = "" if words.speech_s is None else f" of about {spoken_length(words.speech_s)}"
        yield f"Writing down what is said{what} comes afterwards: {_at_most(words.listen_s)}."
    if words.screen_s is None or words.screen_s >= 1:
        what = "" if words.screen_s is None else f" of about {spoken_length(words.screen_s)}"
        yield f"Reading the screen{what}: {_at_most(words.read_s)}."


def _at_most(seconds: float | None) -> str:
    if seconds is None:
        return "how long it takes is not known"
    return f"by estimate at most {_length(seconds)}"


def _words(words: WordsAhead) -> dict[str, object]:
    return {
        "sound_s": words.sound_s,
        "speech_s": words.speech_s,
        "listen_s": words.listen_s,
        "screen_s": words.screen_s,
        "read_s": words.read_s,
    }


def _length(seconds: float) -> str:
    return "less than a second" if seconds < 1 else spoken_length(seconds)


def _disk_text(ahead: Forecast) -> str:
    if ahead.disk_bytes is None:
        return "How much disk it would need is known once the model is here."
    return f"About {size_text(ahead.disk_bytes)} of disk for the library."


def _fields(work: Workload, ahead: Forecast, model: str, model_is_here: bool) -> dict[str, object]:
    return {
        "files": len(work.to_read) + len(work.sounds),
        "sounds": len(work.sounds),
        "size_bytes": _size_bytes(work),
        "new": work.new,
        "changed": work.changed,
        "unchanged": work.unchanged,
        "known_content": work.known_content,
        "failed_before": work.failed_before,
        "skipped": work.skipped,
        "forgotten": [path_fields(path) for path in work.forgotten],
        "problems": [
            {**path_fields(problem.path), "reason": display_safe(problem.reason)}
            for problem in work.problems
        ],
        "video_s": ahead.video_s,
        "files_opened": ahead.opened,
        "frames": ahead.frames,
        "decode_s": ahead.decode_s,
        "encode_s": ahead.encode_s,
        "takes_s": ahead.takes_s,
        "disk_bytes": ahead.disk_bytes,
        "model": model,
        "model_is_here": model_is_here,
    }
