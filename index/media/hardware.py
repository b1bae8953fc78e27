"""Decoding on a graphics card, where PyAV's FFmpeg and the machine offer it."""

from __future__ import annotations

from av.codec import Codec
from av.codec.hwaccel import HWAccel, hwdevices_available

from ..errors import UsageError


def check_hwaccel(name: str) -> None:
    """Makes sure that this machine decodes H.264 on such a device.

    Args:
        name: As FFmpeg calls it: ``cuda``, ``vaapi``, ``videotoolbox``, ``d3d11va``.

    Raises:
        UsageError: There is no such device, in this build of FFmpeg or in this machine.
    """
    offered = hwdevices_available()
    if name not in offered:
        raise UsageError(
            f"PyAV's FFmpeg knows no decoding with {name!r} here",
            f"it knows {', '.join(offered) or 'none'}; without --hwaccel the processor decodes",
        )
    try:
        accelerator(name).create(Codec("h264", "r"))
    except (OSError, NotImplementedError, RuntimeError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"--hwaccel {name} cannot decode video on this machine: {why}",
            "leave out --hwaccel, and the processor decodes; in a container, allow the "
            "card's video driver",
        ) from error


def accelerator(name: str) -> HWAccel:
    """Decodes on a device into ordinary memory; what that cannot, the processor does."""
    return HWAccel(device_type=name, allow_software_fallback=True)
