"""Places of the small world and its slides, painted once per scene."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .lettering import draw_word
from .world import HEIGHT, TABLE_HALF, TABLE_TOP, WIDTH, Style

Canvas = npt.NDArray[Any]
Mask = npt.NDArray[Any]
Rgb = tuple[float, float, float]

HORIZON = 92.0


def _grid() -> tuple[Mask, Mask]:
    xs = np.arange(WIDTH, dtype=np.float32) + 0.5
    ys = np.arange(HEIGHT, dtype=np.float32) + 0.5
    x, y = np.broadcast_arrays(xs[None, :], ys[:, None])
    return x, y


def _soft(distance: Mask, blur: float = 1.0) -> Mask:
    """Coverage of what lies at negative distance, with an edge `blur` pixels wide."""
    cover: Mask = np.clip(0.5 - distance / blur, 0, 1).astype(np.float32)
    return cover


def _over(canvas: Canvas, mask: Mask, colour: Rgb, strength: float = 1.0) -> None:
    canvas += (np.array(colour, np.float32) - canvas) * (mask * strength)[..., None]


def _rect(x0: float, y0: float, x1: float, y1: float, corner: float = 0.0) -> Mask:
    x, y = _grid()
    dx = np.abs(x - (x0 + x1) / 2) - (x1 - x0) / 2 + corner
    dy = np.abs(y - (y0 + y1) / 2) - (y1 - y0) / 2 + corner
    outside = np.hypot(np.maximum(dx, 0), np.maximum(dy, 0))
    return _soft(outside + np.minimum(np.maximum(dx, dy), 0) - corner)


def _disc(cx: float, cy: float, rx: float, ry: float, blur: float = 1.0) -> Mask:
    x, y = _grid()
    distance = (np.hypot((x - cx) / rx, (y - cy) / ry) - 1) * min(rx, ry)
    return _soft(distance, blur)


def _fade(top: Rgb, bottom: Rgb, y0: float = 0.0, y1: float = HEIGHT) -> Canvas:
    _, y = _grid()
    u = np.clip((y - y0) / (y1 - y0), 0, 1)[..., None]
    mixed: Canvas = np.array(top, np.float32) * (1 - u) + np.array(bottom, np.float32) * u
    return mixed


def _floor(canvas: Canvas, near: Rgb, far: Rgb) -> None:
    mask = _soft(HORIZON - _grid()[1])
    canvas += (_fade(far, near, HORIZON) - canvas) * mask[..., None]


def _kitchen(canvas: Canvas, rng: np.random.Generator) -> None:
    canvas[:] = _fade((0.93, 0.85, 0.72), (0.90, 0.79, 0.64), 0, HORIZON)
    _floor(canvas, (0.62, 0.43, 0.29), (0.50, 0.35, 0.24))
    x, y = _grid()
    fan = (x - WIDTH / 2) / (y - HORIZON + 26)
    boards = np.abs((fan * 2.2 + 0.5) % 1 - 0.5) < 0.03
    canvas[boards & (y > HORIZON)] *= 0.86
    tiles = ((x + rng.integers(0, 12)) % 12 < 0.9) | (y % 12 < 0.9)
    canvas[tiles & (y > 56) & (y < HORIZON)] *= 0.93
    at = float(rng.uniform(70, 122))
    _over(canvas, _rect(at - 25, 12, at + 25, 48, 2), (0.45, 0.31, 0.21))
    _over(canvas, _rect(at - 22, 15, at + 22, 45, 1), (0.70, 0.84, 0.93))
    _over(canvas, _disc(at - 6, 45, 22, 9) * _rect(at - 22, 15, at + 22, 45), (0.60, 0.74, 0.58))
    _over(canvas, _rect(at - 1.2, 15, at + 1.2, 45), (0.45, 0.31, 0.21))
    _over(canvas, _rect(0, 54, WIDTH, 57), (0.52, 0.37, 0.26))


def _garden(canvas: Canvas, rng: np.random.Generator) -> None:
    canvas[:] = _fade((0.52, 0.75, 0.92), (0.83, 0.92, 0.95), 0, HORIZON)
    x, y = _grid()
    for _ in range(3):
        cx, cy = float(rng.uniform(10, 180)), float(rng.uniform(10, 36))
        for dx, r in ((-11, 7), (0, 10), (12, 7)):
            _over(canvas, _disc(cx + dx, cy, r * 1.4, r * 0.7, 4), (0.97, 0.98, 0.99), 0.7)
    hill = HORIZON - 14 - 7 * np.sin(x / 31 + float(rng.uniform(0, 6)))
    _over(canvas, _soft(hill - y), (0.56, 0.72, 0.50))
    _floor(canvas, (0.42, 0.62, 0.30), (0.55, 0.72, 0.40))
    tx = float(rng.uniform(80, 112))
    _over(canvas, _rect(tx - 4, 48, tx + 4, HORIZON + 3, 2), (0.45, 0.32, 0.22))
    for dx, dy, r in ((-14, 4, 16), (13, 3, 17), (0, -10, 20)):
        _over(canvas, _disc(tx + dx, 40 + dy, r, r * 0.9, 2), (0.33, 0.52, 0.30))
    for _ in range(40):
        fx, fy = float(rng.uniform(0, WIDTH)), float(rng.uniform(HORIZON + 4, HEIGHT))
        _over(canvas, _disc(fx, fy, 1.0, 2.0), (0.36, 0.55, 0.27))


def _gallery(canvas: Canvas, rng: np.random.Generator) -> None:
    canvas[:] = _fade((0.80, 0.81, 0.83), (0.89, 0.89, 0.90), 0, HORIZON)
    _floor(canvas, (0.58, 0.56, 0.56), (0.47, 0.46, 0.47))
    _over(canvas, _rect(0, HORIZON - 4, WIDTH, HORIZON), (0.70, 0.70, 0.72))
    for at in (34.0, 96.0, 158.0):
        at += float(rng.uniform(-5, 5))
        half, top = float(rng.uniform(15, 21)), float(rng.uniform(14, 22))
        _over(canvas, _rect(at - half, top, at + half, 58, 0), (0.36, 0.30, 0.24))
        inner = _rect(at - half + 3, top + 3, at + half - 3, 55)
        _over(canvas, inner, tuple(rng.uniform(0.45, 0.75, 3)))
        bands = _soft(np.sin(_grid()[0] * 0.2 + _grid()[1] * float(rng.uniform(-0.3, 0.3))))
        _over(canvas, inner * bands, tuple(rng.uniform(0.35, 0.8, 3)), 0.8)


def _cellar(canvas: Canvas, rng: np.random.Generator) -> None:
    canvas[:] = _fade((0.34, 0.27, 0.25), (0.42, 0.33, 0.29), 0, HORIZON)
    x, y = _grid()
    row = (y // 11).astype(int)
    joint = (y % 11 < 1.2) | ((x + (row % 2) * 13 + int(rng.integers(0, 26))) % 26 < 1.2)
    canvas[joint & (y < HORIZON)] *= 0.72
    _floor(canvas, (0.36, 0.34, 0.34), (0.27, 0.26, 0.27))
    for at in (22.0 + float(rng.uniform(-6, 6)), 170.0 + float(rng.uniform(-6, 6))):
        _over(canvas, _rect(at - 12, 60, at + 12, HORIZON + 4, 6), (0.47, 0.33, 0.20))
        for band in (66.0, 88.0):
            _over(canvas, _rect(at - 12.5, band, at + 12.5, band + 2.4), (0.22, 0.20, 0.20))
    glow = np.exp(-(((x - 96) / 60) ** 2) - ((y - 18) / 45) ** 2)[..., None]
    canvas += glow * np.array([0.40, 0.30, 0.14], np.float32)
    _over(canvas, _rect(95, 0, 97, 12), (0.15, 0.13, 0.12))
    _over(canvas, _disc(96, 15, 5, 5, 2), (1.0, 0.93, 0.70))


def _beach(canvas: Canvas, rng: np.random.Generator) -> None:
    canvas[:] = _fade((0.55, 0.80, 0.90), (0.97, 0.91, 0.80), 0, 60)
    x, y = _grid()
    sea = _soft(60 - y)
    canvas += (_fade((0.25, 0.58, 0.68), (0.50, 0.78, 0.80), 60, HORIZON) - canvas) * sea[..., None]
    phase = float(rng.uniform(0, 6))
    for level in (67.0, 76.0, 85.0):
        crest = np.abs(y - level - 1.5 * np.sin(x / 9 + phase + level)) - 0.7
        _over(canvas, _soft(crest), (0.88, 0.95, 0.95), 0.6)
    shore = HORIZON - 2 + 2 * np.sin(x / 25 + phase)
    sand = _fade((0.90, 0.80, 0.60), (0.83, 0.70, 0.48), HORIZON)
    canvas += (sand - canvas) * _soft(shore - y)[..., None]
    _over(canvas, _disc(float(rng.uniform(60, 132)), 24, 11, 11, 2), (1.0, 0.96, 0.82))
    for _ in range(26):
        sx, sy = float(rng.uniform(0, WIDTH)), float(rng.uniform(HORIZON + 5, HEIGHT))
        _over(canvas, _disc(sx, sy, 1.6, 0.9), (0.76, 0.63, 0.43))


_PLACES = {
    "kitchen": _kitchen,
    "garden": _garden,
    "gallery": _gallery,
    "cellar": _cellar,
    "beach": _beach,
}

_TABLES: dict[str, tuple[Rgb, Rgb]] = {
    "kitchen": ((0.66, 0.47, 0.30), (0.40, 0.27, 0.17)),
    "garden": ((0.72, 0.56, 0.38), (0.48, 0.35, 0.22)),
    "gallery": ((0.38, 0.36, 0.36), (0.24, 0.23, 0.23)),
    "cellar": ((0.56, 0.41, 0.27), (0.30, 0.21, 0.14)),
    "beach": ((0.80, 0.66, 0.46), (0.54, 0.41, 0.26)),
}


def backdrop(place: str, style: Style) -> Canvas:
    """An empty place, float32 [144, 192, 3] from 0 to 1."""
    canvas = np.empty((HEIGHT, WIDTH, 3), np.float32)
    _PLACES[place](canvas, np.random.default_rng(style.seed))
    return canvas


def draw_table(canvas: Canvas, place: str, style: Style) -> None:
    """The one piece of furniture that every place has."""
    top, dark = _TABLES[place]
    left, right = style.table_x - TABLE_HALF, style.table_x + TABLE_HALF
    _over(canvas, _disc(style.table_x, 113, TABLE_HALF + 4, 5, 8), (0.1, 0.08, 0.08), 0.35)
    for leg in (left + 4, right - 8):
        _over(canvas, _rect(leg, TABLE_TOP + 4, leg + 4, 113, 1), dark)
    _over(canvas, _rect(left, TABLE_TOP + 3, right, TABLE_TOP + 9, 1), dark)
    _over(canvas, _rect(left - 1, TABLE_TOP - 2, right + 1, TABLE_TOP + 5, 1.5), top)


_PAPER: tuple[tuple[Rgb, Rgb], ...] = (
    ((0.97, 0.95, 0.90), (0.20, 0.23, 0.30)),
    ((0.17, 0.22, 0.33), (0.96, 0.94, 0.88)),
    ((0.87, 0.93, 0.91), (0.13, 0.33, 0.34)),
    ((0.95, 0.87, 0.82), (0.45, 0.20, 0.18)),
    ((0.90, 0.89, 0.96), (0.27, 0.22, 0.45)),
)


def slide(word: str, style: Style) -> Canvas:
    """A slide with one word, float32 [144, 192, 3] from 0 to 1."""
    rng = np.random.default_rng(style.seed)
    paper, ink = _PAPER[int(rng.integers(len(_PAPER)))]
    canvas = _fade(paper, tuple(0.93 * c for c in paper))  # type: ignore[arg-type]
    accent = tuple(0.5 * (p + i) for p, i in zip(paper, ink, strict=True))
    _over(canvas, _rect(0, 0, WIDTH, 9), accent)  # type: ignore[arg-type]
    size = float(rng.uniform(0.9, 1.02))
    y = float(rng.uniform(52, 64))
    x = WIDTH / 2 + float(rng.uniform(-5, 5))
    draw_word(canvas, word, x, y, size, ink)
    lines = int(rng.integers(1, 4))
    for k in range(lines):
        half = float(rng.uniform(30, 60))
        level = y + 34 + 10 * k
        _over(canvas, _rect(x - half, level, x + half, level + 2.5, 1), accent)  # type: ignore[arg-type]
    return canvas
