"""What ``tests/gpu_check.py`` found on a card, as a section of docs/benchmarks.md.

The kept file is ``tests/benchmarks/gpu.json``: what the command wrote, copied there.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

KEPT = Path(__file__).resolve().parents[1] / "benchmarks" / "gpu.json"


def kept() -> dict[str, Any] | None:
    """The last run that was kept; None where none was."""
    found: dict[str, Any] | None = json.loads(KEPT.read_text()) if KEPT.exists() else None
    return found


def section(whole: dict[str, Any] | None) -> str:
    """Markdown with the card's name and a row for each finding; empty without a run."""
    if whole is None:
        return ""
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


if __name__ == "__main__":
    print(section(kept()), end="")
