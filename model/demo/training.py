"""Trains the demo model from scratch: ``python -P -m model.demo.training --out DIR``.

The model is transformers' own SiglipModel, only small, with SigLIP's sigmoid loss.
Unlike photographs from the web, the world knows which sentences are true of which
pictures, so every true pair of a batch counts as one and doubtful pairs are left out.
"""

from __future__ import annotations

import argparse
import copy
import json
import logging
import math
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import nn
from torch.nn import functional

from .lessons import ALTERED, DOINGS, Lesson, Teacher
from .vocabulary import MAX_TOKENS, build_tokenizer
from .world import WORDS

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast, SiglipModel

log = logging.getLogger(__name__)

IMAGE, PATCH = 96, 12
WIDTH, TEXT_WIDTH = 192, 128
"""A vector must hold what up to three objects are and do at once, hence the wider one."""
TRAIN_SEED = 20_000_000
"""Archives are made from small seeds; training never meets their scenes."""
_WARM_UP = 200
_AUXILIARY = 4.0


def build_model(vocabulary: int) -> SiglipModel:
    """A SiglipModel of 1.9 million weights, freshly initialised."""
    from transformers import SiglipConfig, SiglipModel

    text = {
        "hidden_size": TEXT_WIDTH, "num_attention_heads": 4, "intermediate_size": 3 * TEXT_WIDTH,
        "num_hidden_layers": 2, "vocab_size": vocabulary,
        "max_position_embeddings": MAX_TOKENS, "projection_size": WIDTH,
        "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 1,
    }  # fmt: skip
    vision = {
        "hidden_size": WIDTH, "num_attention_heads": 6, "intermediate_size": 2 * WIDTH,
        "num_hidden_layers": 4, "image_size": IMAGE, "patch_size": PATCH,
    }  # fmt: skip
    model = SiglipModel(SiglipConfig(text_config=text, vision_config=vision))
    with torch.no_grad():
        model.logit_scale.fill_(math.log(10.0))
        model.logit_bias.fill_(-6.0)
    return model


def pixel_values(pictures: torch.Tensor) -> torch.Tensor:
    """uint8 [B, 3, H, W] to what the vision tower takes, as the model's own processor does."""
    small = functional.interpolate(
        pictures.float(), (IMAGE, IMAGE), mode="bilinear", antialias=True, align_corners=False
    )
    return small.round() / 127.5 - 1.0


class _Side(NamedTuple):
    """Answers to the side tasks, as logits."""

    patches: torch.Tensor
    """float32 [B, P, 16]: 7 colours, 7 shapes (the first of each is none), 2 doings."""
    words: torch.Tensor
    """float32 [B, 13]: the word on a slide; the first is none."""
    doings: torch.Tensor
    """float32 [B, DOINGS]: what each object there can be is seen to do."""


