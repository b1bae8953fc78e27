"""Formats of depositions that nobody but their maker can read, refused by name."""

from __future__ import annotations

_ASK = "ask the reporter for ASCII and DVT"
_BY_ENDING = {
    b".ptx": "a RealLegal E-Transcript",
    b".ptf": "a RealLegal E-Transcript",
    b".lef": "a LiveNote evidence file",
    b".sbf": "an encrypted transcript bundle (SBF)",
    b".xmef": "a RealLegal transcript with exhibits (XMEF)",
    b".vid": "a Visionary transcript",
    b".svi": "a Sanction transcript",
    b".cms": "a TrialDirector case (CMS)",
    b".mdb": "an Access database, as OnCue and TrialDirector use it",
    b".ysl": "a YesLAW transcript",
    b".yes": "a YesLAW transcript",
}
_BY_HEAD = {
    b"\0\x01\0\0Standard Jet DB\0": "an Access database, as OnCue and TrialDirector use it",
    b"\0\x01\0\0Standard ACE DB\0": "an Access database, as OnCue and TrialDirector use it",
}
CLOSED_ENDINGS = frozenset(_BY_ENDING)
"""Endings of such files, in lower case."""


def refusal(path: bytes, head: bytes) -> str:
    """Why a transcript cannot be read, and what to ask for; empty when it is not closed.

    Args:
        path: The file; its ending counts where its first bytes say nothing.
        head: Its first hundred bytes or more.
    """
    kind = next((kind for mark, kind in _BY_HEAD.items() if head.startswith(mark)), "")
    if not kind and b"YesLAW" in head[:256]:
        kind = "a YesLAW transcript"
    if not kind and not _is_text(head):
        kind = _BY_ENDING.get(path[path.rfind(b".") :].lower(), "")
    return f"it is {kind}, whose format is closed: {_ASK}" if kind else ""


def _is_text(head: bytes) -> bool:
    """What a person only named like a closed file may still be read: none of these is text."""
    return bool(head) and not any(byte < 9 or 13 < byte < 26 for byte in head[:512])
