"""Model folders laid out as on the hub, with tiny random weights of the real classes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

IMAGE_SIZE = 48
WORDS = ("a", "an", "the", "man", "woman", "dog", "eats", "opens", "red", "blue", "door", "before")


def make_tokenizer(folder: Path) -> None:
    """A tokenizer as the SigLIP 2 repositories have it: Gemma's kind, whose file knows nothing
    of lower case, with the settings of the conversion script."""
    from tokenizers import AddedToken, Tokenizer, decoders, normalizers, pre_tokenizers, processors
    from tokenizers.models import BPE

    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    vocab = {token: number for number, token in enumerate(special)}
    for byte in range(256):
        vocab[f"<0x{byte:02X}>"] = len(vocab)
    merges = []
    for letter in "▁abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ":
        vocab.setdefault(letter, len(vocab))
    for word in WORDS:
        for end in range(2, len(word) + 1):
            if word[:end] not in vocab:
                vocab[word[:end]] = len(vocab)
                merges.append((word[: end - 1], word[end - 1]))
    tokenizer = Tokenizer(BPE(vocab, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A:0 <eos>:0", pair="$A:0 <eos>:0 $B:1 <eos>:1", special_tokens=[("<eos>", 1)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "add_bos_token": False,
        "add_eos_token": True,
        "bos_token": "<bos>",
        "eos_token": "<eos>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "do_lower_case": True,
        "model_input_names": ["input_ids"],
        "model_max_length": 64,
        "padding_side": "right",
        "processor_class": "SiglipProcessor",
        "tokenizer_class": "GemmaTokenizer",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def tiny_config(**vision: Any) -> Any:
    """The real configuration class at toy size."""
    from transformers import SiglipConfig

    text = {
        "vocab_size": 512,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "bos_token_id": 2,
        "eos_token_id": 1,
        "pad_token_id": 0,
    }
    picture = {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "image_size": IMAGE_SIZE,
        "patch_size": 14,  # does not divide the size, as in So400m
    }
    return SiglipConfig(text_config=text, vision_config=picture | vision)


def make_model(folder: Path, *, seed: int = 0, resample: int = 2, **vision: Any) -> Any:
    """Writes a complete model folder; returns the transformers model that it holds."""
    import torch
    from transformers import SiglipModel

    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    model = SiglipModel(tiny_config(**vision)).eval()
    with torch.no_grad():
        model.logit_scale.fill_(4.7)
        model.logit_bias.fill_(-16.5)
        for name, weight in model.named_parameters():
            if name.endswith("bias") and weight.numel() > 1:
                weight.normal_(0, 0.1)
    model.save_pretrained(folder)
    _write_partial_config(folder)
    size = model.config.vision_config.image_size
    processor = {
        "do_convert_rgb": None,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_processor_type": "SiglipImageProcessor",
        "image_std": [0.5, 0.5, 0.5],
        "processor_class": "SiglipProcessor",
        "resample": resample,
        "rescale_factor": 1 / 255,
        "size": {"height": size, "width": size},
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    make_tokenizer(folder)
    return model


def put_in_cache(cache: Path, repo: str, commit: str, **options: Any) -> Path:
    """A model as the hub's client leaves it in its cache; returns the snapshot's folder."""
    home = cache / ("models--" + repo.replace("/", "--"))
    snapshot = home / "snapshots" / commit
    make_model(snapshot, **options)
    (home / "refs").mkdir(parents=True, exist_ok=True)
    (home / "refs" / "main").write_text(commit)
    (home / "blobs").mkdir(exist_ok=True)
    for path in list(snapshot.iterdir()):
        content = path.read_bytes()
        large = path.suffix == ".safetensors" or path.name == "tokenizer.json"
        git = hashlib.sha1(f"blob {len(content)}\0".encode() + content)
        name = (hashlib.sha256(content) if large else git).hexdigest()
        path.rename(home / "blobs" / name)
        path.symlink_to(Path("../../blobs") / name)
    return snapshot


def _write_partial_config(folder: Path) -> None:
    """On the hub, config.json states only what differs from the classes' defaults."""
    from transformers import SiglipTextConfig, SiglipVisionConfig

    path = folder / "config.json"
    full = json.loads(path.read_text())
    partial: dict[str, Any] = {"initializer_factor": 1.0, "model_type": "siglip"}
    for name, kind in (("text_config", SiglipTextConfig), ("vision_config", SiglipVisionConfig)):
        defaults = kind().to_dict()
        partial[name] = {
            key: value
            for key, value in full[name].items()
            if key == "model_type" or value != defaults.get(key)
        }
        partial[name].pop("projection_size", None)
    path.write_text(json.dumps(partial))


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A picture with large areas, edges and fine grain, uint8 [height, width, 3]."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (-(-height // 32), -(-width // 32), 3))
    areas = coarse.repeat(32, axis=0).repeat(32, axis=1)[:height, :width]
    grain = random.integers(-30, 31, (height, width, 3))
    return np.clip(areas + grain, 0, 255).astype(np.uint8)
