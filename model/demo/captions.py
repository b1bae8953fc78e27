"""Events of the small world: how they are said, and whether a frame shows them.

`holds` is the only truth: training labels, the spans of an archive and what counts
as absent all come from it. Every event can be seen in a single frame, because the
model embeds frames one at a time; which way something moves it cannot know.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from index.types import Span

from .world import (
    COLOURS,
    FPS,
    LEFT_OF,
    PLACES,
    RIGHT_OF,
    SHAPES,
    TABLE_HALF,
    TABLE_TOP,
    WORDS,
    Kind,
    Script,
    State,
    Thing,
    state_at,
)

EDGE_S = 3.0
"""How long coming in and going away count as lasting."""
KINDS = (
    "present", "left", "right", "table", "meet", "together",
    "dark", "slide", "empty", "place", "enter", "leave",
)  # fmt: skip

RARE = ("table", "meet")
"""What few frames show."""


@dataclass(frozen=True)
class Event:
    """Something that can be said of a frame; empty fields mean any."""

    kind: str
    colour: str = ""
    shape: str = ""
    other: Kind = ("", "")
    """The second object of `meet` and `together`."""
    place: str = ""
    word: str = ""


_NAMES = {
    "ball": ("ball", "ball", "sphere"),
    "box": ("box", "box", "cube"),
    "cone": ("cone",),
    "star": ("star",),
    "ring": ("ring", "ring", "hoop"),
    "heart": ("heart",),
    "purple": ("purple", "purple", "violet"),
    "cellar": ("cellar", "cellar", "basement"),
    "beach": ("beach", "beach", "seaside"),
    "garden": ("garden", "garden", "park"),
}
_IN = {"beach": "on the {}"}

_TEMPLATES: dict[str, tuple[str, ...]] = {
    "present": (
        "{a}", "{a}", "there is {a}", "{a} is there", "{a} can be seen", "we see {a}",
        "{a} in the picture", "{a} stands there", "a picture of {a}", "{a} moves around",
    ),
    "left": (
        "{a} on the left", "{a} on the left side", "{a} at the left", "{a} is on the left",
        "{a} stands to the left", "on the left is {a}",
    ),
    "right": (
        "{a} on the right", "{a} on the right side", "{a} at the right", "{a} is on the right",
        "{a} stands to the right", "on the right is {a}",
    ),
    "table": (
        "{a} on the table", "{a} is on the table", "{a} sits on the table",
        "{a} stands on the table", "{a} on top of the table", "on the table is {a}",
    ),
    "meet": (
        "{a} touches {b}", "{a} meets {b}", "{a} and {b} touch", "{a} and {b} meet",
        "{a} is touching {b}", "{a} right next to {b}", "{a} stands next to {b}",
        "{a} side by side with {b}",
    ),
    "together": (
        "{a} and {b}", "there are {a} and {b}", "both {a} and {b}", "we see {a} and {b}",
        "{a} together with {b}", "{a} and {b} are there",
    ),
    "dark": (
        "the lights are off", "the light is off", "it is dark", "lights out", "darkness",
        "the lights go out", "it is night", "a dark picture",
    ),
    "slide": (
        "a slide with the word {w}", "a slide that says {w}", "the word {w}",
        "the word {w} on a slide", "a text slide about {w}", "a title that reads {w}",
        "the slide {w}",
    ),
    "empty": (
        "nothing happens", "nobody is there", "nothing is there", "an empty place",
        "there is nothing", "no objects",
    ),
    "place": ("{p}", "we are {in}", "a view of {p}", "{in}", "a picture of {p}"),
    "enter": ("{a} comes in", "{a} enters", "{a} appears", "{a} arrives"),
    "leave": ("{a} leaves", "{a} goes away", "{a} disappears", "{a} goes out"),
}  # fmt: skip
_ANY_SLIDE = ("a slide", "a text slide", "a slide with a word", "some text", "a title")
_DARK_PLACE = ("a dark {p}", "{p} at night", "{p} in the dark", "{p} with the lights off")
_EMPTY_PLACE = ("an empty {p}", "the empty {p}")


def _say(rng: random.Random, word: str) -> str:
    return rng.choice(_NAMES.get(word, (word,)))


def _thing(rng: random.Random, colour: str, shape: str) -> str:
    if not shape:
        form = rng.choice(("something {}", "a {} thing", "a {} object"))
        return form.format(_say(rng, colour))
    noun = f"{_say(rng, colour)} {_say(rng, shape)}" if colour else _say(rng, shape)
    return f"{rng.choice(('a', 'a', 'the'))} {noun}"


def _where(rng: random.Random, place: str) -> str:
    return _IN.get(place, "in the {}").format(_say(rng, place))


def sentence(event: Event, rng: random.Random) -> str:
    """One of the ways to say an event, all lower case, without punctuation."""
    forms = _TEMPLATES[event.kind]
    if event.kind == "slide" and not event.word:
        return rng.choice(_ANY_SLIDE)
    place = event.place
    if place and event.kind in ("dark", "empty") and rng.random() < 0.5:
        forms = _DARK_PLACE if event.kind == "dark" else _EMPTY_PLACE
        return rng.choice(forms).format(p=_say(rng, place))
    said = rng.choice(forms).format_map(
        {
            "a": _thing(rng, event.colour, event.shape),
            "b": _thing(rng, *event.other),
            "w": event.word,
            "p": "the " + _say(rng, place),
            "in": _where(rng, place) if place else "",
        }
    )
    if not place or event.kind == "place":
        return said
    where = _where(rng, place)
    return f"{where} {said}" if rng.random() < 0.25 else f"{said} {where}"


def _matches(thing: Thing, kind: Kind) -> bool:
    return kind[0] in ("", thing.colour) and kind[1] in ("", thing.shape)


def _either(answers: list[bool | None]) -> bool | None:
    """True wins, then doubt, then False."""
    if True in answers:
        return True
    return None if None in answers else False


def _clear(value: float, no: float, yes: float) -> bool | None:
    """False up to `no`, True from `yes` on, in doubt between."""
    if (value - no) * (yes - no) <= 0:
        return False
    return True if (value - yes) * (yes - no) >= 0 else None


def _alone(event: Event, thing: Thing, state: State) -> bool | None:
    """Whether one object does what a one-object event says."""
    where: bool | None = True
    if event.kind == "left":
        where = _clear(thing.x, LEFT_OF + 5, LEFT_OF)
    elif event.kind == "right":
        where = _clear(thing.x, RIGHT_OF - 5, RIGHT_OF)
    elif event.kind == "table":
        if abs(thing.x - state.style.table_x) > TABLE_HALF or thing.y > TABLE_TOP + 30:
            where = False
        else:
            where = True if abs(thing.y - TABLE_TOP) < 2.5 else None
    elif event.kind == "enter":
        where = True if thing.age_s < EDGE_S else None
    elif event.kind == "leave":
        where = True if thing.left_s < EDGE_S else None
    if where is False:
        return False
    seen = _clear(thing.visible, 0.1, 0.5)
    return where if seen is True else seen


def _pair(event: Event, one: Thing, two: Thing) -> bool | None:
    if not (_matches(one, (event.colour, event.shape)) and _matches(two, event.other)):
        return False
    seen = _clear(min(one.visible, two.visible), 0.1, 0.5)
    if event.kind == "together" or seen is False:
        return seen
    gap = math.hypot(one.x - two.x, one.y - one.radius - two.y + two.radius)
    near = _clear(gap - one.radius - two.radius, 9.0, 2.0)
    if near is not True:
        return near
    # Passing over or under each other is not a meeting that a frame shows clearly.
    return seen if abs(one.y - two.y) < 8 else None


def holds(event: Event, state: State) -> bool | None:
    """Whether a frame shows the event; None when even a careful viewer could argue."""
    kind = event.kind
    if kind == "slide":
        return bool(state.word) and event.word in ("", state.word)
    if state.word or event.place not in ("", state.place):
        return False
    if kind == "place":
        return True
    if kind == "dark":
        return _clear(state.light, 0.9, 0.3)
    if kind == "empty":
        most = max((t.visible for t in state.things), default=0.0)
        return _clear(most, 0.4, 0.02)
    if kind in ("meet", "together"):
        return _either(
            [_pair(event, a, b) for a in state.things for b in state.things if a is not b]
        )
    wanted = (event.colour, event.shape)
    return _either([_alone(event, t, state) for t in state.things if _matches(t, wanted)])


def timeline(script: Script) -> list[State]:
    """The state at every frame of a video."""
    return [state_at(script, k / FPS) for k in range(round(script.duration_s * FPS))]


def spans(event: Event, states: Sequence[State]) -> tuple[Span, ...]:
    """When the event is to be seen, to a tenth of a second; doubt counts as not."""
    found, begun = [], None
    for k, state in enumerate([*states, None]):
        now = state is not None and holds(event, state) is True
        if now and begun is None:
            begun = k
        elif not now and begun is not None:
            found.append(Span(begun / FPS, k / FPS))
            begun = None
    return tuple(found)


def possible(event: Event, states: Sequence[State]) -> bool:
    """Whether any frame shows the event or leaves it in doubt."""
    return any(holds(event, state) is not False for state in states)


def doings_of(state: State) -> dict[str, list[Event]]:
    """What the objects of a frame do beyond being there, by kind."""
    things = [(t.colour, t.shape) for t in state.things]
    events = [Event(kind, *one) for kind in ("left", "right", "table") for one in things]
    events += [Event("meet", *a, b) for a in things for b in things if a != b]
    seen: dict[str, list[Event]] = {}
    for event in events:
        if holds(event, state):
            seen.setdefault(event.kind, []).append(event)
    return seen


def events_of(state: State, rng: random.Random) -> Event:
    """Something true of a frame, or nearly true, chosen at random.

    What objects do is rarer in frames than what they are; it is said as often.
    """
    if state.word:
        return Event("slide", word=state.word if rng.random() < 0.85 else "")
    place = state.place if rng.random() < 0.35 else ""
    roll = rng.random()
    if state.light < 0.5 and roll < 0.3:
        return Event("dark", place=place)
    if not state.things:
        return Event(rng.choice(("empty", "place")), place=state.place)
    if roll > 0.95:
        return Event("place", place=state.place)
    doings = doings_of(state)
    if doings and rng.random() < 0.65:
        kinds = sorted(doings)
        (kind,) = rng.choices(kinds, [2 if k in RARE else 1 for k in kinds])
        return replace(rng.choice(doings[kind]), place=place)
    thing = rng.choice(state.things)
    if len(state.things) > 1 and rng.random() < 0.4:
        other = rng.choice([t for t in state.things if t is not thing])
        kind = "meet" if rng.random() < 0.4 else "together"
        return Event(kind, thing.colour, thing.shape, (other.colour, other.shape), place)
    colour, shape = rng.choice(
        ((thing.colour, thing.shape),) * 5 + ((thing.colour, ""), ("", thing.shape))
    )
    kind = rng.choice(("present", "present", "present", "left", "right", "table"))
    if rng.random() < 0.06:
        kind = rng.choice(("enter", "leave"))
    return Event(kind, colour, shape, place=place)


def _another(rng: random.Random, words: tuple[str, ...], word: str) -> str:
    return rng.choice([w for w in words if w != word]) if word else word


def altered(event: Event, rng: random.Random) -> Event:
    """The event with one thing changed: a colour, a shape, the place, what is done."""
    if event.kind == "slide":
        return replace(event, word=_another(rng, WORDS, event.word))
    roll = rng.random()
    if event.place and (roll < 0.25 or event.kind in ("dark", "empty", "place")):
        return replace(event, place=_another(rng, PLACES, event.place))
    if event.kind in ("meet", "together") and roll < 0.6:
        changed = altered(Event("present", *event.other), rng)
        return replace(event, other=(changed.colour, changed.shape))
    if roll < 0.5 and event.colour:
        return replace(event, colour=_another(rng, COLOURS, event.colour))
    if roll < 0.85 and event.shape:
        return replace(event, shape=_another(rng, SHAPES, event.shape))
    if event.kind in ("left", "right", "table"):
        return replace(event, kind=_another(rng, ("left", "right", "table"), event.kind))
    return event


def swapped(event: Event, state: State, rng: random.Random) -> Event:
    """The event with its words dealt out anew among the objects of the frame, if it has others.

    Every word of it is still to be seen somewhere; only who is what, and does what,
    has changed.
    """
    others = [t for t in state.things if (t.colour, t.shape) != (event.colour, event.shape)]
    if not others or event.kind in ("slide", "dark", "empty", "place"):
        return altered(event, rng)
    other = rng.choice(others)
    if event.kind in ("meet", "together") and rng.random() < 0.5:
        shapes = event.other[1], event.shape
        return replace(event, shape=shapes[0], other=(event.other[0], shapes[1]))
    roll = rng.random()
    if roll < 0.3 or not event.shape:
        return replace(event, colour=other.colour if event.colour else "", shape=event.shape)
    if roll < 0.6 or not event.colour:
        return replace(event, shape=other.shape)
    if event.kind in ("left", "right", "table"):
        return replace(event, colour=other.colour, shape=other.shape)
    return replace(event, colour=other.colour)
