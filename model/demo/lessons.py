"""Pictures, sentences and their truth, made on the fly for training the demo model."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from .captions import RARE, Event, altered, doings_of, events_of, holds, sentence, swapped
from .render import render
from .world import (
    ALL_KINDS,
    COLOURS,
    HEIGHT,
    PLACES,
    SHAPES,
    WIDTH,
    WORDS,
    Kind,
    Scene,
    State,
    Thing,
    room_scene,
    slide_scene,
    state_of,
)

GRID = 8
"""Patches along each side of the picture that the model sees."""
STRANGE = "<unk>"
_DOING = ("present", "left", "right", "table", "meet")
DOINGS = len(ALL_KINDS) * len(_DOING)
ALTERED = 2
"""Sentences for each picture, after the one that fits, that mostly do not: one with something
changed, one with its words dealt out anew among what the picture shows."""
_POOL = 72
_NEW_PER_LESSON = 2
_LOOKS = 2
"""How often another moment of a scene is tried when one shows nothing rare."""


@dataclass(frozen=True)
class Lesson:
    """One training step's worth of data."""

    pictures: torch.Tensor
    """uint8 [B, 3, 144, 192]."""
    texts: list[str]
    """N sentences."""
    truth: torch.Tensor
    """float32 [B, N]: 1 shown, 0 not shown, -1 in doubt (left out of the loss)."""
    patches: torch.Tensor
    """int64 [B, GRID * GRID, 4]: colour and shape of the object at each patch (0 where there is
    none), whether it is on the table and whether it touches another (-1 where not told)."""
    words: torch.Tensor
    """int64 [B]: which word a slide shows, 0 for none."""
    doings: torch.Tensor
    """float32 [B, DOINGS]: for every object there can be, whether the picture shows it, and it at
    the left, at the right, on the table, touching another; -1 in doubt or where not told."""


def random_cast(rng: random.Random, count: int) -> list[Kind]:
    """Different objects that tend to share a colour or a shape, so that both must be told."""
    cast = [rng.choice(ALL_KINDS)]
    while len(cast) < count:
        colour, shape = rng.choice(cast)
        roll = rng.random()
        near = (rng.choice(COLOURS), shape) if roll < 0.35 else (colour, rng.choice(SHAPES))
        kind = near if roll < 0.7 else rng.choice(ALL_KINDS)
        if kind not in cast:
            cast.append(kind)
    return cast


def random_scene(rng: random.Random) -> Scene:
    """A scene as archives have them: mostly rooms with actors, some slides, some stillness."""
    roll = rng.random()
    if roll < 0.14:
        return slide_scene(rng, 0.0, 8.0, rng.choice(WORDS))
    count = 0 if roll < 0.19 else rng.choice((1, 2, 2, 3, 3))
    return room_scene(rng, 0.0, rng.uniform(18, 34), rng.choice(PLACES), random_cast(rng, count))


def _patch_labels(state: State) -> npt.NDArray[np.int64]:
    labels = np.zeros((GRID, GRID, 4), np.int64)
    xs = (np.arange(GRID) + 0.5) * WIDTH / GRID
    ys = (np.arange(GRID) + 0.5) * HEIGHT / GRID
    for thing in sorted(state.things, key=lambda t: t.y):
        far = np.hypot(
            (xs[None, :] - thing.x) / (thing.radius + 2),
            (ys[:, None] - thing.y + thing.radius) / (thing.radius + 2),
        )
        kind = thing.colour, thing.shape
        met = (holds(Event("meet", *kind, (t.colour, t.shape)), state) for t in state.things)
        labels[far < 1] = (
            COLOURS.index(thing.colour) + 1,
            SHAPES.index(thing.shape) + 1,
            holds(Event("table", *kind), state) is True,
            True in met,
        )
    return labels.reshape(-1, 4)


