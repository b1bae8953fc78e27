"""Which trained grounding a library remembers; without one it uses the training-free one."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from index.errors import ModelError
from index.text.strict_json import read_json

from .views.render import Screen

REMEMBERED = "grounder.json"


def use_grounder(screen: Screen, library_dir: Path, grounder: Path) -> None:
    """Makes a model folder the library's default, after checking that it fits.

    Raises:
        ModelError: It was trained on other vectors than the library holds.
    """
    from index.store.library import Library
    from model.grounding.checkpoint import load_checkpoint
    from model.grounding.localizer import check_space

    with Library.open_readonly(library_dir) as library:
        if library.space is not None:
            check_space(load_checkpoint(grounder), library.space)
    keep_grounder(library_dir, grounder.absolute())
    screen.note(f"The library uses {grounder} from now on.")


def keep_grounder(library_dir: Path, grounder: Path) -> None:
    """Writes down, with a digest, which model folder a library uses."""
    from index.files import atomic_write

    said = {"grounder": str(grounder), "digest": _digest(str(grounder))}
    atomic_write(library_dir / REMEMBERED, (json.dumps(said) + "\n").encode())


def remembered_grounder(library_dir: Path) -> Path | None:
    """The model folder that ``gz train --use`` chose for a library, if any.

    Raises:
        ModelError: What is remembered cannot be read.
    """
    path = library_dir / REMEMBERED
    try:
        said = read_json(path.read_bytes())
        grounder = said["grounder"]
        # Files of an earlier gz have no digest.
        if said.get("digest", _digest(grounder)) != _digest(grounder):
            raise ValueError("another path than the one that was written")
        return Path(grounder)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{path} does not name a grounding model.",
            "Remove it, or choose one again with gz train --use.",
        ) from error


def _digest(grounder: str) -> str:
    data = grounder.encode("utf-8", "surrogateescape")
    return hashlib.blake2b(data, digest_size=8).hexdigest()
