"""Places the edges of a known moment on finer frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from index.types import Span, Window

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class EdgeSettings:
    """Numbers of the edge search, with their reasons."""

    reach_s: float = 2.5
    """Farthest an edge may move: the coarse samples are 1 s apart and a coarse cut is
    off by two of them at most."""
    context_s: float = 4.0
    """Stretch on either side of an edge that shows what inside and outside look like."""
    guard_s: float = 1.0
    """Frames nearer than this to the coarse edge are not used for those two looks."""
    least_contrast: float = 2.0
    """Difference between inside and outside, in deviations of a frame, below which
    there is no clear change and the edge stays."""
    jump_s: float = 0.75
    """Stretch on either side of a new edge in which the change must happen."""
    least_jump: float = 0.5
    """Share of the difference that must happen there; a slow drift has no edge."""


def tighten(span: Span, window: Window, settings: EdgeSettings) -> Span:
    """The span with each edge on the change near it that divides the frames best.

    Args:
        span: Coarse edges.
        window: Frames around both edges, at any spacing.
        settings: How far and how surely an edge moves.

    Returns:
        A span inside ``[0, duration_s]``; the same one where evidence is flat.
    """
    start_s = _edge(span.start_s, span, window, settings, rising=True)
    end_s = _edge(span.end_s, span, window, settings, rising=False)
    start_s, end_s = max(0.0, start_s), min(window.duration_s, end_s)
    return Span(start_s, end_s) if start_s < end_s else span


def _edge(
    coarse_s: float, span: Span, window: Window, settings: EdgeSettings, *, rising: bool
) -> float:
    times_s = window.times_s
    if not settings.guard_s < coarse_s < window.duration_s - settings.guard_s / 2:
        return coarse_s
    middle_s = (span.start_s + span.end_s) / 2
    reach_s = min(settings.reach_s, span.length_s / 2)
    inward = (times_s - coarse_s) if rising else (coarse_s - times_s)
    limit_s = abs(middle_s - coarse_s)
    guard_s = min(settings.guard_s, limit_s / 2)
    inside = (inward >= guard_s) & (inward <= max(guard_s, min(settings.context_s, limit_s)))
    outside = (inward <= -guard_s) & (inward >= -settings.context_s)
    near = np.flatnonzero((inward >= -settings.reach_s) & (inward <= reach_s))
    if inside.sum() < 2 or outside.sum() < 2 or len(near) < 2:
        return coarse_s
    vectors = window.vectors.astype(np.float64)
    if _contrast(vectors, inside, outside) < settings.least_contrast:
        return coarse_s
    signed, length = _likeness(vectors, inside, outside)
    values = signed[near] if rising else -signed[near]
    before = np.concatenate([[0.0], np.cumsum(values)])
    # Everything before the edge should be negative, everything after it positive.
    gain = before[-1] - 2 * before
    best = int(np.argmax(gain[1:-1])) + 1
    edge_s = float((times_s[near[best - 1]] + times_s[near[best]]) / 2)
    after = signed[(times_s > edge_s) & (times_s <= edge_s + settings.jump_s)]
    ahead = signed[(times_s < edge_s) & (times_s >= edge_s - settings.jump_s)]
    jump = abs(float(after.mean() - ahead.mean())) if len(after) and len(ahead) else 0.0
    return edge_s if jump >= settings.least_jump * length else coarse_s


def _likeness(vectors: Floats, inside: Mask, outside: Mask) -> tuple[Floats, float]:
    """Per frame, positive when it looks like the inside; and how far the two differ."""
    within, without = vectors[inside].mean(axis=0), vectors[outside].mean(axis=0)
    length = float(np.linalg.norm(within - without))
    direction = (within - without) / max(length, 1e-9)
    signed: Floats = (vectors - (within + without) / 2) @ direction
    return signed, length


def _contrast(vectors: Floats, inside: Mask, outside: Mask) -> float:
    """Difference of inside and outside in deviations of a frame, without flattery.

    In many dimensions any two handfuls of frames differ along the line that joins
    their means. So the line is drawn with every other frame and judged by the rest.
    """
    even = np.arange(len(vectors)) % 2 == 0
    contrasts = []
    for drawn, judged in ((even, ~even), (~even, even)):
        halves = [inside & drawn, outside & drawn, inside & judged, outside & judged]
        if not all(half.any() for half in halves):
            return 0.0
        direction = vectors[halves[0]].mean(axis=0) - vectors[halves[1]].mean(axis=0)
        length = float(np.linalg.norm(direction))
        if length < 1e-4:
            return 0.0
        within = vectors[halves[2]] @ direction / length
        without = vectors[halves[3]] @ direction / length
        noise = np.hypot(within.std(), without.std()) / np.sqrt(2)
        contrasts.append(float(within.mean() - without.mean()) / max(float(noise), 1e-6))
    return min(contrasts)
