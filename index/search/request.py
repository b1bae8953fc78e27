"""Whether a request makes sense, before anything slow is done for it."""

from __future__ import annotations

import math

from ..errors import UsageError
from ..text.strict_json import unusable
from ..types import FindRequest
from .clock_time import ClockTime

LONGEST_QUERY = 10_000
"""Characters: the model reads a few dozen words, and a page of text costs minutes."""


def check_request(request: FindRequest) -> None:
    """Returns when a request can be searched for.

    Raises:
        UsageError: It cannot; the message names what is wrong with it.
    """
    query = request.query
    if not query.strip():
        raise UsageError("The query is empty.", 'Describe a moment: gz find "a dog jumps"')
    if len(query) > LONGEST_QUERY:
        raise UsageError(
            f"The query has {len(query):,} characters; {LONGEST_QUERY:,} are the most.",
            "Describe one moment in a sentence.",
        )
    if wrong := unusable(query):
        raise UsageError(f"The query holds {wrong}.", "Write it as plain UTF-8 text.")
    if any("\0" in place for place in request.within):
        raise UsageError("A path to search in holds a NUL character, and no file's name does.")
    if request.at:
        try:
            ClockTime.parse(request.at)
        except ValueError as error:
            raise UsageError(f"{str(error)[:1].upper()}{str(error)[1:]}.") from None
    if request.limit < 1:
        raise UsageError(f"The number of hits must be at least 1, not {request.limit}.")
    if not 0 <= request.threshold <= 1:
        raise UsageError(f"The threshold must lie between 0 and 1, not {request.threshold}.")
    after_s = request.after_s or 0.0
    before_s = math.inf if request.before_s is None else request.before_s
    if not (0 <= after_s < before_s and math.isfinite(after_s)):
        raise UsageError(f"There is no time after {after_s:g} s and before {before_s:g} s.")
