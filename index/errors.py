"""Errors that a person can act on; each family carries its exit status."""

from __future__ import annotations


class GzError(Exception):
    """What happened, to which file, and what to do next.

    Attributes:
        message: One sentence that says what happened.
        details: More of it, a line each: every bad row of a file, for instance.
        remedy: What the person can do next; empty when nothing helps.
        exit_code: Exit status of the command that ends with this error.
    """

    exit_code = 1

    def __init__(self, message: str, remedy: str = "", details: tuple[str, ...] = ()) -> None:
        super().__init__("\n".join([message, *details]))
        self.message = message
        self.details = details
        self.remedy = remedy


class UsageError(GzError):
    """The request itself makes no sense."""

    exit_code = 2


class MediaError(GzError):
    """One media file cannot be used; the others can."""

    exit_code = 3


class TextError(GzError):
    """One text of a video cannot be used; the video and its other texts can."""

    exit_code = 3


class NothingIndexedError(GzError):
    """Not one video could be indexed, or there is none to search."""

    exit_code = 4


class LockedError(GzError):
    """Another process writes to this library."""

    exit_code = 5


class LibraryError(GzError):
    """The library is damaged or was made by a newer version."""

    exit_code = 6


class ModelError(GzError):
    """The model is missing, damaged, or does not match the library."""

    exit_code = 7


class NoSpaceError(GzError):
    """The disk is full."""

    exit_code = 8
