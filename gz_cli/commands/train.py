"""``gz train``: fine-tunes the grounding model on annotated moments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from index.errors import UsageError

from ..options import (
    DebugOption,
    DeviceOption,
    JsonOption,
    LibraryOption,
    QuietOption,
    settings_of,
)
from ..views.render import Screen
from ..views.train import TrainView, first_process
from .train_data import DataOptions, TrainingData, gather

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
    features: Annotated[
        str | None,
        typer.Option(
            "--features", metavar="DIR[,DIR]", help="Folders with the features of the videos."
        ),
    ] = None,
    text_features: Annotated[
        Path | None,
        typer.Option(
            "--text-features", metavar="DIR", help="Folder with the features of the queries."
        ),
    ] = None,
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
            help="Model that makes the features of --videos, as for gz index.",
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
    classes: Annotated[
        Path | None,
        typer.Option("--classes", metavar="FILE", help="Class list that Charades comes with."),
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
    skip_bad_rows: Annotated[
        bool,
        typer.Option(
            "--skip-bad-rows", help="Name bad rows and leave them out instead of stopping."
        ),
    ] = False,
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
    settings = settings_of(ctx)
    screen = Screen(quiet=settings.quiet, as_json=settings.as_json)
    if lora and (videos is None or adapter is not None):
        raise UsageError(
            "--lora needs --videos, and makes an adapter of its own", "leave --adapter out"
        )
    options = DataOptions(
        annotations, val, split, features, text_features, fine_features, videos, model, adapter,
        dataset, classes, skip_bad_rows, seed, device, out,
    )  # fmt: skip
    data = gather(screen, options)
    recipe = _recipe(data, preset, settings_changed or ())
    changes = {
        "epochs": epochs, "batch_size": batch_size, "rate": rate, "patience": patience,
        "metric": metric, "seed": seed, "workers": workers,
    }  # fmt: skip
    given: dict[str, Any] = {n: value for n, value in changes.items() if value is not None}
    recipe = replace(recipe, config=replace(recipe.config, **given))
    checkpoint = _run(screen, recipe, data, out, device, resume)
    if videos is not None and lora:
        from .lora import ADAPTER, adapt

        checkpoint = adapt(screen, checkpoint, videos, data, out, model, lora, seed, device)
        screen.note(
            f"It reads vectors of the adapted model; make them: gz index --adapter {out / ADAPTER}"
        )
    if not first_process():
        return
    _show(screen, checkpoint, out)
    if push_to is not None:
        from model.training.card import push

        screen.note(f"Uploaded to {push(out, push_to)}")
    if use:
        from ..grounding import use_grounder

        use_grounder(screen, settings.library_dir, out)


def _recipe(data: TrainingData, name: str, settings: Sequence[str]) -> Preset:
    """The preset for features of this width, with single settings changed."""
    from model.training.overrides import changed
    from model.training.presets import for_size, preset

    dim = data.source.video(data.learn[0].video).shape[1]
    text_dim = data.source.sentence(data.learn[0].qid)[1].shape[0]
    return changed(for_size(preset(name, dim, text_dim), len(data.learn)), settings)


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
        screen.result(
            f"{screen.path(bytes(out))}  best epoch {fields['best_epoch']} of {fields['epochs']}, "
            f"R1@0.5 {metrics['MR-full-R1@0.5']:.2f}, R1@0.7 {metrics['MR-full-R1@0.7']:.2f}, "
            f"mAP {metrics['MR-full-mAP']:.2f}"
        )
