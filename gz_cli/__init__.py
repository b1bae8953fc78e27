"""The command line: commands, options, exit codes and what a person sees.

No SQL, no tensors; ``render`` is the only module that prints. Before anything
else is imported this checks that ``index`` and ``model`` are the packages that
were installed beside this one: other distributions and working folders use the
same two names, and importing theirs would run a stranger's code.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path


def _intruder(name: str, home: Path) -> str | None:
    """Where a package of ours would really be imported from, when that is not ``home``."""
    try:
        spec = find_spec(name)
    except (ImportError, ValueError) as error:
        return str(error)
    if spec is None:
        return "nowhere: it is not installed"
    found = Path(spec.origin or next(iter(spec.submodule_search_locations or []), ""))
    return None if found.resolve() == home / name / "__init__.py" else str(found)


def _refuse_intruders() -> None:
    """Stops the program, naming the file, when a stranger's package would be imported."""
    home = Path(__file__).resolve().parent.parent
    for name in ("index", "model"):
        intruder = _intruder(name, home)
        if intruder is not None:
            sys.stderr.write(
                f"gz: the package '{name}' would be imported from {intruder!a}, "
                f"not from {str(home)!a}.\n"
                "Install gz into an environment of its own, run it as 'gz', "
                "and leave that folder out of PYTHONPATH.\n"
            )
            raise SystemExit(2)


_refuse_intruders()
