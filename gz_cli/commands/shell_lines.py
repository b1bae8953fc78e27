"""What a line typed into ``gz shell`` means: a question, a setting, or a program's request."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from index.errors import UsageError

from ..views.timecode import parse_time

if TYPE_CHECKING:
    from index.types import FindRequest

HELP = """\
Type what is to be seen. Lines that begin with a colon are settings:
  :k N               hits at most
  :in PATH|GLOB ...  search only there; without a path, everywhere
  :after TIME        not before this in a video; without a time, from the start
  :before TIME       not later than this; without a time, to the end
  :refine on|off     look again at the edges of the best hits, at 4 fps
  :threshold P       how sure a hit must be, 0 to 1
  :player on|off     with each hit a command that plays it
  :settings          show them
  :help, :quit       (Ctrl-D quits too)"""


@dataclass(frozen=True)
class ShellSettings:
    """What every question is asked with until a line changes it."""

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
        raise UsageError(f"there is no setting :{name}", "see :help") from None
    except ValueError as error:
        raise UsageError(f":{name}: {error}", "see :help") from None
    return replace(settings, request=request)


def _typed(name: str, text: str) -> dict[str, Any]:
    readers: dict[str, tuple[str, Callable[[str], Any]]] = {
        "k": ("limit", _limit),
        "in": ("within", lambda text: tuple(shlex.split(text))),
        "after": ("after_s", lambda text: parse_time(text) if text else None),
        "before": ("before_s", lambda text: parse_time(text) if text else None),
        "refine": ("refine", _switch),
        "threshold": ("threshold", _share),
    }
    field, read = readers[name]
    return {field: read(text)}


def document(line: str) -> dict[str, Any]:
    """A program's line as an object; a line that is none is a query.

    Raises:
        UsageError: It begins like an object but is none.
    """
    if not line.startswith("{"):
        return {"query": line}
    try:
        read: dict[str, Any] = json.loads(line)
    except ValueError as error:
        raise UsageError(f"this line is no JSON: {error}", "write one object to a line") from None
    return read


def asked(defaults: FindRequest, document: dict[str, Any]) -> FindRequest:
    """What a program's object asks for.

    Args:
        defaults: What holds where it says nothing.
        document: With a ``query``, and any of ``KEYS``; ``sentence`` is its older name.

    Raises:
        UsageError: It makes no sense.
    """
    try:
        query = document["query" if "query" in document else "sentence"]
        if not isinstance(query, str):
            raise ValueError("a query is text")
        changes = dict(
            _read(k, v) for k, v in document.items() if k not in ("id", "query", "sentence")
        )
    except KeyError as error:
        what = "has no query" if error.args == ("sentence",) else f"has a strange key {error}"
        raise UsageError(f"the request {what}", f"keys are {', '.join(KEYS)}") from None
    except (ValueError, TypeError) as error:
        raise UsageError(f"the request makes no sense: {error}") from None
    return replace(defaults, query=query, **changes)


KEYS = ("id", "query", "k", "in", "after", "before", "refine", "threshold")
"""Of a program's request."""


def _read(key: str, value: Any) -> tuple[str, Any]:
    readers: dict[str, tuple[str, Callable[[Any], Any]]] = {
        "k": ("limit", _limit),
        "in": ("within", lambda v: (v,) if isinstance(v, str) else tuple(map(str, v or ()))),
        "after": ("after_s", _time),
        "before": ("before_s", _time),
        "refine": ("refine", _truth),
        "threshold": ("threshold", _share),
    }
    field, read = readers[key]
    return field, read(value)


def _limit(value: Any) -> int:
    count = int(value)
    if count < 1 or count != float(value):
        raise ValueError(f"{value!r} is not a number of hits")
    return count


def _share(value: Any) -> float:
    share = float(value)
    if not 0 <= share <= 1:
        raise ValueError(f"{value!r} is not between 0 and 1")
    return share


def _time(value: Any) -> float | None:
    if value is None or isinstance(value, str):
        return parse_time(value) if value else None
    time_s = float(value)
    if not (math.isfinite(time_s) and time_s >= 0):
        raise ValueError(f"{value!r} is not a time")
    return time_s


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is neither true nor false")
    return value


def _switch(text: str) -> bool:
    if text not in ("on", "off"):
        raise ValueError("say on or off")
    return text == "on"
