"""Formats that only their makers can read, refused by name."""

from __future__ import annotations

import pytest

from index.text.closed import refusal

BINARY = b"\x00\x01\x02\x03" * 40


@pytest.mark.parametrize(
    ("path", "head", "named"),
    [
        (b"/a/smith.ptx", BINARY, "RealLegal E-Transcript"),
        (b"/a/smith.PTF", BINARY, "RealLegal E-Transcript"),
        (b"/a/smith.lef", b"PK\x03\x04" + BINARY, "LiveNote"),
        (b"/a/smith.sbf", BINARY, "SBF"),
        (b"/a/smith.xmef", BINARY, "XMEF"),
        (b"/a/smith.vid", BINARY, "Visionary"),
        (b"/a/smith.svi", BINARY, "Sanction"),
        (b"/a/smith.cms", BINARY, "TrialDirector"),
        (b"/a/smith.mdb", b"\0\x01\0\0Standard Jet DB\0", "Access database"),
        (b"/a/no ending", b"\0\x01\0\0Standard ACE DB\0", "Access database"),
        (b"/a/smith.txt", b"YesLAW Transcript\0\1\2", "YesLAW"),
    ],
)
def test_each_is_named_with_what_to_ask_for(path: bytes, head: bytes, named: str) -> None:
    said = refusal(path, head)
    assert named in said
    assert said.endswith("ask the reporter for ASCII and DVT")


@pytest.mark.parametrize(
    ("path", "head"),
    [(b"/a/smith.txt", BINARY), (b"/a/smith.dvt", b"<OpenDVT>"), (b"/a/s.vid", b"1  Q. Yes\r\n")],
)
def test_nothing_else_is_refused(path: bytes, head: bytes) -> None:
    assert refusal(path, head) == ""
