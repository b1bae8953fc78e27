"""Nearest frames to a sentence: the only place that knows FAISS.

The index is a cache of the library's vectors and can be thrown away: it is
checked when it is opened and built anew when anything about it is wrong. Up
to 1.5 million frames it is exact (float16, inner product); beyond, lists of
8-bit vectors are probed and the candidates compared with the exact vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import GzError, UsageError
from ..failpoints import reached
from ..files import read_ahead
from ..store.library import HalfVectors, Library, Segment
from ..types import Background, Times, Vectors
from .background import background_of, lowest_sample
from .card import MOST_HITS, cards, on_card, train_lists
from .exact import batches, best_matches, compared, scanned, training_frames
from .frame_table import FrameTable, TableBuilder
from .index_plan import FrameMatch as FrameMatch
from .index_plan import IndexPlan as IndexPlan
from .published import (
    MISSING,
    Publication,
    Stale,
    load_table,
    open_current,
    publish,
    renew_note,
    verify,
)  # fmt: skip

Note = Callable[[str], None]


@dataclass(frozen=True)
class _Shelf:
    """An index and what its rows mean."""

    index: Any
    table: FrameTable
    trained_frames: int
    """0 for an exact index."""
    mapped: bool = False
    """The index lies in a file and cannot grow: FAISS ends the process that tries."""


class VectorCache:
    """Searches the visible frames of a library.

    It shows the library as it was when the cache was loaded.
    """

    def __init__(
        self,
        library: Library,
        note: Note,
        plan: IndexPlan,
        shelves: list[_Shelf],
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

    def _show(self, shelves: list[_Shelf], current: list[Segment]) -> None:
        self._shelves = shelves
        self._card: Any = None  # a copy shows what the first shelf was
        self._alive = [shelf.table.matching(current) for shelf in shelves]

    @classmethod
    def load(
        cls, library: Library, note: Note = lambda text: None, plan: IndexPlan | None = None
    ) -> VectorCache:
        """Opens the saved index, completes it with what is new, or builds it anew.

        Args:
            library: An open library; reading is enough.
            note: Called with a line for people when something takes a while.
            plan: Sizes at which what is done.

        Raises:
            UsageError: FAISS is not installed.
        """
        _faiss()
        plan = plan or IndexPlan()
        with library.snapshot():
            current = library.segments()
            shelves, saved = _shelves(library, current, plan, note)
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
                whole = _extended(self._library, self._shelves[0], current, self._plan, self._note)
            self._show([whole], current)
        shelf = self._shelves[0]
        header = {"generation": self._generation, "trained_frames": shelf.trained_frames}
        try:
            published = publish(
                self._library, header, shelf.table, lambda sink: _write(shelf.index, sink)
            )
        except (OSError, RuntimeError, GzError) as error:
            why = getattr(error, "message", "") or getattr(error, "strerror", "") or str(error)
            self._note(f"the search index is kept in memory only: {why}")
            return False
        self._saved = published is not None
        return self._saved

    def search(
        self, query: Vectors, limit: int, video_ids: Collection[int] | None = None
    ) -> list[FrameMatch]:
        """The frames whose vectors are nearest to a sentence's.

        Args:
            query: float32 [D], L2-normalised.
            limit: At most so many frames.
            video_ids: Only frames of these videos; None searches all.

        Returns:
            Best first; equal cosines in order of video and time.
        """
        row = np.ascontiguousarray(query, np.float32).reshape(1, -1)
        found: list[tuple[npt.NDArray[np.int64], Times, Vectors]] = []
        for number, shelf in enumerate(self._shelves):
            chosen = self._alive[number]
            if video_ids is not None:
                chosen = chosen & shelf.table.of_videos(video_ids)
            frames = shelf.table.frames_in(chosen)
            if frames and limit > 0:
                found.append(self._search_shelf(number, row, min(limit, frames), chosen))
        return best_matches(found, limit)

    def _search_shelf(
        self, number: int, row: Vectors, limit: int, chosen: npt.NDArray[np.bool_]
    ) -> tuple[npt.NDArray[np.int64], Times, Vectors]:
        """Videos, times and cosines of the best rows of one shelf."""
        shelf = self._shelves[number]
        table, frames = shelf.table, shelf.table.frames_in(chosen)
        if row.shape[1] != shelf.index.d:
            raise ValueError(f"a query of {row.shape[1]} channels in a space of {shelf.index.d}")
        if not chosen.all() and frames <= self._plan.scan_frames:
            return scanned(self._library, table, np.flatnonzero(chosen), row[0], limit)
        mask = None if chosen.all() else table.row_mask(chosen)
        if not shelf.trained_frames:
            rows, cosines = self._exact(number, row, limit, mask)
        else:
            wanted = min(max(self._plan.recheck * limit, 256), frames)
            share = frames / table.rows
            probes = self._plan.probes_of(shelf.index.nlist, share)
            rows, _ = _nearest(shelf.index, row, wanted, mask, probes)
            rows, cosines = compared(self._library, table, rows, row[0])
        segments = table.segment_of(rows)
        return table.segments["video_id"][segments], np.asarray(table.times_s[rows]), cosines

    def _exact(
        self, number: int, row: Vectors, limit: int, mask: npt.NDArray[np.bool_] | None
    ) -> tuple[npt.NDArray[np.int64], Vectors]:
        """Rows and cosines from an exact index, or from its copy on a card once that pays."""
        index = self._shelves[number].index
        if not number and mask is None and limit <= MOST_HITS:
            self._searches += 1
            if self._searches > self._plan.card_searches and self._card is None:
                self._card = on_card(_faiss(), index, self._note) or index
            if self._card is not None and self._card is not index:
                try:
                    return _nearest(self._card, row, limit, None, None)
                except RuntimeError as error:
                    self._note(f"the graphics card failed, so the CPU searches: {error}")
                    self._card = index
        return _nearest(index, row, limit, mask, None)

    def background(
        self, query: Vectors, logit_scale: float = 1.0, logit_bias: float = 0.0
    ) -> Background:
        """How a sentence scores against the library as a whole.

        Told from a fixed random sample of at most 16,384 frames, all of them in
        a smaller library; so is the mean vector.
        """
        vectors = lowest_sample([shelf.table for shelf in self._shelves], self._alive)
        return background_of(
            vectors.astype(np.float32), query, self.frames, logit_scale, logit_bias
        )


def installed() -> str:
    """Version of FAISS with what it runs on, e.g. ``1.15.1 (CPU)``.

    Raises:
        UsageError: FAISS is not installed.
    """
    faiss = _faiss()
    return f"{faiss.__version__} ({'GPU' if cards(faiss) else 'CPU'})"


def _faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise UsageError(
            "FAISS is not installed",
            "run `pip install 'groundzero-video[cpu]'`, or [gpu] with an NVIDIA card",
        ) from error
    return faiss


def _shelves(
    library: Library, current: list[Segment], plan: IndexPlan, note: Note
) -> tuple[list[_Shelf], bool]:
    """The saved index with what is new beside it, or a new one; and whether it is on disk."""
    if not current:
        return [], True
    shelf, why = open_current(
        library.folder, lambda publication: _load(library, publication, memory_mapped=True)
    )
    if shelf is None and (library.readonly or why != MISSING):
        # The first run over new folders makes the index as a matter of course.
        note(f"rebuilding the search index: {why}")
    if shelf is None or not plan.keeps(shelf.table, current, shelf.trained_frames):
        return [_built(library, current, plan, note)], False
    fresh = shelf.table.lacking(current)
    if not fresh:
        return [shelf], True
    if sum(segment.frames for segment in fresh) > plan.new_frames:
        return [_extended(library, shelf, current, plan, note)], False
    return [shelf, _built(library, fresh, plan, note, exact=True)], False


def _load(library: Library, publication: Publication, memory_mapped: bool) -> _Shelf:
    """The shelf of a publication, checked.

    Raises:
        Stale: It is damaged or belongs to another library or model.
    """
    publication.must_belong_to(library)
    checked = verify(library.folder, publication)
    table = load_table(library.folder, checked)
    index = _read(library.folder / checked.frames.name, memory_mapped)
    if index.ntotal != table.rows or not index.d == library.dim == table.sample.shape[1]:
        raise Stale("its parts do not fit together")
    renew_note(library.folder, publication, checked)
    if memory_mapped and not checked.trained_frames:
        read_ahead(library.folder / checked.frames.name)
    return _Shelf(index, table, checked.trained_frames, memory_mapped)


def _read(path: Path, memory_mapped: bool) -> Any:
    faiss = _faiss()
    flags = faiss.IO_FLAG_MMAP_IFC if memory_mapped and hasattr(faiss, "IO_FLAG_MMAP_IFC") else 0
    try:
        if hasattr(faiss, "set_deserialization_vector_byte_limit"):
            faiss.set_deserialization_vector_byte_limit(path.stat().st_size + (1 << 20))
        return faiss.read_index(str(path), flags)
    except (RuntimeError, OSError, MemoryError) as error:
        raise Stale(f"{path.name} cannot be read") from error


def _built(
    library: Library, segments: list[Segment], plan: IndexPlan, note: Note, exact: bool = False
) -> _Shelf:
    """A new index over the frames of some videos."""
    faiss = _faiss()
    dim = library.dim
    total = sum(segment.frames for segment in segments)
    ids = [segment.video_id for segment in segments]
    if exact or total <= plan.flat_frames:
        index = faiss.IndexScalarQuantizer(
            dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
        )
        _reserve(index, total)
        return _filled(index, TableBuilder(dim), library.iter_frames(ids), 0)
    lists = max(1, int(plan.lists_per_root * total**0.5))
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(dim), dim, lists, faiss.ScalarQuantizer.QT_8bit,
        faiss.METRIC_INNER_PRODUCT,
    )  # fmt: skip
    index.cp.seed = 1
    index.cp.niter = 10
    index.cp.max_points_per_centroid = plan.train_frames_per_list
    index.cp.min_points_per_centroid = 1
    note(f"training the search index on {total:,} frames")
    sample = training_frames(library, ids, total, lists * plan.train_frames_per_list)
    train_lists(faiss, index, sample, note)
    return _filled(index, TableBuilder(dim), library.iter_frames(ids), total)


def _reserve(index: Any, rows: int) -> None:
    """Takes the memory of a flat index at once; growing by doubling would need twice as much."""
    index.codes.resize(rows * index.code_size)
    index.codes.resize(index.ntotal * index.code_size)


def _extended(
    library: Library, shelf: _Shelf, current: list[Segment], plan: IndexPlan, note: Note
) -> _Shelf:
    """The index with the videos it lacks; those it lost stay in and are not searched."""
    base: _Shelf | None = shelf
    if shelf.mapped:
        base, _ = open_current(
            library.folder, lambda publication: _load(library, publication, memory_mapped=False)
        )
    if base is None:
        return _built(library, current, plan, note)
    fresh = base.table.lacking(current)
    if not base.trained_frames:
        _reserve(base.index, base.table.rows + sum(segment.frames for segment in fresh))
    builder = TableBuilder(base.index.d, base.table)
    frames = library.iter_frames([segment.video_id for segment in fresh])
    return _filled(base.index, builder, frames, base.trained_frames)


def _filled(
    index: Any,
    builder: TableBuilder,
    frames: Iterable[tuple[Segment, Times, HalfVectors]],
    trained_frames: int,
) -> _Shelf:
    for batch in batches(frames, builder):
        index.add(batch)
        reached("mid_faiss_build")
    return _Shelf(index, builder.table(), trained_frames)


def _write(index: Any, sink: Callable[[bytes], None]) -> None:
    faiss = _faiss()

    def take(data: bytes) -> int:
        sink(data)
        return len(data)

    faiss.write_index(index, faiss.PyCallbackIOWriter(take, 1 << 20))


def _nearest(
    index: Any,
    row: Vectors,
    limit: int,
    mask: npt.NDArray[np.bool_] | None,
    probes: int | None,
) -> tuple[npt.NDArray[np.int64], Vectors]:
    """Rows and scores of one FAISS search, best first."""
    faiss = _faiss()
    options: dict[str, Any] = {} if probes is None else {"nprobe": probes}
    if mask is not None:
        options["sel"] = faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))
    kind = faiss.SearchParameters if probes is None else faiss.SearchParametersIVF
    parameters = kind(**options) if options else None
    scores, rows = index.search(row, limit, params=parameters)
    valid = rows[0] >= 0
    return rows[0][valid], scores[0][valid]
