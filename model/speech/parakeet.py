"""Parakeet-TDT: a transducer that says with each piece of text how long it lasts.

The loop is our own, because each piece's probability is wanted beside its time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from index.passages import Sound, TimeQuality

from ..hardware.precision import pays
from ..hub.sources import ModelFiles
from .folder import load_model, load_tokenizer, sound_settings
from .voices import RATE
from .words import Token

if TYPE_CHECKING:
    import torch

EUROPEAN = frozenset(
    [
        *("bg", "cs", "da", "de", "el", "en", "es", "et", "fi", "fr", "hr", "hu", "it"),
        *("lt", "lv", "mt", "nl", "pl", "pt", "ro", "ru", "sk", "sl", "sv", "uk"),
    ]
)
"""Languages of the third version."""
_MANY_PIECES = 4096
"""A model of one language has about 1,000 pieces of text, that of 25 has 8,000."""


def languages_of(config: dict[str, Any]) -> frozenset[str]:
    """Which languages a model writes, from its config.json."""
    return EUROPEAN if int(config.get("vocab_size", 0)) > _MANY_PIECES else frozenset({"en"})


class Parakeet:
    """A loaded model.

    Args:
        files: Its folder.
        device: Where it computes.
    """

    quality: TimeQuality = "exact"

    def __init__(self, files: ModelFiles, device: str) -> None:
        import torch
        from transformers import ParakeetFeatureExtractor, ParakeetForTDT

        self._model = load_model(ParakeetForTDT, files).to(device)
        self._device = device
        if pays(device.partition(":")[0]):
            self._model.encoder.to(torch.bfloat16)
        self._ears = ParakeetFeatureExtractor(**sound_settings(files.folder))
        self._tokenizer = load_tokenizer(files.folder)
        config = self._model.config
        self._blank = int(config.blank_token_id)
        self._durations = torch.tensor([int(d) for d in config.durations], device=device)
        self._frame_s = self._ears.hop_length * config.encoder_config.subsampling_factor / RATE
        added = self._tokenizer.get_added_tokens_decoder()
        self._silent = {number for number, token in added.items() if token.special}
        self._silent |= {self._blank, int(config.pad_token_id)}

    def write(self, pieces: list[Sound], language: str) -> list[list[Token]]:
        """What is said in each piece; the model tells the language by itself."""
        import torch

        with torch.inference_mode():
            return [self._tokens(steps) for steps in self._steps(*self._encoded(pieces))]

    def _encoded(self, pieces: list[Sound]) -> tuple[torch.Tensor, torch.Tensor]:
        """What the encoder hears, [B, T, D], and frames of each piece, [B]."""
        ears = self._ears(list(pieces), sampling_rate=RATE, return_tensors="pt")
        features = ears.input_features.to(self._device, self._model.encoder.dtype)
        heard = self._model.encoder(
            input_features=features,
            attention_mask=ears.attention_mask.to(self._device),
            output_attention_mask=True,
        )
        projector = self._model.encoder_projector
        states = projector(heard.last_hidden_state.to(projector.weight.dtype))
        return states, heard.attention_mask.sum(-1)

    def _steps(
        self, heard: torch.Tensor, lengths: torch.Tensor
    ) -> list[list[tuple[int, int, int, float]]]:
        """Piece of text, first frame, frames and probability of all that is written."""
        import torch
        from transformers.models.parakeet.generation_parakeet import ParakeetRNNTDecoderCache

        model, rows = self._model, torch.arange(len(heard), device=self._device)
        words = int(model.config.vocab_size)
        cache = ParakeetRNNTDecoderCache(model.config)
        last = torch.full((len(heard), 1), self._blank, device=self._device)
        frames = torch.zeros_like(lengths)
        written_here = torch.zeros_like(lengths)
        found: list[list[tuple[int, int, int, float]]] = [[] for _ in rows]
        while bool((frames < lengths).any()):
            state = model.decoder(last, cache=cache)
            here = heard[rows, frames.clamp(max=heard.shape[1] - 1), None]
            logits = model.joint(encoder_hidden_states=here, decoder_hidden_states=state)[:, -1]
            sure, last_token = logits[:, :words].float().softmax(-1).max(-1)
            steps = self._durations[logits[:, words:].argmax(-1)]
            blank = last_token == self._blank
            written_here = torch.where(steps > 0, 0, written_here + 1)
            # A blank without length, or letters without end on one frame, would never stop.
            stuck = (steps == 0) & (blank | (written_here >= model.max_symbols_per_step))
            steps = torch.where(stuck, 1, steps)
            written_here = torch.where(stuck, 0, written_here)
            live = frames < lengths
            table = torch.stack([last_token, frames, steps], 1).tolist()
            for row, (step, p, is_live) in enumerate(
                zip(table, sure.tolist(), live.tolist(), strict=True)
            ):
                if is_live and step[0] not in self._silent:
                    found[row].append((step[0], step[1], step[2], p))
            frames = frames + torch.where(live, steps, 0)
            last = torch.where(live, last_token, self._blank)[:, None]
        return found

    def _tokens(self, steps: list[tuple[int, int, int, float]]) -> list[Token]:
        tokens = []
        for number, frame, length, confidence in steps:
            piece = self._tokenizer.id_to_token(number) or ""
            start_s = frame * self._frame_s
            # The last piece of a word often has no length of its own.
            end_s = start_s + max(1, length) * self._frame_s
            tokens.append(Token(piece.replace("▁", " "), start_s, end_s, confidence))
        return tokens
