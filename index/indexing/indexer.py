"""Brings a library up to date with folders of video.

Scan, compare, decode, encode, commit: what is unchanged is left alone, a
renamed file keeps its vectors, a long video is made safe piece by piece, much
video is first made searchable by its key frames, and no single file can end
the run. The commit of a video in the store is the only
moment at which it becomes searchable.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import NoSpaceError
from ..files import WriterLock, shown
from ..passages import ScreenReader, Transcriber
from ..store.library import Library
from ..text.sidecars import TEXT_ENDINGS
from ..types import Encoder
from ..vectors.cache import VectorCache
from ..vectors.everyday import everyday_of
from ..vectors.published import remove_unnamed
from .absence import Absence, in_reach, missing, prunable, taken_over_by_copies
from .coarse_pass import CoarsePass
from .full_pass import FullPass
from .kinds import is_sound, sounds_by_name
from .progress import IndexObserver, IndexOptions, IndexSummary, coarse_note, unended_note
from .scan import Candidate, Problem, Root, ScanResult, scan
from .screen_pass import ScreenPass, without_screen_text
from .sound_files import with_sounds
from .sound_pass import SoundPass
from .speech_pass import SpeechPass
from .text_pass import TextPass
from .turns import Turns

_TEXT_ENDINGS = {b"." + ending.rpartition(".")[2].encode() for ending in TEXT_ENDINGS}


def index_paths(
    library_dir: Path,
    paths: Sequence[Path],
    encoder: Encoder,
    options: IndexOptions,
    observer: IndexObserver,
    reader: ScreenReader | None = None,
    transcriber: Transcriber | None = None,
) -> IndexSummary:
    """Indexes what is new or changed under `paths`.

    Args:
        library_dir: The library's folder; made where there is none.
        paths: Folders and files; empty means every folder that was indexed before.
        encoder: Frames to vectors; weights load only when something must be encoded.
        options: How.
        observer: Told about progress and problems.
        reader: Reads what stands on the screen; None leaves that.
        transcriber: Writes down what is said where nobody else has; None leaves it.

    Returns:
        What was done. Interrupted by Ctrl-C it returns too, with `interrupted` set.

    Raises:
        LockedError: Another process writes to the library.
        LibraryError: The library is damaged or newer.
        ModelError: The library belongs to another model, or the model cannot be loaded.
        NoSpaceError: The disk is full; finished videos are kept.
    """
    with WriterLock(library_dir), contextlib.ExitStack() as stack:
        if options.rebuild:
            _set_aside(library_dir, observer)
        library = stack.enter_context(Library.create_or_open(library_dir))
        if library.space != encoder.space:
            library.set_space(encoder.space, options.model_spec, options.adapter)
        if options.screen is not None:
            library.remember_screen(options.screen)
        return _Run(library, encoder, options, observer, reader, transcriber).over(paths)


def _set_aside(library_dir: Path, observer: IndexObserver) -> None:
    old = Library.set_aside(library_dir)
    if old is not None:
        observer.note(f"the old library was set aside as {old.name}")


class _Run:
    """One run over some folders."""

    def __init__(
        self,
        library: Library,
        encoder: Encoder,
        options: IndexOptions,
        observer: IndexObserver,
        reader: ScreenReader | None,
        transcriber: Transcriber | None,
    ) -> None:
        self._library, self._encoder = library, encoder
        self._reader, self._transcriber = reader, transcriber
        self._options, self._observer = options, observer
        self._started = time.monotonic()
        self._problems: list[Problem] = []
        self._summary = IndexSummary()
        self._texts = TextPass(library, options, observer, self._problem)
        self._here: tuple[Candidate, ...] = ()
        self._passed_over: dict[bytes, str] = {}

    def over(self, paths: Sequence[Path]) -> IndexSummary:
        """Scans, hides, indexes, prunes, refreshes the cache."""
        if self._options.retry:
            self._library.clear_failures()
        settled = self._library.settled_files()
        found = scan(
            [*paths] or sorted(self._library.roots()),
            self._options.exclude,
            lambda path, stat: path in settled and settled[path].same_content_as(stat),
            self._pass_over,
        )
        found = with_sounds(
            found,
            self._library,
            self._options,
            transcribes=self._transcriber is not None,
            passed_over=self._pass_over,
        )
        self._here = found.candidates
        named = [os.path.realpath(os.fsencode(path)) for path in paths]
        given_up = named if self._options.prune else []
        absence = missing(self._library, found.roots, found.unreadable, given_up)
        for problem in found.problems:
            if problem.path not in absence.deleted_roots:
                self._problem(problem)
        refused = {problem.path for problem in found.problems}
        self._remember([r for r in found.roots if r.path not in refused], absence.offline_roots)
        self._library.drop_copies(absence.gone_copies)
        here = {candidate.path for candidate in found.candidates}
        taken_over = taken_over_by_copies(self._library, {video.id for video in absence.gone}, here)
        newly_gone = [v.id for v in absence.gone if not v.absent and v.id not in taken_over]
        if newly_gone:
            self._library.mark_absent(newly_gone)
        if taken_over:
            settled = self._library.settled_files()
        work = [
            candidate
            for candidate in found.candidates
            if candidate.path not in settled
            or not settled[candidate.path].same_content_as(candidate.stat)
        ]
        settled_now = len(found.candidates) - len(work)
        failed_before = self._failed_before(found.candidates, work)
        self._summary = replace(
            self._summary,
            unchanged=settled_now
            - failed_before
            - sum(path in here and path in settled for path in taken_over.values()),
            moved=len(taken_over),
            failed_before=failed_before,
            offline_roots=absence.offline_roots,
        )
        self._texts.in_reach = lambda path: in_reach(
            path, found.roots, found.unreadable, absence.offline_roots
        )
        busy = {candidate.path for candidate in work}
        self._read_texts([c for c in found.candidates if c.path not in busy])
        if not self._summary.interrupted:
            self._index(work)
            self._read_screens(here)
        if not self._summary.interrupted and work:
            self._read_texts(found.candidates)
        self._count_skipped(found)
        if not self._summary.interrupted:
            self._prune(missing(self._library, found.roots, found.unreadable, given_up))
            self._library.forget_roots(absence.deleted_roots)
            self._refresh_cache()
            self._transcribe(found.candidates)
        return self._closing()

    def _pass_over(self, path: bytes, kind: str) -> None:
        ending = os.path.splitext(path)[1].lower()  # noqa: PTH122 - Path cannot hold bytes
        if self._options.name_skipped or ending in _TEXT_ENDINGS:
            self._passed_over[path] = kind

    def _count_skipped(self, found: ScanResult) -> None:
        """What was neither a video nor a text of one."""
        skipped = Counter(found.skipped)
        for path, kind in self._passed_over.items():
            if path in self._texts.counts.side_files:
                skipped[kind] -= 1
            elif self._options.name_skipped:
                self._observer.note(f"skipped {shown(path)}: {kind}")
        self._summary = replace(
            self._summary,
            skipped=skipped.total(),
            skipped_kinds=tuple((+skipped).most_common()),
        )

    def _read_texts(self, here: Sequence[Candidate]) -> None:
        if not self._options.texts:
            return
        try:
            self._texts.run(here)
        except KeyboardInterrupt:
            self._summary = replace(self._summary, interrupted=True)

    def _remember(self, roots: Sequence[Root], offline: Sequence[bytes]) -> None:
        for root in roots:
            if root.device is not None and root.path not in offline and not root.reason:
                self._library.remember_root(root.path, root.device)

    def _failed_before(self, all_: Sequence[Candidate], work: Sequence[Candidate]) -> int:
        # An indexed video with key frames alone is one that the full pass gave up.
        broken = {
            video.path
            for video in self._library.videos()
            if video.status in ("failed", "set aside")
            or (video.status == "indexed" and video.coarse)
        }
        busy = {candidate.path for candidate in work}
        return sum(c.path in broken and c.path not in busy for c in all_)

    def _index(self, work: Sequence[Candidate]) -> None:
        self._observer.scanned(len(work), sum(c.stat.size_bytes for c in work))
        if not work:
            return
        turns = Turns(self._library, self._options, self._observer, self._problem)
        counts = turns.counts
        try:
            self._pass(self._ordered(work), turns)
        except NoSpaceError as error:
            raise NoSpaceError(
                f"{error.message}; {counts.indexed} videos of this run are kept", error.remedy
            ) from error
        except KeyboardInterrupt:
            self._summary = replace(self._summary, interrupted=True)
        finally:
            self._summary = replace(
                self._summary,
                indexed=counts.indexed,
                sounds=counts.sounds,
                sound_s=counts.sound_s,
                unchanged=self._summary.unchanged + counts.touched,
                moved=self._summary.moved + counts.moved,
                duplicates=counts.duplicates,
                failed=counts.failed,
                failed_before=self._summary.failed_before + counts.failed_before,
                video_s=counts.video_s,
                frames=counts.frames,
                frames_encoded=counts.frames_encoded,
                screens_read=counts.screens_read,
                offline_roots=(*self._summary.offline_roots, *counts.lost_roots),
            )

    def _read_screens(self, here: set[bytes]) -> None:
        """Reads the screens of videos that were indexed before, or whose pictures went on."""
        if self._reader is None or self._summary.interrupted:
            return
        whole = [
            v
            for v in self._library.videos(searchable=True)
            if not v.coarse and not is_sound(v) and v.path in here
        ]
        rows = without_screen_text(self._library, whole, self._options.retry)
        if not rows:
            return
        screens = ScreenPass(
            self._library, self._reader, self._options, self._observer, self._problem
        )
        try:
            screens.run(rows)
        except KeyboardInterrupt:
            self._summary = replace(self._summary, interrupted=True)
        finally:
            read = self._summary.screens_read + screens.read
            self._summary = replace(self._summary, screens_read=read)

    def _ordered(self, work: Sequence[Candidate]) -> list[Candidate]:
        """Files that may only have moved first, then the newest first."""
        absent_sizes = {row.size_bytes for row in self._library.videos() if row.absent}
        return sorted(
            work, key=lambda c: (c.stat.size_bytes not in absent_sizes, -c.stat.mtime_ns, c.path)
        )

    def _pass(self, work: list[Candidate], turns: Turns) -> None:
        """Indexes `work`: where it is much, by its key frames first.

        A file that was being read when gz last ended may be what ended it: such
        files come last and one at a time, so that they keep no other from its turn.
        """
        parts = (self._library, self._encoder, self._options, self._observer, turns)
        sounds = [c for c in work if sounds_by_name(c.path)]
        work = [c for c in work if not sounds_by_name(c.path)]
        tries = self._library.unended_attempts()
        alone = sorted((c for c in work if c.path in tries), key=lambda c: tries[c.path])
        work = [c for c in work if c.path not in tries]
        if alone:
            self._observer.note(unended_note(len(alone)))
        if self._options.looks_first(sum(c.stat.size_bytes for c in work)):
            work = CoarsePass(*parts).look(work)
            coarse = sum(row.coarse for row in self._library.videos(searchable=True))
            if work and coarse:
                self._observer.note(coarse_note(coarse))
                self._read_texts(self._here)
        FullPass(*parts, self._reader).run(work, alone)
        sound_pass = SoundPass(self._library, self._options, self._observer, turns)
        sound_pass.run(sounds)
        while copies := turns.postponed():
            FullPass(*parts, self._reader).run([c for c in copies if not sounds_by_name(c.path)])
            sound_pass.run([c for c in copies if sounds_by_name(c.path)])

    def _prune(self, absence: Absence) -> None:
        """Forgets what is gone after indexing, when files that moved are known by their path."""
        pruned = 0
        if self._options.prune:
            for video in prunable(self._library, absence.gone):
                self._library.forget(video.id)
                pruned += 1
        self._summary = replace(self._summary, pruned=pruned, hidden=len(absence.gone) - pruned)

    def _refresh_cache(self) -> None:
        if not self._library.segments():
            return
        if VectorCache.load(
            self._library,
            self._observer.note,
            everyday=lambda: everyday_of(
                self._encoder, self._observer.note, self._observer.preparing
            ),
        ).save():
            # A run that was killed just here has left the files that were replaced.
            remove_unnamed(self._library.folder)

    def _transcribe(self, here: Sequence[Candidate]) -> None:
        if self._transcriber is None:
            return
        speech = SpeechPass(
            self._library, self._transcriber, self._options, self._observer, self._problem
        )
        try:
            speech.run(here)
            if speech.counts.videos:  # pages without times find theirs in what was heard
                self._read_texts(here)
        except KeyboardInterrupt:
            self._summary = replace(self._summary, interrupted=True)
        finally:
            self._summary = replace(
                self._summary,
                transcribed=speech.counts.videos,
                transcribed_s=speech.counts.sound_s,
                transcribed_silent=speech.counts.silent,
                transcribed_sounds=speech.counts.sounds,
                transcribed_failed=speech.counts.failed,
            )

    def _problem(self, problem: Problem) -> None:
        self._problems.append(problem)
        self._observer.problem(problem)

    def _closing(self) -> IndexSummary:
        texts = self._texts.counts
        searchable = self._library.videos(searchable=True)
        sounds = sum(map(is_sound, searchable))
        return replace(
            self._summary,
            texts_read=texts.read,
            texts_videos=len(texts.videos),
            texts_failed=texts.failed,
            texts_gone=texts.gone,
            problems=tuple(self._problems),
            searchable=len(searchable) - sounds,
            searchable_sounds=sounds,
            coarse=sum(row.coarse for row in searchable),
            elapsed_s=time.monotonic() - self._started,
        )
