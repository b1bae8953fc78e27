"""Readers: QVHighlights, Charades-STA, ActivityNet Captions, TACoS, Charades, and our own files.

Every reader returns the same records; a bad row is named with its file and line.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from index.errors import UsageError

from .records import Annotations, Collector, Record, Window

Spans = tuple[Window, ...]
FEATURE_SUFFIXES = (".npz", ".npy")
MEDIA_SUFFIXES = (".mp4", ".mkv", ".avi", ".webm", ".mov", ".m4v", *FEATURE_SUFFIXES)
_OWN_COLUMNS = ("video", "query", "start_s", "end_s")
_CHARADES_COLUMNS = ("id", "actions", "length")
_CHARADES_STA = re.compile(r"^(\S+)\s+(\S+)\s+(\S+?)\s*##(.*)$")


def read_annotations(
    path: Path,
    dataset: str = "auto",
    *,
    classes: Path | None = None,
    durations_s: Mapping[str, float] | None = None,
    known_videos: set[str] | None = None,
    with_absent: bool = False,
) -> Annotations:
    """Reads one annotation file.

    Args:
        path: The file.
        dataset: ``qvhighlights``, ``charades-sta``, ``activitynet``, ``tacos``,
            ``charades``, ``own`` or ``auto`` (told from the file itself).
        classes: Class list of Charades (``c092 Opening a window``).
        durations_s: Lengths of videos where the annotations have none.
        known_videos: Names that exist; a row about another one is a bad row.
        with_absent: Rows without a window are good ones: their video does not show what is
            asked. They list no window, or leave both start and end empty.

    Returns:
        Good records and bad rows; `Annotations.checked` raises when there are bad ones.

    Raises:
        UsageError: The file cannot be read, its kind cannot be told, or its first line
            lacks columns.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageError(f"cannot read annotations {path}: {why}", "check the path") from error
    name = _told_from(path, text) if dataset == "auto" else dataset
    rows = Collector(path, known_videos, with_absent)
    if name == "charades":
        if classes is None:
            raise UsageError(
                "Charades names actions by codes", "pass its class list with --classes FILE"
            )
        _charades(text, rows, _class_list(classes))
    elif name in _READERS:
        _READERS[name](text, rows, durations_s or {})
    else:
        raise UsageError(f"unknown data set {name!r}", f"one of {', '.join([*DATASETS])}")
    return rows.done()


def video_name(text: str) -> str:
    """A video's name without folder and media suffix: ``clips/a.mp4`` is ``a``."""
    stem = text.replace("\\", "/").rsplit("/", 1)[-1]
    for suffix in MEDIA_SUFFIXES:
        if stem.lower().endswith(suffix):
            return stem[: -len(suffix)]
    return stem


def _told_from(path: Path, text: str) -> str:
    head = text[:4096].lstrip()
    first = head.split("\n", 1)[0]
    if path.suffix == ".csv":
        return "charades" if "actions" in first.split(",") else "own"
    if path.suffix == ".txt" and "##" in first:
        return "charades-sta"
    if path.suffix in (".jsonl", ".ndjson"):
        return "qvhighlights" if '"relevant_windows"' in first else "own"
    if path.suffix == ".json":
        return "tacos" if '"fps"' in head else "activitynet"
    raise UsageError(f"cannot tell the format of {path}", "name it with --dataset")


def _json_lines(text: str, rows: Collector) -> list[tuple[int, dict[str, Any]]]:
    out = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            rows.problem(number, f"not JSON: {error.msg}")
            continue
        if isinstance(row, dict):
            out.append((number, row))
        else:
            rows.problem(number, "not a JSON object")
    return out


def _qvhighlights(text: str, rows: Collector, durations_s: Mapping[str, float]) -> None:
    needed = ("qid", "query", "vid", "duration", "relevant_windows")
    for number, row in _json_lines(text, rows):
        if lacking := _lacking(needed, row):
            rows.problem(number, lacking)
            continue
        try:
            record = Record(
                qid=row["qid"],
                video=video_name(str(row["vid"])),
                query=_words(row["query"]),
                windows=_windows(row["relevant_windows"]),
                duration_s=_number(row["duration"], "duration"),
                clip_ids=tuple(int(clip) for clip in row.get("relevant_clip_ids", ())),
                saliency=tuple(
                    tuple(float(v) for v in scores) for scores in row.get("saliency_scores", ())
                ),
            )
        except (KeyError, TypeError, ValueError) as error:
            rows.problem(number, _said(error))
            continue
        rows.add(number, record)


