"""The demo model's tokenizer: whole words of the small world's language."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from .captions import KINDS, Event, sentence
from .world import COLOURS, PLACES, SHAPES, WORDS

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

MAX_TOKENS = 16
PAD, END, UNKNOWN = "<pad>", "</s>", "<unk>"


def words() -> list[str]:
    """Every word that any sentence of the world can contain, in a fixed order."""
    rng = random.Random(0)
    found = {"an", "then", "before", "after"}
    for _ in range(20_000):
        event = Event(
            rng.choice(KINDS),
            rng.choice(COLOURS),
            rng.choice(SHAPES) if rng.random() < 0.8 else "",
            (rng.choice(COLOURS), rng.choice(SHAPES)),
            rng.choice(PLACES),
            rng.choice(WORDS) if rng.random() < 0.8 else "",
        )
        found.update(sentence(event, rng).split())
    return sorted(found)


def build_tokenizer() -> PreTrainedTokenizerFast:
    """A word-level tokenizer that ignores case and punctuation and pads to `MAX_TOKENS`."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: k for k, word in enumerate([PAD, END, UNKNOWN, *words()])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Lowercase(), normalizers.Replace(Regex(r"[^\w<>]+"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {END}", special_tokens=[(END, vocabulary[END])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        unk_token=UNKNOWN,
        model_max_length=MAX_TOKENS,
        padding_side="right",
    )
