"""Which speech model an index run uses, and which one a library remembers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand

from index.errors import ModelError

from .opening import calm_libraries
from .views.render import Screen, shell_quoted, size_text

if TYPE_CHECKING:
    from index.indexing.forecast_words import Speed
    from index.passages import Transcriber

SPEECH_WAYS = ("auto", "on", "files", "off")
REMEMBERED = "speech.json"


@dataclass(frozen=True)
class Speaking:
    """What a run transcribes with."""

    transcriber: Transcriber
    spec: str
    """The ``--speech-model`` value that names it from anywhere."""
    language: str


class SpeechCommand(TyperCommand):
    """A command whose ``--speech`` may stand alone, which means ``--speech on``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Gives a bare ``--speech`` its value, so that it does not take the next word for one."""
        given = list(args)
        for number, word in enumerate(given):
            if word == "--":
                break
            if word == "--speech" and given[number + 1 : number + 2] not in [
                [way] for way in SPEECH_WAYS
            ]:
                given[number] = "--speech=on"
        return super().parse_args(ctx, given)


def speech_way(value: str) -> str:
    """Callback of ``--speech``; a usage error for a way that there is not."""
    if value not in SPEECH_WAYS:
        raise typer.BadParameter(f"{value!r} is none of {', '.join(SPEECH_WAYS)}")
    return value


def open_transcriber(
    screen: Screen,
    library_dir: Path,
    way: str,
    spec: str | None,
    language: str | None,
    device: str | None,
) -> Speaking | None:
    """What a run transcribes with; weights load when it first writes.

    Only ``on`` downloads a model. ``auto`` takes one that was named, now or by an earlier run,
    where it is on this machine.

    Args:
        screen: Shows a download.
        library_dir: Remembers the model.
        way: One of `SPEECH_WAYS`.
        spec: Which model; None takes the remembered one, or else chooses by the language.
        language: Two letters; empty lets the model hear it, None takes the remembered one.
        device: Where it computes; None chooses.

    Raises:
        UsageError: The model or language makes no sense.
        ModelError: The model is missing, damaged, or not one that transcribes.
    """
    if way in ("files", "off"):
        return None
    before_spec, before_language = remembered_speech(library_dir)
    chosen, spoken = spec or before_spec, before_language if language is None else language
    if way == "auto" and chosen is None:
        return None
    calm_libraries(screen)
    from model.speech.transcriber import default_model, lasting_spec, load_transcriber, status

    chosen = lasting_spec(chosen or default_model(spoken, device))
    if way == "auto":
        known = status(chosen)
        if not known.present:
            screen.note(
                f"Speech is not transcribed: {known.problem.rstrip('.')}. "
                f"To fetch it: gz index --speech --speech-model {shell_quoted(chosen)}"
            )
            return None
    with screen.progress() as progress:
        transcriber = load_transcriber(
            chosen,
            spoken,
            device,
            offline=way == "auto",
            note=screen.note,
            progress=lambda done, total: progress.update(
                done / max(1, total), f"downloading {size_text(done)} of {size_text(total)}"
            ),
        )
    return Speaking(transcriber, chosen, spoken)


def speech_ahead(
    library_dir: Path, way: str, spec: str | None, language: str | None, device: str | None
) -> Speed | None:
    """About how fast a run would transcribe; None where it would not. Fetches nothing.

    Args:
        library_dir: Remembers the model.
        way: One of `SPEECH_WAYS`.
        spec: Which model; None as in `open_transcriber`.
        language: Two letters; None takes the remembered one.
        device: Where it computes; None chooses.
    """
    from index.indexing.forecast_words import Speed

    before_spec, before_language = remembered_speech(library_dir)
    chosen, spoken = spec or before_spec, before_language if language is None else language
    if way in ("files", "off") or (way == "auto" and chosen is None):
        return None
    from model.hardware.devices import best_device
    from model.siglip.cores import cores
    from model.speech.transcriber import TIMES_REAL_TIME, default_model, status

    chosen = chosen or default_model(spoken, device)
    if way == "auto" and not status(chosen).present:
        return None
    known = TIMES_REAL_TIME.get(chosen) if (device or best_device()) == "cpu" else None
    return Speed(None if known is None else known * cores())


def keep_speech(library_dir: Path, speaking: Speaking) -> None:
    """Writes down which speech model and language a library uses."""
    from index.files import atomic_write

    said = {"model": speaking.spec, "language": speaking.language}
    atomic_write(library_dir / REMEMBERED, (json.dumps(said) + "\n").encode())


def remembered_speech(library_dir: Path) -> tuple[str | None, str]:
    """The speech model and language of a library: None and ``""`` where nothing is remembered.

    Raises:
        ModelError: What is remembered cannot be read.
    """
    from index.text.strict_json import read_json

    path = library_dir / REMEMBERED
    try:
        said = read_json(path.read_bytes())
        return str(said["model"]), str(said["language"])
    except FileNotFoundError:
        return None, ""
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{path} does not name a speech model.",
            "Remove it, or choose one again with gz index --speech-model.",
        ) from error
