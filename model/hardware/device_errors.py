"""What an error of a graphics card means, told from its text: torch has one class for many."""

from __future__ import annotations

from index.errors import ModelError

_FULL = (
    "out of memory",
    "can't allocate memory",
    # What the matrix and convolution libraries say when their own workspace does not fit.
    "alloc_failed",
    "unable to find an engine to execute",
)
_BROKEN = ("cuda error", "cuda driver error", "cublas_status", "cudnn_status", "hip error")


def is_out_of_memory(error: BaseException) -> bool:
    """True where less work at once may succeed."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(words in text for words in _FULL)


def device_failure(error: BaseException) -> ModelError | None:
    """What a failed card or a full one means for people; None for any other error.

    After such an error this process can use the card no more; the next one can, where the
    card itself is well.
    """
    if not isinstance(error, RuntimeError):
        return None
    text = str(error)
    if is_out_of_memory(error):
        if "defaultcpuallocator" in text.lower():
            return ModelError(
                "There is not enough memory.", "Close other programs, or use a smaller --model."
            )
        return ModelError(
            "There is not enough memory on the graphics card.",
            "Close other programs that use it, use --device cpu, or a smaller --model.",
        )
    if any(words in text.lower() for words in _BROKEN):
        return ModelError(
            f"The graphics card stopped working: {text.splitlines()[0]}",
            "Run the same command again, and it goes on with what is kept. If that fails "
            "too, look at nvidia-smi, or use --device cpu.",
        )
    return None
