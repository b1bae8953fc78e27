"""Pictures of the small world: smooth shapes, soft shadows, drawn with NumPy alone."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from index.types import Picture

from .scenery import backdrop, draw_table, slide
from .world import FLOOR, HEIGHT, TABLE_HALF, TABLE_TOP, WIDTH, State, Style, Thing

Field = npt.NDArray[Any]
Canvas = npt.NDArray[np.float32]

_RGB = {
    "red": (0.86, 0.20, 0.19),
    "yellow": (0.97, 0.80, 0.17),
    "green": (0.20, 0.63, 0.31),
    "blue": (0.17, 0.40, 0.85),
    "purple": (0.58, 0.27, 0.74),
    "white": (0.95, 0.95, 0.94),
}


def _ball(u: Field, v: Field) -> Field:
    distance: Field = np.hypot(u, v) - 0.97
    return distance


def _box(u: Field, v: Field) -> Field:
    distance: Field = np.maximum(np.abs(u), np.abs(v)) - 0.86
    return distance


def _cone(u: Field, v: Field) -> Field:
    slope = 1.9 / 0.92
    edge = (np.abs(u) * slope - (v + 0.97)) / np.hypot(slope, 1.0)
    # The foot is round: it bulges in the middle.
    distance: Field = np.maximum(edge, v - 0.97 + 0.1 * u**2)
    return distance


def _star(u: Field, v: Field) -> Field:
    angle = np.arctan2(u, -v)
    sector = 2 * np.pi / 5
    folded = np.abs((angle + sector / 2) % sector - sector / 2)
    r = np.hypot(u, v)
    x, y = r * np.cos(folded), r * np.sin(folded)
    tip = np.array([1.02, 0.0])
    notch = 0.46 * np.array([np.cos(sector / 2), np.sin(sector / 2)])
    along = notch - tip
    normal = np.array([-along[1], along[0]]) / np.hypot(*along)
    distance: Field = -((x - tip[0]) * normal[0] + (y - tip[1]) * normal[1])
    return distance


def _ring(u: Field, v: Field) -> Field:
    distance: Field = np.abs(np.hypot(u, v) - 0.69) - 0.27
    return distance


def _heart(u: Field, v: Field) -> Field:
    lobe = np.hypot(np.abs(u) - 0.45, v + 0.36) - 0.51
    tip = (np.abs(u) + v - 0.78) / np.sqrt(2)
    top = (np.abs(u) - v) / np.sqrt(2) - 0.72 / np.sqrt(2) * 1.25
    distance: Field = np.minimum(lobe, np.maximum(tip, np.maximum(top, -v - 0.45)))
    return distance


_SHAPES: dict[str, Callable[[Field, Field], Field]] = {
    "ball": _ball,
    "box": _box,
    "cone": _cone,
    "star": _star,
    "ring": _ring,
    "heart": _heart,
}


def _tone(shape: str, u: Field, v: Field, inside: Field) -> Field:
    """Brightness over the surface; light comes from the upper left."""
    lit = 1.0 + 0.22 * np.clip(-(u + v) * 0.7, -1, 1)
    if shape == "box":
        lit = np.where(v < -0.48, 1.22, np.where(u > 0.5, 0.76, 1.0))
    elif shape == "cone":
        lit = 1.0 - 0.30 * np.clip(u / (0.15 + 0.5 * (v + 1)), -1, 1)
    rim = np.clip((inside + 0.16) / 0.16, 0, 1)
    tone: Field = lit * (1 - 0.22 * rim)
    return tone


def _grid(x0: int, x1: int, y0: int, y1: int) -> tuple[Field, Field]:
    xs = np.arange(x0, x1, dtype=np.float32) + 0.5
    ys = np.arange(y0, y1, dtype=np.float32) + 0.5
    return xs[None, :], ys[:, None]


def _draw_thing(canvas: Canvas, thing: Thing) -> None:
    r, cy = thing.radius, thing.y - thing.radius
    x0, x1 = max(0, int(thing.x - r - 2)), min(WIDTH, int(thing.x + r + 3))
    y0, y1 = max(0, int(cy - r - 2)), min(HEIGHT, int(cy + r + 3))
    if x0 >= x1 or y0 >= y1:
        return
    xs, ys = _grid(x0, x1, y0, y1)
    u, v = np.broadcast_arrays((xs - thing.x) / r, (ys - cy) / r)
    distance = _SHAPES[thing.shape](u, v)
    cover = np.clip(0.5 - distance * r, 0, 1)[..., None]
    tone = _tone(thing.shape, u, v, distance)[..., None]
    paint = np.minimum(np.array(_RGB[thing.colour], np.float32) * tone, 1.0)
    if thing.shape in ("ball", "heart"):
        glint = np.exp(-((u + 0.38) ** 2 + (v + 0.42) ** 2) / 0.035)[..., None]
        paint = paint + (1 - paint) * 0.65 * glint
    patch = canvas[y0:y1, x0:x1]
    patch += (paint - patch) * cover


def _draw_shadow(canvas: Canvas, thing: Thing, ground: float) -> None:
    lift = max(0.0, ground - thing.y)
    r = thing.radius * (1 + lift / 120)
    x0, x1 = max(0, int(thing.x - 1.8 * r)), min(WIDTH, int(thing.x + 1.8 * r) + 1)
    y0, y1 = max(0, int(ground - 9)), min(HEIGHT, int(ground + 10))
    if x0 >= x1 or y0 >= y1:
        return
    xs, ys = _grid(x0, x1, y0, y1)
    blob = np.exp(-(((xs - thing.x - 2) / (0.85 * r)) ** 2) - ((ys - ground) / 3.5) ** 2)
    strength = 0.5 / (1 + lift / 25)
    canvas[y0:y1, x0:x1] *= (1 - strength * blob)[..., None]


@functools.lru_cache(maxsize=160)
def _stage(place: str, style: Style) -> Canvas:
    canvas = backdrop(place, style)
    draw_table(canvas, place, style)
    return canvas


@functools.lru_cache(maxsize=800)
def _slide(word: str, style: Style) -> Canvas:
    return slide(word, style)


_NIGHT = np.array([0.37, 0.42, 0.56], np.float32)


def render(state: State) -> Picture:
    """One frame of the world, uint8 [144, 192, 3]."""
    if state.word:
        canvas = _slide(state.word, state.style)
    else:
        canvas = _stage(state.place, state.style).copy()
        for thing in state.things:
            on = abs(thing.x - state.style.table_x) < TABLE_HALF and thing.y <= TABLE_TOP + 1
            _draw_shadow(canvas, thing, TABLE_TOP + 2 if on else max(thing.y, FLOOR - 3))
        for thing in sorted(state.things, key=lambda t: t.y):
            _draw_thing(canvas, thing)
        tint = np.array(state.style.tint, np.float32)
        canvas *= tint * state.light + _NIGHT * (1 - state.light)
    return (np.clip(canvas, 0, 1) * 255 + 0.5).astype(np.uint8)
