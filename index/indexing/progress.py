"""What an index run is asked, what it tells while it runs, and what it leaves to say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from .scan import Problem

COARSE_FROM_BYTES = 500_000_000
"""About half an hour of common video: more of it keeps a person waiting for a first answer."""


@dataclass(frozen=True)
class IndexOptions:
    """How to index."""

    step_s: float = 1.0
    """Spacing of the samples."""
    exclude: tuple[str, ...] = ()
    """Globs of files and folders to leave out."""
    prune: bool = False
    """Forget the videos that are gone from folders that are there."""
    retry: bool = False
    """Try again what failed or was set aside."""
    every_frame: bool = False
    """Encode also the samples that show nothing new beside the one before."""
    coarse_first: bool | None = None
    """Make videos searchable by their key frames before indexing them in full; None
    leaves it to how much there is."""
    rebuild: bool = False
    """Move the present library aside and start a new one."""
    model_spec: str = ""
    """How the encoder was named, remembered so that ``find`` needs no option."""
    adapter: str = ""
    """Folder of the LoRA adapter, remembered likewise."""
    screen: bool | None = None
    """Remembered in the library: whether screens are read; None leaves what is remembered."""
    hwaccel: str = ""
    """Device that decodes, see `hardware`; empty for the processor."""
    workers: int | None = None
    """Decoder processes; 0 decodes in this one, None leaves it to the encoder."""
    chunk_frames: int = 512
    """Frames of a long video that are made safe at once."""
    texts: bool = True
    """Read the words of side files, text streams and chapters."""
    language: str = ""
    """What is spoken, as two letters; empty lets the transcriber hear it."""
    subtitle_encoding: str | None = None
    """Encoding of side files as a person names it; ``auto`` to find out again, None to read
    each as it was read before."""
    transcript: bytes | None = None
    """A file with the words of the one video of this run, wherever it lies."""
    transcript_offset_s: float = 0.0
    """Added to the times of `transcript`."""
    transcript_starts_at_s: float | None = None
    """Time of day of the video's first picture, in seconds after midnight, for a `transcript`
    with a clock in its margin."""
    name_skipped: bool = False
    """Say of every file that is passed over what it was taken for."""
    max_deaths: int = 2
    """Decoders that a file may kill or hang before it is set aside. The end of gz itself,
    however it came, is never held against a file."""

    def __post_init__(self) -> None:
        if self.step_s <= 0 or (self.workers or 0) < 0 or self.chunk_frames < 1:
            raise ValueError(
                f"step_s {self.step_s}, workers {self.workers} and chunk_frames "
                f"{self.chunk_frames} must be positive"
            )

    def looks_first(self, size_bytes: int) -> bool:
        """Whether so many bytes of video get a first look at their key frames."""
        if self.coarse_first is None:
            return size_bytes >= COARSE_FROM_BYTES
        return self.coarse_first


@dataclass(frozen=True)
class IndexProgress:
    """Where a run stands."""

    files_done: int
    files_total: int
    video_s: float
    """Seconds of video encoded in this run."""
    share_done: float
    """0 to 1 by bytes of the files to be indexed."""
    frames: int
    frames_encoded: int
    """Of those, how many went through the model; the others look like one that did."""
    elapsed_s: float
    current: bytes
    """Path of the video being read."""
    coarse: bool = False
    """True during the first look at key frames; a pass over the same files follows."""
    speech: bool = False
    """True while speech is transcribed; `video_s` counts seconds of sound then."""
    words: bool = False
    """True while texts are read instead of pictures; counts are of videos then."""
    reading: bool = False
    """True while the screens of videos are read that are indexed already."""
    sounds: bool = False
    """True while files of sound alone are looked at."""


@dataclass(frozen=True)
class IndexSummary:
    """What a run did."""

    indexed: int = 0
    unchanged: int = 0
    moved: int = 0
    duplicates: int = 0
    """Files that this run found to have the content of another one that is there."""
    failed: int = 0
    """Files that failed in this run."""
    failed_before: int = 0
    """Unchanged files that failed in an earlier run and were not tried again."""
    skipped: int = 0
    """Links, pipes, junk and files that are no video."""
    skipped_kinds: tuple[tuple[str, int], ...] = ()
    """Of what kinds they are, the most numerous first."""
    hidden: int = 0
    """Videos that are gone for now; their vectors are kept."""
    pruned: int = 0
    offline_roots: tuple[bytes, ...] = ()
    problems: tuple[Problem, ...] = ()
    sounds: int = 0
    """Of the indexed files, those of sound alone."""
    sound_s: float = 0.0
    """Seconds of them."""
    video_s: float = 0.0
    frames: int = 0
    frames_encoded: int = 0
    elapsed_s: float = 0.0
    searchable: int = 0
    """Videos that ``find`` can search now."""
    searchable_sounds: int = 0
    """Files of sound alone whose words it can search."""
    coarse: int = 0
    """Of those, how many by their key frames alone so far."""
    transcribed: int = 0
    """Videos whose speech was transcribed in this run."""
    transcribed_s: float = 0.0
    """Seconds of their sound."""
    transcribed_silent: int = 0
    """Of those videos, how many in which nobody speaks."""
    transcribed_sounds: int = 0
    """Of those videos, how many are files of sound alone."""
    transcribed_failed: int = 0
    """Videos whose sound cannot be used; their pictures can be searched all the same."""
    texts_read: int = 0
    """Side files, text streams and lists of chapters that were read in this run."""
    texts_videos: int = 0
    """Of how many videos."""
    texts_failed: int = 0
    """Texts that could not be read in this run; their videos can be searched all the same."""
    texts_gone: int = 0
    """Texts whose file is no longer beside their video."""
    screens_read: int = 0
    """Videos whose screen this run has read."""
    interrupted: bool = False


class IndexObserver(Protocol):
    """Told what happens while a run goes on."""

    def scanned(self, files: int, size_bytes: int) -> None:
        """The walk is over: so many files of so many bytes will be read."""
        ...

    def progress(self, progress: IndexProgress) -> None:
        """Something moved; called a few times a second at most."""
        ...

    def preparing(self, share: float, text: str) -> None:
        """Something beside the files takes a while: how far it is, 0 to 1, and what it is."""
        ...

    def problem(self, problem: Problem) -> None:
        """A file could not be used."""
        ...

    def note(self, text: str) -> None:
        """Something a person may want to know."""
        ...


def coarse_note(videos: int) -> str:
    """What a first look has come to, for people."""
    what = "1 video" if videos == 1 else f"{videos:,} videos"
    return f"{what} can be searched now, by key frames; going on with all of it"


def unended_note(videos: int) -> str:
    """Why some files wait until the end of the run, for people."""
    if videos == 1:
        return "1 file that was being read when gz last ended comes last"
    return f"{videos:,} files that were being read when gz last ended come last, one at a time"
