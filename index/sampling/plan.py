"""Chooses frames from presentation times alone, before anything is decoded."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

from ..media.container import OpenVideo
from ..media.gop import Gop, NoPromise
from ..media.timeline import Choice, Chooser


class Plan:
    """Which presentation times are chosen, extended group by group.

    Attributes:
        chosen: Choices whose frame has not come out of the decoder yet, by its time stamp.
        end: Seconds at which the frames planned so far end.
    """

    def __init__(
        self, video: OpenVideo, chooser: Chooser[int], gap: Fraction, nominal: Fraction
    ) -> None:
        assert video.stream.time_base is not None  # noqa: S101
        assert video.first.pts is not None  # noqa: S101
        self._time_base = video.stream.time_base
        self._origin = video.first.pts
        self._chooser = chooser
        self._gap = math.floor(gap / self._time_base)
        self._nominal = nominal
        self._fed: int | None = None
        self._expected: set[int] = set()
        self.chosen: dict[int, Choice[int]] = {}
        self.end = Fraction(0)

    def extend(self, gop: Gop, sought: bool) -> None:
        """Settles every choice before the next group's key frame.

        Raises:
            NoPromise: When the times of this group do not follow those before it.
        """
        shown = gop.shown_pts()
        if self._fed is None:
            self._fed = (gop.key_pts if sought else self._origin) - 1
        elif any(pts <= self._fed and pts not in self._expected for pts in shown):
            raise NoPromise("presentation times fall back")
        order = sorted([pts for pts in shown if pts > self._fed] + gop.next_leading)
        if gop.next_key_pts is not None:
            order.append(gop.next_key_pts)
        line = [self._fed, *order] if self._expected else order
        if any(b - a > self._gap or b == a for a, b in pairwise(line)):
            raise NoPromise("presentation times jump or repeat")
        self._feed(order)
        self._expected = {*gop.next_leading, *order[-1:]}
        self._fed = order[-1] if order else self._fed
        self._measure(gop)
        if gop.next_key_pts is None:
            self._keep(self._chooser.finish(self.end))

    def _feed(self, order: list[int]) -> None:
        at = 0
        while at < len(order):
            target = self._origin + math.ceil(self._chooser.target / self._time_base)
            hit = len(order) if self._chooser.done else bisect_left(order, target, at)
            for pts in order[max(at, hit - 1) : hit + 1]:
                time = (pts - self._origin) * self._time_base
                self._keep(self._chooser.feed(time, pts))
            at = hit + 1

    def _measure(self, gop: Gop) -> None:
        longest = Fraction(0)
        for packet in gop.packets:
            if packet.pts is not None and not packet.is_discard:
                length = packet.duration or 0
                lasts = length * self._time_base if 0 < length <= self._gap else self._nominal
                longest = max(longest, (packet.pts - self._origin) * self._time_base + lasts)
        self.end = max(self.end, longest)

    def _keep(self, choices: Iterator[Choice[int]]) -> None:
        for choice in choices:
            self.chosen[choice.item] = choice
