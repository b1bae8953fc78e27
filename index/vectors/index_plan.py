"""At which sizes a vector index is of which kind, and what a search gives back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..store.library import Segment
from .frame_table import FrameTable


@dataclass(frozen=True)
class FrameMatch:
    """A frame near a sentence."""

    video_id: int
    time_s: float
    score: float


@dataclass(frozen=True)
class IndexPlan:
    """At which sizes what is done; the defaults suit one machine and float16."""

    flat_frames: int = 1_500_000
    """Exact search up to this many frames."""
    lists_per_root: float = 4.0
    """Lists beyond: this many times the square root of the number of frames."""
    probes: int = 256
    """Lists that one search looks into at least."""
    probe_share: float = 0.125
    """Share of the lists that one search looks into: the best frames of a sentence, which
    lies off the cone of pictures, are spread over more lists the more there are."""
    most_probes: int = 1024
    """Lists that a search without a filter looks into at most: among 3.6 million frames 256
    of 7,589 found all of the best 100, and at 36 million these are 4 % of the lists."""
    train_frames_per_list: int = 40
    recheck: int = 4
    """Approximate candidates per wanted frame that are compared exactly."""
    new_frames: int = 16_384
    """New frames that are searched beside the saved index before it is extended."""
    scan_frames: int = 30_000
    """A filter that leaves fewer frames is answered from the library itself."""
    dead_share: float = 0.3
    """Share of frames no longer searchable beyond which the index is built anew."""
    card_searches: int = 8
    """Searches after which a graphics card pays for the copy of the index."""

    def probes_of(self, lists: int, share: float) -> int:
        """Lists that a search looks into.

        Args:
            lists: How many there are.
            share: Of the frames, how many a filter lets through; the fewer, the more lists.
        """
        least = max(self.probes, min(self.most_probes, self.probe_share * lists))
        return min(lists, int(least / share) + 1)

    def keeps(self, table: FrameTable, current: Sequence[Segment], trained_frames: int) -> bool:
        """Whether an index is still worth extending, rather than building it anew.

        Args:
            table: What the index holds.
            current: What the library holds.
            trained_frames: Frames in the library when its lists were trained; 0 without lists.
        """
        if table.frames_in(table.matching(current)) < (1 - self.dead_share) * table.rows:
            return False
        total = sum(segment.frames for segment in current)
        return total <= (4 * trained_frames or self.flat_frames)
