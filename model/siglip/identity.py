"""What makes two model folders the same model: digests of all that decides the vectors.

Gigabytes are never read for a search. The hub's client names each large file in its cache by
the SHA-256 of its content; what lies elsewhere is digested once and remembered.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from index.files import digest_file, sha256_file

from ..hub.files import check_complete
from ..hub.sources import CONFIG_FILE, TOKENIZER_FILE
from .memory import recall, remember
from .tokens import SETTINGS_FILES, deciding_settings

_WORTH_REMEMBERING_BYTES = 50_000_000
"""Smaller files are digested in less time than it takes to look up."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


def folder_digest(folder: Path) -> str:
    """Digest of a plain folder's files as they are, 32 hex digits."""
    settings = [folder / name for name in SETTINGS_FILES if (folder / name).is_file()]
    names = [folder / CONFIG_FILE, folder / TOKENIZER_FILE, *settings, *check_complete(folder)]
    state = hashlib.blake2b(digest_size=16)
    for path in names:
        state.update(f"{path.name}\0{_remembered('digests', path, digest_file)}\0".encode())
    return state.hexdigest()


def snapshot_digest(folder: Path, sizes: Mapping[str, Any]) -> str:
    """Digest of a hub snapshot, equal for all commits that give the same vectors, 32 hex digits.

    A commit that changes the repository's README, or a line of config.json that nothing
    reads, changes no vector and must not cost anybody a library.

    Args:
        folder: A complete snapshot.
        sizes: Both towers' sizes as they were understood.
    """
    decided = json.dumps([sizes, deciding_settings(folder)], sort_keys=True)
    state = hashlib.blake2b(decided.encode(), digest_size=16)
    for path in (folder / TOKENIZER_FILE, *check_complete(folder)):
        state.update(f"{path.name}\0{_content(path)}\0".encode())
    return state.hexdigest()


def _content(path: Path) -> str:
    """SHA-256 of a file; read off the name of the blob that a snapshot's link points to."""
    if path.is_symlink():
        blob = path.readlink()
        if blob.parent.name == "blobs" and _SHA256.fullmatch(blob.name):
            return blob.name
    return _remembered("sha256", path, sha256_file)


def _remembered(notebook: str, path: Path, digest: Callable[[Path], str]) -> str:
    stat = path.stat()
    if stat.st_size < _WORTH_REMEMBERING_BYTES:
        return digest(path)
    key = f"{stat.st_dev}:{stat.st_ino}:{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ctime_ns}"
    known = recall(notebook, key)
    if isinstance(known, str):
        return known
    made = digest(path)
    remember(notebook, key, made)
    return made
