"""What a person types into ``gz shell``: queries, and settings between them."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from index.errors import UsageError
from index.text.timecode import parse_time

from .shell_requests import share, whole_hits

if TYPE_CHECKING:
    from index.types import FindRequest

HELP = """\
Type a query: what is to be seen or heard, also as say:"words", screen:"words",
see:"what is shown" and speaker:NAME. Lines that begin with a colon are settings:
  :k N               show at most N hits
  :in PATH|GLOB ...  search only there; without a path, everywhere
  :after TIME        search each video from this time on; without a time, from its start
  :before TIME       search each video up to this time; without a time, to its end
  :refine on|off     look again at the edges of the best hits, four times a second
  :threshold P       how sure a hit must be, from 0 to 1
  :player on|off     show with each hit a command that plays it
  :settings          show the settings
  :help              show this list
  :quit              leave, as Ctrl-D does"""


@dataclass(frozen=True)
class ShellSettings:
    """What every query is asked with until a line changes it."""

    request: FindRequest
    """With an empty query."""
    player: bool = False

    def described(self) -> str:
        """One line that could be typed in pieces to get them again."""
        request = self.request
        parts = [f":k {request.limit}"]
        if request.within:
            parts.append(f":in {shlex.join(request.within)}")
        if request.after_s is not None:
            parts.append(f":after {request.after_s:g}")
        if request.before_s is not None:
            parts.append(f":before {request.before_s:g}")
        parts.append(f":refine {'on' if request.refine else 'off'}")
        parts.append(f":threshold {request.threshold:g}")
        parts.append(f":player {'on' if self.player else 'off'}")
        return "  ".join(parts)


def changed(settings: ShellSettings, line: str) -> ShellSettings:
    """The settings after a line such as ``:k 5``.

    Raises:
        UsageError: The line is no setting, or its value makes no sense.
    """
    name, _, rest = line.removeprefix(":").partition(" ")
    rest = rest.strip()
    try:
        if name == "player":
            return replace(settings, player=_switch(rest))
        request = replace(settings.request, **_typed(name, rest))
    except KeyError:
        raise UsageError(f"There is no setting :{name:.40}.", "Type :help to see them.") from None
    except ValueError as error:
        raise UsageError(f":{name} was not changed: {error}.", "Type :help to see how.") from None
    return replace(settings, request=request)


def _typed(name: str, text: str) -> dict[str, Any]:
    readers: dict[str, tuple[str, Callable[[str], Any]]] = {
        "k": ("limit", whole_hits),
        "in": ("within", lambda text: tuple(shlex.split(text))),
        "after": ("after_s", lambda text: parse_time(text) if text else None),
        "before": ("before_s", lambda text: parse_time(text) if text else None),
        "refine": ("refine", _switch),
        "threshold": ("threshold", share),
    }
    field, read = readers[name]
    return {field: read(text)}


def _switch(text: str) -> bool:
    if text not in ("on", "off"):
        raise ValueError("write on or off after it")
    return text == "on"
