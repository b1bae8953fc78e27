"""What an error means for the person at the terminal."""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

from index.errors import GzError, NoSpaceError, UsageError

INTERRUPTED = 130
PIPE_CLOSED = 141
UNFORESEEN = 70
_AGAIN_S = 0.05


class Ended(KeyboardInterrupt):
    """The program was asked to end by a signal; like Ctrl-C, but for good."""


@dataclass
class Ending:
    """Which signal asked the program to end."""

    signal_name: str = ""


@contextmanager
def ending_like_ctrl_c() -> Iterator[Ending]:
    """Lets SIGTERM and SIGHUP end what runs inside the block as cleanly as Ctrl-C does.

    A signal that is ignored, as `nohup` does it, stays ignored. One that comes while Python is
    in a callback, which raises for nobody, comes again a moment later.
    """
    ending = Ending()
    last = signal.SIGINT
    told_before = sys.unraisablehook

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal last
        last = signal.Signals(number)
        ending.signal_name = last.name
        raise Ended

    def lost(unraisable: Any) -> None:
        if not isinstance(unraisable.exc_value, KeyboardInterrupt):
            told_before(unraisable)
            return
        number = last if isinstance(unraisable.exc_value, Ended) else signal.SIGINT
        again = threading.Timer(_AGAIN_S, os.kill, (os.getpid(), number))
        again.daemon = True
        again.start()

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    numbers = [getattr(signal, name) for name in names]
    taken = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    for number in taken:
        signal.signal(number, end)
    sys.unraisablehook = lost
    try:
        yield ending
    finally:
        sys.unraisablehook = told_before
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


def explained(error: BaseException, signal_name: str = "") -> tuple[str, str, int]:
    """What happened, what to do next, and the exit status.

    Args:
        error: What ended a command.
        signal_name: The signal behind a KeyboardInterrupt, where it was not Ctrl-C.
    """
    if isinstance(error, GzError):
        return error.message, error.remedy, error.exit_code
    if isinstance(error, KeyboardInterrupt):
        message = str(error) or "Interrupted"
        if signal_name:
            message = re.sub("^interrupted", f"Interrupted by {signal_name}", message, flags=re.I)
        return message, "", INTERRUPTED
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            "No space left on the disk.",
            "Free some space and run the same command again.",
            (NoSpaceError.exit_code),
        )
    if isinstance(error, OSError) and error.strerror:
        name = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{name}", "", UNFORESEEN
    if isinstance(error, MemoryError):
        return "Not enough memory.", "Close other programs, or use a smaller --model.", UNFORESEEN
    if isinstance(error, RuntimeError):
        from model.hardware.device_errors import device_failure

        failure = device_failure(error)
        if failure is not None:
            return failure.message, failure.remedy, failure.exit_code
    if hasattr(error, "format_message"):  # typer's own, of a command line that makes no sense
        command = getattr(getattr(error, "ctx", None), "command_path", "gz")
        remedy = f"{command} -h says what it understands."
        return error.format_message(), remedy, UsageError.exit_code
    what = f"{type(error).__name__}: {error}"
    return f"gz did not foresee this: {what}", "--debug shows where it happened.", UNFORESEEN
