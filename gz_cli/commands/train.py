"""``gz train``: fine-tunes the grounding model on annotated moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from index.errors import ModelError, UsageError
from index.files import shown

from ..options import (
    DebugOption,
    DeviceOption,
    JsonOption,
    LibraryOption,
    QuietOption,
    settings_of,
)
from ..views.render import Screen, shell_quoted
from ..views.train import TrainView, first_process
from .data_options import ClassesOption, FeaturesOption, SkipBadRowsOption, TextFeaturesOption
from .destinations import require_model_folder
from .train_data import DataOptions, TrainingData, gather
from .video_model import open_video_model

if TYPE_CHECKING:
    from model.grounding.checkpoint import Checkpoint
    from model.training.presets import Preset


def train(
    ctx: typer.Context,
    annotations: Annotated[
        Path,
        typer.Option("--annotations", metavar="FILE", help="File of the moments to learn from."),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder that the model is written to.")
    ],
    val: Annotated[
        Path | None,
        typer.Option(
            "--val", metavar="FILE", help="File of the moments that choose the best epoch."
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            "--split",
            metavar="70/15/15",
            help="Split the moments by video: percent to learn, choose and test with.",
        ),
    ] = None,
    features: FeaturesOption = None,
    text_features: TextFeaturesOption = None,
    fine_features: Annotated[
        Path | None,
        typer.Option(
            "--fine-features",
            metavar="DIR",
            help="Folder with the features of the same videos at 4 fps.",
        ),
    ] = None,
    videos: Annotated[
        Path | None,
        typer.Option(
            "--videos",
            metavar="DIR",
            help="Folder of the videos; their features are made and kept in --out.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="NAME|DIR|ID",
            help="Model that makes the features of --videos; else the library's own.",
        ),
    ] = None,
    adapter: Annotated[
        Path | None, typer.Option("--adapter", metavar="DIR", help="LoRA adapter for that model.")
    ] = None,
    dataset: Annotated[
        str,
        typer.Option(
            "--dataset",
            metavar="NAME",
            help="qvhighlights, charades-sta, activitynet, tacos, charades or own; "
            "auto tells it from the file.",
        ),
    ] = "auto",
    classes: ClassesOption = None,
    backbone: Annotated[
        str | None,
        typer.Option(
            "--backbone",
            metavar="NAME|DIR|ID",
            help="Model that made --features; a search uses the result only where it is known.",
        ),
    ] = None,
    lora: Annotated[
        int,
        typer.Option(
            "--lora",
            min=0,
            metavar="EPOCHS",
            help="Afterwards train the last blocks of --model too, from the videos, this long.",
        ),
    ] = 0,
    preset: Annotated[
        str,
        typer.Option(
            "--preset",
            metavar="NAME",
            help="Size and recipe: default; small, a quarter of it; seed, the first design.",
        ),
    ] = "default",
    settings_changed: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PART.NAME=VALUE",
            help="Change one setting, such as shape.width=96; may be repeated.",
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs", min=1, metavar="N", help="Epochs at most; else what the preset says."
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            "--batch-size",
            min=1,
            metavar="N",
            help="Queries in a batch; else what the preset says.",
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate", min=0.0, metavar="R", help="Highest learning rate; else what the preset says."
        ),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            "--patience",
            min=0,
            metavar="N",
            help="Stop after so many epochs without progress; 0 never stops early.",
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            "--metric",
            metavar="KEY",
            help="Official key that chooses the best epoch, such as MR-full-mAP.",
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option("--seed", metavar="N", help="Number that every random choice starts from."),
    ] = 0,
    workers: Annotated[
        int,
        typer.Option(
            "--workers", min=0, metavar="N", help="Processes that load data beside the training."
        ),
    ] = 0,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume/--no-resume", help="Go on where an interrupted training into --out ended."
        ),
    ] = True,
    skip_bad_rows: SkipBadRowsOption = False,
    use: Annotated[
        bool, typer.Option("--use", help="Let the library use the new model from now on.")
    ] = False,
    push_to: Annotated[
        str | None,
        typer.Option(
            "--push-to", metavar="ID", help="Upload the model folder to this id of the model hub."
        ),
    ] = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
    library: LibraryOption = None,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Fine-tune the grounding on moments that were marked.

    A list of your own is a CSV file whose first line names the columns video, query, start_s
    and end_s: the file's name, what is to be seen, and when it starts and ends, in seconds from
    the start of the video. The column duration_s, the length of the video in seconds, may
    follow. Or it is a file of JSON lines with the same keys.

    The result is a folder for gz find --grounder. Interrupted training goes on from
    the last whole epoch and ends as if it had not been interrupted. With --json the results
    are one line for each epoch and one for the model.
    """
    from model.hardware.devices import check_device

    settings = settings_of(ctx)
    screen = Screen(quiet=settings.quiet, as_json=settings.as_json)
    check_device(device)
    _check_options(
        val, split, features, text_features, fine_features, videos, model, adapter,
        backbone, lora=lora, use=use,
    )  # fmt: skip
    changes = {
        "epochs": epochs, "batch_size": batch_size, "rate": rate, "patience": patience,
        "metric": metric, "seed": seed, "workers": workers,
    }  # fmt: skip
    given = {name: value for name, value in changes.items() if value is not None}
    # Checked before features are made; their widths are known only afterwards.
    _recipe(preset, settings_changed or (), given, dim=1, text_dim=1, moments=1)
    require_model_folder(out, resume=resume)
    made_by = None
    if videos is not None or backbone is not None:
        made_by = open_video_model(
            screen, settings.library_dir, model or backbone, adapter, device,
            use=use, lora=bool(lora),
        )  # fmt: skip
    options = DataOptions(
        annotations, val, split, features, text_features, fine_features, videos, made_by,
        dataset, classes, skip_bad_rows, seed, out,
    )  # fmt: skip
    data = gather(screen, options)
    recipe = _recipe(
        preset, settings_changed or (), given,
        dim=data.source.video(data.learn[0].video).shape[1],
        text_dim=data.source.sentence(data.learn[0].qid)[1].shape[0],
        moments=len(data.learn),
    )  # fmt: skip
    checkpoint = _run(screen, recipe, data, out, device, resume)
    if videos is not None and made_by is not None and lora:
        from .lora import ADAPTER, adapt

        checkpoint = adapt(screen, checkpoint, videos, data, out, made_by.spec, lora, seed, device)
        screen.note(
            f"It reads vectors of the adapted model; make them: gz index --adapter {out / ADAPTER}"
        )
    if not first_process():
        return
    _show(screen, checkpoint, out)
    worse = _worse_in_search(checkpoint)
    if worse:
        screen.warning(worse)
    if push_to is not None:
        from model.training.card import push

        screen.note(f"Uploaded to {push(out, push_to)}")
    if use and worse:
        raise ModelError(
            "The library goes on without the new model, because it finds less than no model does.",
            f"It is kept in {out}; to try it: gz find --grounder {shell_quoted(str(out))} QUERY",
        )
    if use:
        from ..grounding import use_grounder

        use_grounder(screen, settings.library_dir, out)


