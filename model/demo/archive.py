"""An archive of the small world: real video files, sentences, and the truth about them.

The seed decides everything. Archives are made from small seeds and training from
seeds far above them, so no scene of an archive was ever trained on.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from index.search.query import parse
from index.types import FindResult, Picture, Span

from .captions import Event, possible, sentence, spans, timeline
from .lessons import random_cast
from .questions import DemoQuery as DemoQuery
from .render import render
from .spoken import speak, write_subtitles
from .world import (
    ALL_KINDS,
    FPS,
    HEIGHT,
    PLACES,
    WIDTH,
    WORDS,
    Kind,
    Scene,
    Script,
    State,
    room_scene,
    slide_scene,
)

VIDEO_NAMES = ("attic-tape.mp4", "holiday.mkv", "lobby-camera.mp4", "lecture.mp4",
               "rehearsal.mkv", "sunday.mp4")  # fmt: skip
SHORTEST_S = 3.0
"""Events that are over sooner are not asked for: at one frame a second they are luck."""
_PLAIN = {"present": 12, "left": 3, "right": 3, "table": 8, "meet": 9, "together": 2,
          "slide": 5, "dark": 3, "empty": 1}  # fmt: skip
_ABSENT = {"present": 7, "table": 3, "meet": 5, "slide": 3, "left": 1, "right": 1}
_ORDER = 6


@dataclass(frozen=True)
class DemoVideo:
    """One file of the archive and what happens in it."""

    path: Path
    script: Script


@dataclass(frozen=True)
class DemoArchive:
    """Files on disk with their truth."""

    folder: Path
    videos: tuple[DemoVideo, ...]
    queries: tuple[DemoQuery, ...]
    """About pictures."""
    spoken: tuple[DemoQuery, ...]
    """About words, alone or beside a picture."""


@dataclass(frozen=True)
class DemoScores:
    """How well the answers fit the truth; shares from 0 to 1."""

    queries: int
    """Sentences about things that do happen, order sentences included."""
    absent: int
    r1_50: float
    """First hit in the right file and overlapping the truth by half (IoU >= 0.5)."""
    r1_70: float
    order_r1_50: float
    """The same for order sentences alone."""
    rejected: float
    """Absent events for which nothing was reported."""
    lost: float
    """Present events for which nothing was reported."""
    edge_error_s: float
    """Mean distance of start and end from the truth, over the hits that `r1_50` counts."""


def make_scripts(rng: random.Random, count: int) -> list[Script]:
    """Scripts that leave some objects and some words out, so that these never happen."""
    kinds = rng.sample(ALL_KINDS, 25)
    words = rng.sample(WORDS, min(len(WORDS) - 3, 2 * count))
    scripts = []
    for number in range(count):
        places = [rng.choice(PLACES) for _ in range(5)]
        plan = ["room"] * 5 + ["slide"] * len(words[number::count]) + ["dull"]
        rng.shuffle(plan)
        told = iter(words[number::count])
        scenes: list[Scene] = []
        for item in plan:
            start_s = scenes[-1].end_s if scenes else 0.0
            length_s = round(rng.uniform(6, 9) if item == "slide" else rng.uniform(20, 34), 1)
            if item == "slide":
                scenes.append(slide_scene(rng, start_s, length_s, next(told)))
                continue
            place = places.pop() if item == "room" else rng.choice(PLACES)
            cast = _cast(rng, kinds) if item == "room" else []
            scenes.append(room_scene(rng, start_s, length_s, place, cast))
        scripts.append(Script(tuple(scenes)))
    return scripts


def _cast(rng: random.Random, kinds: Sequence[Kind]) -> list[Kind]:
    while True:
        cast = random_cast(rng, rng.choice((1, 2, 2, 2, 3)))
        if all(kind in kinds for kind in cast):
            return cast


def frames_of(states: Iterable[State]) -> Iterator[Picture]:
    """Pictures of states one after the other, drawn again only where something changed."""
    last: tuple[State, Picture] | None = None
    for state in states:
        if last is None or last[0] != state:
            last = (state, render(state))
        yield last[1]


def write_video(path: Path, pictures: Iterable[Picture]) -> None:
    """Encodes pictures as H.264, ten a second."""
    import av

    from index.media.container import open_output

    container_format = "matroska" if path.suffix == ".mkv" else "mp4"
    with open_output(path, container_format) as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = {"crf": "20", "preset": "veryfast"}
        stream.thread_count = 1
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def make_archive(
    folder: Path,
    seed: int,
    videos: int = 6,
    watch: Callable[[int, int], None] = lambda done, total: None,
) -> DemoArchive:
    """Writes the video files of an archive and says what is in them.

    Args:
        folder: Made if it is not there; files of the same names are replaced.
        seed: Decides scripts, sentences and truth.
        videos: How many files, 1 to 6.
        watch: Told how many files are done, and of how many.

    Returns:
        Absolute paths with their scripts, and about 70 queries about pictures and 30 about
        words for six videos, which have their subtitles beside them.
    """
    rng = random.Random(f"archive/{seed}")
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    names = VIDEO_NAMES[:videos]
    made = [
        DemoVideo(folder / name, script)
        for name, script in zip(names, make_scripts(rng, videos), strict=True)
    ]
    lines = [timeline(video.script) for video in made]
    for done, (video, states) in enumerate(zip(made, lines, strict=True)):
        watch(done, len(made))
        write_video(video.path, frames_of(states))
    queries = make_queries(rng, made, lines)
    lengths_s = {video.path: video.script.duration_s for video in made}
    cues, spoken = speak(random.Random(f"speech/{seed}"), lengths_s, queries)
    for path, said in cues.items():
        write_subtitles(path, said)
    return DemoArchive(folder, tuple(made), queries, spoken)


def told_events(script: Script) -> list[Event]:
    """Everything that could be said of a video's scenes, true of some moment or not."""
    events = []
    for scene in script.scenes:
        if scene.word:
            events.append(Event("slide", word=scene.word))
            continue
        for place in ("", scene.place):
            events += [Event("dark", place=place), Event("empty", place=place)]
            for actor in scene.actors:
                events += [
                    Event(kind, actor.colour, actor.shape, place=place)
                    for kind in ("present", "left", "right", "table")
                ]
                events += [
                    Event(kind, actor.colour, actor.shape, (b.colour, b.shape), place)
                    for b in scene.actors
                    if b is not actor
                    for kind in ("meet", "together")
                ]
    return list(dict.fromkeys(events))


