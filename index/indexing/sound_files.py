"""Which files of sound alone belong into a library: those in which words can be found.

A picture makes any video worth keeping; of sound only words are searched. So a sound file
counts where speech is transcribed, where a text lies beside it, or where the library has it
already: what was once known stays, also when speech is turned off.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace

from ..media.fingerprint import fingerprint
from ..media.sniff import VIDEO_SUFFIXES
from ..store.library import Library
from .kinds import is_sound
from .progress import IndexOptions
from .scan import Candidate, Exclusion, PassedOver, Problem, ScanResult
from .side_files import Folders

_TIMED = frozenset(b".srt .vtt .ass .ssa .sbv .sub .smi .sami .dvt".split())
"""Endings of texts that bring their own times; others wait until somebody has listened."""
_UNHEARD = (
    "a sound file, in which only words can be found; to write down what is said in it: "
    "gz index --speech"
)
_OF_A_VIDEO = "the sound of the video beside it, by its name"


def with_sounds(
    found: ScanResult,
    library: Library | None,
    options: IndexOptions,
    *,
    transcribes: bool,
    passed_over: PassedOver | None = None,
) -> ScanResult:
    """A walk's result with the sound files that belong into the library among its candidates.

    Args:
        found: What the walk met.
        library: What is known; None where there is none yet.
        options: Of the run.
        transcribes: Whether the run writes down what is said.
        passed_over: Told of the other ones.
    """
    if not found.sounds:
        return found
    known = _Known(library)
    beside = TextsBeside(options, found.sounds)
    wanted: list[Candidate] = []
    problems: list[Problem] = []
    skipped = Counter(found.skipped)
    for sound in found.sounds:
        named = sound.path == sound.root
        pictured = not named and beside.has_video(sound.path)
        worded = transcribes or (options.texts and beside.has_text(sound.path, named=named))
        if (worded and not pictured) or known(sound):
            wanted.append(sound)
        elif named:
            problems.append(Problem(sound.path, _UNHEARD))
        else:
            skipped["sound file"] += 1
            if passed_over is not None:
                passed_over(sound.path, "sound file" if not pictured else _OF_A_VIDEO)
    return replace(
        found,
        candidates=tuple(sorted([*found.candidates, *wanted], key=lambda c: c.path)),
        problems=(*found.problems, *problems),
        skipped=dict(skipped),
        sounds=(),
    )


class _Known:
    """Tells files that the library holds, wherever they lie now."""

    def __init__(self, library: Library | None) -> None:
        videos = [] if library is None else library.videos()
        self._library = library
        self._paths = {video.path for video in videos}
        self._sizes = {video.size_bytes for video in videos if is_sound(video)}
        if library is not None:
            self._paths |= {copy.path for copy in library.copies()}

    def __call__(self, file: Candidate) -> bool:
        if file.path in self._paths:
            return True
        if self._library is None or file.stat.size_bytes not in self._sizes:
            return False
        try:
            return bool(self._library.videos_by_fingerprint(fingerprint(file.path)))
        except OSError:
            return False


class TextsBeside:
    """What lies in the folders of files, the texts with times above all.

    Args:
        options: Of the run.
        files: Those that will be asked about.
    """

    def __init__(self, options: IndexOptions, files: Collection[Candidate]) -> None:
        exclusion, roots = Exclusion(options.exclude), {file.root for file in files}
        self._folders = Folders(lambda path: any(exclusion.covers(path, root) for root in roots))
        self._given = options.transcript is not None
        self._videos: dict[bytes, set[bytes]] = {}

    def has_text(self, path: bytes, *, named: bool) -> bool:
        """Whether words with times lie beside a file, or were named with it."""
        if named and self._given:
            return True
        texts = self._folders.beside(path) or ()
        return any(text.named and _ending(text.path) in _TIMED for text in texts)

    def has_video(self, path: bytes) -> bool:
        """Whether a video of the same name lies beside a file, which is its sound then."""
        folder, name = os.path.split(path)
        if folder not in self._videos:
            self._videos[folder] = set(_stems(_listed(folder), VIDEO_SUFFIXES))
        return _stem(name) in self._videos[folder]


def _listed(folder: bytes) -> list[bytes]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - Path cannot hold bytes
    except OSError:
        return []


def _stems(names: Collection[bytes], endings: Collection[bytes]) -> Iterator[bytes]:
    yield from (_stem(name) for name in names if _ending(name) in endings)


def _ending(name: bytes) -> bytes:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 - Path cannot hold bytes


def _stem(name: bytes) -> bytes:
    return os.path.splitext(name)[0]  # noqa: PTH122 - Path cannot hold bytes
