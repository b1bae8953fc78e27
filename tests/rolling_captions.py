"""Captions that roll up, made from known words as caption machines write them."""

from __future__ import annotations

from collections.abc import Sequence

WORD_S = 0.25


def clock(seconds: float, comma: str = ".") -> str:
    """``00:00:01.250``."""
    whole = round(seconds * 1000)
    parts = whole // 3_600_000, whole // 60_000 % 60, whole // 1000 % 60, whole % 1000
    return "{:02}:{:02}:{:02}{c}{:03}".format(*parts, c=comma)


def lines_of(words: Sequence[str], per_line: int) -> list[list[str]]:
    return [list(words[n : n + per_line]) for n in range(0, len(words), per_line)]


def rolling_vtt(words: Sequence[str], per_line: int = 5) -> str:
    """WebVTT in which each line stands three times, with a time before each new word."""
    blocks, before, at = ["WEBVTT\nKind: captions\nLanguage: en"], " ", 0.0
    for line in lines_of(words, per_line):
        end = at + len(line) * WORD_S
        timed = line[0] + "".join(
            f"<{clock(at + n * WORD_S)}><c> {word}</c>" for n, word in enumerate(line) if n
        )
        blocks.append(f"{clock(at)} --> {clock(end - 0.01)} align:start\n{before}\n{timed}")
        before = " ".join(line)
        blocks.append(f"{clock(end - 0.01)} --> {clock(end)} align:start\n{before}\n ")
        at = end
    return "\n\n".join(blocks) + "\n"


def rolling_srt(words: Sequence[str], per_line: int = 5, holds: bool = True) -> str:
    """The same as SRT, where the times of the words are lost."""
    blocks: list[str] = []
    before, at = "", 0.0

    def add(start: float, end: float, *lines: str) -> None:
        times = f"{clock(start, ',')} --> {clock(end, ',')}"
        blocks.append("\n".join([str(len(blocks) + 1), times, *(line for line in lines if line)]))

    for line in lines_of(words, per_line):
        end = at + len(line) * WORD_S
        add(at, end - 0.01 if holds else end + len(line) * WORD_S, before, " ".join(line))
        before = " ".join(line)
        if holds:
            add(end - 0.01, end, before)
        at = end
    return "\n\n".join(blocks) + "\n"
