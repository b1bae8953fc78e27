"""The only module that prints: results to stdout, everything else to stderr.

Whatever comes from outside (names of files, tags, texts of errors) passes
``display_safe`` first and is written as plain text, never as markup.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import socket
import sys
import time
import traceback
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO
from urllib.parse import quote

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

JSON_VERSION = 1
"""Version of every JSON result; fields are only ever added within a version."""

_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_STYLES = {"bold": "1", "dim": "2", "green": "32", "yellow": "33", "red": "31"}
_LINK_TERMS = ("xterm-kitty", "xterm-ghostty", "alacritty", "foot", "wezterm")
_LINK_PROGRAMS = {"iTerm.app", "WezTerm", "vscode", "ghostty", "Hyper", "Tabby", "rio"}


class OutputClosed(Exception):
    """Whoever read our results has closed the pipe: the work is over, quietly."""


def display_safe(text: str | bytes) -> str:
    r"""Printable text that shows every character: hidden ones become escapes.

    Control, bidi, zero-width and line-separating characters show as ``\n``,
    ``\x1b`` or ``\u202e``; bytes that are not UTF-8 show as ``\xff``.
    """
    shown = os.fsdecode(text) if isinstance(text, bytes) else text
    if shown.isascii() and shown.isprintable():
        return shown
    return "".join(_visible(char) for char in shown)


def _visible(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if unicodedata.category(char) in _HIDDEN:
        return char.encode("unicode_escape", "backslashreplace").decode("ascii")
    return char


def path_fields(path: bytes, name: str = "path") -> dict[str, str]:
    """A path for JSON: exact text, or a safe one beside its exact bytes in base64."""
    try:
        return {name: path.decode("utf-8")}
    except UnicodeDecodeError:
        return {
            name: display_safe(path),
            f"{name}_bytes": base64.b64encode(path).decode("ascii"),
        }


def size_text(size_bytes: float) -> str:
    """A size for people: ``12 kB``, ``1.5 GB``."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size_bytes < 999.5:
            few = size_bytes < 9.95 and unit != "bytes"
            return f"{size_bytes:.1f} {unit}" if few else f"{size_bytes:.0f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:,.1f} TB"


def shell_quoted(text: str | bytes) -> str:
    """One word for a shell to paste: plain quotes, or ``$'...'`` where bytes are not printable."""
    raw = os.fsencode(text)
    shown = os.fsdecode(raw)
    if display_safe(shown) == shown:
        return shlex.quote(shown)
    words = (chr(b) if 32 <= b < 127 and b not in b"'\\" else f"\\x{b:02x}" for b in raw)
    return "$'" + _separated("".join(words)) + "'"


def _separated(escaped: str) -> str:
    """Ends each ``\\xNN`` where a hexadecimal digit follows, so that no shell reads three."""
    return re.sub(r"(\\x[0-9a-f]{2})(?=[0-9a-fA-F])", r"\1'$'", escaped)


@dataclass(frozen=True)
class Look:
    """What a stream may carry beside plain text."""

    colours: bool
    links: bool
    animated: bool

    @classmethod
    def of(cls, stream: TextIO, env: Mapping[str, str]) -> Look:
        """Nothing unless it is a capable terminal whose owner does not object."""
        terminal = stream.isatty() and env.get("TERM", "") not in ("dumb", "")
        colours = terminal and not env.get("NO_COLOR")
        return cls(colours, colours and _has_links(env), terminal)


def _has_links(env: Mapping[str, str]) -> bool:
    if env.get("TERM", "").startswith(("screen", "tmux")):
        return False
    known = (
        env.get("TERM", "").startswith(_LINK_TERMS)
        or env.get("TERM_PROGRAM") in _LINK_PROGRAMS
        or any(name in env for name in ("KITTY_WINDOW_ID", "WT_SESSION", "KONSOLE_VERSION"))
    )
    vte = env.get("VTE_VERSION", "")
    return known or (vte.isdigit() and int(vte) >= 5000)


