"""A bank of everyday sentences, for asking a library about what it is not about.

A sentence's best score says little by itself: it has to be compared with what the same
library gives to sentences that are not about it. Each line of the bank is what somebody
might type to look for a moment of any archive; none holds what a model of pictures and
text cannot judge, so that a low score always means that the picture is not there.
"""

from __future__ import annotations

from importlib.resources import files


def everyday_sentences() -> tuple[str, ...]:
    """The bank, always in the same order; neighbours are about different things."""
    text = (files(__package__) / "everyday.txt").read_text(encoding="utf-8")
    return tuple(text.splitlines())
