"""Everything that only a graphics card shows, in one run of under ten minutes.

    python tests/gpu_check.py                     # all checks on the card (make gpu-check)
    python tests/gpu_check.py --only encoding     # one of them; may be repeated
    python tests/gpu_check.py --wheels ../wheels  # with packages that this machine lacks
    python tests/gpu_check.py --tiny --device cpu # the same code in small, without a card

No network is used: models are of full size with random weights, and clips and features are
made on the spot. Each check runs in a process of its own, which ends with its time; one that
fails leaves the others alone. The file of --json is written after every finding.
docs/gpu.md says what each check looks at.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent / "gpu"))

from ground import ROOT, Findings, Ground, Lacking

FORMAT = 1
EVERYWHERE = ("torch", "transformers", "tokenizers", "safetensors", "numpy", "platformdirs")
LIBRARY = ("av", "faiss", "sqlite_utils", "typer", "rich")
CHECKS: dict[str, tuple[float, tuple[str, ...]]] = {
    "agreement": (1.3, ("av",)),
    "encoding": (1.6, ("av",)),
    "indexing": (2.2, LIBRARY),
    "finding": (1.4, LIBRARY),
    "training": (1.8, ("accelerate", "peft")),
    "trouble": (1.4, LIBRARY),
    "marked": (0.6, LIBRARY),
}
"""Share of the time that each check gets, and the packages beyond ``EVERYWHERE`` it needs."""
Result = dict[str, Any]


def lacking(name: str) -> list[str]:
    """Packages that a check needs and this machine does not have."""
    wanted = (*EVERYWHERE, *CHECKS[name][1])
    return [each for each in wanted if importlib.util.find_spec(each) is None]


def machine(device: str) -> Result:
    """What the figures were measured on."""
    import torch
    import transformers

    facts: Result = {
        "device": device,
        "card": "",
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "python": platform.python_version(),
        "cores": len(os.sched_getaffinity(0)),
    }
    if device.startswith("cuda"):
        facts["card"] = torch.cuda.get_device_name(device)
        facts["memory_gb"] = round(torch.cuda.mem_get_info(device)[1] / 1e9, 1)
        facts["cuda"] = torch.version.cuda
    return facts


def run_here(name: str, ground: Ground, report: Path) -> None:
    """Runs one check and writes what it finds while it goes on."""
    result: Result = {"status": "running", "why": "", "findings": []}

    def tell(findings: Findings) -> None:
        result["findings"] = findings.as_json()
        report.write_text(json.dumps(result))

    findings = Findings(ground, tell=tell)
    try:
        importlib.import_module(name).check(ground, findings)
        broken = [each.what for each in findings.kept if each.ok is False]
        result["status"] = "failed" if broken else "passed"
        result["why"] = "; ".join(broken)
    except Lacking as error:
        result |= {"status": "skipped", "why": str(error)}
    except BaseException as error:
        traceback.print_exc()
        result |= {"status": "failed", "why": f"{type(error).__name__}: {error}"[:500]}
        if isinstance(error, KeyboardInterrupt):
            raise
    finally:
        tell(findings)


def run_apart(name: str, ground: Ground, report: Path, limit_s: float) -> str:
    """Runs one check in a process group that ends with it; returns why it was ended, if it was."""
    command = [sys.executable, __file__, "--child", name, "--report", str(report)]
    command += ["--device", ground.device, "--scratch", str(ground.scratch)]
    command += ["--seconds", str(ground.seconds), *(["--tiny"] if ground.tiny else [])]
    process = subprocess.Popen(command, start_new_session=True)
    try:
        code = process.wait(limit_s)
        return "" if code == 0 else f"its process ended with {code}"
    except subprocess.TimeoutExpired:
        return f"it took longer than {limit_s:.0f} s"
    finally:
        # Whatever it started goes too, and with it the memory that it held.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def run(name: str, ground: Ground, limit_s: float, *, here: bool) -> Result:
    """One check's result, whatever becomes of it."""
    print(f"== {name} (up to {ground.seconds:.0f} s)", flush=True)
    if missing := lacking(name):
        why = f"this machine lacks {', '.join(missing)}; --wheels brings them"
        print(f"  skipped: {why}", flush=True)
        return {"status": "skipped", "why": why, "findings": [], "seconds": 0.0}
    report = ground.scratch / f"{name}.json"
    began = time.monotonic()
    ended = ""
    if here:
        run_here(name, ground, report)
    else:
        ended = run_apart(name, ground, report, limit_s)
    result: Result = {"status": "running", "why": "", "findings": []}
    if report.exists():
        result = json.loads(report.read_text())
    if result["status"] == "running":
        result |= {"status": "failed", "why": ended or "it ended without a result"}
    result["seconds"] = round(time.monotonic() - began, 1)
    why = f": {result['why']}" if result["why"] else ""
    print(f"  {result['status']} in {result['seconds']:.0f} s{why}", flush=True)
    return result


