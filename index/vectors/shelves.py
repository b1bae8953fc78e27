"""Vector indexes and what their rows mean: opened, built, extended, searched.

The only place that knows FAISS. Up to 1.5 million frames an index is exact (float16, inner
product); beyond, lists of 8-bit vectors are probed and the candidates compared with the
exact vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import UsageError
from ..failpoints import reached
from ..files import read_ahead
from ..store.library import HalfVectors, Library, Segment
from ..types import Times, Vectors
from .card import cards, train_lists
from .everyday import Yardstick, bank_digest
from .exact import batches, training_frames
from .frame_table import FrameTable, TableBuilder
from .index_plan import IndexPlan
from .published import (
    MISSING,
    Publication,
    Stale,
    load_table,
    open_current,
    renew_note,
    verify,
)  # fmt: skip

Note = Callable[[str], None]


@dataclass(frozen=True)
class Shelf:
    """An index and what its rows mean."""

    index: Any
    table: FrameTable
    trained_frames: int
    """0 for an exact index."""
    bank: str = ""
    """Digest of the everyday sentences that frames were measured by; empty without any."""
    mapped: bool = False
    """The index lies in a file and cannot grow: FAISS ends the process that tries."""


def installed() -> str:
    """Version of FAISS with what it runs on, e.g. ``1.15.1 (CPU)``.

    Raises:
        UsageError: FAISS is not installed.
    """
    faiss = loaded_faiss()
    return f"{faiss.__version__} ({'GPU' if cards(faiss) else 'CPU'})"


def loaded_faiss() -> Any:
    """The module, imported when it is first needed.

    Raises:
        UsageError: FAISS is not installed.
    """
    try:
        import faiss
    except ImportError as error:
        raise UsageError(
            "FAISS is not installed",
            "run `pip install 'groundzero-video[cpu]'`, or [gpu] with an NVIDIA card",
        ) from error
    return faiss


def open_shelves(
    library: Library,
    current: list[Segment],
    plan: IndexPlan,
    note: Note,
    everyday: Callable[[], Vectors] | None,
) -> tuple[list[Shelf], bool]:
    """The saved index with what is new beside it, or a new one; and whether it is on disk."""
    if not current:
        return [], True
    shelf, why = open_current(
        library.folder, lambda publication: _load(library, publication, memory_mapped=True)
    )
    if shelf is not None and everyday is not None and shelf.bank != bank_digest():
        shelf, why = None, "it does not know what is usual in this library"
    if shelf is None and (library.readonly or why != MISSING):
        # The first run over new folders makes the index as a matter of course.
        note(f"rebuilding the search index: {why}")
    if shelf is None:
        start = empty_shelf(library.dim, everyday)
        return [built(library, current, plan, note, start)], False
    if not plan.keeps(shelf.table, current, shelf.trained_frames):
        return [built(library, current, plan, note, shelf)], False
    fresh = shelf.table.lacking(current)
    if not fresh:
        return [shelf], True
    if sum(segment.frames for segment in fresh) > plan.new_frames:
        return [extended(library, shelf, current, plan, note)], False
    return [shelf, built(library, fresh, plan, note, shelf, exact=True)], False


def empty_shelf(dim: int, everyday: Callable[[], Vectors] | None) -> Shelf:
    """A shelf without frames that says what the next one is measured by."""
    bank = np.zeros((0, dim), np.float32) if everyday is None else everyday()
    table = TableBuilder(dim, Yardstick(bank)).table()
    return Shelf(None, table, 0, "" if everyday is None else bank_digest())


def _load(library: Library, publication: Publication, memory_mapped: bool) -> Shelf:
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
    return Shelf(index, table, checked.trained_frames, checked.bank, memory_mapped)


def _read(path: Path, memory_mapped: bool) -> Any:
    faiss = loaded_faiss()
    flags = faiss.IO_FLAG_MMAP_IFC if memory_mapped and hasattr(faiss, "IO_FLAG_MMAP_IFC") else 0
    try:
        if hasattr(faiss, "set_deserialization_vector_byte_limit"):
            faiss.set_deserialization_vector_byte_limit(path.stat().st_size + (1 << 20))
        return faiss.read_index(str(path), flags)
    except (RuntimeError, OSError, MemoryError) as error:
        raise Stale(f"{path.name} cannot be read") from error


def built(
    library: Library,
    segments: list[Segment],
    plan: IndexPlan,
    note: Note,
    like: Shelf,
    exact: bool = False,
) -> Shelf:
    """A new index over the frames of some videos, measured like those of another shelf."""
    faiss = loaded_faiss()
    dim = library.dim
    total = sum(segment.frames for segment in segments)
    ids = [segment.video_id for segment in segments]
    if exact or total <= plan.flat_frames:
        index = faiss.IndexScalarQuantizer(
            dim, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT
        )
        _reserve(index, total)
        return _filled(index, like, library.iter_frames(ids), 0)
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
    return _filled(index, like, library.iter_frames(ids), total)


def _reserve(index: Any, rows: int) -> None:
    """Takes the memory of a flat index at once; growing by doubling would need twice as much."""
    index.codes.resize(rows * index.code_size)
    index.codes.resize(index.ntotal * index.code_size)


def extended(
    library: Library, shelf: Shelf, current: list[Segment], plan: IndexPlan, note: Note
) -> Shelf:
    """The index with the videos it lacks; those it lost stay in and are not searched."""
    base: Shelf | None = shelf
    if shelf.mapped:
        base, _ = open_current(
            library.folder, lambda publication: _load(library, publication, memory_mapped=False)
        )
    if base is None:
        return built(library, current, plan, note, shelf)
    fresh = base.table.lacking(current)
    if not base.trained_frames:
        _reserve(base.index, base.table.rows + sum(segment.frames for segment in fresh))
    frames = library.iter_frames([segment.video_id for segment in fresh])
    return _filled(base.index, base, frames, base.trained_frames, base.table)


def _filled(
    index: Any,
    like: Shelf,
    frames: Iterable[tuple[Segment, Times, HalfVectors]],
    trained_frames: int,
    start: FrameTable | None = None,
) -> Shelf:
    builder = TableBuilder(index.d, Yardstick(like.table.bank), start)
    for batch in batches(frames, builder):
        index.add(batch)
        reached("mid_faiss_build")
    return Shelf(index, builder.table(), trained_frames, like.bank)


def write_index(index: Any, sink: Callable[[bytes], None]) -> None:
    """Writes an index, piece by piece, through `sink`."""
    faiss = loaded_faiss()

    def take(data: bytes) -> int:
        sink(data)
        return len(data)

    faiss.write_index(index, faiss.PyCallbackIOWriter(take, 1 << 20))


def nearest(
    index: Any,
    row: Vectors,
    limit: int,
    mask: npt.NDArray[np.bool_] | None,
    probes: int | None,
) -> tuple[npt.NDArray[np.int64], Vectors]:
    """Rows and scores of one FAISS search, best first."""
    faiss = loaded_faiss()
    options: dict[str, Any] = {} if probes is None else {"nprobe": probes}
    if mask is not None:
        options["sel"] = faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))
    kind = faiss.SearchParameters if probes is None else faiss.SearchParametersIVF
    parameters = kind(**options) if options else None
    scores, rows = index.search(row, limit, params=parameters)
    valid = rows[0] >= 0
    return rows[0][valid], scores[0][valid]
