"""Signals that end the program: each ends it as cleanly as Ctrl-C does."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import time
import weakref
from pathlib import Path

import pytest
from media_factory import colour_video
from terminal import GZ, environment, run

from gz_cli.failures import ending_like_ctrl_c
from index.store.library import Library


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    folder.mkdir()
    colour_video(folder / "a.mp4", [("red", 2.0)])
    return folder


def index(videos: Path, model: Path, **streams: int) -> subprocess.Popen[bytes]:
    """A run in a session of its own that has just said how much there is to do."""
    process = subprocess.Popen(
        [GZ, "index", str(videos), "--model", str(model)],
        env=environment(videos.parent / "library"),
        start_new_session=True,
        **streams,
    )
    stream = process.stderr
    if stream is not None:
        while b"1 file" not in (line := stream.readline()):
            assert line, "it ended before it began"
    return process


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("to_all", [False, True])
def test_being_asked_to_end_is_like_ctrl_c(
    videos: Path, tiny_model: Path, name: str, to_all: bool
) -> None:
    library = videos.parent / "library"
    with index(videos, tiny_model, stderr=subprocess.PIPE) as process:
        send = os.killpg if to_all else os.kill
        send(process.pid, signal.Signals[name])
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert f"Interrupted by {name}; what is done is kept, run it again to go on" in err.decode()
    assert b"Traceback" not in err
    if (library / "library.db").exists():
        with Library.open_readonly(library) as opened:
            assert opened.unended_attempts() == {}
    assert run("index", videos, "--model", tiny_model, library=library).code == 0


def test_a_signal_that_is_ignored_stays_ignored(videos: Path, tiny_model: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = index(videos, tiny_model, stderr=subprocess.PIPE)
    finally:
        signal.signal(signal.SIGHUP, before)
    with process:
        process.send_signal(signal.SIGHUP)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err


def test_a_terminal_that_is_closed_ends_the_run_cleanly(videos: Path, tiny_model: Path) -> None:
    library = videos.parent / "library"
    leader, follower = pty.openpty()
    with index(videos, tiny_model, stdin=follower, stdout=follower, stderr=follower) as process:
        os.close(follower)
        seen = b""
        while b"1 file" not in seen:
            seen += os.read(leader, 65536)
        os.close(leader)
        process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=60) == 130
    assert run("index", videos, "--model", tiny_model, library=library).code == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_comes_in_a_callback_comes_again(number: signal.Signals) -> None:
    """An exception raised there is told to nobody, and the run went on to its end."""

    class Thing:
        pass

    def run_to_the_end() -> None:
        thing = Thing()
        watched = weakref.ref(thing, lambda _: signal.raise_signal(number))
        del thing
        assert watched() is None
        time.sleep(20)

    with ending_like_ctrl_c() as ending, pytest.raises(KeyboardInterrupt):
        run_to_the_end()
    assert ending.signal_name == ("SIGTERM" if number is signal.SIGTERM else "")
