"""``gz shell``: many questions to one process, by a person and by a program."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from media_factory import colour_video
from tiny_siglip import make_model

GZ = str(Path(sys.executable).parent / "gz")


def environment(folder: Path) -> dict[str, str]:
    dropped = ("GZ_", "XDG_DATA", "XDG_STATE")
    keep = {k: v for k, v in os.environ.items() if not k.startswith(dropped)}
    return keep | {
        "GZ_LIBRARY": str(folder / "library"),
        "XDG_STATE_HOME": str(folder / "state"),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "TERM": "dumb",
    }


def gz(folder: Path, *arguments: str | Path, typed: str | None = None) -> tuple[int, str, str]:
    ran = subprocess.run(
        [GZ, *arguments],
        input=typed,
        capture_output=True,
        text=True,
        timeout=120,
        env=environment(folder),
        cwd=folder,
        check=False,
    )
    assert "Traceback" not in ran.stderr, ran.stderr
    return ran.returncode, ran.stdout, ran.stderr


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a library of two videos."""
    folder = tmp_path_factory.mktemp("shell")
    make_model(folder / "tiny")
    (folder / "videos").mkdir()
    colour_video(folder / "videos" / "a.mp4", [("red", 4.0), ("blue", 4.0)], fps=8)
    colour_video(folder / "videos" / "b.mp4", [("green", 6.0)], fps=8)
    code, _, err = gz(folder, "index", "videos", "--model", "tiny")
    assert code == 0, err
    return folder


