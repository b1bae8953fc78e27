"""The calibration that a model's folder carries beside its weights."""

from __future__ import annotations

from pathlib import Path

from index.errors import ModelError
from index.text.strict_json import read_json

from .presence import CALIBRATION_NAME, PresenceCalibration
from .standing import Standing, standing_from_json


def calibration_beside(folder: Path) -> PresenceCalibration | Standing | None:
    """What a folder's ``calibration.json`` holds; None where it has none.

    Raises:
        ModelError: The file is damaged.
    """
    path = folder / CALIBRATION_NAME
    try:
        values = read_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        values = None
    if not isinstance(values, dict) or "kind" not in values:
        return PresenceCalibration.read(path)
    try:
        return standing_from_json(values)
    except ModelError as error:
        raise ModelError(
            f"{path} is not a calibration: {error.message}",
            "Remove the file to use the defaults, or restore it from the model's source.",
        ) from error
