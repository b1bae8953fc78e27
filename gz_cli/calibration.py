"""The calibrations that a library keeps, fitted by ``gz calibrate`` to a person's queries."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index.errors import ModelError
from index.text.strict_json import read_json

if TYPE_CHECKING:
    from model.grounding.standing import Standing

CALIBRATED = "calibration.json"


@dataclass(frozen=True)
class Judge:
    """What a calibration belongs to: of another localizer's answers it says nothing."""

    localizer: str
    """Its name, for people."""
    grounder: str
    """Digest of a trained model's weights; empty without training."""
    space: str
    """Identity of the embedding space."""


@dataclass(frozen=True)
class KeptCalibration:
    """A refit that is in force, and what it took the place of."""

    judge: Judge
    standing: Standing
    earlier: Standing
    """What was in force before."""
    present: int
    """Queries about what happens that it was fitted to."""
    absent: int
    date: str
    """ISO 8601, in UTC."""

    def to_json(self) -> dict[str, Any]:
        """Plain values that ``kept_calibrations`` reads."""
        return {
            "localizer": self.judge.localizer,
            "grounder": self.judge.grounder,
            "space": self.judge.space,
            "standing": self.standing.to_json(),
            "earlier": self.earlier.to_json(),
            "queries": {"present": self.present, "absent": self.absent},
            "date": self.date,
        }


def judge_of(name: str, folder: Path | None, space_id: str) -> Judge:
    """Who judges: a trained model in a folder, or, without one, the training-free localizer."""
    from index.files import digest_file
    from model.grounding.checkpoint import WEIGHTS

    weights = "" if folder is None else digest_file(folder / WEIGHTS)
    return Judge(name, weights, space_id)


def kept_calibrations(library_dir: Path) -> tuple[KeptCalibration, ...]:
    """Every calibration that a library keeps.

    Raises:
        ModelError: The file is damaged.
    """
    path = library_dir / CALIBRATED
    try:
        said = read_json(path.read_bytes())
        if said["digest"] != _digest(said["calibrations"]):
            raise ValueError("other calibrations than those that were written")
        return tuple(map(_from_json, said["calibrations"]))
    except FileNotFoundError:
        return ()
    except (ModelError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{path} holds no calibrations.",
            "Remove it to use what was shipped, and calibrate again: gz calibrate --queries FILE",
        ) from error


def kept_calibration(library_dir: Path, judge: Callable[[], Judge]) -> KeptCalibration | None:
    """The calibration of one localizer, if the library keeps one.

    Args:
        library_dir: Folder of the library.
        judge: Called where the library keeps any: it may have to read a whole model.

    Raises:
        ModelError: What is kept is damaged.
    """
    kept = kept_calibrations(library_dir)
    return next((one for one in kept if _same(one.judge, judge())), None) if kept else None


def keep_calibration(library_dir: Path, calibration: KeptCalibration) -> None:
    """Puts a calibration in force."""
    others = _others(library_dir, calibration.judge)
    _write(library_dir, (*others, calibration))


def drop_calibration(library_dir: Path, judge: Judge) -> bool:
    """Goes back to what was shipped with a localizer; False where that is in force."""
    others = _others(library_dir, judge)
    if len(others) == len(kept_calibrations(library_dir)):
        return False
    if others:
        _write(library_dir, others)
    else:
        (library_dir / CALIBRATED).unlink()
    return True


def _others(library_dir: Path, judge: Judge) -> tuple[KeptCalibration, ...]:
    return tuple(one for one in kept_calibrations(library_dir) if not _same(one.judge, judge))


def _same(one: Judge, other: Judge) -> bool:
    # A model may be called otherwise and still be the same.
    return (one.grounder, one.space) == (other.grounder, other.space)


def _write(library_dir: Path, kept: tuple[KeptCalibration, ...]) -> None:
    from index.files import atomic_write

    values = [one.to_json() for one in kept]
    text = json.dumps({"calibrations": values, "digest": _digest(values)}, indent=2)
    atomic_write(library_dir / CALIBRATED, (text + "\n").encode())


def _from_json(values: dict[str, Any]) -> KeptCalibration:
    from model.grounding.standing import standing_from_json

    return KeptCalibration(
        Judge(str(values["localizer"]), str(values["grounder"]), str(values["space"])),
        standing_from_json(values["standing"]),
        standing_from_json(values["earlier"]),
        int(values["queries"]["present"]),
        int(values["queries"]["absent"]),
        str(values["date"]),
    )


def _digest(values: object) -> str:
    data = json.dumps(values, sort_keys=True).encode()
    return hashlib.blake2b(data, digest_size=8).hexdigest()