def add_wheels(wheels: Path, scratch: Path) -> None:
    """Makes the packages of a folder of wheels importable here and in every child."""
    site = scratch / "site"
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps"]
    command += ["--no-cache-dir", "--upgrade", "--target", str(site)]
    subprocess.run([*command, *map(str, sorted(wheels.glob("*.whl")))], check=True)
    sys.path.insert(0, str(site))
    importlib.invalidate_caches()
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = f"{site}{os.pathsep}{before}" if before else str(site)


def all_checks(asked: argparse.Namespace, scratch: Path) -> Result:
    """Runs the checks that were asked for; the file is written after each."""
    own = {"XDG_CACHE_HOME": "cache", "XDG_STATE_HOME": "state", "GZ_LIBRARY": "nowhere"}
    os.environ |= {name: str(scratch / folder) for name, folder in own.items()}
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    os.environ |= {"TOKENIZERS_PARALLELISM": "false", "TRANSFORMERS_VERBOSITY": "error"}
    (scratch / "models").mkdir(exist_ok=True)
    names = asked.only or list(CHECKS)
    whole: Result = {"format": FORMAT, "tiny": asked.tiny, "on": machine(asked.device)}
    whole["checks"] = {}
    print(f"on {whole['on']['card'] or 'the processor'}, torch {whole['on']['torch']}", flush=True)
    end = time.monotonic() + 60 * asked.minutes
    for number, name in enumerate(names):
        left_s = end - time.monotonic()
        weights = [CHECKS[each][0] for each in names[number:]]
        seconds = max(10.0, left_s * weights[0] / sum(weights))
        ground = Ground(asked.device, asked.tiny, scratch, seconds)
        limit_s = max(30.0, min(2 * seconds, left_s))
        whole["checks"][name] = run(name, ground, limit_s, here=asked.here)
        asked.json.parent.mkdir(parents=True, exist_ok=True)
        asked.json.write_text(json.dumps(whole, indent=1) + "\n")
    return whole


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", action="append", choices=CHECKS, metavar="NAME")
    parser.add_argument("--json", type=Path, default=ROOT / "build/gpu_check.json", metavar="FILE")
    parser.add_argument("--minutes", type=float, default=9.0, help="for all checks together")
    parser.add_argument("--wheels", type=Path, metavar="DIR", help="packages to use beside ours")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1 or, with --tiny, cpu")
    parser.add_argument("--tiny", action="store_true", help="seconds instead of minutes")
    parser.add_argument("--here", action="store_true", help="all checks in this one process")
    for hidden in ("--child", "--report", "--scratch", "--seconds"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    asked = parsed()
    if asked.child:
        ground = Ground(asked.device, asked.tiny, Path(asked.scratch), float(asked.seconds))
        run_here(asked.child, ground, Path(asked.report))
        return
    with tempfile.TemporaryDirectory(prefix="gpu_check_") as temporary:
        scratch = Path(temporary)
        if asked.wheels:
            add_wheels(asked.wheels, scratch)
        import torch

        if asked.device.startswith("cuda") and not torch.cuda.is_available():
            raise SystemExit(
                "This machine, or its torch, has no CUDA device. "
                "With --tiny --device cpu the checks run in small without one."
            )
        whole = all_checks(asked, scratch)
    count = {"passed": 0, "failed": 0, "skipped": 0}
    for result in whole["checks"].values():
        count[result["status"]] += 1
    told = ", ".join(f"{number} {status}" for status, number in count.items() if number)
    print(f"{told}; written to {asked.json}")
    sys.exit(1 if count["failed"] else 0)


if __name__ == "__main__":
    main()
