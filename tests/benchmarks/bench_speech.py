"""How fast speech is transcribed: models of full size with random weights, one core.

Random weights write nonsense, so nothing is said of accuracy. A window gets as many pieces of
text as fast speech has in it. Usage: python bench_speech.py [--models whisper-base ...]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

_WHISPER = {"vocab_size": 51865, "max_target_positions": 448}
WHISPER = {
    "whisper-base": (512, 6, 8),
    "whisper-small": (768, 12, 12),
}
"""Channels, layers of each half, heads."""
PARAKEET = {"hidden_size": 1024, "num_hidden_layers": 24, "num_mel_bins": 128}
WINDOW_S = 28.0
WINDOWS = 8
"""What the model gets together."""
PIECES = 100
"""Of text in a window: three words a second, a third more pieces than words."""
FRAMES_A_PIECE = 3
"""Of 80 ms, which comes to as many pieces of text."""


def make(name: str, folder: Path) -> None:
    """Writes a model of full size."""
    from tiny_speech import make_parakeet, make_whisper

    if name in WHISPER:
        width, layers, heads = WHISPER[name]
        make_whisper(
            folder,
            **_WHISPER,
            d_model=width,
            encoder_layers=layers,
            decoder_layers=layers,
            encoder_attention_heads=heads,
            decoder_attention_heads=heads,
            encoder_ffn_dim=4 * width,
            decoder_ffn_dim=4 * width,
        )
        return
    make_parakeet(
        folder,
        encoder_sizes=PARAKEET,
        decoder_hidden_size=640,
        num_decoder_layers=2,
        vocab_size=8193,
        blank_token_id=8192,
    )


def one(name: str) -> dict[str, float]:
    """Facts of one model, in this process."""
    import numpy as np
    import torch

    from model.speech.transcriber import load_transcriber
    from model.speech.voices import VoiceDetector

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / name
        # Elsewhere: what it takes to make a model is no memory of transcribing.
        making = get_context("spawn").Process(target=make, args=(name, folder))
        making.start()
        making.join()
        transcriber = load_transcriber(str(folder), device="cpu")
        writer = transcriber._writer
        if name in WHISPER:
            writer._most = PIECES
        else:
            # Random weights stay on a frame as long as they may; speech has a piece every third.
            writer._durations.fill_(FRAMES_A_PIECE)
        chance = np.random.default_rng(0)
        count = int(WINDOW_S * 16_000)
        sound = [(0.1 * chance.standard_normal(count)).astype(np.float32) for _ in range(WINDOWS)]
        writer.write(sound[:1], "en")
        begun_s = time.process_time()
        written = writer.write(sound, "en")
        used_s = time.process_time() - begun_s
        begun_s = time.process_time()
        VoiceDetector().speech(np.concatenate(sound))
        heard_s = time.process_time() - begun_s
    return {
        "times_real_time": WINDOWS * WINDOW_S / used_s,
        "detector_times_real_time": WINDOWS * WINDOW_S / heard_s,
        "pieces_of_text": sum(map(len, written)) / WINDOWS,
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    """Each model in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="*", default=[*WHISPER, "parakeet"])
    parser.add_argument("--here", action="store_true", help="one model, in this process")
    parser.add_argument("--json", action="store_true", help="as it always writes")
    asked = parser.parse_args()
    if asked.here:
        print(json.dumps(one(asked.models[0])))
        return
    facts = {}
    for name in asked.models:
        command = [sys.executable, __file__, "--here", "--models", name]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
        facts[name] = json.loads(ran.stdout.splitlines()[-1])
        print(name, facts[name], file=sys.stderr)
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
