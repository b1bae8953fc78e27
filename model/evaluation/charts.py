"""Figures as SVG that take the colours of the page they stand in; drawn by matplotlib.

Importing this needs the extra ``report``. The same figures come out byte for byte the same.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from index.errors import UsageError

try:
    import matplotlib as mpl
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, MaxNLocator
except ImportError as error:
    raise UsageError(
        "figures are drawn by matplotlib, which is not installed",
        "Install it with: pip install 'groundzero-video[report]'",
    ) from error

Row = Mapping[str, Any]
Points = Sequence[tuple[float, float]]
Draw = Callable[[Axes], object]

STYLE = """
:root{--paper:#fff;--ink:#1b1f24;--soft:#5b6470;--rule:#dde1e6;
--s0:#2563c9;--s1:#2a8a57;--s2:#a8700f;--s3:#b3405e;--s4:#7a58c1}
@media (prefers-color-scheme:dark){:root{--paper:#15181c;--ink:#e8eaed;--soft:#a3acb6;
--rule:#333a42;--s0:#6ea0f5;--s1:#5cc98d;--s2:#e0ad4e;--s3:#ea7f9b;--s4:#ac91ea}}
"""
"""Every colour of the figures, for light and dark."""

_INK, _SOFT, _RULE = "#010101", "#020202", "#030303"
_SERIES = ("#040400", "#040401", "#040402", "#040403", "#040404")
_NAMES = {_INK: "ink", _SOFT: "soft", _RULE: "rule"} | {c: f"s{k}" for k, c in enumerate(_SERIES)}
"""What matplotlib draws with, and the colour of the style sheet that takes its place."""

_SETTINGS = {
    "svg.fonttype": "none",
    "svg.hashsalt": "groundzero",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": _INK,
    "axes.edgecolor": _RULE,
    "axes.labelcolor": _SOFT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _RULE,
    "grid.linewidth": 0.6,
    "xtick.color": _RULE,
    "ytick.color": _RULE,
    "xtick.labelcolor": _SOFT,
    "ytick.labelcolor": _SOFT,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
}
_SIZE = (4.6, 2.8)
_MOST_POINTS = 2000
_KEYS = ("MR-full-R1@0.5", "MR-full-R1@0.7", "MR-full-mAP")


def lines(
    series: Mapping[str, Points],
    title: str,
    names: tuple[str, str],
    x: tuple[float, float],
    y: tuple[float, float],
) -> str:
    """Curves with a legend where there are several.

    Args:
        series: Points ``(x, y)`` of each curve.
        title: Caption of the figure.
        names: Of the x and the y axis.
        x: Ends of the x axis.
        y: Ends of the y axis.
    """

    def draw(axes: Axes) -> None:
        for number, (name, points) in enumerate(series.items()):
            across, up = zip(*points, strict=True) if points else ((), ())
            axes.plot(across, up, color=_SERIES[number % len(_SERIES)], label=name)
        if len(series) > 1:
            axes.legend(fontsize=8)
        axes.set(xlabel=names[0], ylabel=names[1], xlim=x, ylim=y)
        _round_ticks(axes)

    return _figure(draw, title)


def bars(shares: Sequence[float], title: str, x_name: str, x: tuple[float, float]) -> str:
    """A histogram of percentages: equal bins over the whole x axis."""
    width = (x[1] - x[0]) / max(len(shares), 1)

    def draw(axes: Axes) -> None:
        left = [x[0] + k * width for k in range(len(shares))]
        axes.bar(left, shares, width * 0.92, align="edge", color=_SERIES[0])
        axes.set(xlabel=x_name, ylabel="queries, percent", xlim=x)
        axes.set_ylim(0, max(*shares, 1.0) * 1.05)
        axes.grid(visible=False, axis="x")
        _round_ticks(axes)

    return _figure(draw, title)


def cloud(points: Points, title: str, names: tuple[str, str]) -> str:
    """Points, and the diagonal where both axes agree; of very many, evenly chosen ones."""
    step = max(1, -(-len(points) // _MOST_POINTS))
    shown = points[::step]
    end = max((value for point in shown for value in point), default=1.0) * 1.04

    def draw(axes: Axes) -> None:
        axes.plot((0, end), (0, end), color=_SOFT, linewidth=0.9, linestyle=(0, (4, 4)))
        across, up = zip(*shown, strict=True) if shown else ((), ())
        axes.plot(across, up, "o", color=_SERIES[0], alpha=0.4, markersize=3.5, markeredgewidth=0)
        axes.set(xlabel=names[0], ylabel=names[1], xlim=(0, end), ylim=(0, end))
        _round_ticks(axes)

    return _figure(draw, f"{title} (one query in {step})" if step > 1 else title)


def reliability(points: Points, counts: Sequence[int], title: str) -> str:
    """What was observed over what was stated, both 0 to 1; larger dots stand for more queries.

    Args:
        points: ``(stated, observed)`` of each bin that is not empty.
        counts: Queries in each of them.
        title: Caption of the figure.
    """

    def draw(axes: Axes) -> None:
        axes.plot((0, 100), (0, 100), color=_SOFT, linewidth=0.9, linestyle=(0, (4, 4)))
        across = [100 * stated for stated, _ in points]
        up = [100 * observed for _, observed in points]
        sizes = [20 + 180 * count / max(counts) for count in counts]
        axes.plot(across, up, color=_SERIES[0], linewidth=1.0)
        axes.scatter(across, up, s=sizes, color=_SERIES[0], alpha=0.7, linewidths=0, zorder=3)
        names = {"xlabel": "stated, percent", "ylabel": "first answer right, percent"}
        axes.set(**names, xlim=(0, 100), ylim=(-4, 104))
        _round_ticks(axes)

    return _figure(draw, title)


def timeline(
    duration_s: float,
    truth: Sequence[Sequence[float]],
    answer: Sequence[Sequence[float]],
    saliency: Sequence[float] = (),
) -> str:
    """One video from left to right: true windows, saliency where there is some, the answer."""

    def draw(axes: Axes) -> None:
        for up, colour, windows in ((2.0, _SERIES[1], truth), (0.0, _SERIES[0], answer)):
            spans = [(start, max(end - start, duration_s / 400)) for start, end, *_ in windows]
            axes.broken_barh(spans, (up, 0.8), facecolor=colour)
        if len(saliency) > 1:
            low, high = min(saliency), max(saliency)
            step_s = duration_s / len(saliency)
            across = [(k + 0.5) * step_s for k in range(len(saliency))]
            up_ = [1.0 + 0.8 * (v - low) / ((high - low) or 1.0) for v in saliency]
            axes.plot(across, up_, color=_SERIES[2], linewidth=1.2)
            axes.set_yticks((0.4, 1.4, 2.4), ("answer", "saliency", "truth"))
        else:
            axes.set_yticks((0.4, 2.4), ("answer", "truth"))
        axes.set(xlim=(0, max(duration_s, 1e-6)), ylim=(-0.2, 3.0))
        axes.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 1.5, 3, 6, 10]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda s, _: f"{s // 60:.0f}:{s % 60:02.0f}"))
        axes.grid(visible=False, axis="y")
        axes.tick_params(length=0, labelsize=8)
        axes.spines["left"].set_visible(False)

    drawn = _svg([draw], (7.2, 0.95), "true windows above, the answer below")
    return drawn.replace("<svg ", '<svg class="timeline" ', 1)


def training_curves(history: Sequence[Row], names: Sequence[str] = _KEYS) -> list[str]:
    """Loss while learning and the official keys on validation videos; none of a single epoch.

    Args:
        history: One row per epoch: ``epoch``, ``losses`` and ``metrics``.
        names: Keys to draw, where they were measured.
    """
    if len(history) < 2:
        return []
    return [
        _figure(lambda axes: _losses(axes, history), "Loss while training"),
        _figure(lambda axes: _validation(axes, history, names), "Validation while training"),
    ]


def training_picture(history: Sequence[Row]) -> str:
    """The same two as one SVG file that needs no page around it; empty for a single epoch."""
    if len(history) < 2:
        return ""

    def left(axes: Axes) -> None:
        _losses(axes, history)
        axes.set_title("Loss while training", loc="left", fontsize=10)

    def right(axes: Axes) -> None:
        _validation(axes, history, _KEYS)
        axes.set_title("Validation while training", loc="left", fontsize=10)

    drawn = _svg([left, right], (9.2, 2.9), "loss and validation while training")
    whole = drawn.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    return re.sub(r"(<svg [^>]*>)", rf"\1<style>{STYLE}</style>", whole, count=1)


def _losses(axes: Axes, history: Sequence[Row]) -> None:
    epochs = [row["epoch"] for row in history]
    axes.plot(epochs, [row["losses"]["total"] for row in history], color=_SERIES[3])
    axes.set(xlabel="epoch", ylabel="training loss", ylim=(0, None))
    _whole_epochs(axes, epochs)


def _validation(axes: Axes, history: Sequence[Row], names: Sequence[str]) -> None:
    epochs = [row["epoch"] for row in history]
    for number, name in enumerate(key for key in names if key in history[0]["metrics"]):
        values = [row["metrics"][name] for row in history]
        axes.plot(epochs, values, color=_SERIES[number], label=name.removeprefix("MR-full-"))
    metric = history[0].get("config", {}).get("metric")
    if metric in history[0]["metrics"]:
        best = max(history, key=lambda row: row["metrics"][metric])["epoch"]
        label = f"best epoch, {best}"
        axes.axvline(best, color=_SOFT, linewidth=0.9, linestyle=(0, (4, 4)), label=label)
    axes.legend(fontsize=8)
    axes.set(xlabel="epoch", ylabel="percent", ylim=(0, 100))
    _whole_epochs(axes, epochs)


def _whole_epochs(axes: Axes, epochs: Sequence[int]) -> None:
    axes.set_xlim(epochs[0], epochs[-1])
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))


def _round_ticks(axes: Axes) -> None:
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10]))


def _figure(draw: Draw, title: str) -> str:
    caption = escape(title)
    return f"<figure><figcaption>{caption}</figcaption>{_svg([draw], _SIZE, title)}</figure>"


def _svg(draws: Sequence[Draw], size_in: tuple[float, float], label: str) -> str:
    """What each draws on its own axes, beside each other, as one ``<svg>`` element."""
    # Somebody's own matplotlibrc must not change the figures; its backend is not asked.
    settings: dict[Any, Any] = dict(mpl.rcParamsDefault)
    settings = {name: v for name, v in settings.items() if "backend" not in name} | _SETTINGS
    with mpl.rc_context(settings):
        figure = Figure(figsize=size_in, layout="constrained")
        FigureCanvasSVG(figure)
        for number, draw in enumerate(draws, 1):
            draw(figure.add_subplot(1, len(draws), number))
        out = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(out, format="svg", transparent=True, metadata=nothing)
    return _in_colours_of_the_page(out.getvalue(), label)


def _in_colours_of_the_page(drawn: str, label: str) -> str:
    drawn = drawn[drawn.index("<svg") :].strip()
    drawn = re.sub(r' xmlns(:xlink)?="[^"]*"', "", drawn).replace("xlink:href", "href")
    # Several figures stand in one page: no name twice, no rule for elements of others.
    drawn = re.sub(r'<g id="[^"]*">', "<g>", drawn)
    drawn = re.sub(r"<style.*?</style>", "", drawn, flags=re.DOTALL)
    for colour, name in _NAMES.items():
        drawn = drawn.replace(colour, f"var(--{name})")
    drawn = drawn.replace("'DejaVu Sans'", "system-ui, sans-serif")
    return drawn.replace("<svg ", f'<svg role="img" aria-label="{escape(label)}" ', 1)
