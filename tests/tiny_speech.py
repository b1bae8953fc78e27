"""Speech models laid out as on the hub, with tiny random weights of the real classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

LANGUAGES = ("en", "de", "ja")
PIECES = (
    *(" the", " man", " door", " pump", " never", " signed", " contract", " record", " opened"),
    *(" bar", " was", " before", " red", " question", " lunch", "s", "ed", "ing", ".", ","),
)
"""What the models write with."""


def _byte_tokens() -> dict[str, int]:
    from tokenizers.pre_tokenizers import ByteLevel

    return {letter: number for number, letter in enumerate(sorted(ByteLevel.alphabet()))}


def make_whisper(folder: Path, seed: int = 0, **sizes: Any) -> Path:
    """A Whisper of a few thousand weights, or of other sizes, that writes random words."""
    import torch
    from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE
    from transformers import (
        GenerationConfig,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
    )

    folder.mkdir(parents=True, exist_ok=True)
    vocab = _byte_tokens()
    for piece in PIECES:
        vocab.setdefault(piece.replace(" ", "Ġ"), len(vocab))
    tokenizer = Tokenizer(BPE(vocab, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = [
        "<|endoftext|>",
        "<|startoftranscript|>",
        *(f"<|{language}|>" for language in LANGUAGES),
        *("<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>"),
        "<|notimestamps|>",
        *(f"<|{number * 0.02:.2f}|>" for number in range(1501)),
    ]
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    tokenizer.save(str(folder / "tokenizer.json"))
    number_of = tokenizer.get_vocab()
    end = number_of["<|endoftext|>"]
    written = {number_of[piece.replace(" ", "Ġ")] for piece in PIECES}
    tiny = {
        "d_model": 16,
        "encoder_layers": 1,
        "decoder_layers": 2,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "encoder_ffn_dim": 16,
        "decoder_ffn_dim": 16,
        "max_target_positions": 64,
        "vocab_size": len(number_of),
    }
    config = WhisperConfig(
        pad_token_id=end,
        bos_token_id=end,
        eos_token_id=end,
        decoder_start_token_id=number_of["<|startoftranscript|>"],
        begin_suppress_tokens=[],
        **(tiny | sizes),
    )
    torch.manual_seed(seed)
    model = WhisperForConditionalGeneration(config)
    for weight in model.model.encoder.parameters():
        weight.data *= 4
    # Each place in the text writes another letter, and looks elsewhere for it.
    model.model.decoder.embed_positions.weight.data.normal_()
    model.model.decoder.embed_tokens.weight.data.normal_(std=0.1)
    model.generation_config = GenerationConfig(
        decoder_start_token_id=config.decoder_start_token_id,
        eos_token_id=end,
        pad_token_id=end,
        bos_token_id=end,
        is_multilingual=True,
        lang_to_id={f"<|{language}|>": number_of[f"<|{language}|>"] for language in LANGUAGES},
        task_to_id={task: number_of[f"<|{task}|>"] for task in ("translate", "transcribe")},
        no_timestamps_token_id=number_of["<|notimestamps|>"],
        alignment_heads=[[1, 0], [1, 1]],
        suppress_tokens=sorted(set(number_of.values()) - written - {end}),
        begin_suppress_tokens=[end],
        max_length=60,
        return_timestamps=False,
    )
    model.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=80).save_pretrained(folder)
    return folder


def make_parakeet(folder: Path, seed: int = 0, *, encoder_sizes: Any = None, **sizes: Any) -> Path:
    """A Parakeet of a few thousand weights, or of other sizes, that writes random words."""
    import torch
    from tokenizers import AddedToken, Tokenizer, decoders
    from tokenizers.models import BPE
    from transformers import (
        ParakeetEncoderConfig,
        ParakeetFeatureExtractor,
        ParakeetForTDT,
        ParakeetTDTConfig,
    )

    folder.mkdir(parents=True, exist_ok=True)
    special = ["<unk>", "<pad>", "<|endoftext|>"]
    pieces = [*special, *(piece.replace(" ", "▁") for piece in PIECES)]
    tokenizer = Tokenizer(BPE({piece: n for n, piece in enumerate(pieces)}, [], unk_token="<unk>"))
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    tokenizer.save(str(folder / "tokenizer.json"))
    blank = len(pieces)
    tiny_encoder = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "subsampling_conv_channels": 8,
        "num_mel_bins": 128,
    }
    tiny = {
        "vocab_size": blank + 1,
        "blank_token_id": blank,
        "decoder_hidden_size": 16,
        "num_decoder_layers": 1,
    }
    config = ParakeetTDTConfig(
        pad_token_id=1,
        encoder_config=ParakeetEncoderConfig(**(encoder_sizes or tiny_encoder)),
        **(tiny | sizes),
    )
    torch.manual_seed(seed)
    model = ParakeetForTDT(config)
    for weight in model.joint.parameters():
        weight.data *= 40
    model.save_pretrained(folder)
    ParakeetFeatureExtractor(feature_size=128).save_pretrained(folder)
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    # The hub's repositories keep it inside the processor's file.
    (folder / "preprocessor_config.json").unlink()
    kept = {"feature_extractor": settings, "processor_class": "ParakeetProcessor"}
    (folder / "processor_config.json").write_text(json.dumps(kept))
    return folder
