"""What ``tests/gpu_check.py`` found on a card, as a section of docs/benchmarks.md.

    python tests/gpu/report.py --keep build/gpu_check.json   # keeps a run and writes the section
    python tests/gpu/report.py                               # writes it anew

A run that was kept lies in ``tests/benchmarks/gpu.json``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "tests" / "benchmarks" / "gpu.json"
PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- gpu -->\n", "<!-- end of gpu -->"
NOTHING = "No run on a graphics card has been kept so far; `make gpu-check` makes one.\n"


def kept() -> dict[str, Any] | None:
    """The last run that was kept; None where none was."""
    found: dict[str, Any] | None = json.loads(KEPT.read_text()) if KEPT.exists() else None
    return found


def section(whole: dict[str, Any] | None) -> str:
    """Markdown with the card's name and a row for each finding."""
    if whole is None:
        return NOTHING
    on = whole["on"]
    card = f"{on['card']}, {on['memory_gb']:g} GB" if on["card"] else "no card, in small"
    lines = [
        f"On a machine with {card}, {on['cores']} cores, torch {on['torch']}, "
        f"transformers {on['transformers']}:",
        "",
        "| what | found | goal |",
        "|---|---|---|",
    ]
    for name, result in whole["checks"].items():
        why = f": {result['why']}" if result["status"] != "passed" and result["why"] else ""
        lines.append(f"| **{name}**, {result['status']}{why} | | |")
        for each in result["findings"]:
            found = each["found"]
            value = found if isinstance(found, str) else f"{found:.4g}"
            missed = " (missed)" if each["ok"] is False else ""
            lines.append(f"| {each['what']} | {value} {each['unit']} | {each['goal']}{missed} |")
    return "\n".join(lines) + "\n"


def keep(run: Path) -> None:
    """Keeps a run of all checks at full size on a card."""
    whole = json.loads(run.read_text("utf-8"))
    if whole["tiny"] or not whole["on"]["card"]:
        raise SystemExit(f"{run} is no run on a card at full size")
    KEPT.write_text(json.dumps(whole, indent=1) + "\n", "utf-8")


def write() -> None:
    """Puts the section between its marks in the page."""
    text = PAGE.read_text("utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{PAGE} has lost its marks {BEGIN.strip()} and {END}")
    PAGE.write_text(f"{before}{BEGIN}{section(kept())}{END}{after}", "utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--keep", type=Path, metavar="FILE", help="of gpu_check.py's --json")
    asked = parser.parse_args()
    if asked.keep:
        keep(asked.keep)
    write()
