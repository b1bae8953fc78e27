"""Follows a moment past the end of the window that it was found in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from ..types import ScoredSpan, Span, VideoRow
from .moments import Moment
from .scope import Scope

Look = Callable[[VideoRow, float, float], list[ScoredSpan]]
"""Proposals inside ``[start_s, end_s)`` of a video."""


@dataclass(frozen=True)
class ExtendSettings:
    """How far a moment is followed, with the reasons."""

    windows: int = 64
    """Windows looked at for all moments of a search: about two and a half hours."""
    least_share: float = 0.5
    """Presence of a continuation, as a share of the moment's own."""
    least_presence: float = 0.1
    """Presence below which a moment is not worth following."""
    touch_s: float = 2.0
    """A continuation starts this near the end of what it continues."""


class Extender:
    """Joins to a moment what goes on beyond its window.

    Args:
        look: Proposals inside a stretch of a video.
        scope: What is searched.
        window_s: Length of a window.
        cut_s: For each video, the inner edges of the windows that were localized; a
            span that ends on one may go on.
        settings: How far to follow.
    """

    def __init__(
        self,
        look: Look,
        scope: Scope,
        window_s: float,
        cut_s: Mapping[int, Collection[float]],
        settings: ExtendSettings | None = None,
    ) -> None:
        self._look = look
        self._scope = scope
        self._window_s = window_s
        self._cut_s = cut_s
        self._settings = settings or ExtendSettings()
        self._left = self._settings.windows

    def extended(self, moment: Moment) -> Moment:
        """The moment with the whole stretch that it is a piece of; often itself."""
        cuts = self._cut_s.get(moment.video.id, ())
        if moment.presence < self._settings.least_presence:
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
        low_s, high_s = self._scope.bounds_s(moment.video)
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
        for proposal in self._look(moment.video, min(edge_s, far_s), max(edge_s, far_s)):
            near_s = proposal.span.start_s if forward else proposal.span.end_s
            if proposal.presence >= least and abs(near_s - edge_s) <= self._settings.touch_s:
                return proposal.span.end_s if forward else proposal.span.start_s
        return None
