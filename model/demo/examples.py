"""Pictures of the small world with a sentence each, for a look at the demo model."""

from __future__ import annotations

import random

from index.types import Picture

from .captions import Event, sentence
from .render import render
from .world import ALL_KINDS, PLACES, WORDS, State, Thing, room_scene, slide_scene, state_of


def examples() -> list[tuple[str, Picture]]:
    """Queries and what they describe, uint8 [144, 192, 3]: single objects, and slides."""
    rng = random.Random(5)
    made = []
    for number, (colour, shape) in enumerate(ALL_KINDS[::3]):
        empty = room_scene(random.Random(number), 0.0, 20.0, PLACES[number % len(PLACES)], [])
        thing = Thing(colour, shape, 96.0, 118.0, 18.0, 1.0, 9.0, 9.0)
        state = State(empty.place, "", 1.0, empty.style, (thing,))
        made.append((sentence(Event("present", colour, shape), rng), render(state)))
    for number, word in enumerate(WORDS[:8]):
        state = state_of(slide_scene(random.Random(number), 0.0, 1.0, word), 0.0)
        made.append((sentence(Event("slide", word=word), rng), render(state)))
    return made
