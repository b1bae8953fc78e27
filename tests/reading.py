"""A reader of the screen for tests: patches of one grey stand for lines that are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from index.passages import ReadLine

SIZE = (320, 180)


@dataclass
class PatchReader:
    """Implements index.passages.ScreenReader."""

    lines: Mapping[int, str]
    """What a patch of each level says."""
    before: Callable[[int], None] = lambda _: None
    """Told the number of each reading before it is made."""
    sizes: list[tuple[int, ...]] = field(default_factory=list)
    """Height and width of what was read."""

    @property
    def engine(self) -> str:
        return "patches 1"

    def read(self, picture: np.ndarray) -> tuple[ReadLine, ...]:
        self.before(len(self.sizes))
        self.sizes.append(picture.shape[:2])
        found = []
        for level, body in self.lines.items():
            rows, columns = np.nonzero(np.abs(picture[..., 1].astype(int) - level) <= 2)
            if len(rows) < 40:
                continue
            box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
            left, top, right, bottom = (box / np.tile(picture.shape[1::-1], 2)).tolist()
            found.append(ReadLine(body, 0.9, (left, top, right, bottom)))
        return tuple(sorted(found, key=lambda line: line.box[1]))

    @property
    def whole(self) -> int:
        """How many whole pictures were read."""
        return sum(size == (SIZE[1], SIZE[0]) for size in self.sizes)


def patches(levels: Sequence[tuple[int, int]], paper: int = 250) -> np.ndarray:
    """A picture with patches at steps down the page: (level, place 0 to 5)."""
    picture = np.full((SIZE[1], SIZE[0], 3), paper, np.uint8)
    for level, place in levels:
        top = 10 + 28 * place
        picture[top : top + 14, 20:120] = level
    return picture
