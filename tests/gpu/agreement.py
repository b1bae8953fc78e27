"""The form that ``gz`` chooses on a card gives the vectors of float32 on the processor."""

from __future__ import annotations

from typing import Any

import numpy as np
from ground import Findings, Ground

MODELS = ("so400m", "base16", "base")
SENTENCES = (
    "a man eats before the interview",
    "a red door opens",
    "the dog runs before a woman",
    "Das türkise Haus 家",
)
TIE = 1e-3
"""Hits whose scores differ by less may change places: the number type decides their order."""


def check(ground: Ground, findings: Findings) -> None:
    from tiny_siglip import picture

    from model.siglip.encoder import load_encoder

    for name in MODELS[:1] if ground.tiny else MODELS:
        folder = ground.model(name)
        count = 12 if ground.tiny else {"so400m": 24}.get(name, 96)
        encoder = load_encoder(str(folder), device=ground.device)
        pictures = [encoder.preprocess(picture(180, 320, seed)) for seed in range(count)]
        frames = encoder.encode_pictures(pictures)
        sentences = np.stack([encoder.encode_sentence(text).pooled for text in SENTENCES])
        true_frames, true_sentences = by_transformers(folder, encoder, pictures)
        form = type(encoder._vision).__name__
        findings.add(f"{name}: form on {encoder.device}", f"{form}, {encoder._vision.dtype}")
        least = float((frames * true_frames).sum(1).min())
        goal = 0.999 if ground.tiny else 0.9999  # a toy has few channels to average over
        findings.add(f"{name}: least cosine of a picture", least, least=goal)
        least = float((sentences * true_sentences).sum(1).min())
        findings.add(f"{name}: least cosine of a sentence", least, least=0.9999)
        same = sum(
            same_hits(frames @ query, true_frames @ true_query)
            for query, true_query in zip(sentences, true_sentences, strict=True)
        )
        findings.holds(
            f"{name}: same first ten hits, ties of {TIE:g} aside",
            same == len(SENTENCES),
            f"{same} of {len(SENTENCES)} sentences",
        )


def by_transformers(folder: Any, encoder: Any, pictures: list[Any]) -> tuple[Any, Any]:
    """Vectors of pictures and of the sentences by the plain float32 classes, unit length."""
    import torch
    from transformers import AutoTokenizer, SiglipModel

    from model.hub.files import find_files
    from model.siglip.backbone import Backbone, source_of
    from model.siglip.vision import normalised

    config = Backbone(find_files(source_of(str(folder)))).pictures
    model = SiglipModel.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    parts = []
    threads = torch.get_num_threads()
    torch.set_num_threads(max(threads, encoder.decode_workers))
    with torch.inference_mode():
        for first in range(0, len(pictures), 8):
            batch = torch.from_numpy(np.stack(pictures[first : first + 8]))
            pixels = normalised(batch, config.mean, config.std, config.rescale)
            parts.append(model.get_image_features(pixel_values=pixels).pooler_output)
        asked = tokenizer(
            [text.lower() for text in SENTENCES],
            padding="max_length",
            truncation=True,
            max_length=64,
            return_tensors="pt",
        )
        texts = model.get_text_features(input_ids=asked["input_ids"]).pooler_output
    torch.set_num_threads(threads)
    unit = torch.nn.functional.normalize
    return unit(torch.cat(parts), dim=-1).numpy(), unit(texts, dim=-1).numpy()


def same_hits(scores: Any, true_scores: Any, hits: int = 10) -> bool:
    """Whether the best rows are those of the true scores, but for ties."""
    last = np.sort(true_scores)[-hits:].min()
    return bool((true_scores[np.argsort(-scores)[:hits]] >= last - TIE).all())
