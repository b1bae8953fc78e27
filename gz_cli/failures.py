"""What an error means for the person at the terminal."""

from __future__ import annotations

import errno

from index.errors import GzError, NoSpaceError

INTERRUPTED = 130
PIPE_CLOSED = 141
UNFORESEEN = 70


def explained(error: BaseException) -> tuple[str, str, int]:
    """What happened, what to do next, and the exit status."""
    if isinstance(error, GzError):
        return error.message, error.remedy, error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return str(error) or "Interrupted", "", INTERRUPTED
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
        from model.siglip.device_errors import device_failure

        failure = device_failure(error)
        if failure is not None:
            return failure.message, failure.remedy, failure.exit_code
    what = f"{type(error).__name__}: {error}"
    return f"gz did not foresee this: {what}", "--debug shows where it happened.", UNFORESEEN
