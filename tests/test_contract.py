"""The rules of the house, read from the code itself, and the README against the program."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("gz_cli", "index", "model")
MAY_IMPORT = {"gz_cli": {"model", "index"}, "model": {"index"}, "index": set()}
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
GZ = Path(sys.executable).parent / "gz"
MOST_LINES = 400


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


TREES = {name_of(path): ast.parse(path.read_text("utf-8")) for path in SOURCES}


def imported(tree: ast.AST) -> Iterator[str]:
    """Full names of the modules that absolute imports name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module


def dotted(node: ast.AST) -> str:
    """``a.b.c`` of a chain of attributes; empty for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def names_in(tree: ast.AST) -> set[str]:
    return {dotted(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute | ast.Name)}


def run_gz(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    assert GZ.exists(), f"{GZ} is missing: install the project first (make test does)"
    return subprocess.run(
        [str(GZ), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "COLUMNS": "92", "TERM": "dumb", **env},
        check=False,
    )


@pytest.mark.parametrize("name", TREES)
def test_imports_go_one_way(name: str) -> None:
    package = name.split("/")[0]
    ours = {module.split(".")[0] for module in imported(TREES[name])} & set(PACKAGES)
    assert ours <= MAY_IMPORT[package], "gz_cli -> model -> index; inside a package relative"


@pytest.mark.parametrize("name", TREES)
def test_packages_are_named_so_that_a_strangers_cannot_answer(name: str) -> None:
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            taken = {alias.asname or alias.name for alias in node.names}
            assert not taken & {"index", "model"}, "write from index.x import Y"
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            assert node.module not in ("index", "model"), "write from index.x import Y"
    for node in ast.iter_child_nodes(TREES[name]):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", node)]
        bound = {dotted(t) for t in targets} | {getattr(node, "name", "")}
        assert not bound & {"index", "model"}, "a module-level name hides the package"


@pytest.mark.parametrize("name", [name for name in TREES if name.startswith("index/")])
def test_index_knows_no_neural_network(name: str) -> None:
    heavy = {"torch", "transformers", "peft", "safetensors", "huggingface_hub", "onnxruntime"}
    assert not heavy & {module.split(".")[0] for module in imported(TREES[name])}


FLOORS: dict[str, tuple[set[str], ...]] = {
    "gz_cli": (
        {"app.py"},
        {"commands"},
        {
            "searcher.py",
            "opening.py",
            "options.py",
            "grounding.py",
            "calibration.py",
            "failures.py",
            "speech.py",
        },
        {"views"},
        {"__init__.py"},
    ),
    "model": (
        {"training"},
        {"evaluation", "demo"},
        {"grounding", "siglip", "datasets", "screen", "speech"},
        {"hub", "hardware"},
        {"__init__.py"},
    ),
    "index": (
        {"search", "clips"},
        {"indexing"},
        {"vectors", "sampling"},
        {"store", "text", "media"},
        {
            "types.py",
            "rivals.py",
            "passages.py",
            "errors.py",
            "files.py",
            "failpoints.py",
            "__init__.py",
        },
    ),
}
"""What lies in each package, from the roof down. A room, or a file beside the rooms, imports
what lies on lower floors; files beside the rooms may import their own floor."""


def floor_of(name: str) -> int:
    package, room, *_ = name.split("/")
    found = [number for number, rooms in enumerate(FLOORS[package]) if room in rooms]
    assert len(found) == 1, f"{name} lies in no room, or in several"
    return found[0]


def files_imported(name: str) -> set[str]:
    """Files of the same package that a file imports, also inside its functions."""
    package = name.split("/")[0]
    home = name.split("/")[:-1]
    found: set[str] = set()
    for node in ast.walk(TREES[name]):
        if not isinstance(node, ast.ImportFrom):
            continue
        if node.level:
            start = home[: len(home) - node.level + 1] + (node.module or "").split(".")
        else:
            start = (node.module or "").split(".")
        place = "/".join(part for part in start if part)
        if place.split("/")[0] != package:
            continue
        modules = [f"{place}/{alias.name}.py" for alias in node.names] + [f"{place}.py"]
        inside = {module for module in modules if module in TREES}
        found |= inside or {f"{place}/__init__.py"}
    return found


@pytest.mark.parametrize("name", TREES)
def test_a_room_imports_only_rooms_below_it(name: str) -> None:
    room = name.split("/")[1]
    for other in files_imported(name):
        other_room = other.split("/")[1]
        beside = room.endswith(".py") and other_room.endswith(".py")
        same = room == other_room or (beside and floor_of(name) == floor_of(other))
        assert same or floor_of(name) < floor_of(other), f"{name} imports {other}"


def test_no_two_files_import_each_other() -> None:
    graph = {name: files_imported(name) for name in TREES}
    TopologicalSorter(graph).prepare()


def test_tests_lie_in_the_rooms_of_what_they_test() -> None:
    rooms = {path.parent.relative_to(ROOT) for path in SOURCES}
    tested = {
        path.parent.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py")
    }
    assert tested - {Path()} <= rooms


STORE = {name for name in TREES if name.startswith("index/store/")}
DOORS = {
    "av.open": {"index/media/container.py"},
    "sqlite3": STORE,
    "sqlite_utils": STORE,
    "faiss": {"index/vectors/shelves.py"},
    "print": {"gz_cli/views/render.py"},
    "sys.stdout": {"gz_cli/views/render.py"},
    # The guard speaks before any of our modules can be trusted.
    "sys.stderr": {"gz_cli/views/render.py", "gz_cli/__init__.py"},
    "typer.echo": set(),
    "rich": {"gz_cli/views/render.py"},
}


@pytest.mark.parametrize("door", DOORS)
def test_each_room_has_one_door(door: str) -> None:
    users = set()
    for name, tree in TREES.items():
        roots = {module.split(".")[0] for module in imported(tree)}
        used = names_in(tree)
        if door in roots or door in used or any(n.startswith(door + ".") for n in used):
            users.add(name)
    assert users <= DOORS[door]


def test_only_the_store_speaks_sql() -> None:
    speakers = {
        name
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("execute", "executemany", "executescript")
    }
    assert speakers <= DOORS["sqlite3"]


def test_nothing_unsafe_reads_weights() -> None:
    # The decoder's own worker process gets its work pickled by its own parent; no file is.
    own_pipe = {"index/sampling/workers.py", "index/sampling/worker.py"}
    for name, tree in TREES.items():
        roots = {module.split(".")[0] for module in imported(tree)}
        assert name in own_pipe or not roots & {"pickle", "dill", "joblib"}, name
        assert "torch.load" not in names_in(tree), name
        keywords = {
            keyword.arg: keyword.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            for keyword in node.keywords
        }
        trust = keywords.get("trust_remote_code")
        assert trust is None or (isinstance(trust, ast.Constant) and trust.value is False), name


def test_no_file_has_outgrown_its_responsibility() -> None:
    lengths = {name: len((ROOT / name).read_text("utf-8").splitlines()) for name in TREES}
    assert {name: n for name, n in lengths.items() if n > MOST_LINES} == {}


def test_the_wheel_holds_exactly_our_packages() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    on_disk = {
        path.parent.relative_to(ROOT).as_posix().replace("/", ".")
        for path in SOURCES
        if path.name == "__init__.py"
    }
    assert set(settings["tool"]["setuptools"]["packages"]) == on_disk
    assert settings["project"]["scripts"] == {"gz": "gz_cli.app:main"}
    assert not list((ROOT / "tests").rglob("__init__.py")), "it would shadow index or model"


def test_constraints_pin_everything_that_is_required() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*settings["dependencies"], *chain(*settings["optional-dependencies"].values())]
    names = {re.split(r"[^\w-]", need)[0].lower().replace("_", "-") for need in wanted}
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", pin) for pin in pins)
    assert names <= {pin.split("==")[0].lower().replace("_", "-") for pin in pins}


def test_everything_that_is_imported_is_required() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    parts = ("cpu", "report", "screen", "speech")
    wanted = [*project["dependencies"], *(need for part in parts for need in extras[part])]
    declared = {re.split(r"[^\w-]", need)[0].lower().replace("-", "_") for need in wanted}
    # RapidOCR brings OpenCV, whose threads are bounded as its own.
    named_otherwise = {"faiss": "faiss_cpu", "cv2": "rapidocr"}
    used = {module.split(".")[0] for tree in TREES.values() for module in imported(tree)}
    used -= {*PACKAGES, *sys.stdlib_module_names}
    assert {named_otherwise.get(name, name) for name in used} <= declared


def test_help_loads_nothing_but_typer() -> None:
    code = (
        "import sys; sys.argv = ['gz', {arg!r}]\n"
        "import typer\n"
        "{what}\n"
        "before = set(sys.modules)\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('LOADED', *sorted(set(sys.modules)), file=sys.stderr)"
    )
    bare = "def main():\n    app = typer.Typer(); app.command()(lambda: None); app()"
    loaded = []
    for what in (bare, "from gz_cli.app import main"):
        ran = subprocess.run(
            [sys.executable, "-c", code.format(arg="--help", what=what)],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            cwd=ROOT,
        )
        loaded.append(set(ran.stderr.split("LOADED ")[1].split()))
    extra = {name.split(".")[0] for name in loaded[1] - loaded[0]}
    third_party = extra - set(sys.stdlib_module_names) - {"gz_cli", "index"}
    assert not third_party
    ours = {name for name in loaded[1] if name.startswith(("gz_cli.", "index."))}
    assert ours.isdisjoint({"index.types", "index.store.library", "index.media.container"}), (
        "numpy, av and others"
    )


HELP_REGION = re.compile(r"(?<=<!-- help -->\n).*(?=<!-- end of help -->)", re.DOTALL)


def commands() -> list[str]:
    listed = run_gz("--help").stdout.split("Commands:\n", 1)[1].split("\n\n", 1)[0]
    return re.findall(r"^  ([a-z][a-z-]*)\s", listed, re.MULTILINE)


def test_readme_shows_the_help_of_every_command(update_goldens: bool) -> None:
    readme = ROOT / "README.md"
    text = readme.read_text("utf-8")
    (shown,) = HELP_REGION.findall(text)
    blocks = []
    for words in ([], *([command] for command in commands())):
        ran = run_gz(*words, "--help")
        assert ran.returncode == 0, ran.stderr
        blocks.append(f"### {' '.join(['gz', *words])}\n\n```text\n{ran.stdout}```\n\n")
    real = "\n" + "".join(blocks)
    if update_goldens:
        readme.write_text(HELP_REGION.sub(lambda _: real, text), "utf-8")
        return
    assert shown == real, "stale: run pytest tests/test_contract.py --update-goldens"


def test_pages_show_the_figures_that_were_measured() -> None:
    """Nobody writes the benchmark tables by hand: `make bench` renders what it measured."""
    spec = importlib.util.spec_from_file_location("table", ROOT / "tests/benchmarks/table.py")
    assert spec is not None
    assert spec.loader is not None
    table = importlib.util.module_from_spec(spec)
    sys.modules["table"] = table
    spec.loader.exec_module(table)
    assert table.table(table.kept()) in (ROOT / "docs/benchmarks.md").read_text("utf-8")
    readme = (ROOT / "README.md").read_text("utf-8")
    assert table.telling(table.kept()) in readme
    assert "(docs/benchmarks.md)" in readme
    assert set(table.kept()) <= set(table.BENCHMARKS)
    for benchmark in table.BENCHMARKS.values():
        assert (ROOT / "tests/benchmarks" / benchmark.command.split()[0]).exists()


def test_every_option_says_what_it_does() -> None:
    for command in commands():
        text = run_gz(command, "--help").stdout
        options = text.split("Options:\n", 1)[1]
        entries = re.split(r"\n(?=  -)", options.rstrip())
        for entry in entries:
            words = re.sub(r"^\s*(-[\w-]+[, /]*)+( [A-Z][A-Z|.-]*| [a-z|]+\b)?", "", entry).split()
            assert words, f"gz {command}: {entry.strip()} has no help"


def test_readme_names_every_exit_status() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    table = dict(re.findall(r"^\| (\d+) \| (.+?) \|$", text, re.MULTILINE))
    assert set(table) == {"0", "1", "2", "3", "4", "5", "6", "7", "8", "70", "130", "141"}
