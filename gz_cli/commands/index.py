"""``gz index``: makes videos searchable."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from index.errors import LibraryError, ModelError, NothingIndexedError, UsageError

from ..opening import default_spec, open_encoder, open_library, open_screen_reader
from ..options import (
    DebugOption,
    DeviceOption,
    JsonOption,
    LibraryOption,
    QuietOption,
    settings_of,
)
from ..speech import keep_speech, open_transcriber, speech_ahead, speech_way
from ..views.forecast import show_forecast
from ..views.index import IndexView, show_summary
from ..views.render import Screen
from .first_look import look_once
from .text_options import (
    SubtitleEncodingOption,
    TranscriptOffsetOption,
    TranscriptOption,
    TranscriptStartOption,
    checked_encoding,
    checked_transcript,
)

if TYPE_CHECKING:
    from index.indexing.forecast_words import Speed
    from index.indexing.progress import IndexOptions, IndexSummary
    from index.passages import ScreenReader, Transcriber
    from index.types import EmbeddingSpace, Encoder

SOME_FAILED = 3
_TO_GO_ON = "Interrupted; what is done is kept, run it again to go on"


def index_videos(
    ctx: typer.Context,
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="PATH", help="Folders and files.")
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option("--exclude", metavar="GLOB", help="Leave these out; may be repeated."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="NAME|DIR|ID",
            help="so400m, large, base16, base, demo, a folder or a SigLIP id of the hub.",
        ),
    ] = None,
    adapter: Annotated[
        Path | None, typer.Option("--adapter", metavar="DIR", help="LoRA adapter for the model.")
    ] = None,
    prune: Annotated[bool, typer.Option("--prune", help="Forget videos that are gone.")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Try failed videos again.")] = False,
    every_frame: Annotated[
        bool,
        typer.Option(
            "--every-frame", help="Encode also frames that show nothing new; takes longer."
        ),
    ] = False,
    coarse_first: Annotated[
        bool | None,
        typer.Option(
            "--coarse-first/--no-coarse-first",
            help="Make videos searchable by key frames first; else where there is much to read.",
        ),
    ] = None,
    read_screen: Annotated[
        bool | None,
        typer.Option(
            "--screen/--no-screen",
            help="Read what stands on the screen, also in later runs; needs the extra screen.",
        ),
    ] = None,
    speech: Annotated[
        str,
        typer.Option(
            "--speech",
            metavar="[auto|on|files|off]",
            callback=speech_way,
            help="Words that are said: from files beside the videos and, where there are none, by "
            "a speech model that was named once (auto); fetch one if need be (on, or nothing "
            "after --speech); from files alone; not at all.",
        ),
    ] = "auto",
    speech_model: Annotated[
        str | None,
        typer.Option(
            "--speech-model",
            metavar="NAME|DIR|ID",
            help="parakeet, whisper-base, whisper-small, whisper-turbo, a folder or a hub id.",
        ),
    ] = None,
    language: Annotated[
        str | None,
        typer.Option(
            "--language", metavar="CODE", help="What is spoken, as en; else the model hears it."
        ),
    ] = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Begin the library anew, also with another model.")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", min=1, metavar="N", help="Decoder processes; else by the machine."
        ),
    ] = None,
    hwaccel: Annotated[
        str | None,
        typer.Option(
            "--hwaccel",
            metavar="NAME",
            help="Decode on such a device (cuda, vaapi, videotoolbox ...); gz names those that it "
            "knows when it does not know this one.",
        ),
    ] = None,
    subtitle_encoding: SubtitleEncodingOption = None,
    transcript: TranscriptOption = None,
    transcript_offset: TranscriptOffsetOption = 0.0,
    transcript_start: TranscriptStartOption = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Only say what would be read, how long it takes and how much disk."
        ),
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Name every file that is skipped.")
    ] = False,
    device: DeviceOption = None,
    as_json: JsonOption = False,
    library: LibraryOption = None,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Make videos searchable; afterwards only what changed.

    Subtitles and transcripts beside the videos and in them are read too, and chapters.
    Without PATH the folders that the library knows are looked at again. With --json
    one line for each status, problem and summary.
    """
    from index.indexing.progress import IndexOptions

    settings = settings_of(ctx)
    screen = Screen(quiet=settings.quiet, as_json=settings.as_json)
    known = _known(settings.library_dir, rebuild=rebuild)
    roots = [Path(os.path.abspath(Path(path).expanduser())) for path in paths or known.roots]  # noqa: PTH100
    if not roots:
        raise UsageError("there is no folder to look at", "name some: gz index FOLDER")
    _require_some(roots, known)
    encoding = checked_encoding(subtitle_encoding)
    given = checked_transcript(transcript, transcript_offset, transcript_start, paths or ())
    if hwaccel:
        from index.media.hardware import check_hwaccel

        check_hwaccel(hwaccel)
    spec, adapter_dir = _model_asked(known, model, adapter)
    if model and not rebuild:
        _refuse_another_model(known, model)
    spec = spec or default_spec()
    options = IndexOptions(
        exclude=tuple(exclude or ()),
        prune=prune,
        retry=retry,
        rebuild=rebuild,
        every_frame=every_frame,
        coarse_first=coarse_first,
        screen=read_screen,
        hwaccel=hwaccel or "",
        model_spec=spec,
        adapter=str(adapter_dir or ""),
        workers=workers,
        texts=speech != "off",
        subtitle_encoding=encoding,
        transcript=given,
        transcript_offset_s=transcript_offset,
        transcript_starts_at_s=transcript_start,
        name_skipped=verbose,
    )
    reads = (known.reads_screen and not rebuild) if read_screen is None else read_screen
    reader = open_screen_reader() if reads else None
    if dry_run:
        speed = speech_ahead(settings.library_dir, speech, speech_model, language, device)
        _foresee(screen, settings.library_dir, roots, options, adapter_dir, device, speed, reader)
        return
    encoder = open_encoder(
        screen, spec, adapter_dir, device, known=None if rebuild else known.space
    )
    speaking = open_transcriber(
        screen, settings.library_dir, speech, speech_model, language, device
    )
    look_once(screen, spec, encoder, device)
    if speaking is not None:
        options = replace(options, language=speaking.language)
        settings.library_dir.mkdir(parents=True, exist_ok=True)
        keep_speech(settings.library_dir, speaking)
    transcriber = None if speaking is None else speaking.transcriber
    _end(_run(screen, settings.library_dir, roots, encoder, options, reader, transcriber))


