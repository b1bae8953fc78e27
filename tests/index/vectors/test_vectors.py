"""The vector cache: the hits of a comparison with every frame, whatever befell its files."""

from __future__ import annotations

import builtins
import os
import random
import shutil
import signal
import types
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from library_factory import (
    DIM,
    INFO,
    STAT,
    add_video,
    brute_force,
    open_library,
    run_python,
    unit_vectors,
)

from index import failpoints
from index.errors import UsageError
from index.indexing.check import check
from index.store.library import Library, Segment
from index.types import SamplingReport
from index.vectors import background, frame_table, published, shelves
from index.vectors import cache as vectors
from index.vectors.cache import IndexPlan, VectorCache
from index.vectors.everyday import Yardstick

SMALL = IndexPlan(flat_frames=200, new_frames=50, scan_frames=10, probes=10_000)
"""Approximate from 200 frames on, every list probed, so that hits can be compared exactly."""
QUERY = unit_vectors(1, 99)[0]


@pytest.fixture(autouse=True)
def _disarmed():
    yield
    failpoints.disarm()


@pytest.fixture
def library(tmp_path):
    with open_library(tmp_path / "lib") as opened:
        for number in range(10):
            add_video(opened, b"/v%d" % number, frames=60 + number, seed=number)
        yield opened


def load(library: Library, plan: IndexPlan | None = None) -> tuple[VectorCache, list[str]]:
    notes: list[str] = []
    return VectorCache.load(library, notes.append, plan), notes


def assert_same_as_brute_force(cache: VectorCache, library: Library, limit=40, video_ids=None):
    found = cache.search(QUERY, limit, video_ids)
    truth = brute_force(library, QUERY, limit, video_ids)
    assert [(m.video_id, m.time_s) for m in found] == [(v, t) for v, t, _ in truth]
    assert np.allclose([m.score for m in found], [c for _, _, c in truth], atol=1e-5)


def faiss_file(folder: Path) -> Path:
    (path,) = folder.glob("vectors-*.faiss")
    return path


@pytest.mark.parametrize("plan", [IndexPlan(), SMALL], ids=["exact", "lists"])
def test_hits_are_those_of_brute_force_through_a_library_s_life(library, plan):
    ids = [segment.video_id for segment in library.segments()]

    def agree(notes_expected: int) -> VectorCache:
        cache, notes = load(library, plan)
        assert len(notes) == notes_expected, notes
        assert_same_as_brute_force(cache, library)
        assert_same_as_brute_force(cache, library, limit=5000)
        assert_same_as_brute_force(cache, library, video_ids=ids[:1])
        assert_same_as_brute_force(cache, library, video_ids=ids[1:8])
        assert cache.search(QUERY, 10, []) == []
        assert cache.search(QUERY, 0) == []
        assert cache.frames == sum(segment.frames for segment in library.segments())
        return cache

    agree(1 if plan is SMALL else 0)
    agree(0)
    add_video(library, b"/few", frames=20, seed=20)
    agree(0)
    assert agree(0).save()
    agree(0)
    add_video(library, b"/many", frames=300, seed=21)
    agree(0)
    library.mark_absent(ids[:2])
    agree(0)
    library.mark_present(ids[0], STAT)
    agree(0)
    add_video(library, b"/v5", frames=30, seed=22, fingerprint="changed")
    assert agree(0).save()
    library.forget(ids[7])
    agree(0)
    add_video(library, b"/v9", frames=80, seed=23, fingerprint="changed")
    agree(0)
    assert check(library.folder) == []


def test_vectors_of_the_last_saved_video_are_not_mixed_with_its_new_version(library):
    load(library)
    last = library.segments()[-1].video_id
    add_video(library, b"/v9", frames=20, seed=50, fingerprint="changed")
    assert library.segments()[-1].video_id == last
    cache, _ = load(library)
    cache.save()
    assert_same_as_brute_force(load(library)[0], library)


def test_a_mostly_dead_index_is_built_anew(library):
    load(library)
    for segment in library.segments()[:6]:
        library.forget(segment.video_id)
    cache, _ = load(library)
    assert [shelf.table.rows for shelf in cache._shelves] == [cache.frames]


def test_an_empty_library_is_searched_without_a_word(tmp_path):
    with open_library(tmp_path) as library:
        cache, notes = load(library)
        assert (cache.search(QUERY, 10), cache.frames, notes) == ([], 0, [])
        background = cache.background(QUERY)
        assert (background.frames, background.std) == (0, 1.0)
        assert background.center.shape == (DIM,)
        assert cache.save()
    assert not list(tmp_path.glob("vectors*"))


