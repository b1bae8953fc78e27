"""Two dozen plain pictures with a sentence each, drawn from nothing.

They stand in for photographs where a model is tried: nobody has to have any, they are the
same on every machine, and each needs something else of a model: colour, shape, number, a
word, a scene.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from index.types import Picture

SIDE = 320
"""Pixels along each side of a drawing."""

Colour = tuple[int, int, int]
Point = tuple[float, float]
Floats = npt.NDArray[np.float32]

WHITE, BLACK, GREY = (255, 255, 255), (0, 0, 0), (128, 128, 128)
RED, GREEN, BLUE, YELLOW = (220, 20, 20), (20, 150, 40), (30, 60, 220), (250, 210, 20)
ORANGE, BROWN, SKY, SEA = (250, 130, 20), (120, 75, 35), (150, 205, 250), (20, 80, 150)

_Y, _X = ((np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) + 0.5) / SIDE)[:2]


@dataclass(frozen=True)
class Drawing:
    """A picture and what it shows."""

    query: str
    picture: Picture
    """uint8 [SIDE, SIDE, 3]."""


class Canvas:
    """A square sheet with both coordinates from 0 to 1, y downwards."""

    def __init__(self, colour: Colour) -> None:
        self._pixels = np.empty((SIDE, SIDE, 3), np.float32)
        self._pixels[:] = colour

    @property
    def picture(self) -> Picture:
        """What was drawn, uint8 [SIDE, SIDE, 3]."""
        return self._pixels.round().clip(0, 255).astype(np.uint8)

    def disc(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """A filled circle."""
        self._fill(np.hypot(_X - x, _Y - y) - radius, colour)

    def ring(self, x: float, y: float, radius: float, width: float, colour: Colour) -> None:
        """The outline of a circle."""
        self._fill(np.abs(np.hypot(_X - x, _Y - y) - radius) - width / 2, colour)

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        """A filled rectangle."""
        self._fill(np.maximum.reduce([left - _X, _X - right, top - _Y, _Y - bottom]), colour)

    def line(self, points: list[Point], width: float, colour: Colour) -> None:
        """A stroke with round ends through points."""
        for (ax, ay), (bx, by) in itertools.pairwise(points):
            dx, dy = bx - ax, by - ay
            along = ((_X - ax) * dx + (_Y - ay) * dy) / max(dx * dx + dy * dy, 1e-9)
            along = along.clip(0, 1)
            self._fill(np.hypot(_X - ax - along * dx, _Y - ay - along * dy) - width / 2, colour)

    def polygon(self, points: list[Point], colour: Colour) -> None:
        """A filled shape with straight sides."""
        inside = np.zeros(_X.shape, bool)
        for (ax, ay), (bx, by) in itertools.pairwise([*points, points[0]]):
            crosses = (ay > _Y) != (by > _Y)
            level = by - ay or 1e-9
            inside ^= crosses & (ax + (_Y - ay) * (bx - ax) / level > _X)
        self._pixels[inside] = colour

    def fade(self, top: Colour, bottom: Colour, end: float = 1.0) -> None:
        """The sheet above a height, from one colour to another."""
        share = np.clip(_Y / end, 0, 1)[..., None]
        blend = np.array(top, np.float32) * (1 - share) + np.array(bottom, np.float32) * share
        self._pixels = np.where(_Y[..., None] < end, blend, self._pixels).astype(np.float32)

    def _fill(self, distance: Floats, colour: Colour) -> None:
        cover = np.clip(0.5 - distance * SIDE, 0, 1)[..., None]
        self._pixels += (np.array(colour, np.float32) - self._pixels) * cover


def drawings() -> list[Drawing]:
    """All drawings; the first few differ most from each other."""
    made = []
    for query, ground, draw in _SUBJECTS:
        canvas = Canvas(ground)
        draw(canvas)
        made.append(Drawing(query, canvas.picture))
    return made


def _person(c: Canvas, x: float) -> None:
    c.disc(x, 0.28, 0.08, BLACK)
    c.line([(x, 0.36), (x, 0.62)], 0.025, BLACK)
    c.line([(x - 0.13, 0.42), (x, 0.46), (x + 0.13, 0.42)], 0.025, BLACK)
    c.line([(x - 0.1, 0.85), (x, 0.62), (x + 0.1, 0.85)], 0.025, BLACK)


def _two_people(c: Canvas) -> None:
    _person(c, 0.32)
    _person(c, 0.68)


def _exit_sign(c: Canvas) -> None:
    c.box(0.06, 0.3, 0.94, 0.7, GREEN)
    strokes: list[list[Point]] = [
        [(0.28, 0.4), (0.16, 0.4), (0.16, 0.6), (0.28, 0.6)],
        [(0.16, 0.5), (0.26, 0.5)],
        [(0.37, 0.4), (0.5, 0.6)],
        [(0.5, 0.4), (0.37, 0.6)],
        [(0.61, 0.4), (0.61, 0.6)],
        [(0.71, 0.4), (0.86, 0.4)],
        [(0.785, 0.4), (0.785, 0.6)],
    ]
    for stroke in strokes:
        c.line(stroke, 0.035, WHITE)


def _stars(c: Canvas) -> None:
    random = np.random.default_rng(3)
    for x, y, size in random.random((90, 3)):
        c.disc(float(x), float(y), 0.002 + 0.005 * float(size), WHITE)


def _house(c: Canvas) -> None:
    c.box(0, 0.8, 1, 1, GREEN)
    c.box(0.25, 0.45, 0.75, 0.85, (240, 225, 190))
    c.polygon([(0.18, 0.47), (0.5, 0.18), (0.82, 0.47)], RED)
    c.box(0.45, 0.62, 0.56, 0.85, BROWN)
    for x in (0.31, 0.61):
        c.box(x, 0.53, x + 0.1, 0.63, SKY)


def _car(colour: Colour) -> Callable[[Canvas], None]:
    def draw(c: Canvas) -> None:
        c.box(0, 0.74, 1, 1, GREY)
        c.polygon([(0.28, 0.5), (0.38, 0.34), (0.64, 0.34), (0.76, 0.5)], colour)
        c.box(0.1, 0.49, 0.92, 0.68, colour)
        c.polygon([(0.34, 0.5), (0.41, 0.38), (0.61, 0.38), (0.69, 0.5)], SKY)
        for x in (0.28, 0.74):
            c.disc(x, 0.69, 0.1, BLACK)
            c.disc(x, 0.69, 0.045, (190, 190, 190))

    return draw


def _checkerboard(c: Canvas) -> None:
    for row, column in itertools.product(range(8), range(8)):
        if (row + column) % 2:
            c.box(column / 8, row / 8, (column + 1) / 8, (row + 1) / 8, BLACK)


def _stripes(c: Canvas) -> None:
    for k in range(0, 12, 2):
        c.box(k / 12, 0, (k + 1) / 12, 1, BLACK)


def _sunset(c: Canvas) -> None:
    c.fade((90, 40, 110), ORANGE, 0.62)
    c.disc(0.5, 0.6, 0.16, YELLOW)
    c.box(0, 0.62, 1, 1, (60, 40, 80))
    for k in range(5):
        c.box(
            0.5 - 0.12 + 0.02 * k, 0.66 + 0.06 * k, 0.5 + 0.12 - 0.02 * k, 0.675 + 0.06 * k, ORANGE
        )


def _sea(c: Canvas) -> None:
    c.fade(SKY, (225, 240, 255), 0.5)
    c.box(0, 0.5, 1, 1, SEA)


def _tree(c: Canvas) -> None:
    c.box(0, 0.85, 1, 1, (110, 180, 80))
    c.box(0.45, 0.5, 0.55, 0.88, BROWN)
    for x, y in ((0.36, 0.42), (0.64, 0.42), (0.5, 0.28), (0.5, 0.46)):
        c.disc(x, y, 0.17, GREEN)


def _smiley(c: Canvas) -> None:
    c.disc(0.5, 0.5, 0.4, YELLOW)
    for x in (0.36, 0.64):
        c.disc(x, 0.4, 0.05, BLACK)
    arc = np.linspace(0.15 * np.pi, 0.85 * np.pi, 16)
    c.line(
        [(0.5 + 0.24 * float(np.cos(t)), 0.5 + 0.24 * float(np.sin(t))) for t in arc], 0.03, BLACK
    )


def _clock(c: Canvas) -> None:
    c.ring(0.5, 0.5, 0.4, 0.04, BLACK)
    for hour in range(12):
        x, y = float(np.sin(hour * np.pi / 6)), float(np.cos(hour * np.pi / 6))
        c.line([(0.5 + 0.32 * x, 0.5 - 0.32 * y), (0.5 + 0.36 * x, 0.5 - 0.36 * y)], 0.02, BLACK)
    c.line([(0.5, 0.5), (0.66, 0.42)], 0.03, BLACK)
    c.line([(0.5, 0.5), (0.5, 0.22)], 0.02, BLACK)


def _bar_chart(c: Canvas) -> None:
    c.line([(0.12, 0.1), (0.12, 0.88), (0.92, 0.88)], 0.012, BLACK)
    for k, high in enumerate((0.2, 0.45, 0.3, 0.65, 0.55)):
        c.box(0.18 + 0.15 * k, 0.875 - high, 0.28 + 0.15 * k, 0.875, BLUE)


def _mountain(c: Canvas) -> None:
    c.polygon([(0.05, 0.9), (0.5, 0.15), (0.95, 0.9)], (110, 110, 125))
    c.polygon(
        [(0.38, 0.35), (0.5, 0.15), (0.62, 0.35), (0.55, 0.31), (0.5, 0.37), (0.44, 0.31)], WHITE
    )
    c.box(0, 0.88, 1, 1, GREEN)


def _heart(c: Canvas) -> None:
    for x in (0.36, 0.64):
        c.disc(x, 0.38, 0.165, RED)
    c.polygon([(0.215, 0.455), (0.5, 0.84), (0.785, 0.455), (0.5, 0.34)], RED)


def _star(c: Canvas) -> None:
    turns = [k * np.pi / 5 for k in range(10)]
    reach = [0.42 if k % 2 == 0 else 0.17 for k in range(10)]
    points = [
        (0.5 + r * float(np.sin(t)), 0.52 - r * float(np.cos(t)))
        for t, r in zip(turns, reach, strict=True)
    ]
    c.polygon(points, YELLOW)


def _traffic_light(c: Canvas) -> None:
    c.box(0.35, 0.08, 0.65, 0.92, (40, 40, 40))
    for y, colour in ((0.22, RED), (0.5, YELLOW), (0.78, GREEN)):
        c.disc(0.5, y, 0.11, colour)


def _snowman(c: Canvas) -> None:
    c.box(0, 0.82, 1, 1, WHITE)
    for y, radius in ((0.72, 0.19), (0.45, 0.14), (0.25, 0.1)):
        c.disc(0.5, y, radius, WHITE)
    for x in (0.46, 0.54):
        c.disc(x, 0.23, 0.013, BLACK)
    c.polygon([(0.5, 0.26), (0.62, 0.28), (0.5, 0.29)], ORANGE)
    c.box(0.4, 0.15, 0.6, 0.17, BLACK)
    c.box(0.44, 0.04, 0.56, 0.16, BLACK)


def _rainbow(c: Canvas) -> None:
    band = (RED, ORANGE, YELLOW, GREEN, BLUE, (130, 40, 170))
    for k, colour in enumerate(band):
        c.ring(0.5, 0.85, 0.45 - 0.045 * k, 0.045, colour)
    c.box(0, 0.85, 1, 1, GREEN)


def _arrow(c: Canvas) -> None:
    c.line([(0.12, 0.5), (0.75, 0.5)], 0.08, BLACK)
    c.polygon([(0.68, 0.3), (0.92, 0.5), (0.68, 0.7)], BLACK)


_SUBJECTS: tuple[tuple[str, Colour, Callable[[Canvas], None]], ...] = (
    ("a red circle on a white background", WHITE, lambda c: c.disc(0.5, 0.5, 0.3, RED)),
    ("a green sign with the word exit", (225, 225, 225), _exit_sign),
    ("a night sky full of stars", (8, 10, 35), _stars),
    ("a drawing of a house with a red roof", SKY, _house),
    ("black and white stripes", WHITE, _stripes),
    ("two stick figures side by side", WHITE, _two_people),
    ("a blue circle on a white background", WHITE, lambda c: c.disc(0.5, 0.5, 0.3, BLUE)),
    ("a blue square on a white background", WHITE, lambda c: c.box(0.22, 0.22, 0.78, 0.78, BLUE)),
    (
        "an orange square on a white background",
        WHITE,
        lambda c: c.box(0.22, 0.22, 0.78, 0.78, ORANGE),
    ),
    ("a red car seen from the side", SKY, _car(RED)),
    ("a blue car seen from the side", SKY, _car(BLUE)),
    ("a black and white checkerboard", WHITE, _checkerboard),
    ("the sun sets over the sea", WHITE, _sunset),
    ("blue sea under a clear sky", WHITE, _sea),
    ("a tree with a brown trunk", SKY, _tree),
    ("a yellow smiley face", WHITE, _smiley),
    ("the face of a clock", WHITE, _clock),
    ("a bar chart", WHITE, _bar_chart),
    ("a mountain with snow on its top", SKY, _mountain),
    ("a red heart", WHITE, _heart),
    ("a yellow star", (20, 30, 90), _star),
    ("a traffic light", (200, 215, 225), _traffic_light),
    ("a snowman with a black hat", SKY, _snowman),
    ("a rainbow over a meadow", (205, 225, 245), _rainbow),
    ("an arrow that points to the right", WHITE, _arrow),
)
