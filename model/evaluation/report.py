"""The report of an evaluation as one page that needs nothing else: numbers, figures, examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from index.files import atomic_write

from ..grounding.calibration import risk_coverage
from ..grounding.overlap import iou_matrix
from .charts import STYLE, bars, cloud, lines, timeline, training_curves
from .evaluate import baselines, best_ious, recall_table
from .metrics import IOU_THRESHOLDS, evaluate_submission

Row = Mapping[str, Any]
Pair = tuple[Row, Row]
Floats = npt.NDArray[np.float64]

EXAMPLES = 8
_STYLE = """
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;background:var(--paper);color:var(--ink);
max-width:920px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2.2rem}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.2rem .9rem .2rem 0;text-align:right;border-bottom:1px solid var(--rule)}
th:first-child,td:first-child{text-align:left}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(330px,1fr));gap:1.2rem}
figure{margin:0;max-width:520px}figcaption{font-weight:600}svg{width:100%;height:auto}
.timeline{max-width:680px;display:block}.example{margin:.9rem 0}small{color:var(--soft)}
@media print{figure,.example,table{break-inside:avoid}}
"""


def write_report(
    folder: Path,
    result: Mapping[str, Any],
    predictions: Sequence[Row],
    annotations: Sequence[Row],
    history: Sequence[Row] = (),
    others: Mapping[str, Sequence[Row]] | None = None,
) -> Path:
    """Writes ``index.html`` into a folder and returns its path.

    Args:
        folder: Made where it is missing.
        result: What `full_report` returned, with presence where it was measured.
        predictions: Rows with windows.
        annotations: Rows of the truth, with durations.
        history: Rows of a training, for its curves.
        others: Predictions of other methods by name, shown beside the simple baselines.
    """
    truth = {row["qid"]: row for row in annotations if row["relevant_windows"]}
    pairs = [(row, truth[row["qid"]]) for row in predictions if row["qid"] in truth]
    body = [
        "<h1>Grounding report</h1>",
        f"<p>{len(pairs)} queries with a moment. Numbers are percent unless a unit is given.</p>",
    ]
    if pairs:
        rivals = {**baselines([pair[1] for pair in pairs]), **_about(truth, others or {})}
        body += [
            _numbers(result, rivals, truth),
            '<h2>Figures</h2><div class="figures">',
            *_figures(pairs, rivals, truth),
            *training_curves(history),
            "</div>",
        ]
    body.append(_several_moments(result))
    if pairs:
        body += [_breakdowns(result), _examples(pairs)]
    return write_page(folder, "Grounding report", body)


def write_page(folder: Path, title: str, body: Sequence[str]) -> Path:
    """Writes ``index.html``, which needs no other file, and returns its path."""
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}{_STYLE}</style>"
        f"<body>{''.join(body)}</body></html>"
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "index.html"
    atomic_write(path, page.encode())
    return path


def _numbers(
    result: Mapping[str, Any], rivals: Mapping[str, Sequence[Row]], truth: Mapping[Any, Row]
) -> str:
    keys = ("R1@0.5", "R1@0.7", "R5@0.5", "R5@0.7", "mIoU")
    head = cells(["", *keys, "mAP"], "th")
    ours = result["groundzero"]
    rows = [
        cells(
            ["these predictions", *(f"{ours[k]:.2f}" for k in keys),
             f"{result['brief']['MR-full-mAP']:.2f}"]
        )
    ]  # fmt: skip
    for name, rival in rivals.items():
        table = recall_table([(row, truth[row["qid"]]) for row in rival])
        average = evaluate_submission(rival, list(truth.values()), match=False)["brief"]
        rows.append(
            cells([name, *(f"{table[k]:.2f}" for k in keys), f"{average['MR-full-mAP']:.2f}"])
        )
    text = f"<table>{head}{''.join(rows)}</table>"
    more = [(k, v) for k, v in result["brief"].items() if not k.startswith("MR-full-R1")]
    more += [(f"presence {k}", 100 * v) for k, v in ours.get("presence", {}).items()]
    keyed = "".join(cells([name, f"{value:.2f}"]) for name, value in more)
    return f"{text}<h2>Official keys and presence</h2><table>{keyed}</table>"


def _figures(
    pairs: Sequence[Pair], rivals: Mapping[str, Sequence[Row]], truth: Mapping[Any, Row]
) -> list[str]:
    ious = np.array([best_ious(*pair)[0] for pair in pairs])
    curves = {"these predictions": _recall_curve(ious)}
    for name, rows in rivals.items():
        curves[name] = _recall_curve(np.array([best_ious(r, truth[r["qid"]])[0] for r in rows]))
    listed = [pair for pair in pairs if pair[0]["pred_relevant_windows"]]
    spans = np.array([_against(*pair) for pair in listed]).reshape(-1, 4)
    names = ("IoU threshold", "R1, percent")
    out = [
        lines(curves, "Recall over IoU thresholds", names, (0.3, 0.95), (0, 100)),
        bars(
            _shares(ious, 20, (0, 1)), "Overlap of the first answer with the truth", "IoU", (0, 1)
        ),
    ]
    for column, name in ((0, "start"), (1, "end")):
        errors = spans[:, column] - spans[:, column + 2]
        shares = _shares(errors.clip(-19.9, 19.9), 40, (-20, 20))
        title = f"Error of the {name}"
        out.append(bars(shares, title, "seconds late (20: that much or more)", (-20, 20)))
    lengths = np.column_stack([spans[:, 3] - spans[:, 2], spans[:, 1] - spans[:, 0]])
    places = [(float(x), float(y)) for x, y in lengths]
    names = ("true length, s", "predicted length, s")
    out.append(cloud(places, "Predicted against true length", names))
    if all(len(pair[0]["pred_relevant_windows"][0]) > 2 for pair in listed):
        scores = np.array([pair[0]["pred_relevant_windows"][0][2] for pair in listed], np.float64)
        right = np.array([best_ious(*pair)[0] >= 0.5 for pair in listed])
        coverage, risk = risk_coverage(scores, right)
        thin = np.unique(np.linspace(0, max(len(risk) - 1, 0), 120).astype(int))[: len(risk)]
        curve = {"": [(100 * float(coverage[k]), 100 * float(risk[k])) for k in thin]}
        names = ("surest answers given, percent", "wrong, percent")
        out.append(lines(curve, "Risk over coverage at IoU 0.5", names, (0, 100), (0, 100)))
    return out


def _shares(values: Floats, bins: int, ends: tuple[float, float]) -> list[float]:
    """Percent of the values in each bin."""
    counts = np.histogram(values, bins, ends)[0] / max(len(values), 1) * 100
    return [float(share) for share in counts]


def _recall_curve(ious: Floats) -> list[tuple[float, float]]:
    thresholds = (0.3, 0.35, 0.4, 0.45, *IOU_THRESHOLDS)
    return [(t, 100 * float(np.mean(ious >= t))) for t in thresholds]


def _against(prediction: Row, annotation: Row) -> tuple[float, float, float, float]:
    """Start and end of the first answer, then of the true window that it overlaps most."""
    first = np.array(prediction["pred_relevant_windows"][0][:2], np.float64)
    windows = np.array(annotation["relevant_windows"], np.float64)
    overlap = iou_matrix(first[None], windows)[0]
    nearest = np.abs(windows - first).sum(1)
    best = windows[int(np.argmax(overlap)) if overlap.any() else int(np.argmin(nearest))]
    return float(first[0]), float(first[1]), float(best[0]), float(best[1])


def _breakdowns(result: Mapping[str, Any]) -> str:
    keys = ("queries", "R1@0.5", "R1@0.7", "R5@0.5", "mIoU")
    out = []
    for name, title in (
        ("by_query_length", "By length of the query"),
        ("by_moment_length", "By length of the moment"),
        ("by_window_count", "By number of windows"),
    ):
        table = result["groundzero"].get(name, {})
        rows = "".join(cells([label, *(f"{row[k]:g}" for k in keys)])
                       for label, row in table.items())  # fmt: skip
        out.append(f"<h2>{title}</h2><table>{cells(['', *keys], 'th')}{rows}</table>")
    return "".join(out)


def _several_moments(result: Mapping[str, Any]) -> str:
    ours = result["groundzero"].get("several_moments")
    if not ours:
        return ""
    counts = ours["queries"]
    out = [
        f"<h2>Several moments, or none</h2><p>Queries: {counts['none']} without a moment, "
        f"{counts['one']} with one, {counts['several']} with several.</p>"
    ]
    for name, title in (
        ("multi_moment", "Multi-moment retrieval (QV-M2)"),
        ("generalised", "Generalised moment retrieval (Soccer-GMR)"),
    ):
        rows = "".join(cells([key, f"{value:.2f}"]) for key, value in ours[name].items())
        out.append(f"<h3>{title}</h3><table>{rows}</table>")
    return "".join(out)


def _about(truth: Mapping[Any, Row], others: Mapping[str, Sequence[Row]]) -> dict[str, list[Row]]:
    return {name: [row for row in rows if row["qid"] in truth] for name, rows in others.items()}


def _examples(pairs: Sequence[Pair]) -> str:
    order = sorted(pairs, key=lambda pair: best_ious(*pair)[0])
    out = [
        "<h2>Best and worst</h2><p><small>True windows above, the first answer below, "
        "predicted saliency between; times from the start of the video.</small></p>"
    ]
    for title, chosen in (("Worst", order[:EXAMPLES]), ("Best", order[::-1][:EXAMPLES])):
        out.append(f"<h3>{title}</h3>")
        for prediction, annotation in chosen:
            overlap = best_ious(prediction, annotation)[0]
            out.append(
                f'<div class="example">{escape(str(annotation["query"]))} '
                f"<small>{escape(str(annotation['vid']))}, IoU {overlap:.2f}</small>"
                + timeline(
                    float(
                        annotation["duration"] or max(e for _, e in annotation["relevant_windows"])
                    ),
                    annotation["relevant_windows"],
                    prediction["pred_relevant_windows"][:1],
                    prediction.get("pred_saliency_scores", ()),
                )
                + "</div>"
            )
    return "".join(out)


def cells(values: Sequence[str], tag: str = "td") -> str:
    """A row of a table, its texts made safe."""
    return "<tr>" + "".join(f"<{tag}>{escape(value)}</{tag}>" for value in values) + "</tr>"