class Conversation:
    """A running ``gz shell --json``."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [GZ, "shell", "--json", "--threshold", "0", "--no-refine"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(folder),
            cwd=folder,
        )

    def ask(self, line: str | bytes) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write((line.encode() if isinstance(line, str) else line) + b"\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer


@pytest.fixture(scope="module")
def conversation(home: Path) -> Iterator[Conversation]:
    talk = Conversation(home)
    with talk.process:
        yield talk
    assert talk.process.returncode == 0


def test_a_program_gets_what_find_gives(home: Path, conversation: Conversation) -> None:
    asked = {"id": "x1", "query": "a red thing", "k": 2}
    answer = conversation.ask(json.dumps(asked))
    code, out, _ = gz(
        home, "find", "a red thing", "-k", "2", "--json", "--threshold", "0", "--no-refine"
    )
    assert code == 0
    assert answer.pop("id") == "x1"
    assert answer == json.loads(out)


def test_a_library_of_seconds_is_answered_in_words(home: Path, conversation: Conversation) -> None:
    answer = conversation.ask("a blue thing")
    assert answer["calibrated"] is False
    assert answer["uncalibrated"].startswith("The library holds 14 pictures")
    asked = ("a blue thing", "--no-refine", "--threshold")
    for shown in (
        gz(home, "find", *asked, "0"),
        gz(home, "shell", "--no-refine", "--threshold", "0", typed="a blue thing\n"),
        gz(home, "find", *asked, "1"),
    ):
        code, out, err = shown
        assert (code == 0) == bool(out)
        assert re.search(r"(likely|sure|possible|unlikely)", out + err), out + err
        assert "%" not in out + err.replace("bar of 100%", "")
        assert "words stand in place of percentages" in " ".join(err.split())


def test_what_pictures_cannot_answer_is_said(home: Path, conversation: Conversation) -> None:
    (note,) = conversation.ask("three blue things")["notes"]
    assert note.startswith("Nothing is counted")
    _, _, err = gz(home, "shell", "--no-refine", typed="a wall without a blue thing\n")
    assert "is said to be absent" in err


def test_a_bare_line_is_a_query(conversation: Conversation) -> None:
    answer = conversation.ask("a blue thing")
    assert (answer["type"], answer["query"], answer["id"]) == ("find", "a blue thing", None)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{nonsense", "no JSON"),
        ('{"id": 7}', "no query"),
        ('{"id": 7, "query": "a", "kk": 1}', "strange key"),
        ('{"id": 7, "query": "a", "k": 0}', "not a number of hits"),
        ('{"id": 7, "query": "a", "threshold": 2}', "between 0 and 1"),
        ('{"id": 7, "query": "a", "refine": "no"}', "neither true nor false"),
        ('{"id": 7, "query": "a", "after": "1:99"}', "not a time"),
        ('{"id": 7, "query": ["a"]}', "is text"),
        ('{"id": 7, "query": " "}', "empty"),
        ('{"id": 7, "query": "a", "in": "/nowhere"}', "No indexed video"),
    ],
)
def test_no_bad_request_ends_it(conversation: Conversation, line: str, said: str) -> None:
    refused = conversation.ask(line)
    assert refused["type"] == "error"
    assert said in refused["message"]
    assert refused["exit_code"] == 2
    assert refused["id"] == (7 if "7" in line else None)
    assert conversation.ask('{"sentence": "a red thing"}')["type"] == "find"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"id": NaN, "query": "a"}', "id is not a number"),
        (b'{"id": 7, "query": "a", "after": 1e999}', "after is not a number"),
        (b'{"id": 7, "query": "a", "k": ' + b"9" * 400 + b"}", "k is not a number"),
        (b'{"id": 7, "query": "a", "k": true}', "not a number of hits"),
        (b'{"id": 7, "query": "a", "after": "' + b"9" * 400 + b':00:00"}', "not a time"),
        (b'{"id": 7, "query": "a \\ud83d"}', "half characters"),
        (b'{"id": 7, "query": "a \\u0000"}', "NUL"),
        (b'{"id": 7, "query": "a", "in": "b\\u0000"}', "NUL"),
        (b'{"id": 7, "query": "a", "in": {"b": 1}}', "neither a path nor a list"),
        (b'{"id": 7, "query": "a", "in": "~nobody/videos"}', "No indexed video"),
        (b'{"id": 7, "query": "a", "in": "' + b"x" * 5000 + b'"}', "No indexed video"),
        (b'{"id": 7, "query": "a", "id": 8}', "twice"),
        (b'{"query": ' + b"[" * 100_000 + b"}", "levels deep"),
        (b'{"id": 7, "query": "' + b"a " * 6000 + b'"}', "12,000 characters"),
        (b'{"id": 7, "query": "' + b"a " * 60_000 + b'"}', "100,000 characters"),
        (b'{"id": 7, "query": "' + b"a" * 10_000_000 + b'"}', "longer than"),
        (b"a \xff\xfe heart", "not UTF-8"),
        (b"a \0 heart", "NUL"),
    ],
)
def test_no_strange_request_ends_it(conversation: Conversation, line: bytes, said: str) -> None:
    refused = conversation.ask(line)
    assert said in refused["message"]
    assert refused["exit_code"] == 2
    assert len(json.dumps(refused)) < 10_000
    assert conversation.ask('{"id": 1, "query": "a red thing"}')["type"] == "find"


def test_whatever_a_program_writes_is_answered(conversation: Conversation) -> None:
    """Lines that are nearly requests: each gets one answer, and none was unforeseen."""
    random = Random(5)
    whole = json.dumps(
        {"id": 1, "query": "a red \ud83d\ude00", "k": 2, "in": ["videos"], "after": 1.5}
    ).encode()
    pieces = [
        b"NaN",
        b"-1e999",
        b"\\ud800",
        b"\xff",
        b"\0",
        b"[[[",
        b'""',
        b"null",
        b"9" * 30,
        b"{}",
    ]
    for _ in range(300):
        line = bytearray(whole)
        for _ in range(random.randrange(1, 4)):
            place = random.randrange(len(line))
            line[place : place + random.randrange(8)] = random.choice(pieces)
        answer = conversation.ask(bytes(line).replace(b"\n", b" "))
        assert answer.get("exit_code", 0) in (0, 2), (line, answer)


def test_typed_lines_that_are_no_text_are_passed_over(home: Path) -> None:
    typed = b"a \xff thing\n" + b"x" * 2_000_000 + b"\n:after " + b"9" * 400 + b":00:00\na thing\n"
    ran = subprocess.run(
        [GZ, "shell", "--threshold", "0", "--no-refine"],
        input=typed,
        capture_output=True,
        timeout=120,
        env=environment(home),
        cwd=home,
        check=False,
    )
    err = ran.stderr.decode()
    assert ran.returncode == 0, err
    assert ran.stdout
    for said in ("not UTF-8", "longer than", ":after was not changed"):
        assert said in err
    assert "foresee" not in err


def test_settings_of_a_request(home: Path, conversation: Conversation) -> None:
    request = {"query": "a red thing", "in": ["videos/a.mp4"], "after": "0:04", "before": 8}
    answer = conversation.ask(json.dumps(request))
    assert answer["searched"]["videos"] == 1
    assert all(hit["start_s"] >= 4 for hit in answer["hits"])


def test_what_another_process_indexes_is_found(home: Path, conversation: Conversation) -> None:
    assert conversation.ask("a thing")["searched"]["videos"] == 2
    late = colour_video(home / "late.mp4", [("yellow", 5.0)], fps=8)
    assert gz(home, "index", late)[0] == 0
    assert conversation.ask("a thing")["searched"]["videos"] == 3
    late.unlink()
    gz(home, "index", home, "--exclude", "tiny", "--exclude", "library")
    assert conversation.ask("a thing")["searched"]["videos"] == 2
    assert gz(home, "index", "videos", "--rebuild")[0] == 0
    assert conversation.ask("a thing")["searched"]["videos"] == 2


def test_clips_can_be_cut_afterwards(home: Path) -> None:
    code, out, err = gz(home, "shell", "--threshold", "0", typed="a red thing\n:k 1\na red thing\n")
    assert code == 0, err
    assert len(out.splitlines()) > 1
    code, out, err = gz(home, "export-clips", "--out", home / "clips")
    assert code == 0, err
    assert len(out.splitlines()) == 1


def test_lines_from_a_pipe_are_answered_as_find_does(home: Path) -> None:
    typed = ":k 1\n:refine off\n:threshold 0\n:settings\na blue thing\n:frob\n:k x\n:quit\nlost\n"
    code, out, err = gz(home, "shell", typed=typed)
    assert code == 0
    _, found, _ = gz(home, "find", "a blue thing", "-k", "1", "--no-refine", "--threshold", "0")
    assert out.splitlines()[0].startswith(":k 1  :refine off  :threshold 0")
    assert out.splitlines()[1:] == found.splitlines()
    assert "no setting :frob" in err
    assert ":k was not changed: 'x' is not a number of hits." in err
    assert "lost" not in err


@pytest.mark.parametrize("typed", ["", "a\n:help\n"])
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_without_a_library_it_ends_before_anything_is_typed(
    tmp_path: Path, typed: str, options: list[str]
) -> None:
    code, out, err = gz(tmp_path, "shell", *options, typed=typed)
    assert (code, out) == (4, "")
    assert "gz index" in err


def test_a_person_at_a_terminal(home: Path) -> None:
    """Prompt, answer, Ctrl-C that only stops a line, history, Ctrl-D that leaves."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [GZ, "shell", "--threshold", "0", "--no-refine", "-k", "1"],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment(home),
        cwd=home,
        start_new_session=True,
    )
    os.close(slave)
    shown = ""

    def until(text: str) -> None:
        nonlocal shown
        limit = time.monotonic() + 60
        while text not in shown and time.monotonic() < limit:
            if select.select([master], [], [], 0.2)[0]:
                shown += os.read(master, 4096).decode("utf-8", "replace")
        assert text in shown, shown
        shown = shown[shown.index(text) + len(text) :]

    until("gz> ")
    os.write(master, b"a red thing\n")
    until("Searched 2 videos")
    until("gz> ")
    os.kill(process.pid, signal.SIGINT)
    until("Ctrl-D leaves")
    until("gz> ")
    os.write(master, b"\x04")
    assert process.wait(timeout=60) == 0
    os.close(master)
    assert "a red thing" in (home / "state" / "groundzero" / "shell_history").read_text()
