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
        Path, typer.Option("--annotations", metavar="FILE", help="Moments to learn from.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Model folder to write.")],
    val: Annotated[
        Path | None,
        typer.Option("--val", metavar="FILE", help="Moments that choose the best epoch."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option("--split", metavar="70/15/15", help="Split --annotations by video."),
    ] = None,
    features: Annotated[
        str | None,
        typer.Option("--features", metavar="DIR[,DIR]", help="Features of the videos."),
    ] = None,
    text_features: Annotated[
        Path | None,
        typer.Option("--text-features", metavar="DIR", help="Features of the sentences."),
    ] = None,
    fine_features: Annotated[
        Path | None,
        typer.Option("--fine-features", metavar="DIR", help="The same videos at 4 fps."),
    ] = None,
    videos: Annotated[
        Path | None,
        typer.Option("--videos", metavar="DIR", help="Videos themselves; features are cached."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="NAME|DIR|ID", help="Backbone for --videos."),
    ] = None,
    adapter: Annotated[
        Path | None, typer.Option("--adapter", metavar="DIR", help="LoRA adapter for it.")
    ] = None,
    dataset: Annotated[
        str,
        typer.Option(
            "--dataset",
            metavar="NAME",
            help="qvhighlights, charades-sta, activitynet, tacos, charades or own; else told.",
        ),
    ] = "auto",
    classes: Annotated[
        Path | None, typer.Option("--classes", metavar="FILE", help="Class list of Charades.")
    ] = None,
    lora: Annotated[
        int,
        typer.Option(
            "--lora",
            min=0,
            metavar="EPOCHS",
            help="Then train the backbone's last blocks too, from the videos, for so many epochs.",
        ),
    ] = 0,
    preset: Annotated[
        str, typer.Option("--preset", metavar="NAME", help="default, small or seed.")
    ] = "default",
    settings_changed: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="PART.NAME=VALUE", help="Change one setting; may be repeated."
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", min=1, metavar="N")] = None,
    batch_size: Annotated[int | None, typer.Option("--batch-size", min=1, metavar="N")] = None,
    rate: Annotated[
        float | None, typer.Option("--rate", min=0.0, metavar="R", help="Peak learning rate.")
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            "--patience", min=0, metavar="N", help="Epochs without progress; 0 never ends early."
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option("--metric", metavar="KEY", help="Official key that chooses the best epoch."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of every random choice.")] = 0,
    workers: Annotated[
        int, typer.Option("--workers", min=0, metavar="N", help="Processes that load data.")
    ] = 0,
    resume: Annotated[
        bool, typer.Option("--resume/--no-resume", help="Go on where a run was interrupted.")
    ] = True,
    skip_bad_rows: Annotated[
        bool, typer.Option("--skip-bad-rows", help="Leave bad rows out instead of stopping.")
    ] = False,
    use: Annotated[
        bool, typer.Option("--use", help="Make the library use the model from now on.")
    ] = False,
    push_to: Annotated[
        str | None,
        typer.Option("--push-to", metavar="ID", help="Upload the model folder to this hub id."),
    ] = None,
    device: DeviceOption = None,
    as_json: JsonOption = False,
    library: LibraryOption = None,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Fine-tune the grounding on moments that were marked.

    The result is a folder for gz find --grounder. Interrupted training goes on from
    the last whole epoch and ends as if it had not been interrupted. With --json one
    line for each epoch and one for the result.
    """
    settings = settings_of(ctx)
    screen = Screen(quiet=settings.quiet, as_json=settings.as_json)
    if lora and (videos is None or adapter is not None):
        raise UsageError("--lora needs --videos, and makes its own adapter")
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
        screen.note(f"It reads vectors of the adapted model: gz index --adapter {out / ADAPTER}")
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
