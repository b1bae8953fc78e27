"""Walking folders: what is looked at, what is passed over, what is reported."""

# Most names here are bytes, which Path cannot hold.
# ruff: noqa: PTH108, PTH109, PTH117, PTH118, PTH119, PTH123
from __future__ import annotations

import os
import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from library_factory import run_python

from index.indexing.scan import scan
from index.media.fingerprint import fingerprint
from index.media.sniff import is_container

MP4 = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2" + b"\x00" * 64
MKV = b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\xf7\x81\x01\x42\x82\x88matroska" + b"\x00" * 64
TS = (b"\x47\x40\x00\x10" + b"\x00" * 184) * 8


def names(result):
    return [os.path.basename(candidate.path) for candidate in result.candidates]


def test_content_decides_not_the_ending(tmp_path):
    (tmp_path / "film.txt").write_bytes(MP4)
    (tmp_path / "noending").write_bytes(MKV)
    (tmp_path / "cam.ts").write_bytes(TS)
    (tmp_path / "app.ts").write_text("export const x: number = 1;\n" * 50)
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0" + b"\x00" * 100)
    (tmp_path / "code.py").write_text("print('hello')\n")
    (tmp_path / "sound.wav").write_bytes(b"RIFF\x00\x00\x00\x00WAVEfmt ")
    (tmp_path / "still.heic").write_bytes(b"\x00\x00\x00\x18ftypheic" + b"\x00" * 64)
    result = scan([tmp_path])
    assert names(result) == [b"cam.ts", b"film.txt", b"noending"]
    assert sum(result.skipped.values()) == 4
    assert [os.path.basename(sound.path) for sound in result.sounds] == [b"sound.wav"]
    assert result.problems == ()


def test_a_name_that_claims_video_is_looked_at_whatever_it_holds(tmp_path):
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "list.mp4").write_text("#EXTM3U\nhttp://localhost/x.ts\n")
    (tmp_path / "random.MKV").write_bytes(bytes(range(256)))
    assert names(scan([tmp_path])) == [b"empty.mp4", b"list.mp4", b"random.MKV"]


@pytest.mark.parametrize(
    "head",
    [
        MP4,
        MKV,
        TS,
        TS[50:],
        b"RIFF\x00\x00\x00\x00AVI LIST",
        b"FLV\x01\x05",
        b"\x00\x00\x01\xba\x44",
        b"\x00\x00\x00\x01\x67\x42\xc0\x1e",
        b"\x00\x00\x00\x01\x40\x01\x0c\x01",
        b"OggS\x00\x02" + b"\x00" * 20 + b"\x80theora",
        b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9",
    ],
)
def test_heads_of_video(head):
    assert is_container(head, b".bin")


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"G",
        b"GGGG",
        b"#!/bin/sh\n",
        b"PK\x03\x04",
        b"\x89PNG\r\n\x1a\n",
        b"OggS\x00\x02" + b"\x00" * 22 + b"\x01vorbis",
        b"ID3\x04",
        b"\x7fELF\x02\x01\x01",
        b"RIFF\x00\x00\x00\x00WEBPVP8 ",
        b"\x00" * 4096,
    ],
)
def test_heads_of_other_things(head):
    assert not is_container(head, b".bin")


def test_links_pipes_sockets_and_devices_are_counted_never_opened(tmp_path):
    (tmp_path / "a.mp4").write_bytes(MP4)
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "link.mp4").symlink_to(tmp_path / "a.mp4")
    (tmp_path / "dangling.mp4").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.mp4")
    here = os.getcwd()
    os.chdir(tmp_path)
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("sock.mp4")
            result = scan([tmp_path])
    finally:
        os.chdir(here)
    assert names(result) == [b"a.mp4"]
    assert result.skipped == {"link": 3, "special file": 2}


