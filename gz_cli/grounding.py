"""Which trained grounding a library remembers; without one it uses the training-free one."""

from __future__ import annotations

import json
from pathlib import Path

from index.errors import ModelError
from index.strict_json import read_json

from .views.render import Screen

REMEMBERED = "grounder.json"


def use_grounder(screen: Screen, library_dir: Path, grounder: Path) -> None:
    """Makes a model folder the library's default, after checking that it fits.

    Raises:
        ModelError: It was trained on other vectors than the library holds.
    """
    from index.files import atomic_write
    from index.store.library import Library
    from model.grounding.checkpoint import load_checkpoint
    from model.grounding.localizer import check_space

    with Library.open_readonly(library_dir) as library:
        if library.space is not None:
            check_space(load_checkpoint(grounder), library.space)
    text = json.dumps({"grounder": str(grounder.absolute())}) + "\n"
    atomic_write(library_dir / REMEMBERED, text.encode())
    screen.note(f"The library uses {grounder} from now on.")


def remembered_grounder(library_dir: Path) -> Path | None:
    """The model folder that ``gz train --use`` chose for a library, if any.

    Raises:
        ModelError: What is remembered cannot be read.
    """
    path = library_dir / REMEMBERED
    try:
        return Path(read_json(path.read_bytes())["grounder"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{path} does not name a grounding model", "remove it, or run gz train --use again"
        ) from error
