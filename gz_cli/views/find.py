"""What a person sees of a search: hits, an honest nothing, commands that play a hit."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from .render import Progress, Screen, display_safe, shell_quoted
from .timecode import clock_range, spoken_length

if TYPE_CHECKING:
    from index.passages import Quote
    from index.types import FindResult, Hit

_SURENESS = (
    (95, "almost sure"),
    (80, "very likely"),
    (60, "likely"),
    (40, "perhaps"),
    (0, "unlikely"),
)
_HELD = {"sight": "pictures", "speech": "speech", "screen": "screen text"}


class FindView:
    """Implements ``FindObserver`` on a screen."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def searching(self, videos: int, frames: int) -> None:
        """The library is open."""
        self._progress.update(None, f"searching {videos:,} videos")

    def localizing(self, windows: int) -> None:
        """Some windows are looked at closely."""
        self._progress.update(None, f"looking closely at {windows} places")

    def refining(self, done: int, total: int) -> None:
        """Some of the frames around edges have been decoded and encoded again."""
        self._progress.update(done / max(1, total), "looking again at the best moments")


def sureness(presence: float, *, calibrated: bool = True) -> str:
    """A word and a percentage for a probability; never 100 % for what is only likely.

    Where nobody calibrated it, the word alone.
    """
    from index.search.moments import whole_percent

    percent = whole_percent(presence)
    word = next(word for bound, word in _SURENESS if percent >= bound)
    return f"{word} {percent}%" if calibrated else word


def searched(result: FindResult) -> str:
    """What was searched, for people: also in which channels, where words are among them."""
    videos = "1 video" if result.searched_videos == 1 else f"{result.searched_videos:,} videos"
    length = f"{videos}, {spoken_length(result.searched_s)}"
    if set(result.searched_channels) <= {"sight"}:
        return length
    counts = [f"{channel} {number:,}" for channel, number in result.searched_channels.items()]
    return f"{videos}: {', '.join(counts)}"


def show_result(screen: Screen, result: FindResult, *, player: bool) -> None:
    """Hits, or that there are none, and what else is to be known."""
    if result.hits:
        show_hits(screen, result, player=player)
    else:
        show_not_found(screen, result)
    show_notes(screen, result)


def show_notes(screen: Screen, result: FindResult) -> None:
    """What the search met on its way."""
    for note in result.notes:
        screen.note(note)
    if result.uncalibrated:
        screen.note(f"{result.uncalibrated}: words stand in place of percentages.")


def show_hits(screen: Screen, result: FindResult, *, player: bool) -> None:
    """A line for each hit, best first; below it its evidence and a command that plays it."""
    rank_width = len(str(result.hits[-1].rank))
    program = _player() if player else None
    for hit in result.hits:
        _show_hit(screen, hit, rank_width, result)
        if program is not None:
            line = player_line(program, hit.path, hit.span.start_s, hit.span.end_s)
            screen.result(" " * (rank_width + 2) + line)
    screen.note(f"Searched {searched(result)}.")


def _show_undecided(screen: Screen, result: FindResult) -> None:
    """Says how many videos lack what the query asks of them, and what that is."""
    count = len(result.undecided)
    if count:
        videos, whose = ("1 video", "its") if count == 1 else (f"{count:,} videos", "their")
        counts = result.searched_channels.items()
        lacking = [_HELD[name] for name, known in counts if known < result.searched_videos]
        what = " or ".join(lacking)
        screen.note(f"Could not tell in {videos}: the library does not hold {whose} {what}.")


def _show_hit(screen: Screen, hit: Hit, rank_width: int, result: FindResult) -> None:
    """One hit; where places were asked for, also the other files that hold it."""
    calibrated = not result.uncalibrated
    style = "green" if hit.presence >= 0.8 else "yellow"
    sure = screen.styled(f"{sureness(hit.presence, calibrated=calibrated):<15}", style)
    span = clock_range(hit.span.start_s, hit.span.end_s)
    coarse = screen.styled("  (by key frames)", "dim") if hit.coarse else ""
    screen.result(f"{hit.rank:>{rank_width}}  {sure}  {span}  {screen.path(hit.path)}{coarse}")
    for path in hit.also_at if result.request.within else ():
        screen.result(f"{'':<{rank_width + 2}}the same content: {screen.path(path)}")
    indent = " " * (rank_width + 4)
    for part in hit.evidence:
        if len(hit.evidence) > 1:
            span = clock_range(part.span.start_s, part.span.end_s)
            text = screen.styled(part.text, "dim")
            sure = sureness(part.presence, calibrated=calibrated)
            screen.result(f"{indent}{sure:<15}  {span}  {text}")
        if part.quote is not None:
            screen.result(indent + _quoted(screen, part.quote))


def _quoted(screen: Screen, quote: Quote) -> str:
    """The words that were found, those that were asked for bold, and whose they are."""
    pieces, end = [], 0
    for first, length in quote.matched:
        pieces.append(display_safe(quote.body[end:first]))
        pieces.append(screen.styled(quote.body[first : first + length], "bold"))
        end = first + length
    pieces.append(display_safe(quote.body[end:]))
    speaker = f"{display_safe(quote.speaker)}: " if quote.speaker else ""
    return f"{speaker}“{''.join(pieces)}”{_whose(screen, quote)}"


def _whose(screen: Screen, quote: Quote) -> str:
    """Where the words are to be cited, or that nobody vouches for them."""
    if quote.citation:
        return f"  {display_safe(quote.citation)}"
    if quote.source.origin == "person":
        return ""
    machine = "read by machine" if quote.source.channel == "screen" else "machine transcript"
    return "  " + screen.styled(machine, "dim")


def show_not_found(screen: Screen, result: FindResult) -> None:
    """Says that nothing was found, where it was sought, and the best guess as a guess."""
    screen.note(f"Not found: {result.request.query!r}. Searched {searched(result)}.")
    _show_undecided(screen, result)
    guess = result.best_guess
    if guess is not None:
        span = clock_range(guess.span.start_s, guess.span.end_s)
        sure = sureness(guess.presence, calibrated=not result.uncalibrated)
        screen.note(
            f"Best guess, below the bar of {result.request.threshold:.0%}: "
            f"{sure}  {span}  {display_safe(guess.path)}"
        )
        screen.note("To see guesses as hits, lower the bar: --threshold 0")


def show_paths(screen: Screen, result: FindResult, *, nul: bool) -> None:
    """The path of each video with a hit, once, best first."""
    for path in dict.fromkeys(hit.path for hit in result.hits):
        if nul:
            screen.exact(path + b"\0")
        else:
            screen.result(display_safe(path))


def _player() -> str:
    """The first player that is installed; mpv where none is."""
    return next((name for name in ("mpv", "vlc", "ffplay") if shutil.which(name)), "mpv")


def player_line(program: str, path: bytes, start_s: float, end_s: float) -> str:
    """A shell line that plays ``[start_s, end_s)`` of a video in mpv, vlc or ffplay."""
    file = shell_quoted(path)
    if program == "vlc":
        times = f"--start-time={start_s:.3f} --stop-time={end_s:.3f} --play-and-exit"
        return f"vlc {times} {file}"
    if program == "ffplay":
        return f"ffplay -autoexit -ss {start_s:.3f} -t {end_s - start_s:.3f} -i {file}"
    return f"mpv --start={start_s:.3f} --end={end_s:.3f} -- {file}"
