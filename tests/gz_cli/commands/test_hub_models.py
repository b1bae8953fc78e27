"""A library whose model comes from the hub, when the repository there goes on."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from media_factory import colour_video
from terminal import Archive, Ran
from tiny_siglip import put_in_cache

from index.store.checksums import offer_digest

REPO = "google/siglip2-tiny"
FIRST, LATER = "a" * 40, "b" * 40
QUERY = ("find", "a dog", "--threshold", "0")


class HubArchive(Archive):
    """Runs with a hub cache of its own, offline."""

    def run(self, *arguments: str | bytes | Path, **options: object) -> Ran:
        return super().run(*arguments, HF_HUB_CACHE=str(self.model), **options)


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> HubArchive:
    folder = tmp_path_factory.mktemp("hub archive")
    put_in_cache(folder / "hub", REPO, FIRST)
    colour_video(folder / "red.mp4", [("red", 3.0), ("blue", 3.0)], fps=10)
    archive = HubArchive(folder, folder / "red.mp4", folder / "hub", folder / "library")
    ran = archive.run("index", archive.videos, "--model", REPO)
    assert ran.code == 0, ran.err
    return archive


@pytest.fixture
def archive(indexed: HubArchive, tmp_path: Path) -> HubArchive:
    shutil.copytree(indexed.library, tmp_path / "library")
    shutil.copytree(indexed.model, tmp_path / "hub", symlinks=True)
    return HubArchive(tmp_path, indexed.videos, tmp_path / "hub", tmp_path / "library")


def forget(archive: HubArchive, commit: str) -> None:
    shutil.rmtree(archive.model / f"models--{REPO.replace('/', '--')}/snapshots/{commit}")


def test_a_new_commit_with_the_same_weights_costs_nobody_a_library(archive: HubArchive) -> None:
    put_in_cache(archive.model, REPO, LATER)
    forget(archive, FIRST)
    ran = archive.run(*QUERY)
    assert ran.code == 0, ran.err
    ran = archive.run("index")
    assert ran.code == 0, ran.err
    assert "1 unchanged" in ran.err


def test_new_weights_leave_a_library_with_its_own_commit(archive: HubArchive) -> None:
    put_in_cache(archive.model, REPO, LATER, seed=5)
    for words in (QUERY, ("index",), ("doctor",)):
        ran = archive.run(*words)
        assert ran.code == 0, ran.err
    main = archive.model / f"models--{REPO.replace('/', '--')}/refs/main"
    main.rename(main.with_name("elsewhere"))  # as after a download of the commit alone
    ran = archive.run("doctor")
    assert ran.code == 0, ran.err + ran.text
    main.with_name("elsewhere").rename(main)
    forget(archive, FIRST)
    ran = archive.run(*QUERY)
    assert ran.code == 7
    assert f"hf download {REPO} --revision {FIRST}" in ran.err
    ran = archive.run("index", "--rebuild")
    assert ran.code == 0, ran.err


def test_a_library_that_recorded_a_commit_keeps_opening(archive: HubArchive) -> None:
    with sqlite3.connect(archive.library / "library.db") as database:
        offer_digest(database)
        (text,) = database.execute("SELECT value FROM meta WHERE key = 'space'").fetchone()
        space = json.loads(text) | {"revision": FIRST}
        del space["commit"]
        database.execute("UPDATE meta SET value = ? WHERE key = 'space'", [json.dumps(space)])
    database.close()
    put_in_cache(archive.model, REPO, LATER)
    assert archive.run(*QUERY).code == 0
    ran = archive.run("index")
    assert ran.code == 0, ran.err
    assert archive.run("doctor").code == 0
