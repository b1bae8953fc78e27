"""Whisper: a hundred languages, in windows of at most 30 seconds.

Written greedily, one loop for a batch of windows, because each piece's probability and
the silence that the model heard are wanted. Word times come from a second look at the
finished text: where the heads that listen to time did listen. Windows are padded with
digital silence, in which no word may lie, so that look ends where the sound does.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from index.errors import ModelError, UsageError
from index.passages import Sound, TimeQuality

from ..hardware.precision import pays
from ..hub.sources import GENERATION_FILE, ModelFiles
from ..hub.weights import damaged, read_json
from .alignment import first_frames
from .folder import load_model, load_tokenizer, sound_settings
from .voices import RATE
from .words import Token

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

_FRAME_S = 0.02
"""What the encoder hears as one."""
_NO_SPEECH, _UNSURE = 0.6, -1.0
"""Probability of silence, and mean log probability of the text, at which it is not believed."""
_MOST_TOKENS = 224
_SILENCES = ("<|nospeech|>", "<|nocaptions|>")


def languages_of(folder: Any) -> frozenset[str]:
    """Which languages a model writes, from its generation_config.json."""
    settings = read_json(folder / GENERATION_FILE)
    if not settings.get("is_multilingual", True):
        return frozenset({"en"})
    return frozenset(name.strip("<|>") for name in settings.get("lang_to_id") or {})


class Whisper:
    """A loaded model.

    Args:
        files: Its folder.
        device: Where it computes.
    """

    def __init__(self, files: ModelFiles, device: str) -> None:
        import torch
        from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration

        settings = read_json(files.folder / GENERATION_FILE)
        self._tokenizer = load_tokenizer(files.folder)
        self._start, self._end, self._languages, self._silence = self._marks(settings, files)
        model = load_model(WhisperForConditionalGeneration, files).to(device)
        self._model = model.to(torch.bfloat16) if pays(device.partition(":")[0]) else model
        self._device = device
        self._ears = WhisperFeatureExtractor(**sound_settings(files.folder))
        self._heads = [(int(a), int(b)) for a, b in settings.get("alignment_heads") or ()]
        size = int(model.config.vocab_size)
        barred = torch.zeros(size, device=device)
        barred[[n for n in settings.get("suppress_tokens") or () if 0 <= n < size]] = -torch.inf
        barred[self._end + 1 :] = -torch.inf  # all marks come after the end of text
        self._barred = barred
        first = settings.get("begin_suppress_tokens") or ()
        self._barred_first = [n for n in first if 0 <= n < size]
        self._most = min(_MOST_TOKENS, int(model.config.max_target_positions) - 5)

    @property
    def quality(self) -> TimeQuality:
        """How well the times of words are known; not at all without heads that listen to time."""
        return "exact" if self._heads else "interpolated"

    def write(self, pieces: list[Sound], language: str) -> list[list[Token]]:
        """What is said in each piece."""
        import torch

        with torch.inference_mode():
            ears = self._ears(
                list(pieces), sampling_rate=RATE, return_attention_mask=True, return_tensors="pt"
            )
            features = ears.input_features.to(self._device, self._model.dtype)
            heard = self._model.model.encoder(features)[0]
            prompts = self._prompts(heard, language)
            texts = self._texts(heard, prompts)
            frames = [min(-(-len(piece) // 320), heard.shape[1]) for piece in pieces]
            begins = self._begins(heard, prompts, [[n for n, _ in text] for text in texts], frames)
        languages = self._told(prompts)
        return [
            [
                replace(token, language=language)
                for token in self._tokens(text, begin, end * _FRAME_S)
            ]
            for text, begin, end, language in zip(texts, begins, frames, languages, strict=True)
        ]

    def _marks(
        self, settings: dict[str, Any], files: ModelFiles
    ) -> tuple[list[int], int, dict[str, int], int | None]:
        """What begins a text, what ends it, what names its language, what stands for silence."""
        number_of = self._tokenizer.token_to_id
        start, end = number_of("<|startoftranscript|>"), number_of("<|endoftext|>")
        plain = number_of("<|notimestamps|>")
        if start is None or end is None or plain is None:
            raise damaged(files.folder, "its tokenizer.json is not Whisper's")
        silence = next((n for n in map(number_of, _SILENCES) if n is not None), None)
        if not settings.get("is_multilingual", True):
            return [start, plain], end, {}, silence
        languages = {k.strip("<|>"): int(v) for k, v in (settings.get("lang_to_id") or {}).items()}
        write = number_of("<|transcribe|>")
        if not languages or write is None:
            raise damaged(files.folder / GENERATION_FILE, "it names no languages")
        return [start, write, plain], end, languages, silence

    def _prompts(self, heard: torch.Tensor, language: str) -> torch.Tensor:
        """What each text begins with, [B, marks]; a language that nobody named is heard."""
        import torch

        count = len(heard)
        start = torch.full((count, 1), self._start[0], device=self._device)
        rest = torch.tensor(self._start[1:], device=self._device).expand(count, -1)
        if not self._languages:
            return torch.cat([start, rest], 1)
        if language:
            spoken = torch.full((count, 1), self._languages[language], device=self._device)
        else:
            numbers = torch.tensor(list(self._languages.values()), device=self._device)
            logits = self._decoded(start, heard)[:, -1]
            spoken = numbers[logits[:, numbers].argmax(-1)][:, None]
        return torch.cat([start, spoken, rest], 1)

    def _told(self, prompts: torch.Tensor) -> list[str]:
        """The language of each text, as its prompt has it; empty where the model has but one."""
        if not self._languages:
            return [""] * len(prompts)
        codes = {number: code for code, number in self._languages.items()}
        return [codes[number] for number in prompts[:, 1].tolist()]

    def _texts(self, heard: torch.Tensor, prompts: torch.Tensor) -> list[list[tuple[int, float]]]:
        """Pieces of text with their probabilities; none where the model heard no words."""
        import torch
        from transformers import DynamicCache, EncoderDecoderCache

        cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
        given, live = prompts, torch.ones(len(heard), dtype=torch.bool, device=self._device)
        silent = torch.zeros(len(heard))
        found: list[list[tuple[int, float]]] = [[] for _ in prompts]
        for number in range(self._most):
            out = self._model(
                decoder_input_ids=given,
                encoder_outputs=(heard,),
                past_key_values=cache,
                use_cache=True,
            ).logits.float()
            if not number and self._silence is not None:
                silent = out[:, 0].softmax(-1)[:, self._silence].cpu()
            logits = out[:, -1] + self._barred
            if not number:
                logits[:, self._barred_first] = -torch.inf
            sure, best = logits.softmax(-1).max(-1)
            best = torch.where(live, best, self._end)
            live = live & (best != self._end)
            table = zip(best.tolist(), sure.tolist(), live.tolist(), strict=True)
            for row, (token, probability, goes_on) in enumerate(table):
                if goes_on:
                    found[row].append((token, probability))
            if not bool(live.any()):
                break
            given = best[:, None]
        return [
            [] if _is_silence(text, quiet) else text
            for text, quiet in zip(found, silent.tolist(), strict=True)
        ]

    def _begins(
        self,
        heard: torch.Tensor,
        prompts: torch.Tensor,
        texts: list[list[int]],
        frames: list[int],
    ) -> list[list[float]]:
        """Seconds at which each piece of each text begins."""
        import torch

        if not self._heads or not any(texts):
            return [
                [number * frames_ * _FRAME_S / max(1, len(text)) for number in range(len(text))]
                for text, frames_ in zip(texts, frames, strict=True)
            ]
        longest = max(map(len, texts))
        padded = [[*text, *[self._end] * (longest - len(text))] for text in texts]
        given = torch.cat([prompts, torch.tensor(padded, device=self._device)], 1)
        with self._listening() as looks:
            self._decoded(given, heard)
        first = prompts.shape[1]
        begins = []
        for row, (text, length) in enumerate(zip(texts, frames, strict=True)):
            # Each row of attention was paid while the next piece was written.
            seen = [layer[row, heads] for layer, heads in looks]
            attention = torch.cat(seen)[:, : first + len(text), :length].float().cpu().numpy()
            starts = first_frames(attention, first - 1).tolist() if text else []
            begins.append([start * _FRAME_S for start in starts])
        return begins

    def _decoded(self, tokens: torch.Tensor, heard: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self._model(
            decoder_input_ids=tokens, encoder_outputs=(heard,), use_cache=False
        ).logits
        return logits

    @contextmanager
    def _listening(self) -> Iterator[list[tuple[Any, list[int]]]]:
        """Takes down what the heads that listen to time look at."""
        looks: list[tuple[Any, list[int]]] = []
        hooks = []
        for number in sorted({layer for layer, _ in self._heads}):
            heads = [head for layer, head in self._heads if layer == number]

            def take(_: Any, __: Any, output: Any, heads: list[int] = heads) -> None:
                looks.append((output[1], heads))

            attention = self._model.model.decoder.layers[number].encoder_attn
            hooks.append(attention.register_forward_hook(take))
        self._model.set_attn_implementation("eager")
        try:
            yield looks
        finally:
            self._model.set_attn_implementation("sdpa")
            for hook in hooks:
                hook.remove()

    def _tokens(
        self, text: list[tuple[int, float]], begins: list[float], end_s: float
    ) -> list[Token]:
        """Pieces of whole letters: a letter may need several pieces."""
        ends = [*begins[1 : len(text)], begins[len(text)] if len(begins) > len(text) else end_s]
        tokens: list[Token] = []
        waiting: list[int] = []
        for number in range(len(text)):
            waiting.append(number)
            written = self._tokenizer.decode([text[n][0] for n in waiting])
            if "�" in written and number + 1 < len(text):
                continue
            confidence = float(np.prod([text[n][1] for n in waiting]))
            start_s = begins[waiting[0]]
            tokens.append(Token(written, start_s, max(start_s, ends[number]), confidence))
            waiting = []
        return tokens


def _is_silence(text: list[tuple[int, float]], quiet: float) -> bool:
    if quiet <= _NO_SPEECH or not text:
        return not text
    return float(np.mean([np.log(max(p, 1e-9)) for _, p in text])) < _UNSURE


def require_language(language: str, languages: frozenset[str], name: str) -> None:
    """Refuses a language that a model does not write.

    Raises:
        UsageError: It is no code of a language.
        ModelError: It is one of another model.
    """
    if not language or language in languages:
        return
    if not (language.isalpha() and language.islower() and 2 <= len(language) <= 3):
        raise UsageError(
            f"{language!r} is no code of a language.", "Use two letters, as in --language en."
        )
    raise ModelError(
        f"{name} does not write the language {language!r}.",
        "Leave out --language, or use --speech-model whisper-small, which writes a hundred.",
    )
