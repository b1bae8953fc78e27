"""Small charts as SVG text: lines, bars, points and timelines, without any library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 420, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 12, 34
SERIES = ("s0", "s1", "s2", "s3", "s4")
"""Classes of the style sheet, one colour each."""


@dataclass(frozen=True)
class Axes:
    """What a chart's plane spans and how its sides are called."""

    x: tuple[float, float]
    y: tuple[float, float]
    x_name: str
    y_name: str

    def across(self, value: float) -> float:
        """Pixels from the left."""
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * _share(value, self.x)

    def down(self, value: float) -> float:
        """Pixels from the top."""
        return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * _share(value, self.y)


def lines(axes: Axes, series: Mapping[str, Sequence[tuple[float, float]]], title: str) -> str:
    """Curves with a legend; points of each are ``(x, y)``."""
    marks = []
    for number, (name, points) in enumerate(series.items()):
        colour = SERIES[number % len(SERIES)]
        path = " ".join(f"{axes.across(x):.1f},{axes.down(y):.1f}" for x, y in points)
        marks.append(f'<polyline class="line {colour}" points="{path}"/>')
        if len(series) > 1:
            y = _TOP + 12 + 15 * number
            x = WIDTH - _RIGHT - 118
            marks.append(f'<rect class="{colour}" x="{x}" y="{y - 8}" width="10" height="10"/>')
            marks.append(f'<text x="{x + 15}" y="{y + 1}">{escape(name)}</text>')
    return _framed(axes, marks, title)


def bars(axes: Axes, values: Sequence[float], title: str) -> str:
    """A histogram: equal bins over the whole x axis."""
    width = (axes.x[1] - axes.x[0]) / max(len(values), 1)
    marks = []
    for number, value in enumerate(values):
        left = axes.across(axes.x[0] + number * width)
        right = axes.across(axes.x[0] + (number + 1) * width)
        top = axes.down(value)
        height = max(axes.down(axes.y[0]) - top, 0)
        marks.append(
            f'<rect class="s0" x="{left + 0.5:.1f}" y="{top:.1f}" '
            f'width="{max(right - left - 1, 0.5):.1f}" height="{height:.1f}"/>'
        )
    return _framed(axes, marks, title)


def points(axes: Axes, places: Sequence[tuple[float, float]], title: str) -> str:
    """A cloud of points with the diagonal where both axes agree."""
    low, high = max(axes.x[0], axes.y[0]), min(axes.x[1], axes.y[1])
    marks = [
        f'<line class="guide" x1="{axes.across(low):.1f}" y1="{axes.down(low):.1f}" '
        f'x2="{axes.across(high):.1f}" y2="{axes.down(high):.1f}"/>'
    ]
    marks += [
        f'<circle class="s0 dot" cx="{axes.across(x):.1f}" cy="{axes.down(y):.1f}" r="2"/>'
        for x, y in places
    ]
    return _framed(axes, marks, title)


def timeline(
    duration_s: float,
    truth: Sequence[Sequence[float]],
    answer: Sequence[Sequence[float]],
    saliency: Sequence[float] = (),
) -> str:
    """One video from left to right: true windows above, the answer below, saliency between."""
    width, height = 560, 40
    scale = width / max(duration_s, 1e-6)
    marks = [f'<rect class="ground" x="0" y="0" width="{width}" height="{height}"/>']
    if len(saliency) > 1:
        low, high = min(saliency), max(saliency)
        step = width / len(saliency)
        path = " ".join(
            f"{(k + 0.5) * step:.1f},{27 - 14 * _share(v, (low, high)):.1f}"
            for k, v in enumerate(saliency)
        )
        marks.append(f'<polyline class="line s2" points="{path}"/>')
    for y, name, windows in ((2, "s1", truth), (30, "s0", answer)):
        marks += [
            f'<rect class="{name}" x="{start * scale:.1f}" y="{y}" '
            f'width="{max((end - start) * scale, 1):.1f}" height="8" rx="2"/>'
            for start, end, *_ in windows
        ]
    return (
        f'<svg viewBox="0 0 {width} {height}" class="timeline" role="img" '
        f'aria-label="true windows above, answer below">{"".join(marks)}</svg>'
    )


def _framed(axes: Axes, marks: Sequence[str], title: str) -> str:
    frame = []
    for k in range(5):
        x = axes.x[0] + (axes.x[1] - axes.x[0]) * k / 4
        y = axes.y[0] + (axes.y[1] - axes.y[0]) * k / 4
        across, down = axes.across(x), axes.down(y)
        frame.append(
            f'<line class="grid" x1="{_LEFT}" y1="{down:.1f}" x2="{WIDTH - _RIGHT}" '
            f'y2="{down:.1f}"/>'
            f'<text class="tick" x="{_LEFT - 6}" y="{down + 4:.1f}" text-anchor="end">{y:g}</text>'
            f'<text class="tick" x="{across:.1f}" y="{HEIGHT - 18}" text-anchor="middle">'
            f"{x:g}</text>"
        )
    frame.append(
        f'<text x="{(WIDTH + _LEFT) / 2}" y="{HEIGHT - 3}" text-anchor="middle">'
        f"{escape(axes.x_name)}</text>"
        f'<text transform="translate(10 {HEIGHT / 2}) rotate(-90)" text-anchor="middle">'
        f"{escape(axes.y_name)}</text>"
    )
    return (
        f'<figure><figcaption>{escape(title)}</figcaption><svg viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'role="img" aria-label="{escape(title)}">{"".join(frame)}{"".join(marks)}</svg></figure>'
    )


def _share(value: float, bounds: tuple[float, float]) -> float:
    low, high = bounds
    return min(max((value - low) / (high - low), 0.0), 1.0) if high > low else 0.0