def make_queries(
    rng: random.Random, videos: Sequence[DemoVideo], lines: Sequence[list[State]]
) -> tuple[DemoQuery, ...]:
    """Sentences about what happens in exactly one video, about what never does, about order."""
    events = list(dict.fromkeys(e for v in videos for e in told_events(v.script)))
    rng.shuffle(events)
    plain: list[tuple[Event, DemoQuery]] = []
    left = dict(_PLAIN)
    asked: set[tuple[object, ...]] = set()
    for event in events:
        if left.get(event.kind, 0) == 0 or _theme(event) in asked:
            continue
        where = [k for k, states in enumerate(lines) if possible(event, states)]
        if len(where) != 1:
            continue
        truth = spans(event, lines[where[0]])
        if not 1 <= len(truth) <= 3 or min(span.length_s for span in truth) < SHORTEST_S:
            continue
        left[event.kind] -= 1
        asked.add(_theme(event))
        said = sentence(event, rng)
        plain.append((event, DemoQuery(said, videos[where[0]].path, truth, "plain")))
    plain.sort(key=lambda pair: list(_PLAIN).index(pair[0].kind))
    return (
        *(query for _, query in plain),
        *_order_queries(rng, [query for _, query in plain]),
        *_absent_queries(rng, events, lines),
    )


def _theme(event: Event) -> tuple[object, ...]:
    """What an event is about; two events with one theme would be one question asked twice."""
    who = frozenset(((event.colour, event.shape), event.other))
    return event.kind, who, event.word, event.place if event.kind in ("dark", "empty") else ""


