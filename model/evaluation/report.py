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
from .charts import Axes, bars, lines, points, timeline
from .evaluate import baselines, best_ious, recall_table
from .metrics import IOU_THRESHOLDS, evaluate_submission, iou_matrix

Row = Mapping[str, Any]
Pair = tuple[Row, Row]
Floats = npt.NDArray[np.float64]

EXAMPLES = 8
_STYLE = """
:root{--paper:#fff;--ink:#1b1f24;--soft:#667;--rule:#dde1e6;--s0:#2563c9;--s1:#2f9e62;
--s2:#b07914;--s3:#b3405e;--s4:#7a58c1}
@media (prefers-color-scheme:dark){:root{--paper:#15181c;--ink:#e8eaed;--soft:#9aa3ad;
--rule:#30363d;--s0:#6ea0f5;--s1:#5cc98d;--s2:#e0ad4e;--s3:#ea7f9b;--s4:#ac91ea}}
body{font:15px/1.5 system-ui,sans-serif;background:var(--paper);color:var(--ink);
max-width:920px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2.2rem}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.2rem .9rem .2rem 0;text-align:right;border-bottom:1px solid var(--rule)}
th:first-child,td:first-child{text-align:left}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(380px,1fr));gap:1.2rem}
figure{margin:0}figcaption{font-weight:600}svg{width:100%;height:auto}
svg text{font-size:11px;fill:var(--soft)}.grid{stroke:var(--rule)}
.guide{stroke:var(--soft);stroke-dasharray:4 4}.line{fill:none!important;stroke-width:2}
.dot{fill-opacity:.35}.ground{fill:var(--rule);fill-opacity:.5}
.s0{fill:var(--s0);stroke:none}.s1{fill:var(--s1)}.s2{fill:var(--s2)}.s3{fill:var(--s3)}
.s4{fill:var(--s4)}.line.s0{stroke:var(--s0)}.line.s1{stroke:var(--s1)}
.line.s2{stroke:var(--s2)}.line.s3{stroke:var(--s3)}.line.s4{stroke:var(--s4)}
.timeline{max-width:560px;display:block}.example{margin:.9rem 0}small{color:var(--soft)}
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
    truth = {row["qid"]: row for row in annotations}
    pairs = [(row, truth[row["qid"]]) for row in predictions if row["qid"] in truth]
    rivals = {**baselines([pair[1] for pair in pairs]), **(others or {})}
    body = [
        "<h1>Grounding report</h1>",
        f"<p>{len(pairs)} queries. Numbers are percent unless a unit is given.</p>",
        _numbers(result, rivals, truth),
        '<h2>Figures</h2><div class="figures">',
        *_figures(pairs, rivals, truth),
        *_curves(history),
        "</div>",
        _breakdowns(result),
        _examples(pairs),
    ]
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Grounding report</title><style>{_STYLE}</style><body>{''.join(body)}</body></html>"
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "index.html"
    atomic_write(path, page.encode())
    return path


def _numbers(
    result: Mapping[str, Any], rivals: Mapping[str, Sequence[Row]], truth: Mapping[Any, Row]
) -> str:
    keys = ("R1@0.5", "R1@0.7", "R5@0.5", "R5@0.7", "mIoU")
    head = _cells(["", *keys, "mAP"], "th")
    ours = result["groundzero"]
    rows = [
        _cells(
            ["these predictions", *(f"{ours[k]:.2f}" for k in keys),
             f"{result['brief']['MR-full-mAP']:.2f}"]
        )
    ]  # fmt: skip
    for name, rival in rivals.items():
        table = recall_table([(row, truth[row["qid"]]) for row in rival])
        average = evaluate_submission(rival, list(truth.values()), match=False)["brief"]
        rows.append(
            _cells([name, *(f"{table[k]:.2f}" for k in keys), f"{average['MR-full-mAP']:.2f}"])
        )
    text = f"<table>{head}{''.join(rows)}</table>"
    more = [(k, v) for k, v in result["brief"].items() if not k.startswith("MR-full-R1")]
    more += [(f"presence {k}", 100 * v) for k, v in ours.get("presence", {}).items()]
    cells = "".join(_cells([name, f"{value:.2f}"]) for name, value in more)
    return f"{text}<h2>Official keys and presence</h2><table>{cells}</table>"


def _figures(
    pairs: Sequence[Pair], rivals: Mapping[str, Sequence[Row]], truth: Mapping[Any, Row]
) -> list[str]:
    ious = np.array([best_ious(*pair)[0] for pair in pairs])
    curves = {"these predictions": _recall_curve(ious)}
    for name, rows in rivals.items():
        curves[name] = _recall_curve(np.array([best_ious(r, truth[r["qid"]])[0] for r in rows]))
    listed = [pair for pair in pairs if pair[0]["pred_relevant_windows"]]
    spans = np.array([_against(*pair) for pair in listed]).reshape(-1, 4)
    share = np.histogram(ious, 20, (0, 1))[0] / max(len(ious), 1) * 100
    out = [
        lines(Axes((0.3, 0.95), (0, 100), "IoU threshold", "R1, percent"), curves,
              "Recall over IoU thresholds"),
        bars(Axes((0, 1), (0, float(share.max(initial=1))), "IoU of the first answer", "percent"),
             share.tolist(), "How far answers overlap"),
    ]  # fmt: skip
    for column, name in ((0, "start"), (1, "end")):
        errors = spans[:, column] - spans[:, column + 2]
        part = np.histogram(errors.clip(-19.9, 19.9), 40, (-20, 20))[0] / max(len(errors), 1) * 100
        axes = Axes((-20, 20), (0, float(part.max(initial=1))), "seconds late", "percent")
        out.append(bars(axes, part.tolist(), f"Error of the {name}"))
    lengths = np.column_stack([spans[:, 3] - spans[:, 2], spans[:, 1] - spans[:, 0]])
    longest = float(lengths.max(initial=1))
    out.append(
        points(Axes((0, longest), (0, longest), "true length, s", "predicted length, s"),
               [(float(x), float(y)) for x, y in lengths], "Predicted against true length")
    )  # fmt: skip
    if all(len(pair[0]["pred_relevant_windows"][0]) > 2 for pair in listed):
        scores = np.array([pair[0]["pred_relevant_windows"][0][2] for pair in listed], np.float64)
        right = np.array([best_ious(*pair)[0] >= 0.5 for pair in listed])
        coverage, risk = risk_coverage(scores, right)
        thin = np.unique(np.linspace(0, max(len(risk) - 1, 0), 120).astype(int))[: len(risk)]
        curve = {"": [(100 * float(coverage[k]), 100 * float(risk[k])) for k in thin]}
        axes = Axes((0, 100), (0, 100), "surest answers given, percent", "wrong, percent")
        out.append(lines(axes, curve, "Risk over coverage at IoU 0.5"))
    return out


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


def _curves(history: Sequence[Row]) -> list[str]:
    if len(history) < 2:
        return []
    last = float(history[-1]["epoch"])
    metrics = {
        name[8:]: [(row["epoch"], row["metrics"][name]) for row in history]
        for name in ("MR-full-R1@0.5", "MR-full-R1@0.7", "MR-full-mAP")
        if name in history[0]["metrics"]
    }
    losses = [(row["epoch"], row["losses"]["total"]) for row in history]
    top = max(loss for _, loss in losses)
    return [
        lines(Axes((1, last), (0, 100), "epoch", "percent"), metrics, "Validation while training"),
        lines(Axes((1, last), (0, top), "epoch", "loss"), {"": losses}, "Training loss"),
    ]


def _breakdowns(result: Mapping[str, Any]) -> str:
    keys = ("queries", "R1@0.5", "R1@0.7", "R5@0.5", "mIoU")
    out = []
    for name, title in (
        ("by_query_length", "By length of the query"),
        ("by_moment_length", "By length of the moment"),
        ("by_window_count", "By number of windows"),
    ):
        table = result["groundzero"].get(name, {})
        rows = "".join(_cells([label, *(f"{row[k]:g}" for k in keys)])
                       for label, row in table.items())  # fmt: skip
        out.append(f"<h2>{title}</h2><table>{_cells(['', *keys], 'th')}{rows}</table>")
    return "".join(out)


def _examples(pairs: Sequence[Pair]) -> str:
    order = sorted(pairs, key=lambda pair: best_ious(*pair)[0])
    out = [
        "<h2>Best and worst</h2><p><small>True windows above, the first answer below, "
        "predicted saliency between.</small></p>"
    ]
    for title, chosen in (("Worst", order[:EXAMPLES]), ("Best", order[::-1][:EXAMPLES])):
        out.append(f"<h3>{title}</h3>")
        for prediction, annotation in chosen:
            overlap = best_ious(prediction, annotation)[0]
            out.append(
                f'<div class="example">{escape(str(annotation["query"]))} '
                f"<small>{escape(str(annotation['vid']))}, IoU {overlap:.2f}</small>"
                + timeline(
                    float(annotation["duration"]),
                    annotation["relevant_windows"],
                    prediction["pred_relevant_windows"][:1],
                    prediction.get("pred_saliency_scores", ()),
                )
                + "</div>"
            )
    return "".join(out)


def _cells(values: Sequence[str], tag: str = "td") -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(value)}</{tag}>" for value in values) + "</tr>"
