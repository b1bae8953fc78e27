"""Libraries with known vectors, made in milliseconds and without any video."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import numpy as np

from index.files import FileStat
from index.store.checksums import TABLES
from index.store.library import Library
from index.store.schema import schema_version
from index.types import EmbeddingSpace, SamplingReport, Vectors, VideoInfo

DIM = 24
SPACE = EmbeddingSpace("fake", "r1", "none", "", DIM)
INFO = VideoInfo(10.0, 640, 480, 25.0, "h264", "mov,mp4", 0, True)
STAT = FileStat(1000, 2, 3, 4, 5)
REPO = Path(__file__).resolve().parent.parent


def unit_vectors(frames: int, seed: int, dim: int = DIM) -> Vectors:
    vectors = np.random.default_rng(seed).standard_normal((frames, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def open_library(folder: Path) -> Library:
    library = Library.create_or_open(folder)
    library.set_space(SPACE, "fake")
    return library


def add_video(
    library: Library, path: bytes, frames: int = 50, seed: int = 0, fingerprint: str = ""
) -> int:
    video_id = library.begin_attempt(path, fingerprint or f"fp-{path!r}-{seed}", STAT)
    staged_s = library.staged_until_s(video_id)
    times = np.arange(frames, dtype=np.float64)
    fresh = times > (-1.0 if staged_s is None else staged_s)
    library.stage_chunk(video_id, times[fresh], unit_vectors(frames, seed)[fresh])
    library.commit_video(video_id, SamplingReport(float(frames), 0, False), INFO)
    return video_id


def make_older(path: Path) -> None:
    """Turns a library file into one from before rows and chunks had checksums."""
    with sqlite3.connect(path) as connection:
        triggers = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
        for (name,) in triggers.fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        for index in ("word_index", "letter_index", "passages", "texts"):
            connection.execute(f"DROP TABLE {index}")
        connection.execute("DROP VIEW passages_by_letters")
        for table in TABLES.keys() - {"texts"}:
            connection.execute(f"ALTER TABLE {table} DROP COLUMN digest")
        connection.execute("ALTER TABLE versions DROP COLUMN contents")
        connection.execute("ALTER TABLE videos DROP COLUMN texts_of")
        connection.execute("DROP TABLE checksums")
        connection.execute("DROP TABLE meta_copy")
        connection.execute(
            "DELETE FROM _sqlite_migrations "
            "WHERE name IN ('checksums_of_rows_and_chunks', 'texts_and_passages')"
        )
        connection.execute(f"PRAGMA user_version = {schema_version() - 2}")
    connection.close()


def brute_force(
    library: Library, query: Vectors, limit: int, video_ids: Collection[int] | None = None
) -> list[tuple[int, float, float]]:
    """Video, time and cosine of the nearest frames, by comparing with every one."""
    found = []
    for video in library.videos(searchable=True):
        if video_ids is None or video.id in video_ids:
            times, vectors = library.read_vectors(video.id)
            found += [
                (video.id, t, c)
                for t, c in zip(times.tolist(), (vectors @ query).tolist(), strict=True)
            ]
    return sorted(found, key=lambda hit: (-hit[2], hit[0], hit[1]))[:limit]


def run_python(code: str, *arguments: object, check: bool = True) -> subprocess.CompletedProcess:
    """Runs code in a fresh process that sees the packages and this module."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(REPO), str(REPO / "tests")]),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    if check:
        assert done.returncode == 0, done.stderr
    return done
