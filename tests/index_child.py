"""A process that indexes with the fake encoder, for tests that kill, starve or interrupt it.

Usage: python index_child.py LIBRARY FOLDER [FLAG ...] [POINT:ACTION[:COUNT] ...]

A FLAG is ``coarse-first``, ``prune``, ``rebuild`` or ``speech`` (tones are transcribed, each
minute in a commit of its own). SIGTERM and SIGHUP end it as they end gz.
ACTION is what happens when failpoint POINT is reached for the COUNTth time:
``kill`` (SIGKILL to itself), ``int`` (SIGINT to itself), ``sleep`` (a tenth of a
second, each time), or ``errno=N`` (an OSError). Ends with the error's exit status.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fakes import FakeEncoder
from tones import ToneTranscriber

from gz_cli.failures import ending_like_ctrl_c
from index import failpoints
from index.errors import GzError
from index.indexing import speech_pass
from index.indexing.indexer import index_paths
from index.indexing.progress import IndexOptions, IndexProgress, Problem


class Quiet:
    """Implements IndexObserver; problems go to stderr."""

    def scanned(self, files: int, size_bytes: int) -> None:
        """Says nothing."""

    def progress(self, progress: IndexProgress) -> None:
        """Says nothing."""

    def preparing(self, share: float, text: str) -> None:
        """Says nothing."""

    def problem(self, problem: Problem) -> None:
        print(problem.path, problem.reason, file=sys.stderr)

    def note(self, text: str) -> None:
        print(text, file=sys.stderr)


def _action(words: list[str]) -> Callable[[], None]:
    what, count = words[0], int(words[1]) if len(words) > 1 else 1
    calls = 0

    def act() -> None:
        nonlocal calls
        calls += 1
        if what == "sleep":
            time.sleep(0.1)
        elif calls == count and what == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif calls == count and what == "int":
            os.kill(os.getpid(), signal.SIGINT)
        elif calls == count:
            number = int(what.removeprefix("errno="))
            raise OSError(number, os.strerror(number))

    return act


def main() -> int:
    library, folder, *words = sys.argv[1:]
    flags = {word for word in words if ":" not in word}
    for point in words:
        if point in flags:
            continue
        name, *words = point.split(":")
        failpoints.arm(name, _action(words))
    encoder = FakeEncoder()
    options = IndexOptions(
        model_spec="fake",
        chunk_frames=4,
        every_frame=True,
        coarse_first="coarse-first" in flags,
        prune="prune" in flags,
        rebuild="rebuild" in flags,
    )
    speech_pass._COMMIT_S = 60.0
    transcriber = ToneTranscriber() if "speech" in flags else None
    try:
        with ending_like_ctrl_c():
            summary = index_paths(
                Path(library), [Path(folder)], encoder, options, Quiet(), transcriber=transcriber
            )
    except KeyboardInterrupt:
        return 130
    except GzError as error:
        print(error.message, error.remedy, file=sys.stderr)
        return error.exit_code
    print(encoder.pictures_encoded)
    return 130 if summary.interrupted else 3 if summary.failed else 0


if __name__ == "__main__":
    sys.exit(main())
