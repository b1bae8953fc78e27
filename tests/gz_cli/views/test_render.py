"""What is shown is safe, plain where it must be, and can be read back."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gz_cli.views.find import sureness
from gz_cli.views.render import Look, Progress, Screen, display_safe, path_fields, shell_quoted
from gz_cli.views.timecode import clock, clock_ms, clock_range, spoken_length
from index.text.timecode import parse_time

HOSTILE = [
    b"two\nlines.mp4",
    b"\x1b[31mred\x1b]0;title\x07.mp4",
    "\u202egpj.exe\u2066.mp4".encode(),
    b"[/].mp4",
    b"[bold]x[/bold].mp4",
    b"latin\xff\xfe.mp4",
    b"-x.mp4",
    b"concat:a|b.mp4",
    "zero\u200bwidth\ufeff.mp4".encode(),
    "line\u2028sep.mp4".encode(),
    b"c1\xc2\x9b31m.mp4",
]
NAMES = st.binary(min_size=1, max_size=40).map(lambda raw: raw.replace(b"\0", b"0"))


def is_plain(text: str) -> bool:
    hidden = ("Cc", "Cf", "Cs", "Zl", "Zp")
    return all(unicodedata.category(char) not in hidden for char in text)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_become_one_plain_line(name: bytes) -> None:
    shown = display_safe(name)
    assert is_plain(shown)
    assert len(shown.splitlines()) == 1
    assert shown.endswith(".mp4")


@given(NAMES)
def test_any_name_becomes_plain_text_that_any_stream_takes(name: bytes) -> None:
    shown = display_safe(name)
    assert is_plain(shown)
    shown.encode("utf-8")


def test_ordinary_names_are_shown_as_they_are() -> None:
    for name in ("smith.mp4", "Müller – Interview.mkv", "日本語.mov", "[/].mp4", "a\\b"):
        assert display_safe(name) == name
        assert display_safe(name.encode()) == name


@given(NAMES)
def test_paths_in_json_give_back_their_exact_bytes(name: bytes) -> None:
    fields = json.loads(json.dumps(path_fields(name)))
    raw = fields.get("path_bytes")
    assert (base64.b64decode(raw) if raw else fields["path"].encode()) == name


@pytest.mark.parametrize("name", [*HOSTILE, b"it's.mp4", b"a b", b"\x1bface", b"$(touch x)"])
def test_quoted_words_are_plain_and_paste_as_the_exact_bytes(name: bytes) -> None:
    bash = shutil.which("bash")
    assert bash, "bash must be there to check quoting"
    quoted = shell_quoted(name)
    assert is_plain(quoted)
    ran = subprocess.run(
        [bash, "-c", f"printf %s {quoted}"], capture_output=True, check=True, timeout=20
    )
    assert ran.stdout == name


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("env", "colours", "links"),
    [
        ({"TERM": "xterm-256color"}, True, False),
        ({"TERM": "xterm-kitty"}, True, True),
        ({"TERM": "xterm-256color", "VTE_VERSION": "7600"}, True, True),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, True, True),
        ({"TERM": "tmux-256color", "TERM_PROGRAM": "WezTerm"}, True, False),
        ({"TERM": "xterm-kitty", "NO_COLOR": "1"}, False, False),
        ({"TERM": "dumb", "KITTY_WINDOW_ID": "1"}, False, False),
        ({}, False, False),
    ],
)
def test_colours_and_links_only_where_they_are_welcome(
    env: dict[str, str], colours: bool, links: bool
) -> None:
    look = Look.of(_Terminal(), env)
    assert (look.colours, look.links) == (colours, links)
    assert Look.of(io.StringIO(), env) == Look(False, False, False)


def test_a_link_names_host_and_exact_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gz_cli.views.render.socket.gethostname", lambda: "desk")
    screen = Screen()
    screen.look = Look(colours=True, links=True, animated=True)
    shown = screen.path(b"/a b/\x1b\xff.mp4")
    assert shown.startswith("\x1b]8;;file://desk/a%20b/%1B%FF.mp4\x1b\\")
    assert "\\x1b\\xff.mp4" in shown


def test_results_go_to_stdout_and_all_else_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    screen = Screen()
    screen.result("result")
    screen.note("note")
    screen.warning("warning \x1b[2J")
    screen.error("it broke", "mend it\nso", 3)
    out, err = capfd.readouterr()
    assert out == "result\n"
    assert err == "note\nwarning: warning \\x1b[2J\nerror: It broke.\n  Mend it\n  so\n"


def test_details_are_lines_in_which_nothing_breaks_out(capfd: pytest.CaptureFixture[str]) -> None:
    details = ("a.csv:1: odd", "a\nb.csv:2: \x1b[2J")
    Screen().error("2 bad rows in a\nb.csv", "Mend them.", 2, details)
    assert capfd.readouterr().err == (
        "error: 2 bad rows in a\\nb.csv.\n  a.csv:1: odd\n  a\\nb.csv:2: \\x1b[2J\n  Mend them.\n"
    )
    Screen(as_json=True).error("2 bad rows", "mend them", 2, details)
    assert json.loads(capfd.readouterr().err)["details"] == list(details)


def test_quiet_leaves_results_warnings_and_errors(capfd: pytest.CaptureFixture[str]) -> None:
    screen = Screen(quiet=True)
    screen.result("result")
    screen.note("note")
    screen.warning("careful")
    with screen.progress(every_s=0.0) as progress:
        progress.update(0.5, "half")
    assert capfd.readouterr() == ("result\n", "warning: careful\n")


def test_json_is_versioned_ascii_and_refuses_nan(capfd: pytest.CaptureFixture[str]) -> None:
    screen = Screen(as_json=True)
    screen.json("video", {"path": "ü\x1b\u202e", "duration_s": 1.5})
    line = capfd.readouterr().out
    assert line.isascii()
    assert is_plain(line.rstrip("\n"))
    expected = {"version": 1, "type": "video", "path": "ü\x1b\u202e", "duration_s": 1.5}
    assert json.loads(line) == expected
    with pytest.raises(ValueError, match="JSON"):
        screen.json("video", {"duration_s": float("nan")})
    screen.error("it broke", "mend it", 6)
    error = json.loads(capfd.readouterr().err)
    assert (error["type"], error["exit_code"], error["remedy"]) == ("error", 6, "mend it")


def test_tables_line_up_whatever_the_cells_hold(capfd: pytest.CaptureFixture[str]) -> None:
    screen = Screen()
    screen.look = Look(colours=True, links=False, animated=False)
    screen.table([[screen.styled("ok", "green"), "日本", "x"], ["failed", "a", "y"]])
    first, second = capfd.readouterr().out.splitlines()
    assert first == "\x1b[32mok\x1b[0m      日本  x"
    assert second == "failed  a     y"


def test_without_a_terminal_progress_is_a_plain_line_now_and_then(
    capfd: pytest.CaptureFixture[str],
) -> None:
    now = [0.0]
    progress = Progress(Screen(), every_s=10.0, now=lambda: now[0])
    for second in range(25):
        now[0] = float(second)
        progress.update(second / 25, f"file {second}")
    progress.close()
    assert capfd.readouterr().err == " 40%  file 10\n 80%  file 20\n"


def test_without_a_terminal_a_step_that_just_begins_is_not_told(
    capfd: pytest.CaptureFixture[str],
) -> None:
    now = [0.0]
    progress = Progress(Screen(), every_s=10.0, now=lambda: now[0])
    now[0] = 11.0
    progress.update(0.0, "looking again")
    now[0] = 12.0
    progress.update(0.5, "looking again")
    progress.close()
    assert capfd.readouterr().err == " 50%  looking again\n"


def test_a_terminal_that_lacks_letters_gets_escapes() -> None:
    code = "from gz_cli.views.render import Screen; Screen().result('ü日')"
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        timeout=60,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert ran.stdout == b"\\xfc\\u65e5\n"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("75", 75.0),
        ("75.25", 75.25),
        (".5", 0.5),
        ("1:15", 75.0),
        ("01:15.5", 75.5),
        ("90:00", 5400.0),
        ("1:02:03.004", 3723.004),
        (" 5 ", 5.0),
    ],
)
def test_times_are_read_as_people_write_them(text: str, seconds: float) -> None:
    assert parse_time(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "-1", "1:60", "1:60:00", "1:2:3:4", "abc", "1e3", "inf", "nan", "1:", "٣"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time"):
        parse_time(text)


@given(st.floats(0, 1e6))
def test_a_time_shown_to_the_millisecond_reads_back(seconds: float) -> None:
    assert parse_time(clock_ms(seconds)) == pytest.approx(seconds, abs=0.0006)


@given(st.floats(0, 1e5), st.floats(0.001, 1e4))
def test_the_range_shown_contains_the_span_and_little_more(start_s: float, length_s: float) -> None:
    start, end = clock_range(start_s, start_s + length_s).split(" - ")
    assert parse_time(start) <= start_s + 1e-5
    assert parse_time(end) >= start_s + length_s - 1e-5
    assert parse_time(end) - parse_time(start) <= length_s + 0.2


def test_times_for_people() -> None:
    assert clock(3723.9) == "1:02:03"
    assert clock_range(61.2, 69.2) == "0:01:01.2 - 0:01:09.2"
    assert clock_range(12.44, 19.21) == "0:00:12.4 - 0:00:19.3"
    assert clock_range(0.12, 0.13) == "0:00:00.1 - 0:00:00.2"
    assert [spoken_length(s) for s in (40, 720, 12240)] == ["40 s", "12 min", "3.4 h"]


def test_the_word_for_a_certainty_fits_the_percentage_beside_it() -> None:
    assert [sureness(p) for p in (0.944, 0.946, 1.0)] == [
        "very likely 94%",
        "almost sure 95%",
        "almost sure 99%",
    ]