def test_extending_adds_only_what_is_new(library, monkeypatch):
    load(library, SMALL)
    asked = []
    real = Library.iter_frames
    monkeypatch.setattr(
        Library, "iter_frames", lambda self, ids=None: asked.append(ids) or real(self, ids)
    )
    new = add_video(library, b"/new", frames=100, seed=30)
    load(library, SMALL)
    assert asked == [[new]]


def test_lists_are_trained_again_when_the_library_outgrew_them(library):
    load(library, SMALL)
    add_video(library, b"/big", frames=3000, seed=31)
    cache, notes = load(library, SMALL)
    assert "training" in notes[-1]
    assert_same_as_brute_force(cache, library)


def test_default_probes_find_nearly_everything(tmp_path):
    generator = np.random.default_rng(5)
    with open_library(tmp_path) as library:
        centers = unit_vectors(40, 6)
        for number in range(20):
            noisy = centers[generator.integers(0, 40, 500)]
            noisy = noisy + 0.3 * generator.standard_normal(noisy.shape).astype(np.float32)
            noisy /= np.linalg.norm(noisy, axis=1, keepdims=True)
            video_id = library.begin_attempt(b"/v%d" % number, str(number), STAT)
            library.stage_chunk(video_id, np.arange(500.0), noisy)
            library.commit_video(video_id, SamplingReport(500.0, 0, False), INFO)
        cache, _ = load(library, IndexPlan(flat_frames=1000))
        truth = {(v, t) for v, t, _ in brute_force(library, QUERY, 100)}
        found = {(m.video_id, m.time_s) for m in cache.search(QUERY, 100)}
        assert len(truth & found) >= 90


@pytest.mark.parametrize(
    ("lists", "share", "probes"),
    [
        (400, 1.0, 257),
        (2529, 1.0, 317),
        (7589, 1.0, 949),
        (24_000, 1.0, 1025),
        (24_000, 0.1, 10_241),
        (100, 1.0, 100),
        (7589, 0.01, 7589),
    ],
)
def test_probes_follow_the_lists_and_what_a_filter_leaves(lists, share, probes):
    assert IndexPlan().probes_of(lists, share) == probes


# What can befall the files


def damaged(data: bytes, generator: random.Random) -> bytes:
    kind = generator.randrange(4)
    place = generator.randrange(len(data))
    if kind == 0:
        return data[:place]
    if kind == 1:
        return data + generator.randbytes(7)
    head = generator.randrange(min(300, len(data)))
    at = head if kind == 2 else place
    return data[:at] + bytes([data[at] ^ (1 << generator.randrange(8))]) + data[at + 1 :]


@pytest.mark.parametrize("plan", [IndexPlan(), SMALL], ids=["exact", "lists"])
def test_a_damaged_faiss_file_never_gives_wrong_hits(library, plan):
    load(library, plan)
    generator = random.Random(7)
    for _ in range(60):
        path = faiss_file(library.folder)
        path.write_bytes(damaged(path.read_bytes(), generator))
        cache, notes = load(library, plan)
        assert sum("rebuilding" in note for note in notes) == 1
        assert_same_as_brute_force(cache, library, limit=10)
        cache, notes = load(library, plan)
        assert notes == []
        assert_same_as_brute_force(cache, library, limit=10)


def test_any_other_damaged_file_never_gives_wrong_hits(library):
    generator = random.Random(8)
    for _ in range(40):
        load(library)
        path = generator.choice(sorted(library.folder.glob("vectors*.[nj]*")))
        path.write_bytes(damaged(path.read_bytes(), generator))
        cache, notes = load(library)
        assert len(notes) == 1, path
        assert_same_as_brute_force(cache, library, limit=10)
        cache.background(QUERY)


def test_any_deleted_file_is_made_again(library):
    load(library)
    for pattern in ("*.faiss", "*.times_s.npy", "vectors.json", "*.sample.npy"):
        (path,) = library.folder.glob(pattern)
        path.unlink()
        with Library.open_readonly(library.folder) as reader:
            cache, notes = load(reader)
            assert len(notes) == 1
            assert "rebuilding the search index" in notes[0]
            assert_same_as_brute_force(cache, reader)
    assert len(list(library.folder.glob("vectors-*"))) == 9


def test_an_older_cache_put_back_is_completed(library, tmp_path):
    load(library)
    older = [(p.name, p.read_bytes()) for p in library.folder.glob("vectors*")]
    add_video(library, b"/new", seed=40)
    library.forget(1)
    load(library)[0].save()
    for name, data in older:
        (library.folder / name).write_bytes(data)
    cache, notes = load(library)
    assert notes == []
    assert_same_as_brute_force(cache, library)