def worn(picture: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """A picture as video compression leaves it: coarse colour, some blur, some noise."""
    pixels: npt.NDArray[np.floating[Any]] = picture.astype(np.float32)
    luma = pixels @ np.array([0.299, 0.587, 0.114], np.float32)
    chroma = pixels - luma[..., None]
    rows = chroma[::2] + chroma[1::2]
    small = (rows[:, ::2] + rows[:, 1::2]) / 4
    pixels = luma[..., None] + small.repeat(2, 0).repeat(2, 1)
    if rng.random() < 0.3:
        pixels[1:] = 0.5 * (pixels[1:] + pixels[:-1])
        pixels[:, 1:] = 0.5 * (pixels[:, 1:] + pixels[:, :-1])
    pixels *= rng.uniform(0.95, 1.05)
    coarse = rng.standard_normal((HEIGHT // 4, WIDTH // 4, 1), np.float32)
    pixels += coarse.repeat(4, 0).repeat(4, 1) * rng.uniform(0, 3.0)
    shown: npt.NDArray[np.uint8] = np.clip(pixels, 0, 255).astype(np.uint8)
    return shown


def _strange(text: str, rng: random.Random) -> str | None:
    """The sentence with a name that the model has never heard of; None if it has no name."""
    names = {*COLOURS, *SHAPES, *WORDS, *PLACES}
    words = text.split()
    places = [k for k, word in enumerate(words) if word in names]
    if not places:
        return None
    words[rng.choice(places)] = STRANGE
    return " ".join(words)


class Teacher:
    """Hands out lessons; lesson `k` of a seed is the same however often it is asked for."""

    def __init__(self, seed: int, pictures: int = 32) -> None:
        self.seed = seed
        self.pictures = pictures
        self._pool: list[Scene] = []

    def lesson(self, number: int) -> Lesson:
        """Fresh pictures, and for each a sentence that fits and `ALTERED` that mostly do not."""
        rng = random.Random(f"{self.seed}/{number}")
        states = self._states(rng, number)
        events: list[Event | None] = []
        texts: list[str] = []
        for state in states:
            event = events_of(state, rng)
            for said in (event, altered(event, rng), swapped(event, state, rng)):
                text = sentence(said, rng)
                odd = _strange(text, rng) if rng.random() < 0.04 else None
                events.append(said if odd is None else None)
                texts.append(odd or text)
        truth = np.array([[_label(e, s) for e in events] for s in states], np.float32)
        return Lesson(
            self._pictures(states, rng),
            texts,
            torch.from_numpy(truth),
            torch.from_numpy(np.stack([_patch_labels(s) for s in states])),
            _words(states),
            torch.from_numpy(np.stack([_doings(s) for s in states])),
        )

    def primer(self, number: int) -> Lesson:
        """Pictures full of objects, and slides, without sentences: for learning to look."""
        rng = random.Random(f"{self.seed}/primer/{number}")
        states = [_primer_state(rng) for _ in range(self.pictures)]
        labels = np.stack([_patch_labels(s) for s in states])
        labels[..., 2:] = -1
        return Lesson(
            self._pictures(states, rng),
            [],
            torch.zeros(len(states), 0),
            torch.from_numpy(labels),
            _words(states),
            torch.full((len(states), DOINGS), -1.0),
        )

    def _pictures(self, states: Sequence[State], rng: random.Random) -> torch.Tensor:
        noise = np.random.default_rng(rng.randrange(1 << 30))
        pictures = np.stack([worn(render(s), noise) for s in states])
        return torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous()

    def _states(self, rng: random.Random, number: int) -> list[State]:
        """Frames of a slowly changing pool of scenes, so that one scene is seen at many times."""
        if not self._pool:
            # Scenes come from the lesson's number alone, so a resumed run sees the same ones.
            first = max(0, number - _POOL // _NEW_PER_LESSON)
            for earlier in range(first, number):
                self._pool += self._new_scenes(earlier)
            start = random.Random(f"{self.seed}/first")
            oldest = [random_scene(start) for _ in range(_POOL)]
            self._pool = oldest[len(self._pool) :] + self._pool
        self._pool = self._pool[_NEW_PER_LESSON:] + self._new_scenes(number)
        chosen = [rng.choice(self._pool) for _ in range(self.pictures)]
        return [_frame(rng, scene) for scene in chosen]

    def _new_scenes(self, number: int) -> list[Scene]:
        rng = random.Random(f"{self.seed}/scenes/{number}")
        return [random_scene(rng) for _ in range(_NEW_PER_LESSON)]


def _doings(state: State) -> npt.NDArray[np.float32]:
    labels = np.zeros((len(ALL_KINDS), len(_DOING)), np.float32)
    for thing in state.things:
        kind = thing.colour, thing.shape
        others = [t for t in state.things if t is not thing]
        for k, doing in enumerate(_DOING):
            if doing != "meet":
                answers = [_label(Event(doing, *kind), state)]
            else:
                answers = [_label(Event(doing, *kind, (t.colour, t.shape)), state) for t in others]
            shown = 1.0 if 1.0 in answers else min(answers, default=0.0)
            labels[ALL_KINDS.index(kind), k] = shown
    return labels.reshape(-1)


def _words(states: Sequence[State]) -> torch.Tensor:
    return torch.tensor([WORDS.index(s.word) + 1 if s.word else 0 for s in states])


def _primer_state(rng: random.Random) -> State:
    """A slide, or a place in which objects hang wherever there is room."""
    if rng.random() < 0.3:
        # Styles are few, so that slides and places need not be painted anew each time.
        return state_of(slide_scene(random.Random(rng.randrange(60)), 0, 1, rng.choice(WORDS)), 0)
    scene = room_scene(random.Random(rng.randrange(12)), 0.0, 20.0, rng.choice(PLACES), [])
    things = []
    for cell in range(12):
        if rng.random() < 0.85:
            colour, shape = rng.choice(ALL_KINDS)
            x, y = 48 * (cell % 4) + rng.uniform(18, 30), 48 * (cell // 4) + rng.uniform(34, 48)
            things.append(Thing(colour, shape, x, y, rng.uniform(15, 20), 1.0, 9.0, 9.0))
    light = 0.0 if rng.random() < 0.15 else 1.0
    return State(scene.place, "", light, scene.style, tuple(things))


def _frame(rng: random.Random, scene: Scene) -> State:
    """A frame of the scene, rather one that shows what few frames do."""
    state = state_of(scene, _moment(rng, scene))
    for _ in range(_LOOKS):
        if len(state.things) == 0 or not doings_of(state).keys().isdisjoint(RARE):
            break
        state = state_of(scene, _moment(rng, scene))
    return state


def _moment(rng: random.Random, scene: Scene) -> float:
    """Any time of a scene, but rather one when its actors are there."""
    if rng.random() < 0.3:
        return rng.uniform(0.0, scene.end_s)
    return rng.uniform(min(5.0, 0.5 * scene.end_s), max(scene.end_s - 3.0, 0.5 * scene.end_s))


def _label(event: Event | None, state: State) -> float:
    if event is None:
        return 0.0
    shown = holds(event, state)
    return -1.0 if shown is None else float(shown)
