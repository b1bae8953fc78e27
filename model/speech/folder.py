"""What a folder of a speech model holds: its settings, its pieces of text, its weights."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from index.errors import ModelError

from ..hub.files import check_complete
from ..hub.sources import CONFIG_FILE, PROCESSOR_FILES, TOKENIZER_FILE, ModelFiles
from ..hub.weights import damaged, read_json

KINDS = ("parakeet_tdt", "whisper")
_EDGE_BYTES = 1 << 20


def check_kind(files: ModelFiles) -> str:
    """Which kind of speech model a folder holds, from its config.json alone.

    Raises:
        ModelError: None that is known here.
    """
    kind = str(read_json(files.folder / CONFIG_FILE).get("model_type"))
    if kind not in KINDS:
        raise ModelError(
            f"{files.name} is a model of type {kind!r}, which transcribes nothing here.",
            "Use --speech-model parakeet, whisper-small or whisper-turbo.",
        )
    return kind


def sound_settings(folder: Path) -> dict[str, Any]:
    """How the model wants sound prepared."""
    path = next(folder / name for name in PROCESSOR_FILES if (folder / name).is_file())
    settings = read_json(path)
    inner = settings.get("feature_extractor", settings)
    if not isinstance(inner, dict):
        raise damaged(path, "no settings for sound")
    drop = ("feature_extractor_type", "processor_class")
    return {name: value for name, value in inner.items() if name not in drop}


def load_model(kind: Any, files: ModelFiles) -> Any:
    """A model of one of transformers' classes, from safetensors alone, complete.

    Raises:
        ModelError: Its weights are damaged, or do not fit its config.json.
    """
    from transformers import logging

    check_complete(files.folder)
    bars_before = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        model, found = kind.from_pretrained(
            files.folder, use_safetensors=True, local_files_only=True, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise damaged(files.folder, str(error).splitlines()[0] if str(error) else "?") from error
    finally:
        if bars_before:
            logging.enable_progress_bar()
    missing = sorted(found["missing_keys"])
    if missing:
        raise damaged(files.folder, f"{len(missing)} tensors are missing, first {missing[0]}")
    return model.eval()


def load_tokenizer(folder: Path) -> Any:
    """The model's pieces of text."""
    from tokenizers import Tokenizer

    path = folder / TOKENIZER_FILE
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises plain Exception
        raise damaged(path, str(error)) from error


def version_of(files: ModelFiles) -> str:
    """Commit of a hub snapshot, or what tells one plain folder from another: 12 hex digits."""
    if files.revision:
        return files.revision[:12]
    state = hashlib.blake2b((files.folder / CONFIG_FILE).read_bytes(), digest_size=6)
    for path in check_complete(files.folder):
        size_bytes = path.stat().st_size
        with path.open("rb") as file:
            state.update(f"{path.name} {size_bytes}".encode() + file.read(_EDGE_BYTES))
            file.seek(max(0, size_bytes - _EDGE_BYTES))
            state.update(file.read())
    return state.hexdigest()