def test_an_older_library_put_back_is_not_searched_with_the_newer_cache(library):
    load(library)
    library.close()
    database = library.folder / "library.db"
    older = database.read_bytes()
    with Library.create_or_open(library.folder) as newer:
        add_video(newer, b"/v3", seed=41, fingerprint="changed")
        load(newer)[0].save()
    database.write_bytes(older)
    with Library.open_readonly(library.folder) as back:
        cache, _ = load(back)
        assert_same_as_brute_force(cache, back)


def test_the_cache_of_another_library_or_model_is_not_used(library, tmp_path):
    load(library)
    with open_library(tmp_path / "other") as other:
        add_video(other, b"/v0", frames=60, seed=77)
        for path in library.folder.glob("vectors*"):
            shutil.copy(path, other.folder)
        cache, notes = load(other)
        assert "another library" in notes[0]
        assert_same_as_brute_force(cache, other)


def test_a_copied_library_keeps_its_cache(library, tmp_path):
    load(library)
    copy = tmp_path / "copy"
    shutil.copytree(library.folder, copy)
    before = faiss_file(copy).name
    with Library.open_readonly(copy) as moved:
        cache, notes = load(moved)
        assert notes == []
        assert_same_as_brute_force(cache, moved)
    assert faiss_file(copy).name == before


def test_large_files_are_taken_by_their_stat_until_it_changes(library, monkeypatch):
    monkeypatch.setattr(published, "_ALWAYS_DIGESTED_BYTES", 0)
    load(library)
    digested = []
    real = published.digest_file
    monkeypatch.setattr(published, "digest_file", lambda p: digested.append(p) or real(p))
    load(library)
    assert digested == []
    path = faiss_file(library.folder)
    data = bytearray(path.read_bytes())
    stat = path.stat()
    data[-1] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    cache, notes = load(library)
    assert len(notes) == 1
    assert_same_as_brute_force(cache, library)


def test_the_note_cannot_point_outside(library, tmp_path):
    load(library)
    publication = published.read_note(library.folder)
    assert publication is not None
    published._write_note(
        library.folder,
        published.replace(
            publication, frames=published.replace(publication.frames, name="../x.faiss")
        ),
    )
    with pytest.raises(published.Stale, match="not its own"):
        published.read_note(library.folder)


_PUBLISH = """
import os, signal, sys
from pathlib import Path
from index import failpoints
from index.store.library import Library
from index.vectors.cache import VectorCache
passed = 0
def die():
    global passed
    passed += 1
    if passed == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
failpoints.arm(sys.argv[2], die)
with Library.open_readonly(Path(sys.argv[1])) as library:
    VectorCache.load(library).save()
"""

KILLS = [
    ("mid_faiss_build", 1),
    ("mid_faiss_write", 1),
    ("mid_faiss_write", 3),
    ("before_replace", 1),
    ("after_replace", 4),
    ("before_publish", 1),
    ("before_replace", 7),
    ("after_publish", 1),
]


