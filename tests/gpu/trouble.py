"""What goes wrong on a card: too little memory, a card that fails, two at once, none at all."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from ground import GZ, Findings, Ground, card_name

HOLD = """
import sys, torch
free, _ = torch.cuda.mem_get_info()
held = torch.empty(max(0, free - int(sys.argv[1])), dtype=torch.uint8, device="cuda")
print("held", flush=True)
sys.stdin.read()
"""
"""Another program that leaves so many bytes of the card, until its input ends."""


def check(ground: Ground, findings: Findings) -> None:
    little_memory(ground, findings)
    videos = short_videos(ground)
    if not ground.tiny:
        never_fits(ground, findings, videos)
        two_at_once(ground, findings, videos)
        ran = ground.gz("doctor", "--library", str(ground.scratch / "none"))
        named = card_name(ground) in ran.stdout and "Traceback" not in ran.stderr
        findings.holds("gz doctor names the card", named)
        no_card(ground, findings, videos)
    fails_between_batches(ground, findings)
    no_bfloat16(ground, findings)
    larger_speech_model(ground, findings)


def short_videos(ground: Ground) -> Path:
    import media_factory as make

    folder = ground.scratch / "short"
    folder.mkdir(exist_ok=True)
    for number, colour in enumerate(("red", "blue")):
        path = folder / f"{number}.mp4"
        if not path.exists():
            make.colour_video(path, [(colour, 4.0), ("green", 3.0 + number)], fps=5)
    return folder


def index(
    ground: Ground, videos: Path, library: str, *trouble: str, device: str = "", model: str = "demo"
) -> subprocess.CompletedProcess[str]:
    return ground.gz(
        "index", str(videos), "--library", str(ground.scratch / library), "--model", model,
        "--device", device or ground.device, "--every-frame", "--no-coarse-first",
        trouble=trouble,
    )  # fmt: skip


def little_memory(ground: Ground, findings: Findings) -> None:
    """Another program holds most of the card: the batch halves, and the vectors are the same."""
    from model.siglip.encoder import load_encoder

    encoder: Any = load_encoder(str(ground.model("so400m")), device=ground.device)
    side = encoder.preprocess.height
    count = 4 if ground.tiny else 128
    random = np.random.default_rng(0)
    pictures = list(random.integers(0, 256, (count, side, side, 3), np.uint8))
    expected = encoder.encode_pictures(pictures)
    if not ground.on_card:
        findings.add("little memory", "left out: another program cannot hold a processor's")
        return
    import torch

    torch.cuda.empty_cache()
    before = encoder.batch_size
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(700 << 20)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        try:
            holds = holder.stdout.readline().strip() == "held"
            found = encoder.encode_pictures(pictures)
        finally:
            holder.kill()
    findings.holds("another program held most of the card", holds)
    shrunk = encoder.batch_size
    findings.holds("the batch shrank", shrunk < before, f"from {before} to {shrunk}", "smaller")
    least = float((found * expected).sum(1).min())
    findings.add("cosine with the vectors of the whole batch", least, least=0.9999)


def never_fits(ground: Ground, findings: Findings, videos: Path) -> None:
    ran = index(ground, videos, "never", "--kind", "full", "--after", "0")
    findings.holds("a batch that never fits: exit status", ran.returncode == 7, said(ran), "7")
    clear = "not enough memory" in ran.stderr and "Traceback" not in ran.stderr
    findings.holds("a batch that never fits: says so", clear, last_line(ran))


def two_at_once(ground: Ground, findings: Findings, videos: Path) -> None:
    def start(library: str) -> subprocess.Popen[str]:
        command = [*GZ, "--", "index", str(videos), "--model", "demo", "--library"]
        command += [str(ground.scratch / library), "--device", ground.device, "--quiet"]
        return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    both = [start("one"), start("two")]
    codes = [process.wait(max(20.0, ground.left_s)) for process in both]
    for process in both:
        assert process.stderr is not None
        process.stderr.close()
    findings.holds("two gz at once, two libraries", codes == [0, 0], f"{codes}", "[0, 0]")


def fails_between_batches(ground: Ground, findings: Findings) -> None:
    """The card is taken away: finished pieces stay, the end is clear, the next run goes on."""
    import media_factory as make

    from index.store.library import Library

    videos = ground.scratch / "long"
    videos.mkdir(exist_ok=True)
    path = videos / "long.mkv"
    frames = 560
    if not path.exists():
        shots = [(("red", "green", "blue")[k % 3], 4.0) for k in range(frames // 4)]
        make.colour_video(path, shots, fps=1, size=(64, 48))
    batch = 128 if ground.on_card else 8
    after = -(-520 // batch)
    ran = index(ground, videos, "broken", "--kind", "broken", "--after", str(after))
    findings.holds("a card that fails: exit status", ran.returncode == 7, said(ran), "7")
    clear = "graphics card stopped working" in ran.stderr and "Traceback" not in ran.stderr
    findings.holds("a card that fails: says so", clear, last_line(ran))
    with Library.open_readonly(ground.scratch / "broken") as library:
        (video,) = library.videos()
        staged_s = library.staged_until_s(video.id)
    findings.holds("pieces are kept", staged_s is not None, f"{staged_s or 0:.0f} s of {frames}")
    findings.holds("the video is not blamed", video.attempts == 0, f"{video.attempts} attempts")
    again = index(ground, videos, "broken")
    findings.holds("the next run goes on", again.returncode == 0, said(again), "0")
    with Library.open_readonly(ground.scratch / "broken") as library:
        (video,) = library.videos(searchable=True)
    findings.holds("and has every frame", video.frames == frames, f"{video.frames} of {frames}")


def no_card(ground: Ground, findings: Findings, videos: Path) -> None:
    """A machine whose cards are hidden works on its processor."""
    library = str(ground.scratch / "hidden")
    hidden = {"CUDA_VISIBLE_DEVICES": ""}
    ran = ground.gz("index", str(videos), "--library", library, "--model", "demo", **hidden)
    findings.holds("CUDA_VISIBLE_DEVICES= : gz index", ran.returncode == 0, said(ran), "0")
    asked = ("find", "red", "--library", library, "--threshold", "0", "--device", "cuda")
    refused = ground.gz(*asked, **hidden)
    ok = refused.returncode == 2 and "Traceback" not in refused.stderr
    findings.holds("CUDA_VISIBLE_DEVICES= : --device cuda is refused", ok, last_line(refused))


def larger_speech_model(ground: Ground, findings: Findings) -> None:
    """With a card the larger Whisper is chosen for a language that Parakeet does not know."""
    from model.speech.transcriber import default_model

    chosen, expected = default_model("ja"), "whisper-turbo" if ground.on_card else "whisper-small"
    findings.holds("speech model for Japanese", chosen == expected, chosen, expected)


def no_bfloat16(ground: Ground, findings: Findings) -> None:
    """A card without bfloat16 takes float16, which agrees as well."""
    folder = str(ground.model("so400m"))
    if ground.on_card:
        # What a process has asked of its card is remembered for as long as it lives.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            dtype, cosine = pool.submit(half_precision, folder, ground.device).result()
        findings.holds("without bfloat16 the tower runs in", "bfloat16" not in dtype, dtype)
    else:
        dtype, cosine = half_precision(folder, ground.device)
    findings.add(f"cosine of {dtype} with float32", cosine, least=0.999)


def half_precision(folder: str, device: str) -> tuple[str, float]:
    """Number type that a card without bfloat16 gets, and its least cosine with float32."""
    import torch
    from gz_with_trouble import arm

    from model.siglip.encoder import load_encoder
    from model.siglip.vision import ReferenceTower

    if device != "cpu":
        arm("no-bf16", 0)
    encoder: Any = load_encoder(folder, device=device)
    side = encoder.preprocess.height
    pictures = list(np.random.default_rng(0).integers(0, 256, (4, side, side, 3), np.uint8))
    halves, dtype = encoder.encode_pictures(pictures), str(encoder._vision.dtype)
    backbone = encoder._backbone
    encoder._vision = ReferenceTower(backbone.read, backbone.vision, torch.float32, encoder.device)
    return dtype, float((halves * encoder.encode_pictures(pictures)).sum(1).min())


def said(ran: subprocess.CompletedProcess[str]) -> str:
    return f"{ran.returncode}" if not ran.returncode else f"{ran.returncode}: {last_line(ran)}"


def last_line(ran: subprocess.CompletedProcess[str]) -> str:
    lines = [line for line in ran.stderr.splitlines() if line.strip()]
    return (lines[-2] if len(lines) > 1 else "".join(lines))[:160]