class Screen:
    """Writes results, notes, errors and progress of one command."""

    def __init__(self, *, quiet: bool = False, as_json: bool = False, debug: bool = False) -> None:
        self.quiet = quiet
        self.as_json = as_json
        self.debug = debug
        self.look = Look.of(sys.stdout, os.environ)
        self.error_look = Look.of(sys.stderr, os.environ)
        for stream in (sys.stdout, sys.stderr):
            # A terminal that cannot show a letter gets its escape, not a crash.
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")

    def styled(self, text: str | bytes, style: str) -> str:
        """Safe text in a style where stdout has colours."""
        shown = display_safe(text)
        return f"\x1b[{_STYLES[style]}m{shown}\x1b[0m" if self.look.colours else shown

    def path(self, path: bytes) -> str:
        """A safe path; a link to the file where the terminal has links."""
        if not self.look.links:
            return self.styled(path, "bold")
        target = f"file://{quote(socket.gethostname())}{quote(path)}"
        return f"\x1b]8;;{target}\x1b\\{self.styled(path, 'bold')}\x1b]8;;\x1b\\"

    def result(self, line: str = "") -> None:
        """One line of result. The caller has made outside text safe through this class."""
        self._out((line + "\n").encode(sys.stdout.encoding or "utf-8", "backslashreplace"))

    def exact(self, data: bytes) -> None:
        """Exact bytes of result, for programs that asked for them."""
        self._out(data)

    def json(self, kind: str, fields: Mapping[str, Any]) -> None:
        """One JSON document on a line of its own: ASCII, versioned, without NaN."""
        document = {"version": JSON_VERSION, "type": kind, **fields}
        self._out((json.dumps(document, allow_nan=False) + "\n").encode("ascii"))

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """Left-aligned columns of safe text, two spaces apart; the last one is not padded."""
        widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = [cell + " " * (w - _width(cell)) for cell, w in zip(row, widths, strict=True)]
            self.result("  ".join(cells).rstrip())

    def note(self, text: str) -> None:
        """A line for people on stderr, unless they asked for quiet."""
        if not self.quiet:
            self._err(display_safe(text))

    def warning(self, text: str) -> None:
        """A line on stderr that even ``-q`` shows."""
        self._err(self._err_styled("warning: ", "33") + display_safe(text))

    def error(self, message: str, remedy: str, exit_code: int, details: Sequence[str] = ()) -> None:
        """What happened and what to do next; as JSON where results are JSON too."""
        message = as_sentence(message)
        if self.as_json:
            fields: dict[str, Any] = {"message": message, "remedy": remedy, "exit_code": exit_code}
            if details:
                fields["details"] = list(details)
            self._err(json.dumps({"version": JSON_VERSION, "type": "error", **fields}))
            return
        self._err(self._err_styled("error: ", "31") + display_safe(message))
        for detail in details:
            self._err("  " + display_safe(detail))
        if remedy:
            for line in capitalised(remedy).splitlines():
                self._err("  " + display_safe(line))

    def traceback(self, error: BaseException) -> None:
        """The whole story of an error, for ``--debug``."""
        for line in "".join(traceback.format_exception(error)).splitlines():
            self._err(display_safe(line))

    @contextmanager
    def progress(self, every_s: float = 10.0) -> Iterator[Progress]:
        """A moving line on a terminal; elsewhere a plain line every ``every_s`` seconds."""
        shown = Progress(self, every_s)
        try:
            yield shown
        finally:
            shown.close()

    def _err_styled(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.error_look.colours else text

    def _err(self, line: str) -> None:
        try:
            sys.stderr.write(line + "\n")
            sys.stderr.flush()
        except OSError:
            # Nobody reads notes any more (a closed pipe or terminal); results may be wanted.
            sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123

    def _out(self, data: bytes) -> None:
        try:
            sys.stdout.flush()
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise OutputClosed from None


def as_sentence(message: str) -> str:
    """Begins like a sentence, unless with a name or a number, and ends like one."""
    begun = capitalised(message)
    return begun if begun.endswith((".", "?", "!")) else begun + "."


def capitalised(text: str) -> str:
    """Begins with a capital, unless with a name or a number."""
    first = text.split(" ", 1)[0]
    return text[:1].upper() + text[1:] if first.isalpha() and first != "gz" else text


_ESCAPES = re.compile(r"\x1b\[[0-9]*m|\x1b\]8;;[^\x1b]*\x1b\\")


def _width(cell: str) -> int:
    """Columns that a cell takes on a terminal."""
    bare = _ESCAPES.sub("", cell)
    if bare.isascii():
        return len(bare)
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in bare)
    return len(bare) + wide - sum(bool(unicodedata.combining(char)) for char in bare)


class Progress:
    """How far a long job is; made by ``Screen.progress``."""

    def __init__(
        self, screen: Screen, every_s: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._screen = screen
        self._every_s = every_s
        self._now = now
        self._told_s = now()
        self._moves = screen.error_look.animated and not screen.quiet and not screen.as_json
        self._bar: tuple[RichProgress, TaskID] | None = None

    def update(self, share: float | None, text: str) -> None:
        """Shows a share from 0 to 1 (None while unknown) and what is going on.

        A moving line begins here, not earlier: one without words tells nobody anything.
        Elsewhere nothing is said of a share of 0, when there is nothing to tell yet.
        """
        if self._moves:
            self._bar = self._bar or _moving_bar(self._screen.error_look.colours)
            bar, task = self._bar
            bar.update(
                task,
                total=None if share is None else 1.0,
                completed=share or 0.0,
                description=display_safe(text),
            )
        elif share != 0 and self._now() - self._told_s >= self._every_s:
            self._told_s = self._now()
            percent = "" if share is None else f"{share:4.0%}  "
            self._screen.note(percent + text)

    def close(self) -> None:
        """Takes the moving line away."""
        if self._bar is not None:
            with suppress(OSError):  # the terminal may be closed by now
                self._bar[0].stop()
            self._bar = None


def _moving_bar(colours: bool) -> tuple[RichProgress, TaskID]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as RichProgress
    from rich.table import Column

    console = Console(stderr=True, no_color=not colours, highlight=False)
    bar = RichProgress(
        BarColumn(bar_width=20),
        TextColumn(
            "{task.description}",
            markup=False,
            table_column=Column(no_wrap=True, overflow="ellipsis"),
        ),
        console=console,
        transient=True,
        redirect_stdout=False,
        refresh_per_second=4,
    )
    bar.start()
    return bar, bar.add_task("", total=None)