@pytest.mark.parametrize(("point", "nth"), KILLS)
def test_kill_while_the_cache_is_written(library, point, nth):
    load(library)
    add_video(library, b"/new", frames=70, seed=60)
    killed = run_python(_PUBLISH, library.folder, point, nth, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    cache, notes = load(library)
    assert notes == []
    assert_same_as_brute_force(cache, library)
    cache.save()
    check(library.folder, repair=True)
    assert check(library.folder) == []
    assert len(list(library.folder.glob("vectors-*"))) == 9


_FULL = """
import resource, sys
from pathlib import Path
from index.store.library import Library
from index.vectors.cache import VectorCache
from library_factory import unit_vectors
notes = []
with Library.open_readonly(Path(sys.argv[1])) as library:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    cache = VectorCache.load(library, notes.append)
    found = len(cache.search(unit_vectors(1, 99)[0], 5))
    print(found, cache.save(), "memory only" in notes[-1])
"""


def test_a_full_disk_costs_the_cache_and_nothing_else(library):
    library.close()
    for limit in (0, 100, 5_000, 20_000, 30_000):
        said = run_python(_FULL, library.folder, limit).stdout.split()
        assert said == ["5", "False", "True"], limit
        assert not list(library.folder.glob("vectors-*"))
        assert not list(library.folder.glob(".gz-partial-*"))
    assert run_python(_FULL, library.folder, 1 << 30).stdout.split() == ["5", "True", "False"]


def test_two_processes_do_not_publish_at_once(library):
    with published.locked(library.folder) as held:
        assert held
        cache, _ = load(library)
        assert not cache.save()
        assert_same_as_brute_force(cache, library)
    assert cache.save()


def test_files_in_use_by_a_reader_outlive_their_publication(library):
    cache, _ = load(library)
    cache, _ = load(library)
    before = cache.search(QUERY, 20)
    with Library.create_or_open(library.folder) as writer:
        add_video(writer, b"/new", frames=300, seed=70)
        load(writer, IndexPlan(new_frames=10))
    assert cache.search(QUERY, 20) == before


def test_a_publication_that_changes_while_it_is_opened_is_read_again(library, monkeypatch):
    load(library)
    real = shelves.verify
    passes = []

    def racing(folder, publication):
        if not passes:
            passes.append(1)
            cache = VectorCache(
                library, print, IndexPlan(), vectors_shelves(library), library.segments(), False
            )
            assert cache.save()
        return real(folder, publication)

    monkeypatch.setattr(shelves, "verify", racing)
    cache, notes = load(library)
    assert notes == []
    assert_same_as_brute_force(cache, library)


def vectors_shelves(library: Library):
    return [
        shelves.built(
            library, library.segments(), IndexPlan(), print, shelves.empty_shelf(library.dim, None)
        )
    ]


# Background


def test_background_of_a_small_library_is_exact(library):
    cache, _ = load(library)
    every = np.concatenate([library.read_vectors(s.video_id)[1] for s in library.segments()])
    cosines = every @ QUERY
    background = cache.background(QUERY, 100.0, -10.0)
    assert background.mean == pytest.approx(cosines.mean(), abs=1e-5)
    assert background.std == pytest.approx(cosines.std(), abs=1e-5)
    assert np.allclose(background.center, every.mean(axis=0), atol=1e-4)
    assert (background.frames, background.logit_scale, background.logit_bias) == (
        len(every),
        100.0,
        -10.0,
    )


def test_the_sample_is_fixed_and_uniform_however_the_library_grew(library, monkeypatch):
    monkeypatch.setattr(frame_table, "SAMPLE_FRAMES", 100)
    monkeypatch.setattr(frame_table, "_MERGE_ROWS", 16)
    grown, _ = load(library)
    add_video(library, b"/late", frames=400, seed=80)
    grown, _ = load(library, IndexPlan(new_frames=10))
    background = grown.background(QUERY)
    for path in library.folder.glob("vectors*"):
        path.unlink()
    anew, _ = load(library)
    again = anew.background(QUERY)
    assert (again.mean, again.std) == pytest.approx((background.mean, background.std), abs=1e-6)
    table = anew._shelves[0].table
    assert len(table.sample) == 100
    late = table.segment_of(table.sample_rows) == len(table.segments) - 1
    assert 20 <= late.sum() <= 60
    absent = library.segments()[-1].video_id
    library.mark_absent([absent])
    hidden, _ = load(library)
    assert hidden.background(QUERY).frames == sum(s.frames for s in library.segments())


def sample_of(cache: VectorCache) -> np.ndarray:
    tables = [shelf.table for shelf in cache._shelves]
    return background.lowest_sample(tables, cache._alive)[0]


def test_new_videos_weigh_no_more_in_the_background_than_others(library, monkeypatch):
    monkeypatch.setattr(frame_table, "SAMPLE_FRAMES", 64)
    monkeypatch.setattr(background, "SAMPLE_FRAMES", 64)
    load(library)
    add_video(library, b"/late", frames=60, seed=81)
    cache, _ = load(library)
    assert len(cache._shelves) == 2
    beside = sample_of(cache)
    assert len(beside) == 64
    late = {row.tobytes() for row in cache._shelves[1].table.sample}
    assert sum(row.tobytes() in late for row in beside) < 20
    assert cache.save()
    assert np.array_equal(sample_of(load(library)[0]), beside)


@settings(max_examples=30, deadline=None)
@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=30), data=st.data())
def test_rows_name_their_video_and_second(lengths, data):
    builder = frame_table.TableBuilder(4, Yardstick(np.zeros((0, 4), np.float32)))
    truth = []
    for video_id, frames in enumerate(lengths):
        segment = Segment(video_id, video_id * 7919, frames)
        cut = data.draw(st.integers(0, frames))
        times = np.arange(frames) / 3
        for part in (times[:cut], times[cut:]):
            if len(part):
                builder.add(segment, part, np.zeros((len(part), 4), np.float16))
        truth += [(video_id, t) for t in times.tolist()]
    table = builder.table()
    rows = np.arange(table.rows)
    videos = table.segments["video_id"][table.segment_of(rows)].tolist()
    assert list(zip(videos, table.times_s.tolist(), strict=True)) == truth
    chosen = np.array([number % 2 == 0 for number in range(len(lengths))])
    assert table.row_mask(chosen).tolist() == [video % 2 == 0 for video, _ in truth]