def _own_jsonl(text: str, rows: Collector, durations_s: Mapping[str, float]) -> None:
    for number, row in _json_lines(text, rows):
        needed = ("video", "query", "windows") if "windows" in row else _OWN_COLUMNS
        if lacking := _lacking(needed, row):
            rows.problem(number, lacking)
            continue
        try:
            video = video_name(str(row["video"]))
            windows = _windows(row["windows"]) if "windows" in row else _span(row, None)
            given = row.get("duration_s", durations_s.get(video))
            record = Record(
                qid=row.get("qid", number),
                video=video,
                query=_words(row["query"]),
                windows=windows,
                duration_s=None if given is None else _number(given, "duration_s"),
                split=str(row.get("split", "")),
            )
        except (KeyError, TypeError, ValueError) as error:
            rows.problem(number, _said(error))
            continue
        rows.add(number, record)


def _own_csv(text: str, rows: Collector, durations_s: Mapping[str, float]) -> None:
    table = _table(text, rows, _OWN_COLUMNS, "duration_s, the length of the video, may follow")
    gathered: dict[tuple[str, str], tuple[int, list[Spans], float | None, str]] = {}
    for row in table:
        number = table.line_num
        video, query = video_name(row["video"] or ""), row["query"] or ""
        try:
            span = _span(row, "")
            given = row.get("duration_s") or durations_s.get(video)
            duration_s = None if given is None else _number(given, "duration_s")
        except (TypeError, ValueError) as error:
            rows.problem(number, _said(error))
            continue
        first = gathered.setdefault(
            (video, query), (number, [], duration_s, row.get("split") or "")
        )
        first[1].append(span)
    for (video, query), (number, spans, duration_s, split) in gathered.items():
        windows = tuple(sorted(window for span in spans for window in span))
        if windows and not all(spans):
            rows.problem(number, f"{query!r} has a moment in one row and none in another")
            continue
        rows.add(number, Record(number, video, query, windows, duration_s, split=split))


def _own(text: str, rows: Collector, durations_s: Mapping[str, float]) -> None:
    reader = _own_jsonl if text.lstrip()[:1] in "{[" else _own_csv
    reader(text, rows, durations_s)


def _charades_sta(text: str, rows: Collector, durations_s: Mapping[str, float]) -> None:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        found = _CHARADES_STA.match(line.strip())
        if not found:
            rows.problem(number, "not 'VIDEO START END##SENTENCE'")
            continue
        video, start, end, query = found.groups()
        try:
            window = (_number(start, "the start"), _number(end, "the end"))
        except ValueError as error:
            rows.problem(number, _said(error))
            continue
        rows.add(number, Record(number, video, query.strip(), (window,), durations_s.get(video)))


def _captions(text: str, rows: Collector, unit_s: Callable[[dict[str, Any]], float]) -> None:
    try:
        table = json.loads(text)
    except json.JSONDecodeError as error:
        rows.problem(error.lineno, f"not JSON: {error.msg}")
        return
    if not isinstance(table, dict):
        rows.problem(1, "not a JSON object with an entry for each video")
        return
    qid = 0
    position = 0
    for video, entry in table.items():
        position = max(position, text.find(json.dumps(video, ensure_ascii=False), position))
        number = text.count("\n", 0, position) + 1
        try:
            if not isinstance(entry, dict):
                raise ValueError("not a JSON object with timestamps and sentences")
            times, sentences = entry["timestamps"], entry["sentences"]
            if len(times) != len(sentences):
                raise ValueError(f"{len(times)} timestamps for {len(sentences)} sentences")
            pairs = list(zip(times, sentences, strict=True))
            step_s = unit_s(entry)
            length = entry["duration"] if "duration" in entry else entry["num_frames"] * step_s
            duration_s = _number(length, "the duration")
        except (KeyError, TypeError, ValueError) as error:
            rows.problem(number, f"{video}: {_said(error)}")
            continue
        for window, sentence in pairs:
            try:
                ((start, end),) = _windows([window])
            except (TypeError, ValueError) as error:
                rows.problem(number, f"{video}: {_said(error)}")
                continue
            span = (start * step_s, end * step_s)
            rows.add(
                number,
                Record(qid, video_name(video), str(sentence).strip(), (span,), duration_s),
            )
            qid += 1


