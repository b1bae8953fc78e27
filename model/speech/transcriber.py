"""Transcription: finds a speech model, loads it when first needed, writes what is said.

Implements `index.passages.Transcriber`. Nothing is fetched unless somebody asks: `status`
says without any network whether a model is here.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Protocol

from index.errors import ModelError
from index.passages import Passage, Sound, Speech, TimeQuality

from ..hardware.device_errors import device_failure, is_out_of_memory
from ..hardware.devices import best_device, check_device
from ..hub.files import ModelStatus, find_files, model_status
from ..hub.sources import CONFIG_FILE, ModelFiles, ModelSource, Note, Progress, hub_source
from ..hub.weights import read_json
from .folder import check_kind, version_of
from .parakeet import EUROPEAN, Parakeet
from .parakeet import languages_of as parakeet_languages
from .voices import VoiceDetector, weights_file
from .whisper import Whisper, require_language
from .whisper import languages_of as whisper_languages
from .words import Token, passages_of

SPEECH_MODELS = {
    "parakeet": "nvidia/parakeet-tdt-0.6b-v3",
    "whisper-base": "openai/whisper-base",
    "whisper-small": "openai/whisper-small",
    "whisper-turbo": "openai/whisper-large-v3-turbo",
}
"""Words for ``--speech-model``."""
TIMES_REAL_TIME = {"parakeet": 14.0, "whisper-base": 27.0, "whisper-small": 9.5}
"""Seconds of speech a core-second, about; tests/benchmarks/bench_speech.py measures it."""
_LIKE = ModelSource(
    "",
    "",
    None,
    option="--speech-model",
    example=SPEECH_MODELS["whisper-small"],
    presets=", ".join(SPEECH_MODELS),
    without="--speech files needs no model",
)


class _Writer(Protocol):
    @property
    def quality(self) -> TimeQuality: ...

    def write(self, pieces: list[Sound], language: str) -> list[list[Token]]: ...


def source_of(spec: str) -> ModelSource:
    """What a ``--speech-model`` value names; raises UsageError when it can be nothing."""
    if spec in SPEECH_MODELS:
        return hub_source(SPEECH_MODELS[spec], _LIKE)
    folder = Path(spec).expanduser()
    if folder.is_dir() or spec.startswith((".", "/", "~")):
        return ModelSource(
            folder.absolute().name, "", folder.absolute(), _LIKE.option, _LIKE.example
        )
    return hub_source(spec, _LIKE)


def lasting_spec(spec: str) -> str:
    """The ``--speech-model`` value that names the same model from any working directory."""
    folder = source_of(spec).folder
    return spec if folder is None else str(folder)


def default_model(language: str, device: str | None = None) -> str:
    """The model for a language when nobody named one; imports torch where it must choose."""
    if not language or language in EUROPEAN:
        return "parakeet"
    return "whisper-turbo" if (device or best_device()).startswith("cuda") else "whisper-small"


def status(spec: str) -> ModelStatus:
    """Whether a model is on this machine, where and how large, without any network."""
    return model_status(source_of(spec))


def load_transcriber(
    spec: str,
    language: str = "",
    device: str | None = None,
    *,
    offline: bool = False,
    note: Note | None = None,
    progress: Progress | None = None,
) -> SpeechTranscriber:
    """A transcriber; finds (or once downloads) its files, loads no weights.

    Args:
        spec: One of `SPEECH_MODELS`, a folder, or a hub id with an optional ``@revision``.
        language: Two letters; empty lets the model hear it.
        device: ``cpu``, ``cuda`` or ``mps``; None takes the best there is.
        offline: Never touch the network.
        note: Receives a line when a download starts.
        progress: Receives bytes so far and in all during a download.

    Raises:
        UsageError: The model, language or device makes no sense.
        ModelError: The model is missing, unsafe, damaged, or does not write this language;
            or the package that hears speech is not installed.
    """
    check_device(device)
    weights_file()
    files = find_files(
        source_of(spec), offline=offline, note=note, progress=progress, check=check_kind
    )
    found = SpeechTranscriber(files, device)
    require_language(language, found.languages(), files.name)
    return found


class SpeechTranscriber:
    """Implements index.passages.Transcriber on one model folder.

    Args:
        files: The folder.
        device: Where it computes; None takes the best there is.
    """

    def __init__(self, files: ModelFiles, device: str | None = None) -> None:
        self._files = files
        self._device = device
        self._kind = check_kind(files)
        self._voices = VoiceDetector()

    @cached_property
    def engine(self) -> str:
        """Model and revision, as it is written to the library."""
        return f"{self._files.name}@{version_of(self._files)}"

    def languages(self) -> frozenset[str]:
        """Two-letter codes that it can write."""
        if self._kind == "whisper":
            return whisper_languages(self._files.folder)
        return parakeet_languages(read_json(self._files.folder / CONFIG_FILE))

    def speech(self, sound: Sound) -> tuple[Speech, ...]:
        """Where somebody speaks in a piece of sound, in seconds of that piece."""
        return self._voices.speech(sound)

    def transcribe(self, pieces: list[Sound], language: str) -> list[tuple[Passage, ...]]:
        """What is said in each piece, times in seconds of the piece.

        Raises:
            ModelError: The weights do not fit, or the device failed or is full.
        """
        if not pieces:
            return []
        try:
            written = self._writer.write(pieces, language)
        except (RuntimeError, MemoryError) as error:
            if is_out_of_memory(error) and len(pieces) > 1:
                half = len(pieces) // 2
                return self.transcribe(pieces[:half], language) + self.transcribe(
                    pieces[half:], language
                )
            failure = device_failure(error)
            if failure is None:
                raise
            raise ModelError(failure.message, failure.remedy) from error
        return [passages_of(tokens, self._writer.quality) for tokens in written]

    @cached_property
    def _writer(self) -> _Writer:
        kind = Whisper if self._kind == "whisper" else Parakeet
        return kind(self._files, self._device or best_device())
