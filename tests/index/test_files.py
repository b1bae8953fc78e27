"""Atomic files, digests and the writer lock."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from library_factory import REPO, run_python

from index import failpoints
from index.errors import LockedError, NoSpaceError, UsageError
from index.files import (
    FileStat,
    WriterLock,
    atomic_path,
    atomic_write,
    digest_file,
    remove_partials,
    sha256_file,
    shown,
)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(autouse=True)
def _disarmed():
    yield
    failpoints.disarm()


def test_atomic_write_replaces_whole_content(tmp_path):
    target = tmp_path / "note.json"
    atomic_write(target, b"old")
    atomic_write(target, b"new")
    assert target.read_bytes() == b"new"
    assert names_in(tmp_path) == ["note.json"]


def test_atomic_path_keeps_the_ending_and_the_usual_permissions(tmp_path):
    old = os.umask(0o022)
    try:
        with atomic_path(tmp_path / "clip.mp4") as temporary:
            assert temporary.suffix == ".mp4"
            temporary.write_bytes(b"x")
    finally:
        os.umask(old)
    assert (tmp_path / "clip.mp4").stat().st_mode & 0o777 == 0o644


def test_failure_inside_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")

    def fail() -> None:
        raise RuntimeError("stop")

    failpoints.arm("before_replace", fail)
    with pytest.raises(RuntimeError, match="stop"):
        atomic_write(target, b"new")
    assert target.read_bytes() == b"old"
    assert names_in(tmp_path) == ["a.bin"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_full_disk_is_named(tmp_path, code):
    def fail() -> None:
        raise OSError(code, os.strerror(code))

    failpoints.arm("before_replace", fail)
    with pytest.raises(NoSpaceError, match=r"a\.bin"):
        atomic_write(tmp_path / "a.bin", b"new")
    assert names_in(tmp_path) == []


def test_full_disk_sweep_with_a_file_size_limit(tmp_path):
    code = """
import resource, sys
from pathlib import Path
from index.errors import NoSpaceError
from index.files import atomic_write
target = Path(sys.argv[1])
atomic_write(target, b"old" * 10)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    atomic_write(target, b"new" * 1000)
    print("written")
except NoSpaceError:
    print("full")
"""
    for limit in (0, 1, 2999, 3000):
        said = run_python(code, tmp_path / "a", limit).stdout.split()
        assert said == (["written"] if limit >= 3000 else ["full"])
        content = (tmp_path / "a").read_bytes()
        assert content == (b"new" * 1000 if limit >= 3000 else b"old" * 10)
        assert names_in(tmp_path) == ["a"]


def test_leftovers_of_a_killed_process_are_removed(tmp_path):
    code = """
import os, signal, sys
from pathlib import Path
from index import failpoints
from index.files import atomic_write
failpoints.arm("before_replace", lambda: os.kill(os.getpid(), signal.SIGKILL))
atomic_write(Path(sys.argv[1]), b"new")
"""
    (tmp_path / "a").write_bytes(b"old")
    assert run_python(code, tmp_path / "a", check=False).returncode == -signal.SIGKILL
    assert (tmp_path / "a").read_bytes() == b"old"
    assert len(names_in(tmp_path)) == 2
    remove_partials(tmp_path)
    assert names_in(tmp_path) == ["a"]


def test_digests(tmp_path):
    data = os.urandom(3_000_001)
    (tmp_path / "a").write_bytes(data)
    assert digest_file(tmp_path / "a") == hashlib.blake2b(data, digest_size=32).hexdigest()
    assert sha256_file(os.fsencode(tmp_path / "a")) == hashlib.sha256(data).hexdigest()


def test_paths_that_are_not_text_are_shown_plainly():
    assert shown(b"/a/\xff.mp4") == "/a/\\xff.mp4"


def test_same_size_and_mtime_replacement_is_noticed(tmp_path):
    path = tmp_path / "v.mp4"
    path.write_bytes(b"aaaa")
    before = FileStat.read(path)
    other = tmp_path / "w.mp4"
    other.write_bytes(b"bbbb")
    os.utime(other, ns=(before.mtime_ns, before.mtime_ns))
    other.replace(path)
    after = FileStat.read(path)
    assert (after.size_bytes, after.mtime_ns) == (before.size_bytes, before.mtime_ns)
    assert not after.same_content_as(before)


_HOLD = """
import sys, time
from pathlib import Path
from index.files import WriterLock
with WriterLock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_second_writer_is_refused_at_once_and_the_lock_dies_with_its_holder(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(REPO)},
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(LockedError, match=str(holder.pid)) as caught, WriterLock(tmp_path):
            pass
        assert caught.value.exit_code == 5
    finally:
        holder.kill()
        holder.communicate()
    with WriterLock(tmp_path):
        pass


def test_lock_in_a_place_that_is_no_folder(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match="file"), WriterLock(tmp_path / "file"):
        pass


def test_file_system_without_locks_is_explained(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(UsageError, match="No locks") as caught, WriterLock(Path(tmp_path)):
        pass
    assert "local disk" in caught.value.remedy