class Pupil(nn.Module):
    """The model with simpler tasks beside it that are thrown away after training.

    Saying which colour and shape lies at each patch, what that object is doing, and
    which word a slide shows teaches the vision tower what to look for long before
    sentences alone would.
    """

    def __init__(self, model: SiglipModel) -> None:
        super().__init__()
        self.model = model
        self.where = nn.Linear(WIDTH, 16)
        self.word = nn.Linear(WIDTH, 1 + len(WORDS))
        self.doing = nn.Linear(WIDTH, DOINGS)
        nn.init.constant_(self.doing.bias, -4.0)

    def look(self, pixels: torch.Tensor) -> tuple[torch.Tensor, _Side]:
        """Pictures to vectors of unit length [B, D], and the answers to the side tasks."""
        seen = self.model.vision_model(pixel_values=pixels)
        image = functional.normalize(seen.pooler_output, dim=-1)
        # As in the main task, what a vector says must lie in its direction alone.
        doings = self.doing(10.0 * image)
        return image, _Side(
            self.where(seen.last_hidden_state), self.word(seen.pooler_output), doings
        )

    def compare(self, image: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """Logits [B, N] of sentences for pictures."""
        read = self.model.text_model(input_ids=tokens)
        text = functional.normalize(read.pooler_output, dim=-1)
        cosines = image @ text.T
        logits: torch.Tensor = cosines * self.model.logit_scale.exp() + self.model.logit_bias
        return logits


def loss_of(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """SigLIP's pairwise sigmoid loss, summed over sentences, averaged over pictures."""
    known = (truth >= 0).float()
    pairs = functional.binary_cross_entropy_with_logits(
        logits, truth.clamp(min=0), reduction="none"
    )
    return (pairs * known).sum() / len(logits)


def _side_loss(side: _Side, lesson: Lesson) -> torch.Tensor:
    patches, labels = side.patches, lesson.patches
    # Patches without an object are nearly all of them.
    weight = torch.tensor([0.15] + [1.0] * 6)
    colour = functional.cross_entropy(
        patches[..., :7].flatten(0, 1), labels[..., 0].flatten(), weight=weight
    )
    shape = functional.cross_entropy(
        patches[..., 7:14].flatten(0, 1), labels[..., 1].flatten(), weight=weight
    )
    told = (labels[..., 0] > 0) & (labels[..., 2] >= 0)
    doing = torch.zeros(())
    if told.any():
        doing = functional.binary_cross_entropy_with_logits(
            patches[..., 14:][told], labels[..., 2:][told].float()
        )
    word = functional.cross_entropy(side.words, lesson.words)
    return colour + shape + doing + 0.5 * word + loss_of(side.doings, lesson.doings) / _AUXILIARY


class _Lessons(torch.utils.data.IterableDataset[Lesson]):
    def __init__(self, seed: int, first: int, last: int, pictures: int, primers: int) -> None:
        self.seed, self.first, self.last = seed, first, last
        self.pictures, self.primers = pictures, primers

    def __iter__(self) -> Iterator[Lesson]:
        torch.set_num_threads(1)
        teacher = Teacher(self.seed, self.pictures)
        for number in range(self.first, self.last):
            yield teacher.primer(number) if number < self.primers else teacher.lesson(number)


def _rate(step: int, steps: int, peak: float) -> float:
    """Warm-up, a long plateau, and a cooling down over the last quarter."""
    cooling = max(1, steps // 4)
    return peak * min(1.0, (step + 1) / _WARM_UP, (steps - step) / cooling)


def token_ids(tokenizer: PreTrainedTokenizerFast, texts: list[str]) -> torch.Tensor:
    """Sentences to int64 [N, MAX_TOKENS], padded as SigLIP pads."""
    batch = tokenizer(
        texts, padding="max_length", truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
    )
    return batch["input_ids"]  # type: ignore[no-any-return]


@torch.no_grad()
def examine(pupil: Pupil, tokenizer: PreTrainedTokenizerFast, lessons: list[Lesson]) -> str:
    """How many true and how many false pairs the sigmoid gets right, in words."""
    right: dict[str, list[float]] = defaultdict(list)
    for lesson in lessons:
        image, _ = pupil.look(pixel_values(lesson.pictures))
        logits = pupil.compare(image, token_ids(tokenizer, lesson.texts))
        for name, value in (("shown", 1), ("absent", 0)):
            picked = lesson.truth == value
            right[name] += ((logits[picked] > 0) == bool(value)).float().tolist()
        for k in range(1, 1 + ALTERED):
            own = slice(k, None, 1 + ALTERED)
            hard = lesson.truth[:, own].diagonal() == 0
            right["altered"] += (logits[:, own].diagonal()[hard] < 0).float().tolist()
    return ", ".join(f"{k} {sum(v) / len(v):.4f}" for k, v in right.items())


class _Course:
    """Everything that changes while training, and how it is put aside and taken up again."""

    def __init__(self, vocabulary: int, peak: float) -> None:
        self.pupil = Pupil(build_model(vocabulary))
        self.optimizer = torch.optim.AdamW(
            self.pupil.parameters(), lr=peak, betas=(0.9, 0.98), weight_decay=0.02
        )
        self.average = {k: v.clone() for k, v in self.pupil.state_dict().items()}
        self.done = 0

    def learn(self, lesson: Lesson, tokens: torch.Tensor, rate: float) -> tuple[float, float]:
        """One step; returns the losses of sentences and of the side tasks."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        image, side = self.pupil.look(pixel_values(lesson.pictures))
        said = torch.zeros(())
        if lesson.texts:
            said = loss_of(self.pupil.compare(image, tokens), lesson.truth)
        located = _side_loss(side, lesson)
        self.optimizer.zero_grad()
        (said + _AUXILIARY * located).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.pupil.parameters(), 1.0)
        self.optimizer.step()
        decay = min(0.998, self.done / (self.done + 50))
        for name, value in self.pupil.state_dict().items():
            self.average[name].lerp_(value, 1 - decay)
        self.done += 1
        return said.item(), located.item()

    def averaged(self) -> Pupil:
        """A copy with the averaged weights, which do better than the last ones."""
        pupil = copy.deepcopy(self.pupil)
        pupil.load_state_dict(self.average)
        return pupil.eval()

    def put_aside(self, path: Path) -> None:
        """Writes all of it as safetensors."""
        from safetensors.torch import save_file

        tensors = {f"pupil.{k}": v.contiguous() for k, v in self.pupil.state_dict().items()}
        tensors |= {f"average.{k}": v.contiguous() for k, v in self.average.items()}
        for k, values in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{k}.{name}": v.contiguous() for name, v in values.items()}
        save_file(tensors, path, metadata={"done": str(self.done)})

    def take_up(self, path: Path) -> None:
        """Goes on from what `put_aside` wrote."""
        from safetensors import safe_open

        parts: dict[str, dict[str, torch.Tensor]] = defaultdict(dict)
        with safe_open(path, framework="pt") as file:
            self.done = int(file.metadata()["done"])
            for key in file.keys():  # noqa: SIM118 - not a dict
                part, _, name = key.partition(".")
                parts[part][name] = file.get_tensor(key)
        self.pupil.load_state_dict(parts["pupil"])
        self.average = parts["average"]
        state = self.optimizer.state_dict()
        moments: dict[int, dict[str, torch.Tensor]] = defaultdict(dict)
        for key, value in parts["optimizer"].items():
            number, _, name = key.partition(".")
            moments[int(number)][name] = value
        self.optimizer.load_state_dict({**state, "state": dict(moments)})


def train(
    out: Path,
    *,
    steps: int,
    seed: int,
    primers: int = 1300,
    pictures: int = 32,
    peak: float = 1.2e-3,
    resume: Path | None = None,
) -> None:
    """Trains and saves the averaged weights, the tokenizer and the processor to `out`.

    Args:
        out: Folder for the finished model; ``OUT.state.safetensors`` is left beside it.
        steps: Lessons in all.
        primers: How many of them, the first ones, are pictures without sentences.
        seed: Of the first weights and of every lesson.
        pictures: Of each lesson; there are three sentences for each.
        peak: Highest learning rate.
        resume: An ``OUT.state.safetensors`` to go on from.
    """
    torch.manual_seed(seed)
    tokenizer = build_tokenizer()
    course = _Course(len(tokenizer), peak)
    if resume is not None:
        course.take_up(resume)
    out.mkdir(parents=True, exist_ok=True)
    check = [Teacher(TRAIN_SEED + seed + 1, 96).lesson(k) for k in range(4)]
    lessons = _Lessons(TRAIN_SEED + seed, course.done, steps, pictures, primers)
    began, first = time.monotonic(), course.done
    for lesson in torch.utils.data.DataLoader(lessons, batch_size=None, num_workers=1):
        rate = _rate(course.done, steps, peak)
        tokens = token_ids(tokenizer, lesson.texts or ["none"])
        said, located = course.learn(lesson, tokens, rate)
        if course.done % 100 == 0:
            pace = (time.monotonic() - began) / (course.done - first)
            log.info(
                "step %d: sentences %.3f, side tasks %.3f, %.2f s a step",
                course.done, said, located, pace,
            )  # fmt: skip
        if course.done % 500 == 0 or course.done == steps:
            course.put_aside(out.parent / f"{out.name}.state.safetensors")
            save(course.averaged().model, tokenizer, out)
            log.info("averaged weights: %s", examine(course.averaged(), tokenizer, check))


def save(model: SiglipModel, tokenizer: PreTrainedTokenizerFast, out: Path) -> None:
    """Writes half-precision weights, tokenizer and image processor as one model folder."""
    from safetensors.torch import save_file

    weights = {k: v.detach().half().contiguous() for k, v in model.state_dict().items()}
    save_file(weights, out / "model.safetensors", metadata={"format": "pt"})
    model.config.architectures = ["SiglipModel"]
    model.config.dtype = "float16"
    model.config.save_pretrained(out)
    tokenizer.save_pretrained(out)
    processor = {
        "image_processor_type": "SiglipImageProcessor", "do_resize": True,
        "size": {"height": IMAGE, "width": IMAGE}, "resample": 2, "do_rescale": True,
        "rescale_factor": 1 / 255, "do_normalize": True,
        "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "do_convert_rgb": True,
    }  # fmt: skip
    (out / "preprocessor_config.json").write_text(json.dumps(processor, indent=2) + "\n")


def main() -> None:
    """Reads the options and trains."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=14_500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", type=Path)
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    train(chosen.out, steps=chosen.steps, seed=chosen.seed, resume=chosen.resume)


if __name__ == "__main__":
    main()