# FAISS itself


def test_missing_faiss_says_which_extra_to_install(library, monkeypatch):
    real = builtins.__import__

    def without_faiss(name, *arguments, **options):
        if name == "faiss":
            raise ImportError("No module named 'faiss'")
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without_faiss)
    with pytest.raises(UsageError) as caught:
        VectorCache.load(library)
    assert caught.value.exit_code == 2
    assert "groundzero-video[cpu]" in caught.value.remedy
    assert "[gpu]" in caught.value.remedy


def test_faiss_is_not_imported_before_it_is_needed():
    run_python(
        "import sys, index.vectors.cache, index.store.library, index.indexing.check\n"
        "assert 'faiss' not in sys.modules"
    )


def test_a_card_that_fails_is_noted_and_the_cpu_searches(library, monkeypatch):
    cache, _ = load(library)
    faiss = shelves.loaded_faiss()

    def refuse() -> None:
        raise RuntimeError("CUDA out of memory")

    card = types.SimpleNamespace(
        StandardGpuResources=refuse,
        get_num_gpus=lambda: 1,
        IndexScalarQuantizer=faiss.IndexScalarQuantizer,
        SearchParameters=faiss.SearchParameters,
        IDSelectorBitmap=faiss.IDSelectorBitmap,
    )
    use_faiss(monkeypatch, card)
    notes: list[str] = []
    cache._note = notes.append
    for _ in range(12):
        assert_same_as_brute_force(cache, library)
    assert len(notes) == 1
    assert "out of memory" in notes[0]


def test_a_query_of_another_dimension_is_refused(library):
    cache, _ = load(library)
    with pytest.raises(ValueError, match="channels"):
        cache.search(np.ones(DIM + 1, np.float32), 5)


def use_faiss(monkeypatch: pytest.MonkeyPatch, faiss: object) -> None:
    """Puts something in the place of the module, wherever it is asked for."""
    for module in (vectors, shelves):
        monkeypatch.setattr(module, "loaded_faiss", lambda: faiss)


class Card:
    """Stands for a build of FAISS with a card: the processor in its place, its limits kept."""

    def __init__(self) -> None:
        self.faiss = shelves.loaded_faiss()
        self.asked: list[int] = []
        self.scratch_bytes: list[int] = []
        self.fails = ""

    def __getattr__(self, name: str):
        return getattr(self.faiss, name)

    def get_num_gpus(self) -> int:
        return 1

    def StandardGpuResources(self):
        return types.SimpleNamespace(setTempMemory=self.scratch_bytes.append)

    def GpuIndexFlatConfig(self):
        return types.SimpleNamespace(useFloat16=False)

    def GpuIndexFlatIP(self, resources, dim, settings):
        card = self

        class Flat(self.faiss.IndexFlatIP):
            def search(self, row, limit, params=None):
                card.asked.append(limit)
                if card.fails or limit > 2048:
                    raise RuntimeError(card.fails or "k must be at most 2048")
                return super().search(row, limit)

        return Flat(dim)


def test_a_card_searches_what_it_can_and_the_processor_the_rest(library, monkeypatch):
    for number in range(10, 45):
        add_video(library, b"/v%d" % number, frames=60, seed=number)
    card = Card()
    use_faiss(monkeypatch, card)
    cache, notes = load(library, IndexPlan(card_searches=2))
    ids = [segment.video_id for segment in library.segments()]
    for _ in range(4):
        assert_same_as_brute_force(cache, library)
    assert card.asked == [40, 40]
    assert cache.frames > 2048
    assert_same_as_brute_force(cache, library, limit=cache.frames)
    assert_same_as_brute_force(cache, library, video_ids=ids[1:])
    assert card.asked == [40, 40]
    assert max(card.scratch_bytes) <= 256 << 20

    card.fails = "CUDA error 700 an illegal memory access was encountered"
    for _ in range(3):
        assert_same_as_brute_force(cache, library)
    assert len(card.asked) == 3
    assert len(notes) == 1
    assert "the CPU searches" in notes[0]


def test_lists_that_a_card_trained_hold_nothing_of_it(library, monkeypatch):
    card = Card()
    use_faiss(monkeypatch, card)
    cache, _ = load(library, SMALL)
    assert card.scratch_bytes
    assert_same_as_brute_force(cache, library)
    (shelf,) = cache._shelves
    assert shelf.index.nlist > 1
    assert shelf.index.clustering_index is None
