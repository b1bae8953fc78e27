"""The small world: rooms, actors that come, move, meet and go, slides, and stillness.

A script says what happens; `state_at` says what one frame of it shows. Lengths are
in picture units: the picture is 192 wide and 144 high, and `y` grows downwards.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

COLOURS = ("red", "yellow", "green", "blue", "purple", "white")
SHAPES = ("ball", "box", "cone", "star", "ring", "heart")
PLACES = ("kitchen", "garden", "gallery", "cellar", "beach")
WORDS = (
    "music", "ocean", "winter", "market", "train", "bread",
    "tiger", "planet", "coffee", "river", "robot", "piano",
)  # fmt: skip
WIDTH, HEIGHT = 192, 144
FPS = 10
TABLE_TOP = 82.0
TABLE_HALF = 27.0
FLOOR = 130.0
LEFT_OF, RIGHT_OF = 68.0, 124.0
"""An actor whose centre is left of the first (right of the second) is at that side."""
TRAVEL_S = 1.2
FADE_S = 0.4

Kind = tuple[str, str]
"""Colour and shape."""
ALL_KINDS: tuple[Kind, ...] = tuple((c, s) for c in COLOURS for s in SHAPES)


@dataclass(frozen=True)
class Pose:
    """Where an actor stands (bottom centre) from this time on, until it moves."""

    time_s: float
    x: float
    y: float


@dataclass(frozen=True)
class Actor:
    """One object with its path; it exists from its first pose to its last."""

    colour: str
    shape: str
    radius: float
    poses: tuple[Pose, ...]


@dataclass(frozen=True)
class Style:
    """What makes two visits to one place look different."""

    seed: int
    tint: tuple[float, float, float]
    table_x: float


@dataclass(frozen=True)
class Scene:
    """A stretch of one video in one place, or one slide (then `place` is empty)."""

    start_s: float
    end_s: float
    place: str
    style: Style
    word: str = ""
    actors: tuple[Actor, ...] = ()
    dark: tuple[float, float] | None = None
    """When the lights are off."""


@dataclass(frozen=True)
class Script:
    """Everything that happens in one video."""

    scenes: tuple[Scene, ...]

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.scenes[-1].end_s


@dataclass(frozen=True)
class Thing:
    """An actor as one frame shows it."""

    colour: str
    shape: str
    x: float
    y: float
    radius: float
    visible: float
    """Share of its width and height inside the picture, 0 to 1."""
    age_s: float
    """Since it first came in."""
    left_s: float
    """Until it is gone."""


@dataclass(frozen=True)
class State:
    """What one frame shows."""

    place: str
    word: str
    light: float
    """1 with the lights on, 0 with them off."""
    style: Style
    things: tuple[Thing, ...]


def _ease(u: float) -> float:
    return u * u * (3 - 2 * u)


def _position(actor: Actor, time_s: float) -> tuple[float, float] | None:
    poses = actor.poses
    if not poses[0].time_s <= time_s < poses[-1].time_s:
        return None
    for here, there in itertools.pairwise(poses):
        if time_s < there.time_s:
            u = _ease((time_s - here.time_s) / (there.time_s - here.time_s))
            x = here.x + (there.x - here.x) * u
            y = here.y + (there.y - here.y) * u
            far = abs(there.x - here.x) > 8
            # A hop rather than a slide: the world should look alive.
            return x, y - (abs(math.sin(u * math.pi * 2)) * 6 if far else 0)
    return None


def _visible(x: float, y: float, radius: float) -> float:
    wide = min(x + radius, WIDTH) - max(x - radius, 0)
    high = min(y, HEIGHT) - max(y - 2 * radius, 0)
    return max(0.0, wide / (2 * radius)) * max(0.0, high / (2 * radius))


def _light(scene: Scene, time_s: float) -> float:
    if scene.dark is None:
        return 1.0
    off, on = scene.dark
    into = (time_s - off) / FADE_S
    out = (on - time_s) / FADE_S
    return 1.0 - min(1.0, max(0.0, min(into, out) + 0.5))


def state_of(scene: Scene, time_s: float) -> State:
    """What the frame at this time of a scene shows."""
    things = []
    for actor in scene.actors:
        place = _position(actor, time_s)
        if place is None:
            continue
        visible = _visible(*place, actor.radius)
        if visible > 0:
            things.append(
                Thing(
                    actor.colour, actor.shape, *place, actor.radius, visible,
                    time_s - actor.poses[0].time_s, actor.poses[-1].time_s - time_s,
                )
            )  # fmt: skip
    return State(scene.place, scene.word, _light(scene, time_s), scene.style, tuple(things))


def state_at(script: Script, time_s: float) -> State:
    """What the frame at this time of a video shows."""
    for scene in script.scenes:
        if time_s < scene.end_s:
            return state_of(scene, time_s)
    return state_of(script.scenes[-1], script.duration_s)


@dataclass
class _Stay:
    x: float
    y: float
    from_s: float
    """Settled from this time on."""


def _travel(stays: Sequence[_Stay], away: tuple[float, float], gone_s: float) -> tuple[Pose, ...]:
    """Poses that reach every stay on time, coming from and leaving to `away`."""
    poses = [Pose(stays[0].from_s - TRAVEL_S, *away)]
    for stay, later in zip(stays, [*stays[1:], None], strict=True):
        poses.append(Pose(stay.from_s, stay.x, stay.y))
        until = later.from_s - TRAVEL_S if later else gone_s - TRAVEL_S
        poses.append(Pose(until, stay.x, stay.y))
    poses.append(Pose(gone_s, *away))
    return tuple(poses)


def _homes(rng: random.Random, count: int) -> list[str]:
    if count == 1:
        return [rng.choice("LMR")]
    return ["L", "R"] if count == 2 else ["L", "M", "R"]


_HOME_X = {"L": 36.0, "M": 96.0, "R": 156.0}


def _away(home: str, x: float, radius: float) -> tuple[float, float]:
    if home == "M":
        return x, -2.0
    return (-radius - 2, FLOOR) if home == "L" else (WIDTH + radius + 2, FLOOR)


def _meeting(
    rng: random.Random, pair: tuple[str, str], x: list[float], radius: tuple[float, float]
) -> tuple[float, float]:
    """Where the two of a pair (left one first) stand side by side."""
    gap = radius[0] + radius[1] - 2
    if pair == ("L", "R"):
        middle = rng.uniform(70, 122)
        return middle - gap / 2, middle + gap / 2
    if pair == ("L", "M"):
        return x[1] - gap, x[1]
    return x[0], x[0] + gap


def room_scene(
    rng: random.Random, start_s: float, length_s: float, place: str, cast: Sequence[Kind]
) -> Scene:
    """Up to three actors that come in, do something together or alone, and go.

    Args:
        rng: Source of every choice.
        start_s: Where in the video the scene begins.
        length_s: At least 16.
        place: One of `PLACES`.
        cast: Colour and shape of each actor; empty for a stretch where nothing happens.
    """
    end_s = start_s + length_s
    homes = _homes(rng, len(cast))
    radii = [rng.uniform(15, 20) for _ in cast]
    x = [_HOME_X[h] + rng.uniform(-9, 9) * (h != "M") for h in homes]
    floor = FLOOR + rng.uniform(-3, 6)
    come = [start_s + TRAVEL_S + rng.uniform(0.5, 3.5) for _ in cast]
    gone = [end_s - rng.uniform(0.5, 3.5) for _ in cast]
    stays = [[_Stay(x[i], floor, come[i])] for i in range(len(cast))]
    style = _style(rng, homes)
    if cast:
        first_s = max(come) + rng.uniform(2.5, 4)
        last_s = min(gone) - 2 * TRAVEL_S - 2.5
        while last_s - first_s > 5.5 and rng.random() < 0.92:
            until_s = min(last_s, first_s + rng.uniform(5.5, 9))
            _act(rng, stays, homes, radii, floor, style, first_s + TRAVEL_S, until_s)
            first_s = until_s + TRAVEL_S + rng.uniform(2.5, 4)
    actors = tuple(
        Actor(
            *cast[i], radii[i],
            _travel(stays[i], _away(homes[i], stays[i][0].x, radii[i]), gone[i]),
        )
        for i in range(len(cast))
    )  # fmt: skip
    dark = None
    if rng.random() < 0.3:
        off_s = start_s + rng.uniform(3, max(3.5, length_s - 10))
        dark = (off_s, min(end_s - 1, off_s + rng.uniform(5, 8)))
    return Scene(start_s, end_s, place, style, "", actors, dark)


def _style(rng: random.Random, homes: Sequence[str]) -> Style:
    warmth = rng.uniform(-0.08, 0.08)
    bright = rng.uniform(0.9, 1.04)
    sides = [58.0, 134.0] if homes != ["M"] else [48.0, 144.0]
    table_x = rng.choice(sides) + rng.uniform(-6, 6)
    return Style(rng.randrange(1 << 30), (bright + warmth, bright, bright - warmth), table_x)


def _act(
    rng: random.Random,
    stays: list[list[_Stay]],
    homes: list[str],
    radii: list[float],
    floor: float,
    style: Style,
    from_s: float,
    until_s: float,
) -> None:
    """Adds one thing that happens: a meeting, a visit to the table, a change of side."""
    back_s = until_s + TRAVEL_S
    roll = rng.random()
    if len(homes) > 1 and roll < 0.55:
        i = rng.randrange(len(homes) - 1)
        pair = (homes[i], homes[i + 1])
        x = [stays[i][0].x, stays[i + 1][0].x]
        if pair == ("M", "R"):
            x = [stays[i][0].x, 0.0]
        xs = _meeting(rng, pair, x, (radii[i], radii[i + 1]))
        for k, to_x in zip((i, i + 1), xs, strict=True):
            if abs(to_x - stays[k][0].x) > 1:
                stays[k] += [_Stay(to_x, floor, from_s), _Stay(stays[k][0].x, floor, back_s)]
        return
    side = "L" if style.table_x < WIDTH / 2 else "R"
    who = homes.index(side) if side in homes else 0
    home = stays[who][0]
    if len(homes) == 1 and roll > 0.6:
        to_x, to_y = rng.choice([30.0, 96.0, 162.0]), floor
        if abs(to_x - home.x) < 30:
            return
    else:
        to_x, to_y = style.table_x + rng.uniform(-6, 6), TABLE_TOP
    stays[who] += [_Stay(to_x, to_y, from_s), _Stay(home.x, floor, back_s)]


def slide_scene(rng: random.Random, start_s: float, length_s: float, word: str) -> Scene:
    """A slide that shows one word."""
    return Scene(start_s, start_s + length_s, "", _style(rng, ()), word)
