"""Follows a moment past the end of the window that it was found in."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from ..types import Span
from .localizing import look
from .moments import Moment
from .search import Search


class Extender:
    """Joins to a moment of a plain query what goes on beyond its window.

    Args:
        search: What is asked, and of what.
        cut_s: For each video, the inner edges of the windows that were localized; a
            span that ends on one may go on.
    """

    def __init__(self, search: Search, cut_s: Mapping[int, Collection[float]]) -> None:
        self._search = search
        self._window_s = search.localizer.window_s
        self._cut_s = cut_s
        self._settings = search.settings.extension
        self._left = self._settings.windows

    def extended(self, moment: Moment) -> Moment:
        """The moment with the whole stretch that it is a piece of; often itself."""
        cuts = self._cut_s.get(moment.video.id, ())
        if moment.presence < self._settings.least_presence or moment.parts[0].witnesses:
            return moment
        start_s, end_s = moment.span.start_s, moment.span.end_s
        if end_s in cuts:
            end_s = self._followed(moment, end_s, 1)
        if start_s in cuts:
            start_s = self._followed(moment, start_s, -1)
        span = Span(start_s, end_s)
        if span == moment.span:
            return moment
        (part,) = moment.parts
        return replace(moment, span=span, parts=(replace(part, span=span),))

    def _followed(self, moment: Moment, edge_s: float, direction: int) -> float:
        low_s, high_s = self._search.scope.bounds_s(moment.video)
        while self._left > 0:
            far_s = min(max(edge_s + direction * self._window_s, low_s), high_s)
            if abs(far_s - edge_s) < 1e-6:
                break
            self._left -= 1
            reached_s = self._reach(moment, edge_s, far_s)
            if reached_s is None:
                break
            edge_s = reached_s
            if abs(edge_s - far_s) > 1e-6:
                break
        return edge_s

    def _reach(self, moment: Moment, edge_s: float, far_s: float) -> float | None:
        """Where the moment ends in the next window; None when it does not go on."""
        forward = far_s > edge_s
        least = self._settings.least_share * moment.presence
        stretch = (moment.video, min(edge_s, far_s), max(edge_s, far_s))
        ((proposals,),) = look(self._search, [stretch])
        for proposal in proposals:
            near_s = proposal.span.start_s if forward else proposal.span.end_s
            if proposal.presence >= least and abs(near_s - edge_s) <= self._settings.touch_s:
                return proposal.span.end_s if forward else proposal.span.start_s
        return None
