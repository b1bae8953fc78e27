"""Where somebody speaks: silero's detector, computed from the weights that its wheel brings.

Only the safetensors file of the wheel is read; its program and its other weights are not
touched. The network looks at 32 ms at a time and remembers what it heard before.
"""

from __future__ import annotations

from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from index.errors import ModelError
from index.passages import Sound, Speech

if TYPE_CHECKING:
    import torch

RATE = 16_000
"""Samples a second of all sound here."""
_CHUNK = 512
_CONTEXT = 64
_CHUNK_S = _CHUNK / RATE
_AT_ONCE = 1024
"""Chunks that go through the convolutions together."""
_SPEECH = 0.5
"""Probability from which it is speech."""
_PAUSE_S = 0.25
"""Shorter pauses do not end a stretch of speech."""
_SHORTEST_S = 0.2
"""Shorter stretches are a click or a cough."""
_BEFORE_S, _AFTER_S = 0.06, 0.01
"""Added on both sides: consonants begin quietly, and the detector lets go late by itself."""

Probabilities = npt.NDArray[np.float32]
"""Of speech, one for each 32 ms, float32 [N]."""


def weights_file() -> Path:
    """The detector's weights.

    Raises:
        ModelError: The package that brings them is not installed.
    """
    # Found without importing the package, which would load torchaudio's parts and more.
    spec = find_spec("silero_vad")
    places = [] if spec is None else list(spec.submodule_search_locations or ())
    for place in places:
        path = Path(place) / "data" / "silero_vad_16k.safetensors"
        if path.is_file():
            return path
    raise ModelError(
        "Transcribing speech needs the package silero-vad, which is not installed.",
        "Install it: pip install 'groundzero-video[speech]'",
    )


class VoiceDetector:
    """Tells speech from everything else. Loads its weights when first asked."""

    def speech(self, sound: Sound) -> tuple[Speech, ...]:
        """Where somebody speaks in a piece of sound, in seconds of that piece."""
        return stretches(self.probabilities(sound), len(sound) / RATE)

    def probabilities(self, sound: Sound) -> Probabilities:
        """How likely each 32 ms of a piece of sound holds speech."""
        import torch

        if not len(sound):
            return np.zeros(0, np.float32)
        chunks = -(-len(sound) // _CHUNK)
        padded = np.zeros(_CONTEXT + chunks * _CHUNK, np.float32)
        padded[_CONTEXT : _CONTEXT + len(sound)] = np.nan_to_num(sound)
        windows = torch.from_numpy(padded).unfold(0, _CONTEXT + _CHUNK, _CHUNK)
        with torch.inference_mode():
            heard = [self._features(part) for part in torch.split(windows, _AT_ONCE)]
            state, _ = self._memory(torch.cat(heard))
            weights = self._weights
            scores = torch.nn.functional.conv1d(
                state.relu().T[None], weights["final_conv.weight"], weights["final_conv.bias"]
            )
            return scores.sigmoid().reshape(-1).numpy()

    def _features(self, windows: torch.Tensor) -> torch.Tensor:
        """Windows of sound [N, 576] to what the memory hears of each, [N, 128]."""
        from torch.nn.functional import conv1d, pad

        weights = self._weights
        waves = conv1d(
            pad(windows, (0, _CONTEXT), "reflect")[:, None], weights["stft_conv.weight"], stride=128
        )
        half = waves.shape[1] // 2
        heard = (waves[:, :half] ** 2 + waves[:, half:] ** 2).sqrt()
        for number, stride in ((1, 1), (2, 2), (3, 2), (4, 1)):
            weight, bias = weights[f"conv{number}.weight"], weights[f"conv{number}.bias"]
            heard = conv1d(heard, weight, bias, stride=stride, padding=1).relu()
        return heard.squeeze(-1)

    @cached_property
    def _weights(self) -> dict[str, torch.Tensor]:
        from safetensors.torch import load_file

        path = weights_file()
        weights: dict[str, torch.Tensor] = load_file(path)
        if weights.get("stft_conv.weight", np.zeros(0)).shape != (258, 1, 256):
            raise ModelError(
                f"{path} is not the detector that this version of GroundZero knows.",
                "Install the tested one: pip install 'silero-vad>=6.2,<7'",
            )
        return weights

    @cached_property
    def _memory(self) -> torch.nn.LSTM:
        import torch

        memory = torch.nn.LSTM(128, 128)
        memory.load_state_dict(
            {
                f"{kind}_{part}_l0": self._weights[f"lstm_cell.{kind}_{part}"]
                for kind in ("weight", "bias")
                for part in ("ih", "hh")
            }
        )
        return memory.eval()


def stretches(probabilities: Probabilities, length_s: float) -> tuple[Speech, ...]:
    """Probabilities of speech to stretches of it.

    Args:
        probabilities: One for each 32 ms.
        length_s: Of the sound that they belong to.
    """
    found: list[list[float]] = []
    for number in np.flatnonzero(probabilities >= _SPEECH):
        start_s, end_s = number * _CHUNK_S, (number + 1) * _CHUNK_S
        if found and start_s - found[-1][1] < _PAUSE_S:
            found[-1][1] = end_s
        else:
            found.append([start_s, end_s])
    return tuple(
        Speech(max(0.0, start_s - _BEFORE_S), min(length_s, end_s + _AFTER_S))
        for start_s, end_s in found
        if end_s - start_s >= _SHORTEST_S
    )
