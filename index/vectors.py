"""Nearest frames to a sentence: the only place that knows FAISS.

The index is a cache of the library's vectors and can be thrown away: it is
checked when it is opened and built anew when anything about it is wrong. Up
to about a million and a half frames it is exact (float16, inner product);
beyond, lists of 8-bit vectors are probed and the candidates compared again
with the exact vectors of the library.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import GzError, UsageError
from .exact import compared, scanned
from .failpoints import reached
from .frame_table import SAMPLE_FRAMES, FrameTable, TableBuilder
from .published import (
    Publication,
    Stale,
    load_table,
    publish,
    read_note,
    renew_note,
    verify,
)
from .store import HalfVectors, Library, Segment
from .types import Background, Times, Vectors

Note = Callable[[str], None]
_BATCH_ROWS = 8192
_ATTEMPTS = 3
_MISSING = "it is missing"


@dataclass(frozen=True)
class FrameMatch:
    """A frame near a sentence."""

    video_id: int
    time_s: float
    cosine: float


@dataclass(frozen=True)
class IndexPlan:
    """At which sizes what is done; the defaults suit one machine and float16."""

    flat_frames: int = 1_500_000
    """Exact search up to this many frames."""
    lists_per_root: float = 4.0
    """Lists beyond: this many times the square root of the number of frames."""
    probes: int = 256
    """Lists that one search looks into."""
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
        self._card: Any = None
        self._generation = library.generation
        self._show(shelves, current)

    def _show(self, shelves: list[_Shelf], current: list[Segment]) -> None:
        self._shelves = shelves
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
        space = self._library.space
        header = {
            "library_id": self._library.id,
            "space_id": "" if space is None else space.id,
            "generation": self._generation,
            "trained_frames": shelf.trained_frames,
        }
        try:
            published = publish(
                self._library.folder, header, shelf.table, lambda sink: _write(shelf.index, sink)
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
        if not found:
            return []
        videos, times, cosines = (np.concatenate(part) for part in zip(*found, strict=True))
        order = np.lexsort((times, videos, -cosines))[:limit]
        return [FrameMatch(int(videos[i]), float(times[i]), float(cosines[i])) for i in order]

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
            rows, cosines = _nearest(self._engine(number, mask), row, limit, mask, None)
        else:
            wanted = min(max(self._plan.recheck * limit, 256), frames)
            share = frames / table.rows
            probes = min(shelf.index.nlist, int(self._plan.probes / share) + 1)
            rows, _ = _nearest(shelf.index, row, wanted, mask, probes)
            rows, cosines = compared(self._library, table, rows, row[0])
        segments = table.segment_of(rows)
        return table.segments["video_id"][segments], np.asarray(table.times_s[rows]), cosines

    def _engine(self, number: int, mask: npt.NDArray[np.bool_] | None) -> Any:
        """The exact index itself, or its copy on a graphics card once that pays."""
        self._searches += 1
        if number or mask is not None or self._searches <= self._plan.card_searches:
            return self._shelves[number].index
        if self._card is None:
            self._card = _on_card(self._shelves[0].index, self._note) or self._shelves[0].index
        return self._card

    def _sample(self) -> HalfVectors:
        """Vectors of a uniform sample of what can be searched, float16 [K, D]."""
        # Each shelf keeps its rows of lowest priority; of all shelves together the lowest
        # are taken, which is the sample that one index of all would have.
        parts = [np.zeros((0, 1), np.float16)]
        priorities = [np.zeros(0, np.uint64)]
        tables = [shelf.table for shelf in self._shelves]
        bound = min((table.sample_bound for table in tables), default=0)
        for table, alive in zip(tables, self._alive, strict=True):
            kept = (table.sample_priority <= bound) & alive[table.segment_of(table.sample_rows)]
            parts.append(table.sample[kept])
            priorities.append(table.sample_priority[kept])
        order = np.argsort(np.concatenate(priorities), kind="stable")[:SAMPLE_FRAMES]
        return np.concatenate(parts[1:] or parts)[order]

    def background(
        self, query: Vectors, logit_scale: float = 1.0, logit_bias: float = 0.0
    ) -> Background:
        """How a sentence scores against the library as a whole.

        Told from a fixed random sample of at most 16,384 frames, all of them in
        a smaller library; so is the mean vector.
        """
        vectors = self._sample().astype(np.float32)
        if not len(vectors):
            center = np.zeros(len(query), np.float32)
            return Background(0.0, 1.0, 0.0, 0, center, logit_scale, logit_bias)
        cosines = vectors @ np.asarray(query, np.float32)
        return Background(
            mean=float(cosines.mean()),
            std=float(cosines.std()),
            top=float(np.quantile(cosines, 0.999)),
            frames=self.frames,
            center=vectors.mean(axis=0),
            logit_scale=logit_scale,
            logit_bias=logit_bias,
        )


def installed() -> str:
    """Version of FAISS with what it runs on, e.g. ``1.15.1 (CPU)``.

    Raises:
        UsageError: FAISS is not installed.
    """
    faiss = _faiss()
    return f"{faiss.__version__} ({'GPU' if _cards(faiss) else 'CPU'})"


def _faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise UsageError(
            "FAISS is not installed",
            "run `pip install 'groundzero-video[cpu]'`, or [gpu] with an NVIDIA card",
        ) from error
    return faiss


def _cards(faiss: Any) -> int:
    return int(faiss.get_num_gpus()) if hasattr(faiss, "StandardGpuResources") else 0


def _shelves(
    library: Library, current: list[Segment], plan: IndexPlan, note: Note
) -> tuple[list[_Shelf], bool]:
    """The saved index with what is new beside it, or a new one; and whether it is on disk."""
    if not current:
        return [], True
    shelf, why = _open_saved(library)
    if shelf is None and (library.readonly or why != _MISSING):
        # The first run over new folders makes the index as a matter of course.
        note(f"rebuilding the search index: {why}")
    if shelf is None or not _is_worth_keeping(shelf, current, plan):
        return [_built(library, current, plan, note)], False
    fresh = _missing(shelf.table, current)
    if not fresh:
        return [shelf], True
    if sum(segment.frames for segment in fresh) > plan.new_frames:
        return [_extended(library, shelf, current, plan, note)], False
    return [shelf, _built(library, fresh, plan, note, exact=True)], False


def _open_saved(library: Library) -> tuple[_Shelf | None, str]:
    """The saved index, or why it cannot be used (empty when there never was one)."""
    why, publication = "", None
    for _ in range(_ATTEMPTS):
        try:
            publication = read_note(library.folder)
            if publication is None:
                return None, _MISSING
            return _load(library, publication, memory_mapped=True), ""
        except Stale as error:
            why = str(error)
        # Another process may have published while the files were being opened.
        with contextlib.suppress(Stale):
            if read_note(library.folder) == publication:
                break
    return None, why


def _load(library: Library, publication: Publication, memory_mapped: bool) -> _Shelf:
    """The shelf of a publication, checked.

    Raises:
        Stale: It is damaged or belongs to another library or model.
    """
    space = library.space
    if publication.library_id != library.id:
        raise Stale("it belongs to another library")
    if space is None or publication.space_id != space.id:
        raise Stale("it belongs to another model")
    checked = verify(library.folder, publication)
    table = load_table(library.folder, checked)
    index = _read(library.folder / checked.frames.name, memory_mapped)
    if index.ntotal != table.rows or index.d != space.dim or table.sample.shape[1] != space.dim:
        raise Stale("its parts do not fit together")
    renew_note(library.folder, publication, checked)
    if memory_mapped and not checked.trained_frames:
        _read_ahead(library.folder / checked.frames.name)
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


def _read_ahead(path: Path) -> None:
    """Reads a file once in the background, in order.

    FAISS maps files for random access, so a search through a file that is not
    in memory yet reads page after page: measured six times slower than this.
    """

    def read() -> None:
        buffer = bytearray(1 << 20)
        with contextlib.suppress(OSError), path.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass

    threading.Thread(target=read, name="read-ahead", daemon=True).start()


def _growable(library: Library) -> _Shelf | None:
    """The saved index read into memory."""
    try:
        publication = read_note(library.folder)
        return None if publication is None else _load(library, publication, memory_mapped=False)
    except Stale:
        return None


def _is_worth_keeping(shelf: _Shelf, current: list[Segment], plan: IndexPlan) -> bool:
    alive = shelf.table.frames_in(shelf.table.matching(current))
    total = sum(segment.frames for segment in current)
    if alive < (1 - plan.dead_share) * shelf.table.rows:
        return False
    if shelf.trained_frames:
        return total <= 4 * shelf.trained_frames
    return total <= plan.flat_frames


def _built(
    library: Library, segments: list[Segment], plan: IndexPlan, note: Note, exact: bool = False
) -> _Shelf:
    """A new index over the frames of some videos."""
    faiss = _faiss()
    space = library.space
    dim = 1 if space is None else space.dim
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
    if _cards(faiss):
        index.clustering_index = _on_card(faiss.IndexFlatIP(dim), note)
    note(f"training the search index on {total:,} frames")
    index.train(_training(library, ids, total, lists * plan.train_frames_per_list))
    return _filled(index, TableBuilder(dim), library.iter_frames(ids), total)


def _reserve(index: Any, rows: int) -> None:
    """Takes the memory of a flat index at once; growing by doubling would need twice as much."""
    index.codes.resize(rows * index.code_size)
    index.codes.resize(index.ntotal * index.code_size)


def _training(library: Library, ids: list[int], total: int, wanted: int) -> Vectors:
    """A fixed random sample of the frames, float32 [min(wanted, total), D]."""
    generator = np.random.default_rng(1)
    picked = np.sort(generator.choice(total, min(wanted, total), replace=False))
    parts, seen = [], 0
    for _, times, half in library.iter_frames(ids):
        low, high = np.searchsorted(picked, (seen, seen + len(times)))
        parts.append(half[picked[low:high] - seen].astype(np.float32))
        seen += len(times)
    return np.concatenate(parts)


def _extended(
    library: Library, shelf: _Shelf, current: list[Segment], plan: IndexPlan, note: Note
) -> _Shelf:
    """The index with the videos it lacks; those it lost stay in and are not searched."""
    base = _growable(library) if shelf.mapped else shelf
    if base is None:
        return _built(library, current, plan, note)
    fresh = _missing(base.table, current)
    if not base.trained_frames:
        _reserve(base.index, base.table.rows + sum(segment.frames for segment in fresh))
    builder = TableBuilder(base.index.d, base.table)
    frames = library.iter_frames([segment.video_id for segment in fresh])
    return _filled(base.index, builder, frames, base.trained_frames)


def _missing(table: FrameTable, current: list[Segment]) -> list[Segment]:
    """Segments of the library that a table does not hold."""
    held = set(table.segments["video_id"][table.matching(current)].tolist())
    return [segment for segment in current if segment.video_id not in held]


def _filled(
    index: Any,
    builder: TableBuilder,
    frames: Iterable[tuple[Segment, Times, HalfVectors]],
    trained_frames: int,
) -> _Shelf:
    for batch in _batches(frames, builder):
        index.add(batch)
        reached("mid_faiss_build")
    return _Shelf(index, builder.table(), trained_frames)


def _batches(
    frames: Iterable[tuple[Segment, Times, HalfVectors]], builder: TableBuilder
) -> Iterator[Vectors]:
    """Float32 batches in the order in which the builder sees the frames."""
    waiting: list[HalfVectors] = []
    rows = 0
    for segment, times, half in frames:
        builder.add(segment, times, half)
        waiting.append(half)
        rows += len(half)
        if rows >= _BATCH_ROWS:
            yield np.concatenate(waiting).astype(np.float32)
            waiting, rows = [], 0
    if waiting:
        yield np.concatenate(waiting).astype(np.float32)


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
    options: dict[str, Any] = {}
    if mask is not None:
        options["sel"] = faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))
    if probes is not None:
        parameters = faiss.SearchParametersIVF(nprobe=probes, **options)
    else:
        parameters = faiss.SearchParameters(**options) if options else None
    scores, rows = index.search(row, limit, params=parameters)
    valid = rows[0] >= 0
    return rows[0][valid], scores[0][valid]


def _on_card(index: Any, note: Note) -> Any:
    """A copy of an index on the first graphics card; None where that is not possible."""
    faiss = _faiss()
    if not _cards(faiss):
        return None
    try:
        resources = faiss.StandardGpuResources()
        if isinstance(index, faiss.IndexScalarQuantizer):
            settings = faiss.GpuIndexFlatConfig()
            settings.useFloat16 = True
            copy = faiss.GpuIndexFlatIP(resources, index.d, settings)
            for first in range(0, index.ntotal, _BATCH_ROWS):
                copy.add(index.reconstruct_n(first, min(_BATCH_ROWS, index.ntotal - first)))
            return copy
        return faiss.index_cpu_to_gpu(resources, 0, index)
    except RuntimeError as error:
        note(f"the graphics card cannot hold the search index, so the CPU searches: {error}")
        return None
