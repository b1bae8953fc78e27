"""Nearest frames to a sentence, and what is usual in a library.

The index behind it is a cache of the library's vectors and can be thrown away: it is
checked when it is opened and built anew when anything about it is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import GzError
from ..store.library import Library, Segment
from ..types import Background, Times, Vectors
from .background import background_of, lowest_sample, null_in, usual
from .card import MOST_HITS, on_card
from .everyday import LEAST_STD, Yardstick
from .exact import best_matches, compared, scanned
from .index_plan import FrameMatch as FrameMatch
from .index_plan import IndexPlan as IndexPlan
from .published import publish
from .shelves import Note, Shelf, extended, loaded_faiss, nearest, open_shelves, write_index


class VectorCache:
    """Searches the visible frames of a library.

    It shows the library as it was when the cache was loaded.
    """

    def __init__(
        self,
        library: Library,
        note: Note,
        plan: IndexPlan,
        shelves: list[Shelf],
        current: list[Segment],
        saved: bool,
    ) -> None:
        self._library = library
        self._note = note
        self._plan = plan
        self._saved = saved
        self._searches = 0
        self._generation = library.generation
        self._show(shelves, current)

    def _show(self, shelves: list[Shelf], current: list[Segment]) -> None:
        self._shelves = shelves
        self._card: Any = None  # a copy shows what the first shelf was
        self._sample: tuple[Vectors, npt.NDArray[np.float32]] | None = None
        self._alive = [shelf.table.matching(current) for shelf in shelves]
        yardstick = Yardstick(shelves[0].table.bank) if shelves else None
        self._rivals = yardstick.rivals if yardstick else None

    @classmethod
    def load(
        cls,
        library: Library,
        note: Note = lambda text: None,
        plan: IndexPlan | None = None,
        everyday: Callable[[], Vectors] | None = None,
    ) -> VectorCache:
        """Opens the saved index, completes it with what is new, or builds it anew.

        Args:
            library: An open library; reading is enough.
            note: Called with a line for people when something takes a while.
            plan: Sizes at which what is done.
            everyday: The bank of everyday sentences, `everyday_of` the library's model; asked
                for where frames were not measured by it yet. None leaves them as they are.

        Raises:
            UsageError: FAISS is not installed.
        """
        loaded_faiss()
        plan = plan or IndexPlan()
        with library.snapshot():
            current = library.segments()
            shelves, saved = open_shelves(library, current, plan, note, everyday)
            cache = cls(library, note, plan, shelves, current, saved)
        if not saved and len(shelves) == 1:
            cache.save()
        return cache

    @property
    def frames(self) -> int:
        """Frames that a search without a filter looks at."""
        return sum(
            shelf.table.frames_in(alive)
            for shelf, alive in zip(self._shelves, self._alive, strict=True)
        )

    def save(self) -> bool:
        """Writes the index beside the library for the next process; True when it is there.

        A folder that cannot be written, or a full disk, costs time later and
        nothing else.
        """
        if self._saved:
            return True
        if len(self._shelves) > 1:
            with self._library.snapshot():
                current = self._library.segments()
                self._generation = self._library.generation
                whole = extended(self._library, self._shelves[0], current, self._plan, self._note)
            self._show([whole], current)
        shelf = self._shelves[0]
        header = {
            "generation": self._generation,
            "trained_frames": shelf.trained_frames,
            "bank": shelf.bank,
        }
        try:
            published = publish(
                self._library, header, shelf.table, lambda sink: write_index(shelf.index, sink)
            )
        except (OSError, RuntimeError, GzError) as error:
            why = getattr(error, "message", "") or getattr(error, "strerror", "") or str(error)
            self._note(f"the search index is kept in memory only: {why}")
            return False
        self._saved = published is not None
        return self._saved

    def search(
        self,
        query: Vectors,
        limit: int,
        video_ids: Collection[int] | None = None,
        compare: bool = False,
    ) -> list[FrameMatch]:
        """The frames that fit a sentence best.

        Args:
            query: float32 [D], L2-normalised.
            limit: At most so many frames.
            video_ids: Only frames of these videos; None searches all.
            compare: By how much better the sentence fits than everyday sentences do,
                where frames were measured by them, among the frames nearest to it without
                what all sentences share; else by cosine.

        Returns:
            Best first; equal ones in order of video and time.
        """
        rivals = self._rivals if compare else None
        asked = query if rivals is None else rivals.direction(query)
        row = np.ascontiguousarray(asked, np.float32).reshape(1, -1)
        found: list[tuple[npt.NDArray[np.int64], Times, Vectors]] = []
        for number, shelf in enumerate(self._shelves):
            chosen = self._chosen(number, video_ids)
            frames = shelf.table.frames_in(chosen)
            if frames and limit > 0:
                rows, scores = self._search_shelf(number, row, min(limit, frames), chosen)
                if rivals is not None:
                    scores = scores - shelf.table.rivals[rows]
                segments = shelf.table.segment_of(rows)
                videos = shelf.table.segments["video_id"][segments]
                found.append((videos, np.asarray(shelf.table.times_s[rows]), scores))
        return best_matches(found, limit)

    def _chosen(self, number: int, video_ids: Collection[int] | None) -> npt.NDArray[np.bool_]:
        """Segments of a shelf that are in the library and asked for, bool [S]."""
        alive = self._alive[number]
        return (
            alive if video_ids is None else alive & self._shelves[number].table.of_videos(video_ids)
        )

    def _search_shelf(
        self, number: int, row: Vectors, limit: int, chosen: npt.NDArray[np.bool_]
    ) -> tuple[npt.NDArray[np.int64], Vectors]:
        """The rows of one shelf with the highest products, and these."""
        shelf = self._shelves[number]
        table, frames = shelf.table, shelf.table.frames_in(chosen)
        if row.shape[1] != shelf.index.d:
            raise ValueError(f"a query of {row.shape[1]} channels in a space of {shelf.index.d}")
        if not chosen.all() and frames <= self._plan.scan_frames:
            return scanned(self._library, table, np.flatnonzero(chosen), row[0], limit)
        mask = None if chosen.all() else table.row_mask(chosen)
        if not shelf.trained_frames:
            return self._exact(number, row, limit, mask)
        wanted = min(max(self._plan.recheck * limit, 256), frames)
        share = frames / table.rows
        probes = self._plan.probes_of(shelf.index.nlist, share)
        rows, _ = nearest(shelf.index, row, wanted, mask, probes)
        return compared(self._library, table, rows, row[0])

    def _exact(
        self, number: int, row: Vectors, limit: int, mask: npt.NDArray[np.bool_] | None
    ) -> tuple[npt.NDArray[np.int64], Vectors]:
        """Rows and cosines from an exact index, or from its copy on a card once that pays."""
        index = self._shelves[number].index
        if not number and mask is None and limit <= MOST_HITS:
            self._searches += 1
            if self._searches > self._plan.card_searches and self._card is None:
                self._card = on_card(loaded_faiss(), index, self._note) or index
            if self._card is not None and self._card is not index:
                try:
                    return nearest(self._card, row, limit, None, None)
                except RuntimeError as error:
                    self._note(f"the graphics card failed, so the CPU searches: {error}")
                    self._card = index
        return nearest(index, row, limit, mask, None)

    def background(
        self,
        query: Vectors,
        logit_scale: float = 1.0,
        logit_bias: float = 0.0,
        video_ids: Collection[int] | None = None,
        compare: bool = False,
    ) -> Background:
        """How a sentence scores against the library as a whole.

        Told from a fixed random sample of at most 16,384 frames, all of them in
        a smaller library; so is the mean vector.

        Args:
            query: float32 [D], L2-normalised.
            logit_scale: SigLIP's scale.
            logit_bias: SigLIP's bias.
            video_ids: The searched videos, by which the null is told; None for all.
            compare: Compare with everyday sentences, where frames were measured by them.
        """
        tables = [shelf.table for shelf in self._shelves]
        if self._sample is None:
            half, share = lowest_sample(tables, self._alive)
            self._sample = half.astype(np.float32), share
        vectors, taken_off = self._sample
        plain = background_of(vectors, query, self.frames, logit_scale, logit_bias)
        rivals = self._rivals if compare else None
        if rivals is None:
            return plain
        searched = [self._chosen(number, video_ids) for number in range(len(tables))]
        scores = vectors @ rivals.direction(query) - taken_off
        mean, std = usual(scores)
        return replace(
            plain,
            mean=mean,
            std=max(std, LEAST_STD),
            rivals=rivals,
            null=null_in(tables, self._alive, searched),
        )
