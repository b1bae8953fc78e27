"""Pictures with text on them, as slides, cameras and scoreboards show it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
"""They come with a package that the tests have, on every machine."""
Words = tuple[str, int, int, int]
"""Text, left, top and height of its letters, in pixels."""


def written(
    words: Sequence[Words],
    size: tuple[int, int] = (1280, 720),
    ink: tuple[int, int, int] = (25, 25, 40),
    paper: tuple[int, int, int] | np.ndarray = (245, 245, 240),
    font: str = "DejaVuSans.ttf",
) -> np.ndarray:
    """A picture with words on it, RGB uint8 [H, W, 3].

    Args:
        words: What stands where.
        size: Width and height.
        ink: Colour of the letters.
        paper: Colour behind them, or a picture.
        font: File of FONTS.
    """
    if isinstance(paper, np.ndarray):
        picture = Image.fromarray(paper)
    else:
        picture = Image.new("RGB", size, paper)
    draw = ImageDraw.Draw(picture)
    for text, left, top, height in words:
        draw.text((left, top), text, font=ImageFont.truetype(str(FONTS / font), height), fill=ink)
    return np.asarray(picture)