def test_named_pipe_device_link_and_missing_file_are_reported(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "film.mp4").write_bytes(MP4)
    (tmp_path / "link.mp4").symlink_to("film.mp4")
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    paths = [tmp_path / name for name in ("pipe.mp4", "link.mp4", "a", "gone.mp4")]
    result = scan([*paths, "/dev/null"])
    assert names(result) == [b"film.mp4"]
    reasons = {os.path.basename(problem.path): problem.reason for problem in result.problems}
    assert reasons[b"pipe.mp4"] == reasons[b"null"] == "not a regular file"
    assert reasons[b"gone.mp4"] == "no such file or directory"
    assert len(result.problems) == 4
    assert [root.device is None for root in result.roots] == [False, False, True, True, False]


def test_named_file_that_is_no_video_is_reported(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    result = scan([tmp_path / "notes.txt"])
    assert result.candidates == ()
    assert "not a video" in result.problems[0].reason


def test_junk_is_skipped_unless_it_is_named(tmp_path):
    junk = (
        ".hidden/a.mp4",
        "._film.mp4",
        "node_modules/b.mp4",
        "@eaDir/c.mp4",
        "$RECYCLE.BIN/d.mp4",
        "System Volume Information/e.mp4",
        "half.mp4.part",
    )
    for name in (*junk, "good/f.mp4"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(MP4)
    assert names(scan([tmp_path])) == [b"f.mp4"]
    assert names(scan([tmp_path / ".hidden"])) == [b"a.mp4"]
    assert names(scan([tmp_path / "._film.mp4"])) == [b"._film.mp4"]


def test_excludes_match_names_and_paths(tmp_path):
    for name in ("raw/a.mp4", "keep/a.mp4", "keep/proxy/b.mp4", "keep/c.mov"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(MP4)
    assert names(scan([tmp_path], ["raw", "*.mov"])) == [b"a.mp4", b"b.mp4"]
    assert names(scan([tmp_path], ["raw/"])) == [b"a.mp4", b"c.mov", b"b.mp4"]
    assert names(scan([tmp_path], ["keep/proxy/*"])) == [b"a.mp4", b"c.mov", b"a.mp4"]


def test_overlapping_folders_give_each_file_once(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.mp4").write_bytes(MP4)
    link = tmp_path / "link"
    link.symlink_to("sub")
    result = scan([tmp_path, tmp_path / "sub", tmp_path / "sub" / "a.mp4", link])
    assert names(result) == [b"a.mp4"]
    assert result.problems == ()
    assert len(result.roots) == 4


def test_empty_and_missing_roots_are_told_apart(tmp_path):
    (tmp_path / "empty").mkdir()
    result = scan([tmp_path / "empty", tmp_path / "missing"])
    empty, missing = result.roots
    assert (empty.entries, empty.reason, empty.device) == (0, "", os.lstat(tmp_path).st_dev)
    assert missing.reason == "no such file or directory"
    assert result.unreadable == (os.fsencode(tmp_path / "missing"),)


def test_unreadable_folder_and_file_are_named_and_the_rest_goes_on(tmp_path, monkeypatch):
    for name in ("locked", "open"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.mp4").write_bytes(MP4)
    (tmp_path / "open" / "b.mp4").write_bytes(MP4)
    real_scandir, real_open = os.scandir, os.open

    def scandir(path):
        if os.path.basename(path) == b"locked":
            raise PermissionError(13, "Permission denied")
        return real_scandir(path)

    def opened(path, *arguments, **options):
        if isinstance(path, bytes) and path.endswith(b"b.mp4"):
            raise PermissionError(13, "Permission denied")
        return real_open(path, *arguments, **options)

    monkeypatch.setattr(os, "scandir", scandir)
    monkeypatch.setattr(os, "open", opened)
    result = scan([tmp_path])
    assert [c.path for c in result.candidates] == [os.fsencode(tmp_path / "open" / "a.mp4")]
    assert result.unreadable == tuple(
        os.fsencode(tmp_path / name) for name in ("locked", "open/b.mp4")
    )
    assert {problem.reason for problem in result.problems} == {"permission denied"}


def test_modes_are_respected_for_ordinary_users(tmp_path_factory):
    folder = tmp_path_factory.mktemp("modes")
    code = """
import os, sys
from index.indexing.scan import scan
folder = sys.argv[1]
os.chdir(folder)
if os.getuid() == 0:
    os.chmod(folder, 0o777)
    os.chroot(folder)
    os.setuid(65534)
    folder = "/"
os.mkdir(folder + "/closed")
open(folder + "/closed/a.mp4", "wb").write(b"x")
os.chmod(folder + "/closed", 0)
open(folder + "/b.mp4", "wb").write(b"x")
os.chmod(folder + "/b.mp4", 0)
result = scan([folder])
print(len(result.candidates), sorted(p.reason for p in result.problems))
os.chmod(folder + "/closed", 0o700)
"""
    said = run_python(code, folder).stdout.strip()
    assert said == "0 ['permission denied', 'permission denied']"


HOSTILE = [
    b"new\nline.mp4",
    b"\x1b[31mred.mp4",
    "\u202egnp.mp4".encode(),
    b"not\xfftext.mp4",
    b"-x.mp4",
    b"concat:a|b.mp4",
    b"[b]a[-b].mp4",
]


def test_hostile_names_come_through_as_bytes(tmp_path):
    top = os.fsencode(tmp_path)
    for name in HOSTILE:
        with open(os.path.join(top, name), "wb") as file:
            file.write(MP4)
    result = scan([tmp_path])
    assert names(result) == sorted(HOSTILE)
    assert all(os.path.isabs(candidate.path) for candidate in result.candidates)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.binary(min_size=1, max_size=60).filter(lambda n: not set(n) & {0, 47}))
def test_any_name_is_found(tmp_path, name):
    folder = tmp_path / "names"
    folder.mkdir(exist_ok=True)
    path = os.path.join(os.fsencode(folder), b"v" + name)
    with open(path, "wb") as file:
        file.write(MP4)
    try:
        junk = name.endswith((b".part", b".partial", b".download", b".aria2"))
        assert junk or [c.path for c in scan([path]).candidates] == [path]
        assert junk or [c.path for c in scan([folder]).candidates] == [path]
    finally:
        os.unlink(path)


@pytest.mark.parametrize("path", [b"/a\0b", "a\0b"])
def test_impossible_paths_are_reported(path):
    assert len(scan([path]).problems) == 1


def test_known_files_are_not_opened_again(tmp_path, monkeypatch):
    (tmp_path / "a.mp4").write_bytes(MP4)
    (tmp_path / "b.mp4").write_bytes(MP4)
    asked = []

    def known(path, stat):
        asked.append((os.path.basename(path), stat.size_bytes))
        return path.endswith(b"a.mp4")

    monkeypatch.setattr(
        "index.indexing.scan._head", lambda path: (_ for _ in ()).throw(OSError(5, "EIO"))
    )
    result = scan([tmp_path], known=known)
    assert names(result) == [b"a.mp4"]
    assert [problem.reason for problem in result.problems] == ["eio"]
    assert asked == [(b"a.mp4", len(MP4)), (b"b.mp4", len(MP4))]


def test_fingerprint_survives_renaming_and_sees_changes_anywhere_it_looks(tmp_path):
    path = tmp_path / "a.mp4"
    with path.open("wb") as file:
        file.truncate(5 << 30)
    first = fingerprint(path)
    moved = path.rename(tmp_path / "b.mp4")
    assert fingerprint(os.fsencode(moved)) == first
    for place in (0, (5 << 30) - 1, ((5 << 30) - (1 << 18)) * 3 // 7 + 100):
        with moved.open("r+b") as file:
            file.seek(place)
            file.write(b"!")
        changed = fingerprint(moved)
        assert changed != first
        first = changed
    with moved.open("r+b") as file:
        file.truncate((5 << 30) + 1)
    assert fingerprint(moved) != first


def test_small_files_are_fingerprinted_whole(tmp_path):
    path = tmp_path / "a.mp4"
    data = bytearray(os.urandom(1 << 20))
    path.write_bytes(data)
    first = fingerprint(path)
    for place in range(0, len(data), 99_991):
        data[place] ^= 1
        path.write_bytes(data)
        assert fingerprint(path) != first
        data[place] ^= 1


def test_fingerprint_of_a_pipe_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        fingerprint(tmp_path / "pipe")
