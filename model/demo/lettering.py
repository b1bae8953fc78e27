"""Round-stroked capital letters for the slides, so that no font file is needed."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

Point = tuple[float, float]
Stroke = tuple[Point, ...]

_ROUND: Stroke = (
    (1.2, 0), (0, 1.4), (0, 4.6), (1.2, 6), (2.8, 6), (4, 4.6), (4, 1.4), (2.8, 0), (1.2, 0),
)  # fmt: skip
# Each letter on a grid 4 wide and 6 high, y downwards, as strokes through points.
_LETTERS: dict[str, tuple[Stroke, ...]] = {
    "a": (((0, 6), (2, 0), (4, 6)), ((0.8, 4), (3.2, 4))),
    "b": (
        ((0, 0), (0, 6), (2.6, 6), (4, 5.2), (4, 3.8), (2.6, 3), (0, 3)),
        ((0, 0), (2.4, 0), (3.6, 0.8), (3.6, 2.2), (2.6, 3)),
    ),
    "c": (((4, 1), (3, 0), (1.2, 0), (0, 1.4), (0, 4.6), (1.2, 6), (3, 6), (4, 5)),),
    "d": (((0, 0), (0, 6), (2.2, 6), (4, 4.4), (4, 1.6), (2.2, 0), (0, 0)),),
    "e": (((4, 0), (0, 0), (0, 6), (4, 6)), ((0, 3), (3, 3))),
    "f": (((4, 0), (0, 0), (0, 6)), ((0, 3), (3, 3))),
    "g": (((4, 1), (3, 0), (1.2, 0), (0, 1.4), (0, 4.6), (1.2, 6), (4, 6), (4, 3.4), (2.4, 3.4)),),
    "h": (((0, 0), (0, 6)), ((4, 0), (4, 6)), ((0, 3), (4, 3))),
    "i": (((2, 0), (2, 6)), ((1, 0), (3, 0)), ((1, 6), (3, 6))),
    "j": (((4, 0), (4, 4.6), (3, 6), (1.2, 6), (0, 4.8)),),
    "k": (((0, 0), (0, 6)), ((4, 0), (0, 3.2), (4, 6))),
    "l": (((0, 0), (0, 6), (4, 6)),),
    "m": (((0, 6), (0, 0), (2, 3), (4, 0), (4, 6)),),
    "n": (((0, 6), (0, 0), (4, 6), (4, 0)),),
    "o": (_ROUND,),
    "p": (((0, 6), (0, 0), (2.8, 0), (4, 0.9), (4, 2.4), (2.8, 3.3), (0, 3.3)),),
    "q": (
        _ROUND,
        ((2.6, 4.4), (4.2, 6.4)),
    ),
    "r": (((0, 6), (0, 0), (2.8, 0), (4, 0.9), (4, 2.3), (2.8, 3.2), (0, 3.2)), ((2, 3.2), (4, 6))),
    "s": (
        ((4, 0.8), (3, 0), (1, 0), (0, 1), (0, 2), (1, 3)),
        ((1, 3), (3, 3), (4, 4), (4, 5), (3, 6), (1, 6), (0, 5.2)),
    ),
    "t": (((0, 0), (4, 0)), ((2, 0), (2, 6))),
    "u": (((0, 0), (0, 4.6), (1.2, 6), (2.8, 6), (4, 4.6), (4, 0)),),
    "v": (((0, 0), (2, 6), (4, 0)),),
    "w": (((0, 0), (1, 6), (2, 2.6), (3, 6), (4, 0)),),
    "x": (((0, 0), (4, 6)), ((4, 0), (0, 6))),
    "y": (((0, 0), (2, 3), (4, 0)), ((2, 3), (2, 6))),
    "z": (((0, 0), (4, 0), (0, 6), (4, 6)),),
}  # fmt: skip


def _segment(
    x: npt.NDArray[np.float32], y: npt.NDArray[np.float32], a: Point, b: Point
) -> npt.NDArray[np.float32]:
    """Distance of every pixel to the line from `a` to `b`."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    along = np.clip(((x - a[0]) * dx + (y - a[1]) * dy) / (dx * dx + dy * dy), 0, 1)
    return np.hypot(x - a[0] - along * dx, y - a[1] - along * dy)


def draw_word(
    canvas: npt.NDArray[np.float32],
    word: str,
    centre_x: float,
    centre_y: float,
    size: float,
    colour: tuple[float, float, float],
) -> None:
    """Writes a word of the letters a to z (shown as capitals) onto float32 [H, W, 3], in place."""
    high, wide = canvas.shape[:2]
    step = 26.0 * size
    unit = 4.3 * size
    left = centre_x - step * len(word) / 2 + (step - 4 * unit) / 2
    top = centre_y - 3 * unit
    distance = np.full((high, wide), 1e3, np.float32)
    for place, letter in enumerate(word.lower()):
        x0 = left + place * step
        c0, c1 = max(0, int(x0 - 6)), min(wide, int(x0 + 4 * unit + 7))
        y, x = np.mgrid[0:high, c0:c1].astype(np.float32) + 0.5
        for stroke in _LETTERS[letter]:
            scaled = [(x0 + px * unit, top + py * unit) for px, py in stroke]
            for a, b in itertools.pairwise(scaled):
                near = _segment(x, y, a, b)
                distance[:, c0:c1] = np.minimum(distance[:, c0:c1], near)
    cover = np.clip(0.5 - (distance - 2.1 * size), 0, 1)[..., None]
    canvas += (np.array(colour, np.float32) - canvas) * cover
