"""Where one picture differs from another, closely enough that a single digit counts.

The measure that saves encoding looks at a small picture, in which a clock that ticks or a
score that changes may be still. Text needs a finer one, and it needs the place: where nothing
changed but a line that is known, that line alone is read again.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT = 640, 360
"""Pixels of the grey picture that is compared, whatever the shape of the video."""
_CELL = 4
COLUMNS, ROWS = WIDTH // _CELL, HEIGHT // _CELL
_NEW = 6.0
"""Levels by which a cell must differ on average beyond twice what noise makes all cells differ:
of all cells of a noisy picture, none differs by so much more than the median."""
_MOST_NOISE = 8.0

Grey = npt.NDArray[np.int16]
"""int16 [360, 640], 0 to 255."""
Cells = npt.NDArray[np.bool_]
"""bool [90, 160]: places of the picture."""


def grey(picture: npt.NDArray[np.uint8]) -> Grey:
    """A picture of any size, uint8 [H, W, 3], as it is compared."""
    height, width = picture.shape[:2]
    rows = (np.arange(HEIGHT) * 2 + 1) * height // (2 * HEIGHT)
    columns = (np.arange(WIDTH) * 2 + 1) * width // (2 * WIDTH)
    # Green carries most of what makes text stand out, and costs no sum.
    return np.asarray(picture[rows[:, None], columns[None, :], 1], np.int16)


def changed_cells(now: Grey, before: Grey) -> Cells:
    """Places at which two pictures differ by more than noise."""
    change = (now - before).astype(np.float32)
    cells = np.abs(change).reshape(ROWS, _CELL, COLUMNS, _CELL).mean(axis=(1, 3))
    return np.asarray(cells > _NEW + 2 * min(float(np.median(cells)), _MOST_NOISE))


def cells_of(box: tuple[float, float, float, float], around: int = 0) -> tuple[slice, slice]:
    """Rows and columns of the places that a box touches.

    Args:
        box: Left, top, right and bottom as shares of the picture.
        around: Further places on each side.
    """
    left, top, right, bottom = box
    return (
        slice(max(0, int(top * ROWS) - around), int(np.ceil(bottom * ROWS)) + around),
        slice(max(0, int(left * COLUMNS) - around), int(np.ceil(right * COLUMNS)) + around),
    )
