"""Which lines of the program run only where there is a graphics card.

    python tests/gpu/branches.py           # the list
    python tests/gpu/branches.py --write   # into docs/gpu.md, between its marks

Found in the source: every branch whose condition asks for a card, every argument that means
something on a card alone, and every function of the files that are for a card.
"""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "gpu.md"
BEGIN, END = "<!-- branches -->", "<!-- end of branches -->"
ASKS = re.compile(
    r"cuda|on_card|^hwaccel|cards\(|_card\b|loading_processes|on_processor|^not .*'cpu'"
)
"""What a condition says that asks for a card."""
AGAINST = re.compile(r"^device\.type != 'cuda'")
"""A condition that leaves the function to a card."""
ALONE = {"index/vectors/card.py": "FAISS with a card", "index/media/hardware.py": "--hwaccel"}
"""Files of which every function is for a card, and when."""
WAYS = ("pin_memory", "non_blocking")
"""Arguments that mean something on a card alone."""
SEEN_BY = {
    "gz_cli/commands/health.py": "trouble",
    "gz_cli/commands/index.py": "indexing",
    "index/media": "indexing",
    "index/sampling": "indexing",
    "index/vectors": "finding",
    "model/siglip/encoder.py": "encoding, trouble",
    "model/siglip/backbone.py": "trouble",
    "model/siglip/route.py": "agreement, trouble",
    "model/hardware/precision.py": "agreement, training",
    "model/hardware": "agreement, trouble",
    "model/siglip": "agreement",
    "model/speech": "trouble",
    "model/grounding": "training",
    "model/datasets": "training",
    "model/training": "training",
}
"""The check of tests/gpu_check.py that runs it, by the longest beginning of its place."""


@dataclass(frozen=True)
class Branch:
    """Some lines that a machine without a card never runs."""

    file: str
    function: str
    first: int
    last: int
    condition: str

    @property
    def check(self) -> str:
        if "'cuda:'" in self.condition:
            return "no check: it takes a second card"
        place = max((p for p in SEEN_BY if self.file.startswith(p)), key=len, default="")
        return SEEN_BY.get(place, "none")

    @property
    def row(self) -> str:
        condition = self.condition.replace("|", "\\|")
        lines = f"{self.first}-{self.last}" if self.last > self.first else f"{self.first}"
        return f"| `{self.file}:{lines}` | `{self.function}` | `{condition}` | {self.check} |"


def branches() -> list[Branch]:
    """All of them, in order of file and line."""
    found: list[Branch] = []
    for package in ("index", "model", "gz_cli"):
        for path in sorted((ROOT / package).rglob("*.py")):
            found += in_file(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))
    return found


def in_file(file: str, source: str) -> Iterator[Branch]:
    for name, function in functions(ast.parse(source)):
        if file in ALONE:
            body = function.body
            yield Branch(file, name, body[0].lineno, end_of(body), ALONE[file])
            continue
        for node in own_nodes(function):
            if isinstance(node, ast.If | ast.IfExp):
                yield from sides(file, name, node, end_of(function.body))
            elif isinstance(node, ast.keyword) and node.arg in WAYS:
                value = node.value
                if not isinstance(value, ast.Constant) or value.value is True:
                    yield Branch(file, name, value.lineno, value.lineno, ast.unparse(node))


def sides(file: str, name: str, node: ast.If | ast.IfExp, end: int) -> Iterator[Branch]:
    """The side of a condition that only a card takes; in a function that ends at a line."""
    condition = ast.unparse(node.test)
    if not ASKS.search(condition):
        return
    if AGAINST.search(condition):
        yield Branch(file, name, end_of(node.body) + 1, end, f"not ({condition})")
    elif isinstance(node, ast.IfExp):
        yield Branch(file, name, node.lineno, node.end_lineno or node.lineno, condition)
    else:
        yield Branch(file, name, node.body[0].lineno, end_of(node.body), condition)


def functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Functions and methods with their names; those inside others belong to them."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef):
                    yield f"{node.name}.{inner.name}", inner


def own_nodes(function: ast.FunctionDef) -> Iterator[ast.AST]:
    yield from (node for child in function.body for node in ast.walk(child))


def end_of(body: list[ast.stmt]) -> int:
    return body[-1].end_lineno or body[-1].lineno


def table() -> str:
    lines = ["| lines | in | when | seen by |", "|---|---|---|---|"]
    return "\n".join([*lines, *(each.row for each in branches())]) + "\n"


def write() -> None:
    text = PAGE.read_text("utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{PAGE} has lost its marks {BEGIN} and {END}")
    PAGE.write_text(f"{before}{BEGIN}\n{table()}{END}{after}", "utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", action="store_true")
    if parser.parse_args().write:
        write()
    else:
        print(table(), end="")