def _check_options(
    val: Path | None,
    split: str | None,
    features: str | None,
    text_features: Path | None,
    fine_features: Path | None,
    videos: Path | None,
    model: str | None,
    adapter: Path | None,
    backbone: str | None,
    *,
    lora: int,
    use: bool,
) -> None:
    """Raises UsageError for options that exclude each other, or that would do nothing."""
    if (val is None) == (split is None):
        raise UsageError("give either --val FILE or --split 70/15/15")
    if (features is None) == (videos is None):
        raise UsageError("give either --features and --text-features, or --videos")
    if videos is None:
        belongs = None if backbone is not None else adapter
        for option, value in (("--model", model), ("--adapter", belongs), ("--lora", lora or None)):
            if value is not None:
                raise UsageError(f"{option} needs --videos", "the features are made already")
        if use and backbone is None:
            raise UsageError(
                "--use needs --videos or --backbone: features do not say which model made them",
                "name the model with --backbone, or train on the videos themselves",
            )
    elif backbone is not None:
        raise UsageError("--backbone belongs to --features", "with --videos name it with --model")
    elif text_features is not None or fine_features is not None:
        raise UsageError("--text-features and --fine-features belong to --features, not --videos")
    elif not videos.is_dir():
        raise UsageError(f"there is no folder {shown(videos)}", "check --videos")
    if lora and adapter is not None:
        raise UsageError("--lora makes its own adapter", "leave --adapter out")
    if lora and use:
        raise UsageError(
            "--use cannot go with --lora: the library holds vectors of the model before it "
            "was adapted",
            "leave --use out; then gz index --rebuild --adapter OUT/adapter and "
            "gz find --grounder OUT",
        )


def _recipe(
    name: str,
    settings: Sequence[str],
    given: dict[str, Any],
    *,
    dim: int,
    text_dim: int,
    moments: int,
) -> Preset:
    """The preset for features of these widths, with single settings changed."""
    from model.training.overrides import changed, checked
    from model.training.presets import for_size, preset

    recipe = changed(for_size(preset(name, dim, text_dim), moments), settings)
    return checked(replace(recipe, config=replace(recipe.config, **given)))


def _run(
    screen: Screen,
    recipe: Preset,
    data: TrainingData,
    out: Path,
    device: str | None,
    resume: bool,
) -> Checkpoint:
    from model.training.trainer import Trainer

    with screen.progress() as progress:
        view = TrainView(screen, progress, recipe.config.epochs, out)
        trainer = Trainer(
            recipe.shape, recipe.config, data.learn, data.check, data.source, out, view,
            device=device, fine=data.fine, space=data.space,
        )  # fmt: skip
        checkpoint = trainer.run(resume=resume)
        view.close()
    return checkpoint


def _show(screen: Screen, checkpoint: Checkpoint, out: Path) -> None:
    fields: dict[str, Any] = {"grounder": str(out), **checkpoint.training}
    if screen.as_json:
        screen.json("train", fields)
    else:
        metrics = checkpoint.training["metrics"]
        error = checkpoint.training["presence"].get("ece")
        presence = "" if error is None else f", calibration error {100 * error:.2f}"
        screen.result(
            f"{screen.path(bytes(out))}  best epoch {fields['best_epoch']} of {fields['epochs']}, "
            f"R1@0.5 {metrics['MR-full-R1@0.5']:.2f}, R1@0.7 {metrics['MR-full-R1@0.7']:.2f}, "
            f"mAP {metrics['MR-full-mAP']:.2f}{presence}"
        )


def _worse_in_search(checkpoint: Checkpoint) -> str:
    """Says so where the model finds less in held-out videos than the training-free search."""
    measured = checkpoint.training.get("archive")
    if not measured or not measured["worse"]:
        return ""
    return (
        f"Among {measured['windows']} held-out windows its first hit is right for "
        f"{measured['trained']:.0%} of the queries, that of the search without it for "
        f"{measured['untrained']:.0%}: more marked moments may help"
    )