def _order_queries(rng: random.Random, plain: Sequence[DemoQuery]) -> list[DemoQuery]:
    """Two events of one video whose order is clear; the first clause is what is asked for."""
    made: list[DemoQuery] = []
    used: set[str] = set()
    pairs = [(a, b) for a in plain for b in plain if a.path == b.path and a is not b]
    rng.shuffle(pairs)
    for a, b in pairs:
        if len(made) == _ORDER:
            break
        if len(a.spans) + len(b.spans) > 2 or used & {a.text, b.text}:
            continue
        earlier = a.spans[0].end_s <= b.spans[0].start_s
        later = b.spans[0].end_s <= a.spans[0].start_s
        said = f"{a.text} {'before' if earlier else 'after'} {b.text}"
        # "on the right before" may mean right before: such sentences are no fair question.
        if (earlier or later) and set(parse(said).parts) == {a.text, b.text}:
            used |= {a.text, b.text}
            made.append(DemoQuery(said, a.path, a.spans, "order"))
    return made


def _absent_queries(
    rng: random.Random, events: Sequence[Event], lines: Sequence[Sequence[State]]
) -> list[DemoQuery]:
    """Things near to what happens: objects that are there elsewhere, pairs that never meet."""
    states = [state for line in lines for state in line]
    shown = {(t.colour, t.shape) for state in states for t in state.things}
    candidates: list[Event] = [e for e in events if e.kind in ("meet", "table", "left", "right")]
    pairs = [(a, b) for a in sorted(shown) for b in sorted(shown) if a != b]
    candidates += [Event("meet", *a, b) for a, b in rng.sample(pairs, min(8, len(pairs)))]
    candidates += [Event("present", *kind) for kind in ALL_KINDS if kind not in shown]
    candidates += [Event("slide", word=word) for word in WORDS]
    rng.shuffle(candidates)
    left = dict(_ABSENT)
    chosen: list[Event] = []
    for event in candidates:
        if not left.get(event.kind, 0) or _theme(event) in {_theme(e) for e in chosen}:
            continue
        if not possible(event, states):
            left[event.kind] -= 1
            chosen.append(event)
    chosen.sort(key=lambda event: list(_ABSENT).index(event.kind))
    return [DemoQuery(sentence(event, rng), None, (), "absent") for event in chosen]


def score(results: Mapping[DemoQuery, FindResult]) -> DemoScores:
    """Compares the answers of `find` with the truth; every query counts."""
    present = [(q, r) for q, r in results.items() if q.kind != "absent"]
    absent = [r for q, r in results.items() if q.kind == "absent"]
    best = {q: _best_overlap(q, r) for q, r in present}
    errors = [
        (abs(r.hits[0].span.start_s - near.start_s) + abs(r.hits[0].span.end_s - near.end_s)) / 2
        for q, r in present
        if (near := best[q][1]) is not None and best[q][0] >= 0.5
    ]
    order = [best[q][0] >= 0.5 for q, _ in present if q.kind == "order"]
    return DemoScores(
        queries=len(present),
        absent=len(absent),
        r1_50=_share(best[q][0] >= 0.5 for q, _ in present),
        r1_70=_share(best[q][0] >= 0.7 for q, _ in present),
        order_r1_50=_share(order),
        rejected=_share(not r.hits for r in absent),
        lost=_share(not r.hits for _, r in present),
        edge_error_s=sum(errors) / len(errors) if errors else float("nan"),
    )


def _share(answers: Iterable[bool]) -> float:
    counted = list(answers)
    return sum(counted) / len(counted) if counted else 0.0


def _best_overlap(query: DemoQuery, result: FindResult) -> tuple[float, Span | None]:
    """IoU of the first hit with the true moment nearest to it; 0 in another file."""
    if not result.hits or query.path is None:
        return 0.0, None
    hit = result.hits[0]
    if hit.path != bytes(query.path):
        return 0.0, None
    near = max(query.spans, key=hit.span.iou)
    return hit.span.iou(near), near