@dataclass(frozen=True)
class _Known:
    """What the library remembers from earlier runs."""

    model_spec: str | None = None
    adapter: Path | None = None
    roots: tuple[str, ...] = ()
    space: EmbeddingSpace | None = None
    reads_screen: bool = False


def _require_some(roots: list[Path], known: _Known) -> None:
    """Refuses places that are not there before anything slow; a known one may only be offline."""
    if not any(root.exists() or any(map(root.is_relative_to, known.roots)) for root in roots):
        raise UsageError(
            f"there is no file or folder {', '.join(map(str, roots))}", "check how it is written"
        )


def _known(library_dir: Path, *, rebuild: bool) -> _Known:
    try:
        with open_library(library_dir) as library:
            return _Known(
                library.model_spec or None,
                Path(library.adapter) if library.adapter else None,
                tuple(map(os.fsdecode, library.roots())),
                library.space,
                library.reads_screen,
            )
    except NothingIndexedError:
        return _Known()
    except LibraryError:
        if rebuild:
            return _Known()
        raise


def _model_asked(
    known: _Known, model: str | None, adapter: Path | None
) -> tuple[str | None, Path | None]:
    """The model and adapter of this run: what was asked for, else what the library has."""
    if model is None and adapter is None:
        return known.model_spec, known.adapter
    from model.siglip.backbone import lasting_spec

    spec = lasting_spec(model) if model else known.model_spec
    return spec, adapter.expanduser().absolute() if adapter else None


def _refuse_another_model(known: _Known, model: str) -> None:
    """Says that a library has another model before anybody looks for this one's weights.

    Raises:
        ModelError: The names alone tell. Folders have none; their vectors are compared later.
    """
    from model.siglip.backbone import source_of

    source = source_of(model)
    if known.space is None or source.folder is not None or source.name == known.space.backbone:
        return
    raise ModelError(
        f"the library was indexed with {known.model_spec}, not with {model} ({source.name})",
        f"leave out --model to go on with it, or index anew: gz index --rebuild --model {model}",
    )


def _foresee(
    screen: Screen,
    library_dir: Path,
    roots: list[Path],
    options: IndexOptions,
    adapter: Path | None,
    device: str | None,
    speech: Speed | None,
    reader: ScreenReader | None,
) -> None:
    """Shows what a run would do; writes nothing and downloads nothing."""
    from index.indexing.forecast import forecast, workload
    from index.indexing.forecast_words import words_ahead
    from model.siglip.encoder import model_status

    here = model_status(options.model_spec).present
    encoder = open_encoder(screen, options.model_spec, adapter, device) if here else None
    with contextlib.ExitStack() as stack:
        library = None
        if not options.rebuild:
            with contextlib.suppress(NothingIndexedError):
                library = stack.enter_context(open_library(library_dir))
        if library is not None and encoder is not None:
            library.check_space(encoder.space)
        work = workload(library, roots, options, transcribes=speech is not None)
        dim = encoder.space.dim if encoder is not None else library.dim if library else 0
        ahead = forecast(work, options, encoder, dim)
        words = words_ahead(library, work, ahead.video_s, options, speech=speech, reader=reader)
    show_forecast(
        screen,
        work,
        ahead,
        words,
        options.model_spec,
        model_is_here=here,
    )


def _run(
    screen: Screen,
    library_dir: Path,
    roots: list[Path],
    encoder: Encoder,
    options: IndexOptions,
    reader: ScreenReader | None,
    transcriber: Transcriber | None,
) -> IndexSummary:
    from index.indexing.indexer import index_paths

    with screen.progress() as progress:
        view = IndexView(screen, progress)
        try:
            summary = index_paths(library_dir, roots, encoder, options, view, reader, transcriber)
        except KeyboardInterrupt:  # between its steps, where it has no summary to give
            raise KeyboardInterrupt(_TO_GO_ON) from None
    show_summary(screen, summary)
    return summary


def _end(summary: IndexSummary) -> None:
    """Ends with the exit status that a run deserves."""
    if summary.interrupted:
        raise KeyboardInterrupt(_TO_GO_ON)
    if not summary.searchable and not summary.searchable_sounds:
        raise NothingIndexedError(
            "nothing could be indexed: there is no video to search",
            "gz ls shows what failed and why",
        )
    # What failed before and is as it was has been told; a script need not hear of it daily.
    if summary.failed or summary.offline_roots or summary.problems:
        raise typer.Exit(SOME_FAILED)
