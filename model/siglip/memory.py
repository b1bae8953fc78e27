"""Small facts worth remembering between runs, in the platform's cache folder.

Everything here can be thrown away: a fact that cannot be read is worked out again,
a fact that cannot be written is not.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from index.errors import NoSpaceError
from index.files import atomic_write


def cache_folder() -> Path:
    """Folder for what GroundZero can always make again; it may not exist yet."""
    from platformdirs import user_cache_path

    return user_cache_path("groundzero", appauthor=False)


def recall(name: str, key: str) -> Any:
    """What was remembered under a key of one notebook, or None."""
    return _read(cache_folder() / f"{name}.json").get(key)


def remember(name: str, key: str, value: Any) -> None:
    """Keeps a JSON value under a key of one notebook; silently does nothing where it cannot."""
    path = cache_folder() / f"{name}.json"
    facts = _read(path)
    facts[key] = value
    with contextlib.suppress(OSError, NoSpaceError):
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, json.dumps(facts, indent=1, sort_keys=True).encode())


def _read(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}
