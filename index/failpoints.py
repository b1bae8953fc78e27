"""Named no-op calls where tests make the program stop, die or fail.

A crash test names a point in a child process and the child dies exactly there;
in normal use every call does nothing.
"""

from __future__ import annotations

from collections.abc import Callable

_actions: dict[str, Callable[[], None]] = {}


def reached(name: str) -> None:
    """Runs what a test has armed for this point; otherwise nothing."""
    action = _actions.get(name)
    if action is not None:
        action()


def arm(name: str, action: Callable[[], None]) -> None:
    """Arms a point; used by tests only."""
    _actions[name] = action


def disarm() -> None:
    """Disarms every point."""
    _actions.clear()
