"""A small model of the real classes that has learned the drawings of model/evaluation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tiny_siglip import make_model

from model.evaluation.drawings import drawings
from model.siglip.preprocess import ResizePicture

SIDE, WORDS = 64, 512
STEPS = 90
SHOWN = drawings()


def make_word_tokenizer(folder: Path, words: Sequence[str], size: int = WORDS) -> None:
    """A tokenizer that knows whole words, in the order given, and nothing else."""
    from tokenizers import AddedToken, Tokenizer, pre_tokenizers, processors
    from tokenizers.models import WordLevel

    special = ["<pad>", "<eos>", "<bos>", "<unk>"]
    entries = [*special, *words]
    entries += [f"<unused{number}>" for number in range(size - len(entries))]
    vocab = {entry: number for number, entry in enumerate(entries)}
    tokenizer = Tokenizer(WordLevel(vocab, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A:0 <eos>:0", special_tokens=[("<eos>", 1)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))


def words_of_drawings() -> list[str]:
    """Every word of their sentences."""
    return sorted({word for drawing in SHOWN for word in drawing.query.split()})


def train_on_drawings(folder: Path) -> None:
    """Writes a model folder that matches all drawings with their sentences; takes seconds."""
    import torch
    from torch.nn.functional import cross_entropy, normalize

    from model.siglip.tokens import SentenceTokenizer

    torch.set_num_threads(1)  # a second thread that waits for a busy core costs minutes
    model = make_model(folder, image_size=SIDE, patch_size=8, num_hidden_layers=2)
    config = (folder / "config.json").read_text()
    make_word_tokenizer(folder, words_of_drawings())
    tokenizer = SentenceTokenizer(folder, 64, WORDS)
    ids = torch.from_numpy(np.stack([tokenizer(each.query).ids for each in SHOWN]))
    resize = ResizePicture(SIDE, SIDE)
    pixels = torch.from_numpy(np.stack([resize(each.picture) for each in SHOWN]))
    pixels = pixels.permute(0, 3, 1, 2) / 127.5 - 1
    own = torch.arange(len(SHOWN))
    random = torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    model.train()
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = 2e-3 * (1 - step / STEPS)
        dy, dx = (int(n) for n in torch.randint(-2, 3, (2,), generator=random))
        noise = torch.randn(pixels.shape, generator=random) * 0.05
        seen = model.get_image_features(pixel_values=pixels.roll((dy, dx), (2, 3)) + noise)
        read = model.get_text_features(input_ids=ids)
        pictures, sentences = normalize(seen.pooler_output), normalize(read.pooler_output)
        logits = 10 * sentences @ pictures.T
        loss = cross_entropy(logits, own) + cross_entropy(logits.T, own)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval().save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps(json.loads(config)))
