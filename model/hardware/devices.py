"""Which devices there are, and which one computes when nobody named any."""

from __future__ import annotations

from index.errors import UsageError

_DEVICES = ("cpu", "cuda", "mps")


def check_device(device: str | None) -> None:
    """Raises UsageError for a device that has no meaning or is not in this machine."""
    if device is None or device == "cpu":
        return
    kind, _, number = device.partition(":")
    if kind not in _DEVICES or (number and not (kind == "cuda" and number.isdecimal())):
        raise UsageError(f"There is no device {device!r}.", "Use cpu, cuda, cuda:1 or mps.")
    import torch

    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise UsageError(f"This machine, or its torch, has no {device}.", "Use --device cpu.")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise UsageError("This machine, or its torch, has no Metal device.", "Use --device cpu.")


def best_device() -> str:
    """``cuda`` where it works, else ``mps``, else ``cpu``."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
