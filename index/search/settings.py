"""How a search goes about it: every limit, with its reason."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class RetrievalSettings:
    """How many frames and windows a search looks at, with the reasons."""

    frames: int = 512
    """Nearest frames per look; they fall into a few dozen windows in all but crowded
    libraries."""
    whole_frames: int = 8192
    """A search of no more frames than this looks at all of them."""
    windows: int = 48
    """Windows that are localized: two hours of video, about a tenth of a second."""
    compared_windows: int = 24
    """The same for one event where frames are compared with everyday sentences: the right
    window is then among the first, and half as many find as much."""
    windows_per_video: int = 8
    """Before other videos have had their turn; the places that stay empty are then
    filled with the rest."""
    enough: int = 16
    """Windows below which near-duplicate frames are taken to crowd the rest out."""
    rounds: int = 4
    """Further looks in that case."""
    margin: float = 0.1
    """A peak this near (in window lengths) to a window's edge gets its own window, so
    that the moment around it is not cut in two."""


@dataclass(frozen=True)
class CloserSettings:
    """How much is looked at, with the reasons."""

    moments: int = 8
    """Best coarse moments: those that are shown first, and some that may deserve to be."""
    reach_s: float = 12.0
    """Seconds on either side: key frames are mostly not farther apart."""
    step_s: float = 1.0
    """The rate of a full index."""


@dataclass(frozen=True)
class RefineSettings:
    """How closely edges are looked at, with the reasons."""

    moments: int = 5
    """Best moments that are refined; a person reads these first."""
    step_s: float = 0.25
    """4 fps: edges to an eighth of a second for 4 times the work on few seconds."""
    reach_s: float = 4.0
    """Seconds decoded on either side of an edge: coarse samples are 1 s apart, and a
    second or two more shows what inside and outside look like."""
    context_s: float = 60.0
    """Seconds of coarse frames kept around the moment."""


@dataclass(frozen=True)
class ExtendSettings:
    """How far a moment is followed, with the reasons."""

    windows: int = 64
    """Windows looked at for all moments of a search: about two and a half hours."""
    least_share: float = 0.5
    """Presence of a continuation, as a share of the moment's own."""
    least_presence: float = 0.1
    """Presence below which a moment is not worth following."""
    touch_s: float = 2.0
    """A continuation starts this near the end of what it continues."""


@dataclass(frozen=True)
class FindSettings:
    """How a search goes about it."""

    retrieval: RetrievalSettings = field(default_factory=RetrievalSettings)
    closer: CloserSettings = field(default_factory=CloserSettings)
    refinement: RefineSettings = field(default_factory=RefineSettings)
    extension: ExtendSettings = field(default_factory=ExtendSettings)
    least_calibrated_frames: int = 1200
    """Frames of a library (twenty minutes) below which scores are not compared with those of
    everyday sentences, and a presence is no probability: what is usual is told from the library
    itself, and an event that fills a tenth of it would be."""