def _activitynet(text: str, rows: Collector, durations_s: Mapping[str, float]) -> None:
    _captions(text, rows, lambda entry: 1.0)


def _tacos(text: str, rows: Collector, durations_s: Mapping[str, float]) -> None:
    _captions(text, rows, _frame_s)


def _frame_s(entry: dict[str, Any]) -> float:
    fps = _number(entry["fps"], "fps")
    if fps <= 0:
        raise ValueError(f"fps {fps:g} is not above 0")
    return 1.0 / fps


def _charades(text: str, rows: Collector, names: Mapping[str, str]) -> None:
    table = _table(text, rows, _CHARADES_COLUMNS, "others are left alone")
    for row in table:
        number, video = table.line_num, row["id"] or ""
        actions: dict[str, list[tuple[float, float]]] = {}
        try:
            duration_s = _number(row["length"], "length")
            for action in filter(None, (row["actions"] or "").split(";")):
                if len(action.split()) != 3:
                    raise ValueError(f"action {action!r} is not CODE START END")
                code, start, end = action.split()
                if code not in names:
                    rows.problem(number, f"action {code!r} is not in the class list")
                    continue
                actions.setdefault(code, []).append(
                    (_number(start, "the start"), _number(end, "the end"))
                )
        except (TypeError, ValueError) as error:
            rows.problem(number, _said(error))
            continue
        for code, windows in actions.items():
            rows.add(
                number,
                Record(f"{video}-{code}", video, names[code], tuple(sorted(windows)), duration_s),
            )


def _class_list(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageError(f"cannot read the class list {path}: {why}", "check the path") from error
    return dict(line.split(maxsplit=1) for line in lines if len(line.split(maxsplit=1)) == 2)


def _windows(value: Any) -> Spans:
    if not isinstance(value, list) or not all(isinstance(w, list) and len(w) == 2 for w in value):
        raise ValueError(f"windows {value!r} are not a list of [start, end]")
    return tuple((_number(start, "a start"), _number(end, "an end")) for start, end in value)


def _span(row: Mapping[str, Any], empty: str | None) -> Spans:
    """The one window of a row of our own; none where both ends are empty."""
    if row["start_s"] == row["end_s"] == empty:
        return ()
    return ((_number(row["start_s"], "start_s"), _number(row["end_s"], "end_s")),)


def _number(value: Any, name: str) -> float:
    try:
        if isinstance(value, int | float | str) and not isinstance(value, bool):
            return float(value)
    except ValueError:
        pass
    raise ValueError(
        f"{name} is missing" if value is None else f"{name} is {value!r}, not a number"
    )


def _words(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"the query is {value!r}, not text")
    return value


def _table(text: str, rows: Collector, needed: Collection[str], more: str) -> csv.DictReader[str]:
    """A table whose first line names its columns; a line with too few cells has None in them.

    Raises:
        UsageError: Columns are missing; all of them are named, beside those that are there.
    """
    table = csv.DictReader(io.StringIO(text, newline=""))
    found = table.fieldnames or ()
    missing = [name for name in needed if name not in found]
    if missing:
        raise UsageError(
            f"{rows.path} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}",
            "Name the columns in the first line of the file, between commas.",
            (
                f"Its first line names: {', '.join(map(repr, found)) or 'nothing'}.",
                f"Needed are: {', '.join(needed)}; {more}.",
            ),
        )
    return table


def _lacking(needed: Collection[str], row: Mapping[str, Any]) -> str:
    """What a JSON row lacks and has; empty where it has everything."""
    missing = [name for name in needed if name not in row]
    there = ", ".join(map(repr, row)) or "nothing"
    return f"no {', '.join(missing)}; the row has {there}" if missing else ""


def _said(error: Exception) -> str:
    return f"no {error}" if isinstance(error, KeyError) else str(error)


_READERS: dict[str, Callable[[str, Collector, Mapping[str, float]], None]] = {
    "qvhighlights": _qvhighlights,
    "charades-sta": _charades_sta,
    "activitynet": _activitynet,
    "tacos": _tacos,
    "own": _own,
}
DATASETS = ("auto", *_READERS, "charades")
"""What --dataset takes."""
